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
/* How long until there is a request to take; 0: there is one. Nothing is taken. */
int64_t rate_wait_ms(const struct rate_bucket *bucket, int64_t per_minute, int64_t now_ms);

/* How a bucket stands. */
struct rate_standing {
    int64_t per_minute; /* 0: no limit, and the rest means nothing */
    int64_t left;       /* requests that could be taken at once */
    int64_t full_ms;    /* until it is full again */
};
struct rate_standing rate_standing(const struct rate_bucket *bucket, int64_t per_minute, int64_t now_ms);
