/* One wait: watched on the board, with a deadline, and whoever comes first ends it.
 *
 *   begun ──> the board, the deadlines or wait_cut take the lock ──> not awaited any more: the others are taken off, `done`
 *
 * The board and the deadlines each hold a reference while they have it; who takes it off them, or is called by them, gives
 * that one back. So a call that comes too late finds the wait still there, and nothing awaited. */
#include "engine/view/wait.h"

#include <assert.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "base/memory.h"
#include "engine/state.h"
#include "engine/task/holds.h"
#include "engine/view/board.h"
#include "engine/view/deadlines.h"

struct wait {
    atomic_uint references;
    pthread_mutex_t mutex; /* over `awaited`, and while `done` is called */
    bool awaited;
    bool limited; /* has had a deadline: it is not begun again */
    struct board *board;
    struct deadlines *deadlines;
    struct board_watch watch;
    struct deadline deadline;
    void (*done)(void *context);
    void *context;
};

static void unref(struct wait *wait, unsigned count) {
    if (count == 0 || atomic_fetch_sub_explicit(&wait->references, count, memory_order_acq_rel) != count)
        return;
    pthread_mutex_destroy(&wait->mutex);
    free(wait);
}

/* Under the lock. References to be given back. */
static unsigned take_off(struct wait *wait) {
    unsigned taken = board_unwatch(wait->board, &wait->watch) ? 1 : 0;
    if (deadlines_drop(wait->deadlines, &wait->deadline))
        taken++;
    return taken;
}

/* `own`: references of the caller, given back. */
static void finish(struct wait *wait, bool tell, unsigned own) {
    pthread_mutex_lock(&wait->mutex);
    bool awaited = wait->awaited;
    wait->awaited = false;
    unsigned taken = awaited ? take_off(wait) : 0;
    if (awaited && tell)
        wait->done(wait->context);
    pthread_mutex_unlock(&wait->mutex);
    unref(wait, own + taken);
}

static void changed(struct board_watch *watch) {
    finish(container_of(watch, struct wait, watch), true, 1);
}

static void time_is_over(struct deadline *deadline) {
    finish(container_of(deadline, struct wait, deadline), true, 1);
}

struct wait *wait_new(struct board *board, struct deadlines *deadlines, int64_t account, const struct task_id *id,
                      enum wait_for what, void (*done)(void *context), void *context) {
    struct wait *wait = mem_new(sizeof(*wait));
    atomic_init(&wait->references, 1);
    pthread_mutex_init(&wait->mutex, NULL);
    wait->board = board;
    wait->deadlines = deadlines;
    wait->watch.key = task_key(account, id);
    wait->watch.timeline = what == WAIT_FOR_TIMELINE;
    wait->watch.changed = changed;
    wait->done = done;
    wait->context = context;
    return wait;
}

struct wait *engine_wait_new(struct engine *engine, int64_t account, const struct task_id *id, enum wait_for what,
                             void (*done)(void *context), void *context) {
    return wait_new(engine->board, &engine->deadlines, account, id, what, done, context);
}

enum err engine_waiter_begin(struct engine *engine, int64_t account, unsigned most) {
    return holds_take_waiter(engine->holds, account, most);
}

void engine_waiter_end(struct engine *engine, int64_t account) {
    holds_give_waiter(engine->holds, account);
}

/* Under the lock; until it is free, who ends the wait cannot tell anybody yet. */
static bool begin(struct wait *wait, uint64_t seen, int64_t until_ms) {
    atomic_fetch_add_explicit(&wait->references, 1, memory_order_relaxed);
    if (!board_watch(wait->board, &wait->watch, seen)) {
        atomic_fetch_sub_explicit(&wait->references, 1, memory_order_relaxed);
        return false;
    }
    if (until_ms == 0)
        return true;
    assert(!wait->limited);
    wait->limited = true;
    atomic_fetch_add_explicit(&wait->references, 1, memory_order_relaxed);
    if (deadlines_set(wait->deadlines, &wait->deadline, until_ms, time_is_over))
        return true;
    unsigned taken = 1 + (board_unwatch(wait->board, &wait->watch) ? 1 : 0);
    atomic_fetch_sub_explicit(&wait->references, taken, memory_order_relaxed); /* the owner's is left */
    return false;
}

bool wait_begin(struct wait *wait, uint64_t seen, int64_t until_ms) {
    pthread_mutex_lock(&wait->mutex);
    assert(!wait->awaited);
    wait->awaited = begin(wait, seen, until_ms);
    bool begun = wait->awaited;
    pthread_mutex_unlock(&wait->mutex);
    return begun;
}

bool wait_is_awaited(struct wait *wait) {
    pthread_mutex_lock(&wait->mutex);
    bool awaited = wait->awaited;
    pthread_mutex_unlock(&wait->mutex);
    return awaited;
}

void wait_cut(struct wait *wait) {
    atomic_fetch_add_explicit(&wait->references, 1, memory_order_relaxed); /* its owner may go when `done` was called */
    finish(wait, true, 1);
}

void wait_end(struct wait *wait) {
    finish(wait, false, 0);
}

void wait_free(struct wait *wait) {
    if (wait != NULL)
        unref(wait, 1);
}
