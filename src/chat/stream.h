/* An answer in the making: a log of chunks that one thread writes and any number of others read, each at its own pace.
 *
 *   OPEN ── chunks ──> DONE (and then perhaps the whole completion), or FAILED
 *
 * A reader is a cursor into the log, so a slow one costs nothing and holds up nobody. The log is bounded (S3): by
 * `bytes_max`, beyond which the writer is told to give up. With `trims` chunks are let go once the only reader has
 * had them; one that opens at a chunk that has gone begins with the oldest there is. Counted references; all
 * functions on any thread, except where they say otherwise. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "base/buffer.h"
#include "base/errors.h"
#include "base/text.h"
#include "chat/dialect/failure.h"
#include "core/tokens.h"

struct chat_stream;

struct chat_stream_options {
    size_t bytes_max; /* of the log, its own overhead included; 0: CHAT_ANSWER_MAX */
    bool trims;
};
struct chat_stream *chat_stream_new(const struct chat_stream_options *options) must_check; /* with one reference */
struct chat_stream *chat_stream_ref(struct chat_stream *stream);
void chat_stream_unref(struct chat_stream *stream); /* NULL is fine */

/* ---- writing: one thread ---- */

/* One chunk, copied. ERR_TOO_LONG: the log is full, and nothing was taken. Wakes those who wait. */
enum err chat_stream_add(struct chat_stream *stream, struct text json) must_check;
/* The end, once. `completion` is copied, for those who wait for the whole (TEXT_NONE: nobody does). Wakes all. */
void chat_stream_complete(struct chat_stream *stream, struct text completion, const struct token_usage *usage);
/* `failure` is copied; its message has no secrets by now. */
void chat_stream_fail(struct chat_stream *stream, const struct chat_failure *failure);

/* ---- looking ---- */

enum chat_stream_state { CHAT_OPEN, CHAT_DONE, CHAT_FAILED };
enum chat_stream_state chat_stream_state(struct chat_stream *stream);
uint64_t chat_stream_count(struct chat_stream *stream); /* chunks written so far */
/* Valid as long as the stream, once it is DONE; empty: none was kept. */
struct text chat_stream_completion(struct chat_stream *stream);
/* Once it is DONE; NULL before. */
const struct token_usage *chat_stream_usage(struct chat_stream *stream);
/* Once it has FAILED; NULL before. */
const struct chat_failure *chat_stream_failure(struct chat_stream *stream);
/* Bytes that the log takes now. */
size_t chat_stream_bytes(struct chat_stream *stream);
/* Appends every chunk, one a line: what is stored of a finished stream. Chunks hold no line ends (a JSON text's own are
 * made spaces when it is added). */
void chat_stream_put_lines(struct chat_stream *stream, struct buffer *buf);
/* A finished stream out of such lines, with one reference. */
struct chat_stream *chat_stream_of_lines(struct text lines) must_check;

/* ---- reading ---- */

struct chat_cursor {
    struct chat_stream *stream;
    uint64_t next; /* number of the next chunk */
    bool waiting;
    void (*wake)(struct chat_cursor *cursor);
    LIST_ENTRY(chat_cursor) link;
    void *at; /* the stream's own */
};
enum chat_read { CHAT_READ_MORE, CHAT_READ_WAIT, CHAT_READ_DONE, CHAT_READ_FAILED };

/* Begins at chunk `from` (beyond the end: what comes from there on). The cursor takes a reference. `wake` is called
 * once, from the writer's thread and without any lock of ours, after a read has said WAIT and there is more; it must
 * only pass the word on. */
void chat_cursor_open(struct chat_cursor *cursor, struct chat_stream *stream, uint64_t from,
                      void (*wake)(struct chat_cursor *cursor));
/* No wake comes once this has returned: it waits for one that is under way. A cursor of zeros is fine, and closing
 * twice. */
void chat_cursor_close(struct chat_cursor *cursor);
/* Appends chunks to `buf` by `put` until it has `room` bytes or more, or there are no more. MORE: there may be. The
 * others may come with chunks, too: they say what is the case behind them. A chunk that `buf` could not take is read
 * again. */
enum chat_read chat_cursor_read(struct chat_cursor *cursor, struct buffer *buf, size_t room,
                                void (*put)(struct buffer *buf, uint64_t number, struct text json)) must_check;
