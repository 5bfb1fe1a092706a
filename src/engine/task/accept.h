/* The way in, for tasks and calls alike. Any thread. */
#pragma once

#include "engine/engine.h"

struct live_task;

/* One more open task and one more submission under way: ERR_OVERLOADED, ERR_SHUTTING_DOWN. */
enum err accept_enter(struct engine *engine, const struct submission *submission) must_check;
/* It did not become a task; accept_end is still due. */
void accept_leave(struct engine *engine);
/* The submission is no longer under way. */
void accept_end(struct engine *engine);
/* Fills in what will be written and answered. */
void accept_prepare(struct engine *engine, struct submission *submission);
/* Shows the task and gives it to the engine's thread. */
void accept_hand_over(struct engine *engine, const struct submission *submission, struct live_task *task);
