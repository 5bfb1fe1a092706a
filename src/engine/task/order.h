/* Orders of operators about one task: try it again, or let it fail.
 *
 *   retry   a task that waits for its next attempt: that is due now
 *           one that runs: the attempt is given up, its service is asked to stop, and another is made at the same place;
 *           never where nobody knows whether the service took the job (T3), and at no other route where it did (T4)
 *   fail    a task that has not ended: it fails with a code and words of the operator's, credits back
 *
 * The order's line in the record of changes is written by the very transaction that carries it out. Engine's thread. */
#pragma once

#include "base/errors.h"

struct engine;
struct live_task;
struct outcome;
struct run;

/* Tells the operator that the task was moved, or is lost (err). `carried_out`: the move was what was ordered. */
void order_answer(struct live_task *task, enum err err, bool carried_out);
/* The attempt that was to be given up has ended: carries the order out, and ends the run. */
void order_attempt_ended(struct run *run, const struct outcome *outcome);
