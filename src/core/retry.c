/* Exponential backoff with jitter over the upper half of each delay. */
#include "core/retry.h"

int64_t retry_delay_ms(const struct retry_policy *policy, unsigned next_attempt, uint32_t random) {
    if (next_attempt < 2 || policy->first_delay_ms <= 0 || policy->max_delay_ms <= 0) {
        return 0;
    }
    int64_t delay_ms = policy->first_delay_ms;
    for (unsigned n = 2; n < next_attempt && delay_ms < policy->max_delay_ms; n++) {
        delay_ms = delay_ms > policy->max_delay_ms / 2 ? policy->max_delay_ms : delay_ms * 2;
    }
    if (delay_ms > policy->max_delay_ms) {
        delay_ms = policy->max_delay_ms;
    }
    int64_t jitter_ms = delay_ms / 2;
    return delay_ms - jitter_ms + (int64_t)((__int128)jitter_ms * random / UINT32_MAX);
}

bool retry_allowed(const struct retry_policy *policy, unsigned attempts_made) {
    return attempts_made < policy->attempts_max;
}
