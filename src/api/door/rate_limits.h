/* Requests per minute of keys, accounts and groups: a bucket for each that asked lately. Any thread. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/compiler.h"
#include "core/rate.h"

struct rate_limits;

enum rate_scope { RATE_KEY, RATE_ACCOUNT, RATE_GROUP, RATE_SCOPE_COUNT };
/* "key", "account", "group" */
const char *rate_scope_name(enum rate_scope scope);

/* Who asks, and what each of the three may ask in a minute; 0: no limit. */
struct rate_request {
    int64_t key, account;
    const char *group; /* the name that its limit goes by */
    int64_t per_minute[RATE_SCOPE_COUNT];
};

struct rate_answer {
    enum rate_scope scope;         /* whose limit is the tightest; after a refusal, whose is reached */
    struct rate_standing standing; /* of it, after the request; per_minute 0: there is no limit */
    int64_t wait_ms;               /* after a refusal: until all limits let one through, at least 1 */
};

struct rate_limits *rate_limits_new(void) must_check;
void rate_limits_free(struct rate_limits *limits);

/* Whether there is any limit to ask. Pure. */
bool rate_is_limited(const struct rate_request *request) must_check;

/* Takes one request from every limit there is, or from none. False: one of them is reached. *ret is filled in any case. */
bool rate_limits_take(struct rate_limits *limits, const struct rate_request *request, int64_t now_ms,
                      struct rate_answer *ret) must_check;

/* Requests refused so far, by whose limit was reached. */
struct rate_counts {
    uint64_t refused[RATE_SCOPE_COUNT];
};
struct rate_counts rate_limits_counts(struct rate_limits *limits);
