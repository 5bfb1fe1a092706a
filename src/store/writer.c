/* The writer thread: takes all jobs that wait, has them run in one transaction and synced once (batch.c), tells all (group
 * commit). Jobs that nobody waits for keep some milliseconds' distance from the transaction before, so that others gather
 * and share their sync; after a quiet time they go at once. Where none needs a sync of its own, one is made for all that was
 * written within a while. */
#include "store/inside.h"

#include <assert.h>
#include <errno.h>

#include "base/clock.h"
#include "store/tx.h"

#define QUEUE_MAX 65536
#define BATCH_MAX 1024
#define TOLD_TOGETHER 64
#define TOLD_ASIDE 8 /* where nobody waits for a sync: whoever hears of them has other things to do */
#define REST_AFTER_MS 3000
#define SYNC_AFTER_MS 100 /* what was written without */

static void gather(const struct writer *writer, bool begins) {
    if (writer->gather != NULL) {
        writer->gather(begins);
    }
}

/* Each hears of its end; who hears of many of them, once for as many as take no time to speak of. */
static void tell(const struct writer *writer, struct job_queue *batch, unsigned together) {
    while (!STAILQ_EMPTY(batch)) {
        struct store_job *job;
        gather(writer, true);
        for (unsigned i = 0; i < together && (job = STAILQ_FIRST(batch)) != NULL; i++) {
            STAILQ_REMOVE_HEAD(batch, link); /* first: `done` may free the job, or post it again */
            job->done(job, job->err);
        }
        gather(writer, false);
    }
}

static bool is_before(struct timespec one, struct timespec other) {
    return one.tv_sec != other.tv_sec ? one.tv_sec < other.tv_sec : one.tv_nsec < other.tv_nsec;
}

static bool owes_sync(const struct writer *writer) {
    return writer->sync_at.tv_sec != 0 || writer->sync_at.tv_nsec != 0;
}

/* What is committed is synced, with all before it, or has to be some time. */
static void note_commit(struct writer *writer, bool synced) {
    if (synced) {
        writer->sync_at = (struct timespec){ 0 };
    } else if (!owes_sync(writer)) {
        writer->sync_at = clock_real_moment_in_ms(SYNC_AFTER_MS);
    }
}

/* When it is time to, and again after as long while it fails. */
static void sync_in_time(struct store *store) {
    struct writer *writer = &store->writer;
    if (owes_sync(writer) && !is_before(clock_real_moment_in_ms(0), writer->sync_at)) {
        writer->sync_at = (struct timespec){ 0 };
        note_commit(writer, store_batch_sync(store) == OK);
    }
}

static void run_batch(struct store *store, struct job_queue *batch) {
    struct store_job *job;
    uint64_t kept = 0;
    bool synced;
    enum err err = store_batch_commit(store, batch, &synced);
    STAILQ_FOREACH(job, batch, link) {
        job->err = err != OK ? err : job->err;
        kept += job->err == OK;
    }
    pthread_mutex_lock(&store->writer.mutex);
    store->writer.jobs += kept;
    store->writer.commits += err == OK;
    store->writer.ended = clock_real_moment_in_ms(0);
    pthread_mutex_unlock(&store->writer.mutex);
    if (err == OK) {
        note_commit(&store->writer, synced);
    }
    tell(&store->writer, batch, synced ? TOLD_TOGETHER : TOLD_ASIDE);
}

static bool is_idle(const struct writer *writer) {
    return STAILQ_EMPTY(&writer->queue) && !writer->stopping;
}

/* Under the mutex, which is given up meanwhile. */
static void wait_while_idle(struct writer *writer, struct timespec until) {
    while (is_idle(writer) && pthread_cond_timedwait(&writer->posted, &writer->mutex, &until) != ETIMEDOUT)
        ;
}

/* As above. After a while without work the cache of pages goes: the system has them, too. */
static void rest(struct writer *writer) {
    wait_while_idle(writer, clock_real_moment_in_ms(REST_AFTER_MS));
    if (!is_idle(writer)) {
        return;
    }
    pthread_mutex_unlock(&writer->mutex);
    writer->database->engine->rest(writer->database);
    pthread_mutex_lock(&writer->mutex);
}

/* Under the mutex: until there is a reason to write, or to sync. */
static void await_jobs(struct writer *writer) {
    if (owes_sync(writer)) {
        wait_while_idle(writer, writer->sync_at);
        if (is_idle(writer)) {
            return;
        }
    }
    if (is_idle(writer)) {
        rest(writer);
    }
    while (is_idle(writer)) {
        pthread_cond_wait(&writer->posted, &writer->mutex);
    }
    while (writer->urgent == 0 && writer->waiting < writer->batch_max && !writer->stopping) {
        if (pthread_cond_timedwait(&writer->posted, &writer->mutex, &writer->patient_until) == ETIMEDOUT) {
            break;
        }
    }
}

/* Moves what waits, batch_max at most, into *batch; nothing when it is time to sync. False: nothing, and the end has come. */
static bool take_batch(struct writer *writer, struct job_queue *batch) {
    pthread_mutex_lock(&writer->mutex);
    await_jobs(writer);
    STAILQ_INIT(batch);
    for (unsigned i = 0; i < writer->batch_max && !STAILQ_EMPTY(&writer->queue); i++) {
        struct store_job *job = STAILQ_FIRST(&writer->queue);
        STAILQ_REMOVE_HEAD(&writer->queue, link);
        STAILQ_INSERT_TAIL(batch, job, link);
        writer->waiting--;
        writer->urgent -= job->patience_ms == 0;
    }
    bool goes_on = !STAILQ_EMPTY(batch) || !writer->stopping;
    pthread_mutex_unlock(&writer->mutex);
    return goes_on;
}

static void *write_until_stopped(void *context) {
    struct store *store = context;
    struct job_queue batch;
    pthread_setname_np(pthread_self(), "store-writer");
    while (take_batch(&store->writer, &batch)) {
        if (!STAILQ_EMPTY(&batch)) {
            run_batch(store, &batch);
        }
        sync_in_time(store);
    }
    if (owes_sync(&store->writer)) {
        (void)!store_batch_sync(store);
    }
    return NULL;
}

enum err store_writer_start(struct store *store, struct database *database, const struct store_options *options,
                            struct fault *fault) {
    struct writer *writer = &store->writer;
    *writer = (struct writer){
        .queue_max = options->queue_max != 0 ? options->queue_max : QUEUE_MAX,
        .batch_max = options->batch_max != 0 ? options->batch_max : BATCH_MAX,
        .gather = options->gather,
        .database = database,
    };
    pthread_mutex_init(&writer->mutex, NULL);
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&writer->posted, &monotonic);
    pthread_condattr_destroy(&monotonic);
    pthread_cond_init(&writer->called, NULL);
    STAILQ_INIT(&writer->queue);
    if (pthread_create(&writer->thread, NULL, write_until_stopped, store) != 0) {
        store->engine->close(database);
        return fault_set(fault, ERR_NO_MEMORY, "The store's writer thread cannot be started.");
    }
    return OK;
}

void store_writer_stop(struct store *store) {
    struct writer *writer = &store->writer;
    pthread_mutex_lock(&writer->mutex);
    writer->stopping = true;
    pthread_cond_signal(&writer->posted);
    pthread_mutex_unlock(&writer->mutex);
    pthread_join(writer->thread, NULL);
    store->engine->close(writer->database);
    pthread_cond_destroy(&writer->called);
    pthread_cond_destroy(&writer->posted);
    pthread_mutex_destroy(&writer->mutex);
}

static struct timespec later(struct timespec moment, unsigned ms) {
    int64_t ns = moment.tv_nsec + (int64_t)ms * 1000000;
    return (struct timespec){ .tv_sec = moment.tv_sec + ns / 1000000000, .tv_nsec = ns % 1000000000 };
}

/* Under the mutex, which it lets go of before it signals the writer, for that wants it first: the store is not closed before its
 * users' calls have returned. The least patient one says how long; the writer is woken by the first job, by one that makes it
 * sooner, by the first that is in a hurry, and when there are as many as one transaction takes. */
static void append_and_unlock(struct writer *writer, struct store_job *job) {
    bool urgent = job->patience_ms == 0, first = writer->waiting++ == 0;
    bool none_made = writer->ended.tv_sec == 0 && writer->ended.tv_nsec == 0;
    struct timespec until = none_made ? writer->ended : later(writer->ended, job->patience_ms);
    bool sooner = !urgent && (first || is_before(until, writer->patient_until));
    STAILQ_INSERT_TAIL(&writer->queue, job, link);
    if (sooner) {
        writer->patient_until = until;
    }
    writer->urgent += urgent;
    bool wakes = first || sooner || (urgent && writer->urgent == 1) || writer->waiting == writer->batch_max;
    pthread_mutex_unlock(&writer->mutex);
    if (wakes) {
        pthread_cond_signal(&writer->posted);
    }
}

enum err store_post(struct store *store, struct store_job *job) {
    struct writer *writer = &store->writer;
    pthread_mutex_lock(&writer->mutex);
    enum err err = writer->stopping ? ERR_SHUTTING_DOWN : writer->waiting >= writer->queue_max ? ERR_OVERLOADED : OK;
    if (err != OK) {
        pthread_mutex_unlock(&writer->mutex);
        return err;
    }
    append_and_unlock(writer, job);
    return OK;
}

bool store_has_room(struct store *store) {
    return atomic_load_explicit(&store->writer.waiting, memory_order_relaxed) < store->writer.queue_max;
}

void store_post_always(struct store *store, struct store_job *job) {
    pthread_mutex_lock(&store->writer.mutex);
    append_and_unlock(&store->writer, job);
}

/* Writes, and changes nothing. */
static void run_probe(struct store_tx *tx, struct store_job *job) {
    (void)job;
    store_tx_change(tx, SQL_PUT_META, VALUES(V_TEXT(TEXT("fennec")), V_BYTES(FENNEC_VERSION, strlen(FENNEC_VERSION))));
}

static void end_probe(struct store_job *job, enum err err) {
    (void)err; /* store_batch_commit has noted it */
    container_of(job, struct writer, probe)->probing = false;
}

enum err store_writable(struct store *store) {
    struct writer *writer = &store->writer;
    enum err err = writer->failing;
    if (err != OK && !atomic_exchange(&writer->probing, true)) {
        writer->probe = (struct store_job){ .run = run_probe, .done = end_probe };
        if (store_post(store, &writer->probe) != OK) {
            writer->probing = false;
        }
    }
    return err;
}

/* A job that runs another one for a thread that waits. */
struct call {
    struct store_job job;
    struct store_job *inner;
    struct store *store;
    bool finished; /* under the writer's mutex */
};

static void run_inner(struct store_tx *tx, struct store_job *job) {
    struct store_job *inner = container_of(job, struct call, job)->inner;
    inner->run(tx, inner);
}

static void wake_caller(struct store_job *job, enum err err) {
    struct call *call = container_of(job, struct call, job);
    struct writer *writer = &call->store->writer;
    pthread_mutex_lock(&writer->mutex);
    call->inner->err = err;
    call->finished = true;
    pthread_cond_broadcast(&writer->called);
    pthread_mutex_unlock(&writer->mutex);
}

enum err store_call(struct store *store, struct store_job *job) {
    struct writer *writer = &store->writer;
    struct call call = { .job = { .run = run_inner, .done = wake_caller }, .inner = job, .store = store };
    assert(!pthread_equal(pthread_self(), writer->thread));
    enum err err = store_post(store, &call.job);
    if (err != OK) {
        return err;
    }
    pthread_mutex_lock(&writer->mutex);
    while (!call.finished) {
        pthread_cond_wait(&writer->called, &writer->mutex);
    }
    pthread_mutex_unlock(&writer->mutex);
    return job->err;
}

struct store_counts store_counts(struct store *store) {
    struct writer *writer = &store->writer;
    pthread_mutex_lock(&writer->mutex);
    struct store_counts counts = { .waiting = writer->waiting, .jobs = writer->jobs, .commits = writer->commits };
    pthread_mutex_unlock(&writer->mutex);
    return counts;
}
