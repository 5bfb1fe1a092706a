/* From PENDING to a started attempt: the way into the queue, out of it, and back after a failure.
 *
 * Engine's thread only. */
#pragma once

#include <stdint.h>

struct engine;
struct live_task;

/* Puts a PENDING task (phase NEW) into the lane of the provider that would run it now; fails it when nothing can. */
void dispatch_enqueue(struct engine *engine, struct live_task *task);
/* Starts what the limits allow. */
void dispatch_pump(struct engine *engine);
/* Queues the task (PENDING, phase NEW) once `delay_ms` have gone by. */
void dispatch_later(struct engine *engine, struct live_task *task, int64_t delay_ms);
/* Ends such a wait at once. */
void dispatch_wake(struct engine *engine, struct live_task *task);
/* Drops the timer of a wait, at the stop. */
void dispatch_drop_wait(struct live_task *task);
/* Fails the calls that wait, at the stop: nobody will go on with them. */
void dispatch_turn_away(struct engine *engine);
/* Fails what has waited longer than a task may. */
void dispatch_expire(struct engine *engine);
/* The setup or the health of providers changed: new limits and, where nothing moves, other ways for what waits. */
void dispatch_relimit(struct engine *engine);
/* The same, and starts what it allows; what health_new calls. */
void dispatch_health_changed(void *engine);
