/* When to try again: exponential backoff with full jitter over half. Pure: randomness and time are arguments; any
 * thread. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct retry_policy {
    unsigned attempts_max; /* in all, the first included */
    int64_t first_delay_ms;
    int64_t max_delay_ms;
};

/* Milliseconds before attempt number `next_attempt` (2 = the first retry): between half of and the whole of
 * min(max, first * 2^(next_attempt - 2)), placed by `random` (0 … UINT32_MAX). 0 when either of them
 * is not positive. */
int64_t retry_delay_ms(const struct retry_policy *policy, unsigned next_attempt, uint32_t random);
/* Whether another one may follow `attempts_made`. */
bool retry_allowed(const struct retry_policy *policy, unsigned attempts_made);

/* first_ms doubled so many times, at most max_ms; no overflow. */
int64_t retry_doubled_ms(int64_t first_ms, unsigned times, int64_t max_ms);
/* The part of `ms` (at least 0) that `random` is of UINT32_MAX. */
int64_t retry_part_ms(int64_t ms, uint32_t random);
