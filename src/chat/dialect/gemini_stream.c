/* Streams of Google's generateContent: each event is a piece of a reply, in the form of a whole one. There is no last
 * word: the answer is over when the connection is, and whole when each candidate that began has its finishReason.
 *
 * Without alt=sse, or where a proxy dropped it, the same pieces come as one JSON array, as does an error. */
#include <jansson.h>
#include <stdlib.h>

#include "base/json.h"
#include "base/memory.h"
#include "chat/dialect/choice.h"
#include "chat/dialect/chunk.h"
#include "chat/dialect/gemini.h"
#include "chat/dialect/lines.h"
#include "chat/dialect/objects.h"
#include "chat/dialect/request.h"
#include "remote/read_json.h"

struct candidate {
    bool begun, finished;
    bool spoke; /* has content or calls */
    unsigned calls;
};

enum form { FORM_UNKNOWN, FORM_EVENTS, FORM_OBJECTS };

struct chat_reader {
    const struct chat_call *call;
    const struct chat_sink *sink;
    enum form form; /* told by the first byte */
    struct event_reader events;
    struct object_reader objects;
    struct chunk_maker chunks;
    struct gemini_counts counts;
    struct candidate candidates[GEMINI_CANDIDATES_MAX];
    struct chat_failure failure;
};

static enum err fail(struct chat_reader *reader, const char *words) {
    chat_failure_of_break(words, &reader->failure);
    return ERR_FETCH;
}

/* ---- pieces ---- */

static void take_call(struct chat_reader *reader, unsigned index, const json_t *part) {
    struct candidate *candidate = &reader->candidates[index];
    const json_t *function = json_object_get(part, "functionCall");
    struct text id = member_text(function, "id");
    json_t *extra scoped(json_release) = gemini_extra(part);
    struct buffer made scoped(buffer_fini);
    buffer_init(&made, 256);
    if (id.len == 0) {
        choice_tool_id(&made, reader->call, index, candidate->calls);
        id = buffer_text(&made);
    }
    char *arguments =
        json_is_object(json_object_get(function, "args")) ? json_render(json_object_get(function, "args")) : NULL;
    chunk_tool_begin_extra(&reader->chunks, index, candidate->calls++, id, member_text(function, "name"),
                           arguments != NULL ? text_of(arguments) : TEXT("{}"), extra);
    free(arguments);
}

static void take_part(struct chat_reader *reader, unsigned index, const json_t *part) {
    struct candidate *candidate = &reader->candidates[index];
    struct text words = member_text(part, "text");
    if (json_is_object(json_object_get(part, "functionCall"))) {
        candidate->spoke = true;
        take_call(reader, index, part);
    } else if (json_is_true(json_object_get(part, "thought"))) {
        chunk_reasoning(&reader->chunks, index, words);
    } else if (words.len > 0) {
        candidate->spoke = true;
        chunk_content(&reader->chunks, index, words);
    }
}

/* An answer that ended oddly and is empty is a failure, if it is the only one. */
static enum err take_finish(struct chat_reader *reader, unsigned index, const json_t *value) {
    struct candidate *candidate = &reader->candidates[index];
    bool odd;
    struct text finish = gemini_finish(member_text(value, "finishReason"), &odd);
    if (odd && !candidate->spoke && member_count(reader->call->body, "n") <= 1) {
        gemini_failure_odd(value, &reader->failure);
        return ERR_FETCH;
    }
    candidate->finished = true;
    chunk_finish(&reader->chunks, index,
                 candidate->calls > 0 && text_equal(finish, TEXT("stop")) ? TEXT("tool_calls") : finish);
    return OK;
}

static enum err take_candidate(struct chat_reader *reader, const json_t *value) {
    const json_t *parts = json_object_get(json_object_get(value, "content"), "parts");
    int64_t index = member_count(value, "index");
    if (index >= GEMINI_CANDIDATES_MAX || reader->candidates[index].finished) {
        return OK;
    }
    reader->candidates[index].begun = true;
    for (size_t i = 0; i < json_array_size(parts); i++) {
        take_part(reader, (unsigned)index, json_array_get(parts, i));
    }
    return member_text(value, "finishReason").len > 0 ? take_finish(reader, (unsigned)index, value) : OK;
}

static enum err take_piece(void *context, struct text text) {
    struct chat_reader *reader = context;
    json_t *piece scoped(json_release) = NULL;
    text = text_trim(text);
    if (text.len == 0 || text_equal(text, TEXT("[DONE]"))) {
        return OK;
    }
    if (read_service_json(text, &piece, NULL) != OK) {
        return fail(reader, "The service sent a piece of an answer that is no JSON.");
    }
    const json_t *value = json_is_array(piece) ? json_array_get(piece, 0) : piece;
    if (gemini_failed(value, &reader->failure)) {
        return ERR_FETCH;
    }
    chunk_maker_name(&reader->chunks, member_text(value, "responseId"), member_text(value, "modelVersion"));
    if (json_is_object(json_object_get(value, "usageMetadata"))) {
        gemini_counts_read(&reader->counts, json_object_get(value, "usageMetadata"));
        struct token_usage usage = gemini_counts_usage(&reader->counts);
        reader->sink->usage(reader->sink->context, &usage);
    }
    const json_t *candidates = json_object_get(value, "candidates");
    enum err err = OK;
    for (size_t i = 0; i < json_array_size(candidates) && err == OK; i++) {
        err = take_candidate(reader, json_array_get(candidates, i));
    }
    return err;
}

static enum err take_event(void *context, struct text name, struct text data) {
    (void)name;
    return take_piece(context, data);
}

/* ---- the reader ---- */

struct chat_reader *gemini_open(const struct chat_call *call, const struct chat_sink *sink) {
    struct chat_reader *reader = mem_new(sizeof *reader);
    reader->call = call;
    reader->sink = sink;
    event_reader_init(&reader->events, take_event, reader);
    object_reader_init(&reader->objects, take_piece, reader);
    chunk_maker_init(&reader->chunks, call, sink);
    return reader;
}

enum err gemini_feed(struct chat_reader *reader, struct text bytes, struct chat_failure *ret_failure) {
    while (reader->form == FORM_UNKNOWN && bytes.len > 0) {
        char c = *bytes.ptr;
        bool space = c != '\0' && strchr(" \t\r\n", c) != NULL;
        if (space) {
            bytes = (struct text){ bytes.ptr + 1, bytes.len - 1 };
        } else {
            reader->form = c == '[' || c == '{' ? FORM_OBJECTS : FORM_EVENTS;
        }
    }
    enum err err = reader->form == FORM_OBJECTS ? object_reader_feed(&reader->objects, bytes)
                                                : event_reader_feed(&reader->events, bytes);
    if (err == ERR_INVALID_JSON) {
        err = fail(reader, "The service sent an answer that is no JSON.");
    }
    if (err == ERR_FETCH) {
        *ret_failure = reader->failure;
    }
    return err;
}

static bool is_whole(const struct chat_reader *reader) {
    bool any = false;
    for (size_t i = 0; i < GEMINI_CANDIDATES_MAX; i++) {
        const struct candidate *candidate = &reader->candidates[i];
        any = any || candidate->finished;
        if (candidate->begun && !candidate->finished) {
            return false;
        }
    }
    return any;
}

enum err gemini_end(struct chat_reader *reader, struct chat_failure *ret_failure) {
    enum err err = event_reader_finish(&reader->events);
    if (is_whole(reader)) {
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

void gemini_close(struct chat_reader *reader) {
    if (reader == NULL) {
        return;
    }
    event_reader_fini(&reader->events);
    object_reader_fini(&reader->objects);
    free(reader);
}
