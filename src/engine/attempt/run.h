/* One attempt, from the slot it takes to the outcome it leaves.
 *
 *   begin (durable, T3) ──> PREPARING inputs ──> DRIVING ──> STORING artifacts (B1) ──> COMPLETED
 *                                │                 ↑ │ ↑          │
 *              an earlier life's ┼─────────────────┘ │ └ renewed ─┤
 *                                └───────────────────┴────────────┴──> retried, FAILED, or left to the next start
 *
 * What stops it early (cancel, deadline, the server's stop) is noted in `halt` and passed on to whatever stage it is in;
 * the stage's own end then decides by it. Engine's thread, except where stages hand work to the pool.
 *
 * run.c has its life; prepare.c makes ready what its driver needs, trail.c writes down what the driver tells on the way,
 * completion.c turns an output into results, failure.c decides what a failure means for the task. */
#pragma once

#include <stdint.h>
#include <sys/queue.h>

#include "base/arena.h"
#include "base/errors.h"
#include "net/alarms.h"
#include "provider/bridge.h"
#include "provider/driver.h"

struct artifact_store;
struct engine;
struct generation;
struct history;
struct input_files;
struct key_slot;
struct lane;
struct live_task;
struct path;

enum run_stage { RUN_BEGINNING, RUN_PREPARING, RUN_DRIVING, RUN_STORING, RUN_ENDED };
enum run_halt { RUN_GOES_ON, RUN_CANCELLED, RUN_GIVEN_UP, RUN_TIMED_OUT, RUN_ABANDONED };

struct run {
    struct attempt attempt; /* what the driver sees */
    struct engine *engine;
    struct live_task *task; /* NULL: it was ended without waiting for this attempt */
    struct lane *slot;
    struct key_slot *key; /* of a remote provider, taken; else NULL */
    struct generation *generation;
    const struct driver_ops *ops;
    struct driver *driver;
    enum run_stage stage;
    enum run_halt halt;
    bool resumes;         /* an earlier life began it */
    bool started;         /* the driver has had it */
    bool taken;           /* the service has the job */
    bool launched;        /* on its way there */
    bool input_is_small;
    bool input_kept;      /* for its results, though its service has the job */
    bool other_key;       /* resumed with another key than it began with, which is gone */
    uint32_t mark;        /* of its route, where that may be gone from the catalogue; else 0: see run_mark */
    uint8_t renewals;     /* times that fresh links were asked for */
    uint8_t notes;        /* lines its driver has put into the timeline */
    char *name;           /* of the task; the task may go first */
    char *work_directory; /* NULL: none was made */
    char *callback_url;
    char *remote, *kept;  /* of one that resumes, until its driver has it */
    struct json_t *input; /* NULL: not read, or dropped */
    struct input_files *files;
    struct json_t *output; /* of its driver, while the input is waited for; else NULL */
    struct model_results results; /* while STORING */
    struct artifact_store *artifacts;
    struct alarm deadline;
    struct alarm wait;            /* for the store: see run_wait */
    void (*step)(struct run *run); /* what comes then; NULL: it does not wait */
    uint8_t waits;                /* made so far */
    int progress;                 /* wanted by the driver */
    bool progress_busy;           /* one is on its way to the store */
    bool refreshing;              /* the driver was asked to refresh and has not answered */
    LIST_ENTRY(run) link;
};

/* A run that holds the slot and the key (NULL: none), not yet begun. */
struct run *run_new(struct engine *engine, struct live_task *task, struct lane *slot, const struct path *path,
                    struct key_slot *key) must_check;
/* A run that goes on after it has slept, at once with its driver's stage; the generation's reference is taken over. */
struct run *run_awake(struct engine *engine, struct live_task *task, struct generation *generation, struct lane *slot,
                      const struct path *path, struct key_slot *key) must_check;
/* Gone at once, and nobody is told; slot and key stay taken, and nothing of it is on the stack. */
void run_forget(struct run *run);
/* Its time is up after so many real milliseconds. */
void run_set_deadline(struct run *run, int64_t real_ms);
/* The attempt is durable: what move_post calls. */
void run_begin(struct engine *engine, struct live_task *task, enum err err, void *run);
/* It is no longer on its way to its service: another may be. */
void run_land(struct run *run);
/* Goes on with the attempt that `history` tells of, with the key that it began with or, when the service has named the
 * job, another one; the task is PROCESSING, its phase NEW. */
void run_resume(struct run *run, const struct history *history);
/* Ends it with RUN_CANCELLED. The task's phase is RUNNING. */
void run_cancel(struct run *run);
/* An operator has it given up: ends it with RUN_GIVEN_UP, and carries out the task's order. A service gets ORDER_MAX_MS to
 * stop. The task's phase is RUNNING. */
void run_give_up(struct run *run);
/* The server stops: ends it, and leaves the task as it is in the store. */
void run_abandon(struct run *run);

/* ---- for the stages ---- */

/* Makes ready what its driver needs, then run_drive, perhaps on a later turn of the loop or when the store can be read
 * again; or run_fail (prepare.c). */
void run_prepare(struct run *run);
/* Finds its driver, and gives it what only a remote service needs to know. */
enum err run_meet_driver(struct run *run, struct fault *fault) must_check;
/* All is ready: the driver has it from now on, unless it was stopped meanwhile. */
void run_drive(struct run *run);
/* Reads the input from the store, if it is not there. */
enum err run_load_input(struct run *run, struct fault *fault) must_check;
/* The service has the job: its driver sees the input no more. Where it is small and few are kept it stays for the results,
 * until the attempt sleeps or ends; else it is dropped, and read again for them. A hundred thousand inputs of jobs that run
 * elsewhere would be most of the memory. */
void run_put_input_by(struct run *run);
/* Gives its place among the kept ones back as well. None is fine. */
void run_drop_input(struct run *run);
/* Removes it, if there is one, as soon as nothing needs it: on a full disk its files may be what fills it, and then no end
 * could be written before they are gone. */
void run_drop_directory(struct run *run);
/* Makes the work directory if it is not there yet. */
enum err run_need_directory(struct run *run, struct fault *fault) must_check;
/* Asks the driver for the output once more, since its links have run out: true when it does, and the artifact store is
 * gone then. False: it cannot, or was asked twice already. Stage STORING. */
bool run_renew(struct run *run) must_check;
/* The output is there: results and artifacts follow (completion.c), at once or when the store can be read again. */
void run_complete(struct run *run, const struct outcome *outcome);
/* The attempt failed (failure.c). */
void run_fail_with(struct run *run, const struct outcome *outcome);
/* The same for what has nothing to do with a service. `message` is for the task's owner (NULL: default words), `detail`
 * for operators (may be NULL). */
void run_fail(struct run *run, enum task_error error, bool retryable, const char *message, const char *detail);
/* The task ends now; the attempt, whose driver cannot be stopped, keeps its slot until it has ended by itself. */
void run_detach(struct run *run);
/* The mark of its route, to which a further attempt is bound once a job was made (T4). 0: it takes none. */
uint32_t run_mark(const struct run *run);
/* `err` kept `step` from what it needs of the store or the disk: if that may pass, `step` is called again in a second, in the
 * same stage, unless something stops the attempt before. False: it does not pass, or has not for a minute. */
bool run_wait(struct run *run, enum err err, void (*step)(struct run *run)) must_check;
/* Takes the task off the run, so that it can be moved. */
struct live_task *run_take_task(struct run *run) must_check;
/* Gives slot and key back and frees the run, on another turn of the loop. The task is somebody else's already, or final. */
void run_end(struct run *run);
/* For move_post: ends the run given as context. */
void run_moved_away(struct engine *engine, struct live_task *task, enum err err, void *run);
