/* Whether the client is still there while nothing is read from it: the listener watches for the end of its stream.
 *
 * A connection is in the listener's epoll set from the first exchange that is watched until libmicrohttpd is about to close
 * it: a connection goes once, and most wait more than once. Events are fetched one by one under http_server.lock, so that
 * the connection behind one is still there, and the exchange that it is watched for, if any; its `gone` is called without
 * the lock, and watch_end waits for it to return. */
#include "http/internal.h"

#include <errno.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "base/log.h"

#define EVENTS_AT_ONCE 256 /* then the listener looks after its other duties */

void exchange_watch(struct exchange *exchange, void (*gone)(struct exchange *exchange)) {
    exchange->gone = gone;
}

enum err watch_open(struct http_server *server, struct fault *fault) {
    server->watch_fd = epoll_create1(EPOLL_CLOEXEC);
    if (server->watch_fd < 0)
        return fault_set(fault, ERR_IO, "Cannot make an epoll set: %s.", strerrordesc_np(errno));
    return OK;
}

void watch_close(struct http_server *server) {
    if (server->watch_fd >= 0)
        close(server->watch_fd);
    server->watch_fd = -1;
}

/* That there is something to read is no event: a client may send its next request early. A going that was seen when nobody
 * was to be told is seen again. */
static bool listen_for_end(struct http_server *server, struct connection *connection) {
    struct epoll_event event = { .events = EPOLLRDHUP | EPOLLONESHOT, .data.ptr = connection };

    if (connection->watched && !connection->gone)
        return true;
    if (epoll_ctl(server->watch_fd, connection->watched ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, connection->fd, &event) != 0)
        return false;
    connection->watched = true;
    return true;
}

void watch_begin(struct exchange *exchange) {
    struct http_server *server = exchange->server;

    if (exchange->watched)
        return;
    pthread_mutex_lock(&server->lock);
    exchange->watched = listen_for_end(server, exchange->connection);
    int reason = errno;
    exchange->connection->watcher = exchange->watched ? exchange : NULL;
    pthread_mutex_unlock(&server->lock);
    if (!exchange->watched)
        log_event(LOG_WARNING, "a client's going will not be noticed", LOG_S("reason", strerrordesc_np(reason)));
}

void watch_end(struct exchange *exchange) {
    struct http_server *server = exchange->server;

    if (!exchange->watched)
        return;
    exchange->watched = false;
    pthread_mutex_lock(&server->lock);
    exchange->connection->watcher = NULL;
    while (server->going == exchange)
        pthread_cond_wait(&server->changed, &server->lock);
    pthread_mutex_unlock(&server->lock);
}

void watch_forget(struct http_server *server, struct connection *connection) {
    if (connection->watched && !connection->gone)
        epoll_ctl(server->watch_fd, EPOLL_CTL_DEL, connection->fd, NULL);
}

static void pass_on(struct exchange *exchange, void (*gone)(struct exchange *exchange)) {
    if (gone != NULL)
        gone(exchange);
    if (exchange->stream != NULL)
        stream_gone(exchange->stream);
}

/* False when no client has gone. An exchange that was resumed for good has nothing to be told. */
static bool look_once(struct http_server *server) {
    struct epoll_event event;

    pthread_mutex_lock(&server->lock);
    bool found = epoll_wait(server->watch_fd, &event, 1, 0) == 1;
    struct connection *connection = found ? event.data.ptr : NULL;
    struct exchange *exchange = found ? connection->watcher : NULL;
    if (found)
        connection->gone = true;
    if (exchange != NULL && (exchange->suspended || exchange->stream != NULL)) {
        void (*gone)(struct exchange *) = exchange->gone;
        exchange->gone = NULL;
        server->going = exchange;
        pthread_mutex_unlock(&server->lock);
        pass_on(exchange, gone);
        pthread_mutex_lock(&server->lock);
        server->going = NULL;
        pthread_cond_broadcast(&server->changed);
    }
    pthread_mutex_unlock(&server->lock);
    return found;
}

void watch_look(struct http_server *server) {
    for (int i = 0; i < EVENTS_AT_ONCE && look_once(server); i++)
        continue;
}
