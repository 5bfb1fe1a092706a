/* A web server of a few lines on the loopback, for what the engine fetches: every GET is answered with the same bytes. */
#pragma once

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

struct server {
    int fd;
    pthread_t thread;
    char host_port[32];
    const char *bytes;
    size_t len;
    int status;
    pthread_mutex_t stall; /* held while it answers nobody */
    atomic_uint requests;  /* received */
};

void server_open(struct server *server, int status, const void *bytes, size_t len);
/* Connections are taken, but not answered. */
void server_stall(struct server *server, bool stall);
void server_close(struct server *server);
