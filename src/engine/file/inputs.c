/* What every media value of an input is; fetches of those from outside, all at once by the courier; then one turn on the
 * pool and the end. */
#include "engine/file/inputs.h"

#include <assert.h>
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <jansson.h>

#include "base/clock.h"
#include "base/memory.h"
#include "blob/media_info.h"
#include "blob/media_type.h"
#include "catalog/catalog.h"
#include "config/config.h"
#include "engine/attempt/run.h"
#include "engine/file/inputs_inside.h"
#include "engine/route/generation.h"
#include "engine/state.h"
#include "net/courier.h"
#include "net/fetch.h"

#define FETCH_TIMEOUT_MS ((int64_t)600000)

void input_fail(struct input_files *all, enum task_error error, bool retryable, const char *detail, const char *format,
                ...) {
    if (input_failed(all))
        return;
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(all->failure.message, sizeof(all->failure.message), format, arguments);
    va_end(arguments);
    snprintf(all->failure.detail, sizeof(all->failure.detail), "%s", detail != NULL ? detail : "");
    all->failure.error = error;
    all->failure.retryable = retryable;
}

void input_fail_open(struct input_file *file, enum err err) {
    if (err == ERR_NOT_FOUND)
        input_fail(file->all, TASK_ERROR_RESOURCE_NOT_FOUND, false, err_info(err)->name,
                   "%s: the file is no longer there.", file->param);
    else
        input_fail(file->all, TASK_ERROR_UNAVAILABLE, true, err_info(err)->name, "%s: the file could not be read.",
                   file->param);
}

bool input_failed(const struct input_files *all) {
    return all->failure.error != TASK_ERROR_NONE;
}

void inputs_give_up(struct input_files *all) {
    if (all->fetching > 0) { /* the last one that comes back gives up */
        for (unsigned i = 0; i < all->count; i++)
            if (all->files[i].errand != NULL)
                errand_stop(all->files[i].errand);
        return;
    }
    const struct input_failure *failure = &all->failure;
    enum task_error error = input_failed(all) ? failure->error : TASK_ERROR_UNKNOWN;
    run_fail(all->run, error, failure->retryable, failure->message[0] != '\0' ? failure->message : NULL,
             failure->detail[0] != '\0' ? failure->detail : NULL);
}

/* ---- what a file is ---- */

/* "image" wants image/…; "file" takes all. */
static void check_kind(struct input_file *file) {
    struct text accept = text_of(file->accept), type = text_of(file->media_type);
    bool image = text_equal(accept, TEXT("image"));
    if (!image && !text_equal(accept, TEXT("video")) && !text_equal(accept, TEXT("audio")))
        return;
    if (text_starts(type, accept) && type.len > accept.len && type.ptr[accept.len] == '/')
        return;
    if (text_equal(accept, TEXT("audio")) && text_starts(type, TEXT("video/")))
        return; /* a container that holds sound as well */
    input_fail(file->all, image ? TASK_ERROR_IMAGE_PROCESSING : TASK_ERROR_INVALID_PARAMETERS, false, NULL,
               "%s: the file is %s, not %s.", file->param, file->media_type, file->accept);
}

void input_inspect(struct input_file *file, int fd) {
    char start[MEDIA_SNIFF_SIZE];
    struct fault fault = { 0 };
    ssize_t count = pread(fd, start, sizeof(start), 0);
    if (count < 0) {
        input_fail(file->all, TASK_ERROR_UNAVAILABLE, true, strerrordesc_np(errno), "%s: the file could not be read.",
                   file->param);
        return;
    }
    if (count == 0) {
        input_fail(file->all, TASK_ERROR_INVALID_PARAMETERS, false, NULL, "%s: the file is empty.", file->param);
        return;
    }
    file->media_type = media_type_sniff((struct text){ start, (size_t)count });
    check_kind(file);
    struct media_info info = media_info_of_file(fd);
    if (media_info_check(&info, &file->limits, file->param, &fault) != OK)
        input_fail(file->all, TASK_ERROR_INVALID_PARAMETERS, false, NULL, "%s: %s", file->param, fault.message);
}

/* ---- the turn on the pool ---- */

static void work_in_pool(uv_work_t *work) {
    struct input_files *all = container_of(work, struct input_files, work);
    all->way->work(all);
}

static void worked(uv_work_t *work, int status) {
    struct input_files *all = container_of(work, struct input_files, work);
    (void)status;
    all->working = false;
    if (input_failed(all) || all->run->halt != RUN_GOES_ON)
        inputs_give_up(all);
    else
        all->way->finish(all);
}

static void start_pool(struct input_files *all) {
    all->working = true;
    int failure = uv_queue_work(&all->run->engine->loop, &all->work, work_in_pool, worked);
    assert(failure == 0);
    (void)failure;
}

/* ---- fetching ---- */

/* On the courier's thread. */
static enum err sink(void *context, const void *bytes, size_t count) {
    struct input_file *file = context;
    return file->all->way->write(file, bytes, count);
}

static int64_t size_limit(const struct input_file *file) {
    int64_t own = file->limits.bytes_max, all = file->all->size_max;
    return own > 0 && own < all ? own : all;
}

static void note_result(struct input_file *file, const struct fetch_result *result) {
    struct input_files *all = file->all;
    int status = result->http_status;
    switch (result->err) {
    case OK:
        if (status < 200 || status > 299)
            input_fail(all, TASK_ERROR_INVALID_PARAMETERS, !result->final, result->url,
                       "%s: the file could not be fetched, its server answered with HTTP status %d.", file->param,
                       status);
        else if (result->size == 0)
            input_fail(all, TASK_ERROR_INVALID_PARAMETERS, false, result->url, "%s: the file is empty.", file->param);
        return;
    case ERR_BLOCKED_ADDRESS:
        input_fail(all, TASK_ERROR_INVALID_PARAMETERS, false, result->detail,
                   "%s: the URL leads to an address that is not allowed.", file->param);
        return;
    case ERR_FILE_TOO_LARGE:
        input_fail(all, TASK_ERROR_INVALID_PARAMETERS, false, result->detail, "%s: the file is larger than %lld bytes.",
                   file->param, (long long)size_limit(file));
        return;
    case ERR_NO_SPACE:
    case ERR_IO:
    case ERR_READ_ONLY:
    case ERR_NO_MEMORY:
        input_fail(all, TASK_ERROR_UNAVAILABLE, true, result->detail, "%s: the file could not be stored.", file->param);
        return;
    default:
        input_fail(all, TASK_ERROR_INVALID_PARAMETERS, !result->final, result->detail,
                   "%s: the file could not be fetched.", file->param);
    }
}

static void fetched(void *context, const struct fetch_result *result) {
    struct input_file *file = context;
    struct input_files *all = file->all;
    file->errand = NULL;
    all->fetching--;
    if (result != NULL)
        note_result(file, result);
    all->way->close(file, result != NULL && !input_failed(all));
    if (input_failed(all) || all->run->halt != RUN_GOES_ON)
        inputs_give_up(all);
    else if (all->fetching == 0)
        start_pool(all);
}

static void start_fetch(struct input_file *file) {
    struct input_files *all = file->all;
    struct fault fault = { 0 };
    int64_t timeout_ms = all->run->attempt.timeout_ms;
    struct fetch_request request = {
        .trust = FETCH_OUTSIDE,
        .url = text_of(file->value),
        .redirects_max = FETCH_REDIRECTS_MAX,
        .repeatable = true,
        .reply_max = size_limit(file),
        .total_timeout_ms = timeout_ms < FETCH_TIMEOUT_MS ? timeout_ms : FETCH_TIMEOUT_MS,
        .sink = sink,
        .done = fetched,
        .context = file,
    };
    if (!all->way->open(file))
        return;
    enum err err = courier_send(all->run->engine->courier, &request, &file->errand, &fault);
    if (err == OK) {
        all->fetching++;
        return;
    }
    all->way->close(file, false);
    input_fail(all, TASK_ERROR_INVALID_PARAMETERS, err_info(err)->retryable, fault.message,
               "%s: the file could not be fetched.", file->param);
}

void inputs_bring(struct input_files *all, bool (*wants)(const struct input_file *file)) {
    for (unsigned i = 0; i < all->count && !input_failed(all); i++)
        if (all->files[i].origin == INPUT_OUTSIDE && (wants == NULL || wants(&all->files[i])))
            start_fetch(&all->files[i]);
    if (input_failed(all))
        inputs_give_up(all);
    else if (all->fetching == 0)
        start_pool(all);
}

/* ---- what there is ---- */

static json_t *note_file(const char *path, const struct param *param, const char *value, void *context) {
    struct input_files *all = context;
    if (all->count == INPUT_FILES_MAX) {
        all->too_many = true;
        return NULL;
    }
    all->files = mem_grow(all->files, (all->count + 1) * sizeof(*all->files)); /* nothing points into it yet */
    struct input_file *file = &all->files[all->count++];
    *file = (struct input_file){ .all = all, .fd = -1, .accept = param->accept, .limits = param->limits };
    file->param = mem_string(path);
    file->value = mem_string(value);
    return NULL;
}

struct claim {
    const char *hash;
    bool found;
};

static bool compare_claim(const struct artifact_row *row, void *context) {
    struct claim *claim = context;
    claim->found = row->role == ARTIFACT_INPUT && strcmp(row->hash, claim->hash) == 0;
    return !claim->found;
}

/* S2: a stored input is the task's own, whatever the parameter says. */
static enum err find_claim(const struct run *run, const char *hash, bool *ret) {
    struct claim claim = { .hash = hash };
    struct task_id id = task_key_id(&run->task->key);
    enum err err = store_list_artifacts(run->engine->store, run->task->key.account, &id, compare_claim, &claim);
    *ret = claim.found;
    return err;
}

static void classify_stored(struct input_file *file, struct text name) {
    struct input_files *all = file->all;
    struct text hash = text_cut(&name, '/');
    bool claimed = false;
    enum err err = OK;

    file->origin = INPUT_STORED;
    snprintf(file->link.hash, sizeof(file->link.hash), "%.*s", TEXT_ARG(hash));
    snprintf(file->link.name, sizeof(file->link.name), "%.*s", TEXT_ARG(name));
    if (hash.len == SHA256_HEX_SIZE - 1)
        err = find_claim(all->run, file->link.hash, &claimed);
    if (err != OK)
        input_fail_open(file, err);
    else if (!claimed)
        input_fail(all, TASK_ERROR_RESOURCE_NOT_FOUND, false, NULL, "%s: the file is not there.", file->param);
}

static void classify(struct input_file *file) {
    struct input_files *all = file->all;
    struct text value = text_of(file->value), prefix = TEXT(INPUT_BLOB_PREFIX);

    file->origin = INPUT_OUTSIDE;
    if (text_starts(value, prefix)) {
        classify_stored(file, (struct text){ value.ptr + prefix.len, value.len - prefix.len });
        return;
    }
    enum err err =
        link_check_url(value, store_secret(all->run->engine->store), clock_wall_ms() / 1000, &file->link);
    if (err == OK)
        file->origin = INPUT_OWN;
    else if (err == ERR_RESULT_EXPIRED)
        input_fail(all, TASK_ERROR_RESOURCE_NOT_FOUND, false, NULL, "%s: the link has expired.", file->param);
}

struct input_files *inputs_list(struct run *run, void (*ready)(struct run *run), const struct input_way *way) {
    struct input_files *all = mem_new(sizeof(*all));
    run->files = all;
    all->run = run;
    all->ready = ready;
    all->way = way;
    all->size_max = run->generation->setup->config->input_max;
    model_each_media(run->attempt.model, run->input, note_file, all);
    if (all->too_many)
        input_fail(all, TASK_ERROR_INVALID_PARAMETERS, false, NULL, "More than %d files are given.", INPUT_FILES_MAX);
    for (unsigned i = 0; i < all->count && !input_failed(all); i++)
        classify(&all->files[i]);
    return all;
}

void inputs_cancel(struct run *run) {
    struct input_files *all = run->files;
    if (all != NULL && !all->working) /* else the turn on the pool or in the store is short, and looks at `halt` then */
        inputs_give_up(all);
}

bool inputs_may_go(const struct run *run) {
    const struct input_files *all = run->files;
    for (unsigned i = 0; all != NULL && i < all->count; i++)
        if (all->files[i].pinned || all->files[i].errand != NULL)
            return false;
    return all == NULL || (!all->working && all->fetching == 0);
}

void inputs_free(struct run *run) {
    struct input_files *all = run->files;
    if (all == NULL)
        return;
    assert(!all->working && all->fetching == 0);
    for (unsigned i = 0; i < all->count; i++) {
        all->way->drop(&all->files[i]);
        free(all->files[i].param);
        free(all->files[i].value);
    }
    free(all->files);
    free(all->shown);
    free(all);
    run->files = NULL;
}
