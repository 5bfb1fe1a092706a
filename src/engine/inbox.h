/* What other threads tell the engine's: a list under a mutex and one wake-up of the loop.
 *
 * Messages are delivered in the order posted. A message is embedded in the struct that it is about; posting allocates
 * nothing and cannot fail. Its growth is bounded by what posts: open tasks, requests in flight. */
#pragma once

#include <pthread.h>
#include <stdbool.h>
#include <sys/queue.h>

#include <uv.h>

#include "base/compiler.h"

struct engine;

struct message {
    void (*deliver)(struct engine *engine, struct message *message); /* engine's thread; owns the message from here */
    STAILQ_ENTRY(message) link;
};

struct inbox {
    pthread_mutex_t mutex;
    STAILQ_HEAD(message_list, message) messages;
    uv_async_t wake;
    struct engine *engine;
};

/* Prepares the inbox on a loop that does not run yet. Asserts that libuv finds the descriptor it needs. */
void inbox_init(struct inbox *inbox, uv_loop_t *loop, struct engine *engine);
/* After the loop was closed; nothing may be waiting. */
void inbox_fini(struct inbox *inbox);
/* Any thread. */
void inbox_post(struct inbox *inbox, struct message *message);
