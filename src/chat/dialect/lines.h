/* Readers of streams that come in pieces cut anywhere: server-sent events (WHATWG HTML, section 9.2) and lines of JSON.
 *
 * What is not complete yet is kept, up to CHAT_CHUNK_MAX (S3); what lies complete in the bytes given is handed on from
 * there, without a copy. One thread at a time. */
#pragma once

#include "base/buffer.h"
#include "base/errors.h"
#include "base/text.h"

/* One event: its name (empty: "message") and its data, lines joined by LF. Comments, `id` and `retry` are read over. */
struct event_reader {
    struct buffer line, data, name;
    bool after_cr, begun;
    /* Anything but OK stops the reading with that error. */
    enum err (*event)(void *context, struct text name, struct text data);
    void *context;
};
void event_reader_init(struct event_reader *reader,
                       enum err (*event)(void *context, struct text name, struct text data), void *context);
void event_reader_fini(struct event_reader *reader);
/* ERR_TOO_LONG, or what `event` returned. */
enum err event_reader_feed(struct event_reader *reader, struct text bytes) must_check;
/* The end: an event without its empty line is handed on too, since services forget it. */
enum err event_reader_finish(struct event_reader *reader) must_check;

/* One JSON text a line; empty lines are read over. */
struct line_reader {
    struct buffer line;
    enum err (*read)(void *context, struct text line);
    void *context;
};
void line_reader_init(struct line_reader *reader, enum err (*read)(void *context, struct text line), void *context);
void line_reader_fini(struct line_reader *reader);
enum err line_reader_feed(struct line_reader *reader, struct text bytes) must_check;
enum err line_reader_finish(struct line_reader *reader) must_check;
