/* Answers that are written while they come into being: a source is pulled for as long as it has something and the client
 * takes it, and between that the connection is suspended and costs no thread.
 *
 *               pull: nothing more          wake
 *   BUSY --------------------------> WAITING ----> WOKEN      the connection is resumed, once, by who makes this step
 *   BUSY <---- about to pull ---- WOKEN
 *   BUSY ------------ wake ------> WOKEN                      one atomic operation; the HTTP thread pulls once more
 *
 * Only the HTTP thread enters BUSY and WAITING. The steps into and out of WAITING go with libmicrohttpd's suspension and
 * resumption, so both happen under the stream's own lock, which is never held while anybody else's code is called: wakers
 * may hold whatever locks `pull` and `ended` take. The end takes the lock once more, so that no waker is inside by then. */
#include "http/internal.h"

#include <assert.h>
#include <microhttpd.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/memory.h"

#define ROOM 16384                  /* bytes of one piece at most */
#define AHEAD_MAX ((size_t)8 << 20) /* bytes of the pieces of one pull, which may be a little more than its room */
#define PULLS_IN_A_ROW 64           /* that bring nothing; then others have their turn */
#define BEATS_AT_ONCE 256           /* under the lock */
#define BLOCK_CHUNKED 128           /* bytes of libmicrohttpd's own buffer, which it does not use for chunks */
#define BLOCK_UNTIL_CLOSE 8192

enum stream_state { STREAM_BUSY, STREAM_WOKEN, STREAM_WAITING };

struct stream {
    struct exchange *exchange;
    struct stream_source source;
    atomic_int state;
    pthread_mutex_t lock;       /* of the steps into and out of STREAM_WAITING */
    atomic_bool gone;           /* the client has closed its connection */
    _Atomic int64_t beat_at_ms; /* monotonic; when a heartbeat is due; INT64_MAX: never */
    struct buffer ahead;        /* pulled but not yet taken */
    enum stream_pull last;      /* what the last pull said */
    size_t written; /* bytes of the room given, since it was given back; at first all of it counts */
    bool listed;
    bool whole;             /* libmicrohttpd was told of the end */
    TAILQ_ENTRY(stream) link; /* of http_server.streams */
};

struct stream *stream_new(struct exchange *exchange, const struct stream_source *source) {
    assert(source->pull != NULL && source->ended != NULL);
    struct stream *stream = mem_new(sizeof *stream);

    stream->exchange = exchange;
    stream->source = *source;
    stream->last = STREAM_MORE;
    stream->written = SIZE_MAX;
    atomic_init(&stream->state, STREAM_BUSY);
    atomic_init(&stream->beat_at_ms, INT64_MAX);
    pthread_mutex_init(&stream->lock, NULL);
    buffer_init(&stream->ahead, AHEAD_MAX);
    return stream;
}

/* ---- sleep and wake ---- */

static bool step(struct stream *stream, int from, int to) {
    return atomic_compare_exchange_strong(&stream->state, &from, to);
}

static bool wake_waiting(struct stream *stream) {
    pthread_mutex_lock(&stream->lock);
    bool ours = step(stream, STREAM_WAITING, STREAM_WOKEN);
    if (ours)
        MHD_resume_connection(stream->exchange->mhd);
    pthread_mutex_unlock(&stream->lock);
    return ours;
}

/* Whichever step succeeds, what the waker did before it is seen by the pull that comes of it. */
static void wake(struct stream *stream) {
    while (!step(stream, STREAM_BUSY, STREAM_WOKEN) && !step(stream, STREAM_WOKEN, STREAM_WOKEN) &&
           !wake_waiting(stream))
        continue;
}

void http_stream_wake(struct exchange *exchange) {
    wake(exchange->stream);
}

void stream_gone(struct stream *stream) {
    atomic_store(&stream->gone, true);
    wake(stream);
}

static bool is_over(const struct stream *stream) {
    return atomic_load(&stream->gone) || atomic_load(&stream->exchange->server->abandoning);
}

/* The room is most of the connection's pool. Nothing is in it now, but libmicrohttpd has filled it with zeroes and we with
 * bytes: of a stream that waits, its whole pages are the kernel's again. */
static void give_back(struct stream *stream, char *room, size_t count) {
    const uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
    uintptr_t skipped = (page - (uintptr_t)room % page) % page;

    if (stream->written <= page || count < skipped + page)
        return;
    madvise(room + skipped, (count - skipped) / page * page, MADV_DONTNEED);
    stream->written = 0;
}

/* Until somebody wakes us; a wake that came meanwhile is not lost. */
static void suspend(struct stream *stream) {
    struct exchange *exchange = stream->exchange;

    buffer_fini(&stream->ahead);
    watch_begin(exchange);
    pthread_mutex_lock(&stream->lock);
    if (step(stream, STREAM_BUSY, STREAM_WAITING))
        MHD_suspend_connection(exchange->mhd);
    pthread_mutex_unlock(&stream->lock);
}

/* ---- the heartbeat ---- */

static bool has_heartbeat(const struct stream *stream) {
    return stream->source.heartbeat.ptr != NULL && stream->source.heartbeat_ms > 0;
}

static void put_off_heartbeat(struct stream *stream) {
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

static void pull_all(struct stream *stream, size_t room) {
    for (int i = 0; i < PULLS_IN_A_ROW && stream->last == STREAM_MORE && stream->ahead.len < room; i++)
        stream->last = stream->source.pull(stream->exchange, &stream->ahead, room - stream->ahead.len);
    if (buffer_ok(&stream->ahead))
        return;
    buffer_fini(&stream->ahead);
    stream->last = STREAM_CUT;
}

static ssize_t take(struct stream *stream, char *to, size_t room) {
    struct exchange *exchange = stream->exchange;
    size_t count = stream->ahead.len < room ? stream->ahead.len : room;

    memcpy(to, stream->ahead.data, count);
    stream->written = count > stream->written ? count : stream->written;
    buffer_consume(&stream->ahead, count);
    put_off_heartbeat(stream);
    connection_allow(exchange->connection, reply_limit_ms(exchange, (int64_t)count));
    return (ssize_t)count;
}

static ssize_t finish(struct stream *stream) {
    stream->whole = true;
    connection_allow(stream->exchange->connection, reply_limit_ms(stream->exchange, 0));
    return MHD_CONTENT_READER_END_OF_STREAM;
}

/* libmicrohttpd asks for the next bytes: all before them are the kernel's. 0: nothing now. HTTP thread. */
static ssize_t next_bytes(void *context, uint64_t position, char *to, size_t given_room) {
    struct stream *stream = context;
    size_t room = given_room < ROOM ? given_room : ROOM;
    (void)position;

    connection_allow(stream->exchange->connection, 0); /* it is the source's turn */
    if (step(stream, STREAM_WOKEN, STREAM_BUSY) && stream->last == STREAM_WAIT)
        stream->last = STREAM_MORE;
    if (is_over(stream))
        return MHD_CONTENT_READER_END_WITH_ERROR;
    if (stream->ahead.len == 0)
        pull_all(stream, room);
    if (stream->ahead.len == 0 && stream->last == STREAM_WAIT && is_heartbeat_due(stream, clock_monotonic_ms()))
        buffer_put(&stream->ahead, stream->source.heartbeat);
    if (stream->ahead.len > 0)
        return take(stream, to, room);
    if (stream->last == STREAM_CUT)
        return MHD_CONTENT_READER_END_WITH_ERROR;
    if (stream->last == STREAM_END)
        return finish(stream);
    if (stream->last == STREAM_WAIT) {
        give_back(stream, to, given_room);
        suspend(stream);
    }
    return 0; /* not suspended: libmicrohttpd asks again when others had their turn */
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
    put_off_heartbeat(stream);
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
    pthread_mutex_lock(&stream->lock); /* the last waker may still be on its way out */
    pthread_mutex_unlock(&stream->lock);
    exchange->stream = NULL;
    pthread_mutex_destroy(&stream->lock);
    buffer_fini(&stream->ahead);
    free(stream);
}

void streams_abandon(struct http_server *server) {
    struct stream *stream = NULL;

    TAILQ_FOREACH(stream, &server->streams, link)
        wake(stream);
}
