/* Lanes, rings and slots. A lane is in its provider's ring exactly when a task waits in it and its account may run one
 * more; settle_lane() keeps that. Lanes and accounts go when nothing waits or runs in them (S3). */
#include "engine/queue.h"

#include <assert.h>
#include <stdlib.h>

#include "base/memory.h"

/* Whose places are counted together: other tasks, language models' tasks, and their calls, which are counted elsewhere
 * (engine/holds.h) and never wait for an account's places. */
enum queue_class { QUEUE_TASKS, QUEUE_CONVERSATIONS, QUEUE_CALLS };

/* Test mode runs beside live mode. Eight bytes a member: no padding to hash. */
struct queue_key {
    int64_t account, book, class;
};

struct queue_account {
    struct queue_key key;
    unsigned limit, running;
    bool full; /* as the rings know it */
    LIST_HEAD(, lane) lanes;
    UT_hash_handle hh;
};

struct queue_provider {
    char name[NAME_SIZE];
    unsigned limit, running, launches;
    bool held;
    TAILQ_HEAD(, lane) ring;
    UT_hash_handle hh;
};

struct lane {
    struct queue_account *account;
    struct queue_provider *provider;
    TAILQ_HEAD(, live_task) waiting;
    unsigned running;
    uint64_t last_sequence;
    struct queue_gauge *gauge;
    bool in_ring;
    TAILQ_ENTRY(lane) ring_link;
    LIST_ENTRY(lane) account_link;
};

struct queue_gauge *queue_gauge_ref(struct queue_gauge *gauge) {
    atomic_fetch_add_explicit(&gauge->references, 1, memory_order_relaxed);
    return gauge;
}

void queue_gauge_unref(struct queue_gauge *gauge) {
    if (gauge != NULL && atomic_fetch_sub_explicit(&gauge->references, 1, memory_order_acq_rel) == 1)
        free(gauge);
}

int64_t queue_gauge_position(struct queue_gauge *gauge, uint64_t sequence) {
    uint64_t head = atomic_load_explicit(&gauge->head, memory_order_relaxed);
    return head < sequence ? (int64_t)(sequence - head) + 1 : 1;
}

void queue_init(struct queue *queue) {
    *queue = (struct queue){ 0 };
}

static unsigned at_least_one(unsigned limit) {
    return limit > 0 ? limit : 1;
}

static void settle_lane(struct lane *lane) {
    bool wanted = !TAILQ_EMPTY(&lane->waiting) && !lane->account->full;
    if (wanted == lane->in_ring)
        return;
    if (wanted)
        TAILQ_INSERT_TAIL(&lane->provider->ring, lane, ring_link);
    else
        TAILQ_REMOVE(&lane->provider->ring, lane, ring_link);
    lane->in_ring = wanted;
}

static void settle_account(struct queue_account *account) {
    bool full = account->running >= account->limit;
    if (full == account->full)
        return;
    struct lane *lane;
    account->full = full;
    LIST_FOREACH(lane, &account->lanes, account_link)
        settle_lane(lane);
}

static struct queue_account *account_of(struct queue *queue, const struct live_task *task) {
    struct queue_key key = {
        .account = task->key.account, .book = task->book,
        .class = task->call != NULL ? QUEUE_CALLS : task->type == TASK_LLM ? QUEUE_CONVERSATIONS : QUEUE_TASKS
    };
    struct queue_account *account = NULL;
    /* NOLINTNEXTLINE(clang-analyzer-core.UndefinedBinaryOperatorResult): all bytes of the three numbers are set */
    HASH_FIND(hh, queue->accounts, &key, sizeof(key), account);
    if (account == NULL) {
        account = mem_new(sizeof(*account));
        account->key = key;
        account->limit = 1;
        LIST_INIT(&account->lanes);
        HASH_ADD(hh, queue->accounts, key, sizeof(account->key), account);
    }
    return account;
}

static struct queue_provider *provider_of(struct queue *queue, const char *name) {
    struct queue_provider *provider = NULL;
    HASH_FIND_STR(queue->providers, name, provider);
    if (provider == NULL) {
        provider = mem_new(sizeof(*provider));
        snprintf(provider->name, sizeof(provider->name), "%s", name);
        TAILQ_INIT(&provider->ring);
        HASH_ADD_STR(queue->providers, name, provider);
    }
    return provider;
}

static struct lane *lane_of(struct queue_account *account, struct queue_provider *provider) {
    struct lane *lane;
    LIST_FOREACH(lane, &account->lanes, account_link)
        if (lane->provider == provider)
            return lane;

    lane = mem_new(sizeof(*lane));
    lane->account = account;
    lane->provider = provider;
    lane->gauge = mem_new(sizeof(*lane->gauge));
    atomic_init(&lane->gauge->references, 1);
    atomic_init(&lane->gauge->head, 1);
    TAILQ_INIT(&lane->waiting);
    LIST_INSERT_HEAD(&account->lanes, lane, account_link);
    return lane;
}

static void free_lane(struct queue *queue, struct lane *lane) {
    struct queue_account *account = lane->account;
    assert(!lane->in_ring);
    LIST_REMOVE(lane, account_link);
    queue_gauge_unref(lane->gauge);
    free(lane);
    if (!LIST_EMPTY(&account->lanes))
        return;
    assert(account->running == 0);
    HASH_DELETE(hh, queue->accounts, account);
    free(account);
}

static void drop_if_idle(struct queue *queue, struct lane *lane) {
    if (lane->running == 0 && TAILQ_EMPTY(&lane->waiting))
        free_lane(queue, lane);
}

void queue_fini(struct queue *queue) {
    struct queue_account *account, *next_account;
    struct queue_provider *provider, *next_provider;

    assert(queue->running == 0);
    HASH_ITER(hh, queue->accounts, account, next_account) {
        struct lane *lane = LIST_FIRST(&account->lanes);
        while (lane != NULL) { /* the last lane frees the account */
            struct lane *next = LIST_NEXT(lane, account_link);
            TAILQ_INIT(&lane->waiting);
            settle_lane(lane);
            free_lane(queue, lane);
            lane = next;
        }
    }
    HASH_ITER(hh, queue->providers, provider, next_provider) {
        HASH_DELETE(hh, queue->providers, provider);
        free(provider);
    }
}

/* The lane, with the limits that hold from now on. */
static struct lane *lane_with_limits(struct queue *queue, const struct live_task *task, const char *provider_name,
                                     unsigned provider_limit, unsigned account_limit) {
    struct queue_account *account = account_of(queue, task);
    struct queue_provider *provider = provider_of(queue, provider_name);
    struct lane *lane = lane_of(account, provider);
    provider->limit = at_least_one(provider_limit);
    account->limit = at_least_one(account_limit);
    settle_account(account);
    return lane;
}

void queue_push(struct queue *queue, struct live_task *task, const char *provider_name, unsigned provider_limit,
                unsigned account_limit) {
    assert(task->phase == LIVE_NEW);
    struct lane *lane = lane_with_limits(queue, task, provider_name, provider_limit, account_limit);

    task->phase = LIVE_QUEUED;
    task->lane = lane;
    task->sequence = ++lane->last_sequence;
    if (TAILQ_EMPTY(&lane->waiting))
        atomic_store_explicit(&lane->gauge->head, task->sequence, memory_order_relaxed);
    TAILQ_INSERT_TAIL(&lane->waiting, task, link);
    queue->waiting++;
    settle_lane(lane);
}

static void count_running(struct queue *queue, struct lane *lane) {
    lane->running++;
    lane->provider->running++;
    lane->account->running++;
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

/* Providers take turns as well: an account with few places has lanes at several of them, and all want the same place. */
static struct queue_provider *provider_in_turn(const struct queue *queue) {
    struct queue_provider *provider = queue->turn;
    for (unsigned i = HASH_COUNT(queue->providers); i > 0; i--) {
        provider = provider != NULL && provider->hh.next != NULL ? provider->hh.next : queue->providers;
        bool may_run = !provider->held && provider->running < provider->limit;
        if (may_run && provider->launches < QUEUE_LAUNCHES_MAX && !TAILQ_EMPTY(&provider->ring))
            return provider;
    }
    return NULL;
}

struct live_task *queue_pick(struct queue *queue, struct lane **ret_slot) {
    struct queue_provider *provider = provider_in_turn(queue);
    if (provider == NULL)
        return NULL;
    queue->turn = provider;

    struct lane *lane = TAILQ_FIRST(&provider->ring);
    struct live_task *task = TAILQ_FIRST(&lane->waiting);
    TAILQ_REMOVE(&provider->ring, lane, ring_link); /* to the end: the next account has its turn */
    TAILQ_INSERT_TAIL(&provider->ring, lane, ring_link);
    count_running(queue, lane);
    take_out(queue, task);
    settle_account(lane->account);
    *ret_slot = lane;
    return task;
}

struct lane *queue_occupy(struct queue *queue, const struct live_task *task, const char *provider,
                          unsigned provider_limit, unsigned account_limit) {
    struct lane *lane = lane_with_limits(queue, task, provider, provider_limit, account_limit);
    count_running(queue, lane);
    settle_account(lane->account);
    return lane;
}

void queue_launch(struct lane *slot) {
    slot->provider->launches++;
}

void queue_land(struct lane *slot) {
    assert(slot->provider->launches > 0);
    slot->provider->launches--;
}

void queue_hold(struct queue *queue, const char *provider, bool held) {
    provider_of(queue, provider)->held = held;
}

void queue_each_provider(const struct queue *queue, void (*each)(const char *provider, void *context), void *context) {
    for (struct queue_provider *provider = queue->providers; provider != NULL; provider = provider->hh.next)
        each(provider->name, context);
}

void queue_each_waiting(struct queue *queue, const char *name, void (*each)(struct live_task *task, void *context),
                        void *context) {
    struct queue_account *account, *next_account;
    HASH_ITER(hh, queue->accounts, account, next_account) {
        struct lane *lane;
        LIST_FOREACH(lane, &account->lanes, account_link)
            if (strcmp(lane->provider->name, name) == 0)
                break;
        struct live_task *task = lane != NULL ? TAILQ_FIRST(&lane->waiting) : NULL;
        while (task != NULL) { /* the lane goes with the last one that is taken out */
            struct live_task *next = TAILQ_NEXT(task, link);
            each(task, context);
            task = next;
        }
    }
}

void queue_release(struct queue *queue, struct lane *lane) {
    assert(lane->running > 0 && lane->provider->running > 0 && lane->account->running > 0);
    lane->running--;
    lane->provider->running--;
    lane->account->running--;
    queue->running--;
    settle_account(lane->account);
    drop_if_idle(queue, lane);
}

struct live_task *queue_overdue(const struct queue *queue, int64_t cutoff_ms) {
    for (const struct queue_account *account = queue->accounts; account != NULL; account = account->hh.next) {
        struct lane *lane;
        LIST_FOREACH(lane, &account->lanes, account_link) {
            struct live_task *task = TAILQ_FIRST(&lane->waiting);
            if (task != NULL && task->created_ms < cutoff_ms)
                return task;
        }
    }
    return NULL;
}

struct queue_gauge *queue_gauge(const struct live_task *task) {
    assert(task->phase == LIVE_QUEUED);
    return task->lane->gauge;
}

const char *queue_task_provider(const struct live_task *task) {
    assert(task->phase == LIVE_QUEUED);
    return task->lane->provider->name;
}

const char *queue_slot_provider(const struct lane *slot) {
    return slot->provider->name;
}

static const struct live_task *waiting_of(const struct queue_account *account) {
    struct lane *lane;
    LIST_FOREACH(lane, &account->lanes, account_link)
        if (!TAILQ_EMPTY(&lane->waiting))
            return TAILQ_FIRST(&lane->waiting);
    return NULL;
}

void queue_relimit(struct queue *queue, unsigned (*provider_limit)(const char *provider, void *context),
                   unsigned (*account_limit)(const struct live_task *waiting, void *context), void *context) {
    for (struct queue_provider *provider = queue->providers; provider != NULL; provider = provider->hh.next) {
        unsigned limit = provider_limit(provider->name, context);
        if (limit > 0)
            provider->limit = limit;
    }
    for (struct queue_account *account = queue->accounts; account != NULL; account = account->hh.next) {
        const struct live_task *task = waiting_of(account);
        unsigned limit = task != NULL ? account_limit(task, context) : 0;
        if (limit > 0)
            account->limit = limit;
        settle_account(account);
    }
}
