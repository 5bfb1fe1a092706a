/* Accepts connections, keeps count of them, and ends those that are too slow.
 *
 * Each connection has a deadline (for the request it is in, for taking the answer, or for beginning a request), and once a
 * second the listener shuts down those that are over theirs: a client that sends byte by byte, or half a request, cannot
 * hold its place. Neither can one that is silent; the kernel knows since when. Nor one that has gone: libmicrohttpd overlooks
 * an end of stream that arrives together with the last bytes, so the listener looks for it where bytes are waited for.
 */
#include "http/internal.h"

#include <errno.h>
#include <linux/sockios.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/id.h"
#include "base/log.h"
#include "base/memory.h"

#define BACKLOG 4096
#define TICK_MS 1000
#define ACCEPT_BURST 64
#define WAIT_BEFORE_LOOK_MS 1000
#define LOOK_BATCH 512

/* ---- the connections ---- */

static struct in6_addr address_of(const struct sockaddr *peer) {
    struct in6_addr address = { 0 };

    if (peer->sa_family == AF_INET6)
        address = ((const struct sockaddr_in6 *)peer)->sin6_addr;
    else if (peer->sa_family == AF_INET)
        memcpy(&address.s6_addr[12], &((const struct sockaddr_in *)peer)->sin_addr, 4);
    return address;
}

static struct address_count *find_address(struct http_server *server, const struct in6_addr *address) {
    struct address_count *found;
    HASH_FIND(hh, server->addresses, address, sizeof *address, found);
    return found;
}

struct connection *connection_add(struct http_server *server, int fd, const struct sockaddr *peer) {
    struct connection *connection = mem_new(sizeof *connection);
    struct in6_addr address = address_of(peer);

    connection->fd = fd;
    memcpy(&connection->peer, peer,
           peer->sa_family == AF_INET6 ? sizeof(struct sockaddr_in6) : sizeof(struct sockaddr_in));
    connection_idle(server, connection, clock_monotonic_ms());
    atomic_fetch_add(&server->connection_count, 1);
    pthread_mutex_lock(&server->lock);
    connection->address = find_address(server, &address);
    if (connection->address == NULL) {
        connection->address = mem_new(sizeof *connection->address);
        connection->address->address = address;
        HASH_ADD(hh, server->addresses, address, sizeof address, connection->address);
    }
    connection->address->connections++;
    LIST_INSERT_HEAD(&server->connections, connection, link);
    pthread_mutex_unlock(&server->lock);
    return connection;
}

/* Before libmicrohttpd closes the descriptor, so that the number is not yet another's when it leaves the list. */
void connection_remove(struct http_server *server, struct connection *connection) {
    pthread_mutex_lock(&server->lock);
    LIST_REMOVE(connection, link);
    watch_forget(server, connection);
    if (--connection->address->connections == 0) {
        HASH_DEL(server->addresses, connection->address);
        free(connection->address);
    }
    pthread_mutex_unlock(&server->lock);
    atomic_fetch_sub(&server->connection_count, 1);
    free(connection);
}

void connection_allow(struct connection *connection, int64_t limit_ms) {
    int64_t now_ms = limit_ms > 0 ? clock_monotonic_coarse_ms() : 0;
    atomic_store_explicit(&connection->turn_ms, -now_ms, memory_order_relaxed);
    atomic_store_explicit(&connection->deadline_ms, limit_ms > 0 ? now_ms + limit_ms : 0, memory_order_relaxed);
}

void connection_waits(struct connection *connection) {
    atomic_store_explicit(&connection->turn_ms, clock_monotonic_coarse_ms(), memory_order_relaxed);
}

void connection_expect(struct connection *connection, int64_t now_ms, int64_t limit_ms) {
    atomic_store_explicit(&connection->idle, false, memory_order_relaxed);
    atomic_store_explicit(&connection->turn_ms, now_ms, memory_order_relaxed);
    atomic_store_explicit(&connection->deadline_ms, now_ms + limit_ms, memory_order_relaxed);
}

void connection_idle(struct http_server *server, struct connection *connection, int64_t now_ms) {
    connection_expect(connection, now_ms, ((int64_t)server->options.idle_s + server->options.request_s) * 1000);
    atomic_store_explicit(&connection->idle, true, memory_order_relaxed);
}

static void end_connection(struct connection *connection) {
    connection->ended = true;
    shutdown(connection->fd, SHUT_RDWR);
}

static bool is_late(const struct connection *connection, int64_t now_ms) {
    int64_t deadline_ms = atomic_load_explicit(&connection->deadline_ms, memory_order_relaxed);
    return deadline_ms != 0 && now_ms >= deadline_ms;
}

static uint32_t larger(uint32_t a, uint32_t b) {
    return a > b ? a : b;
}

static uint32_t smaller(uint32_t a, uint32_t b) {
    return a < b ? a : b;
}

/* A client that is to take an answer is silent when nothing went for so long, or nothing was acknowledged: one whose window is
 * closed acknowledges our questions whether it is open again, but no data is sent; of one that was unplugged the data is sent
 * again and again. One that is to send is silent when nothing came, either, and nothing that came is unread: that would be
 * ours, as is an answer of which we have written nothing. */
static bool is_silent(const struct connection *connection, int64_t turn_ms, int64_t idle_ms) {
    struct tcp_info info = { 0 };
    socklen_t size = sizeof info;
    int unread = 0, unsent = 0;

    if (ioctl(connection->fd, SIOCINQ, &unread) != 0 || ioctl(connection->fd, SIOCOUTQ, &unsent) != 0 ||
        getsockopt(connection->fd, IPPROTO_TCP, TCP_INFO, &info, &size) != 0)
        return false; /* its deadline ends it */
    if (turn_ms > 0 ? unread > 0 : unsent == 0)
        return false;
    uint32_t taking_ms = larger(info.tcpi_last_data_sent, info.tcpi_last_ack_recv);
    uint32_t silence_ms = turn_ms > 0 ? smaller(info.tcpi_last_data_recv, taking_ms) : taking_ms;
    return silence_ms >= clock_timer_ms(idle_ms);
}

/* Its turn must have begun as long ago: before an answer nothing was sent either. */
static bool is_silent_in_its_turn(const struct connection *connection, int64_t now_ms, int64_t idle_ms) {
    int64_t turn_ms = atomic_load_explicit(&connection->turn_ms, memory_order_relaxed);
    int64_t since_ms = turn_ms > 0 ? turn_ms : -turn_ms;
    return turn_ms != 0 && now_ms - since_ms >= idle_ms && is_silent(connection, turn_ms, idle_ms);
}

/* That a connection is kept and not used for a while is nothing to count. */
static void end_if_too_slow(struct http_server *server, struct connection *connection, int64_t now_ms) {
    bool late = is_late(connection, now_ms);
    if (!late && !is_silent_in_its_turn(connection, now_ms, (int64_t)server->options.idle_s * 1000))
        return;
    if (late || !atomic_load_explicit(&connection->idle, memory_order_relaxed))
        atomic_fetch_add(&server->timed_out, 1);
    end_connection(connection);
}

struct look {
    struct pollfd polls[LOOK_BATCH];
    struct connection *connections[LOOK_BATCH];
    nfds_t count;
};

/* Only when nothing is unread any more: what was sent before the end is still answered. */
static bool has_gone(const struct pollfd *poll) {
    int unread = 0;
    return (poll->revents & (POLLRDHUP | POLLHUP | POLLERR)) &&
           (ioctl(poll->fd, FIONREAD, &unread) != 0 || unread == 0);
}

static void end_those_gone(struct look *look) {
    if (poll(look->polls, look->count, 0) > 0)
        for (nfds_t i = 0; i < look->count; i++)
            if (has_gone(&look->polls[i]))
                end_connection(look->connections[i]);
    look->count = 0;
}

static void look_for_end(struct look *look, struct connection *connection, int64_t now_ms) {
    int64_t since_ms = atomic_load_explicit(&connection->turn_ms, memory_order_relaxed);
    if (since_ms <= 0 || now_ms - since_ms < WAIT_BEFORE_LOOK_MS)
        return;
    look->polls[look->count] = (struct pollfd){ .fd = connection->fd, .events = POLLRDHUP };
    look->connections[look->count++] = connection;
    if (look->count == LOOK_BATCH)
        end_those_gone(look);
}

static void end_slow_connections(struct http_server *server) {
    int64_t now_ms = clock_monotonic_ms();
    struct look look = { .count = 0 };
    struct connection *connection = NULL;

    pthread_mutex_lock(&server->lock);
    LIST_FOREACH(connection, &server->connections, link) {
        if (!connection->ended)
            end_if_too_slow(server, connection, now_ms);
        if (!connection->ended)
            look_for_end(&look, connection, now_ms);
    }
    end_those_gone(&look);
    pthread_mutex_unlock(&server->lock);
}

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

static bool has_room(struct http_server *server, const struct sockaddr *peer) {
    unsigned per_address = server->options.connections_per_address_max;

    if (atomic_load(&server->connection_count) >= server->options.connections_max)
        return false;
    if (per_address == 0)
        return true;
    struct in6_addr address = address_of(peer);
    pthread_mutex_lock(&server->lock);
    const struct address_count *count = find_address(server, &address);
    bool room = count == NULL || count->connections < per_address;
    pthread_mutex_unlock(&server->lock);
    return room;
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
    if (!has_room(server, (struct sockaddr *)&peer)) {
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
            end_slow_connections(server);
            next_tick_ms = clock_monotonic_ms() + TICK_MS;
        }
    }
    return NULL;
}

/* ---- opening and closing ---- */

static void note_address(struct http_server *server) {
    struct sockaddr_storage own = { .ss_family = AF_UNSPEC };
    socklen_t size = sizeof own;
    char host[INET6_ADDRSTRLEN + 16] = "", port[8] = "";

    if (getsockname(server->listen_fd, (struct sockaddr *)&own, &size) != 0 ||
        getnameinfo((struct sockaddr *)&own, size, host, sizeof host, port, sizeof port,
                    NI_NUMERICHOST | NI_NUMERICSERV) != 0)
        return;
    int64_t number = 0;
    (void)!text_to_i64(text_of(port), &number);
    server->port = (unsigned)number;
    snprintf(server->address, sizeof server->address, own.ss_family == AF_INET6 ? "[%.45s]:%s" : "%.45s:%s", host,
             port);
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
    note_address(server);
    return watch_open(server, fault);
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
