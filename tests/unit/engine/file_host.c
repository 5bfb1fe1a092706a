/* One connection after the other, until the listening socket is shut down. */
#include "file_host.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests.h"

static const char missing[] = "HTTP/1.1 404 X\r\nContent-Length: 4\r\n\r\nnone";

/* Under the mutex. */
static const char *find_page(struct file_host *host, const char *path, size_t *ret_len, bool *ret_holds) {
    for (unsigned i = 0; i < host->page_count; i++) {
        if (host->pages[i].over || strcmp(host->pages[i].path, path) != 0)
            continue;
        if (host->pages[i].times > 0)
            host->pages[i].over = --host->pages[i].times == 0;
        *ret_len = host->pages[i].len;
        *ret_holds = host->pages[i].holds;
        return host->pages[i].reply;
    }
    *ret_len = sizeof(missing) - 1;
    *ret_holds = false;
    return missing;
}

static bool hear(int conn, char *request, size_t size) {
    size_t len = 0;
    ssize_t more;
    while (len + 1 < size && (more = read(conn, request + len, size - 1 - len)) > 0) {
        len += (size_t)more;
        request[len] = '\0';
        if (strstr(request, "\r\n\r\n") != NULL)
            return true;
    }
    return false;
}

static void answer(struct file_host *host, int conn) {
    char request[4096], path[64] = "";
    size_t len;
    bool holds;
    if (hear(conn, request, sizeof(request))) {
        (void)sscanf(request, "GET %63[^? ]", path);
        pthread_mutex_lock(&host->mutex);
        host->asked++;
        snprintf(host->last, sizeof(host->last), "%s", request);
        const char *reply = find_page(host, path, &len, &holds);
        pthread_mutex_unlock(&host->mutex);
        for (ssize_t sent = 1; len > 0 && sent > 0; reply += sent, len -= (size_t)sent)
            if ((sent = send(conn, reply, len, MSG_NOSIGNAL)) < 0)
                break; /* the client went */
        if (holds)
            (void)!read(conn, request, sizeof(request));
        shutdown(conn, SHUT_WR);
    }
    close(conn);
}

static void *serve(void *context) {
    struct file_host *host = context;
    int conn;
    while ((conn = accept(host->fd, NULL, NULL)) >= 0)
        answer(host, conn);
    return NULL;
}

void file_host_open(struct file_host *host, const char *address) {
    struct sockaddr_in at = { .sin_family = AF_INET };
    socklen_t size = sizeof(at);
    memset(host, 0, sizeof(*host));
    pthread_mutex_init(&host->mutex, NULL);
    assert_int_equal(inet_pton(AF_INET, address, &at.sin_addr), 1);
    host->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(host->fd, (struct sockaddr *)&at, size), 0);
    assert_int_equal(listen(host->fd, 16), 0);
    assert_int_equal(getsockname(host->fd, (struct sockaddr *)&at, &size), 0);
    snprintf(host->host_port, sizeof(host->host_port), "%s:%d", address, ntohs(at.sin_port));
    assert_int_equal(pthread_create(&host->thread, NULL, serve, host), 0);
}

void file_host_close(struct file_host *host) {
    shutdown(host->fd, SHUT_RDWR);
    pthread_join(host->thread, NULL);
    close(host->fd);
    for (unsigned i = 0; i < host->page_count; i++)
        free(host->pages[i].reply);
    pthread_mutex_destroy(&host->mutex);
}

void file_host_say(struct file_host *host, const char *path, unsigned times, const char *reply, size_t len) {
    pthread_mutex_lock(&host->mutex);
    assert_true(host->page_count < FILE_HOST_PAGES_MAX);
    unsigned at = host->page_count++;
    snprintf(host->pages[at].path, sizeof(host->pages[at].path), "%s", path);
    host->pages[at].reply = malloc(len + 1);
    assert_non_null(host->pages[at].reply);
    memcpy(host->pages[at].reply, reply, len);
    host->pages[at].len = len;
    host->pages[at].times = times;
    pthread_mutex_unlock(&host->mutex);
}

void file_host_hold(struct file_host *host, const char *path, const char *reply, size_t len) {
    file_host_say(host, path, 1, reply, len);
    pthread_mutex_lock(&host->mutex);
    host->pages[host->page_count - 1].holds = true;
    pthread_mutex_unlock(&host->mutex);
}

void file_host_give(struct file_host *host, const char *path, const void *bytes, size_t len) {
    char *reply = malloc(len + 200);
    assert_non_null(reply);
    int head = snprintf(reply, 200, "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n", len);
    memcpy(reply + head, bytes, len);
    file_host_say(host, path, 0, reply, (size_t)head + len);
    free(reply);
}

unsigned file_host_asked(struct file_host *host) {
    pthread_mutex_lock(&host->mutex);
    unsigned asked = host->asked;
    pthread_mutex_unlock(&host->mutex);
    return asked;
}

bool file_host_heard(struct file_host *host, const char *words) {
    pthread_mutex_lock(&host->mutex);
    bool heard = strstr(host->last, words) != NULL;
    pthread_mutex_unlock(&host->mutex);
    return heard;
}
