/* Tables of buckets, each under its own lock: an account's bucket and those of its keys are in one table, so that a
 * request takes one lock, and a second one only where its group has a limit of its own.
 *
 * A bucket that nobody asked for a minute is full, so it need not be kept: whenever one is added, the longest unasked
 * ones go. Where more than a table holds are asked within a minute, the longest unasked one is forgotten (S3). */
#include "api/door/rate_limits.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/queue.h>

#include "base/hash_table.h"
#include "base/memory.h"
#include "store/rows.h"

#define SHARDS 16
#define SHARD_MAX 16384 /* buckets */
#define GROUPS_MAX 1024
#define FULL_AFTER_MS 60000

/* Eight bytes a member: no padding to hash. */
struct owner {
    int64_t scope, id;
};

struct owned_bucket {
    struct owner owner;
    struct rate_bucket bucket;
    int64_t asked_ms;
    TAILQ_ENTRY(owned_bucket) link;
    UT_hash_handle hh;
};

struct shard {
    pthread_mutex_t lock;
    struct owned_bucket *table;
    TAILQ_HEAD(unasked_list, owned_bucket) unasked; /* the longest unasked one first */
};

struct group_bucket {
    char name[NAME_SIZE];
    struct rate_bucket bucket;
    UT_hash_handle hh;
};

struct rate_limits {
    struct shard shards[SHARDS];
    pthread_mutex_t groups_lock; /* taken after a shard's */
    struct group_bucket *groups;
    atomic_uint_fast64_t refused[RATE_SCOPE_COUNT];
};

const char *rate_scope_name(enum rate_scope scope) {
    static const char *const names[RATE_SCOPE_COUNT] = {
        [RATE_KEY] = "key", [RATE_ACCOUNT] = "account", [RATE_GROUP] = "group"
    };
    return names[scope];
}

struct rate_limits *rate_limits_new(void) {
    struct rate_limits *limits = mem_new(sizeof *limits);
    for (int i = 0; i < SHARDS; i++) {
        pthread_mutex_init(&limits->shards[i].lock, NULL);
        TAILQ_INIT(&limits->shards[i].unasked);
    }
    pthread_mutex_init(&limits->groups_lock, NULL);
    return limits;
}

/* ---- buckets of keys and accounts, under their shard's lock ---- */

static void drop(struct shard *shard, struct owned_bucket *owned) {
    TAILQ_REMOVE(&shard->unasked, owned, link);
    HASH_DEL(shard->table, owned); // NOLINT(clang-analyzer-unix.Malloc): it does not follow the table's links
    free(owned);
}

/* One more is about to be added: two that are full go, and where there is no room, one that is not. */
static void make_room(struct shard *shard, int64_t now_ms) {
    for (int i = 0; i < 2; i++) {
        struct owned_bucket *first = TAILQ_FIRST(&shard->unasked);
        bool full = first != NULL && now_ms - first->asked_ms >= FULL_AFTER_MS;
        if (full || (first != NULL && HASH_COUNT(shard->table) >= SHARD_MAX))
            drop(shard, first);
    }
}

static struct rate_bucket *find_or_add(struct shard *shard, enum rate_scope scope, int64_t id, int64_t per_minute,
                                       int64_t now_ms) {
    const struct owner owner = { scope, id };
    struct owned_bucket *owned;

    /* NOLINTNEXTLINE(clang-analyzer-core.UndefinedBinaryOperatorResult): all bytes of the two are set */
    HASH_FIND(hh, shard->table, &owner, sizeof owner, owned);
    if (owned == NULL) {
        make_room(shard, now_ms);
        owned = mem_new(sizeof *owned);
        owned->owner = owner;
        rate_init(&owned->bucket, per_minute, now_ms);
        HASH_ADD(hh, shard->table, owner, sizeof owner, owned); // NOLINT(clang-analyzer-unix.Malloc)
    } else {
        TAILQ_REMOVE(&shard->unasked, owned, link);
    }
    owned->asked_ms = now_ms;
    TAILQ_INSERT_TAIL(&shard->unasked, owned, link);
    return &owned->bucket;
}

/* ---- buckets of groups, under their lock: as many as the settings name ---- */

/* Groups come and go with the settings: those that have been full for long go, if there are many. */
static void drop_groups(struct rate_limits *limits, int64_t before_ms) {
    struct group_bucket *group, *next;
    HASH_ITER (hh, limits->groups, group, next) {
        if (group->bucket.updated_ms >= before_ms)
            continue;
        HASH_DEL(limits->groups, group); // NOLINT(clang-analyzer-unix.Malloc)
        free(group);
    }
}

static struct rate_bucket *find_or_add_group(struct rate_limits *limits, const char *name, int64_t per_minute,
                                             int64_t now_ms) {
    struct group_bucket *group;

    HASH_FIND_STR(limits->groups, name, group);
    if (group != NULL)
        return &group->bucket;
    if (HASH_COUNT(limits->groups) >= GROUPS_MAX)
        drop_groups(limits, now_ms - FULL_AFTER_MS);
    group = mem_new(sizeof *group);
    snprintf(group->name, sizeof group->name, "%s", name);
    rate_init(&group->bucket, per_minute, now_ms);
    HASH_ADD_STR(limits->groups, name, group); // NOLINT(clang-analyzer-unix.Malloc)
    return &group->bucket;
}

void rate_limits_free(struct rate_limits *limits) {
    if (limits == NULL)
        return;
    for (int i = 0; i < SHARDS; i++) {
        struct shard *shard = &limits->shards[i];
        while (!TAILQ_EMPTY(&shard->unasked))
            drop(shard, TAILQ_FIRST(&shard->unasked));
        pthread_mutex_destroy(&shard->lock);
    }
    drop_groups(limits, INT64_MAX);
    pthread_mutex_destroy(&limits->groups_lock);
    free(limits);
}

/* ---- all of them together ---- */

/* The longest wait, and whose it is; 0: all let one through. */
static void find_refusal(struct rate_bucket *const buckets[RATE_SCOPE_COUNT], const struct rate_request *request,
                         int64_t now_ms, struct rate_answer *answer) {
    for (int i = 0; i < RATE_SCOPE_COUNT; i++) {
        int64_t wait_ms = buckets[i] != NULL ? rate_wait_ms(buckets[i], request->per_minute[i], now_ms) : 0;
        if (wait_ms <= answer->wait_ms)
            continue;
        answer->wait_ms = wait_ms;
        answer->scope = (enum rate_scope)i;
    }
}

static void take_all(struct rate_bucket *const buckets[RATE_SCOPE_COUNT], const struct rate_request *request,
                     int64_t now_ms, struct rate_answer *answer) {
    for (int i = 0; i < RATE_SCOPE_COUNT; i++) {
        int64_t wait_ms;
        if (buckets[i] == NULL)
            continue;
        (void)rate_take(buckets[i], request->per_minute[i], now_ms, &wait_ms); /* find_refusal has seen that there is one */
        struct rate_standing standing = rate_standing(buckets[i], request->per_minute[i], now_ms);
        if (answer->standing.per_minute != 0 && standing.left >= answer->standing.left)
            continue;
        answer->standing = standing;
        answer->scope = (enum rate_scope)i;
    }
}

static bool take(struct rate_bucket *const buckets[RATE_SCOPE_COUNT], const struct rate_request *request,
                 int64_t now_ms, struct rate_answer *answer) {
    find_refusal(buckets, request, now_ms, answer);
    if (answer->wait_ms == 0) {
        take_all(buckets, request, now_ms, answer);
        return true;
    }
    answer->standing = rate_standing(buckets[answer->scope], request->per_minute[answer->scope], now_ms);
    return false;
}

bool rate_is_limited(const struct rate_request *request) {
    for (int i = 0; i < RATE_SCOPE_COUNT; i++)
        if (request->per_minute[i] > 0)
            return true;
    return false;
}

bool rate_limits_take(struct rate_limits *limits, const struct rate_request *request, int64_t now_ms,
                      struct rate_answer *ret) {
    struct shard *shard = &limits->shards[(uint64_t)request->account % SHARDS];
    struct rate_bucket *buckets[RATE_SCOPE_COUNT] = { NULL };
    bool of_key = request->per_minute[RATE_KEY] > 0, of_account = request->per_minute[RATE_ACCOUNT] > 0;
    bool of_group = request->per_minute[RATE_GROUP] > 0;

    *ret = (struct rate_answer){ .wait_ms = 0 };
    if (of_key || of_account) {
        pthread_mutex_lock(&shard->lock);
        if (of_account)
            buckets[RATE_ACCOUNT] =
                find_or_add(shard, RATE_ACCOUNT, request->account, request->per_minute[RATE_ACCOUNT], now_ms);
        if (of_key)
            buckets[RATE_KEY] = find_or_add(shard, RATE_KEY, request->key, request->per_minute[RATE_KEY], now_ms);
    }
    if (of_group) {
        pthread_mutex_lock(&limits->groups_lock);
        buckets[RATE_GROUP] = find_or_add_group(limits, request->group, request->per_minute[RATE_GROUP], now_ms);
    }
    bool taken = take(buckets, request, now_ms, ret);
    if (of_group)
        pthread_mutex_unlock(&limits->groups_lock);
    if (of_key || of_account)
        pthread_mutex_unlock(&shard->lock);
    if (!taken)
        atomic_fetch_add_explicit(&limits->refused[ret->scope], 1, memory_order_relaxed);
    return taken;
}

struct rate_counts rate_limits_counts(struct rate_limits *limits) {
    struct rate_counts counts;
    for (int i = 0; i < RATE_SCOPE_COUNT; i++)
        counts.refused[i] = atomic_load_explicit(&limits->refused[i], memory_order_relaxed);
    return counts;
}
