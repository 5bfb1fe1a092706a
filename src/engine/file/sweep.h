/* The sweeper: removes artifacts and uploaded files whose time is over, blobs that nobody claims, the chunks of answers
 * that nobody may read any more, and idempotency keys that are free again.
 *
 * One turn at a time, on the pool. The row goes first, in a transaction, then the blob if no other row claims it; a
 * crash in between leaves a blob without a claim, which a later look through all blobs finds. A blob is found
 * unclaimed and removed in one step of the blob store's, so that none goes between its claim's commit and the look. */
#pragma once

#include <stdbool.h>

struct blob;
struct engine;
struct sweep;

/* Makes and frees what engine->sweep is; it lives as long as the engine. */
void sweep_init(struct engine *engine);
void sweep_free(struct engine *engine);
/* Engine's thread, as all below. */
void sweep_start(struct engine *engine);
/* Makes a running turn end early, and begins no other. */
void sweep_stop(struct engine *engine);
/* Once no turn runs: closes the timer. */
void sweep_close(struct engine *engine);

/* A blob that probably nobody claims; it is looked at in the next turn. The list is bounded: when it overflows, the next
 * turn looks through all. Any thread. */
void sweep_suspect(struct engine *engine, const char *hash);
/* Unpins a blob, or frees a small one, after a row was written that claims it, or was not: then it is suspected. Any
 * thread. */
void sweep_let_go(struct engine *engine, struct blob *blob, bool claimed);
