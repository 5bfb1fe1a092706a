/* What the queue tells of itself: who waits and since when, how many run, and where. */
#include "engine/queue/queue.h"

#include <assert.h>

#include "engine/queue/inside.h"

void queue_each_provider(const struct queue *queue, void (*each)(const char *provider, void *context), void *context) {
    for (struct queue_provider *provider = queue->providers; provider != NULL; provider = provider->hh.next)
        each(provider->name, context);
}

void queue_each_waiting(struct queue *queue, const char *name, void (*each)(struct live_task *task, void *context),
                        void *context) {
    struct queue_holder *holder, *next_holder;
    HASH_ITER(hh, queue->holders, holder, next_holder) {
        struct lane *lane;
        LIST_FOREACH(lane, &holder->lanes, link)
            if (strcmp(lane->share->provider->name, name) == 0)
                break;
        struct live_task *task = lane != NULL ? TAILQ_FIRST(&lane->waiting) : NULL;
        while (task != NULL) { /* the lane goes with the last one that is taken out */
            struct live_task *next = TAILQ_NEXT(task, link);
            each(task, context);
            task = next;
        }
    }
}

void queue_count(const struct queue *queue, const char *name, unsigned *ret_waiting, unsigned *ret_running) {
    *ret_waiting = *ret_running = 0;
    for (const struct queue_holder *holder = queue->holders; holder != NULL; holder = holder->hh.next) {
        const struct lane *lane;
        const struct live_task *task;
        LIST_FOREACH(lane, &holder->lanes, link) {
            if (strcmp(lane->share->provider->name, name) != 0)
                continue;
            *ret_running += lane->running;
            TAILQ_FOREACH(task, &lane->waiting, link)
                ++*ret_waiting;
        }
    }
}

struct live_task *queue_overdue(const struct queue *queue, int64_t cutoff_ms) {
    for (const struct queue_holder *holder = queue->holders; holder != NULL; holder = holder->hh.next) {
        struct lane *lane;
        LIST_FOREACH(lane, &holder->lanes, link) {
            struct live_task *task = TAILQ_FIRST(&lane->waiting);
            if (task != NULL && task->created_ms < cutoff_ms)
                return task;
        }
    }
    return NULL;
}

struct queue_gauge *queue_gauge(const struct live_task *task) {
    assert(task->phase == LIVE_QUEUED);
    return task->lane->gauge;
}

const char *queue_task_provider(const struct live_task *task) {
    assert(task->phase == LIVE_QUEUED);
    return task->lane->share->provider->name;
}

const char *queue_slot_provider(const struct lane *slot) {
    return slot->share->provider->name;
}
