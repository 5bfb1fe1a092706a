/* One connection after the other, until the listening socket is shut down. */
#include "server.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests.h"

static void answer(struct server *server, int conn) {
    char request[4096], head[256];
    ssize_t got = read(conn, request, sizeof(request));
    if (got > 0)
        atomic_fetch_add(&server->requests, 1);
    pthread_mutex_lock(&server->stall); /* while it answers, what it answers with is not changed */
    if (got > 0) {
        int count = snprintf(head, sizeof(head), "HTTP/1.1 %d X\r\nContent-Length: %zu\r\nConnection: close\r\n\r\n",
                             server->status, server->len);
        if (send(conn, head, (size_t)count, MSG_NOSIGNAL) < 0 || send(conn, server->bytes, server->len, MSG_NOSIGNAL) < 0)
            (void)0; /* the client went */
    }
    pthread_mutex_unlock(&server->stall);
    close(conn);
}

static void *serve(void *context) {
    struct server *server = context;
    int conn;
    while ((conn = accept(server->fd, NULL, NULL)) >= 0)
        answer(server, conn);
    return NULL;
}

void server_open(struct server *server, int status, const void *bytes, size_t len) {
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t size = sizeof(address);
    *server = (struct server){ .status = status, .bytes = bytes, .len = len };
    pthread_mutex_init(&server->stall, NULL);
    server->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(server->fd, (struct sockaddr *)&address, size), 0);
    assert_int_equal(listen(server->fd, 16), 0);
    assert_int_equal(getsockname(server->fd, (struct sockaddr *)&address, &size), 0);
    snprintf(server->host_port, sizeof(server->host_port), "127.0.0.1:%d", ntohs(address.sin_port));
    assert_int_equal(pthread_create(&server->thread, NULL, serve, server), 0);
}

void server_stall(struct server *server, bool stall) {
    if (stall)
        pthread_mutex_lock(&server->stall);
    else
        pthread_mutex_unlock(&server->stall);
}

void server_close(struct server *server) {
    shutdown(server->fd, SHUT_RDWR);
    pthread_join(server->thread, NULL);
    close(server->fd);
    pthread_mutex_destroy(&server->stall);
}
