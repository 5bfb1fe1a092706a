/* A client of plain sockets, which can do what a well-behaved one never would. */
#include "client.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests.h"

int dial(struct http_server *server) {
    struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons((uint16_t)http_server_port(server)) };
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_true(fd >= 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof to), 0);
    return fd;
}

void say(int fd, const char *words) {
    assert_int_equal(send(fd, words, strlen(words), MSG_NOSIGNAL), strlen(words));
}

int dial_and_say(struct http_server *server, const char *words) {
    int fd = dial(server);
    say(fd, words);
    return fd;
}

void hear(int fd, char *heard, size_t size, const char *last, int times) {
    size_t used = 0;
    heard[0] = '\0';
    for (;;) {
        int seen = 0;
        for (const char *at = heard; (at = strstr(at, last)) != NULL; at += strlen(last))
            seen++;
        if (seen >= times)
            return;
        ssize_t count = recv(fd, heard + used, size - 1 - used, 0);
        if (count < 0 && errno == EINTR) /* the process was stopped for a while */
            continue;
        if (count <= 0)
            return;
        used += (size_t)count;
        heard[used] = '\0';
    }
}

bool has_ended(int fd) {
    char rest[4096];
    ssize_t count;
    while ((count = recv(fd, rest, sizeof rest, 0)) > 0)
        continue;
    return true;
}

void await_connections(struct http_server *server, unsigned count) {
    while (http_server_counts(server).connections != count)
        usleep(1000);
}
