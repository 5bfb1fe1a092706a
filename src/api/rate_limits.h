/* A bucket of requests per minute for each account that asked lately. Any thread. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/compiler.h"

struct rate_limits;

struct rate_limits *rate_limits_new(void) must_check;
void rate_limits_free(struct rate_limits *limits);

/* Takes one request. False: *ret_wait_ms until there will be one. per_minute <= 0: no limit. */
bool rate_limits_take(struct rate_limits *limits, int64_t account, int64_t per_minute, int64_t now_ms,
                      int64_t *ret_wait_ms) must_check;
