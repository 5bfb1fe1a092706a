/* Rounds of storing: what comes from a URL is fetched on the loop into blob writers, then one turn on the pool ends
 * those and stores the rest, syncing included. A full disk is met with pauses, until the attempt's deadline. */
#include "engine/artifacts.h"

#include <assert.h>
#include <stdlib.h>
#include <unistd.h>

#include <jansson.h>

#include "base/crypto.h"
#include "base/log.h"
#include "base/memory.h"
#include "blob/blob.h"
#include "blob/link.h"
#include "blob/media_type.h"
#include "catalog/catalog.h"
#include "config/config.h"
#include "engine/generation.h"
#include "engine/results.h"
#include "engine/run.h"
#include "engine/state.h"
#include "engine/sweep.h"
#include "net/fetch.h"
#include "provider/exec_files.h"
#include "provider/sample.h"

#define RESULTS_MAX ((size_t)32 << 20) /* bytes of a task's results, links included */
#define LINK_MAX 512
#define COPY_SIZE 65536
#define FETCH_TRIES 3
#define PAUSE_FIRST_MS 250
#define PAUSE_MAX_MS 10000

struct artifact {
    struct artifact_store *all;
    const json_t *source;
    const char *url; /* NULL: not from a URL */
    struct fetch *fetch;
    struct blob_writer *writer;
    enum err err; /* of the last round */
    struct fault fault;
    bool stored;
    struct blob blob; /* pinned, once stored */
    char name[128];
};

struct artifact_store {
    struct run *run;
    struct engine *engine;
    void (*stored)(struct run *run);
    struct artifact *items;
    unsigned count;
    unsigned fetching;
    unsigned round;
    bool working, claimed;
    int64_t size_max;
    const char *work_directory;
    uv_work_t work;
    uv_timer_t pause;
    struct artifact_row *rows;
    struct buffer results;
};

static void start_round(struct artifact_store *all);

static void drop_unfinished(struct artifact_store *all) {
    for (unsigned i = 0; i < all->count; i++) {
        struct artifact *item = &all->items[i];
        fetch_cancel(item->fetch);
        item->fetch = NULL;
        if (item->writer != NULL)
            blob_abort(item->writer);
        item->writer = NULL;
    }
    all->fetching = 0;
}

static void give_up(struct artifact_store *all, enum task_error error, const char *message, const char *detail) {
    uv_timer_stop(&all->pause);
    drop_unfinished(all);
    run_fail(all->run, error, false, message, detail);
}

/* ---- on the pool ---- */

static enum err store_file(struct artifact *item, const char *name) {
    struct artifact_store *all = item->all;
    struct blob_writer *writer;
    char bytes[COPY_SIZE];
    int fd = -1;
    int64_t size;
    ssize_t count = -1;

    if (all->work_directory == NULL)
        return fault_set(&item->fault, ERR_FETCH, "a file without a work directory");
    enum err err = exec_file_open(all->work_directory, name, all->size_max, &fd, &size, &item->fault);
    if (err != OK)
        return err;
    err = blob_writer_new(all->engine->blobs, all->size_max, &writer, &item->fault);
    if (err != OK) {
        close(fd);
        return err;
    }
    while (err == OK && (count = read(fd, bytes, sizeof(bytes))) > 0)
        err = blob_write(writer, bytes, (size_t)count);
    close(fd);
    if (err == OK && count == 0)
        return blob_finish(writer, &item->blob, &item->fault);
    blob_abort(writer);
    return err != OK ? err : ERR_IO;
}

static enum err store_bytes(struct artifact *item, struct text bytes) {
    return blob_put_bytes(item->all->engine->blobs, bytes, item->all->size_max, &item->blob, &item->fault);
}

static enum err store_sample(struct artifact *item) {
    struct buffer buf;
    buffer_init(&buf, (size_t)item->all->size_max);
    enum err err = sample_make(item->source, &buf);
    if (err == OK)
        err = store_bytes(item, buffer_text(&buf));
    buffer_fini(&buf);
    return err;
}

/* Bytes given inside the reply itself, which is bounded already. */
static enum err store_encoded(struct artifact *item, struct text encoded, bool hex) {
    size_t size = hex ? encoded.len / 2 + 1 : base64_decoded_max(encoded.len) + 1;
    scoped(mem_free_pointer) uint8_t *bytes = malloc(size);
    size_t len = encoded.len / 2;
    if (bytes == NULL)
        return ERR_NO_MEMORY;
    bool good = hex ? encoded.len % 2 == 0 && hex_decode(encoded, bytes, len)
                    : base64_decode(encoded, bytes, size, &len);
    if (!good)
        return fault_set(&item->fault, ERR_FETCH, "the artifact's bytes are not valid %s", hex ? "hex" : "base64");
    return store_bytes(item, (struct text){ (const char *)bytes, len });
}

static struct text string_of(const json_t *source, const char *key) {
    const json_t *value = json_object_get(source, key);
    return (struct text){ json_string_value(value), json_string_length(value) };
}

static enum err store_item(struct artifact *item) {
    struct text file = string_of(item->source, "file");
    struct text base64 = string_of(item->source, "base64");
    struct text hex = string_of(item->source, "hex");
    if (item->writer != NULL) {
        struct blob_writer *writer = item->writer;
        item->writer = NULL;
        return blob_finish(writer, &item->blob, &item->fault);
    }
    if (file.ptr != NULL)
        return store_file(item, file.ptr);
    if (base64.ptr != NULL)
        return store_encoded(item, base64, false);
    if (hex.ptr != NULL)
        return store_encoded(item, hex, true);
    if (json_object_get(item->source, "generate") != NULL)
        return store_sample(item);
    return fault_set(&item->fault, ERR_FETCH, "an artifact's source is of no known kind");
}

static void store_in_pool(uv_work_t *work) {
    struct artifact_store *all = container_of(work, struct artifact_store, work);
    for (unsigned i = 0; i < all->count; i++) {
        struct artifact *item = &all->items[i];
        if (item->stored || item->err != OK)
            continue;
        item->err = store_item(item);
        item->stored = item->err == OK;
    }
}

/* ---- the end of a round ---- */

static void pause_over(uv_timer_t *timer) {
    start_round(timer->data);
}

static void pause_round(struct artifact_store *all, const struct artifact *cause) {
    int64_t pause_ms = all->round < 6 ? (int64_t)PAUSE_FIRST_MS << all->round : PAUSE_MAX_MS;
    if (all->round++ == 0)
        log_event(LOG_WARNING, "an artifact could not be stored yet", LOG_S("task", all->run->name),
                  LOG_S("error", err_info(cause->err)->name), LOG_S("detail", cause->fault.message));
    uv_timer_start(&all->pause, pause_over, (uint64_t)pause_ms, 0);
}

static bool may_pass(const struct artifact_store *all, const struct artifact *item) {
    if (item->err == ERR_NO_SPACE || item->err == ERR_IO || item->err == ERR_READ_ONLY)
        return true;
    return item->url != NULL && all->round + 1 < FETCH_TRIES && (item->err == ERR_FETCH || item->err == ERR_TIMEOUT);
}

static void fail_item(struct artifact_store *all, const struct artifact *item) {
    char message[256];
    if (item->err == ERR_FILE_TOO_LARGE) {
        snprintf(message, sizeof(message), "A result file is larger than the limit of %lld bytes.",
                 (long long)all->size_max);
        give_up(all, TASK_ERROR_GENERATION_FAILED, message, item->fault.message);
    } else {
        give_up(all, TASK_ERROR_NO_CONTENT, "A result file could not be taken over from the service.",
                item->fault.message[0] != '\0' ? item->fault.message : err_info(item->err)->name);
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
        if (!may_pass(all, item) || all->run->halt != RUN_GOES_ON) {
            fail_item(all, item);
            return;
        }
        open = item;
    }
    if (open != NULL)
        pause_round(all, open);
    else
        finish(all);
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

/* ---- fetching ---- */

static enum err sink(void *context, const void *bytes, size_t count) {
    struct artifact *item = context;
    return blob_write(item->writer, bytes, count);
}

static void fetched(void *context, const struct fetch_result *result) {
    struct artifact *item = context;
    struct artifact_store *all = item->all;
    item->fetch = NULL;
    item->err = result->err;
    if (result->err != OK)
        (void)fault_set(&item->fault, result->err, "%s", result->detail);
    else if (result->http_status < 200 || result->http_status > 299)
        item->err = fault_set(&item->fault, ERR_FETCH, "HTTP status %d for %s", result->http_status, result->url);
    if (item->err != OK) {
        blob_abort(item->writer);
        item->writer = NULL;
    }
    if (--all->fetching == 0)
        start_pool(all);
}

static void start_fetch(struct artifact *item) {
    struct artifact_store *all = item->all;
    struct fetch_request request = {
        .trust = FETCH_OUTSIDE, /* S1: an upstream's reply is from outside as well */
        .url = text_of(item->url),
        .redirects_max = FETCH_REDIRECTS_MAX,
        .repeatable = true,
        .reply_max = all->size_max,
        .sink = sink,
        .done = fetched,
        .context = item,
    };
    item->err = blob_writer_new(all->engine->blobs, all->size_max, &item->writer, &item->fault);
    if (item->err != OK)
        return;
    item->err = fetch_start(all->engine->fetcher, &request, &item->fetch, &item->fault);
    if (item->err == OK) {
        all->fetching++;
        return;
    }
    blob_abort(item->writer);
    item->writer = NULL;
}

static void start_round(struct artifact_store *all) {
    for (unsigned i = 0; i < all->count; i++) {
        struct artifact *item = &all->items[i];
        if (item->stored)
            continue;
        item->err = OK;
        if (item->url != NULL)
            start_fetch(item);
    }
    if (all->fetching == 0)
        start_pool(all);
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
    all->work_directory = run->work_directory;
    buffer_init(&all->results, RESULTS_MAX + (size_t)all->count * LINK_MAX);
    uv_timer_init(&run->engine->loop, &all->pause);
    all->pause.data = all;
    for (unsigned i = 0; i < all->count; i++) {
        all->items[i].all = all;
        all->items[i].source = run->results.artifacts[i].source;
        all->items[i].url = string_of(all->items[i].source, "url").ptr;
    }
    if (json_array_size(run->results.array) == 0)
        give_up(all, TASK_ERROR_NO_CONTENT, NULL, "the results are empty");
    else if (json_dumpb(run->results.array, NULL, 0, JSON_COMPACT) > RESULTS_MAX)
        give_up(all, TASK_ERROR_GENERATION_FAILED, "The results are too large.", NULL);
    else if (all->count == 0)
        stored(run);
    else
        start_round(all);
}

void artifacts_cancel(struct run *run) {
    struct artifact_store *all = run->artifacts;
    if (all == NULL || all->working) /* the pool's turn ends soon, and looks at `halt` */
        return;
    give_up(all, TASK_ERROR_SERVICE, "The result could not be stored.",
            "stopped while its artifacts were being stored");
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
    for (unsigned i = 0; i < all->count; i++) {
        if (!all->items[i].stored)
            continue;
        blob_unpin(all->engine->blobs, &all->items[i].blob);
        if (!all->claimed)
            sweep_suspect(all->engine, all->items[i].blob.hash);
    }
    buffer_fini(&all->results);
    free(all->rows);
    free(all->items);
    run->artifacts = NULL;
    uv_close((uv_handle_t *)&all->pause, free_store);
}
