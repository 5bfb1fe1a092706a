/* A store job whose outcome comes back to the engine's thread.
 *
 * A stubborn one is tried again, with growing pauses, as long as the store fails for reasons of the machine (a full
 * disk, a read-only directory): a task whose state cannot be written waits, it is not lost. */
#pragma once

#include <stdbool.h>

#include "net/inbox.h"
#include "store/store.h"

struct store_tx;

struct commit {
    struct store_job job;
    struct message message;
    struct engine *engine;
    bool stubborn;
    unsigned patience_ms; /* of its job: nobody waits for it */
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
/* Gives the stalled ones up: their `then` gets the error. Engine's thread, at the stop. */
void commit_give_up(struct engine *engine);
/* Whether the store failed for a reason that may pass. Pure. */
bool commit_may_pass(enum err err);
