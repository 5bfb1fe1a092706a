/* Waiting for a task to change, without holding a thread.
 *
 * A wait is begun with the version that its owner has seen, and ends by one call of `done`, whichever comes first: the task
 * has changed, the time is over, wait_cut, or the server stops. A wait without a time can be begun again after each `done`.
 *
 * Locks: the wait's own comes before those of board and deadlines, and `done` is called with it held; so wait_end and
 * wait_free can be sure that no call is under way. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/errors.h"
#include "base/id.h"
#include "core/task.h"

struct board;
struct deadlines;
struct engine;
struct wait;

/* How a task stands, and what a wait for its change begins with. */
struct task_look {
    enum task_state state;
    int progress;
    bool live;        /* it can be waited for */
    uint64_t version; /* another one whenever state or progress has changed */
    uint64_t latest;  /* another one then, and when its timeline has more */
};
/* From the board, else from the store. ERR_TASK_NOT_FOUND also for another account's task (S2). Any thread. */
enum err engine_look(struct engine *engine, int64_t account, const struct task_id *id, struct task_look *ret) must_check;

enum wait_for {
    WAIT_FOR_STATE,   /* state or progress: `seen` is a version */
    WAIT_FOR_TIMELINE /* or more in its timeline: `seen` is a latest */
};

/* `done` may come on any thread, or from within wait_cut, and must only pass the word on: http_resume, http_stream_wake. */
struct wait *engine_wait_new(struct engine *engine, int64_t account, const struct task_id *id, enum wait_for what,
                             void (*done)(void *context), void *context) must_check;
/* One more request of the account that waits: ERR_TOO_MANY_STREAMS over `most`. Any thread. */
enum err engine_waiter_begin(struct engine *engine, int64_t account, unsigned most) must_check;
void engine_waiter_end(struct engine *engine, int64_t account);
/* As above, over parts of the engine, for tests. */
struct wait *wait_new(struct board *board, struct deadlines *deadlines, int64_t account, const struct task_id *id,
                      enum wait_for what, void (*done)(void *context), void *context) must_check;
/* No `done` comes any more once this has returned. By its owner, not from within `done`; then it is freed by wait_free. */
void wait_end(struct wait *wait);
/* Without wait_end only if no `done` is awaited. May come from within what `done` has brought about, in the same call or on
 * another thread. NULL is fine. */
void wait_free(struct wait *wait);

/* True: `done` will come, or has. False: it will not, because the task is no longer as `seen` says, is final or not live, or
 * the server stops. `until_ms` is monotonic; 0: there is no limit but the server's stop. Any thread, one at a time. */
bool wait_begin(struct wait *wait, uint64_t seen, int64_t until_ms) must_check;
/* Whether `done` is still to come. Any thread. */
bool wait_is_awaited(struct wait *wait);
/* `done` comes now, unless it has come already or none is awaited. Any thread. */
void wait_cut(struct wait *wait);
