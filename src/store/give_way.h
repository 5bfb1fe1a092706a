/* The writer's courtesy: between two steps of a transaction the core goes to whoever is ready to run on it.
 *
 * A thread that the kernel wakes on the writer's core would wait for the end of the writer's time slice, some milliseconds,
 * and all that its request needs after it would, too. Where the others keep the core for long, once or in all, the machine is
 * busy, and the rest of the transaction is written without; and so it is as soon as somebody waits for the next one.
 *
 * All of a thread's own: where give_way_begin was not called, nothing happens. */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>

/* From now on, in this thread. `often`: at each step, since nobody is in a hurry for this transaction; else between its jobs
 * alone. `urgent` counts those who are for the next one; it stays until give_way_end. */
void give_way_begin(const atomic_uint *urgent, bool often);
void give_way_end(void);
/* A job of the transaction is over. */
void give_way_after_job(void);
/* A part of a job, or of what the commit writes, is over: a few microseconds' work. */
void give_way_after_step(void);
