/* The states of a circuit breaker. */
#include "core/breaker.h"

#include <assert.h>

#include "core/retry.h"

#define PROBE_WAIT_MS 1000 /* to look again while a probe is out */

int64_t breaker_wait_ms(const struct breaker *breaker, int64_t now_ms) {
    if (breaker->state == BREAKER_CLOSED)
        return 0;
    if (breaker->state == BREAKER_PROBING)
        return breaker->probing ? PROBE_WAIT_MS : 0;
    return breaker->until_ms > now_ms ? breaker->until_ms - now_ms : 0;
}

void breaker_begin(struct breaker *breaker, int64_t now_ms) {
    assert(breaker_wait_ms(breaker, now_ms) == 0);
    (void)now_ms;
    if (breaker->state == BREAKER_CLOSED)
        return;
    breaker->state = BREAKER_PROBING;
    breaker->probing = true;
}

void breaker_worked(struct breaker *breaker) {
    *breaker = (struct breaker){ .state = BREAKER_CLOSED };
}

static int64_t cool_down_ms(const struct breaker_policy *policy, unsigned trips, uint32_t random) {
    int64_t ms = retry_doubled_ms(policy->first_ms, trips - 1, policy->max_ms);
    return ms + retry_part_ms(ms / 4, random);
}

void breaker_trip(struct breaker *breaker, const struct breaker_policy *policy, int64_t at_least_ms, int64_t now_ms,
                  uint32_t random) {
    breaker->trips++;
    int64_t ms = cool_down_ms(policy, breaker->trips, random);
    int64_t until_ms = now_ms + (ms > at_least_ms ? ms : at_least_ms);
    if (breaker->state != BREAKER_OPEN || until_ms > breaker->until_ms)
        breaker->until_ms = until_ms;
    breaker->state = BREAKER_OPEN;
    breaker->failures = 0;
    breaker->probing = false;
}

bool breaker_failed(struct breaker *breaker, const struct breaker_policy *policy, int64_t now_ms, uint32_t random) {
    if (breaker->state == BREAKER_OPEN) /* one that began before it opened: known already */
        return false;
    if (breaker->state == BREAKER_CLOSED && ++breaker->failures < policy->failures_max)
        return false;
    breaker_trip(breaker, policy, 0, now_ms, random);
    return true;
}

void breaker_unknown(struct breaker *breaker) {
    breaker->probing = false;
}
