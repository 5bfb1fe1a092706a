/* Credits that operators give, take off and give back: each order is one store job, with its entry in the ledger and its
 * line in the record of changes, and is carried out once where it names a reference.
 *
 * A caller fills in an order, checks it, lets one of the three functions make a job of it, and posts that: with
 * store_call, or with store_post and a `done` of its own; or it runs it within a job of its own (job.run). Then it asks
 * admin_order_fault for the words. */
#pragma once

#include "base/arena.h"
#include "base/errors.h"
#include "store/store.h"
#include "store/tx.h"

#define ADMIN_REASON_MAX 500    /* bytes */
#define ADMIN_REFERENCE_MAX 255 /* bytes */

struct credit_order {
    struct store_job job;   /* `run` is set by the functions below, the rest is the caller's */
    int64_t account;
    int64_t microcredits;   /* above zero; of a refund 0: all that is left of the charge */
    struct text actor;      /* as in struct change_row */
    struct text object;     /* the account's name, for the record; of a refund not used */
    struct text reason;     /* for people; kept with the entry */
    struct text reference;  /* the operator's own number of the order, unique in the account; empty: none */
    int64_t at_ms;          /* 0: now */

    int64_t entry;          /* filled in, as the next three: the sequence of the entry in the ledger */
    int64_t given;          /* what it adds to the balance; signed */
    int64_t balance;        /* afterwards, of the same book */
    bool repeated;          /* the reference was known, with the same order: this is what was done then */

    struct task_row task;   /* the functions' own */
    enum ledger_kind kind;
    bool takes;
};

/* Whether reason, reference and amount are within bounds; the fault's param is "reason", "reference" or "amount". */
enum err admin_order_check(const struct credit_order *order, struct fault *fault) must_check;

/* A top-up of the live book. */
void admin_credit(struct credit_order *order);
/* A correction that takes something off the live book, which never goes below zero: ERR_INSUFFICIENT_QUOTA. */
void admin_debit(struct credit_order *order);
/* Gives back some or all of what a final task was charged, in its own book. The task's row stays as it was (L3): what it was
 * charged and refunded are its settlement's; the refund is an entry of its own, counted as `returned` in the usage of the
 * task's day, and given back to the budget of its key. Reads the task; ERR_TASK_NOT_FOUND, ERR_TASK_OPEN. Its texts go
 * into the arena, which outlives the job. The job: ERR_OUT_OF_RANGE when less is left of the charge. */
enum err admin_refund_task(struct store *store, struct credit_order *order, const struct task_id *id,
                           struct arena *arena, struct fault *fault) must_check;
/* What became of the job, in words, for an outcome that is not OK: also ERR_IDEMPOTENCY_KEY_REUSED, when the reference was
 * another order's, and ERR_NOT_FOUND, when there is no such account. Returns err. */
enum err admin_order_fault(const struct credit_order *order, enum err err, struct fault *fault);
