/* The ladder of delays. */
#include "callback/ladder.h"

#include <assert.h>

#include "base/compiler.h"
#include "core/retry.h"

#define SECOND_MS ((int64_t)1000)
#define MINUTE_MS (60 * SECOND_MS)
#define HOUR_MS (60 * MINUTE_MS)
#define LIFE_MS (48 * HOUR_MS) /* the whole ladder is 31.2 hours */

static const int64_t delays_ms[] = {
    SECOND_MS, 2 * SECOND_MS, 4 * SECOND_MS, 30 * SECOND_MS, 2 * MINUTE_MS, 10 * MINUTE_MS, HOUR_MS, 6 * HOUR_MS,
    24 * HOUR_MS,
};
_Static_assert(ARRAY_SIZE(delays_ms) == LADDER_TRIES - 1, "a delay between each two tries");

int64_t ladder_delay_ms(unsigned failed, int64_t retry_after_ms, uint32_t random) {
    assert(failed >= 1);
    if (failed >= LADDER_TRIES)
        return -1;
    int64_t ms = delays_ms[failed - 1];
    ms += retry_part_ms(ms / 10, random);
    if (retry_after_ms > LADDER_RETRY_AFTER_MAX_MS)
        retry_after_ms = LADDER_RETRY_AFTER_MAX_MS;
    return retry_after_ms > ms ? retry_after_ms : ms;
}

int64_t ladder_delay_max_ms(unsigned failed, bool asked) {
    int64_t ms = failed >= 1 && failed < LADDER_TRIES ? ladder_delay_ms(failed, 0, UINT32_MAX) : 0;
    return asked && failed >= 1 && ms < LADDER_RETRY_AFTER_MAX_MS ? LADDER_RETRY_AFTER_MAX_MS : ms;
}

int64_t ladder_deadline_ms(int64_t due_ms) {
    return due_ms + LIFE_MS;
}
