/* GET /v1/llm/generations/{task_id}/stream: the answer of a language model's task, in the making or for a while
 * after its end, from any chunk on.
 *
 * Each event's id is the number of chunks that a reader has had with it, so that Last-Event-ID and offset mean the
 * same. */
#include <stdlib.h>

#include "api/chat/chat.h"
#include "base/json.h"
#include "base/memory.h"

#define HEARTBEAT_MS 15000

struct reading {
    struct exchange *exchange;
    struct engine *engine;
    int64_t account;
    struct chat_stream *stream;
    struct chat_cursor cursor;
    bool open; /* the cursor */
};

static void stop_reading(struct reading *reading) {
    if (reading->open)
        chat_cursor_close(&reading->cursor);
    reading->open = false;
}

static void release_reading(void *pointer) {
    struct reading *reading = pointer;
    stop_reading(reading);
    chat_stream_unref(reading->stream);
    engine_reader_end(reading->engine, reading->account);
    free(reading);
}

static struct reading *reading_of(struct exchange *exchange) {
    return call_of(exchange)->work;
}

/* ---- events ---- */

static void put_event(struct buffer *buf, const char *name, uint64_t id, struct text data) {
    buffer_put(buf, TEXT("id: "));
    buffer_put_i64(buf, (int64_t)id);
    buffer_put(buf, TEXT("\nevent: "));
    buffer_put(buf, text_of(name));
    buffer_put(buf, TEXT("\ndata: "));
    buffer_put(buf, data);
    buffer_put(buf, TEXT("\n\n"));
}

static void put_chunk(struct buffer *buf, uint64_t number, struct text json) {
    put_event(buf, "chunk", number + 1, json);
}

static void put_done(struct buffer *buf, uint64_t total) {
    char data[48];
    int length = snprintf(data, sizeof data, "{\"total_chunks\":%llu}", (unsigned long long)total);
    put_event(buf, "done", total, (struct text){ data, (size_t)length });
}

static void put_error(struct buffer *buf, uint64_t total, const struct chat_failure *failure) {
    struct buffer data;
    struct json_writer json;

    buffer_init(&data, 4096);
    json_begin(&json, &data);
    json_object_begin(&json);
    json_key(&json, "message");
    json_text(&json, text_of(failure->message[0] != '\0' ? failure->message : task_error_message(failure->error)));
    json_key(&json, "code");
    json_string_or_null(&json, task_error_code(failure->error));
    json_object_end(&json);
    put_event(buf, "error", total, buffer_text(&data));
    buffer_fini(&data);
}

static enum stream_pull pull(struct exchange *exchange, struct buffer *buf, size_t room) {
    struct reading *reading = reading_of(exchange);
    switch (chat_cursor_read(&reading->cursor, buf, room, put_chunk)) {
    case CHAT_READ_MORE:
        return STREAM_MORE;
    case CHAT_READ_WAIT:
        return STREAM_WAIT;
    case CHAT_READ_DONE:
        put_done(buf, chat_stream_count(reading->stream));
        break;
    case CHAT_READ_FAILED:
        put_error(buf, chat_stream_count(reading->stream), chat_stream_failure(reading->stream));
        break;
    }
    return STREAM_END;
}

static void ended(struct exchange *exchange, bool whole) {
    (void)whole;
    stop_reading(reading_of(exchange));
}

static void woken(struct chat_cursor *cursor) {
    const struct reading *reading = container_of(cursor, struct reading, cursor);
    http_stream_wake(reading->exchange);
}

/* ---- the request ---- */

/* The header goes before the query: a browser that resumes sends it with the URL that it began with. */
static enum err read_offset(struct exchange *exchange, int64_t *ret, struct fault *fault) {
    struct text value = exchange_header(exchange, HEADER_LAST_EVENT_ID);
    const char *name = "Last-Event-ID";
    int64_t offset = 0;

    if (value.len == 0 && exchange_query(exchange, TEXT("offset"), &value))
        name = "offset";
    if (value.ptr != NULL && value.len > 0 && (!text_to_i64(value, &offset) || offset < 0))
        return fault_set_param(fault, ERR_INVALID_PARAM, name,
                               "%s must be the number of chunks already received, 0 or more.", name);
    *ret = offset;
    return OK;
}

static enum err explain(enum err err, struct fault *fault) {
    switch (err) {
    case OK:
        return OK;
    case ERR_TASK_NOT_FOUND:
        return fault_set(fault, err, "There is no task with this id.");
    case ERR_STREAM_NOT_FOUND:
        return fault_set(fault, err, "This task was not submitted with stream: true; query it instead.");
    case ERR_STREAM_EXPIRED:
        return fault_set(fault, err, "The chunks of this answer are no longer kept; query the task for the whole.");
    case ERR_TOO_MANY_STREAMS:
        return fault_set(fault, err, "The account reads as many streams as it may at a time; try again.");
    default:
        return fault_set(fault, err, "The stream cannot be read.");
    }
}

static enum err open_stream(struct exchange *exchange, struct reading **ret, struct fault *fault) {
    struct call *call = call_of(exchange);
    const struct group_config *group = config_group(call->setup->config, text_of(call->account.group));
    struct chat_stream *stream;
    struct task_id id;

    if (!task_id_parse(exchange_segment(exchange, TEXT("task_id")), &id))
        return fault_set_param(fault, ERR_INVALID_TASK_ID, "task_id", "This is not a task id.");
    enum err err = engine_reader_begin(call->api->engine, call->account.id, group->streams);
    if (err != OK)
        return explain(err, fault);
    err = engine_stream(call->api->engine, call->account.id, &id, &stream);
    if (err != OK) {
        engine_reader_end(call->api->engine, call->account.id);
        return explain(err, fault);
    }
    struct reading *reading = mem_new(sizeof *reading);
    reading->exchange = exchange;
    reading->engine = call->api->engine;
    reading->account = call->account.id;
    reading->stream = stream;
    call->work = reading;
    call->release_work = release_reading;
    *ret = reading;
    return OK;
}

void handle_llm_stream(struct exchange *exchange) {
    static const struct stream_source source = {
        .pull = pull, .ended = ended, .heartbeat = { ": heartbeat\n\n", 13 }, .heartbeat_ms = HEARTBEAT_MS
    };
    struct fault fault = { .err = OK };
    struct reading *reading = NULL;
    int64_t offset = 0;

    enum err err = read_offset(exchange, &offset, &fault);
    if (err == OK)
        err = open_stream(exchange, &reading, &fault);
    if (err != OK) {
        refuse(exchange, &fault);
        return;
    }
    chat_cursor_open(&reading->cursor, reading->stream, (uint64_t)offset, woken);
    reading->open = true;
    reply_stream(exchange, 200, "text/event-stream", &source);
}
