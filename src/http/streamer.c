/* Threads that write streams whose connection is suspended.
 *
 * Resuming a connection costs libmicrohttpd a walk through all that are suspended, so that an event would cost the more
 * the more streams are open. So a stream that has once waited stays suspended, and its streamer writes to the socket
 * itself what libmicrohttpd would write: nothing before it is unsent by then, and of a suspended connection libmicrohttpd
 * leaves the socket alone. Once nothing more is to come, the connection is resumed for the end, which stream.c tells.
 *
 *   pushed ──> due ── all was sent ──> STREAM_WAITING ── wake ──> pushed
 *               ^ └── kept some ─────> STREAM_FULL ── the socket takes more, or urged ──┐
 *               └───────────────────────────────────────────────────────────────────────┘
 *
 * A stream leaves the epoll set before its connection is resumed, and events become steps and entries of the list before
 * any stream is written: so the stream behind an event is still there. */
#include "http/stream.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/memory.h"

#define EVENTS_AT_ONCE 256
#define SCRATCH_KEPT 65536 /* bytes of memory that stay with a streamer between streams */

STAILQ_HEAD(due_list, stream);

struct streamer {
    pthread_t thread;
    int poll_fd;           /* epoll set of the sockets that take no more, and of wake_fd */
    int wake_fd;           /* eventfd that ends its sleep; edges only, never read */
    struct buffer scratch; /* its own: pieces are made here and mostly sent from here */
    unsigned full;         /* its own: streams that are STREAM_FULL */
    bool running;

    pthread_mutex_t lock;
    struct due_list pushed; /* under the lock */
    bool asleep;            /* under the lock: whoever pushes has to write to wake_fd */
    bool ending;            /* under the lock */
};

/* ---- from other threads ---- */

static void end_sleep(const struct streamer *streamer) {
    const uint64_t one = 1;
    (void)!write(streamer->wake_fd, &one, sizeof one);
}

void streamer_push(struct stream *stream) {
    struct streamer *streamer = stream->streamer;

    pthread_mutex_lock(&streamer->lock);
    STAILQ_INSERT_TAIL(&streamer->pushed, stream, due); /* from here on the stream may end */
    bool asleep = streamer->asleep;
    streamer->asleep = false;
    pthread_mutex_unlock(&streamer->lock);
    if (asleep)
        end_sleep(streamer);
}

struct streamer *streamer_next(struct http_server *server) {
    unsigned turn = atomic_fetch_add_explicit(&server->streamer_turn, 1, memory_order_relaxed);
    return &server->streamers[turn % server->streamer_count];
}

/* ---- what is sent ---- */

/* Connection and stream are the HTTP thread's again: nothing of them may be touched any more. */
static void hand_back(struct streamer *streamer, struct stream *stream) {
    struct exchange *exchange = stream->exchange;

    if (stream->polled)
        epoll_ctl(streamer->poll_fd, EPOLL_CTL_DEL, exchange->connection->fd, NULL);
    stream->polled = false;
    buffer_fini(&stream->ahead);
    worker_resume(exchange);
}

/* Bytes sent, also none; false: never more. */
static bool send_some(const struct stream *stream, struct iovec *parts, size_t count, size_t *ret_sent) {
    struct msghdr message = { .msg_iov = parts, .msg_iovlen = count };
    ssize_t sent;

    do
        sent = sendmsg(stream->exchange->connection->fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
    while (sent < 0 && errno == EINTR);
    *ret_sent = sent > 0 ? (size_t)sent : 0;
    return sent >= 0 || errno == EAGAIN || errno == EWOULDBLOCK || errno == ENOBUFS || errno == ENOMEM;
}

/* What of the parts follows the first `sent` bytes, for the time when the socket takes more. */
static void keep(struct stream *stream, const struct iovec *parts, size_t count, size_t sent) {
    for (size_t i = 0; i < count; i++) {
        size_t skipped = sent < parts[i].iov_len ? sent : parts[i].iov_len;
        sent -= skipped;
        buffer_put(&stream->ahead,
                   (struct text){ (const char *)parts[i].iov_base + skipped, parts[i].iov_len - skipped });
    }
    if (stream->ahead.len > 0)
        connection_allow(stream->exchange->connection,
                         reply_limit_ms(stream->exchange, (int64_t)stream->ahead.len));
}

/* False: the client takes no more, ever. */
static bool send_piece(struct stream *stream, const struct buffer *piece) {
    static char line_end[] = "\r\n";
    char size_line[2 * sizeof(size_t) + 3];
    const size_t extra = stream->exchange->http_1_0 ? 0 : 1;
    size_t sent = 0, size_length = (size_t)snprintf(size_line, sizeof size_line, "%zx\r\n", piece->len);
    struct iovec parts[] = { { size_line, size_length }, { piece->data, piece->len }, { line_end, 2 } };
    struct iovec *first = extra ? parts : parts + 1;
    const size_t count = 1 + 2 * extra;

    if (!send_some(stream, first, count, &sent))
        return false;
    stream_put_off_heartbeat(stream);
    keep(stream, first, count, sent);
    return buffer_ok(&stream->ahead);
}

static bool send_kept(struct stream *stream) {
    struct iovec kept = { stream->ahead.data, stream->ahead.len };
    size_t sent = 0;

    if (!send_some(stream, &kept, 1, &sent))
        return false;
    stream_put_off_heartbeat(stream);
    buffer_consume(&stream->ahead, sent);
    if (stream->ahead.len > 0)
        return true;
    buffer_fini(&stream->ahead);
    connection_allow(stream->exchange->connection, 0); /* it is the source's turn */
    return true;
}

/* False: nothing more is to be sent; stream->last says why. */
static bool write_some(struct streamer *streamer, struct stream *stream) {
    if (stream_is_over(stream))
        return false;
    bool well = true;
    if (stream->ahead.len > 0)
        well = send_kept(stream);
    if (well && stream->ahead.len == 0) {
        buffer_clear(&streamer->scratch);
        stream_fetch(stream, &streamer->scratch, STREAM_ROOM);
        if (streamer->scratch.len > 0)
            well = send_piece(stream, &streamer->scratch);
        if (streamer->scratch.capacity > SCRATCH_KEPT)
            buffer_fini(&streamer->scratch);
    }
    if (!well)
        stream->last = STREAM_CUT;
    return stream->ahead.len > 0 || stream->last == STREAM_MORE || stream->last == STREAM_WAIT;
}

/* ---- one turn of one stream ---- */

/* Until the socket takes more. */
static bool poll_socket(struct streamer *streamer, struct stream *stream) {
    struct epoll_event event = { .events = EPOLLOUT | EPOLLONESHOT, .data.ptr = stream };
    int operation = stream->polled ? EPOLL_CTL_MOD : EPOLL_CTL_ADD;

    stream->polled = epoll_ctl(streamer->poll_fd, operation, stream->exchange->connection->fd, &event) == 0;
    return stream->polled;
}

/* Wakes do not count here, only that the stream is over: all else is seen when the rest is sent. */
static void wait_for_room(struct streamer *streamer, struct stream *stream) {
    if (!poll_socket(streamer, stream)) {
        stream->last = STREAM_CUT;
        hand_back(streamer, stream);
        return;
    }
    streamer->full++;
    while (!stream_step(stream, STREAM_BUSY, STREAM_FULL)) {
        stream_take_up(stream);
        if (stream_is_over(stream)) {
            streamer->full--;
            hand_back(streamer, stream);
            return;
        }
    }
}

static void serve(struct streamer *streamer, struct stream *stream, struct due_list *again) {
    if (stream->ahead.len > 0) /* it was STREAM_FULL */
        streamer->full--;
    stream_take_up(stream);
    if (!write_some(streamer, stream))
        hand_back(streamer, stream);
    else if (stream->ahead.len > 0)
        wait_for_room(streamer, stream);
    else if (stream->last == STREAM_MORE || !stream_step(stream, STREAM_BUSY, STREAM_WAITING))
        STAILQ_INSERT_TAIL(again, stream, due); /* when others had their turn */
}

/* ---- the thread ---- */

static void look_at_sockets(struct streamer *streamer, struct due_list *due, int limit_ms) {
    struct epoll_event events[EVENTS_AT_ONCE];
    int count = epoll_wait(streamer->poll_fd, events, EVENTS_AT_ONCE, limit_ms);

    for (int i = 0; i < count; i++) {
        struct stream *stream = events[i].data.ptr;
        if (stream == NULL || !stream_step(stream, STREAM_FULL, STREAM_WOKEN))
            continue; /* who urged it has pushed it */
        STAILQ_INSERT_TAIL(due, stream, due);
    }
}

/* Sleeps when nothing is due. False: it is to end. */
static bool fetch_due(struct streamer *streamer, struct due_list *due) {
    pthread_mutex_lock(&streamer->lock);
    STAILQ_CONCAT(due, &streamer->pushed);
    bool sleeps = streamer->asleep = STAILQ_EMPTY(due) && !streamer->ending;
    bool ending = streamer->ending && STAILQ_EMPTY(due) && streamer->full == 0;
    pthread_mutex_unlock(&streamer->lock);
    if (!sleeps && streamer->full == 0)
        return !ending;
    look_at_sockets(streamer, due, sleeps ? -1 : 0);
    if (sleeps) {
        pthread_mutex_lock(&streamer->lock);
        streamer->asleep = false;
        STAILQ_CONCAT(due, &streamer->pushed);
        pthread_mutex_unlock(&streamer->lock);
    }
    return true;
}

static void *stream_on(void *context) {
    struct streamer *streamer = context;
    struct due_list due = STAILQ_HEAD_INITIALIZER(due), again = STAILQ_HEAD_INITIALIZER(again);

    pthread_setname_np(pthread_self(), "http-streamer");
    while (fetch_due(streamer, &due)) {
        struct stream *stream;
        while ((stream = STAILQ_FIRST(&due)) != NULL) {
            STAILQ_REMOVE_HEAD(&due, due);
            serve(streamer, stream, &again);
        }
        STAILQ_CONCAT(&due, &again);
    }
    return NULL;
}

/* ---- beginning and end ---- */

static enum err streamer_open(struct streamer *streamer, struct fault *fault) {
    struct epoll_event event = { .events = EPOLLIN | EPOLLET, .data.ptr = NULL };

    pthread_mutex_init(&streamer->lock, NULL);
    STAILQ_INIT(&streamer->pushed);
    buffer_init(&streamer->scratch, STREAM_AHEAD_MAX);
    streamer->poll_fd = epoll_create1(EPOLL_CLOEXEC);
    streamer->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (streamer->poll_fd < 0 || streamer->wake_fd < 0 ||
        epoll_ctl(streamer->poll_fd, EPOLL_CTL_ADD, streamer->wake_fd, &event) != 0)
        return fault_set(fault, ERR_IO, "Cannot make an epoll set: %s.", strerrordesc_np(errno));
    int reason = pthread_create(&streamer->thread, NULL, stream_on, streamer);
    if (reason != 0)
        return fault_set(fault, ERR_IO, "The HTTP threads cannot be started: %s.", strerrordesc_np(reason));
    streamer->running = true;
    return OK;
}

enum err streamers_open(struct http_server *server, struct fault *fault) {
    const unsigned count = (server->options.threads + 1) / 2;

    server->streamers = mem_new_array(count, sizeof *server->streamers);
    enum err err = OK;
    while (server->streamer_count < count && err == OK)
        err = streamer_open(&server->streamers[server->streamer_count++], fault);
    return err;
}

void streamers_stop(struct http_server *server) {
    for (unsigned i = 0; i < server->streamer_count; i++) {
        struct streamer *streamer = &server->streamers[i];
        if (!streamer->running)
            continue;
        pthread_mutex_lock(&streamer->lock);
        streamer->ending = true;
        pthread_mutex_unlock(&streamer->lock);
        end_sleep(streamer);
        pthread_join(streamer->thread, NULL);
        streamer->running = false;
    }
}

void streamers_close(struct http_server *server) {
    streamers_stop(server);
    for (unsigned i = 0; i < server->streamer_count; i++) {
        struct streamer *streamer = &server->streamers[i];
        if (streamer->poll_fd >= 0)
            close(streamer->poll_fd);
        if (streamer->wake_fd >= 0)
            close(streamer->wake_fd);
        buffer_fini(&streamer->scratch);
        pthread_mutex_destroy(&streamer->lock);
    }
    free(server->streamers);
    server->streamers = NULL;
    server->streamer_count = 0;
}
