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

static int64_t elapsed_since(const struct rate_bucket *bucket, int64_t now_ms) {
    return now_ms > bucket->updated_ms ? now_ms - bucket->updated_ms : 0;
}

/* With what has come since it was touched. */
static int64_t tokens_at(const struct rate_bucket *bucket, int64_t per_minute, int64_t now_ms) {
    int64_t full = per_minute * ONE, elapsed_ms = elapsed_since(bucket, now_ms);
    if (elapsed_ms >= MINUTE_MS) {
        return full;
    }
    int64_t tokens = bucket->tokens_micro + elapsed_ms * per_minute * PER_MS_NUMERATOR / PER_MS_DENOMINATOR;
    return tokens < full ? tokens : full;
}

/* Time in which `tokens` come, upwards. */
static int64_t time_of(int64_t tokens, int64_t per_minute) {
    int64_t per_ms = per_minute * PER_MS_NUMERATOR;
    return tokens / per_ms * PER_MS_DENOMINATOR + (tokens % per_ms * PER_MS_DENOMINATOR + per_ms - 1) / per_ms;
}

int64_t rate_wait_ms(const struct rate_bucket *bucket, int64_t per_minute, int64_t now_ms) {
    if (per_minute <= 0 || tokens_at(bucket, clamp(per_minute), now_ms) >= ONE) {
        return 0;
    }
    return time_of(ONE - bucket->tokens_micro, clamp(per_minute)) - elapsed_since(bucket, now_ms);
}

bool rate_take(struct rate_bucket *bucket, int64_t per_minute, int64_t now_ms, int64_t *ret_wait_ms) {
    if (per_minute <= 0) {
        return true;
    }
    per_minute = clamp(per_minute);
    int64_t tokens = tokens_at(bucket, per_minute, now_ms);
    if (tokens < ONE) {
        /* The bucket is left as it is: refilled at every refusal, the rounding would starve whoever asks often. */
        *ret_wait_ms = rate_wait_ms(bucket, per_minute, now_ms);
        return false;
    }
    bucket->tokens_micro = tokens - ONE;
    bucket->updated_ms += elapsed_since(bucket, now_ms);
    return true;
}

struct rate_standing rate_standing(const struct rate_bucket *bucket, int64_t per_minute, int64_t now_ms) {
    if (per_minute <= 0) {
        return (struct rate_standing){ 0 };
    }
    per_minute = clamp(per_minute);
    int64_t tokens = tokens_at(bucket, per_minute, now_ms);
    return (struct rate_standing){ .per_minute = per_minute, .left = tokens / ONE,
                                   .full_ms = time_of(per_minute * ONE - tokens, per_minute) };
}
