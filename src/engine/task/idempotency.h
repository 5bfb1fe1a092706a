/* Idempotency keys: the same submission, sent again under the same key, makes no second task.
 *
 *   enter ──> FIRST    nobody has the key: make the task, and write its row in the very same transaction
 *         ──> WAITS    another has it, and its task is on its way to the store
 *         ──> JOINS    another has it for a call that runs: its answer is this one's, too
 *         ──> REPEATS  a task came of it
 *
 *   holding ── task written ──> those who wait repeat it
 *           ── nothing came of it ──> the next of those who wait is first
 *
 * Keys under way are known here, in memory; those that something came of are in the store, for KEY_LIFE_MS. Whoever
 * enters is in the table before it looks into the store, and leaves the table after its row is written: so of two that
 * come at one time only one is first. Any thread. */
#pragma once

#include <stdint.h>
#include <sys/queue.h>

#include "base/errors.h"
#include "base/id.h"
#include "store/store.h"

struct chat_stream;
struct idempotency;
struct store_tx;

#define KEY_LIFE_MS ((int64_t)24 * 3600 * 1000)
#define KEY_WAITERS_MAX 100 /* for one key at a time */

/* A key under way, and the right to make something of it. Whoever has one settles or leaves it, once. */
struct key_holding;

/* S2: the account is part of the key, and so is its book: what a test key made is nothing to a live one. */
struct idempotency_key {
    int64_t account;
    enum book book;
    struct text name;                  /* 1 to IDEMPOTENCY_NAME_MAX bytes */
    char fingerprint[SHA256_HEX_SIZE]; /* of what is asked for */
};

enum visit_state { VISIT_FIRST, VISIT_JOINS, VISIT_REPEATS };

/* Somebody who comes with a key; the caller's, and kept alive while it WAITS. */
struct idempotency_visit {
    enum visit_state state;
    enum err err;                /* once woken: what of idempotency_enter's errors it is instead */
    struct key_holding *holding; /* FIRST */
    struct chat_stream *stream;  /* JOINS: with a reference */
    struct task_id task;         /* JOINS, REPEATS */
    int64_t estimated_s;         /* REPEATS: what the first answer said */
    void (*wake)(struct idempotency_visit *visit); /* once, when it WAITS no longer; without a lock of ours */
    void *context;
    STAILQ_ENTRY(idempotency_visit) link;
};

struct idempotency *idempotency_new(void) must_check;
/* When nothing is held any more. NULL is fine. */
void idempotency_free(struct idempotency *idempotency);

/* Fills in *visit but for `wake` and `context`. *ret_waits: it WAITS, and is not the caller's until it is woken, which may
 * be before this returns; with `wake` NULL it is not remembered, and has to enter again with one. ERR_IDEMPOTENCY_KEY_REUSED: the key stands for something else; ERR_OVERLOADED: too many wait for it; or the
 * store's error. */
enum err idempotency_enter(struct idempotency *idempotency, struct store *store, const struct idempotency_key *key,
                           struct idempotency_visit *visit, bool *ret_waits) must_check;
/* Nothing came of it, and nothing will: the next who waits is first. NULL is fine. */
void idempotency_leave(struct key_holding *holding);
/* The row is written, and those who wait repeat it. NULL is fine. */
void idempotency_settle(struct key_holding *holding, const struct task_id *task, int64_t estimated_s);
/* A call has begun: until it is settled or left, others may join it, unless it has failed. NULL is fine. */
void idempotency_share(struct key_holding *holding, struct chat_stream *stream, const struct task_id *task);
/* In the transaction that makes the task. Writer's thread. NULL is fine. */
void idempotency_write(struct store_tx *tx, const struct key_holding *holding, const struct task_id *task,
                       int64_t estimated_s);
