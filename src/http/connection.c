/* The connections: how many there are of each address, whose turn it is on each, and the end of those that are too slow.
 *
 * Each connection has a deadline (for the request it is in, for taking the answer, or for beginning a request), and once a
 * second the listener shuts down those that are over theirs: a client that sends byte by byte, or half a request, cannot
 * hold its place. Neither can one that is silent; the kernel knows since when. Nor one that has gone: libmicrohttpd overlooks
 * an end of stream that arrives together with the last bytes, so the listener looks for it where bytes are waited for. */
#include "http/internal.h"

#include <linux/sockios.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/ioctl.h>

#include "base/clock.h"
#include "base/memory.h"

#define WAIT_BEFORE_LOOK_MS 1000
#define LOOK_BATCH 512

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

bool connections_have_room(struct http_server *server, const struct sockaddr *peer) {
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

/* ---- whose turn it is, and for how long ---- */

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

/* ---- ending ---- */

/* What the kernel has of an answer still goes to a client that takes it, however slowly. */
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

void connections_end_slow(struct http_server *server) {
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
