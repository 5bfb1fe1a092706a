/* W1: no callback before its submission's answer. A task is held from its acceptance until its HTTP exchange is over,
 * however it ended; after a restart nothing is held. Any thread. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/id.h"

struct gate;

struct gate *gate_new(void) must_check;
/* NULL is fine. */
void gate_free(struct gate *gate);

void gate_hold(struct gate *gate, int64_t account, const struct task_id *task);
/* Whether it is held; whoever asks is then told by gate_release. */
bool gate_holds(struct gate *gate, int64_t account, const struct task_id *task) must_check;
/* True: somebody has asked meanwhile. A task that is not held is no trouble. */
bool gate_release(struct gate *gate, int64_t account, const struct task_id *task) must_check;
