/* The tables of holds: an entry an account and one a key, as long as they hold anything; the lock of both is one of a few,
 * by the account.
 *
 * What is free of an account's live credits is its balance less all that is held, and no call begins on more (L1: a balance
 * never goes below zero). Reading the balance for each call would be a quarter of what a call costs its HTTP thread, and
 * under a lock that all calls of the account want. So an entry keeps an allowance: what was free when the balance was read,
 * less all that has been taken since, and with what ended calls did not use. It is never more than what is free:
 *
 *   a call or a task takes credits     the allowance falls by them, before anything of it is written
 *   a call ends                        what it does not cost is free, and allowed again
 *   it is written                      the balance falls by what is held for it until afterwards: nothing is free or taken
 *   a task is stored                   the same; when it is refused, the allowance stays lower than it could be
 *   credits come in                    the same
 *   an operator takes credits          the store's generation moves on with the commit, and the allowance is void
 *
 * A call that it does not cover is judged by the balance, which is read anew, and so is one that comes ALLOWANCE_LIFE_MS
 * after the last reading: another process may be killed between its commit and the generation. */
#include "engine/task/holds.h"

#include <assert.h>
#include <pthread.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/hash_table.h"
#include "base/memory.h"

#define SHARDS 16
#define ALLOWANCE_LIFE_MS 100

struct allowance {
    bool known;
    int64_t microcredits;
    uint64_t generation; /* of the store, from before the balance was read */
    int64_t read_ms;     /* monotonic */
};

struct hold {
    int64_t account;
    int64_t microcredits[BOOK_COUNT];
    unsigned calls[BOOK_COUNT]; /* test mode has places of its own */
    int64_t stored[BOOK_COUNT]; /* of tasks that are on their way to the store */
    unsigned unwritten; /* calls that run or are not written yet, and such tasks */
    unsigned readers, waiters;
    struct allowance allowance; /* of live credits */
    UT_hash_handle hh;
};

struct key_id {
    int64_t account, key;
};

struct key_hold {
    struct key_id id;
    struct spending held, stored;
    unsigned calls[BOOK_COUNT];
    unsigned unwritten;
    UT_hash_handle hh;
};

struct holds {
    struct shard {
        pthread_mutex_t mutex;
        struct hold *table;
        struct key_hold *keys;
    } shards[SHARDS];
};

struct holds *holds_new(void) {
    struct holds *holds = mem_new(sizeof(*holds));
    for (unsigned i = 0; i < SHARDS; i++)
        pthread_mutex_init(&holds->shards[i].mutex, NULL);
    return holds;
}

void holds_free(struct holds *holds) {
    if (holds == NULL)
        return;
    for (unsigned i = 0; i < SHARDS; i++) {
        assert(holds->shards[i].table == NULL && holds->shards[i].keys == NULL);
        pthread_mutex_destroy(&holds->shards[i].mutex);
    }
    free(holds);
}

static struct shard *lock_shard(struct holds *holds, int64_t account) {
    struct shard *shard = &holds->shards[(uint64_t)account % SHARDS];
    pthread_mutex_lock(&shard->mutex);
    return shard;
}

static struct hold *find(struct shard *shard, int64_t account) {
    struct hold *hold = NULL;
    HASH_FIND(hh, shard->table, &account, sizeof(account), hold);
    return hold;
}

static struct hold *find_or_add(struct shard *shard, int64_t account) {
    struct hold *hold = find(shard, account);
    if (hold != NULL)
        return hold;
    hold = mem_new(sizeof(*hold));
    hold->account = account;
    HASH_ADD(hh, shard->table, account, sizeof(hold->account), hold);
    return hold;
}

static void drop_if_idle(struct shard *shard, struct hold *hold) {
    if (hold->unwritten > 0 || hold->readers > 0 || hold->waiters > 0)
        return;
    assert(hold->microcredits[BOOK_LIVE] == 0 && hold->microcredits[BOOK_TEST] == 0);
    assert(hold->stored[BOOK_LIVE] == 0 && hold->stored[BOOK_TEST] == 0);
    HASH_DELETE(hh, shard->table, hold);
    free(hold);
}

static struct key_hold *find_key(struct shard *shard, int64_t account, int64_t key) {
    const struct key_id id = { account, key };
    struct key_hold *hold = NULL;
    /* NOLINTNEXTLINE(clang-analyzer-core.UndefinedBinaryOperatorResult): all bytes of the two are set */
    HASH_FIND(hh, shard->keys, &id, sizeof(id), hold);
    return hold;
}

static struct key_hold *find_or_add_key(struct shard *shard, const struct hold_owner *owner) {
    struct key_hold *hold = find_key(shard, owner->account, owner->key);
    if (hold == NULL) {
        hold = mem_new(sizeof(*hold));
        hold->id = (struct key_id){ owner->account, owner->key };
        HASH_ADD(hh, shard->keys, id, sizeof(hold->id), hold);
    }
    hold->unwritten++;
    return hold;
}

static void drop_key(struct shard *shard, struct key_hold *hold) {
    if (--hold->unwritten > 0)
        return;
    assert(hold->held.spent == 0 && hold->stored.spent == 0);
    HASH_DELETE(hh, shard->keys, hold);
    free(hold);
}

static void key_takes(struct shard *shard, const struct hold_owner *owner, int64_t microcredits) {
    struct key_hold *hold = find_or_add_key(shard, owner);
    spending_add(&hold->held, owner->day, microcredits);
    hold->calls[owner->book]++;
}

static void key_gives(struct shard *shard, const struct hold_owner *owner, int64_t microcredits, bool written) {
    struct key_hold *hold = find_key(shard, owner->account, owner->key);
    assert(hold != NULL && hold->unwritten > 0 && hold->held.spent >= microcredits);
    spending_add(&hold->held, owner->day, -microcredits);
    if (written) {
        drop_key(shard, hold);
        return;
    }
    assert(hold->calls[owner->book] > 0);
    hold->calls[owner->book]--;
}

/* Has effect only where something was read. */
static void allow(struct hold *hold, enum book book, int64_t microcredits) {
    if (book == BOOK_LIVE)
        hold->allowance.microcredits += microcredits;
}

static bool is_allowed(const struct allowance *allowance, struct store *store, int64_t microcredits) {
    return allowance->known && allowance->microcredits >= microcredits &&
        allowance->generation == store_generation(store) &&
        clock_monotonic_ms() - allowance->read_ms < ALLOWANCE_LIFE_MS;
}

/* The balance is read under the lock: a call that is written meanwhile gives back what it held only afterwards, so
 * it counts at least once. So it is with what a key has spent. */
static enum err read_allowance(struct hold *hold, struct store *store) {
    const struct allowance fresh = {
        .known = true, .generation = store_generation(store), .read_ms = clock_monotonic_ms()
    };
    struct account_row row;
    enum err err = store_find_account_by_id(store, hold->account, &row);
    if (err != OK)
        return err;
    hold->allowance = fresh;
    hold->allowance.microcredits =
        row.balance[BOOK_LIVE] - hold->microcredits[BOOK_LIVE] - hold->stored[BOOK_LIVE];
    return OK;
}

static enum err check(struct hold *hold, struct store *store, enum book book, int64_t microcredits) {
    if (book != BOOK_LIVE || microcredits == 0 || is_allowed(&hold->allowance, store, microcredits))
        return OK;
    enum err err = read_allowance(hold, store);
    if (err != OK)
        return err;
    return hold->allowance.microcredits >= microcredits ? OK : ERR_INSUFFICIENT_QUOTA;
}

static struct spending held_in_all(const struct key_hold *hold) {
    struct spending ret = { .spent = 0 };
    if (hold == NULL)
        return ret;
    ret = hold->held;
    spending_add(&ret, hold->stored.day, hold->stored.day_spent);
    ret.spent += hold->stored.spent - hold->stored.day_spent; /* of earlier days */
    return ret;
}

static enum err check_key(struct shard *shard, struct store *store, const struct hold_owner *owner,
                          const struct budget *budget, int64_t microcredits) {
    const struct spending held = held_in_all(find_key(shard, owner->account, owner->key));
    struct spending spent;
    int64_t charged;
    if (budget->total == 0 && budget->day == 0)
        return OK;
    enum err err = store_find_spending(store, owner->account, owner->key, &spent, &charged);
    return err != OK ? err : budget_check(budget, &spent, &held, owner->day, microcredits);
}

static enum err check_places(struct shard *shard, const struct hold *hold, const struct hold_owner *owner,
                             const struct call_limits *limits) {
    const struct key_hold *key = find_key(shard, owner->account, owner->key);
    if (hold->calls[owner->book] >= limits->account)
        return ERR_TOO_MANY_STREAMS;
    return limits->key == 0 || key == NULL || key->calls[owner->book] < limits->key ? OK : ERR_TOO_MANY_STREAMS;
}

enum err holds_take(struct holds *holds, struct store *store, const struct hold_owner *owner,
                    const struct budget *budget, int64_t microcredits, const struct call_limits *limits) {
    struct shard *shard = lock_shard(holds, owner->account);
    struct hold *hold = find_or_add(shard, owner->account);
    enum err err = check_places(shard, hold, owner, limits);
    if (err == OK)
        err = check(hold, store, owner->book, microcredits);
    if (err == OK)
        err = check_key(shard, store, owner, budget, microcredits);
    if (err == OK) {
        hold->microcredits[owner->book] += microcredits;
        allow(hold, owner->book, -microcredits);
        hold->calls[owner->book]++;
        hold->unwritten++;
        key_takes(shard, owner, microcredits);
    }
    drop_if_idle(shard, hold);
    pthread_mutex_unlock(&shard->mutex);
    return err;
}

void holds_end(struct holds *holds, const struct hold_owner *owner, int64_t microcredits) {
    struct shard *shard = lock_shard(holds, owner->account);
    struct hold *hold = find(shard, owner->account);
    assert(hold != NULL && hold->calls[owner->book] > 0 && hold->microcredits[owner->book] >= microcredits);
    hold->microcredits[owner->book] -= microcredits;
    allow(hold, owner->book, microcredits);
    hold->calls[owner->book]--;
    key_gives(shard, owner, microcredits, false);
    pthread_mutex_unlock(&shard->mutex);
}

void holds_give(struct holds *holds, const struct hold_owner *owner, int64_t microcredits) {
    struct shard *shard = lock_shard(holds, owner->account);
    struct hold *hold = find(shard, owner->account);
    assert(hold != NULL && hold->unwritten > 0 && hold->microcredits[owner->book] >= microcredits);
    hold->microcredits[owner->book] -= microcredits;
    hold->unwritten--;
    key_gives(shard, owner, microcredits, true);
    drop_if_idle(shard, hold);
    pthread_mutex_unlock(&shard->mutex);
}

void holds_store_begin(struct holds *holds, const struct hold_owner *owner, int64_t microcredits) {
    struct shard *shard = lock_shard(holds, owner->account);
    struct hold *hold = find_or_add(shard, owner->account);
    hold->stored[owner->book] += microcredits;
    allow(hold, owner->book, -microcredits);
    hold->unwritten++;
    spending_add(&find_or_add_key(shard, owner)->stored, owner->day, microcredits);
    pthread_mutex_unlock(&shard->mutex);
}

void holds_store_end(struct holds *holds, const struct hold_owner *owner, int64_t microcredits) {
    struct shard *shard = lock_shard(holds, owner->account);
    struct hold *hold = find(shard, owner->account);
    struct key_hold *key = find_key(shard, owner->account, owner->key);
    assert(hold != NULL && key != NULL && hold->unwritten > 0 && hold->stored[owner->book] >= microcredits);
    hold->stored[owner->book] -= microcredits;
    hold->unwritten--;
    spending_add(&key->stored, owner->day, -microcredits);
    drop_key(shard, key);
    drop_if_idle(shard, hold);
    pthread_mutex_unlock(&shard->mutex);
}

bool holds_settled(struct holds *holds, int64_t account) {
    struct shard *shard = lock_shard(holds, account);
    const struct hold *hold = find(shard, account);
    bool settled = hold == NULL || hold->unwritten == hold->calls[BOOK_LIVE] + hold->calls[BOOK_TEST];
    pthread_mutex_unlock(&shard->mutex);
    return settled;
}

int64_t holds_of(struct holds *holds, int64_t account, enum book book) {
    struct shard *shard = lock_shard(holds, account);
    const struct hold *hold = find(shard, account);
    int64_t held = hold != NULL ? hold->microcredits[book] : 0;
    pthread_mutex_unlock(&shard->mutex);
    return held;
}

struct spending holds_of_key(struct holds *holds, int64_t account, int64_t key) {
    struct shard *shard = lock_shard(holds, account);
    const struct key_hold *hold = find_key(shard, account, key);
    const struct spending held = hold != NULL ? hold->held : (struct spending){ .spent = 0 };
    pthread_mutex_unlock(&shard->mutex);
    return held;
}

enum err holds_take_reader(struct holds *holds, int64_t account, unsigned most) {
    struct shard *shard = lock_shard(holds, account);
    struct hold *hold = find_or_add(shard, account);
    enum err err = hold->readers < most ? OK : ERR_TOO_MANY_STREAMS;
    if (err == OK)
        hold->readers++;
    drop_if_idle(shard, hold);
    pthread_mutex_unlock(&shard->mutex);
    return err;
}

void holds_give_reader(struct holds *holds, int64_t account) {
    struct shard *shard = lock_shard(holds, account);
    struct hold *hold = find(shard, account);
    assert(hold != NULL && hold->readers > 0);
    hold->readers--;
    drop_if_idle(shard, hold);
    pthread_mutex_unlock(&shard->mutex);
}

enum err holds_take_waiter(struct holds *holds, int64_t account, unsigned most) {
    struct shard *shard = lock_shard(holds, account);
    struct hold *hold = find_or_add(shard, account);
    enum err err = hold->waiters < most ? OK : ERR_TOO_MANY_STREAMS;
    if (err == OK)
        hold->waiters++;
    drop_if_idle(shard, hold);
    pthread_mutex_unlock(&shard->mutex);
    return err;
}

void holds_give_waiter(struct holds *holds, int64_t account) {
    struct shard *shard = lock_shard(holds, account);
    struct hold *hold = find(shard, account);
    assert(hold != NULL && hold->waiters > 0);
    hold->waiters--;
    drop_if_idle(shard, hold);
    pthread_mutex_unlock(&shard->mutex);
}
