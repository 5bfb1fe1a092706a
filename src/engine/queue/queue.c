/* Turns and places: settle_… keep true what queue_inside.h says of rings. */
#include "engine/queue/queue.h"

#include <assert.h>
#include <limits.h>
#include <stdlib.h>

#include "engine/queue/inside.h"

void queue_init(struct queue *queue) {
    *queue = (struct queue){ 0 };
}

static unsigned at_least_one(unsigned limit) {
    return limit > 0 ? limit : 1;
}

static unsigned or_none(unsigned limit) {
    return limit > 0 ? limit : UINT_MAX;
}

/* ---- groups ---- */

static bool is_full(const struct queue_group *group) {
    return group->running >= group->limit;
}

static void unpark(struct share *share) {
    TAILQ_REMOVE(&share->parking->shares, share, ring_link);
    share->parking = NULL;
    TAILQ_INSERT_TAIL(&share->provider->ring, share, ring_link);
    share->place = SHARE_IN_RING;
}

static void park(struct share *share) {
    struct parking *parking = queue_parking_of(share->account->group, share->provider);
    TAILQ_REMOVE(&share->provider->ring, share, ring_link);
    TAILQ_INSERT_TAIL(&parking->shares, share, ring_link);
    share->parking = parking;
    share->place = SHARE_PARKED;
}

static void unpark_next(struct queue_group *group, const struct queue_provider *provider) {
    struct parking *parking;
    LIST_FOREACH(parking, &group->parkings, link)
        if (parking->provider == provider && !TAILQ_EMPTY(&parking->shares))
            unpark(TAILQ_FIRST(&parking->shares));
}

/* A place came free: the next one at each provider gets its turn; who is too late for it is parked again. */
static void group_has_place(struct queue_group *group) {
    struct parking *parking;
    if (is_full(group))
        return;
    LIST_FOREACH(parking, &group->parkings, link)
        if (!TAILQ_EMPTY(&parking->shares))
            unpark(TAILQ_FIRST(&parking->shares));
}

static void limit_group(struct queue_group *group, unsigned limit) {
    bool more = limit > group->limit;
    struct parking *parking;
    group->limit = limit;
    if (!more)
        return;
    LIST_FOREACH(parking, &group->parkings, link)
        while (!TAILQ_EMPTY(&parking->shares))
            unpark(TAILQ_FIRST(&parking->shares));
}

static bool is_of(const struct queue_account *account, const char *name) {
    return account->group != NULL && strcmp(account->group->key.name, name) == 0;
}

/* The account, with what it runs, is counted there from now on. */
static void join(struct queue *queue, struct queue_account *account, const char *name) {
    if (is_of(account, name))
        return;
    struct queue_group *before = account->group;
    struct share *share;
    LIST_FOREACH(share, &account->shares, link)
        if (share->place == SHARE_PARKED)
            unpark(share);
    account->group = queue_group_of(queue, account, name);
    account->group->accounts++;
    account->group->running += account->running;
    if (before == NULL)
        return;
    before->running -= account->running;
    group_has_place(before);
    queue_group_leave(queue, before);
}

/* ---- rings ---- */

static void settle_share(struct share *share) {
    bool wanted = !TAILQ_EMPTY(&share->ring) && !share->account->full;
    if (wanted == (share->place != SHARE_OUT))
        return;
    if (wanted) {
        TAILQ_INSERT_TAIL(&share->provider->ring, share, ring_link);
        share->place = SHARE_IN_RING;
        return;
    }
    if (share->place == SHARE_PARKED)
        unpark(share);
    TAILQ_REMOVE(&share->provider->ring, share, ring_link);
    share->place = SHARE_OUT;
    if (!is_full(share->account->group))
        unpark_next(share->account->group, share->provider);
}

static void settle_lane(struct lane *lane) {
    bool wanted = !TAILQ_EMPTY(&lane->waiting) && !lane->holder->full;
    if (wanted == lane->in_ring)
        return;
    if (wanted)
        TAILQ_INSERT_TAIL(&lane->share->ring, lane, ring_link);
    else
        TAILQ_REMOVE(&lane->share->ring, lane, ring_link);
    lane->in_ring = wanted;
    settle_share(lane->share);
}

static void settle_holder(struct queue_holder *holder) {
    bool full = holder->running >= holder->limit;
    if (full == holder->full)
        return;
    struct lane *lane;
    holder->full = full;
    LIST_FOREACH(lane, &holder->lanes, link)
        settle_lane(lane);
}

static void settle_account(struct queue_account *account) {
    bool full = account->running >= account->limit;
    if (full == account->full)
        return;
    struct share *share;
    account->full = full;
    LIST_FOREACH(share, &account->shares, link)
        settle_share(share);
}

static void drop_if_idle(struct queue *queue, struct lane *lane) {
    if (lane->running == 0 && TAILQ_EMPTY(&lane->waiting))
        queue_lane_free(queue, lane);
}

void queue_fini(struct queue *queue) {
    struct queue_holder *holder;
    struct queue_provider *provider, *next_provider;

    assert(queue->running == 0);
    while ((holder = queue->holders) != NULL) {
        struct lane *lane = LIST_FIRST(&holder->lanes); /* the last one frees the holder */
        TAILQ_INIT(&lane->waiting);
        settle_lane(lane);
        queue_lane_free(queue, lane);
    }
    HASH_ITER(hh, queue->providers, provider, next_provider) {
        HASH_DELETE(hh, queue->providers, provider);
        free(provider);
    }
}

/* The lane, with the limits that hold from now on. */
static struct lane *lane_with_limits(struct queue *queue, const struct live_task *task, const char *provider_name,
                                     const struct queue_limits *limits) {
    struct queue_account *account = queue_account_of(queue, task);
    struct queue_holder *holder = queue_holder_of(queue, account, task->key_id);
    struct queue_provider *provider = queue_provider_of(queue, provider_name);
    struct lane *lane = queue_lane_of(account, holder, provider);
    provider->limit = at_least_one(limits->provider);
    join(queue, account, limits->group_name);
    limit_group(account->group, or_none(limits->group));
    account->limit = at_least_one(limits->account);
    settle_account(account);
    holder->limit = or_none(limits->key);
    settle_holder(holder);
    return lane;
}

void queue_push(struct queue *queue, struct live_task *task, const char *provider, const struct queue_limits *limits) {
    assert(task->phase == LIVE_NEW);
    struct lane *lane = lane_with_limits(queue, task, provider, limits);

    task->phase = LIVE_QUEUED;
    task->lane = lane;
    task->sequence = ++lane->last_sequence;
    if (TAILQ_EMPTY(&lane->waiting))
        atomic_store_explicit(&lane->gauge->head, task->sequence, memory_order_relaxed);
    TAILQ_INSERT_TAIL(&lane->waiting, task, link);
    queue->waiting++;
    settle_lane(lane);
}

/* ---- running ---- */

static void count_running(struct queue *queue, struct lane *lane) {
    struct queue_account *account = lane->share->account;
    lane->running++;
    lane->holder->running++;
    lane->share->provider->running++;
    account->running++;
    account->group->running++;
    queue->running++;
}

static void take_out(struct queue *queue, struct live_task *task) {
    struct lane *lane = task->lane;
    assert(task->phase == LIVE_QUEUED);
    TAILQ_REMOVE(&lane->waiting, task, link);
    task->lane = NULL;
    task->phase = LIVE_NEW;
    queue->waiting--;
    struct live_task *first = TAILQ_FIRST(&lane->waiting);
    atomic_store_explicit(&lane->gauge->head, first != NULL ? first->sequence : lane->last_sequence + 1,
                          memory_order_relaxed);
    settle_lane(lane);
}

void queue_remove(struct queue *queue, struct live_task *task) {
    struct lane *lane = task->lane;
    take_out(queue, task);
    drop_if_idle(queue, lane);
}

/* The next in the ring whose group may run one more; those before it are parked. */
static struct share *share_in_turn(struct queue_provider *provider) {
    struct share *share;
    while ((share = TAILQ_FIRST(&provider->ring)) != NULL && is_full(share->account->group))
        park(share);
    return share;
}

/* Providers take turns as well: an account with few places has shares at several of them, and all want the same place. */
static struct share *next_share(struct queue *queue) {
    struct queue_provider *provider = queue->turn;
    for (unsigned i = HASH_COUNT(queue->providers); i > 0; i--) {
        provider = provider != NULL && provider->hh.next != NULL ? provider->hh.next : queue->providers;
        bool may_run = !provider->held && provider->running < provider->limit;
        struct share *share = may_run && provider->launches < QUEUE_LAUNCHES_MAX ? share_in_turn(provider) : NULL;
        if (share == NULL)
            continue;
        queue->turn = provider;
        return share;
    }
    return NULL;
}

struct live_task *queue_pick(struct queue *queue, struct lane **ret_slot) {
    struct share *share = next_share(queue);
    if (share == NULL)
        return NULL;
    struct lane *lane = TAILQ_FIRST(&share->ring);
    struct live_task *task = TAILQ_FIRST(&lane->waiting);
    TAILQ_REMOVE(&share->provider->ring, share, ring_link); /* to the end: the next account has its turn */
    TAILQ_INSERT_TAIL(&share->provider->ring, share, ring_link);
    TAILQ_REMOVE(&share->ring, lane, ring_link); /* and among the account's keys the next one */
    TAILQ_INSERT_TAIL(&share->ring, lane, ring_link);
    count_running(queue, lane);
    take_out(queue, task);
    settle_holder(lane->holder);
    settle_account(share->account);
    *ret_slot = lane;
    return task;
}

struct lane *queue_occupy(struct queue *queue, const struct live_task *task, const char *provider,
                          const struct queue_limits *limits) {
    struct lane *lane = lane_with_limits(queue, task, provider, limits);
    count_running(queue, lane);
    settle_holder(lane->holder);
    settle_account(lane->share->account);
    return lane;
}

void queue_release(struct queue *queue, struct lane *lane) {
    struct queue_account *account = lane->share->account;
    struct queue_holder *holder = lane->holder;
    struct queue_provider *provider = lane->share->provider;

    assert(lane->running > 0 && holder->running > 0 && provider->running > 0 && account->running > 0 &&
           account->group->running > 0);
    lane->running--;
    holder->running--;
    provider->running--;
    account->running--;
    account->group->running--;
    queue->running--;
    settle_holder(holder);
    settle_account(account);
    group_has_place(account->group);
    drop_if_idle(queue, lane);
}

void queue_launch(struct lane *slot) {
    slot->share->provider->launches++;
}

void queue_land(struct lane *slot) {
    assert(slot->share->provider->launches > 0);
    slot->share->provider->launches--;
}

void queue_hold(struct queue *queue, const char *provider, bool held) {
    queue_provider_of(queue, provider)->held = held;
}

/* ---- new limits ---- */

static const struct live_task *waiting_of(const struct queue_account *account) {
    struct queue_holder *holder;
    struct lane *lane;
    LIST_FOREACH(holder, &account->holders, link)
        LIST_FOREACH(lane, &holder->lanes, link)
            if (!TAILQ_EMPTY(&lane->waiting))
                return TAILQ_FIRST(&lane->waiting);
    return NULL;
}

void queue_relimit(struct queue *queue, unsigned (*provider_limit)(const char *provider, void *context),
                   void (*account_limits)(const struct live_task *waiting, struct queue_limits *ret, void *context),
                   void *context) {
    for (struct queue_provider *provider = queue->providers; provider != NULL; provider = provider->hh.next) {
        unsigned limit = provider_limit(provider->name, context);
        if (limit > 0)
            provider->limit = limit;
    }
    for (struct queue_account *account = queue->accounts; account != NULL; account = account->hh.next) {
        const struct live_task *task = waiting_of(account);
        struct queue_limits limits = { 0 };
        if (task == NULL)
            continue;
        account_limits(task, &limits, context);
        join(queue, account, limits.group_name);
        limit_group(account->group, or_none(limits.group));
        account->limit = at_least_one(limits.account);
        settle_account(account);
    }
}

bool queue_relimit_keys(struct queue *queue, uint64_t generation, unsigned most,
                        unsigned (*key_limit)(int64_t account, int64_t key, unsigned before, void *context),
                        void *context) {
    for (struct queue_holder *holder = queue->holders; holder != NULL; holder = holder->hh.next) {
        if (holder->generation == generation || holder->key.account->key.class == QUEUE_CALLS)
            continue;
        if (most-- == 0)
            return false;
        holder->generation = generation;
        int64_t account = holder->key.account->key.account;
        holder->limit = or_none(key_limit(account, holder->key.id, holder->limit, context));
        settle_holder(holder);
    }
    return true;
}
