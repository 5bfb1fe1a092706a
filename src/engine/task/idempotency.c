/* A table of the keys under way, with those who wait for each. */
#include "engine/task/idempotency.h"

#include <assert.h>
#include <pthread.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/hash_table.h"
#include "base/memory.h"
#include "chat/stream.h"
#include "store/tx.h"

STAILQ_HEAD(visit_list, idempotency_visit);

/* Padded with zeros, so that it can be hashed and compared as bytes. */
struct holding_key {
    int64_t account;
    int64_t book;
    char name[IDEMPOTENCY_NAME_MAX + 1];
};

struct key_holding {
    UT_hash_handle hh;
    struct idempotency *idempotency;
    struct holding_key key;
    char fingerprint[SHA256_HEX_SIZE];
    struct visit_list waiters;
    unsigned waiter_count;
    struct chat_stream *stream; /* of a call that has begun; NULL: none has */
    struct task_id task;        /* of that call */
};

struct idempotency {
    pthread_mutex_t mutex;
    struct key_holding *table;
};

struct idempotency *idempotency_new(void) {
    struct idempotency *idempotency = mem_new(sizeof(*idempotency));
    pthread_mutex_init(&idempotency->mutex, NULL);
    return idempotency;
}

void idempotency_free(struct idempotency *idempotency) {
    if (idempotency == NULL)
        return;
    assert(idempotency->table == NULL);
    pthread_mutex_destroy(&idempotency->mutex);
    free(idempotency);
}

static struct holding_key holding_key(const struct idempotency_key *key) {
    struct holding_key ret;
    memset(&ret, 0, sizeof(ret));
    assert(key->name.len > 0 && key->name.len <= IDEMPOTENCY_NAME_MAX);
    ret.account = key->account;
    ret.book = key->book;
    memcpy(ret.name, key->name.ptr, key->name.len);
    return ret;
}

/* ---- its end ---- */

/* The lock is taken. */
static void drop_stream(struct key_holding *holding) {
    chat_stream_unref(holding->stream);
    holding->stream = NULL;
}

static void wake_all(struct visit_list *waiters, const struct idempotency_visit *outcome) {
    struct idempotency_visit *visit;
    while ((visit = STAILQ_FIRST(waiters)) != NULL) {
        STAILQ_REMOVE_HEAD(waiters, link);
        visit->err = outcome->err;
        visit->state = outcome->state;
        visit->stream = outcome->stream != NULL ? chat_stream_ref(outcome->stream) : NULL;
        visit->task = outcome->task;
        visit->estimated_s = outcome->estimated_s;
        visit->wake(visit);
    }
}

/* The lock is taken. */
static void remove_holding(struct key_holding *holding) {
    HASH_DELETE(hh, holding->idempotency->table, holding);
    drop_stream(holding);
}

/* Those who wait hear of the outcome. */
static void end_holding(struct key_holding *holding, const struct idempotency_visit *outcome) {
    struct idempotency *idempotency = holding->idempotency;
    pthread_mutex_lock(&idempotency->mutex);
    remove_holding(holding);
    pthread_mutex_unlock(&idempotency->mutex);
    wake_all(&holding->waiters, outcome);
    free(holding);
}

void idempotency_leave(struct key_holding *holding) {
    if (holding == NULL)
        return;
    struct idempotency *idempotency = holding->idempotency;
    pthread_mutex_lock(&idempotency->mutex);
    struct idempotency_visit *next = STAILQ_FIRST(&holding->waiters);
    if (next == NULL) {
        remove_holding(holding);
        free(holding);
    } else {
        STAILQ_REMOVE_HEAD(&holding->waiters, link);
        holding->waiter_count--;
        drop_stream(holding);
        next->state = VISIT_FIRST;
        next->holding = holding;
    }
    pthread_mutex_unlock(&idempotency->mutex);
    if (next != NULL)
        next->wake(next);
}

void idempotency_settle(struct key_holding *holding, const struct task_id *task, int64_t estimated_s) {
    const struct idempotency_visit outcome = { .state = VISIT_REPEATS, .task = *task, .estimated_s = estimated_s };
    if (holding != NULL)
        end_holding(holding, &outcome);
}

void idempotency_share(struct key_holding *holding, struct chat_stream *stream, const struct task_id *task) {
    struct visit_list waiters = STAILQ_HEAD_INITIALIZER(waiters);
    const struct idempotency_visit outcome = { .state = VISIT_JOINS, .stream = stream, .task = *task };
    if (holding == NULL)
        return;
    pthread_mutex_lock(&holding->idempotency->mutex);
    assert(holding->stream == NULL);
    holding->stream = chat_stream_ref(stream);
    holding->task = *task;
    STAILQ_CONCAT(&waiters, &holding->waiters);
    holding->waiter_count = 0;
    pthread_mutex_unlock(&holding->idempotency->mutex);
    wake_all(&waiters, &outcome);
}

void idempotency_write(struct store_tx *tx, const struct key_holding *holding, const struct task_id *task,
                       int64_t estimated_s) {
    int64_t now_ms = clock_wall_ms();
    if (holding == NULL)
        return;
    struct idempotency_row row = {
        .account = holding->key.account,
        .book = (enum book)holding->key.book,
        .name = text_of(holding->key.name),
        .task = *task,
        .estimated_s = estimated_s,
        .expires_ms = now_ms + KEY_LIFE_MS,
    };
    memcpy(row.fingerprint, holding->fingerprint, sizeof(row.fingerprint));
    store_tx_add_idempotency(tx, &row, now_ms);
}

/* ---- its beginning ---- */

/* What the store knows of the key; ERR_NOT_FOUND: nothing. */
static enum err look_up(struct store *store, const struct idempotency_key *key, struct idempotency_visit *visit) {
    struct idempotency_row row;
    enum err err = store_find_idempotency(store, key->account, key->book, key->name, clock_wall_ms(), &row);
    if (err != OK)
        return err;
    if (strcmp(row.fingerprint, key->fingerprint) != 0)
        return ERR_IDEMPOTENCY_KEY_REUSED;
    visit->state = VISIT_REPEATS;
    visit->task = row.task;
    visit->estimated_s = row.estimated_s;
    return OK;
}

/* The key is another's, for the same. The lock is taken. */
static enum err follow(struct key_holding *holding, struct idempotency_visit *visit, bool *ret_waits) {
    if (holding->stream != NULL && chat_stream_state(holding->stream) != CHAT_FAILED) {
        visit->state = VISIT_JOINS;
        visit->stream = chat_stream_ref(holding->stream);
        visit->task = holding->task;
        return OK;
    }
    if (holding->waiter_count == KEY_WAITERS_MAX)
        return ERR_OVERLOADED;
    *ret_waits = true;
    if (visit->wake == NULL)
        return OK;
    holding->waiter_count++;
    STAILQ_INSERT_TAIL(&holding->waiters, visit, link);
    return OK;
}

/* The lock is taken. */
static struct key_holding *add(struct idempotency *idempotency, const struct holding_key *name,
                               const struct idempotency_key *key) {
    struct key_holding *holding = mem_new(sizeof(*holding));
    holding->idempotency = idempotency;
    holding->key = *name;
    memcpy(holding->fingerprint, key->fingerprint, sizeof(holding->fingerprint));
    STAILQ_INIT(&holding->waiters);
    HASH_ADD(hh, idempotency->table, key, sizeof(holding->key), holding);
    return holding;
}

/* Nobody else has the key: unless the store knows it, the visit is first. Those who came meanwhile want the same, and
 * are told the same. */
static enum err lead(struct key_holding *holding, struct store *store, const struct idempotency_key *key,
                     struct idempotency_visit *visit) {
    enum err err = look_up(store, key, visit);
    if (err == ERR_NOT_FOUND) {
        visit->state = VISIT_FIRST;
        visit->holding = holding;
        return OK;
    }
    struct idempotency_visit outcome = *visit;
    outcome.err = err;
    outcome.stream = NULL;
    end_holding(holding, &outcome);
    return err;
}

enum err idempotency_enter(struct idempotency *idempotency, struct store *store, const struct idempotency_key *key,
                           struct idempotency_visit *visit, bool *ret_waits) {
    struct holding_key name = holding_key(key);
    struct key_holding *holding = NULL;
    enum err err = ERR_IDEMPOTENCY_KEY_REUSED;

    *ret_waits = false;
    pthread_mutex_lock(&idempotency->mutex);
    HASH_FIND(hh, idempotency->table, &name, sizeof(name), holding);
    bool free = holding == NULL;
    if (free)
        holding = add(idempotency, &name, key);
    else if (strcmp(holding->fingerprint, key->fingerprint) == 0)
        err = follow(holding, visit, ret_waits);
    pthread_mutex_unlock(&idempotency->mutex);
    if (free)
        return lead(holding, store, key, visit);
    if (err != ERR_IDEMPOTENCY_KEY_REUSED)
        return err;
    err = look_up(store, key, visit); /* who has it now may be the one that is wrong */
    return err == ERR_NOT_FOUND ? ERR_IDEMPOTENCY_KEY_REUSED : err;
}
