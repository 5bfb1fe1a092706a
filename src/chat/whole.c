/* Replies that come whole: completions, errors under HTTP 200, and answers of services that were asked to stream and do not. */
#include <jansson.h>

#include "base/json.h"
#include "chat/call.h"
#include "chat/chunk.h"
#include "net/fetch.h"

#define DEPTH_MAX 200
#define COMPLETION_MAX (2 * CHAT_ANSWER_MAX)
#define USAGE_MAX 1024

bool whole_is_plain(struct text bytes) {
    return text_starts(text_trim(bytes), TEXT("{"));
}

static bool names_error(struct text reply) {
    json_t *scoped(json_release) value = NULL;
    const json_t *error = json_read_object(reply, DEPTH_MAX, &value, NULL) == OK ? json_object_get(value, "error") : NULL;
    return error && !json_is_null(error);
}

/* A 2xx reply that is no answer. Where the service names an error nothing was made; else nobody can tell what it was. */
static void fail_unanswered(struct call *call, const struct fetch_result *result, struct text reply,
                            const struct chat_failure *failure) {
    bool certain = names_error(reply) || failure->scope == SCOPE_REQUEST;
    call->end = (struct call_end){ .failure = *failure, .fate = certain ? JOB_NOT_MADE : JOB_ENDED };
    call->end.failure.retryable = failure->retryable && certain;
    call_end_detail(call, result->http_status, "", reply);
    call_fail(call);
}

/* Says in the completion itself what was counted here. */
static void put_estimate(struct call *call, struct buffer *completion) {
    json_t *scoped(json_release) value = NULL;
    json_t *scoped(json_release) usage_value = NULL;
    struct buffer scoped(buffer_fini) usage;
    buffer_init(&usage, USAGE_MAX);
    if (json_read_object(buffer_text(completion), DEPTH_MAX, &value, NULL) == OK) {
        call->written = spoken_tokens(value);
    }
    call->usage = call_usage(call, false);
    usage_put(&usage, &call->usage);
    if (value && json_read_object(buffer_text(&usage), DEPTH_MAX, &usage_value, NULL) == OK) {
        json_object_set(value, "usage", usage_value);
        buffer_clear(completion);
        json_render_to(completion, value);
    }
}

/* The dialect's completion of a reply. False: the call has ended. */
static bool read_completion(struct call *call, const struct fetch_result *result, struct text reply,
                            struct buffer *completion) {
    struct chat_failure failure = { .error = TASK_ERROR_SERVICE };
    enum err err = call->dialect->completion(&call->asked, reply, completion, &call->usage, &failure);
    if (err != OK) {
        fail_unanswered(call, result, reply, &failure);
        return false;
    }
    call->usage_said = !call->usage.estimated;
    if (!buffer_ok(completion)) {
        call_end_overflow(call);
        call_fail(call);
        return false;
    }
    return true;
}

void whole_complete(struct call *call, const struct fetch_result *result) {
    struct buffer scoped(buffer_fini) completion;
    buffer_init(&completion, COMPLETION_MAX);
    if (!read_completion(call, result, result->body, &completion)) {
        return;
    }
    if (!call->usage_said) {
        put_estimate(call, &completion);
    }
    call_succeed(call, buffer_text(&completion), false);
}

/* ---- a whole answer where a stream was asked for ---- */

/* The completion becomes the one chunk that says it all. */
static void become_chunk(json_t *value) {
    size_t i;
    json_t *choice;
    json_object_set_new(value, "object", json_string("chat.completion.chunk"));
    json_object_del(value, "usage");
    json_array_foreach (json_object_get(value, "choices"), i, choice) {
        json_object_set(choice, "delta", json_object_get(choice, "message"));
        json_object_del(choice, "message");
        size_t k;
        json_t *tool;
        json_array_foreach (json_object_get(json_object_get(choice, "delta"), "tool_calls"), k, tool) {
            json_object_set_new(tool, "index", json_integer((json_int_t)k));
        }
    }
}

void whole_streamed(struct call *call, const struct fetch_result *result) {
    struct buffer scoped(buffer_fini) completion;
    struct buffer scoped(buffer_fini) chunk;
    json_t *scoped(json_release) value = NULL;
    buffer_init(&completion, COMPLETION_MAX);
    buffer_init(&chunk, COMPLETION_MAX);
    if (!read_completion(call, result, buffer_text(&call->head), &completion)) {
        return;
    }
    if (json_read_object(buffer_text(&completion), DEPTH_MAX, &value, NULL) == OK) {
        become_chunk(value);
        json_render_to(&chunk, value);
        call_take_chunk(call, buffer_text(&chunk), value);
    }
    if (call->failed) {
        call_fail(call);
    } else {
        call_complete_stream(call);
    }
}
