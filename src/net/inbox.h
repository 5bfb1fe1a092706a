/* What other threads tell the thread of a loop: a list under a mutex and one wake-up of the loop.
 *
 * Messages are delivered in the order posted. A message is embedded in the struct that it is about; posting allocates
 * nothing and cannot fail. Its growth is bounded by what posts: open tasks, requests in flight. */
#pragma once

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <sys/queue.h>

#include <uv.h>

#include "base/compiler.h"
#include "base/errors.h"

struct message {
    void (*deliver)(void *owner, struct message *message); /* the loop's thread; has the message from here */
    STAILQ_ENTRY(message) link;
};

struct inbox {
    pthread_mutex_t mutex;
    STAILQ_HEAD(message_list, message) messages;
    bool closed;
    bool signalled; /* since messages were last taken */
    int wake_fd; /* an eventfd, which the loop watches; below 0: not open */
    uv_poll_t wake;
    atomic_uint signallers; /* who have left the lock and are still to write to wake_fd, if need be */
    void *owner; /* whose messages these are */
};

void inbox_init(struct inbox *inbox, void *owner);
void inbox_fini(struct inbox *inbox);
/* Ties the inbox to a loop, which does not run yet or is the caller's, by a descriptor of its own. ERR_IO: there is none to
 * be had; the inbox is as before. */
enum err inbox_open(struct inbox *inbox, uv_loop_t *loop, struct fault *fault) must_check;
/* Nothing is taken from here on; what waits is delivered. The loop's thread, outside of a delivery. Its memory is in use
 * until the loop has run its closing callbacks. One that is not open stays so. */
void inbox_close(struct inbox *inbox);
/* False when the inbox is closed: the message is still the caller's. Any thread. */
bool inbox_post(struct inbox *inbox, struct message *message);
/* What the calling thread posts until it calls this with false wakes a loop once: then, or when it posts to another inbox; and not
 * at all where another thread's message has made the loop take it. inbox_close waits for the end of it, which must be near: a
 * thread that gathers neither closes an inbox nor waits for a loop. Not nested. */
void inbox_gather(bool begins);
