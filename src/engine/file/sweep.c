/* Turns of the sweeper. */
#include "engine/file/sweep.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "blob/blob.h"
#include "config/config.h"
#include "engine/state.h"
#include "store/callback.h"

#define BATCH 256
#define BATCHES_A_TURN 64
#define SUSPECTS_MAX 1024
#define STREAMS_A_JOB 32 /* they may be large, and the writer has others to serve */
#define ALL_EVERY_MS ((int64_t)6 * 3600 * 1000)

struct sweep {
    struct engine *engine;
    uv_timer_t timer;
    uv_work_t work;
    bool working;
    atomic_bool stop;
    int64_t all_due_ms; /* monotonic: when to look through all blobs */
    pthread_mutex_t suspects_mutex;
    char suspects[SUSPECTS_MAX][SHA256_HEX_SIZE];
    unsigned suspect_count;
    bool suspects_missed; /* the list was full */
};

static enum err is_claimed(struct text hash, bool *ret, void *context) {
    struct engine *engine = context;
    return store_blob_claimed(engine->store, hash, ret);
}

static void remove_unclaimed(struct engine *engine, const char *hash) {
    if (blob_remove_unless(engine->blobs, text_of(hash), is_claimed, engine) == OK)
        engine_count(engine, swept, 1);
}

/* ---- expired artifacts ---- */

struct expired {
    struct store_job job;
    struct artifact_row rows[BATCH];
    unsigned count;
};

static bool take_expired(const struct artifact_row *row, void *context) {
    struct expired *expired = context;
    struct artifact_row *copy = &expired->rows[expired->count++];
    *copy = *row;
    copy->media_type = copy->name = TEXT_NONE; /* they do not outlive the call, and the key is enough */
    return expired->count < BATCH;
}

static void remove_rows(struct store_tx *tx, struct store_job *job) {
    struct expired *expired = container_of(job, struct expired, job);
    for (unsigned i = 0; i < expired->count; i++)
        store_tx_remove_artifact(tx, &expired->rows[i]);
}

/* ---- expired uploads ---- */

struct old_files {
    struct store_job job;
    struct file_row rows[BATCH];
    unsigned count;
};

static bool take_old_file(const struct file_row *row, void *context) {
    struct old_files *old = context;
    struct file_row *copy = &old->rows[old->count++];
    *copy = *row;
    copy->media_type = copy->name = TEXT_NONE;
    return old->count < BATCH;
}

static void remove_files(struct store_tx *tx, struct store_job *job) {
    struct old_files *old = container_of(job, struct old_files, job);
    struct file_row gone;
    for (unsigned i = 0; i < old->count; i++)
        (void)!store_tx_remove_file(tx, old->rows[i].account, &old->rows[i].id, &gone);
}

/* ---- on a full disk no row can be removed: the blobs go first, and their rows in a later turn. A link to an expired
 * row answers 410 already, and a blob that is gone already is no trouble to that turn. ---- */

struct relief {
    struct sweep *sweep;
    int64_t now_ms;
};

static enum err is_claimed_still(struct text hash, bool *ret, void *context) {
    const struct relief *relief = context;
    return store_blob_claimed_after(relief->sweep->engine->store, hash, relief->now_ms, ret);
}

/* Not counted as swept before the row is gone. */
static bool relieve_of(struct relief *relief, const char *hash) {
    enum err err = blob_remove_unless(relief->sweep->engine->blobs, text_of(hash), is_claimed_still, relief);
    if (err != OK && err != ERR_BUSY)
        log_event(LOG_WARNING, "an expired blob could not be removed", LOG_S("error", err_info(err)->name));
    return !atomic_load(&relief->sweep->stop);
}

static bool relieve(const struct artifact_row *row, void *context) {
    return relieve_of(context, row->hash);
}

static bool relieve_of_file(const struct file_row *row, void *context) {
    return relieve_of(context, row->hash);
}

static void relieve_disk(struct sweep *sweep, int64_t now_ms) {
    struct relief relief = { sweep, now_ms };
    log_event(LOG_WARNING, "the disk is full: expired blobs are removed before their rows");
    struct store *store = sweep->engine->store;
    if (store_list_expired_blobs(store, now_ms, BATCH * BATCHES_A_TURN, relieve, &relief) != OK ||
        store_list_expired_files(store, now_ms, BATCH * BATCHES_A_TURN, relieve_of_file, &relief) != OK)
        log_event(LOG_WARNING, "the expired artifacts could not be listed");
}

/* True when there may be more. */
static bool sweep_batch(struct sweep *sweep, struct expired *expired) {
    struct engine *engine = sweep->engine;
    int64_t now_ms = clock_wall_ms();
    expired->count = 0;
    expired->job = (struct store_job){ .run = remove_rows };
    if (store_list_expired_artifacts(engine->store, now_ms, BATCH, take_expired, expired) != OK || expired->count == 0)
        return false;
    enum err err = store_call(engine->store, &expired->job);
    if (err == ERR_NO_SPACE)
        relieve_disk(sweep, now_ms);
    if (err != OK)
        return false;
    for (unsigned i = 0; i < expired->count; i++)
        if (expired->rows[i].small)
            engine_count(engine, swept, 1); /* gone with its row */
        else
            remove_unclaimed(engine, expired->rows[i].hash);
    return expired->count == BATCH;
}

static void sweep_expired(struct sweep *sweep) {
    struct expired *expired = mem_new(sizeof(*expired));
    for (int i = 0; i < BATCHES_A_TURN && !atomic_load(&sweep->stop); i++)
        if (!sweep_batch(sweep, expired))
            break;
    free(expired);
}

/* True when there may be more. */
static bool sweep_batch_of_files(struct sweep *sweep, struct old_files *old) {
    struct engine *engine = sweep->engine;
    int64_t now_ms = clock_wall_ms();
    old->count = 0;
    old->job = (struct store_job){ .run = remove_files };
    if (store_list_expired_files(engine->store, now_ms, BATCH, take_old_file, old) != OK || old->count == 0)
        return false;
    enum err err = store_call(engine->store, &old->job);
    if (err == ERR_NO_SPACE)
        relieve_disk(sweep, now_ms);
    if (err != OK)
        return false;
    for (unsigned i = 0; i < old->count; i++)
        remove_unclaimed(engine, old->rows[i].hash);
    return old->count == BATCH;
}

static void sweep_files(struct sweep *sweep) {
    struct old_files *old = mem_new(sizeof(*old));
    for (int i = 0; i < BATCHES_A_TURN && !atomic_load(&sweep->stop); i++)
        if (!sweep_batch_of_files(sweep, old))
            break;
    free(old);
}

/* ---- blobs without a claim ---- */

static bool look_at(const char *hash, void *context) {
    struct sweep *sweep = context;
    remove_unclaimed(sweep->engine, hash);
    return !atomic_load(&sweep->stop);
}

static void sweep_suspects(struct sweep *sweep) {
    pthread_mutex_lock(&sweep->suspects_mutex);
    unsigned count = sweep->suspect_count;
    if (sweep->suspects_missed)
        sweep->all_due_ms = 0;
    sweep->suspects_missed = false;
    char (*hashes)[SHA256_HEX_SIZE] = mem_new_array((size_t)count + 1, sizeof(*hashes));
    memcpy(hashes, sweep->suspects, count * sizeof(*hashes));
    sweep->suspect_count = 0;
    pthread_mutex_unlock(&sweep->suspects_mutex);
    for (unsigned i = 0; i < count; i++)
        remove_unclaimed(sweep->engine, hashes[i]);
    free(hashes);
}

static void sweep_all(struct sweep *sweep) {
    if (clock_monotonic_ms() < sweep->all_due_ms)
        return;
    if (blob_each(sweep->engine->blobs, look_at, sweep) != OK)
        log_event(LOG_WARNING, "the stored blobs could not be listed");
    sweep->all_due_ms = clock_monotonic_ms() + ALL_EVERY_MS;
}

/* ---- answers of language models that nobody may read any more ---- */

struct old_streams {
    struct store_job job;
    int64_t now_ms;
};

static void remove_streams(struct store_tx *tx, struct store_job *job) {
    store_tx_drop_streams(tx, container_of(job, struct old_streams, job)->now_ms, STREAMS_A_JOB);
}

/* Whether there are any is asked first: a turn that finds none writes nothing. */
static void sweep_streams(struct sweep *sweep) {
    struct store *store = sweep->engine->store;
    struct old_streams old = { .job = { .run = remove_streams }, .now_ms = clock_wall_ms() };
    bool some = true;
    for (int i = 0; i < BATCHES_A_TURN && !atomic_load(&sweep->stop); i++)
        if (store_streams_expired(store, old.now_ms, &some) != OK || !some || store_call(store, &old.job) != OK)
            return;
}

/* ---- idempotency keys that may be used anew ---- */

struct old_keys {
    struct store_job job;
    int64_t now_ms;
};

static void remove_keys(struct store_tx *tx, struct store_job *job) {
    store_tx_drop_idempotency(tx, container_of(job, struct old_keys, job)->now_ms, BATCH);
}

static void sweep_keys(struct sweep *sweep) {
    struct store *store = sweep->engine->store;
    struct old_keys old = { .job = { .run = remove_keys }, .now_ms = clock_wall_ms() };
    bool some = true;
    for (int i = 0; i < BATCHES_A_TURN && !atomic_load(&sweep->stop); i++)
        if (store_idempotency_expired(store, old.now_ms, &some) != OK || !some || store_call(store, &old.job) != OK)
            return;
}

/* ---- callbacks that ended long ago ---- */

struct old_callbacks {
    struct store_job job;
    int64_t before_ms, now_ms;
};

static void remove_callbacks(struct store_tx *tx, struct store_job *job) {
    const struct old_callbacks *old = container_of(job, struct old_callbacks, job);
    store_tx_drop_callbacks(tx, old->before_ms, old->now_ms, BATCH);
}

static void sweep_callbacks(struct sweep *sweep) {
    struct store *store = sweep->engine->store;
    struct setup *setup = engine_setup(sweep->engine);
    int64_t now_ms = clock_wall_ms();
    struct old_callbacks old = { .job = { .run = remove_callbacks },
                                 .before_ms = now_ms - setup->config->callbacks_retention_s * 1000,
                                 .now_ms = now_ms };
    bool some = true;
    setup_unref(setup);
    for (int i = 0; i < BATCHES_A_TURN && !atomic_load(&sweep->stop); i++)
        if (store_callbacks_old(store, old.before_ms, old.now_ms, &some) != OK || !some ||
            store_call(store, &old.job) != OK)
            return;
}

static void turn(uv_work_t *work) {
    struct sweep *sweep = container_of(work, struct sweep, work);
    sweep_expired(sweep);
    sweep_files(sweep);
    sweep_streams(sweep);
    sweep_keys(sweep);
    sweep_callbacks(sweep);
    sweep_suspects(sweep);
    sweep_all(sweep);
}

/* ---- turns ---- */

static void turn_over(uv_work_t *work, int status) {
    struct sweep *sweep = container_of(work, struct sweep, work);
    (void)status;
    sweep->working = false;
    sweep->engine->busy--;
    engine_check_stop(sweep->engine);
}

static void begin_turn(uv_timer_t *timer) {
    struct sweep *sweep = timer->data;
    if (sweep->working || sweep->engine->stopping)
        return;
    if (uv_queue_work(&sweep->engine->loop, &sweep->work, turn, turn_over) != 0)
        return;
    sweep->working = true;
    sweep->engine->busy++;
}

void sweep_init(struct engine *engine) {
    engine->sweep = mem_table(sizeof(*engine->sweep));
    engine->sweep->engine = engine;
    pthread_mutex_init(&engine->sweep->suspects_mutex, NULL);
}

void sweep_free(struct engine *engine) {
    pthread_mutex_destroy(&engine->sweep->suspects_mutex);
    mem_table_free(engine->sweep, sizeof(*engine->sweep));
}

void sweep_start(struct engine *engine) {
    struct sweep *sweep = engine->sweep;
    uv_timer_init(&engine->loop, &sweep->timer);
    sweep->timer.data = sweep;
    if (engine->seams->sweep_period_ms > 0)
        uv_timer_start(&sweep->timer, begin_turn, clock_timer_ms(engine->seams->sweep_first_ms),
                       clock_timer_ms(engine->seams->sweep_period_ms));
}

void sweep_stop(struct engine *engine) {
    atomic_store(&engine->sweep->stop, true);
    uv_timer_stop(&engine->sweep->timer);
}

void sweep_close(struct engine *engine) {
    uv_close((uv_handle_t *)&engine->sweep->timer, NULL);
}

void sweep_suspect(struct engine *engine, const char *hash) {
    struct sweep *sweep = engine->sweep;
    pthread_mutex_lock(&sweep->suspects_mutex);
    if (sweep->suspect_count < SUSPECTS_MAX)
        memcpy(sweep->suspects[sweep->suspect_count++], hash, SHA256_HEX_SIZE);
    else
        sweep->suspects_missed = true;
    pthread_mutex_unlock(&sweep->suspects_mutex);
}

void sweep_let_go(struct engine *engine, struct blob *blob, bool claimed) {
    bool in_store = blob->bytes == NULL;
    blob_unpin(engine->blobs, blob);
    if (in_store && !claimed)
        sweep_suspect(engine, blob->hash);
}
