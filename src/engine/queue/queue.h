/* Who runs next: limits per provider, group, account and key, and turns between accounts and between an account's keys.
 *
 *   provider ── ring of accounts ── ring of each one's keys ── first in, first out ──> tasks
 *
 * A provider takes the accounts in turn, and each account its keys, so that one's burst does not starve the others; and
 * the providers take turns, so that a burst at one does not keep the same account's tasks at another waiting. Who runs as
 * many tasks as it may gives its turns to the others until one of them ends. Live and test mode have places of their
 * own, each as if it were an account (and a group), and in each of them so have language models. Calls to these have
 * their places already. Over a limit a task waits; it is never refused here. Every step is O(1) in tasks, keys and
 * accounts. Engine's thread, but for the gauges. */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "engine/task/live.h"

struct lane;
struct queue_account;
struct queue_group;
struct queue_holder;
struct queue_provider;

/* Where a lane stands: every thread may read it, as long as it holds a reference. */
struct queue_gauge {
    atomic_uint references;
    atomic_uint_fast64_t head; /* sequence of the first task that waits */
};
struct queue_gauge *queue_gauge_ref(struct queue_gauge *gauge);
void queue_gauge_unref(struct queue_gauge *gauge); /* NULL is fine */
/* 1 is next. A task that left the lane from its middle counts until the head has passed it. Any thread. */
int64_t queue_gauge_position(struct queue_gauge *gauge, uint64_t sequence);

struct queue {
    struct queue_provider *providers;
    struct queue_account *accounts;
    struct queue_holder *holders; /* keys of accounts */
    struct queue_group *groups;
    struct queue_provider *turn; /* whose lane was picked last; NULL: none yet */
    uint64_t waiting, running;
};

void queue_init(struct queue *queue);
/* Tasks that still wait are not freed; no slot may be taken. */
void queue_fini(struct queue *queue);

/* Tasks that run at a time. */
struct queue_limits {
    unsigned provider, account; /* at least 1 is meant by 0 */
    unsigned key, group;        /* 0: no limit */
    const char *group_name;     /* whose limit `group` is; copied */
};

/* Puts the task at the end of its key's line for that provider; phase becomes QUEUED. The limits hold from now on. */
void queue_push(struct queue *queue, struct live_task *task, const char *provider, const struct queue_limits *limits);
/* While held, nothing is picked for the provider; the limit is kept. */
void queue_hold(struct queue *queue, const char *provider, bool held);
/* Calls `each` for every provider, and for every task that waits for it: `each` may take that one task out. */
void queue_each_provider(const struct queue *queue, void (*each)(const char *provider, void *context), void *context);
void queue_each_waiting(struct queue *queue, const char *provider,
                        void (*each)(struct live_task *task, void *context), void *context);
/* How many wait for the provider, and how many run there. */
void queue_count(const struct queue *queue, const char *provider, unsigned *ret_waiting, unsigned *ret_running);
/* Takes out a task that waits (cancel); phase becomes NEW. */
void queue_remove(struct queue *queue, struct live_task *task);
/* The next task that the limits let run, with a slot of its line taken; NULL when none may. Phase becomes NEW. */
struct live_task *queue_pick(struct queue *queue, struct lane **ret_slot);
/* A slot for a task that runs already, whatever the limits say. */
struct lane *queue_occupy(struct queue *queue, const struct live_task *task, const char *provider,
                          const struct queue_limits *limits) must_check;
/* The slot's task is on its way to a service, and has arrived there. Of each provider's, no more than QUEUE_LAUNCHES_MAX
 * are on their way at a time; the others wait here, where a crash cannot leave anybody in doubt about them (T3) and they
 * take little memory (S3). */
#define QUEUE_LAUNCHES_MAX 1024
void queue_launch(struct lane *slot);
void queue_land(struct lane *slot);
/* Gives a slot back. */
void queue_release(struct queue *queue, struct lane *slot);
/* A task that waits and was created before `cutoff_ms`, at the head of its lane; NULL when there is none. */
struct live_task *queue_overdue(const struct queue *queue, int64_t cutoff_ms);

/* The gauge of the task's lane, while it waits. */
struct queue_gauge *queue_gauge(const struct live_task *task);
const char *queue_slot_provider(const struct lane *slot);
/* Where the task waits. */
const char *queue_task_provider(const struct live_task *task);

/* New limits for all: asked once a provider (0: as before) and once an account that has a task waiting, for the limits of
 * account and group. */
void queue_relimit(struct queue *queue, unsigned (*provider_limit)(const char *provider, void *context),
                   void (*account_limits)(const struct live_task *waiting, struct queue_limits *ret, void *context),
                   void *context);
/* New limits for the keys that were not asked about since `generation`, `most` of them at once; false: there are more. */
bool queue_relimit_keys(struct queue *queue, uint64_t generation, unsigned most,
                        unsigned (*key_limit)(int64_t account, int64_t key, unsigned before, void *context),
                        void *context) must_check;
