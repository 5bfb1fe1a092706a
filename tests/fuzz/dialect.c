/* What services of language models answer, in each dialect: a stream gives the same chunks wherever it is cut, each of
 * them JSON; what is collected of it is a completion; a whole reply becomes a completion or a failure in words; a refusal
 * becomes a failure.
 *
 *   the dialect, and perhaps: "whole", or "failure" and a status
 *   of a stream: where to cut it (fuzz.h); of a failure: a header
 *   the bytes */
#include "chat/dialect/dialect.h"

#include <jansson.h>
#include <stdlib.h>

#include "base/json.h"
#include "chat/collect.h"
#include "chat/dialect/chunk.h"
#include "fuzz.h"
#include "remote/read_json.h"

#define SEEN_MAX ((size_t)64 << 20)
#define DEPTH_MAX 80

static json_t *body;

static void release(void) {
    json_decref(body);
}

void fuzz_begin(void) {
    body = json_loads("{\"messages\":[{\"role\":\"user\",\"content\":\"hello\"}]}", 0, NULL);
    atexit(release);
}

void fuzz_seeds(void) {
    static const char *const streams[] = {
        "openai\nAB\ndata: {\"id\":\"c\",\"object\":\"chat.completion.chunk\",\"created\":1,\"model\":\"m\",\"choices\":"
        "[{\"index\":0,\"delta\":{\"role\":\"assistant\",\"content\":\"he\"},\"finish_reason\":null}]}\n\ndata: {\"choices\""
        ":[{\"index\":0,\"delta\":{\"tool_calls\":[{\"index\":0,\"id\":\"t\",\"type\":\"function\",\"function\":{\"name\":"
        "\"f\",\"arguments\":\"{\"}}]},\"finish_reason\":\"tool_calls\"}],\"usage\":{\"prompt_tokens\":5,"
        "\"completion_tokens\":2,\"total_tokens\":7}}\n\ndata: [DONE]\n\n",
        "openai\n@\ndata: {\"error\":{\"message\":\"no\",\"type\":\"server_error\",\"code\":\"x\"}}\n\n",
        "anthropic\nC\nevent: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"id\":\"m1\",\"model\":\"c\","
        "\"usage\":{\"input_tokens\":3,\"cache_read_input_tokens\":1,\"output_tokens\":1}}}\n\nevent: content_block_start\n"
        "data: {\"type\":\"content_block_start\",\"index\":0,\"content_block\":{\"type\":\"text\",\"text\":\"\"}}\n\ndata: "
        "{\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"text_delta\",\"text\":\"hi\"}}\n\ndata: "
        "{\"type\":\"content_block_start\",\"index\":1,\"content_block\":{\"type\":\"tool_use\",\"id\":\"t\",\"name\":\"f\","
        "\"input\":{}}}\n\ndata: {\"type\":\"content_block_delta\",\"index\":1,\"delta\":{\"type\":\"input_json_delta\","
        "\"partial_json\":\"{}\"}}\n\ndata: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"tool_use\"},\"usage\":"
        "{\"output_tokens\":9}}\n\ndata: {\"type\":\"message_stop\"}\n\n",
        "anthropic\n\nevent: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\",\"message\":\"x\"}}\n\n",
        "gemini\nD\ndata: {\"candidates\":[{\"content\":{\"role\":\"model\",\"parts\":[{\"text\":\"hi\"},{\"thought\":true,"
        "\"text\":\"hm\"},{\"functionCall\":{\"name\":\"f\",\"args\":{\"x\":1}},\"thoughtSignature\":\"s\"}]},"
        "\"finishReason\":\"STOP\",\"index\":0}],\"usageMetadata\":{\"promptTokenCount\":4,\"candidatesTokenCount\":2,"
        "\"thoughtsTokenCount\":1,\"totalTokenCount\":7},\"modelVersion\":\"g\",\"responseId\":\"r\"}\n\n",
        "gemini\n\ndata: {\"promptFeedback\":{\"blockReason\":\"SAFETY\"}}\n\n",
        "ollama\nE\n{\"model\":\"m\",\"created_at\":\"2026-01-01T00:00:00Z\",\"message\":{\"role\":\"assistant\","
        "\"content\":\"h\",\"thinking\":\"t\",\"tool_calls\":[{\"function\":{\"name\":\"f\",\"arguments\":{\"a\":1}}}]},"
        "\"done\":false}\n{\"message\":{\"content\":\"\"},\"done\":true,\"done_reason\":\"stop\",\"prompt_eval_count\":3,"
        "\"eval_count\":5}\n",
        "ollama\n\n{\"error\":\"model not found\"}\n",
        NULL,
    };
    static const char *const wholes[] = {
        "openai whole\n\n{\"id\":\"c\",\"object\":\"chat.completion\",\"created\":1,\"model\":\"m\",\"choices\":[{\"index\":0,"
        "\"message\":{\"role\":\"assistant\",\"content\":\"x\"},\"finish_reason\":\"stop\"}],\"usage\":{\"prompt_tokens\":5,"
        "\"completion_tokens\":2,\"total_tokens\":7,\"prompt_tokens_details\":{\"cached_tokens\":4}}}",
        "anthropic whole\n\n{\"id\":\"m\",\"type\":\"message\",\"role\":\"assistant\",\"model\":\"c\",\"content\":[{\"type\":"
        "\"thinking\",\"thinking\":\"t\"},{\"type\":\"text\",\"text\":\"x\"},{\"type\":\"tool_use\",\"id\":\"t\",\"name\":\"f\","
        "\"input\":{\"a\":1}}],\"stop_reason\":\"end_turn\",\"usage\":{\"input_tokens\":1,\"output_tokens\":2}}",
        "gemini whole\n\n{\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"x\"}]},\"finishReason\":\"MAX_TOKENS\"}],"
        "\"usageMetadata\":{\"promptTokenCount\":4,\"totalTokenCount\":9}}",
        "ollama whole\n\n{\"message\":{\"role\":\"assistant\",\"content\":\"x\"},\"done\":true,\"done_reason\":\"length\","
        "\"prompt_eval_count\":3,\"eval_count\":5}",
        NULL,
    };
    static const char *const failures[] = {
        "openai failure 429\nretry-after: 5\n{\"error\":{\"message\":\"slow down\",\"type\":\"requests\",\"param\":null,"
        "\"code\":\"insufficient_quota\"}}",
        "anthropic failure 529\nx-should-retry: true\n{\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\","
        "\"message\":\"Overloaded\"}}",
        "gemini failure 400\n\n[{\"error\":{\"code\":400,\"message\":\"API key not valid\",\"status\":\"INVALID_ARGUMENT\","
        "\"details\":[{\"@type\":\"type.googleapis.com/google.rpc.RetryInfo\",\"retryDelay\":\"6m30s\"}]}}]",
        "ollama failure 404\n\n{\"error\":\"model 'x' not found\"}",
        "openai failure 502\nretry-after-ms: 1500\n<html><head><title>502 Bad Gateway</title></head></html>",
        "openai failure 422\nx-ratelimit-reset-requests: 1m0s\n{\"detail\":[{\"msg\":\"bad\",\"loc\":[\"body\"]}]}",
        NULL,
    };
    fuzz_seed_list("stream", streams);
    fuzz_seed_list("whole", wholes);
    fuzz_seed_list("failure", failures);
}

/* ---- streams ---- */

struct seen {
    const struct chat_dialect *dialect;
    struct buffer words;
    struct chat_collector *collector;
    struct token_usage usage;
    unsigned chunks;
    bool full; /* a call ends there */
};

static void on_chunk(void *context, struct text json, const json_t *value) {
    struct seen *seen = context;
    json_t *same = NULL;
    struct fault fault;
    fuzz_hold(read_service_json(json, &same, &fault) == OK, "%s: %.*s", fault.message, TEXT_ARG(json));
    fuzz_hold(json_is_object(value) && json_equal(same, value));
    json_decref(same);
    seen->full = seen->full || !chat_collector_add(seen->collector, value);
    /* A service's own chunks may be more than is held; those that are made for it are not. */
    fuzz_hold(!seen->full || seen->dialect == chat_dialect_find(TEXT("openai")));
    seen->chunks++;
    buffer_put(&seen->words, json);
    buffer_put_char(&seen->words, '\n');
}

static void hold_usage(const struct token_usage *usage) {
    fuzz_hold(usage->input >= 0 && usage->output >= 0 && usage->cached >= 0 && usage->reasoning >= 0);
    fuzz_hold(usage->cached <= usage->input, "%lld of %lld", (long long)usage->cached, (long long)usage->input);
}

static void on_usage(void *context, const struct token_usage *usage) {
    struct seen *seen = context;
    hold_usage(usage);
    seen->usage = *usage;
    buffer_printf(&seen->words, "usage %lld %lld %lld %lld\n", (long long)usage->input, (long long)usage->output,
                  (long long)usage->cached, (long long)usage->reasoning);
}

static void hold_failure(const struct chat_failure *failure) {
    const char *const texts[] = { failure->message, failure->type, failure->code, failure->param };
    for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
        fuzz_hold(text_is_utf8(text_of(texts[i])), "\"%s\"", texts[i]);
        for (const char *c = texts[i]; *c != '\0'; c++) {
            fuzz_hold((unsigned char)*c >= ' ', "a control character");
        }
    }
    fuzz_hold(failure->error != TASK_ERROR_NONE);
    fuzz_hold(failure->delay_ms >= 0 && failure->delay_ms <= 86400000, "%lld", (long long)failure->delay_ms);
}

/* What comes behind the last word makes no difference, so that nobody need wait for it. */
static bool is_over(const struct chat_dialect *dialect, const struct chat_reader *reader) {
    return dialect->over != NULL && dialect->over(reader);
}

static void stream(const struct chat_dialect *dialect, const struct chat_call *call, struct text bytes,
                   struct fuzz_cuts cuts, struct seen *seen) {
    struct chat_failure failure = { .error = TASK_ERROR_NONE };
    const struct chat_sink sink = { .chunk = on_chunk, .usage = on_usage, .context = seen };
    struct chat_reader *reader = dialect->open(call, &sink);
    enum err err = OK;
    *seen = (struct seen){ .dialect = dialect, .collector = chat_collector_new() };
    buffer_init(&seen->words, SEEN_MAX);
    while (err == OK && bytes.len > 0 && !is_over(dialect, reader)) {
        struct text piece = fuzz_cut(&cuts, &bytes);
        char *copy = fuzz_copy(piece);
        err = dialect->feed(reader, (struct text){ copy, piece.len }, &failure);
        free(copy);
    }
    if (err == OK) {
        err = dialect->finish(reader, &failure);
    }
    dialect->close(reader);
    fuzz_hold(err == OK || err == ERR_FETCH || err == ERR_TOO_LONG, "%s", err_info(err)->name);
    if (err == ERR_FETCH) {
        hold_failure(&failure);
    }
    buffer_printf(&seen->words, "%s %s\n", err_info(err)->name, failure.message);
    fuzz_hold(buffer_ok(&seen->words));
}

/* Whatever was read until then can be shown as a whole. */
static void hold_collected(const struct seen *seen) {
    struct buffer completion;
    json_t *value = NULL;
    struct fault fault;
    buffer_init(&completion, CHAT_ANSWER_MAX);
    fuzz_hold(chat_collector_tokens(seen->collector) >= 0);
    chat_collector_put(seen->collector, &seen->usage, &completion);
    fuzz_hold(buffer_ok(&completion));
    fuzz_hold(json_read_object(buffer_text(&completion), DEPTH_MAX, &value, &fault) == OK, "%s: %.*s", fault.message,
              TEXT_ARG(buffer_text(&completion)));
    fuzz_hold(json_is_array(json_object_get(value, "choices")));
    json_decref(value);
    buffer_fini(&completion);
}

static void seen_fini(struct seen *seen) {
    buffer_fini(&seen->words);
    chat_collector_free(seen->collector);
}

static void read_stream(const struct chat_dialect *dialect, struct text sizes, struct text bytes) {
    const struct chat_call call = { .body = body, .model = "m", .stream = true, .id = "chatcmpl-1", .created_s = 5 };
    struct seen whole, cut;
    stream(dialect, &call, bytes, (struct fuzz_cuts){ TEXT_NONE, 0 }, &whole);
    stream(dialect, &call, bytes, (struct fuzz_cuts){ sizes.len > 0 ? sizes : TEXT("?"), 0 }, &cut);
    fuzz_hold(text_equal(buffer_text(&whole.words), buffer_text(&cut.words)), "\n%.*s\n%.*s",
              TEXT_ARG(buffer_text(&whole.words)), TEXT_ARG(buffer_text(&cut.words)));
    hold_collected(&whole);
    seen_fini(&cut);
    seen_fini(&whole);
}

/* ---- replies ---- */

static void read_whole(const struct chat_dialect *dialect, struct text bytes) {
    const struct chat_call call = { .body = body, .model = "m", .id = "chatcmpl-1", .created_s = 5 };
    struct buffer completion;
    struct token_usage usage = { .estimated = true };
    struct chat_failure failure = { .error = TASK_ERROR_NONE };
    json_t *value = NULL;
    struct fault fault;
    buffer_init(&completion, CHAT_ANSWER_MAX);
    enum err err = dialect->completion(&call, bytes, &completion, &usage, &failure);
    if (err == OK) {
        hold_usage(&usage);
        fuzz_hold(read_service_json(buffer_text(&completion), &value, &fault) == OK, "%s: %.*s", fault.message,
                  TEXT_ARG(buffer_text(&completion)));
        fuzz_hold(json_is_object(value));
        chunk_of_completion(value);
        fuzz_hold_round_trip(value);
        json_decref(value);
    } else {
        fuzz_hold(err == ERR_FETCH || err == ERR_TOO_LONG, "%s", err_info(err)->name);
        if (err == ERR_FETCH) {
            hold_failure(&failure);
        }
    }
    buffer_fini(&completion);
}

static void read_failure(const struct chat_dialect *dialect, struct text status, struct text headers, struct text bytes) {
    struct chat_failure failure = { .error = TASK_ERROR_NONE };
    int64_t number = 500;
    if (text_to_i64(status, &number) && number >= 100 && number <= 999) {
        dialect->failure((int)number, headers, bytes, &failure);
        hold_failure(&failure);
    }
}

void fuzz_one(struct text input) {
    struct text what = fuzz_line(&input), second = fuzz_line(&input);
    const struct chat_dialect *dialect = chat_dialect_find(text_cut(&what, ' '));
    if (dialect == NULL) {
        return;
    }
    char *headers = fuzz_copy(second), *bytes = fuzz_copy(input);
    struct text copy = { bytes, input.len };
    struct text word = text_cut(&what, ' ');
    if (text_equal(word, TEXT("whole"))) {
        read_whole(dialect, copy);
    } else if (text_equal(word, TEXT("failure"))) {
        read_failure(dialect, what, (struct text){ headers, second.len }, copy);
    } else {
        read_stream(dialect, second, copy);
    }
    free(bytes);
    free(headers);
}
