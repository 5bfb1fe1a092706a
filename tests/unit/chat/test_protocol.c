/* The five protocols: what each becomes, and what is refused, with which code and field. */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/json.h"
#include "chat/protocol/protocol.h"
#include "tests.h"

static const struct chat_limits limits = { .messages_max = 3, .parts_max = 3 }, wide = { 1000, 1000 };

static json_t *parse(const char *text) {
    json_t *value = NULL;
    struct fault fault = { 0 };
    if (json_read_any(text_of(text), 100, &value, &fault) != OK) {
        fail_msg("%s: %s", text, fault.message);
    }
    return value;
}

typedef enum err reader(const json_t *, const struct chat_limits *, json_t **, struct chat_wishes *, struct fault *);

static void expect_request(reader *read, const char *body, const char *expected) {
    scoped(json_release) json_t *submission = parse(body), *before = json_deep_copy(submission);
    scoped(json_release) json_t *wanted = parse(expected), *request = NULL;
    struct chat_wishes wishes;
    struct fault fault = { 0 };
    if (read(submission, &limits, &request, &wishes, &fault) != OK) {
        fail_msg("%s: %s", body, fault.message);
    }
    if (!json_equal(request, wanted)) {
        fail_msg("%s became %s", body, json_dumps(request, 0));
    }
    assert_true(json_equal(submission, before));
}

static void expect_refusal_within(const struct chat_limits *within, reader *read, const char *body, enum err err,
                                  const char *param) {
    scoped(json_release) json_t *submission = parse(body), *request = NULL;
    struct chat_wishes wishes;
    struct fault fault = { 0 };
    enum err got = read(submission, within, &request, &wishes, &fault);
    if (got != err || strcmp(fault.param, param) != 0) {
        fail_msg("%s: %s, param %s: %s", body, err_info(got)->name, fault.param, fault.message);
    }
    assert_null(request);
    assert_true(strlen(fault.message) > 0 && fault.err == err);
}

static void expect_refusal(reader *read, const char *body, enum err err, const char *param) {
    expect_refusal_within(&limits, read, body, err, param);
}

#define PNG "data:image/png;base64,iVBORw0KGgo="
#define WAV "data:audio/wav;base64,UklGRg=="
#define A "https://a.example/x"
#define USER(content) "\"messages\":[{\"role\":\"user\",\"content\":" content "}]"
#define SAYS(parts) "{\"model\":\"m\"," USER("[" parts "]") "}"
#define TEN(it) it it it it it it it it it it
#define MESSAGE(message) "{\"model\":\"m\",\"messages\":[" message "]}"

static void places_are_told_in_long_lists(void **state) {
    (void)state;
    static const char part[] = "{\"model\":\"m\",\"messages\":[" TEN("{\"role\":\"user\",\"content\":\"x\"},")
        "{\"role\":\"user\",\"content\":[" TEN(TEN("{\"type\":\"text\",\"text\":\"x\"},"))
        "{\"type\":\"image_url\",\"image_url\":{}}]}]}";
    expect_refusal_within(&wide, chat_read_submission, part, ERR_MISSING_FIELD, "messages[10].content[100].image_url.url");
    static const char call[] = "{\"model\":\"m\",\"messages\":[{\"role\":\"assistant\",\"tool_calls\":["
        TEN("{\"id\":\"a\",\"type\":\"function\",\"function\":{\"name\":\"f\",\"arguments\":\"{}\"}},")
        "{\"id\":\"a\",\"type\":\"function\",\"function\":{\"name\":\"f\"}}]}]}";
    expect_refusal_within(&wide, chat_read_submission, call, ERR_MISSING_FIELD, "messages[0].tool_calls[10].function.arguments");
}

static void protocols_become_messages(void **state) {
    (void)state;
    static const struct {
        const char *body, *request;
    } rows[] = {
        { "{\"model\":\"m\",\"prompt\":\"Hi\"}", "{\"model\":\"m\"," USER("\"Hi\"") "}" },
        { "{\"model\":\"m\",\"prompt\":\"Hi\",\"system_prompt\":\"Be short.\"}",
          MESSAGE("{\"role\":\"system\",\"content\":\"Be short.\"},{\"role\":\"user\",\"content\":\"Hi\"}") },
        { "{\"model\":\"m\",\"prompt\":\"Hi\",\"system_prompt\":\"\",\"image_urls\":null,\"messages\":null}",
          "{\"model\":\"m\"," USER("\"Hi\"") "}" },
        { "{\"model\":\"m\",\"prompt\":\"Hi\",\"image_urls\":[\"" A "\",\"" PNG "\"],\"temperature\":2,\"max_tokens\":1}",
          "{\"model\":\"m\",\"temperature\":2,\"max_tokens\":1," USER("[{\"type\":\"text\",\"text\":\"Hi\"},"
          "{\"type\":\"image_url\",\"image_url\":{\"url\":\"" A "\"}},{\"type\":\"image_url\",\"image_url\":{\"url\":\"" PNG "\"}}]") "}" },
        { "{\"model\":\"m\",\"prompt\":\"Hi\",\"video_urls\":[\"" A "\"]}",
          SAYS("{\"type\":\"text\",\"text\":\"Hi\"},{\"type\":\"video_url\",\"video_url\":{\"url\":\"" A "\"}}") },
        { "{\"model\":\"m\",\"prompt\":\"Hi\",\"audio_url\":\"" WAV "\"}",
          SAYS("{\"type\":\"text\",\"text\":\"Hi\"},{\"type\":\"audio_url\",\"audio_url\":{\"url\":\"" WAV "\"}}") },
        /* what is the submission's, and not the request's, is left out; what is OpenAI's goes on */
        { "{\"model\":\"m\",\"prompt\":\"Hi\",\"sync\":true,\"stream\":true,\"reasoning\":true,"
          "\"stream_options\":{\"include_usage\":true},\"top_p\":0.5,\"stop\":[\"x\"],\"seed\":null}",
          "{\"model\":\"m\",\"top_p\":0.5,\"stop\":[\"x\"]," USER("\"Hi\"") "}" },
        { "{\"model\":\"m\",\"anything\":{\"deep\":[1]}," USER("\"\"") "}", "{\"model\":\"m\",\"anything\":{\"deep\":[1]}," USER("\"\"") "}" },
        { SAYS("{\"type\":\"image_url\",\"image_url\":\"" A "\"}"),
          SAYS("{\"type\":\"image_url\",\"image_url\":{\"url\":\"" A "\"}}") },
        { SAYS("{\"type\":\"image_url\",\"image_url\":{\"url\":\"" A "\",\"detail\":\"low\"}}"),
          SAYS("{\"type\":\"image_url\",\"image_url\":{\"url\":\"" A "\",\"detail\":\"low\"}}") },
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        expect_request(chat_read_submission, rows[i].body, rows[i].request);
    }
}

static void a_recording_alone_is_transcribed(void **state) {
    (void)state;
    scoped(json_release) json_t *submission = parse("{\"model\":\"m\",\"audio_url\":\"" A "\"}"), *request = NULL;
    struct chat_wishes wishes;
    assert_int_equal(chat_read_submission(submission, &limits, &request, &wishes, NULL), OK);
    json_t *content = json_object_get(json_array_get(json_object_get(request, "messages"), 0), "content");
    const char *text = json_string_value(json_object_get(json_array_get(content, 0), "text"));
    assert_non_null(text);
    assert_true(strncmp(text, "Transcribe", 10) == 0);
    assert_int_equal(wishes.protocol, CHAT_AUDIO);
}

/* All that passes through messages as it came. */
static void messages_pass(void **state) {
    (void)state;
    static const char *const bodies[] = {
        MESSAGE("{\"role\":\"developer\",\"content\":\"x\",\"name\":\"n\"},{\"role\":\"user\",\"content\":\"y\"}"),
        MESSAGE("{\"role\":\"assistant\",\"content\":null,\"tool_calls\":[{\"id\":\"1\",\"type\":\"function\",\"function\":"
                "{\"name\":\"f\",\"arguments\":\"{}\"}}]},{\"role\":\"tool\",\"tool_call_id\":\"1\",\"content\":\"5\"}"),
        MESSAGE("{\"role\":\"assistant\",\"tool_calls\":[{\"type\":\"custom\",\"custom\":{}}]}"),
        MESSAGE("{\"role\":\"assistant\",\"refusal\":\"no\"}"),
        MESSAGE("{\"role\":\"function\",\"name\":\"f\",\"content\":\"x\"}"),
        MESSAGE("{\"role\":\"assistant\",\"content\":[{\"type\":\"refusal\",\"refusal\":\"no\"}]}"),
        SAYS("{\"type\":\"text\",\"text\":\"\"},{\"type\":\"video_url\",\"video_url\":{\"url\":\"" A "\"}},"
             "{\"type\":\"audio_url\",\"audio_url\":{\"url\":\"" WAV "\"}}"),
        SAYS("{\"type\":\"file_url\",\"file_url\":{\"url\":\"" A "\",\"filename\":\"x.pdf\"}}"),
        SAYS("{\"type\":\"input_audio\",\"input_audio\":{\"data\":\"UklGRg==\",\"format\":\"wav\"}}"),
        SAYS("{\"type\":\"file\",\"file\":{\"filename\":\"x.pdf\",\"file_data\":\"data:application/pdf;base64,JVBERg==\"}}"),
    };
    for (size_t i = 0; i < ARRAY_SIZE(bodies); i++) {
        expect_request(chat_read_submission, bodies[i], bodies[i]);
        expect_request(chat_read_completion, bodies[i], bodies[i]);
    }
}

static void bad_submissions_are_refused(void **state) {
    (void)state;
    static const struct {
        const char *body;
        enum err err;
        const char *param;
    } rows[] = {
        { "{\"prompt\":\"Hi\"}", ERR_MISSING_FIELD, "model" },
        { "{\"model\":5,\"prompt\":\"Hi\"}", ERR_INVALID_TYPE, "model" },
        { "{\"model\":\"\",\"prompt\":\"Hi\"}", ERR_INVALID_PARAM, "model" },
        { "{\"model\":\"m\"}", ERR_MISSING_FIELD, "prompt" },
        { "{\"model\":\"m\",\"prompt\":\"\"}", ERR_INVALID_PARAM, "prompt" },
        { "{\"model\":\"m\",\"prompt\":[]}", ERR_INVALID_TYPE, "prompt" },
        { "{\"model\":\"m\",\"image_urls\":[\"" A "\"]}", ERR_MISSING_FIELD, "prompt" },
        { "{\"model\":\"m\",\"video_urls\":[\"" A "\"]}", ERR_MISSING_FIELD, "prompt" },
        { "{\"model\":\"m\",\"prompt\":\"Hi\",\"image_urls\":[]}", ERR_INVALID_PARAM, "image_urls" },
        { "{\"model\":\"m\",\"prompt\":\"Hi\",\"image_urls\":\"" A "\"}", ERR_INVALID_TYPE, "image_urls" },
        { "{\"model\":\"m\",\"prompt\":\"Hi\",\"image_urls\":[\"" A "\",5]}", ERR_INVALID_TYPE, "image_urls[1]" },
        { "{\"model\":\"m\",\"prompt\":\"Hi\",\"image_urls\":[\"ftp://a/x\"]}", ERR_INVALID_URL, "image_urls[0]" },
        { "{\"model\":\"m\",\"prompt\":\"Hi\",\"image_urls\":[\"" WAV "\"]}", ERR_INVALID_URL, "image_urls[0]" },
        { "{\"model\":\"m\",\"prompt\":\"Hi\",\"image_urls\":[\"data:image/png;base64,???\"]}", ERR_INVALID_URL, "image_urls[0]" },
        { "{\"model\":\"m\",\"audio_url\":[\"" A "\"]}", ERR_INVALID_TYPE, "audio_url" },
        { "{\"model\":\"m\",\"audio_url\":\"x\"}", ERR_INVALID_URL, "audio_url" },
        { "{\"model\":\"m\",\"prompt\":\"Hi\"," USER("\"x\"") "}", ERR_INVALID_PARAM, "prompt" },
        { "{\"model\":\"m\",\"image_urls\":[\"" A "\"]," USER("\"x\"") "}", ERR_INVALID_PARAM, "image_urls" },
        { "{\"model\":\"m\",\"prompt\":\"x\",\"image_urls\":[\"" A "\"],\"video_urls\":[\"" A "\"]}", ERR_INVALID_PARAM, "video_urls" },
        { "{\"model\":\"m\",\"audio_url\":\"" A "\",\"video_urls\":[\"" A "\"]}", ERR_INVALID_PARAM, "video_urls" },
        { "{\"model\":\"m\",\"prompt\":\"Hi\",\"image_url\":\"" A "\"}", ERR_UNKNOWN_FIELD, "image_url" },
        { "{\"model\":\"m\",\"prompt\":\"Hi\",\"system_prompt\":5}", ERR_INVALID_TYPE, "system_prompt" },
        { "{\"model\":\"m\",\"prompt\":\"Hi\",\"sync\":\"yes\"}", ERR_INVALID_TYPE, "sync" },
        { "{\"model\":\"m\",\"prompt\":\"Hi\",\"stream\":1}", ERR_INVALID_TYPE, "stream" },
        { "{\"model\":\"m\",\"prompt\":\"Hi\",\"reasoning\":{}}", ERR_INVALID_TYPE, "reasoning" },
        { "{\"model\":\"m\",\"prompt\":\"Hi\",\"stream_options\":true}", ERR_INVALID_TYPE, "stream_options" },
        { "{\"model\":\"m\",\"prompt\":\"Hi\",\"stream_options\":{\"include_usage\":1}}", ERR_INVALID_TYPE, "stream_options.include_usage" },
        { "{\"model\":\"m\",\"prompt\":\"Hi\",\"temperature\":2.01}", ERR_INVALID_PARAM, "temperature" },
        { "{\"model\":\"m\",\"prompt\":\"Hi\",\"temperature\":-0.1}", ERR_INVALID_PARAM, "temperature" },
        { "{\"model\":\"m\",\"prompt\":\"Hi\",\"temperature\":\"1\"}", ERR_INVALID_TYPE, "temperature" },
        { "{\"model\":\"m\",\"prompt\":\"Hi\",\"max_tokens\":0}", ERR_INVALID_PARAM, "max_tokens" },
        { "{\"model\":\"m\",\"prompt\":\"Hi\",\"max_tokens\":1.5}", ERR_INVALID_TYPE, "max_tokens" },
        { "{\"model\":\"m\",\"prompt\":\"Hi\",\"max_tokens\":1000000001}", ERR_INVALID_PARAM, "max_tokens" },
        { "{\"model\":\"m\",\"prompt\":\"Hi\",\"max_completion_tokens\":-1}", ERR_INVALID_PARAM, "max_completion_tokens" },
        { "{\"model\":\"m\",\"prompt\":\"Hi\",\"n\":129}", ERR_INVALID_PARAM, "n" },
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        expect_refusal(chat_read_submission, rows[i].body, rows[i].err, rows[i].param);
    }
}

static void bad_messages_are_refused(void **state) {
    (void)state;
#define M(message) MESSAGE(message)
    static const struct {
        const char *body;
        enum err err;
        const char *param;
    } rows[] = {
        { "{\"model\":\"m\",\"messages\":{}}", ERR_INVALID_TYPE, "messages" },
        { M(""), ERR_INVALID_PARAM, "messages" },
        { M("{\"role\":\"user\",\"content\":\"1\"},{\"role\":\"user\",\"content\":\"2\"},{\"role\":\"user\",\"content\":\"3\"},"
            "{\"role\":\"user\",\"content\":\"4\"}"), ERR_INVALID_PARAM, "messages" },
        { M("\"x\""), ERR_INVALID_TYPE, "messages[0]" },
        { M("{\"role\":\"user\",\"content\":\"1\"},{\"content\":\"x\"}"), ERR_MISSING_FIELD, "messages[1].role" },
        { M("{\"role\":1,\"content\":\"x\"}"), ERR_INVALID_TYPE, "messages[0].role" },
        { M("{\"role\":\"bot\",\"content\":\"x\"}"), ERR_INVALID_PARAM, "messages[0].role" },
        { M("{\"role\":\"user\"}"), ERR_MISSING_FIELD, "messages[0].content" },
        { M("{\"role\":\"user\",\"content\":null,\"tool_calls\":[]}"), ERR_MISSING_FIELD, "messages[0].content" },
        { M("{\"role\":\"user\",\"content\":5}"), ERR_INVALID_TYPE, "messages[0].content" },
        { M("{\"role\":\"assistant\",\"tool_calls\":[]}"), ERR_INVALID_PARAM, "messages[0].tool_calls" },
        { M("{\"role\":\"assistant\",\"tool_calls\":[{\"function\":{\"name\":\"f\",\"arguments\":\"\"}}]}"), ERR_MISSING_FIELD,
          "messages[0].tool_calls[0].id" },
        { M("{\"role\":\"assistant\",\"tool_calls\":[{\"id\":\"1\",\"function\":{\"arguments\":\"\"}}]}"), ERR_MISSING_FIELD,
          "messages[0].tool_calls[0].function.name" },
        { M("{\"role\":\"assistant\",\"tool_calls\":[{\"id\":\"1\",\"function\":{\"name\":\"f\",\"arguments\":{}}}]}"), ERR_INVALID_TYPE,
          "messages[0].tool_calls[0].function.arguments" },
        { M("{\"role\":\"assistant\",\"tool_calls\":[{\"id\":\"1\",\"function\":7}]}"), ERR_INVALID_TYPE,
          "messages[0].tool_calls[0].function" },
        { M("{\"role\":\"tool\",\"content\":\"x\"}"), ERR_MISSING_FIELD, "messages[0].tool_call_id" },
        { SAYS(""), ERR_INVALID_PARAM, "messages[0].content" },
        { SAYS("{\"type\":\"text\",\"text\":\"1\"},{\"type\":\"text\",\"text\":\"2\"},{\"type\":\"text\",\"text\":\"3\"},"
               "{\"type\":\"text\",\"text\":\"4\"}"), ERR_INVALID_PARAM, "messages[0].content" },
        { SAYS("5"), ERR_INVALID_TYPE, "messages[0].content[0]" },
        { SAYS("{}"), ERR_MISSING_FIELD, "messages[0].content[0].type" },
        { SAYS("{\"type\":1}"), ERR_INVALID_TYPE, "messages[0].content[0].type" },
        { SAYS("{\"type\":\"text\",\"text\":\"x\"},{\"type\":\"smell\"}"), ERR_PART_TYPE, "messages[0].content[1].type" },
        { SAYS("{\"type\":\"text\"}"), ERR_MISSING_FIELD, "messages[0].content[0].text" },
        { SAYS("{\"type\":\"text\",\"text\":5}"), ERR_INVALID_TYPE, "messages[0].content[0].text" },
        { SAYS("{\"type\":\"image_url\"}"), ERR_MISSING_FIELD, "messages[0].content[0].image_url" },
        { SAYS("{\"type\":\"image_url\",\"image_url\":{}}"), ERR_MISSING_FIELD, "messages[0].content[0].image_url.url" },
        { SAYS("{\"type\":\"image_url\",\"image_url\":{\"url\":\"x\"}}"), ERR_INVALID_URL, "messages[0].content[0].image_url.url" },
        { SAYS("{\"type\":\"image_url\",\"image_url\":\"x\"}"), ERR_INVALID_URL, "messages[0].content[0].image_url" },
        { SAYS("{\"type\":\"video_url\",\"video_url\":{\"url\":\"" WAV "\"}}"), ERR_INVALID_URL, "messages[0].content[0].video_url.url" },
        { SAYS("{\"type\":\"file_url\",\"file_url\":5}"), ERR_INVALID_TYPE, "messages[0].content[0].file_url" },
        { SAYS("{\"type\":\"input_audio\",\"input_audio\":{\"data\":\"a b\",\"format\":\"wav\"}}"), ERR_INVALID_PARAM,
          "messages[0].content[0].input_audio.data" },
        { SAYS("{\"type\":\"input_audio\",\"input_audio\":{\"data\":\"UklGRg==\"}}"), ERR_MISSING_FIELD,
          "messages[0].content[0].input_audio.format" },
        { SAYS("{\"type\":\"input_audio\",\"input_audio\":{\"data\":\"UklGRg==\",\"format\":\"a/b\"}}"), ERR_INVALID_PARAM,
          "messages[0].content[0].input_audio.format" },
        { SAYS("{\"type\":\"file\",\"file\":{\"file_id\":\"file-1\"}}"), ERR_INVALID_PARAM, "messages[0].content[0].file.file_id" },
        { SAYS("{\"type\":\"file\",\"file\":{\"file_data\":\"" A "\"}}"), ERR_INVALID_URL, "messages[0].content[0].file.file_data" },
        { SAYS("{\"type\":\"file\",\"file\":{}}"), ERR_MISSING_FIELD, "messages[0].content[0].file.file_data" },
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        expect_refusal(chat_read_submission, rows[i].body, rows[i].err, rows[i].param);
        expect_refusal(chat_read_completion, rows[i].body, rows[i].err, rows[i].param);
    }
}

/* {"model":"m","<field>":"xxx…","prompt":"Hi"}; `letter` of two bytes counts as one character. */
static void expect_length(const char *field, size_t characters, enum err err) {
    json_t *body = json_pack("{s:s, s:s}", "model", "m", "prompt", "Hi");
    char *text = malloc(2 * characters + 1);
    for (size_t i = 0; i < characters; i++) {
        memcpy(text + 2 * i, "é", 2);
    }
    text[2 * characters] = '\0';
    json_object_set_new(body, field, json_string(text));
    free(text);
    char *rendered = json_render(body);
    json_decref(body);
    if (err != OK) {
        expect_refusal(chat_read_submission, rendered, err, field);
    } else {
        json_t *request = NULL;
        scoped(json_release) json_t *again = parse(rendered);
        struct chat_wishes wishes;
        assert_int_equal(chat_read_submission(again, &limits, &request, &wishes, NULL), OK);
        json_decref(request);
    }
    free(rendered);
}

static void lengths_are_bounded(void **state) {
    (void)state;
    expect_length("prompt", 100000, OK);
    expect_length("prompt", 100001, ERR_INVALID_PARAM);
    expect_length("system_prompt", 10000, OK);
    expect_length("system_prompt", 10001, ERR_INVALID_PARAM);
    scoped(buffer_fini) struct buffer links;
    buffer_init(&links, 4096);
    buffer_put(&links, TEXT("{\"model\":\"m\",\"prompt\":\"x\",\"image_urls\":[\"" A "\""));
    for (int i = 1; i < 11; i++) {
        buffer_put(&links, TEXT(",\"" A "\""));
    }
    buffer_put(&links, TEXT("]}"));
    expect_refusal(chat_read_submission, links.data, ERR_INVALID_PARAM, "image_urls");
}

static void nesting_and_fields_are_bounded(void **state) {
    (void)state;
    scoped(buffer_fini) struct buffer body;
    buffer_init(&body, 8192);
    for (int depth = 32; depth <= 33; depth++) {
        buffer_clear(&body);
        buffer_put(&body, TEXT("{\"model\":\"m\"," USER("\"x\"") ",\"tools\":"));
        for (int i = 0; i < depth; i++) {
            buffer_put(&body, TEXT("["));
        }
        for (int i = 0; i < depth; i++) {
            buffer_put(&body, TEXT("]"));
        }
        buffer_put(&body, TEXT("}"));
        if (depth == 33) {
            expect_refusal(chat_read_submission, body.data, ERR_INVALID_PARAM, "tools");
        } else {
            expect_request(chat_read_submission, body.data, body.data);
        }
    }
    buffer_clear(&body);
    buffer_put(&body, TEXT("{\"model\":\"m\"," USER("\"x\"")));
    for (int i = 0; i < 127; i++) {
        buffer_printf(&body, ",\"field%d\":1", i);
    }
    buffer_put(&body, TEXT("}"));
    expect_refusal(chat_read_submission, body.data, ERR_INVALID_PARAM, "");
}

static void wishes_are_read(void **state) {
    (void)state;
    static const struct {
        const char *body;
        struct chat_wishes wishes;
    } rows[] = {
        { "{\"model\":\"m\",\"prompt\":\"x\"}", { .protocol = CHAT_TEXT } },
        { "{\"model\":\"m\",\"prompt\":\"x\",\"sync\":true,\"stream\":false}", { .protocol = CHAT_TEXT, .sync = true } },
        { "{\"model\":\"m\",\"prompt\":\"x\",\"system_prompt\":\"y\",\"image_urls\":[\"" A "\"],\"stream\":true,\"reasoning\":true}",
          { .protocol = CHAT_VISION, .stream = true, .reasoning = true, .system_prompt = true } },
        { "{\"model\":\"m\"," USER("\"x\"") ",\"stream_options\":{\"include_usage\":true}}", { .include_usage = true } },
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        scoped(json_release) json_t *submission = parse(rows[i].body), *request = NULL;
        struct chat_wishes wishes;
        const struct chat_wishes *wanted = &rows[i].wishes;
        assert_int_equal(chat_read_submission(submission, &limits, &request, &wishes, NULL), OK);
        assert_int_equal(wishes.protocol, wanted->protocol);
        assert_int_equal(wishes.sync, wanted->sync);
        assert_int_equal(wishes.stream, wanted->stream);
        assert_int_equal(wishes.reasoning, wanted->reasoning);
        assert_int_equal(wishes.include_usage, wanted->include_usage);
        assert_int_equal(wishes.system_prompt, wanted->system_prompt);
    }
}

static void completions_have_messages_only(void **state) {
    (void)state;
    expect_refusal(chat_read_completion, "{\"model\":\"m\"}", ERR_MISSING_FIELD, "messages");
    expect_refusal(chat_read_completion, "{" USER("\"x\"") "}", ERR_MISSING_FIELD, "model");
    expect_refusal(chat_read_completion, "{\"model\":\"m\",\"prompt\":\"x\"}", ERR_UNKNOWN_FIELD, "prompt");
    expect_refusal(chat_read_completion, "{\"model\":\"m\",\"system_prompt\":\"x\"," USER("\"x\"") "}", ERR_UNKNOWN_FIELD, "system_prompt");
    expect_refusal(chat_read_completion, "{\"model\":\"m\",\"reasoning\":\"x\"," USER("\"x\"") "}", ERR_INVALID_TYPE, "reasoning");
    expect_request(chat_read_completion, "{\"model\":\"m\",\"reasoning\":{\"effort\":\"low\"}," USER("\"x\"") "}",
                   "{\"model\":\"m\",\"reasoning\":{\"effort\":\"low\"}," USER("\"x\"") "}");
    expect_request(chat_read_completion, "{\"model\":\"m\",\"reasoning\":true,\"stream\":true," USER("\"x\"") "}",
                   "{\"model\":\"m\"," USER("\"x\"") "}");
}

static void faults_name_what_was_sent(void **state) {
    (void)state;
    static const struct {
        struct chat_wishes wishes;
        const char *param, *expected;
    } rows[] = {
        { { .protocol = CHAT_CUSTOM }, "messages[1].content[2]", "messages[1].content[2]" },
        { { .protocol = CHAT_CUSTOM, .system_prompt = true }, "messages[1].content[2].image_url.url",
          "messages[0].content[2].image_url.url" },
        { { .protocol = CHAT_CUSTOM, .system_prompt = true }, "messages[0].content", "system_prompt" },
        { { .protocol = CHAT_VISION }, "messages[0].content[3].image_url.url", "image_urls[2]" },
        { { .protocol = CHAT_VIDEO, .system_prompt = true }, "messages[1].content[1]", "video_urls[0]" },
        { { .protocol = CHAT_AUDIO }, "messages[0].content[1]", "audio_url" },
        { { .protocol = CHAT_VISION }, "messages[0].content[0].text", "prompt" },
        { { .protocol = CHAT_TEXT }, "messages[0].content", "prompt" },
        { { .protocol = CHAT_VISION }, "max_tokens", "max_tokens" },
        { { .protocol = CHAT_VISION }, "messages", "messages" },
        { { .protocol = CHAT_VISION }, "", "" },
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct fault fault = { .err = ERR_MODEL_RULE };
        snprintf(fault.param, sizeof(fault.param), "%s", rows[i].param);
        chat_name_field(&rows[i].wishes, &fault);
        assert_string_equal(fault.param, rows[i].expected);
    }
}

int test_protocol(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(places_are_told_in_long_lists),
        cmocka_unit_test(protocols_become_messages),
        cmocka_unit_test(a_recording_alone_is_transcribed),
        cmocka_unit_test(messages_pass),
        cmocka_unit_test(bad_submissions_are_refused),
        cmocka_unit_test(bad_messages_are_refused),
        cmocka_unit_test(lengths_are_bounded),
        cmocka_unit_test(nesting_and_fields_are_bounded),
        cmocka_unit_test(wishes_are_read),
        cmocka_unit_test(completions_have_messages_only),
        cmocka_unit_test(faults_name_what_was_sent),
    };
    return cmocka_run_group_tests_name("protocol", tests, NULL, NULL);
}
