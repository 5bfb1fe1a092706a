/* One attempt, from the slot it takes to the outcome it leaves.
 *
 *   begin (durable, T3) ──> PREPARING inputs ──> DRIVING ──> STORING artifacts (B1) ──> COMPLETED
 *                                │                  │              │
 *                                └──────────────────┴──────────────┴──> retried, FAILED, or left to the next start
 *
 * What stops it early (cancel, deadline, the server's stop) is noted in `halt` and passed on to whatever stage it is in;
 * the stage's own end then decides by it. Engine's thread, except where stages hand work to the pool. */
#pragma once

#include <stdint.h>
#include <sys/queue.h>

#include <uv.h>

#include "base/arena.h"
#include "base/errors.h"
#include "provider/bridge.h"
#include "provider/driver.h"

struct artifact_store;
struct engine;
struct generation;
struct input_files;
struct lane;
struct live_task;
struct path;

enum run_stage { RUN_BEGINNING, RUN_PREPARING, RUN_DRIVING, RUN_STORING, RUN_ENDED };
enum run_halt { RUN_GOES_ON, RUN_CANCELLED, RUN_TIMED_OUT, RUN_ABANDONED };

struct run {
    struct attempt attempt; /* what the driver sees */
    struct engine *engine;
    struct live_task *task; /* NULL: it was ended without waiting for this attempt */
    struct lane *slot;
    struct generation *generation;
    const struct driver_ops *ops;
    struct driver *driver;
    enum run_stage stage;
    enum run_halt halt;
    char *name;           /* of the task; the task may go first */
    char *work_directory; /* NULL: none was made */
    struct json_t *input;
    struct input_files *files;
    struct model_results results; /* while STORING */
    struct artifact_store *artifacts;
    uv_timer_t deadline;
    int progress; /* wanted by the driver */
    bool progress_busy; /* one is on its way to the store */
    LIST_ENTRY(run) link;
};

/* A run that holds the slot, not yet begun. */
struct run *run_new(struct engine *engine, struct live_task *task, struct lane *slot, const struct path *path)
    must_check;
/* The attempt is durable: what move_post calls. */
void run_begin(struct engine *engine, struct live_task *task, enum err err, void *run);
/* Ends it with RUN_CANCELLED. The task's phase is RUNNING. */
void run_cancel(struct run *run);
/* The server stops: ends it, and leaves the task as it is in the store. */
void run_abandon(struct run *run);

/* ---- for the stages ---- */

/* Makes the work directory if it is not there yet. */
enum err run_need_directory(struct run *run, struct fault *fault) must_check;
/* The attempt failed. `message` is for the task's owner (NULL: default words), `detail` for operators (may be NULL). */
void run_fail(struct run *run, enum task_error error, bool retryable, const char *message, const char *detail);
