/* What the files of this folder share: the store's parts, a job's transaction, reading, and rows out of columns. */
#pragma once

#include <pthread.h>
#include <stdatomic.h>

#include "store/database.h"
#include "store/place.h"
#include "store/store.h"

/* ---- connections for reading: made on demand, kept for the next reader ---- */

#define READERS_MAX 64
#define READS_TO_STAY 50 /* between two rests: for fewer, opening it again is cheaper than what it keeps in memory */

struct reader {
    struct database *database;
    unsigned reads; /* since the last rest */
    SLIST_ENTRY(reader) link;
};

struct readers {
    pthread_mutex_t mutex;
    pthread_cond_t returned;
    SLIST_HEAD(, reader) free;
    unsigned open; /* free ones included */
};

void store_readers_init(struct readers *readers);
/* All readers must have been given back. */
void store_readers_fini(struct readers *readers);

/* A statement that reads. Zero it, start, next until there is no row, end (also after a failure). */
struct reading {
    struct store *store;
    struct reader *reader;
    struct cursor cursor;
};
/* Waits when READERS_MAX readings are under way. */
enum err store_reading_start(struct reading *reading, struct store *store, enum sql id, const struct value *values,
                             size_t count) must_check;
enum err store_reading_next(struct reading *reading, bool *ret_row) must_check;
/* The first row; ERR_NOT_FOUND when there is none. */
enum err store_reading_only(struct reading *reading) must_check;
/* Puts the connection's last error into words; returns err. */
enum err store_reading_explain(struct reading *reading, enum err err, struct fault *fault);
void store_reading_end(struct reading *reading);

/* ---- sums that the jobs of a transaction move (sums.c); the writer thread's ---- */

#define SUMS_MAX 32 /* rows of each kind that are gathered before they are written */

struct sum_balance {
    int64_t account;
    enum book book;
    int64_t balance; /* with what was moved */
    int64_t moved, charged;
};

struct sum_entries {
    int64_t account;
    int64_t last; /* the account's last sequence in the ledger */
};

struct sum_spending {
    int64_t account, key, day;
    int64_t charged, spent;
};

struct sum_usage {
    int64_t account;
    enum book book;
    struct usage_row row; /* its model is below */
    char model[128];
};

struct sums {
    unsigned entries_count, balance_count, spending_count, usage_count;
    struct sum_entries entries[SUMS_MAX];
    struct sum_balance balances[SUMS_MAX];
    struct sum_spending spendings[SUMS_MAX];
    struct sum_usage usages[SUMS_MAX];
};

/* Forgets what is gathered: at the beginning of a transaction, and when what was gathered is taken back. */
void store_sums_clear(struct sums *sums);
/* Writes what is gathered; nothing is then. */
void store_sums_write(struct store_tx *tx);
/* False, *ret untouched, when the account has no such balance, and after a failure. */
bool store_sums_balance(struct store_tx *tx, int64_t account, enum book book, int64_t *ret);
/* The sequence of the entry that is written next in the account's ledger, read at its first use in the transaction. The
 * entry must be written then. */
int64_t store_sums_next_entry(struct store_tx *tx, int64_t account);
/* ERR_NOT_FOUND as above; ERR_OUT_OF_RANGE: the balance would be less or more than that, and was not moved. */
enum err store_sums_move_balance(struct store_tx *tx, const struct ledger_row *entry, int64_t least, int64_t most) must_check;
void store_sums_spend(struct store_tx *tx, int64_t account, int64_t key, int64_t day, int64_t charged, int64_t spent);
/* Adds what is gathered of the key to what its row says. */
void store_sums_add_spent(const struct store_tx *tx, const struct key_row *key, struct spending *spending);
void store_sums_use(struct store_tx *tx, int64_t account, enum book book, const struct usage_row *more);

/* ---- the writer: a queue and a thread (writer.c) ---- */

STAILQ_HEAD(job_queue, store_job);

struct writer {
    pthread_t thread;
    pthread_mutex_t mutex; /* guards the queue and all below it */
    pthread_cond_t posted;
    pthread_cond_t called; /* some store_call is finished */
    struct job_queue queue;
    unsigned queue_max, batch_max;
    void (*gather)(bool begins); /* store_options' */
    atomic_uint waiting; /* changed under the mutex */
    atomic_uint urgent; /* of those that wait: the ones that somebody waits for; changed under the mutex */
    struct timespec ended;         /* monotonic: when the last transaction was over; zeros: none was made */
    struct timespec patient_until; /* monotonic: when the others go all the same */
    struct timespec sync_at;       /* the writer thread's; monotonic: for what is written only; zeros: all is synced */
    bool stopping;
    uint64_t jobs, commits;
    unsigned wary; /* the writer thread's: transactions in which each job gets a savepoint */
    struct sums sums; /* the writer thread's */
    struct database *database; /* the writer thread's, once it runs */
    _Atomic enum err failing;  /* why the last transaction failed, OK when it did not; the writer thread writes it */
    atomic_bool probing;       /* `probe` is on its way */
    struct store_job probe;
};

/* Takes over the connection: store_writer_stop closes it, or this function when it fails. */
enum err store_writer_start(struct store *store, struct database *database, const struct store_options *options,
                            struct fault *fault) must_check;
/* Runs what waits, then ends the thread. */
void store_writer_stop(struct store *store);

/* One transaction for all jobs of the batch; whether it was committed. Each one's own outcome is in its `err` then. *ret_synced:
 * and all before it is durable; not where each of the jobs can do without. */
enum err store_batch_commit(struct store *store, const struct job_queue *batch, bool *ret_synced) must_check;
/* What was only written is durable. */
enum err store_batch_sync(struct store *store) must_check;

struct store {
    const struct database_engine *engine;
    struct place place;
    struct readers readers;
    struct writer writer;
    uint8_t secret[32];
};

/* ---- verbs on a transaction (tx.c) ---- */

struct store_tx {
    struct database *database;
    struct sums *sums;
    enum err err;        /* sticky */
    bool touches_access; /* an account, a key, a pause, a debit: the generation moves on when this is committed */
};

/* Verbs give way (store/give_way.h) when they have run a statement. */

/* Runs a statement for its effect and returns the number of rows it changed; 0 after a failure. */
int64_t store_tx_change(struct store_tx *tx, enum sql id, const struct value *values, size_t count);
/* As above, and no row changed is ERR_NOT_FOUND. */
void store_tx_change_one(struct store_tx *tx, enum sql id, const struct value *values, size_t count);
/* The first row, until store_tx_found; false, with nothing to end, when there is none, or after a failure. */
bool store_tx_find(struct store_tx *tx, struct cursor *ret, enum sql id, const struct value *values,
                   size_t count) must_check;
void store_tx_found(struct cursor *cursor);
/* The number in the first column of the first row; false when there is no row, or after a failure. */
bool store_tx_number(struct store_tx *tx, int64_t *ret, enum sql id, const struct value *values, size_t count);

/* ---- sums that are kept up with the tasks (usage.c) ---- */

void store_usage_accepted(struct store_tx *tx, const struct task_row *task);
/* Of a final task; `was_open`: its acceptance was counted before. */
void store_usage_ended(struct store_tx *tx, const struct task_row *task, bool was_open);
/* Of a final task: that much of its charge was given back. */
void store_usage_returned(struct store_tx *tx, const struct task_row *task, int64_t microcredits);

/* ---- migrations (migrate.c) ---- */

/* Brings the schema to the version that this program knows; ERR_VERSION, and nothing changed, when it is newer. */
enum err store_migrate(struct database *database, const char *path, struct fault *fault) must_check;
enum err store_read_secret(struct database *database, uint8_t ret[32], struct fault *fault) must_check;

/* ---- columns ---- */

static inline int64_t column_i64(const struct cursor *cursor, int column) {
    return cursor->database->engine->column_i64(cursor, column);
}

static inline struct text column_text(const struct cursor *cursor, int column) {
    return cursor->database->engine->column_text(cursor, column);
}

/* A terminated copy; what does not fit is cut. */
void store_column_string(const struct cursor *cursor, int column, char *ret, size_t size);
