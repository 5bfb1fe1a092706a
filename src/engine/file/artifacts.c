/* Rounds of storing: what comes from a URL is fetched by the courier into blob writers, then one turn on the pool ends
 * those and stores the rest, syncing included; files that are small need no such turn, they come into the database with the
 * task's end. A full disk is met with pauses, until the attempt's deadline, and so is a host out of order, for minutes. */
#include "engine/file/artifacts.h"

#include <assert.h>
#include <stdlib.h>

#include <jansson.h>

#include "base/clock.h"
#include "base/inline_file.h"
#include "base/log.h"
#include "base/memory.h"
#include "blob/blob.h"
#include "blob/link.h"
#include "blob/media_type.h"
#include "catalog/catalog.h"
#include "config/config.h"
#include "engine/attempt/run.h"
#include "engine/file/artifacts_inside.h"
#include "engine/file/results.h"
#include "engine/file/sweep.h"
#include "engine/route/generation.h"
#include "engine/seams.h"
#include "engine/state.h"
#include "net/courier.h"

#define RESULTS_MAX ((size_t)32 << 20) /* bytes of a task's results, links included */
#define LINK_MAX 512
#define FETCH_TRIES 3
#define PAUSE_FIRST_MS 250
#define PAUSE_MAX_MS 10000
#define ASKED_PAUSE_MAX_MS 60000
#define MISSING_SHARE 10 /* of the patience: for a file that is not there, which few hosts mean as "not yet" */

static void start_round(struct artifact_store *all);

static void drop_unfinished(struct artifact_store *all) {
    assert(!all->working && all->fetching == 0);
    for (unsigned i = 0; i < all->count; i++) {
        struct artifact *item = &all->items[i];
        if (item->writer != NULL)
            blob_abort(item->writer);
        item->writer = NULL;
    }
}

static void give_up(struct artifact_store *all, enum task_error error, const char *message, const char *detail) {
    uv_timer_stop(&all->pause);
    drop_unfinished(all);
    run_fail(all->run, error, false, message, detail);
}

static void take_all(struct artifact_store *all) {
    for (unsigned i = 0; i < all->count; i++) {
        struct artifact *item = &all->items[i];
        if (item->stored || item->err != OK)
            continue;
        item->err = artifact_take(item);
        item->stored = item->err == OK;
        if (item->stored && all->run->results.timed == &all->run->results.artifacts[i])
            all->seconds = artifact_seconds(item);
    }
}

/* ---- the end of a round ---- */

static void pause_over(uv_timer_t *timer) {
    start_round(timer->data);
}

/* As long as the hosts of what is open ask for, within bounds. */
static int64_t next_pause_ms(const struct artifact_store *all) {
    int64_t pause_ms = all->round < 6 ? (int64_t)PAUSE_FIRST_MS << all->round : PAUSE_MAX_MS;
    for (unsigned i = 0; i < all->count; i++) {
        const struct artifact *item = &all->items[i];
        int64_t asked_ms = item->retry_after_ms < ASKED_PAUSE_MAX_MS ? item->retry_after_ms : ASKED_PAUSE_MAX_MS;
        if (!item->stored && asked_ms > pause_ms)
            pause_ms = asked_ms;
    }
    return pause_ms;
}

static void pause_round(struct artifact_store *all, const struct artifact *cause) {
    int64_t pause_ms = next_pause_ms(all);
    if (all->round++ == 0)
        log_event(LOG_WARNING, "an artifact could not be stored yet", LOG_S("task", all->run->name),
                  LOG_S("error", err_info(cause->err)->name), LOG_S("detail", cause->fault.message));
    uv_timer_start(&all->pause, pause_over, (uint64_t)pause_ms, 0);
}

/* What a service made is paid for: while its host stumbles it is asked for some time; a file that comes, but cut or empty,
 * comes so again. */
static bool may_be_had_yet(const struct artifact_store *all, const struct artifact *item) {
    if (item->http_status / 100 == 2 || all->round + 1 < FETCH_TRIES)
        return item->broken < FETCH_TRIES;
    int64_t patience_ms = all->engine->seams->file_patience_ms / (item->final ? MISSING_SHARE : 1);
    return clock_monotonic_ms() - item->since_ms < patience_ms;
}

static bool may_pass(const struct artifact_store *all, const struct artifact *item) {
    if (item->err == ERR_NO_SPACE || item->err == ERR_IO || item->err == ERR_READ_ONLY || item->err == ERR_OVERLOADED ||
        item->err == ERR_NO_MEMORY)
        return true;
    bool passes = (item->err == ERR_FETCH || item->err == ERR_TIMEOUT) && (!item->final || item->http_status == 404);
    return item->url != NULL && passes && may_be_had_yet(all, item);
}

/* For the task's owner, who can do little about it, but should know that it was the file and not the work. */
static const char *words_for(const struct artifact *item) {
    if (item->empty)
        return "The service's result file is empty.";
    if (item->run_out)
        return "The service does not give out its result file any more.";
    return "A result file could not be taken over from the service.";
}

static void fail_item(struct artifact_store *all, const struct artifact *item) {
    char message[256];
    const char *detail = item->fault.message[0] != '\0' ? item->fault.message : err_info(item->err)->name;
    if (item->err == ERR_FILE_TOO_LARGE) {
        snprintf(message, sizeof(message), "A result file is larger than the limit of %lld bytes.",
                 (long long)all->size_max);
        give_up(all, TASK_ERROR_GENERATION_FAILED, message, detail);
    } else {
        give_up(all, TASK_ERROR_NO_CONTENT, words_for(item), detail);
    }
}

/* B1: what is stored must be of the task's kind. */
static const struct artifact *find_misfit(const struct artifact_store *all) {
    for (unsigned i = 0; i < all->count; i++)
        if (!media_type_fits(all->items[i].blob.media_type, all->run->attempt.model->type))
            return &all->items[i];
    return NULL;
}

static void finish(struct artifact_store *all) {
    const struct artifact *misfit = find_misfit(all);
    if (misfit != NULL) {
        char detail[160];
        snprintf(detail, sizeof(detail), "artifact %u is %s", (unsigned)(misfit - all->items), misfit->blob.media_type);
        give_up(all, TASK_ERROR_NO_CONTENT, "The generation ended with a file of the wrong kind.", detail);
        return;
    }
    if (all->seconds > 0)
        all->run->results.units_milli = all->seconds * 1000;
    for (unsigned i = 0; i < all->count; i++) {
        engine_count(all->engine, artifacts_stored, 1);
        engine_count(all->engine, artifact_bytes, (uint64_t)all->items[i].blob.size);
    }
    all->stored(all->run);
}

static void end_round(struct artifact_store *all) {
    const struct artifact *open = NULL;
    for (unsigned i = 0; i < all->count; i++) {
        const struct artifact *item = &all->items[i];
        if (item->stored)
            continue;
        if (item->run_out && run_renew(all->run)) /* `all` is gone, and comes anew */
            return;
        if (!may_pass(all, item) || all->run->halt != RUN_GOES_ON) {
            fail_item(all, item);
            return;
        }
        open = item;
    }
    if (open == NULL)
        finish(all);
    else if (all->engine->stopping && all->run->ops->remote)
        run_abandon(all->run); /* the next start asks the service anew */
    else
        pause_round(all, open);
}

/* ---- on the pool ---- */

static void store_in_pool(uv_work_t *work) {
    take_all(container_of(work, struct artifact_store, work));
}

static void pool_done(uv_work_t *work, int status) {
    struct artifact_store *all = container_of(work, struct artifact_store, work);
    (void)status;
    all->working = false;
    end_round(all);
}

static void start_pool(struct artifact_store *all) {
    all->working = true;
    int failure = uv_queue_work(&all->engine->loop, &all->work, store_in_pool, pool_done);
    assert(failure == 0);
    (void)failure;
}

/* Nothing is left to do that takes long. */
static bool is_light(const struct artifact_store *all) {
    for (unsigned i = 0; i < all->count; i++) {
        const struct artifact *item = &all->items[i];
        if (!item->stored && item->err == OK && (item->writer == NULL || !blob_is_small(item->writer, all->small_max)))
            return false;
    }
    return true;
}

static void give_up_stopped(struct artifact_store *all) {
    give_up(all, TASK_ERROR_SERVICE, "The result could not be stored.", "stopped while its artifacts were being stored");
}

static void all_fetched(struct artifact_store *all) {
    if (all->stopped) {
        give_up_stopped(all);
        return;
    }
    if (!is_light(all)) {
        start_pool(all);
        return;
    }
    take_all(all);
    end_round(all);
}

/* ---- the beginning ---- */

static void start_round(struct artifact_store *all) {
    for (unsigned i = 0; i < all->count; i++) {
        struct artifact *item = &all->items[i];
        if (item->stored)
            continue;
        item->err = OK;
        if (item->url != NULL)
            artifact_fetch(item, all_fetched);
    }
    if (all->fetching == 0)
        start_pool(all);
}

/* At least as many bytes as the value takes as JSON: no letter takes more than six, no number more than 32. */
static size_t size_bound(const json_t *value) {
    json_t *object = (json_t *)(uintptr_t)value;
    size_t size = 6 * json_string_length(value) + 32;

    for (void *at = json_object_iter(object); at != NULL; at = json_object_iter_next(object, at))
        size += 6 * json_object_iter_key_len(at) + 4 + size_bound(json_object_iter_value(at));
    for (size_t i = 0; i < json_array_size(value); i++)
        size += 1 + size_bound(json_array_get(value, i));
    return size;
}

static bool is_too_large(const json_t *results) {
    return size_bound(results) > RESULTS_MAX && json_dumpb(results, NULL, 0, JSON_COMPACT) > RESULTS_MAX;
}

void artifacts_start(struct run *run, void (*stored)(struct run *run)) {
    struct artifact_store *all = mem_new(sizeof(*all));
    run->artifacts = all;
    all->run = run;
    all->engine = run->engine;
    all->stored = stored;
    all->count = run->results.artifact_count;
    all->items = mem_new_array(all->count > 0 ? all->count : 1, sizeof(*all->items));
    all->size_max = run->generation->setup->config->artifact_max;
    all->small_max = run->generation->setup->config->result_small_max;
    all->work_directory = run->work_directory;
    buffer_init(&all->results, RESULTS_MAX + (size_t)all->count * LINK_MAX);
    uv_timer_init(&run->engine->loop, &all->pause);
    all->pause.data = all;
    for (unsigned i = 0; i < all->count; i++) {
        all->items[i].all = all;
        all->items[i].source = run->results.artifacts[i].source;
        struct text url = artifact_member(all->items[i].source, "url");
        all->items[i].url = data_uri_is(url) ? NULL : url.ptr;
    }
    if (json_array_size(run->results.array) == 0)
        give_up(all, TASK_ERROR_NO_CONTENT, NULL, "the results are empty");
    else if (is_too_large(run->results.array))
        give_up(all, TASK_ERROR_GENERATION_FAILED, "The results are too large.", NULL);
    else if (all->count == 0)
        stored(run);
    else
        start_round(all);
}

bool artifacts_pause(const struct run *run) {
    return run->artifacts != NULL && uv_is_active((const uv_handle_t *)&run->artifacts->pause);
}

void artifacts_cancel(struct run *run) {
    struct artifact_store *all = run->artifacts;
    if (all == NULL || all->working) /* the pool's turn ends soon, and looks at `halt` */
        return;
    if (all->fetching == 0) {
        give_up_stopped(all);
        return;
    }
    all->stopped = true;
    for (unsigned i = 0; i < all->count; i++)
        if (all->items[i].errand != NULL)
            errand_stop(all->items[i].errand);
}

static void put_link(struct buffer *buf, unsigned index, void *context) {
    struct artifact_store *all = context;
    const struct artifact *item = &all->items[index];
    link_put(buf, store_secret(all->engine->store), item->blob.hash, text_of(item->name),
             all->rows[index].expires_ms / 1000);
}

struct text artifacts_render(struct run *run, int64_t expires_s, const struct artifact_row **ret_rows,
                             unsigned *ret_count) {
    struct artifact_store *all = run->artifacts;
    const char **types = mem_new_array(all->count + 1, sizeof(*types));
    all->rows = mem_new_array(all->count + 1, sizeof(*all->rows));
    for (unsigned i = 0; i < all->count; i++) {
        struct artifact *item = &all->items[i];
        types[i] = item->blob.media_type;
        snprintf(item->name, sizeof(item->name), "%s-%u.%s", run->name, i + 1, media_type_extension(types[i]));
        all->rows[i] = (struct artifact_row){
            .size = item->blob.size,
            .expires_ms = expires_s * 1000,
            .media_type = text_of(types[i]),
            .name = text_of(item->name),
            .bytes = blob_bytes(&item->blob),
        };
        memcpy(all->rows[i].hash, item->blob.hash, sizeof(all->rows[i].hash));
    }
    results_set_types(&run->results, types);
    free(types);
    results_put(&all->results, &run->results, put_link, all);
    assert(buffer_ok(&all->results)); /* its size was checked before */
    all->claimed = true;
    *ret_rows = all->rows;
    *ret_count = all->count;
    return buffer_text(&all->results);
}

static void free_store(uv_handle_t *handle) {
    free(handle->data);
}

void artifacts_free(struct run *run) {
    struct artifact_store *all = run->artifacts;
    if (all == NULL)
        return;
    assert(!all->working && all->fetching == 0);
    for (unsigned i = 0; i < all->count; i++)
        if (all->items[i].stored)
            sweep_let_go(all->engine, &all->items[i].blob, all->claimed);
    buffer_fini(&all->results);
    free(all->rows);
    free(all->items);
    run->artifacts = NULL;
    uv_close((uv_handle_t *)&all->pause, free_store);
}
