/* The OpenAI dialect's requests and whole replies, and the table of dialects. */
#include <jansson.h>
#include <stdlib.h>

#include "base/json.h"
#include "base/memory.h"
#include "chat/dialect/dialect.h"
#include "trial.h"

static json_t *read(const char *json) {
    json_t *value = NULL;
    struct fault fault = { 0 };
    if (json_read_any(text_of(json), 64, &value, &fault) != OK) {
        fail_msg("%s in %s", fault.message, json);
    }
    return value;
}

static void dialects_are_found_by_name(void **state) {
    (void)state;
    assert_ptr_equal(chat_dialect_find(TEXT("openai")), &openai_dialect);
    assert_null(chat_dialect_find(TEXT("Openai")));
    assert_null(chat_dialect_find(TEXT("open")));
    assert_null(chat_dialect_find(TEXT("")));
}

/* ---- requests ---- */

struct row {
    const char *body, *route; /* NULL: none */
    bool stream, reasoning;
    const char *expected;
};

/* Compared as JSON, members in any order; and what it was made of is as it was. */
static void run(const struct row *rows, size_t count) {
    for (size_t i = 0; i < count; i++) {
        json_t *body scoped(json_release) = read(rows[i].body);
        json_t *before scoped(json_release) = json_deep_copy(body);
        json_t *route scoped(json_release) = rows[i].route ? read(rows[i].route) : NULL;
        json_t *route_before scoped(json_release) = json_deep_copy(route);
        json_t *expected scoped(json_release) = read(rows[i].expected);
        const struct chat_call call = {
            .body = body, .model = "theirs", .route = route, .stream = rows[i].stream, .reasoning = rows[i].reasoning
        };
        struct chat_request request = { 0 };
        assert_int_equal(openai_dialect.request(&call, &request, NULL), OK);
        assert_string_equal(buffer_text(&request.path).ptr, "/chat/completions");
        assert_int_equal(request.header_count, 0);
        json_t *made scoped(json_release) = read(buffer_text(&request.body).ptr);
        if (!json_equal(made, expected)) {
            fail_msg("%s\n  is not\n%s", buffer_text(&request.body).ptr, rows[i].expected);
        }
        assert_true(json_equal(body, before));
        assert_true(route == NULL || json_equal(route, route_before));
        chat_request_fini(&request);
        assert_null(request.body.data);
    }
}

static void bodies_are_sent_on(void **state) {
    (void)state;
    static const struct row rows[] = {
        { "{\"model\":\"ours\",\"messages\":[{\"role\":\"user\",\"content\":\"Hi\"}],\"temperature\":0.7,\"odd\":{"
          "\"a\":[1]}}",
          NULL, false, false,
          "{\"model\":\"theirs\",\"messages\":[{\"role\":\"user\",\"content\":\"Hi\"}],\"temperature\":0.7,\"odd\":{"
          "\"a\":[1]}}" },
        { "{\"messages\":[]}", NULL, false, false, "{\"model\":\"theirs\",\"messages\":[]}" },
        { "{\"messages\":[],\"stream\":true,\"stream_options\":{\"include_usage\":true}}", NULL, false, false,
          "{\"model\":\"theirs\",\"messages\":[]}" },
        { "{\"messages\":[]}", NULL, true, false,
          "{\"model\":\"theirs\",\"messages\":[],\"stream\":true,\"stream_options\":{\"include_usage\":true}}" },
        { "{\"messages\":[],\"stream\":false,\"stream_options\":{\"include_usage\":false,\"include_obfuscation\":false}"
          "}",
          NULL, true, false,
          "{\"model\":\"theirs\",\"messages\":[],\"stream\":true,\"stream_options\":{\"include_usage\":true,"
          "\"include_obfuscation\":false}}" },
        { "{\"messages\":[],\"max_tokens\":9}", "{\"options\":{\"max_tokens\":\"max_completion_tokens\"}}", false, false,
          "{\"messages\":[],\"model\":\"theirs\",\"max_completion_tokens\":9}" },
        { "{\"messages\":[],\"max_completion_tokens\":9}", "{\"options\":{\"max_tokens\":\"max_tokens\"}}", false, false,
          "{\"messages\":[],\"model\":\"theirs\",\"max_tokens\":9}" },
        { "{\"messages\":[],\"max_completion_tokens\":9,\"max_tokens\":8}", "{\"options\":{\"max_tokens\":\"max_tokens\"}}",
          false, false, "{\"messages\":[],\"model\":\"theirs\",\"max_tokens\":8}" },
        { "{\"messages\":[],\"stream_options\":null}", "{\"options\":{\"stream_usage\":false}}", true, false,
          "{\"model\":\"theirs\",\"messages\":[],\"stream\":true}" },
        { "{\"messages\":[],\"user\":\"me\",\"provider\":{\"a\":1}}",
          "{\"options\":{\"request\":{\"user\":null,\"provider\":{\"only\":[\"x\"]}}}}", false, false,
          "{\"messages\":[],\"model\":\"theirs\",\"provider\":{\"a\":1,\"only\":[\"x\"]}}" },
    };
    run(rows, ARRAY_SIZE(rows));
}

static void the_wish_for_reasoning_is_the_routes_to_say(void **state) {
    (void)state;
    static const struct row rows[] = {
        { "{}", NULL, false, true, "{\"model\":\"theirs\",\"reasoning_effort\":\"medium\"}" },
        { "{\"reasoning_effort\":\"high\"}", NULL, false, true,
          "{\"model\":\"theirs\",\"reasoning_effort\":\"high\"}" },
        { "{}", "{\"reasoning\":{\"thinking\":{\"type\":\"enabled\"}}}", false, true,
          "{\"model\":\"theirs\",\"thinking\":{\"type\":\"enabled\"}}" },
        { "{\"chat_template_kwargs\":{\"a\":1,\"b\":2}}",
          "{\"reasoning\":{\"chat_template_kwargs\":{\"b\":3,\"enable_thinking\":true},\"n\":1}}", false, true,
          "{\"model\":\"theirs\",\"n\":1,\"chat_template_kwargs\":{\"a\":1,\"b\":2,\"enable_thinking\":true}}" },
        { "{\"thinking\":false}", "{\"reasoning\":{\"thinking\":{\"type\":\"enabled\"}}}", false, true,
          "{\"model\":\"theirs\",\"thinking\":false}" },
        { "{}", "{\"reasoning\":false}", false, true, "{\"model\":\"theirs\"}" },
        { "{}", "{\"reasoning\":{\"thinking\":1}}", false, false, "{\"model\":\"theirs\"}" },
    };
    run(rows, ARRAY_SIZE(rows));
}

#define PARTS(parts)                                                                                                   \
    "{\"model\":\"theirs\",\"messages\":[{\"role\":\"system\",\"content\":\"s\"},{\"role\":\"user\",\"content\":"      \
    "[" parts "]}]}"
#define TEXT_PART "{\"type\":\"text\",\"text\":\"t\"}"
#define URL(type, url) "{\"type\":\"" type "\",\"" type "\":{\"url\":\"" url "\"}}"
#define SOUND(data, format)                                                                                            \
    "{\"type\":\"input_audio\",\"input_audio\":{\"data\":\"" data "\",\"format\":\"" format "\"}}"
#define FILE_OF(name, data) "{\"type\":\"file\",\"file\":{\"filename\":\"" name "\",\"file_data\":\"" data "\"}}"

static void parts_of_ours_become_openais(void **state) {
    (void)state;
    static const char same[] =
        PARTS(TEXT_PART "," URL("image_url", "https://e.com/a") "," URL("video_url", "https://e.com/b") "," SOUND(
            "QUJD", "wav") "," FILE_OF("a.pdf", "data:application/pdf;base64,QUJD") "," URL("audio_url",
                                                                                            "https://e.com/c"));
    static const struct row rows[] = {
        { same, NULL, false, false, same },
        { PARTS(TEXT_PART "," URL("audio_url", "data:audio/mpeg;base64,QUJD")), NULL, false, false,
          PARTS(TEXT_PART "," SOUND("QUJD", "mp3")) },
        { PARTS(URL("audio_url", "data:audio/wav;base64,QUJD")), NULL, false, false, PARTS(SOUND("QUJD", "wav")) },
        { PARTS(URL("audio_url", "data:audio/x-wav;base64,QUJD")), NULL, false, false, PARTS(SOUND("QUJD", "wav")) },
        { PARTS(URL("audio_url", "data:audio/mp4;codecs=a;base64,QUJD")), NULL, false, false,
          PARTS(SOUND("QUJD", "m4a")) },
        { PARTS(URL("audio_url", "data:audio/flac;base64,QUJD")), NULL, false, false, PARTS(SOUND("QUJD", "flac")) },
        { PARTS("{\"type\":\"audio_url\",\"audio_url\":\"data:audio/"
                "ogg;base64,QUJD\",\"cache_control\":{\"type\":\"e\"}}"),
          NULL, false, false,
          PARTS("{\"type\":\"input_audio\",\"input_audio\":{\"data\":\"QUJD\",\"format\":\"ogg\"},\"cache_control\":{"
                "\"type\":\"e\"}}") },
        { PARTS(URL("file_url", "data:application/pdf;base64,QUJD") "," TEXT_PART), NULL, false, false,
          PARTS(FILE_OF("file.pdf", "data:application/pdf;base64,QUJD") "," TEXT_PART) },
        { PARTS("{\"type\":\"file_url\",\"file_url\":{\"url\":\"data:text/plain;base64,QUJD\",\"filename\":\"a.md\"}}"),
          NULL, false, false, PARTS(FILE_OF("a.md", "data:text/plain;base64,QUJD")) },
        { PARTS(URL("file_url", "https://e.com/x/report.pdf?a=/b.c")), NULL, false, false,
          PARTS(FILE_OF("report.pdf", "https://e.com/x/report.pdf?a=/b.c")) },
        { PARTS("{\"type\":\"file_url\",\"file_url\":{\"file_id\":\"f1\"}}"), NULL, false, false,
          PARTS("{\"type\":\"file\",\"file\":{\"file_id\":\"f1\"}}") },
        { PARTS(URL("audio_url", "data:audio/mpeg;base64,QUJD") "," URL("file_url", "https://e.com/a.pdf")),
          "{\"options\":{\"parts\":\"native\"}}", false, false,
          PARTS(URL("audio_url", "data:audio/mpeg;base64,QUJD") "," URL("file_url", "https://e.com/a.pdf")) },
    };
    run(rows, ARRAY_SIZE(rows));
}

/* ---- whole replies ---- */

#define CHOICES                                                                                                        \
    "\"choices\":[{\"index\":0,\"message\":{\"role\":\"assistant\",\"content\":\"a\"},\"finish_reason\":\"stop\"}]"

#define HEADED "\"id\":\"c\",\"object\":\"completion\",\"created\":5,\"model\":\"m\","

static void completions_are_handed_on_as_they_are(void **state) {
    (void)state;
    static const struct {
        const char *reply, *completion;
        struct token_usage usage;
    } rows[] = {
        { "{ " HEADED CHOICES ",\"x\":1.50,\"usage\":{\"prompt_tokens\":3,\"completion_tokens\":2}}\n",
          "{ " HEADED CHOICES ",\"x\":1.50,\"usage\":{\"prompt_tokens\":3,\"completion_tokens\":2}}",
          { 3, 2, 0, 0, false } },
        { "{" HEADED CHOICES "}", "{" HEADED CHOICES "}", { 0, 0, 0, 0, true } },
        { "{" HEADED CHOICES ",\"usage\":null,\"error\":null}",
          "{" HEADED CHOICES ",\"usage\":null,\"error\":null}",
          { 0, 0, 0, 0, true } },
        { "{" HEADED CHOICES ",\"n\":123456789012345678901234567890}",
          "{" HEADED CHOICES ",\"n\":123456789012345678901234567890}",
          { 0, 0, 0, 0, true } },
        /* half of a character is no reason to lose the others; what is no UTF-8 nobody could read */
        { "{" HEADED CHOICES ",\"x\":\"\\ud83d\",\"usage\":{\"prompt_tokens\":3,\"completion_tokens\":2}}",
          "{" HEADED CHOICES ",\"x\":\"\\ud83d\",\"usage\":{\"prompt_tokens\":3,\"completion_tokens\":2}}",
          { 3, 2, 0, 0, false } },
        { "{" HEADED CHOICES ", \"x\":\"a\xFF\",\"usage\":{\"prompt_tokens\":3,\"completion_tokens\":2}}",
          "{" HEADED CHOICES ",\"x\":\"a\xEF\xBF\xBD\",\"usage\":{\"prompt_tokens\":3,\"completion_tokens\":2}}",
          { 3, 2, 0, 0, false } },
        { "{\"id\":null,\"object\":\"chat.completion\",\"created\":7,\"model\":\"m\"," CHOICES "}",
          "{\"id\":\"chatcmpl-1\",\"object\":\"chat.completion\",\"created\":7,\"model\":\"m\"," CHOICES "}",
          { 0, 0, 0, 0, true } },
        /* what its readers need is put in where it is lacking */
        { "{ " CHOICES "}", "{" CHOICES ",\"id\":\"chatcmpl-1\",\"object\":\"chat.completion\",\"created\":7,\"model\":\"m\"}",
          { 0, 0, 0, 0, true } },
        { "{\"object\":\"chat.completion\",\"id\":\"\",\"model\":\"\", " CHOICES "}",
          "{\"object\":\"chat.completion\",\"id\":\"\",\"model\":\"\"," CHOICES ",\"created\":7}", { 0, 0, 0, 0, true } },
    };
    const struct chat_call call = { .model = "m", .id = "chatcmpl-1", .created_s = 7 };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct buffer scoped(buffer_fini) completion;
        struct token_usage usage = { .input = 77 };
        struct chat_failure failure;
        buffer_init(&completion, 4096);
        assert_int_equal(
            openai_dialect.completion(&call, text_of(rows[i].reply), &completion, &usage, &failure), OK);
        assert_string_equal(completion.data, rows[i].completion);
        assert_int_equal(usage.input, rows[i].usage.input);
        assert_int_equal(usage.output, rows[i].usage.output);
        assert_int_equal(usage.estimated, rows[i].usage.estimated);
    }
}

static void replies_that_are_none_are_failures(void **state) {
    (void)state;
    static const struct {
        const char *reply, *expected;
    } rows[] = {
        { "", "service_error provider again //: The service ended its answer before it said anything." },
        { " \n", "service_error provider again //: The service ended its answer before it said anything." },
        { "{", "service_error provider again //: The service's answer cannot be read." },
        { "{}", "service_error provider again //: The service's answer has nothing in it." },
        { "[]", "service_error provider again //: The service's answer has nothing in it." },
        { "{\"choices\":[]}", "service_error provider again //: The service's answer has nothing in it." },
        { "{\"choices\":[],\"error\":{\"message\":\"m\",\"code\":\"content_filter\"}}",
          "content_policy_violation request final /content_filter/: m" },
        { "{" CHOICES ",\"error\":\"m\"}", "service_error provider again //: m" },
        { "{\"choices\":null,\"base_resp\":{\"status_code\":1004,\"status_msg\":\"m\"}}",
          "service_error key final /1004/: m" },
        { "{\"object\":\"chat.completion\"," CHOICES ",\"base_resp\":{\"status_code\":1027,\"status_msg\":\"m\"}}",
          "content_policy_violation request final /1027/: m" },
        { "{\"message\":\"m\",\"code\":503}", "service_unavailable provider again /503/: m" },
        { "<html><title>Login</title></html>", "service_error provider again //: Login" },
        { "upstream connect error", "service_error provider again //: upstream connect error" },
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct buffer scoped(buffer_fini) completion, scoped(buffer_fini) seen;
        struct token_usage usage = { .input = 77 };
        struct chat_failure failure;
        memset(&failure, 0x5A, sizeof(failure));
        buffer_init(&completion, 4096);
        buffer_init(&seen, 4096);
        assert_int_equal(
            openai_dialect.completion(&(struct chat_call){ 0 }, text_of(rows[i].reply), &completion, &usage, &failure),
            ERR_FETCH);
        trial_put_failure(&failure, &seen);
        assert_string_equal(seen.data, rows[i].expected);
        assert_int_equal(failure.http_status, 0);
        assert_int_equal(completion.len, 0);
        assert_int_equal(usage.input, 77);
    }
}

int test_openai(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(dialects_are_found_by_name),
        cmocka_unit_test(bodies_are_sent_on),
        cmocka_unit_test(the_wish_for_reasoning_is_the_routes_to_say),
        cmocka_unit_test(parts_of_ours_become_openais),
        cmocka_unit_test(completions_are_handed_on_as_they_are),
        cmocka_unit_test(replies_that_are_none_are_failures),
    };
    return cmocka_run_group_tests_name("openai", tests, NULL, NULL);
}
