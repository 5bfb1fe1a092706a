/* Jobs that sleep, for the driver's sleep and wake. For this folder alone. The engine's thread. */
#pragma once

#include <stdint.h>

#include "base/compiler.h"

struct attempt;
struct job;
struct service;
struct sleeper;

/* Packs a job that only waits to ask again, for `least_ms` at least (real milliseconds, as *ret_wait_ms), and frees it:
 * nothing of it may be on the stack. NULL: it does something else, or not for so long. */
struct sleeper *job_sleep(struct job *job, int64_t least_ms, int64_t *ret_wait_ms) must_check;
/* The job again, as the attempt's driver_data, with its question due when it was. Frees the sleeper. */
void job_wake(struct service *service, struct attempt *attempt, struct sleeper *sleeper);
