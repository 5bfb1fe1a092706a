/* The sender of callbacks: what is due in the store is sent, by turns, until it is delivered or given up (W1).
 *
 *   due in the store ──> look (pool): rows, bodies, signatures ──> delivery (loop): the request ──> its outcome, durable
 *                          ▲                                                                           │
 *                          └────────────── turns (loop): lanes that are due and have a place <─────────┘
 *
 * A lane is an account's receiver: scheme, host and port. It has places of its own and a circuit breaker, so that a dead or
 * slow receiver delays nobody else; an account has places, too. In memory there are lanes, bounded in number, and the
 * deliveries that are being tried; thousands that wait are rows of the store and nothing else.
 *
 * It lives on the loop of the engine's thread. "Loop" below means: that thread, or before it runs. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "base/buffer.h"
#include "base/id.h"
#include "core/breaker.h"
#include "store/callback.h"

struct callbacks;
struct uv_loop_s;

struct callbacks_options {
    struct store *store;
    const char *const *allow; /* "host:port" pairs exempt from the guard (S1); copied */
    unsigned allow_count;
    /* Appends what the task query answers; ERR_TASK_NOT_FOUND: the task is gone. Pool. */
    enum err (*render)(void *context, int64_t account, const struct task_id *task, struct text base,
                       struct buffer *body);
    void *context;

    /* 0: the usual. */
    unsigned running_max;      /* tries at a time; 512 */
    unsigned lane_running_max; /* of these, to one receiver of one account; 8 */
    unsigned account_running_max; /* of these, of one account; 64 */
    unsigned lanes_max;           /* known at a time; 16384 */
    int64_t timeout_ms;           /* of a try; 10 s */
    int64_t scan_period_ms;       /* between two looks for what nobody told us of; 30 s */
    int64_t open_before_late_ms;  /* a circuit open for so long gives up what is past its deadline; an hour */
    struct breaker_policy breaker; /* failures_max 0: five in a row, ten seconds to ten minutes */
};

/* Begins to send once the loop runs. Loop. */
struct callbacks *callbacks_new(struct uv_loop_s *loop, const struct callbacks_options *options) must_check;
/* Replaces the exempt pairs. Loop. */
void callbacks_allow(struct callbacks *callbacks, const char *const *pairs, unsigned count);
/* Begins no more tries; `idle` comes when none is under way and all outcomes are written, perhaps from within. Loop. */
void callbacks_stop(struct callbacks *callbacks, void (*idle)(void *context), void *context);
/* After that, when it takes too long: cuts the tries that run (they will be made again), and gives up what the store does
 * not take. Loop. */
void callbacks_cut(struct callbacks *callbacks);
/* Once idle, or before the loop ever ran: closes what is on the loop. Loop. NULL is fine. */
void callbacks_close(struct callbacks *callbacks);
/* When the loop is over and no other thread asks any more. NULL is fine. */
void callbacks_free(struct callbacks *callbacks);

/* ---- any thread, from callbacks_new to callbacks_free ---- */

/* W1: the task's client has not been answered yet; between the two no callback of it is sent. */
void callbacks_hold(struct callbacks *callbacks, int64_t account, const struct task_id *task);
void callbacks_release(struct callbacks *callbacks, int64_t account, const struct task_id *task);
/* The task's callback is due, durably. */
void callbacks_due(struct callbacks *callbacks, int64_t account, const struct task_id *task);
/* A delivery is due because somebody wants it now: its receiver gets another chance at once. */
void callbacks_hurry(struct callbacks *callbacks, int64_t account, struct text id);

/* Who waits for the outcome of a delivery's next try; the caller keeps it until `done`, which comes exactly once: on the
 * loop, or from within callbacks_watch when the sender has stopped. It comes without an outcome after 15 s. */
struct callback_watch {
    int64_t account;
    char id[CALLBACK_ID_SIZE];
    void (*done)(struct callback_watch *watch);
    LIST_ENTRY(callback_watch) link; /* the sender's, as all below */
    int64_t until_ms;
};
void callbacks_watch(struct callbacks *callbacks, struct callback_watch *watch);

struct callbacks_counts {
    uint64_t tries, failed, delivered, given_up; /* so far; failed: tries */
    uint64_t due, running, lanes, open;          /* now; open: receivers that are left alone for a while */
};
struct callbacks_counts callbacks_counts(struct callbacks *callbacks);
