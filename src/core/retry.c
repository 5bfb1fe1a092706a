/* Exponential backoff with jitter over the upper half of each delay. */
#include "core/retry.h"

int64_t retry_doubled_ms(int64_t first_ms, unsigned times, int64_t max_ms) {
    int64_t ms = first_ms < max_ms ? first_ms : max_ms;
    for (unsigned i = 0; i < times && ms < max_ms; i++) {
        ms = ms > max_ms / 2 ? max_ms : ms * 2;
    }
    return ms;
}

int64_t retry_part_ms(int64_t ms, uint32_t random) {
    return (int64_t)((__int128)ms * random / UINT32_MAX);
}

int64_t retry_delay_ms(const struct retry_policy *policy, unsigned next_attempt, uint32_t random) {
    if (next_attempt < 2 || policy->first_delay_ms <= 0 || policy->max_delay_ms <= 0) {
        return 0;
    }
    int64_t delay_ms = retry_doubled_ms(policy->first_delay_ms, next_attempt - 2, policy->max_delay_ms);
    int64_t jitter_ms = delay_ms / 2;
    return delay_ms - jitter_ms + retry_part_ms(jitter_ms, random);
}

bool retry_allowed(const struct retry_policy *policy, unsigned attempts_made) {
    return attempts_made < policy->attempts_max;
}
