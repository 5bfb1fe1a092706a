/* When a delivery that failed is tried again, and when it is given up. Pure; any thread.
 *
 *   try   1    2    3    4     5      6      7     8    9    10
 *         now  1 s  2 s  4 s  30 s  2 min  10 min  1 h  6 h  24 h   after the failure of the one before */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define LADDER_TRIES 10
/* What a receiver's Retry-After may ask for beyond the ladder, at most. */
#define LADDER_RETRY_AFTER_MAX_MS ((int64_t)3600 * 1000)

/* Milliseconds until the next try, after `failed` of them (at least 1); -1: there is none any more. Up to a tenth longer
 * than the ladder says, by `random` (0 … UINT32_MAX), never shorter; at least what the receiver asked for, within the bound. */
int64_t ladder_delay_ms(unsigned failed, int64_t retry_after_ms, uint32_t random);
/* The longest that such a delay can be, 0 after no failure; `asked`: the receiver may have asked for a time. What is due later
 * than that was dated by a clock that has been set back since. */
int64_t ladder_delay_max_ms(unsigned failed, bool asked);
/* When a delivery that falls due at `due_ms` is given up at the latest: what an open circuit postpones ends, too. */
int64_t ladder_deadline_ms(int64_t due_ms);
