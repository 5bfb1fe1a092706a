/* A host of files on the loopback that says, byte by byte, what it was told to say: broken answers, redirects, links that
 * run out. It notes what it was asked. */
#pragma once

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>

#define FILE_HOST_PAGES_MAX 64

struct file_host {
    int fd;
    pthread_t thread;
    char host_port[32];
    pthread_mutex_t mutex; /* guards all below */
    struct {
        char path[64];
        char *reply;
        size_t len;
        unsigned times; /* that it is still said; 0: for ever */
        bool over, holds;
    } pages[FILE_HOST_PAGES_MAX];
    unsigned page_count;
    unsigned asked;
    char last[4096]; /* the last request's header */
};

/* Listens on "127.0.0.1", "127.0.0.2", … at any free port. */
void file_host_open(struct file_host *host, const char *address);
void file_host_close(struct file_host *host);
/* What it says to a GET of `path`, as it is: header, body, and the connection's end. Several for one path follow each other,
 * each said `times` times (0: for ever). What has no page is 404. */
void file_host_say(struct file_host *host, const char *path, unsigned times, const char *reply, size_t len);
/* The same once, and then nothing, until the client has gone: all others wait. */
void file_host_hold(struct file_host *host, const char *path, const char *reply, size_t len);
/* As above: 200 with a length and these bytes. */
void file_host_give(struct file_host *host, const char *path, const void *bytes, size_t len);
unsigned file_host_asked(struct file_host *host);
/* Whether the last request's header has these words. */
bool file_host_heard(struct file_host *host, const char *words);
