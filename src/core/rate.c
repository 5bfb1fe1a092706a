/* The token bucket: refilled by elapsed time, exact to a millionth of a request. */
#include "core/rate.h"

#define ONE INT64_C(1000000)
#define MINUTE_MS INT64_C(60000)
/* More than any machine answers; keeps every product below inside 64 bits. */
#define PER_MINUTE_MAX INT64_C(1000000000)

/* A millisecond brings per_minute * 1,000,000 / 60,000 millionths, which is per_minute * 50 / 3. */
#define PER_MS_NUMERATOR 50
#define PER_MS_DENOMINATOR 3

static int64_t clamp(int64_t per_minute) {
    return per_minute < PER_MINUTE_MAX ? per_minute : PER_MINUTE_MAX;
}

void rate_init(struct rate_bucket *bucket, int64_t per_minute, int64_t now_ms) {
    bucket->tokens_micro = per_minute > 0 ? clamp(per_minute) * ONE : 0;
    bucket->updated_ms = now_ms;
}

bool rate_take(struct rate_bucket *bucket, int64_t per_minute, int64_t now_ms, int64_t *ret_wait_ms) {
    if (per_minute <= 0) {
        return true;
    }
    per_minute = clamp(per_minute);
    int64_t full = per_minute * ONE;
    int64_t elapsed_ms = now_ms > bucket->updated_ms ? now_ms - bucket->updated_ms : 0;
    int64_t tokens = full;
    if (elapsed_ms < MINUTE_MS) {
        tokens = bucket->tokens_micro + elapsed_ms * per_minute * PER_MS_NUMERATOR / PER_MS_DENOMINATOR;
        tokens = tokens < full ? tokens : full;
    }
    if (tokens < ONE) {
        /* The bucket is left as it is: refilled at every refusal, the rounding would starve whoever asks often. */
        int64_t per_ms = per_minute * PER_MS_NUMERATOR;
        int64_t needed_ms = ((ONE - bucket->tokens_micro) * PER_MS_DENOMINATOR + per_ms - 1) / per_ms;
        *ret_wait_ms = needed_ms - elapsed_ms;
        return false;
    }
    bucket->tokens_micro = tokens - ONE;
    bucket->updated_ms += elapsed_ms;
    return true;
}
