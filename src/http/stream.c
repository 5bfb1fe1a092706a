/* Answers that are written while they come into being: a source is pulled for as long as it has something and the client
 * takes it, and between that the connection is suspended and costs no thread.
 *
 * An HTTP thread has the stream until it waits for the first time, then its streamer (streamer.c), and for the end the
 * HTTP thread again.
 *
 *              pull: nothing more             wake
 *   BUSY ----------------------------> WAITING ----> WOKEN    and it is pushed to the streamer by who makes this step
 *   BUSY ---- the client is behind --> FULL -------> WOKEN    by the socket or, pushed, by an urgent wake
 *   BUSY <------ about to pull ------- WOKEN
 *   BUSY ------------- wake ---------> WOKEN                  one atomic operation; it is pulled once more
 *
 * Who has the stream makes the steps to BUSY, WAITING and FULL. A wake takes no lock of ours but the streamer's, under which
 * nobody else's code is called: wakers may hold whatever locks `pull` and `ended` take. A waker whose step pushes nothing
 * touches the stream no more; one that pushes has no more of it once it is on the list, and it cannot end before. */
#include "http/stream.h"

#include <assert.h>
#include <microhttpd.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/memory.h"

#define FRAME_MAX 64       /* bytes that chunking adds to a piece */
#define PULLS_IN_A_ROW 64  /* that bring nothing; then others have their turn */
#define BEATS_AT_ONCE 256  /* under the lock */
#define BLOCK_CHUNKED 128  /* bytes of libmicrohttpd's own buffer, which it does not use for chunks */
#define BLOCK_UNTIL_CLOSE 8192

struct stream *stream_new(struct exchange *exchange, const struct stream_source *source) {
    assert(source->pull != NULL && source->ended != NULL);
    struct stream *stream = mem_new(sizeof *stream);

    stream->exchange = exchange;
    stream->source = *source;
    stream->streamer = streamer_next(exchange->server);
    stream->last = STREAM_MORE;
    atomic_init(&stream->state, STREAM_BUSY);
    atomic_init(&stream->beat_at_ms, INT64_MAX);
    buffer_init(&stream->ahead, STREAM_AHEAD_MAX + FRAME_MAX);
    return stream;
}

/* ---- sleep and wake ---- */

bool stream_step(struct stream *stream, int from, int to) {
    return atomic_compare_exchange_strong(&stream->state, &from, to);
}

void stream_take_up(struct stream *stream) {
    if (stream_step(stream, STREAM_WOKEN, STREAM_BUSY) && stream->last == STREAM_WAIT)
        stream->last = STREAM_MORE;
}

static bool wake_from(struct stream *stream, int state) {
    if (!stream_step(stream, state, STREAM_WOKEN))
        return false;
    streamer_push(stream);
    return true;
}

/* Whichever step succeeds, what the waker did before it is seen by the pull that comes of it. */
static void wake(struct stream *stream) {
    while (!wake_from(stream, STREAM_WAITING) && !stream_step(stream, STREAM_BUSY, STREAM_WOKEN) &&
           !stream_step(stream, STREAM_WOKEN, STREAM_WOKEN) && !stream_step(stream, STREAM_FULL, STREAM_FULL))
        continue;
}

/* What the client has not taken yet does not matter any more. */
static void wake_urgently(struct stream *stream) {
    while (!wake_from(stream, STREAM_WAITING) && !wake_from(stream, STREAM_FULL) &&
           !stream_step(stream, STREAM_BUSY, STREAM_WOKEN) && !stream_step(stream, STREAM_WOKEN, STREAM_WOKEN))
        continue;
}

void http_stream_wake(struct exchange *exchange) {
    wake(exchange->stream);
}

void stream_gone(struct stream *stream) {
    atomic_store(&stream->gone, true);
    wake_urgently(stream);
}

bool stream_is_over(const struct stream *stream) {
    return atomic_load(&stream->gone) || atomic_load(&stream->exchange->server->ends_streams);
}

/* The room is most of the connection's pool. Nothing is in it now, but libmicrohttpd has filled it with zeroes and we with
 * bytes: of a stream that waits, its whole pages are the kernel's again. */
static void give_back(char *room, size_t count) {
    const uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
    uintptr_t skipped = (page - (uintptr_t)room % page) % page;

    if (count >= skipped + page)
        madvise(room + skipped, (count - skipped) / page * page, MADV_DONTNEED);
}

/* A piece is sent when it is there, whatever of those before is still on its way; what waits for more now goes, too. */
static void send_at_once(const struct exchange *exchange) {
    const int on = 1;
    setsockopt(exchange->connection->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

/* From here on its streamer writes it, when somebody wakes it; a wake that came meanwhile is not lost. */
static void hand_over(struct stream *stream, char *room, size_t count) {
    struct MHD_Connection *mhd = stream->exchange->mhd;

    buffer_fini(&stream->ahead);
    watch_begin(stream->exchange);
    if (atomic_load(&stream->state) == STREAM_WOKEN)
        return;
    give_back(room, count);
    send_at_once(stream->exchange);
    MHD_suspend_connection(mhd);
    if (!stream_step(stream, STREAM_BUSY, STREAM_WAITING))
        worker_resume(stream->exchange);
}

/* ---- the heartbeat ---- */

static bool has_heartbeat(const struct stream *stream) {
    return stream->source.heartbeat.ptr != NULL && stream->source.heartbeat_ms > 0;
}

void stream_put_off_heartbeat(struct stream *stream) {
    if (has_heartbeat(stream))
        atomic_store_explicit(&stream->beat_at_ms, clock_monotonic_ms() + stream->source.heartbeat_ms,
                              memory_order_relaxed);
}

static bool is_heartbeat_due(const struct stream *stream, int64_t now_ms) {
    return now_ms >= atomic_load_explicit(&stream->beat_at_ms, memory_order_relaxed);
}

/* Goes once around the list, a part at a time; those looked at go to its end, where new ones come as well. */
void streams_beat(struct http_server *server) {
    int64_t now_ms = clock_monotonic_ms();
    bool more = true;

    for (unsigned left = atomic_load(&server->stream_count); left > 0 && more;) {
        pthread_mutex_lock(&server->lock);
        for (unsigned i = 0; i < BEATS_AT_ONCE && left > 0 && more; i++, left--) {
            struct stream *stream = TAILQ_FIRST(&server->streams);
            more = stream != NULL;
            if (!more)
                break;
            TAILQ_REMOVE(&server->streams, stream, link);
            TAILQ_INSERT_TAIL(&server->streams, stream, link);
            if (is_heartbeat_due(stream, now_ms))
                wake(stream);
        }
        pthread_mutex_unlock(&server->lock);
    }
}

/* ---- what is sent ---- */

void stream_fetch(struct stream *stream, struct buffer *buf, size_t room) {
    for (int i = 0; i < PULLS_IN_A_ROW && stream->last == STREAM_MORE && buf->len < room; i++)
        stream->last = stream->source.pull(stream->exchange, buf, room - buf->len);
    if (!buffer_ok(buf)) {
        buffer_clear(buf);
        stream->last = STREAM_CUT;
    }
    if (buf->len == 0 && stream->last == STREAM_WAIT && is_heartbeat_due(stream, clock_monotonic_ms()))
        buffer_put(buf, stream->source.heartbeat);
}

static ssize_t take(struct stream *stream, char *to, size_t room) {
    struct exchange *exchange = stream->exchange;
    size_t count = stream->ahead.len < room ? stream->ahead.len : room;

    memcpy(to, stream->ahead.data, count);
    buffer_consume(&stream->ahead, count);
    stream_put_off_heartbeat(stream);
    connection_allow(exchange->connection, reply_limit_ms(exchange, (int64_t)count));
    return (ssize_t)count;
}

static ssize_t finish(struct stream *stream) {
    stream->whole = true;
    connection_allow(stream->exchange->connection, reply_limit_ms(stream->exchange, 0));
    return MHD_CONTENT_READER_END_OF_STREAM;
}

/* libmicrohttpd asks for the next bytes: all before them are the kernel's. 0: nothing now. HTTP thread, until the stream
 * is handed over, and once at its end. */
static ssize_t next_bytes(void *context, uint64_t position, char *to, size_t given_room) {
    struct stream *stream = context;
    size_t room = given_room < STREAM_ROOM ? given_room : STREAM_ROOM;
    (void)position;

    connection_allow(stream->exchange->connection, 0); /* it is the source's turn */
    stream_take_up(stream);
    if (stream_is_over(stream))
        return MHD_CONTENT_READER_END_WITH_ERROR;
    if (stream->ahead.len == 0)
        stream_fetch(stream, &stream->ahead, room);
    if (stream->ahead.len > 0)
        return take(stream, to, room);
    if (stream->last == STREAM_CUT)
        return MHD_CONTENT_READER_END_WITH_ERROR;
    if (stream->last == STREAM_END)
        return finish(stream);
    if (stream->last == STREAM_WAIT)
        hand_over(stream, to, given_room);
    return 0; /* where it was not: libmicrohttpd asks again when others had their turn */
}

/* ---- beginning and end ---- */

/* A peer that is no longer there, or takes nothing, is found by the kernel while heartbeats wait to be taken. */
static void limit_silence(struct exchange *exchange) {
    const unsigned limit_ms = exchange->server->options.request_s * 1000;
    setsockopt(exchange->connection->fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &limit_ms, sizeof limit_ms);
}

struct MHD_Response *stream_response(struct stream *stream) {
    struct exchange *exchange = stream->exchange;
    struct http_server *server = exchange->server;

    if (!exchange->head)
        limit_silence(exchange);
    stream_put_off_heartbeat(stream);
    pthread_mutex_lock(&server->lock);
    TAILQ_INSERT_TAIL(&server->streams, stream, link);
    stream->listed = true;
    pthread_mutex_unlock(&server->lock);
    atomic_fetch_add_explicit(&server->stream_count, 1, memory_order_relaxed);
    return MHD_create_response_from_callback(MHD_SIZE_UNKNOWN,
                                             exchange->http_1_0 ? BLOCK_UNTIL_CLOSE : BLOCK_CHUNKED, next_bytes,
                                             stream, NULL);
}

static void unlist(struct stream *stream) {
    struct http_server *server = stream->exchange->server;

    if (!stream->listed)
        return;
    pthread_mutex_lock(&server->lock);
    TAILQ_REMOVE(&server->streams, stream, link);
    pthread_mutex_unlock(&server->lock);
    atomic_fetch_sub_explicit(&server->stream_count, 1, memory_order_relaxed);
}

void stream_end(struct exchange *exchange, bool answered) {
    struct stream *stream = exchange->stream;

    if (stream == NULL)
        return;
    unlist(stream);
    stream->source.ended(exchange, answered && (stream->whole || exchange->head));
    exchange->stream = NULL;
    buffer_fini(&stream->ahead);
    free(stream);
}

void streams_abandon(struct http_server *server) {
    struct stream *stream = NULL;

    TAILQ_FOREACH(stream, &server->streams, link)
        wake_urgently(stream);
}
