/* When to try again: exponential backoff with full jitter over half. Pure: randomness and time are arguments. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct retry_policy {
    unsigned attempts_max; /* in all, the first included */
    int64_t first_delay_ms;
    int64_t max_delay_ms;
};

/* Milliseconds before attempt number `next_attempt` (2 = the first retry): between half of and the whole of
 * min(max, first * 2^(next_attempt - 2)), placed by `random` (0 … UINT32_MAX). Any thread. */
int64_t retry_delay_ms(const struct retry_policy *policy, unsigned next_attempt, uint32_t random);
bool retry_allowed(const struct retry_policy *policy, unsigned attempts_made);
