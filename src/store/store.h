/* The durable state: accounts, keys, tasks, attempts, events, ledger, artifacts.
 *
 * Writing: a job is a function that calls verbs (store/tx.h) on a transaction. One writer thread takes all jobs that
 * wait, runs them in one transaction, each all or nothing, syncs once, and then tells all of them (group commit).
 * Reading: any thread, on a connection of its own, sees what was committed.
 * Another process may read and write the same store at the same time.
 *
 * Errors of the machine have their own codes: ERR_NO_SPACE, ERR_READ_ONLY, ERR_BUSY, ERR_CORRUPT, ERR_VERSION (written
 * by a newer Fennec), ERR_IO; the fault says what a person can do about it. When a whole transaction fails, all its jobs
 * are told the same one. ERR_CONFIG: the directory is none. ERR_REQUEST_TOO_LARGE: a text of more than 64 MiB. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "base/arena.h"
#include "base/errors.h"
#include "store/rows.h"

struct store;
struct store_tx;

struct store_options {
    const char *directory; /* of the embedded database; created when missing */
    bool serve;            /* this process serves: only one may at a time; others (the CLI) open with false */
    unsigned queue_max;    /* jobs waiting for the writer before store_post refuses; 0: 65536 */
    unsigned batch_max;    /* jobs in one transaction; 0: 1024 */
    /* Writer thread, before some jobs of a transaction are told that they are done, and after: so that what they tell other
     * threads can be gathered. NULL: nothing is called. */
    void (*gather)(bool begins);
};

/* Opens, migrates, starts the writer thread. *ret is closed by store_close. */
enum err store_open(const struct store_options *options, struct store **ret, struct fault *fault) must_check;
/* Finishes the jobs that wait, stops the writer, closes. No other thread may use the store any more. */
void store_close(struct store *store);

/* A piece of writing, embedded in the struct that holds what it writes; that struct lives until `done` was called. */
struct store_job {
    /* Writer thread; verbs only, no waiting, and no lock held over one. */
    void (*run)(struct store_tx *tx, struct store_job *job);
    void (*done)(struct store_job *job, enum err err); /* writer thread, after commit or failure */
    /* So long after the end of the transaction before, real time, it waits for others to share one sync with. 0: not at all.
     * It goes with the next transaction in any case, which one with less patience may bring sooner. While none of 0 is in it,
     * a transaction leaves the core to others between its statements. */
    unsigned patience_ms;
    /* `run` may come again after all that it wrote was taken back, and begins anew then. Jobs that all may share a
     * transaction without a savepoint each. */
    bool repeatable;
    /* Needs no sync of its own: `done` comes when it is written, a power loss may take what nothing was synced after, and the
     * writer syncs some time later at the latest. */
    bool synced_later;
    STAILQ_ENTRY(store_job) link;
    enum err err; /* the store's own */
};

/* Hands the job to the writer. ERR_OVERLOADED when queue_max wait, ERR_SHUTTING_DOWN after store_close began: `done`
 * is not called then. Any thread. */
enum err store_post(struct store *store, struct store_job *job) must_check;
/* False while so many wait that store_post would refuse. Two memory loads; any thread. */
bool store_has_room(struct store *store) must_check;
/* As above, without the bound: for moves of live tasks, whose number is bounded already. Never fails before store_close. */
void store_post_always(struct store *store, struct store_job *job);
/* Posts, as store_post does, and waits for the outcome; job->done is not used. Not on the writer thread. */
enum err store_call(struct store *store, struct store_job *job) must_check;

/* Changes whenever an account, a key or a pause changes, or an operator takes credits, by this process or another. A memory
 * load; any thread. */
uint64_t store_generation(struct store *store);
/* 32 random bytes made when the store was; signs result URLs. Any thread. */
const uint8_t *store_secret(struct store *store);
/* Closes connections for reading that were hardly used since the last time: their caches, and the pages of the database that
 * they have mapped, go back to the system. `all`: each that nobody uses now. Any thread. */
void store_rest(struct store *store, bool all);
/* A trivial read through a connection, for /readyz. */
enum err store_ping(struct store *store, struct fault *fault) must_check;
/* Why the last transaction failed, OK when it did not. While it is not OK each call also has the writer try again, for when
 * nobody else writes. Never waits; any thread. */
enum err store_writable(struct store *store) must_check;
/* Jobs waiting, jobs committed, transactions made, in this process. */
struct store_counts { uint64_t waiting, jobs, commits; };
struct store_counts store_counts(struct store *store);

/* ---- reading; any thread; ERR_NOT_FOUND when there is no such row; texts go into the arena ---- */

enum err store_find_key(struct store *store, const uint8_t hash[KEY_HASH_SIZE], struct key_row *ret_key,
                        struct account_row *ret_account) must_check;
enum err store_find_account(struct store *store, struct text name, struct account_row *ret) must_check;
enum err store_find_account_by_id(struct store *store, int64_t id, struct account_row *ret) must_check;
enum err store_find_key_by_id(struct store *store, int64_t account, int64_t id, struct key_row *ret) must_check;
/* What the key has spent, and what of it settlements have charged; zeros for a key that spent nothing. */
enum err store_find_spending(struct store *store, int64_t account, int64_t key, struct spending *ret,
                             int64_t *ret_charged) must_check;
/* S2: the account is part of the key. */
enum err store_find_task(struct store *store, int64_t account, const struct task_id *id, struct arena *arena,
                         struct task_row *ret) must_check;
/* For operators: whichever account owns it. */
enum err store_find_task_of_any(struct store *store, const struct task_id *id, struct arena *arena,
                                struct task_row *ret) must_check;
/* The validated input of an open task, a JSON object; a final one has none any more (ERR_NOT_FOUND). */
enum err store_load_input(struct store *store, int64_t account, const struct task_id *id, struct arena *arena,
                          struct text *ret) must_check;

/* The chunks of a stream that has ended and not expired yet; ERR_NOT_FOUND: there are none (any more). */
enum err store_find_stream(struct store *store, int64_t account, const struct task_id *id, int64_t now_ms,
                           struct arena *arena, struct text *ret) must_check;

/* The row of an idempotency key that has not expired; ret->name is `name`. */
enum err store_find_idempotency(struct store *store, int64_t account, enum book book, struct text name,
                                int64_t now_ms, struct idempotency_row *ret) must_check;
/* Whether there are idempotency keys whose time is over (store_tx_drop_idempotency). */
enum err store_idempotency_expired(struct store *store, int64_t now_ms, bool *ret) must_check;

/* Whether there are streams whose time is over (store_tx_drop_streams). */
enum err store_streams_expired(struct store *store, int64_t now_ms, bool *ret) must_check;

/* The lists call `each` a row, in the order named, until it returns false; texts are valid during the call only. `each`
 * may read from the store, too. */
enum err store_list_accounts(struct store *store, bool (*each)(const struct account_row *, void *), void *context) must_check;
enum err store_list_keys(struct store *store, int64_t account /* 0: all */,
                         bool (*each)(const struct key_row *, void *), void *context) must_check;
struct task_filter {
    int64_t account; /* 0: all */
    const enum task_state *state; /* NULL: all */
    unsigned limit;               /* 0: 100 */
};
/* Newest first. */
enum err store_list_tasks(struct store *store, const struct task_filter *filter,
                          bool (*each)(const struct task_row *, void *), void *context) must_check;
/* One task in a list that is gone through. */
struct task_brief {
    struct task_id id;
    enum task_state state;
    enum task_type type;
    struct text model;
};
struct task_scan {
    int64_t account;
    const struct task_id *after;  /* from behind this one on, which is one of the account's (else ERR_NOT_FOUND); NULL: all */
    const enum task_state *state; /* those in other states may be left out, where that costs nothing; NULL: none is */
    unsigned limit;               /* rows */
};
/* An account's tasks, newest first. */
enum err store_scan_tasks(struct store *store, const struct task_scan *scan,
                          bool (*each)(const struct task_brief *, void *), void *context) must_check;
/* Pending and processing, account by account, each one's in the order of acceptance: what a start has to take up again (T2). */
enum err store_list_open_tasks(struct store *store, bool (*each)(const struct task_row *, void *), void *context) must_check;
enum err store_list_attempts(struct store *store, int64_t account, const struct task_id *id,
                             bool (*each)(const struct attempt_row *, void *), void *context) must_check;
/* A task's timeline. Where there is no row for it, the first event, `accepted`, is told from the task itself, and the second,
 * `dispatched`, from the first attempt. */
enum err store_list_events(struct store *store, int64_t account, const struct task_id *id,
                           bool (*each)(const struct event_row *, void *), void *context) must_check;
/* The number of its last event, which has a row unless it is the acceptance; 0: the task is not there. */
enum err store_last_event(struct store *store, int64_t account, const struct task_id *id, int *ret) must_check;
/* Those behind number `after`, without their data. */
enum err store_list_events_after(struct store *store, int64_t account, const struct task_id *id, int after,
                                 bool (*each)(const struct event_row *, void *), void *context) must_check;
/* Oldest first. */
enum err store_list_ledger(struct store *store, int64_t account, bool (*each)(const struct ledger_row *, void *),
                           void *context) must_check;
/* From after that sequence on, oldest first. */
struct ledger_filter {
    int64_t account;
    int64_t after;          /* 0: from the oldest */
    int64_t last;           /* the last sequence that counts */
    int64_t from_ms, to_ms; /* the time, without its end */
    unsigned limit;
};
enum err store_list_ledger_part(struct store *store, const struct ledger_filter *filter,
                                bool (*each)(const struct ledger_row *, void *), void *context) must_check;
/* *ret: a sequence such that the entry is dated before that time and the next one is not; 0: before the first. Entries are
 * dated shortly before they are written, so there may be stragglers beyond. Some twenty look-ups, however long the
 * ledger. */
enum err store_find_entry_before(struct store *store, int64_t account, int64_t at_ms, int64_t *ret) must_check;
/* What was used in these days (both included), summed up by any of day, model and key, in this order; what is not asked
 * for is 0 or "" in the rows. */
struct usage_filter {
    int64_t account;
    enum book book;
    int64_t from_day, to_day;
    bool by_day, by_model, by_key;
    int64_t key;       /* 0: all */
    struct text model; /* empty: all */
    struct {
        int64_t day;
        struct text model;
        int64_t key;
    } after; /* of the last row that is known; day -1: none */
    unsigned limit;
};
enum err store_list_usage(struct store *store, const struct usage_filter *filter,
                          bool (*each)(const struct usage_row *, void *), void *context) must_check;
enum err store_list_artifacts(struct store *store, int64_t account, const struct task_id *id,
                              bool (*each)(const struct artifact_row *, void *), void *context) must_check;
/* All that have expired, and of these the ones whose file is a blob. */
enum err store_list_expired_artifacts(struct store *store, int64_t now_ms, unsigned limit,
                                      bool (*each)(const struct artifact_row *, void *), void *context) must_check;
enum err store_list_expired_blobs(struct store *store, int64_t now_ms, unsigned limit,
                                  bool (*each)(const struct artifact_row *, void *), void *context) must_check;

/* Whether or not it has expired. S2: the account is part of the key. */
enum err store_find_file(struct store *store, int64_t account, const struct file_id *id, struct arena *arena,
                         struct file_row *ret) must_check;
struct file_filter {
    int64_t account;
    const struct file_id *after; /* those older than this one; NULL: from the newest on */
    int64_t now_ms;              /* those that have not expired by then */
    unsigned limit;              /* 0: 100 */
};
/* Newest first. Where the file `after` is gone, those of its second come again rather than being left out. */
enum err store_list_files(struct store *store, const struct file_filter *filter,
                          bool (*each)(const struct file_row *, void *), void *context) must_check;
enum err store_list_expired_files(struct store *store, int64_t now_ms, unsigned limit,
                                  bool (*each)(const struct file_row *, void *), void *context) must_check;
/* What the account's files take, expired ones included until they are swept. */
enum err store_file_space(struct store *store, int64_t account, int64_t *ret_bytes, int64_t *ret_files) must_check;
/* What operators changed, newest first, from before that number on (0: from the newest); account 0: all. */
enum err store_list_changes(struct store *store, int64_t account, int64_t before, unsigned limit,
                            bool (*each)(const struct change_row *, void *), void *context) must_check;
/* A page of the tasks of all accounts, newest first. So that a rare filter cannot hold a reader for long, no more than
 * TASK_PAGE_SCAN tasks are looked through: *ret_next, 0 at the end of all, is `before` for the next page, which may follow a
 * page that is short, or empty. */
#define TASK_PAGE_SCAN 100000
struct task_page {
    int64_t account; /* 0: all */
    int state, type; /* below 0: all */
    struct text model, provider; /* empty: all; of the provider: that an attempt was made there */
    int64_t before;  /* 0: from the newest */
    unsigned limit;
};
enum err store_list_task_page(struct store *store, const struct task_page *page,
                              bool (*each)(const struct task_row *, void *), void *context,
                              int64_t *ret_next) must_check;
/* Accounts whose name comes after `after` and begins with `prefix` (empty: all), by name, `limit` at most. */
enum err store_list_accounts_after(struct store *store, struct text after, struct text prefix, unsigned limit,
                                   bool (*each)(const struct account_row *, void *), void *context) must_check;
/* Operators' keys: key rows of account 0, with neither book nor limits. */
enum err store_find_admin_key(struct store *store, const uint8_t hash[KEY_HASH_SIZE], struct key_row *ret) must_check;
enum err store_list_admin_keys(struct store *store, bool (*each)(const struct key_row *, void *),
                               void *context) must_check;
enum err store_list_pauses(struct store *store, bool (*each)(const struct pause_row *, void *), void *context) must_check;
/* Appends the bytes of a small file that lies in the database with a task's claim on it; ERR_NOT_FOUND when none does.
 * Any thread. */
enum err store_find_small(struct store *store, struct text hash, struct buffer *ret) must_check;
/* Whether any artifact or file claims the blob. */
enum err store_blob_claimed(struct store *store, struct text hash, bool *ret) must_check;
/* Whether one does that has not expired yet. */
enum err store_blob_claimed_after(struct store *store, struct text hash, int64_t now_ms, bool *ret) must_check;
/* Milliseconds that the last `limit` completed live tasks of the model took, for the estimate; language models have none. */
enum err store_list_durations(struct store *store, struct text model, unsigned limit,
                              bool (*each)(int64_t ms, void *), void *context) must_check;

/* The books against the rules: what is wrong, one fault text a finding. L1 balance = sum of entries, and usage and what
 * keys have spent = sums over their tasks; L3 a final task
 * has one reservation and one settlement that add up, an open one has only its reservation; T1 final tasks are stamped; B1 small files have their bytes.
 * Returns OK whether or not it finds something. */
enum err store_audit(struct store *store, void (*finding)(const char *words, void *), void *context) must_check;
