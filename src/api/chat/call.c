/* Calls: the client gets the answer itself, whole or in chunks as OpenAI's API streams them.
 *
 *   suspended ── first chunk, or the end ──> JSON (whole, or failed before anything was said)
 *                                       └──> text/event-stream: chunks ── [DONE], or an error event
 *
 * A client that goes away is seen by the HTTP server, and the engine cuts its service off. */
#include <jansson.h>
#include <stdlib.h>

#include "api/chat/chat.h"
#include "api/task/submission.h"
#include "base/json.h"
#include "base/log.h"
#include "chat/dialect/chunk.h"
#include "remote/read_json.h"

#define HEARTBEAT_MS 15000

static struct chat_work *work_of(struct exchange *exchange) {
    return call_of(exchange)->work;
}

/* ---- a client that goes away ---- */

static void tell_engine(struct exchange *exchange, const struct chat_work *work) {
    const struct call *call = call_of(exchange);
    engine_call_gone(call->api->engine, call->account.id, &work->submission.answer.id);
}

/* Listener's thread; perhaps before the call has an id. */
static void client_gone(struct exchange *exchange) {
    struct chat_work *work = work_of(exchange);
    atomic_store(&work->gone, true);
    if (atomic_load(&work->known))
        tell_engine(exchange, work);
}

/* ---- whole ---- */

static void fail(struct exchange *exchange, const struct chat_failure *failure) {
    struct buffer body;
    char seconds[24];

    buffer_init(&body, 4096);
    chat_put_failure(&body, failure);
    int status = chat_failure_status(failure);
    if (status == 429 || status == 503) {
        int64_t delay_s = failure->delay_ms > 0 ? (failure->delay_ms + 999) / 1000 : 1;
        snprintf(seconds, sizeof seconds, "%lld", (long long)delay_s);
        reply_header(exchange, "Retry-After", seconds);
    }
    reply_take(exchange, status, "application/json", &body);
}

static void answer_whole(struct exchange *exchange) {
    struct chat_work *work = work_of(exchange);
    struct text completion = chat_stream_completion(work->stream);
    struct buffer body;

    buffer_init(&body, completion.len + 1);
    buffer_put(&body, completion);
    reply_json(exchange, &body);
}

/* ---- in chunks ---- */

static void put_chunk(struct buffer *buf, uint64_t number, struct text json) {
    (void)number;
    buffer_put(buf, TEXT("data: "));
    buffer_put(buf, json);
    buffer_put(buf, TEXT("\n\n"));
}

/* What the chunk of the usage has in common with the others. */
static void put_usage(struct buffer *buf, struct chat_work *work) {
    const struct token_usage *usage = chat_stream_usage(work->stream);
    json_t *scoped(json_release) chunk = NULL;

    if (usage == NULL || work->head.len <= 8)
        return;
    const struct text first = { work->head.data + 6, work->head.len - 8 }; /* without "data: " and LF LF */
    if (read_service_json(first, &chunk, NULL) != OK)
        return;
    buffer_put(buf, TEXT("data: "));
    usage_put_chunk(buf, text_of(json_string_value(json_object_get(chunk, "id"))),
                    text_of(json_string_value(json_object_get(chunk, "model"))),
                    json_integer_value(json_object_get(chunk, "created")), usage);
    buffer_put(buf, TEXT("\n\n"));
}

static enum stream_pull end_well(struct buffer *buf, struct chat_work *work) {
    if (work->wishes.include_usage)
        put_usage(buf, work);
    buffer_put(buf, TEXT("data: [DONE]\n\n"));
    return STREAM_END;
}

static enum stream_pull end_badly(struct buffer *buf, const struct chat_work *work) {
    buffer_put(buf, TEXT("data: "));
    chat_put_failure(buf, chat_stream_failure(work->stream));
    buffer_put(buf, TEXT("\n\n"));
    return STREAM_END;
}

static enum stream_pull pull(struct exchange *exchange, struct buffer *buf, size_t room) {
    struct chat_work *work = work_of(exchange);
    if (!work->streaming) {
        work->streaming = true;
        buffer_put(buf, buffer_text(&work->head));
        if (!work->wishes.include_usage)
            buffer_fini(&work->head);
    }
    switch (chat_cursor_read(&work->cursor, buf, room, put_chunk)) {
    case CHAT_READ_MORE:
        return STREAM_MORE;
    case CHAT_READ_WAIT:
        return STREAM_WAIT;
    case CHAT_READ_DONE:
        return end_well(buf, work);
    case CHAT_READ_FAILED:
        break;
    }
    return end_badly(buf, work);
}

static void ended(struct exchange *exchange, bool whole) {
    struct chat_work *work = work_of(exchange);
    chat_stop_reading(work); /* from here on nothing wakes the exchange */
    if (!whole)
        tell_engine(exchange, work);
}

/* ---- how it begins ---- */

/* Writer's side of the stream. Before the reply has begun the exchange is suspended, afterwards it streams. */
static void woken(struct chat_cursor *cursor) {
    struct chat_work *work = container_of(cursor, struct chat_work, cursor);
    if (work->streaming)
        http_stream_wake(work->exchange);
    else
        http_resume(work->exchange);
}

/* HTTP thread: the first chunk is there, or the end. */
static void begin_reply(struct exchange *exchange) {
    static const struct stream_source source = {
        .pull = pull, .ended = ended, .heartbeat = { ": heartbeat\n\n", 13 }, .heartbeat_ms = HEARTBEAT_MS
    };
    struct chat_work *work = work_of(exchange);
    if (work->err != OK) {
        refuse_submission(exchange, &work->submission, work->err);
        return;
    }
    reply_header(exchange, "X-Task-Id", work->submission.answer.id.string);
    bool silent = chat_stream_count(work->stream) == 0;
    if (silent && chat_stream_state(work->stream) == CHAT_FAILED) {
        fail(exchange, chat_stream_failure(work->stream));
    } else if (!work->wishes.stream) {
        answer_whole(exchange);
    } else {
        if (work->head.len == 0)
            (void)!chat_cursor_read(&work->cursor, &work->head, 1, put_chunk);
        reply_stream(exchange, 200, "text/event-stream", &source);
    }
}

/* True when there is nothing to wait for. */
static bool has_begun(struct chat_work *work) {
    struct buffer nothing;
    if (work->wishes.stream)
        return chat_cursor_read(&work->cursor, &work->head, 1, put_chunk) != CHAT_READ_WAIT;
    buffer_init(&nothing, 1);
    enum chat_read read = chat_cursor_read(&work->cursor, &nothing, 1, put_chunk);
    buffer_fini(&nothing);
    return read != CHAT_READ_WAIT;
}

/* The exchange is suspended. */
static void read_from(struct chat_work *work, struct chat_stream *stream) {
    work->stream = stream;
    chat_cursor_open(&work->cursor, stream, 0, woken);
    work->reading = true;
    if (has_begun(work))
        http_resume(work->exchange);
}

void chat_call(struct chat_work *work) {
    struct exchange *exchange = work->exchange;
    const struct call *call = call_of(exchange);
    struct chat_stream *stream = NULL;

    exchange_watch(exchange, client_gone);
    exchange_suspend(exchange, begin_reply);
    work->err = engine_call(call->api->engine, &work->submission, &stream);
    work->request = work->submission.input; /* NULL: it is the engine's now */
    if (work->err != OK) {
        http_resume(exchange);
        return;
    }
    atomic_store(&work->known, true);
    if (atomic_load(&work->gone))
        tell_engine(exchange, work);
    log_event(LOG_DEBUG, "call begins", LOG_S("request", exchange_request_id(exchange)),
              LOG_T("task", task_id_text(&work->submission.answer.id)));
    read_from(work, stream);
}

void chat_join(struct chat_work *work) {
    struct idempotency_visit *visit = &work->key.visit;
    work->submission.answer.id = visit->task;
    reply_is_repeated(work->exchange);
    exchange_suspend(work->exchange, begin_reply);
    read_from(work, visit->stream); /* with its reference */
}
