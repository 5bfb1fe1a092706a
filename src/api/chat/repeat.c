/* Calls that ended before, asked for again under the same idempotency key: their answer as it is stored, whole or as a
 * stream of one chunk. */
#include <jansson.h>

#include "api/chat/chat.h"
#include "base/json.h"
#include "base/log.h"
#include "chat/dialect/chunk.h"
#include "chat/dialect/dialect.h"
#include "remote/read_json.h"

static void put_event(struct buffer *buf, const json_t *value) {
    buffer_put(buf, TEXT("data: "));
    json_render_to(buf, value);
    buffer_put(buf, TEXT("\n\n"));
}

static void put_usage_event(struct buffer *buf, const json_t *chunk, const struct token_usage *usage) {
    buffer_put(buf, TEXT("data: "));
    usage_put_chunk(buf, json_text_of(json_object_get(chunk, "id")), json_text_of(json_object_get(chunk, "model")),
                    json_integer_value(json_object_get(chunk, "created")), usage);
    buffer_put(buf, TEXT("\n\n"));
}

static enum err put_stream(struct buffer *buf, struct text completion, bool with_usage) {
    json_t *scoped(json_release) value = NULL;
    struct token_usage usage;
    enum err err = read_service_json(completion, &value, NULL);
    if (err != OK)
        return err;
    bool has_usage = usage_read(json_object_get(value, "usage"), &usage);
    chunk_of_completion(value);
    put_event(buf, value);
    if (with_usage && has_usage)
        put_usage_event(buf, value, &usage);
    buffer_put(buf, TEXT("data: [DONE]\n\n"));
    return OK;
}

static enum err put_answer(struct chat_work *work, struct buffer *body) {
    const struct call *call = call_of(work->exchange);
    struct arena arena;
    struct text completion;

    arena_init(&arena, TASK_ANSWER_MAX);
    enum err err =
        engine_repeat_call(call->api->engine, call->account.id, &work->key.visit.task, &arena, &completion);
    if (err == OK && work->wishes.stream)
        err = put_stream(body, completion, work->wishes.include_usage);
    else if (err == OK)
        buffer_put(body, completion);
    arena_fini(&arena);
    return err == OK && !buffer_ok(body) ? ERR_NO_MEMORY : err;
}

void chat_repeat(struct chat_work *work) {
    struct exchange *exchange = work->exchange;
    struct fault fault = { .err = OK };
    struct buffer body;

    buffer_init(&body, TASK_ANSWER_MAX);
    enum err err = put_answer(work, &body);
    if (err != OK) {
        buffer_fini(&body);
        fault_set(&fault, err, "The answer to the request with this Idempotency-Key cannot be read.");
        refuse(exchange, &fault);
        return;
    }
    log_event(LOG_INFO, "call repeated", LOG_S("request", exchange_request_id(exchange)),
              LOG_T("task", task_id_text(&work->key.visit.task)));
    reply_header(exchange, "X-Task-Id", work->key.visit.task.string);
    reply_is_repeated(exchange);
    if (work->wishes.stream) {
        reply_header(exchange, "Cache-Control", "no-cache");
        reply_take(exchange, 200, "text/event-stream", &body);
    } else {
        reply_json(exchange, &body);
    }
}
