/* One transaction of many jobs, each of which is all or nothing.
 *
 * A savepoint a job would see to that, but costs a copy of every page that the job touches, and hardly a job ever fails.
 * So jobs that may be repeated run without: when one of them fails, all is rolled back and run once more with savepoints,
 * so that the one that fails leaves no trace and harms no neighbour; and so are the next transactions, since failures come
 * in swarms. When the transaction as a whole fails, every job of it is told so, and the next one is tried afresh: nothing
 * is reported OK that is not committed. (A commit that fails in the last sync may still turn up after a crash: "failed"
 * then means "not known".) */
#include "store/inside.h"

#include <assert.h>

#include "base/log.h"
#include "store/give_way.h"
#include "store/tx.h"

#define WARY_BATCHES 64 /* after a failure */

static enum err move(struct store *store, enum database_move move) {
    return store->engine->move(store->writer.database, move);
}

static enum err begin(struct store *store) {
    place_take_turn(&store->place);
    enum err err = move(store, DATABASE_BEGIN);
    place_end_turn(&store->place);
    return err;
}

static struct store_tx tx_of(struct store *store) {
    return (struct store_tx){ .database = store->writer.database, .sums = &store->writer.sums };
}

/* Its own outcome goes into job->err. What is returned is the transaction's. */
static enum err run_job(struct store *store, struct store_job *job, bool apart, bool *touches_access) {
    struct store_tx tx = tx_of(store);
    job->run(&tx, job);
    if (apart) {
        store_sums_write(&tx);
    }
    job->err = tx.err;
    if (!store->engine->in_transaction(store->writer.database)) {
        return tx.err != OK ? tx.err : ERR_IO; /* such an error ended the whole of it: a full disk can */
    }
    *touches_access |= tx.err == OK && tx.touches_access;
    return OK;
}

/* As above, in a savepoint. */
static enum err run_job_apart(struct store *store, struct store_job *job, bool *touches_access) {
    enum err err = move(store, DATABASE_SAVEPOINT);
    if (err == OK) {
        err = run_job(store, job, true, touches_access);
    }
    return err != OK ? err : move(store, job->err == OK ? DATABASE_RELEASE : DATABASE_UNDO);
}

static enum err run_all_apart(struct store *store, const struct job_queue *batch, bool *touches_access) {
    struct store_job *job;
    enum err err = begin(store);
    *touches_access = false;
    store_sums_clear(&store->writer.sums);
    STAILQ_FOREACH(job, batch, link) {
        if (err == OK) {
            err = run_job_apart(store, job, touches_access);
        }
    }
    return err;
}

/* *ret_failed: a job did, or the sums, so that the transaction must not be committed and each has to be run apart. */
static enum err run_all_together(struct store *store, const struct job_queue *batch, bool *touches_access, bool *ret_failed) {
    struct store_job *job;
    enum err err = begin(store);
    *touches_access = *ret_failed = false;
    store_sums_clear(&store->writer.sums);
    STAILQ_FOREACH(job, batch, link) {
        if (err != OK || *ret_failed) {
            return err;
        }
        err = run_job(store, job, false, touches_access);
        *ret_failed = job->err != OK;
        give_way_after_job();
    }
    if (err != OK || *ret_failed) {
        return err;
    }
    struct store_tx tx = tx_of(store);
    store_sums_write(&tx);
    *ret_failed = tx.err != OK;
    return store->engine->in_transaction(store->writer.database) ? OK : tx.err != OK ? tx.err : ERR_IO;
}

/* Once when it starts to fail and once when it works again. */
static void log_outcome(struct store *store, enum err err) {
    if (err != OK && store->writer.failing == OK) {
        struct fault fault;
        store->engine->explain(store->writer.database, err, &fault);
        log_event(LOG_ERROR, "the store cannot commit", LOG_S("error", err_info(err)->name),
                  LOG_S("message", fault.message));
    } else if (err == OK && store->writer.failing != OK) {
        log_event(LOG_INFO, "the store commits again");
    }
    store->writer.failing = err;
}

static void roll_back(struct store *store) {
    if (store->engine->in_transaction(store->writer.database)) {
        enum err undone = move(store, DATABASE_ROLLBACK);
        assert(undone == OK || !store->engine->in_transaction(store->writer.database));
        (void)undone;
    }
}

/* What holds for the jobs of a batch. */
struct traits {
    bool urgent;       /* for one of them */
    bool repeatable;   /* for each */
    bool synced_later; /* for each */
};

static struct traits traits_of(const struct job_queue *batch) {
    struct traits traits = { .urgent = false, .repeatable = true, .synced_later = true };
    const struct store_job *job;
    STAILQ_FOREACH(job, batch, link) {
        traits.urgent |= job->patience_ms == 0;
        traits.repeatable &= job->repeatable;
        traits.synced_later &= job->synced_later;
    }
    return traits;
}

enum err store_batch_sync(struct store *store) {
    enum err err = store->engine->sync(store->writer.database);
    log_outcome(store, err);
    return err;
}

enum err store_batch_commit(struct store *store, const struct job_queue *batch, bool *ret_synced) {
    bool touches_access = false, failed = false;
    const struct traits traits = traits_of(batch);
    bool apart = store->writer.wary > 0 || !traits.repeatable;
    store->writer.wary -= store->writer.wary > 0;
    if (!apart) {
        give_way_begin(&store->writer.urgent, !traits.urgent);
    }
    *ret_synced = !traits.synced_later;
    enum err err = store->engine->relax(store->writer.database, traits.synced_later);
    if (err == OK) {
        err = apart ? run_all_apart(store, batch, &touches_access)
                    : run_all_together(store, batch, &touches_access, &failed);
    }
    if (err == OK && failed) {
        give_way_end(); /* what takes twice as long already */
        roll_back(store);
        store->writer.wary = WARY_BATCHES;
        err = run_all_apart(store, batch, &touches_access);
    }
    if (err == OK) {
        err = move(store, DATABASE_COMMIT);
    }
    give_way_end();
    log_outcome(store, err);
    if (err != OK) {
        roll_back(store);
    } else if (touches_access) {
        atomic_fetch_add(store->place.generation, 1);
    }
    return err;
}
