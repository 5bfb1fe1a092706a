/* Hash tables of buckets, each under its own lock. A bucket that nobody asked for a minute is full, so it need not be
 * kept: tables that have grown drop such ones. */
#include "api/rate_limits.h"

#include <pthread.h>
#include <stdlib.h>
#include <uthash.h>

#include "base/memory.h"
#include "core/rate.h"

#define SHARDS 16
#define SHARD_MAX 4096 /* buckets before the full ones are dropped */
#define FULL_AFTER_MS 60000

struct account_rate {
    int64_t account;
    struct rate_bucket bucket;
    UT_hash_handle hh;
};

struct rate_limits {
    struct {
        pthread_mutex_t lock;
        struct account_rate *rates;
    } shards[SHARDS];
};

struct rate_limits *rate_limits_new(void) {
    struct rate_limits *limits = mem_new(sizeof *limits);
    for (int i = 0; i < SHARDS; i++)
        pthread_mutex_init(&limits->shards[i].lock, NULL);
    return limits;
}

/* Those that were not asked since `before_ms`. */
static void drop(struct account_rate **rates, int64_t before_ms) {
    for (struct account_rate *rate = *rates, *next; rate != NULL; rate = next) {
        next = rate->hh.next;
        if (rate->bucket.updated_ms >= before_ms)
            continue;
        HASH_DEL(*rates, rate); // NOLINT(clang-analyzer-unix.Malloc): it does not follow the table's links
        free(rate);
    }
}

void rate_limits_free(struct rate_limits *limits) {
    if (limits == NULL)
        return;
    for (int i = 0; i < SHARDS; i++) {
        drop(&limits->shards[i].rates, INT64_MAX);
        pthread_mutex_destroy(&limits->shards[i].lock);
    }
    free(limits);
}

bool rate_limits_take(struct rate_limits *limits, int64_t account, int64_t per_minute, int64_t now_ms,
                      int64_t *ret_wait_ms) {
    struct account_rate *rate;

    if (per_minute <= 0)
        return true;
    unsigned shard = (unsigned)((uint64_t)account % SHARDS);
    pthread_mutex_lock(&limits->shards[shard].lock);
    HASH_FIND(hh, limits->shards[shard].rates, &account, sizeof account, rate);
    if (rate == NULL) {
        if (HASH_COUNT(limits->shards[shard].rates) >= SHARD_MAX)
            drop(&limits->shards[shard].rates, now_ms - FULL_AFTER_MS);
        rate = mem_new(sizeof *rate);
        rate->account = account;
        rate_init(&rate->bucket, per_minute, now_ms);
        HASH_ADD(hh, limits->shards[shard].rates, account, sizeof account, rate); // NOLINT(clang-analyzer-unix.Malloc)
    }
    bool taken = rate_take(&rate->bucket, per_minute, now_ms, ret_wait_ms);
    pthread_mutex_unlock(&limits->shards[shard].lock);
    return taken;
}
