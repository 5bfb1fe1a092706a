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
    bool closed;
    uv_async_t wake;
    struct engine *engine;
};

void inbox_init(struct inbox *inbox, struct engine *engine);
void inbox_fini(struct inbox *inbox);
/* Ties the inbox to a loop that does not run yet. Asserts that libuv finds the descriptor it needs. */
void inbox_open(struct inbox *inbox, uv_loop_t *loop);
/* Nothing is taken from here on; what waits is delivered. Engine's thread, outside of a delivery. */
void inbox_close(struct inbox *inbox);
/* False when the inbox is closed: the message is still the caller's. Any thread. */
bool inbox_post(struct inbox *inbox, struct message *message);
