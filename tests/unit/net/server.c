/* The test server; errors of a peer that went away are its daily bread and ignored. */
#include "server.h"

#include <arpa/inet.h>
#include <assert.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/memory.h"

#define CONNECTIONS_MAX 512

struct server {
    int listen_fd;
    int stop_fd; /* readable once the server stops */
    unsigned port;
    pthread_t acceptor;
    pthread_mutex_t mutex;
    pthread_t threads[CONNECTIONS_MAX];
    pthread_cond_t changed;
    int step_fd; /* counts the pieces asked for */
    unsigned connections, requests, gone;
    char bodies[4096];
};

struct connection {
    struct server *server;
    int fd;
    struct buffer in;
    unsigned requests;
    char request[16384];
    char path[4096];
};

static void send_all(struct connection *conn, struct text bytes) {
    while (bytes.len > 0) {
        ssize_t sent = send(conn->fd, bytes.ptr, bytes.len, MSG_NOSIGNAL);
        if (sent <= 0) {
            return;
        }
        bytes = (struct text){ bytes.ptr + sent, bytes.len - (size_t)sent };
    }
}

static void reply(struct connection *conn, int status, const char *more_headers, struct text body) {
    char head[8192];
    int length = snprintf(head, sizeof head,
        "HTTP/1.1 %d Whatever\r\nContent-Type: text/plain\r\n%sContent-Length: %zu\r\n\r\n", status, more_headers,
        body.len);
    send_all(conn, (struct text){ head, (size_t)length });
    send_all(conn, body);
}

/* A header, so many bytes, and the end of the connection. */
static bool send_and_close(struct connection *conn, struct text head, size_t count) {
    char *bytes = mem_new(count + 1);
    memset(bytes, 'x', count);
    send_all(conn, head);
    send_all(conn, (struct text){ bytes, count });
    free(bytes);
    return false;
}

static void reply_bytes(struct connection *conn, int status, size_t count, bool chunked) {
    char *bytes = mem_new(count + 1);
    memset(bytes, 'x', count);
    if (!chunked) {
        reply(conn, status, "", (struct text){ bytes, count });
    } else {
        char size[32];
        int length = snprintf(size, sizeof size, "%zx\r\n", count);
        send_all(conn, TEXT("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"));
        send_all(conn, (struct text){ size, (size_t)length });
        send_all(conn, (struct text){ bytes, count });
        send_all(conn, TEXT("\r\n0\r\n\r\n"));
    }
    free(bytes);
}

/* Waits for the descriptor; false: the server stops. */
static bool await(struct server *server, int fd, short events) {
    struct pollfd fds[2] = { { .fd = fd, .events = events }, { .fd = server->stop_fd, .events = POLLIN } };
    return poll(fds, 2, -1) > 0 && fds[1].revents == 0;
}

/* Nothing more is sent until the peer goes away or the server stops. */
static bool stay_silent(struct connection *conn) {
    await(conn->server, conn->fd, POLLIN | POLLRDHUP);
    return false;
}

/* Never silent, and never done. */
static bool trickle(struct connection *conn) {
    struct pollfd fds[2] = { { .fd = conn->fd, .events = POLLIN | POLLRDHUP },
        { .fd = conn->server->stop_fd, .events = POLLIN } };
    send_all(conn, TEXT("HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n"));
    while (poll(fds, 2, 100) == 0) {
        send_all(conn, TEXT("x"));
    }
    return false;
}

static void note_body(struct connection *conn) {
    pthread_mutex_lock(&conn->server->mutex);
    const char *body = strstr(conn->request, "\r\n\r\n") + 4;
    snprintf(conn->server->bodies + strlen(conn->server->bodies),
        sizeof conn->server->bodies - strlen(conn->server->bodies), "%s;", body);
    pthread_mutex_unlock(&conn->server->mutex);
}

static void note_gone(struct server *server) {
    pthread_mutex_lock(&server->mutex);
    server->gone++;
    pthread_cond_broadcast(&server->changed);
    pthread_mutex_unlock(&server->mutex);
}

/* A piece for each server_step, until the client goes. */
static bool step(struct connection *conn) {
    struct pollfd fds[3] = { { .fd = conn->fd, .events = POLLIN | POLLRDHUP },
        { .fd = conn->server->stop_fd, .events = POLLIN }, { .fd = conn->server->step_fd, .events = POLLIN } };
    eventfd_t ignored;
    send_all(conn, TEXT("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"));
    while (poll(fds, 3, -1) > 0 && fds[0].revents == 0 && fds[1].revents == 0) {
        eventfd_read(conn->server->step_fd, &ignored);
        send_all(conn, TEXT("5\r\npiece\r\n"));
    }
    note_gone(conn->server);
    return false;
}

/* It rests until a server_step, and is told then that it rested too long, in two pieces. */
static bool farewell(struct connection *conn) {
    eventfd_t ignored;
    reply(conn, 200, "", TEXT("hello"));
    static const struct text pieces[] = {
        TEXT("HTTP/1.1 408 Request Timeout\r\nConnection: close\r\nContent-Length: 4\r\n\r\n"), TEXT("late")
    };
    for (size_t i = 0; i < ARRAY_SIZE(pieces) && await(conn->server, conn->server->step_fd, POLLIN); i++) {
        eventfd_read(conn->server->step_fd, &ignored);
        send_all(conn, pieces[i]);
        note_gone(conn->server);
    }
    return false;
}

static bool answer_redirect(struct connection *conn, const char *code_and_target, struct text body) {
    char header[5000];
    const char *target = strchr(code_and_target, '?');
    snprintf(header, sizeof header, "Location: %s\r\n", target + 1);
    reply(conn, atoi(code_and_target), header, body);
    return true;
}

static bool answer_big_headers(struct connection *conn) {
    send_all(conn, TEXT("HTTP/1.1 200 OK\r\n"));
    for (int i = 0; i < 100; i++) {
        char line[1100] = "X-Filler: ";
        memset(line + 10, 'y', 1000);
        memcpy(line + 1010, "\r\n", 3);
        send_all(conn, text_of(line));
    }
    send_all(conn, TEXT("Content-Length: 0\r\n\r\n"));
    return true;
}

static bool answer_reset(struct connection *conn) {
    const struct linger at_once = { .l_onoff = 1, .l_linger = 0 };
    setsockopt(conn->fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    return false;
}

/* Answers one request; false: the connection is to be closed. */
static bool answer(struct connection *conn) {
    const char *path = conn->path;
    size_t count = strrchr(path, '/') != NULL ? (size_t)atoll(strrchr(path, '/') + 1) : 0;
#define IS(prefix) (strncmp(path, prefix, strlen(prefix)) == 0)
    if (IS("/echo")) {
        reply(conn, 200, "X-Twice: first\r\nx-twice: second\r\n", text_of(conn->request));
    } else if (IS("/status/")) {
        reply(conn, (int)count, "", count == 304 ? TEXT("") : TEXT("an error body"));
    } else if (IS("/bytes/")) {
        reply_bytes(conn, 200, count, false);
    } else if (IS("/error-bytes/")) {
        reply_bytes(conn, 500, count, false);
    } else if (IS("/chunked/")) {
        reply_bytes(conn, 200, count, true);
    } else if (IS("/announce/")) {
        char head[128];
        int length = snprintf(head, sizeof head, "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n0123456789", count);
        send_all(conn, (struct text){ head, (size_t)length });
        return stay_silent(conn);
    } else if (IS("/promise/")) {
        char head[128];
        int length = snprintf(head, sizeof head, "HTTP/1.1 %d X\r\nContent-Length: %s\r\n\r\n",
            atoi(path + strlen("/promise/")), strrchr(path, '/') + 1);
        send_all(conn, (struct text){ head, (size_t)length });
        return stay_silent(conn);
    } else if (IS("/truncated-chunk")) {
        send_all(conn, TEXT("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nabcde\r\n64\r\nabc"));
        return false;
    } else if (IS("/truncated")) {
        send_all(conn, TEXT("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n0123456789"));
        return false;
    } else if (IS("/reset")) {
        return answer_reset(conn);
    } else if (IS("/garbage")) {
        send_all(conn, TEXT("this is no HTTP\r\n\r\n"));
        return false;
    } else if (IS("/silent")) {
        return stay_silent(conn);
    } else if (IS("/drip")) {
        send_all(conn, TEXT("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n0"));
        return stay_silent(conn);
    } else if (IS("/trickle")) {
        return trickle(conn);
    } else if (IS("/loop")) {
        reply(conn, 302, "Location: /loop\r\n", TEXT("again"));
    } else if (IS("/big-headers")) {
        return answer_big_headers(conn);
    } else if (IS("/folded")) {
        send_all(conn, TEXT("HTTP/1.1 200 OK\r\n X-Of: nothing\r\nContent-Length: 5\r\n\r\nhello"));
    } else if (IS("/only-hints")) {
        send_all(conn, TEXT("HTTP/1.1 103 Early Hints\r\nX-Early: yes\r\n\r\n"));
        return false;
    } else if (IS("/beyond")) {
        return send_and_close(conn, TEXT("HTTP/2 1429 Whatever\r\n\r\n"), 5);
    } else if (IS("/switches/")) {
        return send_and_close(conn, TEXT("HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n"), count);
    } else if (IS("/hints")) {
        send_all(conn, TEXT("HTTP/1.1 103 Early Hints\r\nX-Early: yes\r\n\r\n"));
        reply(conn, 200, "X-Late: yes\r\n", TEXT("hello"));
    } else if (IS("/mortal") && conn->requests > 1) {
        return false;
    } else if (IS("/dies/") && conn->requests > 1) {
        note_body(conn);
        return false;
    } else if (IS("/dies/")) {
        note_body(conn);
        reply(conn, 200, "", TEXT("hello"));
    } else if (IS("/step")) {
        return step(conn);
    } else if (IS("/farewell")) {
        return farewell(conn);
    } else if (IS("/redirect/")) {
        return answer_redirect(conn, path + strlen("/redirect/"), TEXT(""));
    } else if (IS("/redirect-body/")) {
        return answer_redirect(conn, path + strlen("/redirect-body/"), TEXT("<html>see there</html>"));
    } else {
        reply(conn, 200, "", strncmp(conn->request, "HEAD", 4) == 0 ? TEXT("") : TEXT("hello"));
    }
#undef IS
    return true;
}

/* Reads until the buffer holds `count` bytes; false at the end. */
static bool read_up_to(struct connection *conn, size_t count) {
    while (conn->in.len < count) {
        if (!await(conn->server, conn->fd, POLLIN) || !buffer_reserve(&conn->in, 4096)) {
            return false;
        }
        ssize_t received = recv(conn->fd, conn->in.data + conn->in.len, 4096, 0);
        if (received <= 0) {
            return false;
        }
        conn->in.len += (size_t)received;
        conn->in.data[conn->in.len] = '\0';
    }
    return true;
}

/* One whole request into conn->request, its target into conn->path. */
static bool read_request(struct connection *conn) {
    const char *end;
    while (conn->in.len == 0 || (end = strstr(conn->in.data, "\r\n\r\n")) == NULL) {
        if (!read_up_to(conn, conn->in.len + 1)) {
            return false;
        }
    }
    const char *length = strcasestr(conn->in.data, "\r\nContent-Length:");
    size_t body = length != NULL && length < end ? (size_t)atoll(length + 17) : 0;
    size_t total = (size_t)(end - conn->in.data) + 4 + body;
    assert(total < sizeof conn->request);
    if (!read_up_to(conn, total)) {
        return false;
    }
    memcpy(conn->request, conn->in.data, total);
    conn->request[total] = '\0';
    buffer_consume(&conn->in, total);
    return sscanf(conn->request, "%*s %4095s", conn->path) == 1;
}

static void *serve(void *context) {
    struct connection *conn = context;
    struct server *server = conn->server;
    bool open = true;
    while (open && read_request(conn)) {
        conn->requests++;
        pthread_mutex_lock(&server->mutex);
        server->requests++;
        pthread_mutex_unlock(&server->mutex);
        open = answer(conn);
    }
    close(conn->fd);
    buffer_fini(&conn->in);
    free(conn);
    return NULL;
}

static void *accept_all(void *context) {
    struct server *server = context;
    while (await(server, server->listen_fd, POLLIN)) {
        struct connection *conn = mem_new(sizeof *conn);
        conn->server = server;
        conn->fd = accept(server->listen_fd, NULL, NULL);
        buffer_init(&conn->in, 1 << 20);
        assert(conn->fd >= 0);
        pthread_mutex_lock(&server->mutex);
        assert(server->connections < CONNECTIONS_MAX);
        pthread_create(&server->threads[server->connections++], NULL, serve, conn);
        pthread_mutex_unlock(&server->mutex);
    }
    return NULL;
}

struct server *server_start(void) {
    struct server *server = mem_new(sizeof *server);
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t length = sizeof address;
    server->listen_fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    server->stop_fd = eventfd(0, EFD_CLOEXEC);
    server->step_fd = eventfd(0, EFD_CLOEXEC | EFD_SEMAPHORE);
    int bound = bind(server->listen_fd, (struct sockaddr *)&address, sizeof address);
    assert(bound == 0 && listen(server->listen_fd, 128) == 0);
    getsockname(server->listen_fd, (struct sockaddr *)&address, &length);
    server->port = ntohs(address.sin_port);
    pthread_mutex_init(&server->mutex, NULL);
    pthread_cond_init(&server->changed, NULL);
    pthread_create(&server->acceptor, NULL, accept_all, server);
    return server;
}

void server_stop(struct server *server) {
    eventfd_write(server->stop_fd, 1);
    pthread_join(server->acceptor, NULL);
    for (unsigned i = 0; i < server->connections; i++) {
        pthread_join(server->threads[i], NULL);
    }
    close(server->listen_fd);
    close(server->stop_fd);
    close(server->step_fd);
    pthread_cond_destroy(&server->changed);
    pthread_mutex_destroy(&server->mutex);
    free(server);
}

unsigned server_port(const struct server *server) {
    return server->port;
}

unsigned server_connections(struct server *server) {
    pthread_mutex_lock(&server->mutex);
    unsigned count = server->connections;
    pthread_mutex_unlock(&server->mutex);
    return count;
}

unsigned server_requests(struct server *server) {
    pthread_mutex_lock(&server->mutex);
    unsigned count = server->requests;
    pthread_mutex_unlock(&server->mutex);
    return count;
}

void server_bodies(struct server *server, char *ret, size_t size) {
    pthread_mutex_lock(&server->mutex);
    snprintf(ret, size, "%s", server->bodies);
    pthread_mutex_unlock(&server->mutex);
}

void server_step(struct server *server) {
    eventfd_write(server->step_fd, 1);
}

void server_await_gone(struct server *server, unsigned count) {
    pthread_mutex_lock(&server->mutex);
    while (server->gone < count) {
        pthread_cond_wait(&server->changed, &server->mutex);
    }
    pthread_mutex_unlock(&server->mutex);
}
