/* The inside of the queue: its records, and how they are found, made and dropped. For queue.c, records.c and look.c only; engine's thread.
 *
 *   provider ── ring of shares ──> share (provider, account) ── ring of lanes ──> lane (share, key) ── tasks in line
 *   group ── accounts ── holders (an account's keys)          running tasks are counted at each of the five
 *
 * A lane is in its share's ring exactly when a task waits in it and its key may run one more. A share is out when its
 * ring is empty or its account runs all that it may; else it is in its provider's ring, or parked, where its turn came
 * while its group ran all that it may. While a group may run more and has shares parked at a provider, one of its
 * shares is in that provider's ring: whoever leaves it brings in the next. */
#pragma once

#include "base/hash_table.h"
#include "engine/queue/queue.h"

/* Whose places are counted together: other tasks, language models' tasks, and their calls, which are counted elsewhere
 * (engine/task/holds.h) and never wait for places. */
enum queue_class { QUEUE_TASKS, QUEUE_CONVERSATIONS, QUEUE_CALLS };

TAILQ_HEAD(share_ring, share);
TAILQ_HEAD(lane_ring, lane);

struct queue_provider {
    char name[NAME_SIZE];
    unsigned limit, running, launches;
    bool held;
    struct share_ring ring;
    UT_hash_handle hh;
};

/* Test mode runs beside live mode. Padded with zeros, so that it can be hashed as bytes. */
struct queue_group_key {
    int64_t book, class;
    char name[(NAME_SIZE + 7) / 8 * 8];
};

/* A group's shares at one provider whose turn came when the group was full, in the order of their turns. */
struct parking {
    struct queue_provider *provider;
    struct share_ring shares;
    LIST_ENTRY(parking) link;
};

struct queue_group {
    struct queue_group_key key;
    unsigned limit, running, accounts;
    LIST_HEAD(, parking) parkings;
    UT_hash_handle hh;
};

/* Eight bytes a member: no padding to hash. */
struct queue_account_key {
    int64_t account, book, class;
};

struct queue_account {
    struct queue_account_key key;
    struct queue_group *group;
    unsigned limit, running;
    bool full; /* as the shares know it */
    LIST_HEAD(, share) shares;
    LIST_HEAD(, queue_holder) holders;
    UT_hash_handle hh;
};

struct queue_holder_key {
    struct queue_account *account;
    int64_t id;
};

/* One of an account's keys. */
struct queue_holder {
    struct queue_holder_key key;
    unsigned limit, running;
    bool full; /* as the lanes know it */
    uint64_t generation; /* queue_relimit_keys: when its limit was looked up */
    LIST_HEAD(, lane) lanes;
    LIST_ENTRY(queue_holder) link;
    UT_hash_handle hh;
};

enum share_place { SHARE_OUT, SHARE_IN_RING, SHARE_PARKED };

struct share {
    struct queue_account *account;
    struct queue_provider *provider;
    struct lane_ring ring;
    unsigned lanes;
    enum share_place place;
    struct parking *parking; /* while parked */
    TAILQ_ENTRY(share) ring_link;
    LIST_ENTRY(share) link;
};

struct lane {
    struct share *share;
    struct queue_holder *holder;
    TAILQ_HEAD(, live_task) waiting;
    unsigned running;
    uint64_t last_sequence;
    struct queue_gauge *gauge;
    bool in_ring;
    TAILQ_ENTRY(lane) ring_link;
    LIST_ENTRY(lane) link;
};

/* Found, or made empty. */
struct queue_provider *queue_provider_of(struct queue *queue, const char *name);
struct queue_account *queue_account_of(struct queue *queue, const struct live_task *task);
struct queue_holder *queue_holder_of(struct queue *queue, struct queue_account *account, int64_t key);
struct queue_group *queue_group_of(struct queue *queue, const struct queue_account *account, const char *name);
struct parking *queue_parking_of(struct queue_group *group, struct queue_provider *provider);
struct lane *queue_lane_of(struct queue_account *account, struct queue_holder *holder, struct queue_provider *provider);
/* Frees the lane, and what is empty without it: nothing waits or runs in it. */
void queue_lane_free(struct queue *queue, struct lane *lane);
/* One account less; the last one frees it. */
void queue_group_leave(struct queue *queue, struct queue_group *group);
