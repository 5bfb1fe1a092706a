/* Completions that come whole, where that was asked for and where chunks were. */
#include <jansson.h>

#include "base/json.h"
#include "chat/collect.h"
#include "chat/dialect/chunk.h"
#include "chat/driver/talk.h"
#include "chat/tokens.h"
#include "net/fetch.h"
#include "remote/read_json.h"

#define DEPTH_MAX 64
#define COMPLETION_MAX (2 * CHAT_ANSWER_MAX)
#define USAGE_MAX 1024

/* ---- what was said, in tokens ---- */

/* An estimate, by what a stream of it would be. One that is too much to be collected counts by its bytes. */
static int64_t spoken_tokens(const json_t *value, struct text completion) {
    struct chat_collector *collector = chat_collector_new();
    json_t *chunk = json_deep_copy(value);
    chunk_of_completion(chunk);
    bool fits = chat_collector_add(collector, chunk);
    int64_t tokens = fits ? chat_collector_tokens(collector) : tokens_of_text(completion);
    json_decref(chunk);
    chat_collector_free(collector);
    return tokens;
}

/* ---- where it was asked for ---- */

/* Says in the completion itself what was counted here. */
static void put_estimate(struct talk *talk, struct buffer *completion) {
    json_t *scoped(json_release) value = NULL;
    json_t *scoped(json_release) usage_value = NULL;
    struct buffer scoped(buffer_fini) usage;
    buffer_init(&usage, USAGE_MAX);
    if (read_service_json(buffer_text(completion), &value, NULL) == OK) {
        talk->written = spoken_tokens(value, buffer_text(completion));
    }
    talk->usage = talk_usage(talk, false);
    usage_put(&usage, &talk->usage);
    if (value && json_read_object(buffer_text(&usage), DEPTH_MAX, &usage_value, NULL) == OK) {
        json_object_set(value, "usage", usage_value);
        buffer_clear(completion);
        json_render_to(completion, value);
    }
}

void whole_complete(struct talk *talk, const struct fetch_result *result) {
    struct buffer scoped(buffer_fini) completion;
    struct chat_failure failure = { .error = TASK_ERROR_SERVICE };
    buffer_init(&completion, COMPLETION_MAX);
    enum err err = talk->dialect->completion(&talk->asked, result->body, &completion, &talk->usage, &failure);
    if (err == ERR_FETCH) {
        talk_end_unanswered(talk, result->http_status, result->body, &failure);
        talk_fail(talk);
        return;
    }
    talk->usage_said = err == OK && !talk->usage.estimated;
    if (err == OK && !talk->usage_said) {
        put_estimate(talk, &completion);
    }
    if (err != OK || !buffer_ok(&completion)) {
        talk_end_overflow(talk);
        talk_fail(talk);
        return;
    }
    talk_succeed(talk, buffer_text(&completion), false);
}

/* ---- in the place of a stream ---- */

static enum err take_as_chunk(struct talk *talk, struct text completion) {
    json_t *value scoped(json_release) = NULL;
    struct buffer scoped(buffer_fini) chunk;
    buffer_init(&chunk, CHAT_CHUNK_MAX);
    if (read_service_json(completion, &value, NULL) != OK) {
        return ERR_FETCH;
    }
    chunk_of_completion(value);
    json_render_to(&chunk, value);
    if (!buffer_ok(&chunk)) {
        return ERR_TOO_LONG;
    }
    talk_take_chunk(talk, buffer_text(&chunk), value);
    return OK;
}

enum err whole_as_stream(struct talk *talk, struct chat_failure *failure) {
    struct text head = text_trim(buffer_text(&talk->head));
    struct chat_failure told = { .error = TASK_ERROR_SERVICE };
    struct buffer scoped(buffer_fini) completion;
    struct token_usage usage;
    buffer_init(&completion, COMPLETION_MAX);
    if (head.len == 0 || head.ptr[0] == '\0' || strchr("{[<", head.ptr[0]) == NULL) {
        return ERR_FETCH;
    }
    enum err err = talk->dialect->completion(&talk->asked, head, &completion, &usage, &told);
    if (err != OK) {
        *failure = err == ERR_FETCH ? told : *failure;
        return err;
    }
    if (!usage.estimated) {
        talk->usage = usage;
        talk->usage_said = true;
    }
    return take_as_chunk(talk, buffer_text(&completion));
}
