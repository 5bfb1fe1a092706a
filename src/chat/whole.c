/* Completions that come whole. */
#include <jansson.h>

#include "base/json.h"
#include "chat/call.h"
#include "chat/chunk.h"
#include "net/fetch.h"
#include "remote/read_json.h"

#define DEPTH_MAX 64
#define COMPLETION_MAX (2 * CHAT_ANSWER_MAX)
#define USAGE_MAX 1024

/* Says in the completion itself what was counted here. */
static void put_estimate(struct call *call, struct buffer *completion) {
    json_t *scoped(json_release) value = NULL;
    json_t *scoped(json_release) usage_value = NULL;
    struct buffer scoped(buffer_fini) usage;
    buffer_init(&usage, USAGE_MAX);
    if (read_service_json(buffer_text(completion), &value, NULL) == OK) {
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

void whole_complete(struct call *call, const struct fetch_result *result) {
    struct buffer scoped(buffer_fini) completion;
    struct chat_failure failure = { .error = TASK_ERROR_SERVICE };
    buffer_init(&completion, COMPLETION_MAX);
    enum err err = call->dialect->completion(&call->asked, result->body, &completion, &call->usage, &failure);
    if (err == ERR_FETCH) {
        call_end_unanswered(call, result->http_status, result->body, &failure);
        call_fail(call);
        return;
    }
    call->usage_said = err == OK && !call->usage.estimated;
    if (err == OK && !call->usage_said) {
        put_estimate(call, &completion);
    }
    if (err != OK || !buffer_ok(&completion)) {
        call_end_overflow(call);
        call_fail(call);
        return;
    }
    call_succeed(call, buffer_text(&completion), false);
}
