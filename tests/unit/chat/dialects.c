/* Requests, replies and streams of dialects, held against what is expected. */
#include "dialects.h"

#include <jansson.h>
#include <stdlib.h>

#include "base/json.h"
#include "base/memory.h"
#include "trial.h"

#define COMPLETION_MAX ((size_t)64 << 20)

static const struct chat_call base_call = { .model = "m", .stream = true, .id = "chatcmpl-1", .created_s = 7 };

static bool is_letter(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* A copy with ' turned into ", save for those within words. */
static char *quoted(const char *text) {
    char *copy = mem_string(text);
    for (char *c = copy; *c != '\0'; c++) {
        bool within = c > copy && is_letter(c[-1]) && is_letter(c[1]);
        if (*c == '\'' && !within) {
            *c = '"';
        }
    }
    return copy;
}

static json_t *value_of(const char *text) {
    struct fault fault = { 0 };
    json_t *value = NULL;
    char *json = quoted(text);
    if (json_read_any(text_of(json), 64, &value, &fault) != OK) {
        fail_msg("%s: %s", fault.message, json);
    }
    free(json);
    return value;
}

static void assert_same(const json_t *seen, const char *expected) {
    json_t *wanted = value_of(expected);
    if (!json_equal(seen, wanted)) {
        char *said = json_render(seen);
        print_error("seen     %s\nexpected %s\n", said, expected);
        free(said);
        fail();
    }
    json_decref(wanted);
}

/* ---- requests ---- */

static json_t *request_of(const struct chat_dialect *dialect, const struct chat_call *call, char **ret_path) {
    struct chat_request request = { 0 };
    struct fault fault = { 0 };
    json_t *value = NULL;
    if ((dialect->check && dialect->check(call, &fault) != OK) || dialect->request(call, &request, &fault) != OK) {
        fail_msg("%s: %s", fault.param, fault.message);
    }
    assert_int_equal(json_read_object(buffer_text(&request.body), 64, &value, NULL), OK);
    if (ret_path) {
        *ret_path = text_dup(buffer_text(&request.path));
    }
    chat_request_fini(&request);
    return value;
}

void trial_request(const struct chat_dialect *dialect, const char *model, const struct request_row *row) {
    json_t *body = value_of(row->body), *route = row->route ? value_of(row->route) : NULL;
    json_t *before = json_deep_copy(body);
    struct chat_call call = { .body = body, .model = model, .route = route, .stream = row->stream,
                              .reasoning = row->reasoning, .id = "chatcmpl-1" };
    json_t *request = request_of(dialect, &call, NULL);
    assert_same(request, row->expected);
    assert_true(json_equal(body, before)); /* it is the client's, and read by others */
    json_decref(request);
    json_decref(before);
    json_decref(body);
    json_decref(route);
}

void trial_messages(const struct chat_dialect *dialect, const char *model, const char *messages, const char *key,
                    const char *expected) {
    json_t *body = json_pack("{s:o}", "messages", value_of(messages));
    struct chat_call call = { .body = body, .model = model, .id = "chatcmpl-1" };
    json_t *request = request_of(dialect, &call, NULL);
    assert_same(json_object_get(request, key), expected);
    json_decref(request);
    json_decref(body);
}

static void assert_refused(enum err seen, const struct fault *fault, const char *body, enum err err, const char *param) {
    if (seen != err || fault->err != err || strcmp(fault->param, param) != 0 || *fault->message == '\0') {
        fail_msg("%s: %s at %s: %s", body, err_info(seen)->name, fault->param, fault->message);
    }
}

void trial_refused(const struct chat_dialect *dialect, const char *body_text, enum err err, const char *param) {
    json_t *body = value_of(body_text);
    struct chat_call call = { .body = body, .model = "m", .id = "chatcmpl-1" };
    struct chat_request request = { 0 };
    struct fault fault = { 0 }, asked = { 0 };
    assert_refused(dialect->request(&call, &request, &fault), &fault, body_text, err, param);
    assert_refused(dialect->check(&call, &asked), &asked, body_text, err, param);
    assert_string_equal(asked.message, fault.message);
    assert_null(request.body.data);
    assert_null(request.path.data);
    json_decref(body);
}

void trial_link_refused(const struct chat_dialect *dialect, const char *body_text, const char *param) {
    json_t *body = value_of(body_text);
    struct chat_call call = { .body = body, .model = "m", .id = "chatcmpl-1" };
    struct chat_request request = { 0 };
    struct fault fault = { 0 };
    assert_true(dialect->needs_inline_media);
    assert_int_equal(dialect->check(&call, &fault), OK);
    assert_refused(dialect->request(&call, &request, &fault), &fault, body_text, ERR_PART_TYPE, param);
    json_decref(body);
}

void trial_path(const struct chat_dialect *dialect, const char *model, bool stream, const char *expected) {
    json_t *body = value_of("{'messages':[{'role':'user','content':'x'}]}");
    struct chat_call call = { .body = body, .model = model, .stream = stream, .id = "chatcmpl-1" };
    char *path = NULL;
    json_decref(request_of(dialect, &call, &path));
    assert_string_equal(path, expected);
    free(path);
    json_decref(body);
}

/* ---- replies ---- */

void trial_completion(const struct chat_dialect *dialect, const char *reply_text, const char *expected,
                      const char *usage_text) {
    char *reply = quoted(reply_text), seen[128];
    struct chat_failure failure = { 0 };
    struct token_usage usage = { 0 };
    struct buffer completion;
    json_t *value = NULL;
    buffer_init(&completion, COMPLETION_MAX);
    if (dialect->completion(&base_call, text_of(reply), &completion, &usage, &failure) != OK) {
        fail_msg("%s: %s", failure.message, reply);
    }
    assert_int_equal(json_read_object(buffer_text(&completion), 64, &value, NULL), OK);
    assert_same(value, expected);
    snprintf(seen, sizeof seen, "%lld %lld %lld %lld", (long long)usage.input, (long long)usage.output,
             (long long)usage.cached, (long long)usage.reasoning);
    assert_string_equal(usage.estimated ? "estimated" : seen, usage_text);
    json_decref(value);
    buffer_fini(&completion);
    free(reply);
}

static void assert_failure(const struct chat_failure *failure, const char *expected) {
    struct buffer seen;
    char *wanted = quoted(expected);
    buffer_init(&seen, 4096);
    trial_put_failure(failure, &seen);
    assert_string_equal(seen.data, wanted);
    buffer_fini(&seen);
    free(wanted);
}

void trial_completion_fails(const struct chat_dialect *dialect, const char *reply_text, const char *expected) {
    char *reply = quoted(reply_text);
    struct chat_failure failure = { 0 };
    struct token_usage usage = { 0 };
    struct buffer completion;
    buffer_init(&completion, COMPLETION_MAX);
    assert_int_equal(dialect->completion(&base_call, text_of(reply), &completion, &usage, &failure), ERR_FETCH);
    assert_failure(&failure, expected);
    buffer_fini(&completion);
    free(reply);
}

void trial_failure(const struct chat_dialect *dialect, int http_status, const char *headers, const char *reply_text,
                   const char *expected) {
    char *reply = quoted(reply_text);
    struct chat_failure failure = { 0 };
    dialect->failure(http_status, text_of(headers), text_of(reply), &failure);
    assert_int_equal(failure.http_status, http_status);
    assert_failure(&failure, expected);
    free(reply);
}

/* ---- streams ---- */

static void no_chunk(void *context, struct text json, const json_t *value) {
    unsigned *count = context;
    assert_true(json.len > 0 && json_is_object(value));
    ++*count;
}

static void no_usage(void *context, const struct token_usage *usage) {
    (void)context;
    assert_true(usage->input >= 0 && usage->output >= 0);
}

/* The first `len` bytes, in memory of their own. Gives the number of chunks. */
static unsigned break_off(const struct chat_dialect *dialect, struct text bytes) {
    unsigned count = 0;
    struct chat_failure failure = { 0 };
    const struct chat_sink sink = { .chunk = no_chunk, .usage = no_usage, .context = &count };
    char *own = mem_new(bytes.len > 0 ? bytes.len : 1);
    memcpy(own, bytes.ptr, bytes.len);
    struct chat_reader *reader = dialect->open(&base_call, &sink);
    enum err err = dialect->feed(reader, (struct text){ own, bytes.len }, &failure);
    if (err == OK) {
        err = dialect->finish(reader, &failure);
    }
    dialect->close(reader);
    free(own);
    if (err != OK && (err != ERR_FETCH || *failure.message == '\0')) {
        fail_msg("%s %s after %zu bytes of %s", err_info(err)->name, failure.message, bytes.len, bytes.ptr);
    }
    return count;
}

void trial_answer(const struct chat_dialect *dialect, const char *stream_text, const char *expected_text) {
    char *stream = quoted(stream_text), *expected = quoted(expected_text);
    unsigned before = 0;
    trial_stream(dialect, &base_call, text_of(stream), expected);
    for (size_t len = 0; len <= strlen(stream); len++) {
        unsigned count = break_off(dialect, (struct text){ stream, len });
        assert_true(count >= before); /* what has come stays */
        before = count;
    }
    free(stream);
    free(expected);
}
