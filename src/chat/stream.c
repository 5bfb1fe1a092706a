/* The log of an answer in the making.
 *
 * Chunks lie one after the other in segments that never move; behind the last one of a full segment lies a jump to the
 * next segment. What was written is never changed, and a reader looks only at chunks that were counted when it last had
 * the lock: so all copying is done without it, and a cursor is a pointer to where the next chunk lies or will lie.
 *
 *   segment: | length, bytes | length, bytes | jump, next segment |
 *
 * A new segment is as large as all that is held, so short answers stay small, and so do read ones that are trimmed.
 *
 * Wakes are called without the lock, by the writer alone: `waking` is the cursor that it is calling, and closing that
 * one waits until the call is over. */
#include "chat/stream.h"

#include <assert.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "chat/dialect/dialect.h"

#define SEGMENT_MIN ((size_t)512)
#define SEGMENT_MAX ((size_t)64 << 10)
#define JUMP UINT32_MAX
#define JUMP_SIZE (sizeof(uint32_t) + sizeof(struct segment *))

struct segment {
    struct segment *next;
    uint64_t first; /* number of its first chunk */
    size_t size;    /* of all, this head included */
    size_t used;    /* of bytes */
    char bytes[];
};

LIST_HEAD(cursor_list, chat_cursor);

struct chat_stream {
    atomic_uint references;
    size_t bytes_max;
    bool trims;

    pthread_mutex_t lock; /* over all that follows */
    pthread_cond_t woken; /* a wake is over */
    enum chat_stream_state state;
    uint64_t count;
    size_t bytes;
    struct segment *head, *tail; /* what is held, oldest first; NULL: nothing was written yet */
    unsigned cursors;
    struct cursor_list waiting; /* for the next chunk */
    struct cursor_list due;     /* being woken by the writer */
    struct chat_cursor *waking;
    pthread_t waker;
    char *completion; /* this and the next two do not change once the state is not OPEN */
    size_t completion_length;
    struct token_usage usage;
    struct chat_failure *failure;
};

struct chat_stream *chat_stream_new(const struct chat_stream_options *options) {
    struct chat_stream *stream = mem_new(sizeof(*stream));
    atomic_init(&stream->references, 1);
    stream->bytes_max = options->bytes_max > 0 ? options->bytes_max : CHAT_ANSWER_MAX;
    stream->trims = options->trims;
    pthread_mutex_init(&stream->lock, NULL);
    pthread_cond_init(&stream->woken, NULL);
    LIST_INIT(&stream->waiting);
    LIST_INIT(&stream->due);
    return stream;
}

struct chat_stream *chat_stream_ref(struct chat_stream *stream) {
    atomic_fetch_add(&stream->references, 1);
    return stream;
}

void chat_stream_unref(struct chat_stream *stream) {
    if (stream == NULL || atomic_fetch_sub(&stream->references, 1) != 1) {
        return;
    }
    assert(stream->cursors == 0);
    while (stream->head) {
        struct segment *segment = stream->head;
        stream->head = segment->next;
        free(segment);
    }
    pthread_cond_destroy(&stream->woken);
    pthread_mutex_destroy(&stream->lock);
    free(stream->completion);
    free(stream->failure);
    free(stream);
}

static void lock(struct chat_stream *stream) {
    pthread_mutex_lock(&stream->lock);
}

static void unlock(struct chat_stream *stream) {
    pthread_mutex_unlock(&stream->lock);
}

/* ---- writing ---- */

static size_t room_in(const struct segment *segment) {
    return segment->size - sizeof(*segment) - segment->used - JUMP_SIZE;
}

static void put_raw(struct segment *segment, const void *bytes, size_t count) {
    memcpy(segment->bytes + segment->used, bytes, count);
    segment->used += count;
}

/* A segment for `needed` bytes becomes the tail; NULL: that passes the bound. */
static struct segment *grow(struct chat_stream *stream, size_t needed) {
    size_t least = sizeof(struct segment) + needed + JUMP_SIZE;
    size_t left = stream->bytes_max > stream->bytes ? stream->bytes_max - stream->bytes : 0;
    size_t size = stream->bytes < SEGMENT_MIN ? SEGMENT_MIN : stream->bytes > SEGMENT_MAX ? SEGMENT_MAX : stream->bytes;
    size = size < least ? least : size;
    size = size > left ? left : size;
    struct segment *segment = size < least ? NULL : malloc(size);
    if (segment == NULL) {
        return NULL;
    }
    *segment = (struct segment){ .first = stream->count, .size = size };
    if (stream->tail) {
        const uint32_t jump = JUMP;
        put_raw(stream->tail, &jump, sizeof(jump));
        put_raw(stream->tail, &segment, sizeof(segment));
        stream->tail->next = segment;
    } else {
        stream->head = segment;
    }
    stream->tail = segment;
    stream->bytes += size;
    return segment;
}

/* Calls everybody who waited when the lock was taken. With the lock, which is let go meanwhile. */
static void wake_all(struct chat_stream *stream) {
    struct chat_cursor *cursor = LIST_FIRST(&stream->waiting);
    assert(LIST_EMPTY(&stream->due));
    LIST_INIT(&stream->waiting);
    stream->due.lh_first = cursor;
    if (cursor) {
        cursor->link.le_prev = &stream->due.lh_first;
    }
    while ((cursor = LIST_FIRST(&stream->due)) != NULL) {
        LIST_REMOVE(cursor, link);
        cursor->waiting = false;
        stream->waking = cursor;
        stream->waker = pthread_self();
        unlock(stream);
        cursor->wake(cursor);
        lock(stream);
        stream->waking = NULL;
        pthread_cond_broadcast(&stream->woken);
    }
}

static enum err append(struct chat_stream *stream, struct text json) {
    size_t needed = sizeof(uint32_t) + json.len;
    struct segment *segment = stream->tail;
    if (json.len >= JUMP) {
        return ERR_TOO_LONG;
    }
    if (segment == NULL || room_in(segment) < needed) {
        segment = grow(stream, needed);
    }
    if (segment == NULL) {
        return ERR_TOO_LONG;
    }
    uint32_t length = (uint32_t)json.len;
    put_raw(segment, &length, sizeof(length));
    char *bytes = segment->bytes + segment->used;
    put_raw(segment, json.ptr, json.len);
    for (size_t i = 0; i < json.len; i++) {
        bytes[i] = bytes[i] == '\n' || bytes[i] == '\r' ? ' ' : bytes[i];
    }
    stream->count++;
    return OK;
}

enum err chat_stream_add(struct chat_stream *stream, struct text json) {
    lock(stream);
    assert(stream->state == CHAT_OPEN);
    enum err err = append(stream, json);
    if (err == OK && !LIST_EMPTY(&stream->waiting)) {
        wake_all(stream);
    }
    unlock(stream);
    return err;
}

void chat_stream_complete(struct chat_stream *stream, struct text completion, const struct token_usage *usage) {
    char *copy = completion.ptr ? text_dup(completion) : NULL;
    lock(stream);
    assert(stream->state == CHAT_OPEN);
    stream->completion = copy;
    stream->completion_length = copy ? completion.len : 0;
    stream->usage = *usage;
    stream->state = CHAT_DONE;
    wake_all(stream);
    unlock(stream);
}

void chat_stream_fail(struct chat_stream *stream, const struct chat_failure *failure) {
    struct chat_failure *copy = mem_new(sizeof(*copy));
    *copy = *failure;
    lock(stream);
    assert(stream->state == CHAT_OPEN);
    stream->failure = copy;
    stream->state = CHAT_FAILED;
    wake_all(stream);
    unlock(stream);
}

/* ---- looking ---- */

enum chat_stream_state chat_stream_state(struct chat_stream *stream) {
    lock(stream);
    enum chat_stream_state state = stream->state;
    unlock(stream);
    return state;
}

uint64_t chat_stream_count(struct chat_stream *stream) {
    lock(stream);
    uint64_t count = stream->count;
    unlock(stream);
    return count;
}

struct text chat_stream_completion(struct chat_stream *stream) {
    return chat_stream_state(stream) == CHAT_DONE ? (struct text){ stream->completion, stream->completion_length }
                                                  : TEXT_NONE;
}

const struct token_usage *chat_stream_usage(struct chat_stream *stream) {
    return chat_stream_state(stream) == CHAT_DONE ? &stream->usage : NULL;
}

const struct chat_failure *chat_stream_failure(struct chat_stream *stream) {
    return chat_stream_state(stream) == CHAT_FAILED ? stream->failure : NULL;
}

size_t chat_stream_bytes(struct chat_stream *stream) {
    lock(stream);
    size_t bytes = stream->bytes;
    unlock(stream);
    return bytes;
}

/* The chunk at *at, which moves behind it. Only for chunks that have been counted. */
static struct text take_chunk(const char **at) {
    uint32_t length;
    memcpy(&length, *at, sizeof(length));
    if (length == JUMP) {
        struct segment *next;
        memcpy(&next, *at + sizeof(length), sizeof(next));
        *at = next->bytes;
        memcpy(&length, *at, sizeof(length));
    }
    struct text chunk = { *at + sizeof(length), length };
    *at = chunk.ptr + length;
    return chunk;
}

void chat_stream_put_lines(struct chat_stream *stream, struct buffer *buf) {
    lock(stream);
    const char *at = stream->head ? stream->head->bytes : NULL;
    for (uint64_t number = stream->head ? stream->head->first : 0; number < stream->count; number++) {
        buffer_put(buf, take_chunk(&at));
        buffer_put_char(buf, '\n');
    }
    unlock(stream);
}

struct chat_stream *chat_stream_of_lines(struct text lines) {
    const struct chat_stream_options options = { .bytes_max = SIZE_MAX };
    struct chat_stream *stream = chat_stream_new(&options);
    while (lines.len > 0) {
        struct text line = text_cut(&lines, '\n');
        enum err err = line.len > 0 ? append(stream, line) : OK;
        if (err != OK) {
            abort(); /* no memory: as mem_new does */
        }
    }
    stream->state = CHAT_DONE;
    return stream;
}

/* ---- reading ---- */

/* Where chunk `number` lies or will lie; NULL while the one before it is not written. With the lock. */
static const char *seek(const struct chat_stream *stream, uint64_t number) {
    const struct segment *segment = stream->head;
    if (segment == NULL || number > stream->count) {
        return NULL;
    }
    while (segment->next && segment->next->first <= number) {
        segment = segment->next;
    }
    const char *at = segment->bytes;
    for (uint64_t i = segment->first; i < number; i++) {
        (void)take_chunk(&at);
    }
    return at;
}

void chat_cursor_open(struct chat_cursor *cursor, struct chat_stream *stream, uint64_t from,
                      void (*wake)(struct chat_cursor *cursor)) {
    *cursor = (struct chat_cursor){ .stream = chat_stream_ref(stream), .next = from, .wake = wake };
    lock(stream);
    stream->cursors++;
    if (stream->head && cursor->next < stream->head->first) {
        cursor->next = stream->head->first; /* what came before was let go */
    }
    unlock(stream);
}

static void stop_waiting(struct chat_cursor *cursor) {
    if (cursor->waiting) {
        LIST_REMOVE(cursor, link);
        cursor->waiting = false;
    }
}

void chat_cursor_close(struct chat_cursor *cursor) {
    struct chat_stream *stream = cursor->stream;
    if (stream == NULL) {
        return;
    }
    lock(stream);
    while (stream->waking == cursor && !pthread_equal(stream->waker, pthread_self())) {
        pthread_cond_wait(&stream->woken, &stream->lock);
    }
    stop_waiting(cursor);
    stream->cursors--;
    unlock(stream);
    cursor->stream = NULL;
    chat_stream_unref(stream);
}

/* Lets go of what the only reader has had. With the lock. */
static void trim(struct chat_stream *stream, const struct chat_cursor *cursor) {
    if (!stream->trims || stream->cursors != 1) {
        return;
    }
    while (stream->head != stream->tail && stream->head->next->first < cursor->next) {
        struct segment *segment = stream->head;
        stream->head = segment->next;
        stream->bytes -= segment->size;
        free(segment);
    }
}

/* How many chunks there are for the cursor to read up to; 0: nothing now, *ret says what that means. */
static uint64_t look(struct chat_cursor *cursor, enum chat_read *ret) {
    struct chat_stream *stream = cursor->stream;
    uint64_t count = 0;
    lock(stream);
    stop_waiting(cursor);
    trim(stream, cursor);
    if (cursor->next < stream->count) {
        count = stream->count;
        cursor->at = cursor->at ? cursor->at : (void *)seek(stream, cursor->next);
    } else if (stream->state == CHAT_OPEN) {
        cursor->waiting = true;
        LIST_INSERT_HEAD(&stream->waiting, cursor, link);
        *ret = CHAT_READ_WAIT;
    } else {
        *ret = stream->state == CHAT_DONE ? CHAT_READ_DONE : CHAT_READ_FAILED;
    }
    unlock(stream);
    return count;
}

enum chat_read chat_cursor_read(struct chat_cursor *cursor, struct buffer *buf, size_t room,
                                void (*put)(struct buffer *buf, uint64_t number, struct text json)) {
    enum chat_read ended = CHAT_READ_MORE;
    uint64_t count = 0;
    while (buf->len < room && buffer_ok(buf)) {
        if (cursor->next >= count) {
            count = look(cursor, &ended);
            if (count == 0) {
                return ended;
            }
        }
        const char *at = cursor->at;
        struct text chunk = take_chunk(&at);
        put(buf, cursor->next, chunk);
        if (buffer_ok(buf)) {
            cursor->at = (void *)at;
            cursor->next++;
        }
    }
    return CHAT_READ_MORE;
}
