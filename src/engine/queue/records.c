/* The queue's records: all of them go when nothing waits or runs in them (S3), but the providers, which are few. */
#include <assert.h>
#include <limits.h>
#include <stdlib.h>

#include "base/memory.h"
#include "engine/queue/inside.h"

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

struct queue_provider *queue_provider_of(struct queue *queue, const char *name) {
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

static enum queue_class class_of(const struct live_task *task) {
    return task->call != NULL ? QUEUE_CALLS : task->type == TASK_LLM ? QUEUE_CONVERSATIONS : QUEUE_TASKS;
}

struct queue_account *queue_account_of(struct queue *queue, const struct live_task *task) {
    struct queue_account_key key = { .account = task->key.account, .book = task->book, .class = class_of(task) };
    struct queue_account *account = NULL;
    /* NOLINTNEXTLINE(clang-analyzer-core.UndefinedBinaryOperatorResult): all bytes of the three numbers are set */
    HASH_FIND(hh, queue->accounts, &key, sizeof(key), account);
    if (account == NULL) {
        account = mem_new(sizeof(*account));
        account->key = key;
        account->limit = 1;
        LIST_INIT(&account->shares);
        LIST_INIT(&account->holders);
        HASH_ADD(hh, queue->accounts, key, sizeof(account->key), account);
    }
    return account;
}

struct queue_holder *queue_holder_of(struct queue *queue, struct queue_account *account, int64_t key_id) {
    struct queue_holder_key key = { .account = account, .id = key_id };
    struct queue_holder *holder = NULL;
    /* NOLINTNEXTLINE(clang-analyzer-core.UndefinedBinaryOperatorResult): all bytes of the two are set */
    HASH_FIND(hh, queue->holders, &key, sizeof(key), holder);
    if (holder == NULL) {
        holder = mem_new(sizeof(*holder));
        holder->key = key;
        holder->limit = UINT_MAX;
        LIST_INIT(&holder->lanes);
        LIST_INSERT_HEAD(&account->holders, holder, link);
        HASH_ADD(hh, queue->holders, key, sizeof(holder->key), holder);
    }
    return holder;
}

struct queue_group *queue_group_of(struct queue *queue, const struct queue_account *account, const char *name) {
    struct queue_group_key key = { .book = account->key.book, .class = account->key.class };
    struct queue_group *group = NULL;
    snprintf(key.name, sizeof(key.name), "%s", name); /* the rest stays zero */
    /* NOLINTNEXTLINE(clang-analyzer-core.UndefinedBinaryOperatorResult): all bytes are set */
    HASH_FIND(hh, queue->groups, &key, sizeof(key), group);
    if (group == NULL) {
        group = mem_new(sizeof(*group));
        group->key = key;
        group->limit = UINT_MAX;
        LIST_INIT(&group->parkings);
        HASH_ADD(hh, queue->groups, key, sizeof(group->key), group);
    }
    return group;
}

void queue_group_leave(struct queue *queue, struct queue_group *group) {
    if (--group->accounts > 0)
        return;
    assert(group->running == 0);
    struct parking *parking;
    while ((parking = LIST_FIRST(&group->parkings)) != NULL) {
        assert(TAILQ_EMPTY(&parking->shares));
        LIST_REMOVE(parking, link);
        free(parking);
    }
    HASH_DELETE(hh, queue->groups, group);
    free(group);
}

struct parking *queue_parking_of(struct queue_group *group, struct queue_provider *provider) {
    struct parking *parking;
    LIST_FOREACH(parking, &group->parkings, link)
        if (parking->provider == provider)
            return parking;

    parking = mem_new(sizeof(*parking));
    parking->provider = provider;
    TAILQ_INIT(&parking->shares);
    LIST_INSERT_HEAD(&group->parkings, parking, link);
    return parking;
}

static struct share *share_of(struct queue_account *account, struct queue_provider *provider) {
    struct share *share;
    LIST_FOREACH(share, &account->shares, link)
        if (share->provider == provider)
            return share;

    share = mem_new(sizeof(*share));
    share->account = account;
    share->provider = provider;
    TAILQ_INIT(&share->ring);
    LIST_INSERT_HEAD(&account->shares, share, link);
    return share;
}

struct lane *queue_lane_of(struct queue_account *account, struct queue_holder *holder, struct queue_provider *provider) {
    struct lane *lane;
    LIST_FOREACH(lane, &holder->lanes, link)
        if (lane->share->provider == provider)
            return lane;

    lane = mem_new(sizeof(*lane));
    lane->share = share_of(account, provider);
    lane->share->lanes++;
    lane->holder = holder;
    lane->gauge = mem_new(sizeof(*lane->gauge));
    atomic_init(&lane->gauge->references, 1);
    atomic_init(&lane->gauge->head, 1);
    TAILQ_INIT(&lane->waiting);
    LIST_INSERT_HEAD(&holder->lanes, lane, link);
    return lane;
}

static void free_holder(struct queue *queue, struct queue_holder *holder) {
    assert(holder->running == 0);
    LIST_REMOVE(holder, link);
    HASH_DELETE(hh, queue->holders, holder);
    free(holder);
}

static void free_account(struct queue *queue, struct queue_account *account) {
    assert(account->running == 0 && LIST_EMPTY(&account->holders));
    queue_group_leave(queue, account->group);
    HASH_DELETE(hh, queue->accounts, account);
    free(account);
}

void queue_lane_free(struct queue *queue, struct lane *lane) {
    struct share *share = lane->share;
    struct queue_account *account = share->account;
    struct queue_holder *holder = lane->holder;

    assert(!lane->in_ring);
    LIST_REMOVE(lane, link);
    queue_gauge_unref(lane->gauge);
    free(lane);
    if (LIST_EMPTY(&holder->lanes))
        free_holder(queue, holder);
    if (--share->lanes > 0)
        return;
    assert(share->place == SHARE_OUT);
    LIST_REMOVE(share, link);
    free(share);
    if (LIST_EMPTY(&account->shares))
        free_account(queue, account);
}
