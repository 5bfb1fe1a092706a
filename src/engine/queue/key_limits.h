/* How many tasks each key may run at a time, from its row to the queue.
 *
 * A submission brings its key's row along. Tasks of an earlier life have it read at the start, and what waits takes over
 * what an operator changes within a heartbeat. */
#pragma once

#include <stdint.h>

#include "base/errors.h"

struct engine;
struct key_limit_cache;
struct live_task;

/* Of one start: rows that were read already. NULL is fine for free. */
struct key_limit_cache *key_limits_new(void) must_check;
void key_limits_free(struct key_limit_cache *limits);
/* Sets the task's limit from its key's row; none when there is no such row. Before the engine's thread starts. */
enum err key_limits_read(struct key_limit_cache *limits, struct engine *engine, struct live_task *task) must_check;

/* Reads the rows of keys whose tasks wait or run, if any row has changed. Engine's thread, every heartbeat. */
void key_limits_refresh(struct engine *engine);
