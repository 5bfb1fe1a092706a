/* The table of lanes, and the lists of those that are ready and those that sleep. */
#include "callback/lane.h"

#include <assert.h>
#include <stdlib.h>

#include "base/compiler.h"
#include "base/memory.h"
#include "callback/intake.h"

#define ACCOUNTS_MIN 4 /* whatever one account's receivers do, there is room for so many accounts */
#define KEY_MAX (sizeof(int64_t) + CALLBACK_LANE_SIZE)

void lanes_init(struct lanes *lanes, unsigned max) {
    *lanes = (struct lanes){ .max = max, .max_of_account = max > ACCOUNTS_MIN ? max / ACCOUNTS_MIN : 1 };
    TAILQ_INIT(&lanes->ready);
    TAILQ_INIT(&lanes->sleeping);
}

void lanes_fini(struct lanes *lanes) {
    struct lane *lane, *next;
    HASH_ITER(hh, lanes->table, lane, next) {
        lane->running = 0;
        lane_remove(lanes, lane);
    }
}

static size_t make_key(int64_t account, struct text name, char ret[KEY_MAX]) {
    size_t length = name.len < CALLBACK_LANE_SIZE ? name.len : CALLBACK_LANE_SIZE;
    memcpy(ret, &account, sizeof(account));
    memcpy(ret + sizeof(account), name.ptr, length);
    return sizeof(account) + length;
}

struct lane *lane_find(const struct lanes *lanes, int64_t account, struct text name) {
    char key[KEY_MAX];
    struct lane *lane = NULL;
    size_t size = make_key(account, name, key);
    HASH_FIND(hh, lanes->table, key, size, lane);
    return lane;
}

/* NULL: the account has as many lanes as one may have, so that others find room. */
static struct lane_account *enter(struct lanes *lanes, int64_t account) {
    struct lane_account *owner = NULL;
    HASH_FIND(hh, lanes->accounts, &account, sizeof(account), owner);
    if (owner != NULL && owner->lanes >= lanes->max_of_account)
        return NULL;
    if (owner == NULL) {
        owner = mem_new(sizeof(*owner));
        owner->account = account;
        HASH_ADD(hh, lanes->accounts, account, sizeof(owner->account), owner);
    }
    owner->lanes++;
    return owner;
}

struct lane *lane_ensure(struct lanes *lanes, int64_t account, struct text name) {
    struct lane *lane = lane_find(lanes, account, name);
    if (lane != NULL)
        return lane;
    struct lane_account *owner = lanes->count < lanes->max ? enter(lanes, account) : NULL;
    if (owner == NULL)
        return NULL;
    lane = mem_new(sizeof(*lane) + KEY_MAX);
    lane->key_size = make_key(account, name, lane->key);
    lane->test = callback_lane_is_test(name);
    lane->owner = owner;
    HASH_ADD_KEYPTR(hh, lanes->table, lane->key, lane->key_size, lane);
    lanes->count++;
    lane_be_ready(lanes, lane);
    return lane;
}

void lane_remove(struct lanes *lanes, struct lane *lane) {
    struct lane_account *owner = lane->owner;
    assert(lane->running == 0);
    lane_be_idle(lanes, lane);
    HASH_DELETE(hh, lanes->table, lane);
    lanes->count--;
    if (--owner->lanes == 0) {
        HASH_DELETE(hh, lanes->accounts, owner);
        free(owner);
    }
    free(lane);
}

int64_t lane_account(const struct lane *lane) {
    return lane->owner->account;
}

struct text lane_name(const struct lane *lane) {
    return (struct text){ lane->key + sizeof(int64_t), lane->key_size - sizeof(int64_t) };
}

void lane_be_idle(struct lanes *lanes, struct lane *lane) {
    if (lane->phase == LANE_READY)
        TAILQ_REMOVE(&lanes->ready, lane, link);
    else if (lane->phase == LANE_SLEEPING)
        TAILQ_REMOVE(&lanes->sleeping, lane, link);
    lane->phase = LANE_IDLE;
}

void lane_be_ready(struct lanes *lanes, struct lane *lane) {
    lane_be_idle(lanes, lane);
    lane->phase = LANE_READY;
    TAILQ_INSERT_TAIL(&lanes->ready, lane, link);
}

void lane_be_looked_into(struct lanes *lanes, struct lane *lane) {
    lane_be_idle(lanes, lane);
    lane->phase = LANE_LOOKING;
    lane->again = false;
}

void lane_sleep(struct lanes *lanes, struct lane *lane, int64_t until_ms) {
    lane_be_idle(lanes, lane);
    lane->phase = LANE_SLEEPING;
    lane->wake_ms = until_ms;
    TAILQ_INSERT_TAIL(&lanes->sleeping, lane, link);
}

void lane_wake(struct lanes *lanes, struct lane *lane, int64_t due_ms, int64_t now_ms) {
    if (lane->phase == LANE_LOOKING)
        lane->again = true;
    else if (due_ms <= now_ms && lane->phase != LANE_READY)
        lane_be_ready(lanes, lane);
    else if (lane->phase == LANE_SLEEPING && due_ms < lane->wake_ms)
        lane->wake_ms = due_ms;
    else if (lane->phase == LANE_IDLE)
        lane_sleep(lanes, lane, due_ms);
}

int64_t lanes_wake_due(struct lanes *lanes, int64_t now_ms) {
    struct lane *lane = TAILQ_FIRST(&lanes->sleeping);
    int64_t next_ms = INT64_MAX;
    while (lane != NULL) {
        struct lane *next = TAILQ_NEXT(lane, link);
        if (lane->wake_ms <= now_ms)
            lane_be_ready(lanes, lane);
        else if (lane->wake_ms < next_ms)
            next_ms = lane->wake_ms;
        lane = next;
    }
    return next_ms;
}
