/* Those who wait for what a task's service says of it now: one question for all of them.
 *
 * They are answered when what was said is durable and shown, when the task leaves its state or the engine, or after
 * REFRESH_MAX_MS. Engine's thread only. */
#pragma once

#include <stdbool.h>

struct attempt;
struct live_task;
struct run;

/* attempt->refreshed: the driver has told all that it was told. */
void refresh_told(struct attempt *attempt);
/* Nothing that the attempt has told is on its way to the store any more, or something still is: answers in the first
 * case, if its driver has told all. */
void refresh_shown(struct run *run);
/* Answers all who wait for this task; its state is what it will be shown as. */
void refresh_answer(struct live_task *task);
