/* Requests per minute: a token bucket, pure; the caller brings the time and the lock. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct rate_bucket {
    int64_t tokens_micro; /* millionths of a request */
    int64_t updated_ms;   /* monotonic */
};

/* A full bucket of one minute's burst. */
void rate_init(struct rate_bucket *bucket, int64_t per_minute, int64_t now_ms);
/* Takes one request if there is one. On false, *ret_wait_ms is the time until there will be. per_minute <= 0: no limit. */
bool rate_take(struct rate_bucket *bucket, int64_t per_minute, int64_t now_ms, int64_t *ret_wait_ms);
