/* A store job whose outcome comes back to the engine's thread.
 *
 * A stubborn one is tried again, with growing pauses, as long as the store fails for reasons of the machine (a full
 * disk, a read-only directory): a task whose state cannot be written waits, it is not lost.
 *
 * Those of one task are posted one after the other, each when the one before it has ended: however long that stalls, what a
 * service said of a job is in the store before the end of the attempt is (T3, T4). Other tasks' go on. */
#pragma once

#include <stdbool.h>

#include "net/inbox.h"
#include "store/store.h"

struct live_task;
struct store_tx;

struct commit {
    struct store_job job;
    struct message message;
    struct engine *engine;
    bool stubborn;
    unsigned patience_ms; /* of its job: nobody waits for it */
    bool synced_later;    /* of its job: nothing rests on it */
    struct live_task *task; /* comes after what was posted for that task before, and before its record goes; NULL: of none */
    struct commit *next;    /* the one of its task that waits for this one's end */
    enum err err;
    void (*run)(struct store_tx *tx, struct commit *commit);                      /* writer's thread; may come again */
    void (*then)(struct engine *engine, struct commit *commit, enum err err); /* engine's thread; owns the commit */
    STAILQ_ENTRY(commit) stalled_link;
};
STAILQ_HEAD(commit_list, commit);

/* Engine's thread. */
void commit_post(struct engine *engine, struct commit *commit);
/* Nothing is written: `then` comes, with OK, on the loop's next turn. Engine's thread. */
void commit_skip(struct engine *engine, struct commit *commit);
/* What skips has to be made ready with the loop, and is closed with it. */
void commit_open(struct engine *engine);
void commit_close(struct engine *engine);
/* The stalled ones are tried a last time; from here on `then` gets every error. Engine's thread, at the stop. */
void commit_give_up(struct engine *engine);
/* Whether the store failed for a reason that may pass. Pure. */
bool commit_may_pass(enum err err);
