/* Streams of Anthropic's Messages API: named events, of which each says its name in its data too.
 *
 *   message_start ──> content_block_start, _delta…, _stop for each block ──> message_delta ──> message_stop
 *
 * Blocks may be open side by side: a delta belongs to the one whose index it has. message_delta has the stop_reason.
 * Events, blocks and deltas that are not known are read over, as the API asks: new ones appear. */
#include <jansson.h>
#include <stdlib.h>

#include "base/json.h"
#include "base/memory.h"
#include "chat/dialect/anthropic.h"
#include "chat/dialect/chunk.h"
#include "chat/dialect/lines.h"
#include "chat/dialect/request.h"
#include "remote/read_json.h"

#define OPEN_MAX 128 /* tool calls at a time; with one more, the first of them ends */

/* A tool call whose arguments come in pieces. */
struct open_call {
    int64_t block;   /* its index */
    unsigned number; /* among the tool calls */
    bool arguments;  /* some came */
};

struct chat_reader {
    const struct chat_sink *sink;
    struct event_reader events;
    struct chunk_maker chunks;
    struct anthropic_counts counts;
    struct chat_failure failure;
    unsigned calls; /* tool calls begun so far */
    struct open_call open[OPEN_MAX];
    unsigned open_count;
    bool stopped; /* a stop_reason was said */
    bool over;    /* message_stop: what follows is not read */
};

static enum err fail(struct chat_reader *reader, const char *words) {
    chat_failure_of_break(words, &reader->failure);
    return ERR_FETCH;
}

static void tell_usage(struct chat_reader *reader) {
    if (reader->counts.input_said || reader->counts.output_said) {
        struct token_usage usage = anthropic_counts_usage(&reader->counts);
        reader->sink->usage(reader->sink->context, &usage);
    }
}

/* ---- events ---- */

static void message_start(struct chat_reader *reader, const json_t *event) {
    const json_t *message = json_object_get(event, "message");
    chunk_maker_name(&reader->chunks, member_text(message, "id"), member_text(message, "model"));
    anthropic_counts_read(&reader->counts, json_object_get(message, "usage"));
    reader->counts.output_said = false; /* of an output that is still to come */
    tell_usage(reader);
}

/* The tool call that is open in the event's block; NULL: none is. */
static struct open_call *find_call(struct chat_reader *reader, const json_t *event) {
    int64_t block = member_count(event, "index");
    for (unsigned i = 0; i < reader->open_count; i++) {
        if (reader->open[i].block == block) {
            return &reader->open[i];
        }
    }
    return NULL;
}

/* The end of a tool call, if there is one: without any piece, it has no arguments. */
static void end_call(struct chat_reader *reader, struct open_call *call) {
    if (call == NULL) {
        return;
    }
    if (!call->arguments) {
        chunk_tool_arguments(&reader->chunks, 0, call->number, TEXT("{}"));
    }
    reader->open_count--;
    memmove(call, call + 1, (size_t)(reader->open + reader->open_count - call) * sizeof *call);
}

/* Arguments that are there at the beginning are all of them. */
static void begin_call(struct chat_reader *reader, const json_t *event, const json_t *block) {
    const json_t *input = json_object_get(block, "input");
    bool whole = json_object_size(input) > 0;
    char *arguments = whole ? json_render(input) : NULL;
    unsigned number = reader->calls++;
    chunk_tool_begin(&reader->chunks, 0, number, member_text(block, "id"), member_text(block, "name"), text_of(arguments));
    free(arguments);
    if (!whole && reader->open_count == OPEN_MAX) {
        end_call(reader, reader->open);
    }
    if (!whole) {
        reader->open[reader->open_count++] = (struct open_call){ member_count(event, "index"), number, false };
    }
}

static void block_start(struct chat_reader *reader, const json_t *event) {
    const json_t *block = json_object_get(event, "content_block");
    struct text type = member_text(block, "type");
    end_call(reader, find_call(reader, event)); /* some number no blocks, and some end none */
    if (text_equal(type, TEXT("text"))) {
        chunk_content(&reader->chunks, 0, member_text(block, "text"));
    } else if (text_equal(type, TEXT("thinking"))) {
        chunk_reasoning(&reader->chunks, 0, member_text(block, "thinking"));
    } else if (text_equal(type, TEXT("tool_use"))) {
        begin_call(reader, event, block);
    }
}

static void block_delta(struct chat_reader *reader, const json_t *event) {
    const json_t *delta = json_object_get(event, "delta");
    struct text type = member_text(delta, "type"), json = member_text(delta, "partial_json");
    struct open_call *call = find_call(reader, event);
    if (text_equal(type, TEXT("text_delta"))) {
        chunk_content(&reader->chunks, 0, member_text(delta, "text"));
    } else if (text_equal(type, TEXT("thinking_delta"))) {
        chunk_reasoning(&reader->chunks, 0, member_text(delta, "thinking"));
    } else if (text_equal(type, TEXT("input_json_delta")) && json.len > 0 && call != NULL) {
        call->arguments = true;
        chunk_tool_arguments(&reader->chunks, 0, call->number, json);
    }
}

static void block_stop(struct chat_reader *reader, const json_t *event) {
    end_call(reader, find_call(reader, event));
}

/* `delta` has the stop_reason, or none (then the message was over without one). */
static void end_answer(struct chat_reader *reader, const json_t *delta) {
    struct text finish = anthropic_finish(member_text(delta, "stop_reason"));
    while (reader->open_count > 0) {
        end_call(reader, reader->open);
    }
    if (text_equal(finish, TEXT("content_filter"))) {
        chunk_refusal(&reader->chunks, 0, anthropic_refusal(delta));
    }
    bool calls = reader->calls > 0 && text_equal(finish, TEXT("stop"));
    chunk_finish(&reader->chunks, 0, calls ? TEXT("tool_calls") : finish);
    reader->stopped = true;
}

static void message_delta(struct chat_reader *reader, const json_t *event) {
    const json_t *delta = json_object_get(event, "delta");
    anthropic_counts_read(&reader->counts, json_object_get(event, "usage"));
    tell_usage(reader);
    if (member_text(delta, "stop_reason").len > 0 && !reader->stopped) {
        end_answer(reader, delta);
    }
}

static void message_stop(struct chat_reader *reader, const json_t *event) {
    if (!reader->stopped) {
        end_answer(reader, json_object_get(event, "delta"));
    }
    reader->over = true;
}

static enum err take_event(void *context, struct text name, struct text data) {
    static const struct {
        struct text type;
        void (*take)(struct chat_reader *reader, const json_t *event);
    } rows[] = {
        { TEXT("message_start"), message_start },     { TEXT("content_block_start"), block_start },
        { TEXT("content_block_delta"), block_delta }, { TEXT("content_block_stop"), block_stop },
        { TEXT("message_delta"), message_delta },     { TEXT("message_stop"), message_stop },
    };
    struct chat_reader *reader = context;
    json_t *event scoped(json_release) = NULL;
    data = text_trim(data);
    if (reader->over || data.len == 0 || text_equal(data, TEXT("[DONE]"))) {
        return OK;
    }
    if (read_service_json(data, &event, NULL) != OK) {
        return fail(reader, "The service sent an event that is no JSON.");
    }
    if (chat_failure_told(event) || text_equal(name, TEXT("error"))) {
        chat_failure_of_value(event, &reader->failure);
        return ERR_FETCH;
    }
    struct text type = member_text(event, "type");
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        if (text_equal(type.len > 0 ? type : name, rows[i].type)) {
            rows[i].take(reader, event);
            break;
        }
    }
    return OK;
}

/* ---- the reader ---- */

struct chat_reader *anthropic_open(const struct chat_call *call, const struct chat_sink *sink) {
    struct chat_reader *reader = mem_new(sizeof *reader);
    reader->sink = sink;
    event_reader_init(&reader->events, take_event, reader);
    chunk_maker_init(&reader->chunks, call, sink);
    return reader;
}

enum err anthropic_feed(struct chat_reader *reader, struct text bytes, struct chat_failure *ret_failure) {
    enum err err = event_reader_feed(&reader->events, bytes);
    if (err == ERR_FETCH) {
        *ret_failure = reader->failure;
    }
    return err;
}

bool anthropic_over(const struct chat_reader *reader) {
    return reader->over;
}

/* A message_stop that was cut off takes nothing from an answer that has its stop_reason. */
enum err anthropic_end(struct chat_reader *reader, struct chat_failure *ret_failure) {
    enum err err = event_reader_finish(&reader->events);
    if (reader->stopped) {
        return OK;
    }
    if (err == OK) {
        err = fail(reader, "The service's answer broke off.");
    }
    if (err == ERR_FETCH) {
        *ret_failure = reader->failure;
    }
    return err;
}

void anthropic_close(struct chat_reader *reader) {
    if (reader == NULL) {
        return;
    }
    event_reader_fini(&reader->events);
    free(reader);
}
