/* Requests to end a task early. */
#pragma once

#include "base/errors.h"

struct engine;
struct live_task;

/* Tells everybody who asked for the task's cancel how it came out. Engine's thread. */
void cancel_answer(struct engine *engine, struct live_task *task, enum err err);
/* Ends it as soon as what it is doing lets it. Engine's thread. */
void cancel_start(struct engine *engine, struct live_task *task);
/* Carries out a cancel that had to wait for a move, now that the task is PENDING or has no attempt; true when it began. */
bool cancel_if_wanted(struct engine *engine, struct live_task *task);
