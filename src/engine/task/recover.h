/* Taking up again what an earlier life left open (T2, T3).
 *
 *   PENDING                                   back into the queue
 *   PROCESSING, the driver is repeatable      the attempt is noted as abandoned, the task goes back into the queue
 *   PROCESSING, at a remote service           its driver goes on with the attempt, or finds out what became of it
 *   PROCESSING, any other                     nobody knows whether the job was taken: submission_unknown, refunded
 */
#pragma once

#include "base/errors.h"

struct engine;
struct live_task;

/* Reads all open tasks into memory and onto the board. Before the engine's thread runs. */
enum err recover_load(struct engine *engine, struct fault *fault) must_check;
/* Sets them going. Engine's thread, once, before anything else. */
void recover_resume(struct engine *engine);
/* The same in a while, once more, for a task that `err` kept from going on: PROCESSING, its phase NEW. It stays open in the
 * store; where that is nothing that may pass, until the next start. Engine's thread. */
void recover_later(struct engine *engine, struct live_task *task, enum err err);
