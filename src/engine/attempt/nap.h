/* Attempts that sleep: a job elsewhere that is not asked about for seconds is a small record meanwhile.
 *
 * A hundred thousand tasks may be at their services at a time, and nearly all of them only wait. Of such a one slot, key and
 * setup stay taken, and what its driver knows is packed; the attempt itself is made again from these, as it was, when its
 * next question or its deadline is due, or when anybody wants something of it. Engine's thread. */
#pragma once

#include "base/compiler.h"

struct engine;
struct live_task;
struct run;

/* All that can sleep now fall asleep. For a timer of the loop: not from within anything that an attempt has begun. */
void nap_all(struct engine *engine);
/* The task's attempt, woken if it sleeps; NULL when the task has none. */
struct run *nap_run(struct engine *engine, struct live_task *task) must_check;
/* Wakes all that sleep. */
void nap_end(struct engine *engine);
