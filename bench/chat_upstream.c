/* A service of language models, simulated for measurements: what an answer costs here is next to nothing, so that the
 * load is on its client. It answers OpenAI's chat completions, whole or as server-sent events.
 *
 *   POST …/chat/completions   the model says what comes: "…/EVENTSxMILLISECONDS", so many events so far apart (0: as
 *                             fast as they are taken); a whole answer has as many words and takes as long
 *   GET  /control/counts      what came so far, as JSON; broken: answers whose client went away before their end
 *
 * bench_chat_upstream PORT    port 0: any free one; prints the address, serves until SIGTERM
 *
 * The content of each event is "#NUMBER@MICROSECONDS ", its number from 0 and the monotonic clock when it was sent: so
 * whoever reads it on this machine knows that none is missing and how long each was under way. Every event is a write
 * of its own, as from a service that has just made it; with the last one go the finish reason, the usage (when it is
 * asked for) and [DONE].
 *
 * One thread and one epoll. A connection waits for a request, or is on the list of those that send as fast as they can,
 * or in the wheel's slot of its next event. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/queue.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "chat_service.h"

#define BACKLOG 4096
#define REQUEST_MAX (16u << 10)
#define SLOTS SERVICE_DELAY_MAX /* of the wheel, one a millisecond */
#define BURST 8u                /* events of one connection before the others have their turn */
#define READY_MAX 256

TAILQ_HEAD(connections, connection);
struct connection {
    int fd;
    bool is_busy;    /* with an answer to `request` */
    bool is_blocked; /* epoll tells when more can be written */
    struct chat_request request;
    uint32_t next; /* event */
    uint64_t due_ms;
    struct connections *list; /* that it is on; NULL: none */
    TAILQ_ENTRY(connection) link;
    size_t in_size;
    char in[REQUEST_MAX + 1];
    struct outbox out; /* last, since it is large and only its beginning is in use */
};

static struct {
    int epoll, listener, signals;
    struct connections slots[SLOTS], ready;
    uint64_t now_ms;  /* up to which the wheel has turned */
    uint32_t turning; /* connections on the wheel */
    uint64_t connections, requests, streams, events, broken, refused;
} upstream;

/* ---- time and lists ---- */

static uint64_t now_us(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

static void list_leave(struct connection *connection) {
    if (connection->list != NULL) {
        TAILQ_REMOVE(connection->list, connection, link);
        upstream.turning -= connection->list != &upstream.ready;
        connection->list = NULL;
    }
}

static void list_join(struct connection *connection, struct connections *list) {
    TAILQ_INSERT_TAIL(list, connection, link);
    upstream.turning += list != &upstream.ready;
    connection->list = list;
}

/* To where it waits for its next event, or for its whole answer. */
static void connection_wait(struct connection *connection) {
    list_leave(connection);
    if (connection->request.interval_ms > 0) {
        list_join(connection, &upstream.slots[connection->due_ms % SLOTS]);
    } else if (!connection->is_blocked) {
        list_join(connection, &upstream.ready);
    }
}

/* ---- writing ---- */

static void watch(struct connection *connection, bool is_blocked) {
    if (connection->is_blocked != is_blocked) {
        struct epoll_event event = { .events = EPOLLIN | (is_blocked ? EPOLLOUT : 0), .data.ptr = connection };
        connection->is_blocked = is_blocked;
        epoll_ctl(upstream.epoll, EPOLL_CTL_MOD, connection->fd, &event);
    }
}

/* Writes what is pending. False: the connection is broken. */
static bool flush(struct connection *connection) {
    struct outbox *out = &connection->out;
    while (out->start < out->end) {
        ssize_t count = send(connection->fd, out->bytes + out->start, out->end - out->start, MSG_NOSIGNAL);
        if (count < 0) {
            watch(connection, true);
            return errno == EAGAIN;
        }
        out->start += (size_t)count;
    }
    out->start = out->end = 0;
    watch(connection, false);
    return true;
}

/* ---- requests ---- */

static void put_counts(struct connection *connection) {
    char json[256];
    snprintf(
        json, sizeof(json),
        "{\"connections\":%llu,\"requests\":%llu,\"streams\":%llu,\"events\":%llu,\"broken\":%llu,\"refused\":%llu}",
        (unsigned long long)upstream.connections, (unsigned long long)upstream.requests,
        (unsigned long long)upstream.streams, (unsigned long long)upstream.events, (unsigned long long)upstream.broken,
        (unsigned long long)upstream.refused);
    service_put_json(&connection->out, "200 OK", json);
}

static void refuse(struct connection *connection, const char *why) {
    upstream.refused++;
    service_put_refusal(&connection->out, "404 Not Found", why);
}

static void answer_chat(struct connection *connection, const char *json) {
    struct chat_request *request = &connection->request;
    upstream.requests++;
    connection->next = 0;
    connection->due_ms = upstream.now_ms + 1;
    if (!service_read(json, request)) {
        refuse(connection, "The model is EVENTSxMILLISECONDS");
    } else if (request->streams) {
        connection->is_busy = true;
        service_put_head(&connection->out);
        connection_wait(connection);
    } else if (request->interval_ms > 0) {
        connection->is_busy = true;
        connection->due_ms = upstream.now_ms + (uint64_t)request->events * request->interval_ms;
        connection_wait(connection);
    } else {
        service_put_whole(&connection->out, request);
    }
}

/* The bytes of the request's body; SIZE_MAX: it has another kind of body. `head` ends with a NUL. */
static size_t body_size(const char *head) {
    size_t size = 0;
    for (const char *line = strstr(head, "\r\n"); line != NULL; line = strstr(line, "\r\n")) {
        line += 2;
        if (strncasecmp(line, "Content-Length:", 15) == 0) {
            size = strtoul(line + 15, NULL, 10);
        } else if (strncasecmp(line, "Transfer-Encoding:", 18) == 0) {
            return SIZE_MAX;
        }
    }
    return size;
}

/* Answers one request, if there is a whole one. False: the connection has to be closed. */
static bool take_request(struct connection *connection) {
    connection->in[connection->in_size] = '\0';
    char *head_end = strstr(connection->in, "\r\n\r\n");
    if (head_end == NULL) {
        return connection->in_size < REQUEST_MAX;
    }
    *head_end = '\0';
    size_t head = (size_t)(head_end - connection->in) + 4, body = body_size(connection->in);
    if (body > REQUEST_MAX - head) {
        return false;
    }
    if (connection->in_size - head < body) {
        *head_end = '\r';
        return true;
    }
    char after = connection->in[head + body];
    connection->in[head + body] = '\0';
    if (strncmp(connection->in, "GET /control/counts ", 20) == 0) {
        put_counts(connection);
    } else if (strncmp(connection->in, "POST ", 5) == 0 && strstr(connection->in, "/chat/completions ") != NULL) {
        answer_chat(connection, connection->in + head);
    } else {
        refuse(connection, "There is nothing here");
    }
    connection->in[head + body] = after;
    connection->in_size -= head + body;
    memmove(connection->in, connection->in + head + body, connection->in_size);
    return flush(connection);
}

/* ---- connections ---- */

static void connection_close(struct connection *connection) {
    upstream.broken += connection->is_busy;
    list_leave(connection);
    close(connection->fd);
    free(connection);
}

static void send_whole(struct connection *connection) {
    service_put_whole(&connection->out, &connection->request);
    connection->is_busy = false;
}

/* Sends up to `most` events, and the end after the last. False: the connection is broken. */
static bool send_events(struct connection *connection, uint32_t most) {
    const struct chat_request *request = &connection->request;
    for (; connection->is_busy && most > 0 && outbox_room(&connection->out) >= 2 * SERVICE_EVENT_MAX; most--) {
        service_put_event(&connection->out, request, connection->next++, now_us());
        upstream.events++;
        if (connection->next == request->events) {
            service_put_end(&connection->out, request);
            upstream.streams++;
            connection->is_busy = false;
        }
        if (!connection->is_blocked && !flush(connection)) {
            return false;
        }
        if (connection->is_blocked && request->interval_ms == 0) {
            break;
        }
    }
    return true;
}

static void on_due(struct connection *connection, uint32_t most) {
    bool good = true;
    list_leave(connection);
    if (connection->request.streams) {
        good = send_events(connection, most);
    } else {
        send_whole(connection);
    }
    if (good && connection->is_busy) {
        connection->due_ms += connection->request.interval_ms;
        connection_wait(connection);
    } else if (!good || !flush(connection) || !take_request(connection)) {
        connection_close(connection);
    }
}

static void on_accept(void) {
    for (int fd; (fd = accept4(upstream.listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0;) {
        struct connection *connection = malloc(sizeof(*connection));
        struct epoll_event event = { .events = EPOLLIN, .data.ptr = connection };
        int yes = 1;
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof(yes));
        if (connection == NULL || epoll_ctl(upstream.epoll, EPOLL_CTL_ADD, fd, &event) != 0) {
            free(connection);
            close(fd);
            continue;
        }
        memset(connection, 0, offsetof(struct connection, in));
        connection->fd = fd;
        connection->out.start = connection->out.end = 0;
        upstream.connections++;
    }
}

/* False: the connection is over. */
static bool on_readable(struct connection *connection) {
    ssize_t count = recv(connection->fd, connection->in + connection->in_size, REQUEST_MAX - connection->in_size, 0);
    if (count <= 0) {
        return count < 0 && errno == EAGAIN;
    }
    connection->in_size += (size_t)count;
    return connection->is_busy || take_request(connection);
}

static void on_event(struct connection *connection, uint32_t events) {
    bool good = (events & (EPOLLERR | EPOLLHUP)) == 0 && ((events & EPOLLIN) == 0 || on_readable(connection));
    if (good && (events & EPOLLOUT) != 0) {
        good = flush(connection);
        if (good && connection->is_busy && connection->request.interval_ms == 0) {
            connection_wait(connection);
        }
    }
    if (!good) {
        connection_close(connection);
    }
}

static void turn_wheel(void) {
    uint64_t now = now_us() / 1000;
    for (; upstream.now_ms < now; upstream.now_ms++) {
        struct connections *slot = &upstream.slots[(upstream.now_ms + 1) % SLOTS];
        while (!TAILQ_EMPTY(slot)) { /* each goes to a later slot, or nowhere */
            on_due(TAILQ_FIRST(slot), 1);
        }
    }
}

static void send_ready(void) {
    struct connection *last = TAILQ_LAST(&upstream.ready, connections), *each;
    while ((each = TAILQ_FIRST(&upstream.ready)) != NULL) {
        bool was_last = each == last;
        on_due(each, BURST);
        if (was_last) {
            break;
        }
    }
}

/* ---- the whole ---- */

static void serve(void) {
    struct epoll_event events[READY_MAX];
    while (true) {
        int patience = !TAILQ_EMPTY(&upstream.ready) ? 0 : upstream.turning > 0 ? 1 : -1;
        int count = epoll_wait(upstream.epoll, events, READY_MAX, patience);
        if (upstream.turning == 0) {
            upstream.now_ms = now_us() / 1000; /* nothing was due while it slept */
        }
        for (int i = 0; i < count; i++) {
            if (events[i].data.ptr == &upstream.signals) {
                return;
            }
            if (events[i].data.ptr == &upstream.listener) {
                on_accept();
            } else {
                on_event(events[i].data.ptr, events[i].events);
            }
        }
        turn_wheel(); /* may close connections, so not before their events */
        send_ready();
    }
}

static void begin(void) {
    TAILQ_INIT(&upstream.ready);
    for (unsigned i = 0; i < SLOTS; i++) {
        TAILQ_INIT(&upstream.slots[i]);
    }
    upstream.now_ms = now_us() / 1000;
    upstream.epoll = epoll_create1(EPOLL_CLOEXEC);
}

static bool listen_on(uint16_t port) {
    struct sockaddr_in address = { .sin_family = AF_INET,
                                   .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
                                   .sin_port = htons(port) };
    struct epoll_event on_listener = { .events = EPOLLIN, .data.ptr = &upstream.listener };
    struct epoll_event on_signal = { .events = EPOLLIN, .data.ptr = &upstream.signals };
    socklen_t size = sizeof(address);
    sigset_t signals;
    int yes = 1;
    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGINT);
    sigprocmask(SIG_BLOCK, &signals, NULL);
    upstream.signals = signalfd(-1, &signals, SFD_CLOEXEC);
    upstream.listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    setsockopt(upstream.listener, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes));
    if (bind(upstream.listener, (struct sockaddr *)&address, sizeof(address)) != 0 ||
        listen(upstream.listener, BACKLOG) != 0 ||
        getsockname(upstream.listener, (struct sockaddr *)&address, &size) != 0 ||
        epoll_ctl(upstream.epoll, EPOLL_CTL_ADD, upstream.listener, &on_listener) != 0 ||
        epoll_ctl(upstream.epoll, EPOLL_CTL_ADD, upstream.signals, &on_signal) != 0) {
        return false;
    }
    printf("listening on http://127.0.0.1:%u\n", ntohs(address.sin_port));
    return fflush(stdout) == 0;
}

int main(int argc, char **argv) {
    if (argc != 2) {
        fprintf(stderr, "usage: %s PORT\n", argv[0]);
        return 2;
    }
    begin();
    if (!listen_on((uint16_t)strtoul(argv[1], NULL, 10))) {
        perror("bench_chat_upstream");
        return 1;
    }
    serve();
    return 0; /* the connections end with the process */
}
