/* Accepts connections, hands them to the HTTP threads, and once a second ends those that are too slow (connection.c). */
#include "http/internal.h"

#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/id.h"
#include "base/log.h"

#define BACKLOG 4096
#define TICK_MS 1000
#define ACCEPT_BURST 64

/* ---- accepting ---- */

/* A whole answer, because there is no libmicrohttpd behind it yet. What the client may have sent is read first: closing
 * over unread bytes would reset the connection and could take the answer with it. */
static void turn_away(struct http_server *server, int fd) {
    static const char body[] = "{\"error\":{\"message\":\"The server has too many connections; try again.\","
                               "\"type\":\"service_unavailable\",\"code\":\"overloaded\",\"param\":null}}";
    char answer[512], unread[4096], id[REQUEST_ID_SIZE];

    request_id_new(id);
    int length = snprintf(answer, sizeof answer,
                          "HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/json\r\nRetry-After: 1\r\n"
                          "Connection: close\r\nX-Request-Id: %s\r\nContent-Length: %zu\r\n\r\n%s",
                          id, sizeof body - 1, body);

    atomic_fetch_add(&server->refused, 1);
    (void)!recv(fd, unread, sizeof unread, MSG_DONTWAIT);
    (void)!send(fd, answer, (size_t)length, MSG_NOSIGNAL | MSG_DONTWAIT);
    shutdown(fd, SHUT_WR);
    close(fd);
}

/* False when nobody is waiting any more. */
static bool accept_one(struct http_server *server) {
    struct sockaddr_storage peer = { 0 };
    socklen_t peer_size = sizeof peer;
    int fd = accept4(server->listen_fd, (struct sockaddr *)&peer, &peer_size, SOCK_NONBLOCK | SOCK_CLOEXEC);

    if (fd < 0) {
        /* Out of descriptors: the waiting stay in the backlog; a pause rather than a busy loop. */
        if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
            log_event(LOG_WARNING, "no connection can be accepted", LOG_S("reason", strerrordesc_np(errno)));
            poll(NULL, 0, 100);
        }
        return errno == ECONNABORTED || errno == EINTR;
    }
    if (!connections_have_room(server, (struct sockaddr *)&peer)) {
        turn_away(server, fd);
        return true;
    }
    worker_give(server, fd, &peer, peer_size);
    return true;
}

static void *listen_on(void *context) {
    struct http_server *server = context;
    int64_t next_tick_ms = clock_monotonic_ms() + TICK_MS;

    pthread_setname_np(pthread_self(), "http-listener");
    while (!atomic_load(&server->ending)) {
        bool accepting = atomic_load(&server->accepting);
        struct pollfd waits[] = { { server->wake_fd, POLLIN, 0 },
                                  { accepting ? server->listen_fd : -1, POLLIN, 0 },
                                  { server->watch_fd, POLLIN, 0 } };
        int64_t wait_ms = next_tick_ms - clock_monotonic_ms();
        poll(waits, ARRAY_SIZE(waits), (int)clock_timer_ms(wait_ms > TICK_MS ? TICK_MS : wait_ms));
        if (waits[0].revents != 0) {
            uint64_t ignored;
            (void)!read(server->wake_fd, &ignored, sizeof ignored);
        }
        if (waits[1].revents != 0)
            for (int i = 0; i < ACCEPT_BURST && accept_one(server); i++)
                continue;
        if (waits[2].revents != 0)
            watch_look(server);
        if (clock_monotonic_ms() >= next_tick_ms) {
            streams_beat(server);
            connections_end_slow(server);
            next_tick_ms = clock_monotonic_ms() + TICK_MS;
        }
    }
    return NULL;
}

/* ---- opening and closing ---- */

/* A server that cannot tell where it is would serve nobody: with port 0 it is known by what it says alone. */
static enum err note_address(struct http_server *server, struct fault *fault) {
    struct sockaddr_storage own = { .ss_family = AF_UNSPEC };
    socklen_t size = sizeof own;
    char host[INET6_ADDRSTRLEN + 16] = "", port[8] = "";

    int failure = EAI_SYSTEM;
    if (getsockname(server->listen_fd, (struct sockaddr *)&own, &size) == 0)
        failure = getnameinfo((struct sockaddr *)&own, size, host, sizeof host, port, sizeof port,
                              NI_NUMERICHOST | NI_NUMERICSERV);
    if (failure != 0)
        return fault_set(fault, ERR_IO, "Cannot tell the address that is listened on: %s.",
                         failure == EAI_SYSTEM ? strerrordesc_np(errno) : gai_strerror(failure));
    int64_t number = 0;
    (void)!text_to_i64(text_of(port), &number);
    server->port = (unsigned)number;
    snprintf(server->address, sizeof server->address, own.ss_family == AF_INET6 ? "[%.45s]:%s" : "%.45s:%s", host,
             port);
    return OK;
}

static int bind_one(const struct addrinfo *at) {
    const int on = 1, off = 0;
    int fd = socket(at->ai_family, at->ai_socktype | SOCK_NONBLOCK | SOCK_CLOEXEC, at->ai_protocol);

    if (fd < 0)
        return -1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (at->ai_family == AF_INET6)
        setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off);
    if (bind(fd, at->ai_addr, at->ai_addrlen) == 0 && listen(fd, BACKLOG) == 0)
        return fd;
    int reason = errno;
    close(fd);
    errno = reason;
    return -1;
}

enum err listener_open(struct http_server *server, struct fault *fault) {
    const struct http_options *options = &server->options;
    struct addrinfo hints = { .ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE | AI_NUMERICSERV }, *list = NULL;
    const char *host = options->host != NULL && options->host[0] != '\0' ? options->host : NULL;
    char port[8];

    snprintf(port, sizeof port, "%u", options->port & 0xffff);
    int failure = getaddrinfo(host, port, &hints, &list);
    if (failure != 0)
        return fault_set(fault, ERR_IO, "Cannot listen on %s: %s.", host != NULL ? host : "any address",
                         gai_strerror(failure));
    errno = 0;
    for (const struct addrinfo *at = list; at != NULL && server->listen_fd < 0; at = at->ai_next)
        server->listen_fd = bind_one(at);
    int reason = errno;
    freeaddrinfo(list);
    if (server->listen_fd < 0)
        return fault_set(fault, ERR_IO, "Cannot listen on %s:%s: %s.", host != NULL ? host : "*", port,
                         strerrordesc_np(reason));
    server->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (server->wake_fd < 0)
        return fault_set(fault, ERR_IO, "Cannot make an eventfd: %s.", strerrordesc_np(errno));
    enum err err = note_address(server, fault);
    return err == OK ? watch_open(server, fault) : err;
}

enum err listener_start(struct http_server *server, struct fault *fault) {
    atomic_store(&server->accepting, true);
    int reason = pthread_create(&server->listener, NULL, listen_on, server);
    if (reason != 0)
        return fault_set(fault, ERR_IO, "The listener thread cannot be started: %s.", strerrordesc_np(reason));
    server->listening = true;
    return OK;
}

static void wake(struct http_server *server) {
    const uint64_t one = 1;
    (void)!write(server->wake_fd, &one, sizeof one);
}

void listener_stop_accepting(struct http_server *server) {
    atomic_store(&server->accepting, false);
    wake(server);
}

void listener_close(struct http_server *server) {
    if (server->listening) {
        atomic_store(&server->ending, true);
        wake(server);
        pthread_join(server->listener, NULL);
        server->listening = false;
    }
    if (server->listen_fd >= 0)
        close(server->listen_fd);
    if (server->wake_fd >= 0)
        close(server->wake_fd);
    server->listen_fd = server->wake_fd = -1;
}
