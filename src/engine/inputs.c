/* Fetches and copies of input files. URLs are fetched all at once on the loop; then one turn on the pool copies what is
 * ours, tells what every file is, and gives it a name with the fitting extension. */
#include "engine/inputs.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/memory.h"
#include "blob/blob.h"
#include "blob/link.h"
#include "blob/media_type.h"
#include "catalog/catalog.h"
#include "catalog/param.h"
#include "config/config.h"
#include "engine/generation.h"
#include "engine/run.h"
#include "engine/state.h"
#include "net/fetch.h"

#define FILES_MAX 64
#define FETCH_TIMEOUT_MS ((int64_t)600000)
#define SNIFF_SIZE 512
#define COPY_SIZE 65536

struct input_file {
    struct input_files *all;
    char *param, *accept, *value;
    char hash[SHA256_HEX_SIZE]; /* of a blob of ours; empty: to be fetched */
    char *path;
    int fd; /* while it is written; -1: not */
    struct fetch *fetch;
    const char *media_type;
};

struct failure {
    enum task_error error; /* TASK_ERROR_NONE: none */
    bool retryable;
    char message[512];
    char detail[512];
};

struct input_files {
    struct run *run;
    void (*ready)(struct run *run);
    struct input_file files[FILES_MAX];
    unsigned count;
    unsigned fetching;
    bool too_many;
    uv_work_t work;
    bool working;
    int64_t size_max;
    struct failure failure; /* the first one */
    struct attempt_file shown[FILES_MAX];
};

static void fail(struct input_files *all, enum task_error error, bool retryable, const char *detail,
                 const char *format, ...)
    printf_like(5, 6);
static void fail(struct input_files *all, enum task_error error, bool retryable, const char *detail,
                 const char *format, ...) {
    if (all->failure.error != TASK_ERROR_NONE)
        return;
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(all->failure.message, sizeof(all->failure.message), format, arguments);
    va_end(arguments);
    snprintf(all->failure.detail, sizeof(all->failure.detail), "%s", detail != NULL ? detail : "");
    all->failure.error = error;
    all->failure.retryable = retryable;
}

static void close_file(struct input_file *file) {
    if (file->fd >= 0)
        close(file->fd);
    file->fd = -1;
}

static void stop_fetches(struct input_files *all) {
    for (unsigned i = 0; i < all->count; i++) {
        fetch_cancel(all->files[i].fetch);
        all->files[i].fetch = NULL;
        close_file(&all->files[i]);
    }
    all->fetching = 0;
}

static void give_up(struct input_files *all) {
    stop_fetches(all);
    const struct failure *failure = &all->failure;
    enum task_error error = failure->error != TASK_ERROR_NONE ? failure->error : TASK_ERROR_UNKNOWN;
    run_fail(all->run, error, failure->retryable, failure->message[0] != '\0' ? failure->message : NULL,
             failure->detail[0] != '\0' ? failure->detail : NULL);
}

/* ---- on the pool: all files are there or can be copied ---- */

static bool copy_bytes(int from, int to) {
    char bytes[COPY_SIZE];
    ssize_t count;
    while ((count = read(from, bytes, sizeof(bytes))) > 0)
        for (ssize_t at = 0; at < count;) {
            ssize_t written = write(to, bytes + at, (size_t)(count - at));
            if (written < 0)
                return false;
            at += written;
        }
    return count == 0;
}

static void copy_blob(struct input_file *file) {
    struct input_files *all = file->all;
    int from = -1;
    int64_t size = 0;
    enum err err = blob_open_fd(all->run->engine->blobs, text_of(file->hash), &from, &size);
    if (err != OK) {
        fail(all, TASK_ERROR_RESOURCE_NOT_FOUND, false, err_info(err)->name, "%s: the file is no longer there.",
             file->param);
        return;
    }
    if (size > all->size_max) {
        fail(all, TASK_ERROR_INVALID_PARAMETERS, false, NULL, "%s: the file is larger than %lld bytes.", file->param,
             (long long)all->size_max);
    } else {
        int to = open(file->path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
        if (to < 0 || !copy_bytes(from, to))
            fail(all, TASK_ERROR_UNAVAILABLE, true, strerror(errno), "%s: the file could not be copied.", file->param);
        if (to >= 0)
            close(to);
    }
    close(from);
}

static void sniff_file(struct input_file *file) {
    char start[SNIFF_SIZE];
    int fd = open(file->path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    ssize_t count = fd >= 0 ? read(fd, start, sizeof(start)) : -1;
    if (fd >= 0)
        close(fd);
    if (count <= 0) {
        fail(file->all, TASK_ERROR_INVALID_PARAMETERS, false, NULL, "%s: the file is empty.", file->param);
        return;
    }
    file->media_type = media_type_sniff((struct text){ start, (size_t)count });
}

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
    fail(file->all, image ? TASK_ERROR_IMAGE_PROCESSING : TASK_ERROR_INVALID_PARAMETERS, false, NULL,
         "%s: the file is %s, not %s.", file->param, file->media_type, file->accept);
}

static void name_file(struct input_file *file, unsigned number) {
    char path[4096];
    snprintf(path, sizeof(path), "%s/input-%u.%s", file->all->run->work_directory, number,
             media_type_extension(file->media_type));
    if (rename(file->path, path) != 0) {
        fail(file->all, TASK_ERROR_UNAVAILABLE, true, strerror(errno), "%s: the file could not be stored.",
             file->param);
        return;
    }
    free(file->path);
    file->path = mem_string(path);
}

static void finish_in_pool(uv_work_t *work) {
    struct input_files *all = container_of(work, struct input_files, work);
    for (unsigned i = 0; i < all->count; i++) {
        struct input_file *file = &all->files[i];
        if (file->hash[0] != '\0' && all->failure.error == TASK_ERROR_NONE)
            copy_blob(file);
        if (all->failure.error == TASK_ERROR_NONE)
            sniff_file(file);
        if (all->failure.error == TASK_ERROR_NONE)
            check_kind(file);
        if (all->failure.error == TASK_ERROR_NONE)
            name_file(file, i + 1);
    }
}

static void finished(uv_work_t *work, int status) {
    struct input_files *all = container_of(work, struct input_files, work);
    struct run *run = all->run;
    (void)status;
    all->working = false;
    if (all->failure.error != TASK_ERROR_NONE || run->halt != RUN_GOES_ON) {
        give_up(all);
        return;
    }
    for (unsigned i = 0; i < all->count; i++)
        all->shown[i] = (struct attempt_file){ all->files[i].param, all->files[i].path, all->files[i].media_type };
    run->attempt.files = all->shown;
    run->attempt.file_count = all->count;
    all->ready(run);
}

static void finish(struct input_files *all) {
    all->working = true;
    int failure = uv_queue_work(&all->run->engine->loop, &all->work, finish_in_pool, finished);
    assert(failure == 0);
    (void)failure;
}

/* ---- fetching ---- */

static enum err sink(void *context, const void *bytes, size_t count) {
    struct input_file *file = context;
    for (const char *at = bytes; count > 0;) {
        ssize_t written = write(file->fd, at, count);
        if (written < 0)
            return errno == ENOSPC ? ERR_NO_SPACE : ERR_IO;
        at += written;
        count -= (size_t)written;
    }
    return OK;
}

static void note_result(struct input_file *file, const struct fetch_result *result) {
    struct input_files *all = file->all;
    int status = result->http_status;
    switch (result->err) {
    case OK:
        if (status < 200 || status > 299)
            fail(all, TASK_ERROR_INVALID_PARAMETERS, !result->final, result->url,
                 "%s: the file could not be fetched, its server answered with HTTP status %d.", file->param, status);
        return;
    case ERR_BLOCKED_ADDRESS:
        fail(all, TASK_ERROR_INVALID_PARAMETERS, false, result->detail,
             "%s: the URL leads to an address that is not allowed.", file->param);
        return;
    case ERR_FILE_TOO_LARGE:
        fail(all, TASK_ERROR_INVALID_PARAMETERS, false, result->detail, "%s: the file is larger than %lld bytes.",
             file->param, (long long)all->size_max);
        return;
    case ERR_NO_SPACE:
    case ERR_IO:
        fail(all, TASK_ERROR_UNAVAILABLE, true, result->detail, "%s: the file could not be stored.", file->param);
        return;
    default:
        fail(all, TASK_ERROR_INVALID_PARAMETERS, !result->final, result->detail,
             "%s: the file could not be fetched.", file->param);
    }
}

static void fetched(void *context, const struct fetch_result *result) {
    struct input_file *file = context;
    struct input_files *all = file->all;
    file->fetch = NULL;
    close_file(file);
    all->fetching--;
    note_result(file, result);
    if (all->failure.error != TASK_ERROR_NONE)
        give_up(all);
    else if (all->fetching == 0)
        finish(all);
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
        .reply_max = all->size_max,
        .total_timeout_ms = timeout_ms < FETCH_TIMEOUT_MS ? timeout_ms : FETCH_TIMEOUT_MS,
        .sink = sink,
        .done = fetched,
        .context = file,
    };
    file->fd = open(file->path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (file->fd < 0) {
        fail(all, TASK_ERROR_UNAVAILABLE, true, strerror(errno), "%s: the file could not be stored.", file->param);
        return;
    }
    enum err err = fetch_start(all->run->engine->fetcher, &request, &file->fetch, &fault);
    if (err == OK)
        all->fetching++;
    else
        fail(all, TASK_ERROR_INVALID_PARAMETERS, err_info(err)->retryable, fault.message,
             "%s: the file could not be fetched.", file->param);
}

/* ---- what there is to bring ---- */

static struct json_t *note_file(const char *path, const struct param *param, const char *value, void *context) {
    struct input_files *all = context;
    if (all->count == FILES_MAX) {
        all->too_many = true;
        return NULL;
    }
    struct input_file *file = &all->files[all->count++];
    *file = (struct input_file){ .all = all, .fd = -1 };
    file->param = mem_string(path);
    file->accept = mem_string(param->accept);
    file->value = mem_string(value);
    char target[4096];
    snprintf(target, sizeof(target), "%s/input-%u.part", all->run->work_directory, all->count);
    file->path = mem_string(target);
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
static bool is_claimed(const struct run *run, const char *hash) {
    struct claim claim = { .hash = hash };
    struct task_id id;
    memcpy(id.string, run->task->key.id, sizeof(id.string));
    return store_list_artifacts(run->engine->store, run->task->key.account, &id, compare_claim, &claim) == OK &&
           claim.found;
}

static void classify(struct input_file *file) {
    struct input_files *all = file->all;
    struct engine *engine = all->run->engine;
    struct text value = text_of(file->value), prefix = TEXT(INPUT_BLOB_PREFIX);
    struct link link;

    if (text_starts(value, prefix)) {
        struct text rest = { value.ptr + prefix.len, value.len - prefix.len };
        struct text hash = text_cut(&rest, '/');
        snprintf(file->hash, sizeof(file->hash), "%.*s", TEXT_ARG(hash));
        if (hash.len != SHA256_HEX_SIZE - 1 || !is_claimed(all->run, file->hash))
            fail(all, TASK_ERROR_RESOURCE_NOT_FOUND, false, NULL, "%s: the file is not there.", file->param);
        return;
    }
    enum err err = link_check_url(value, store_secret(engine->store), clock_wall_ms() / 1000, &link);
    if (err == OK)
        memcpy(file->hash, link.hash, sizeof(file->hash));
    else if (err == ERR_RESULT_EXPIRED)
        fail(all, TASK_ERROR_RESOURCE_NOT_FOUND, false, NULL, "%s: the link has expired.", file->param);
}

void inputs_start(struct run *run, void (*ready)(struct run *run)) {
    struct input_files *all = mem_new(sizeof(*all));
    run->files = all;
    all->run = run;
    all->ready = ready;
    all->size_max = run->generation->setup->config->input_max;
    model_each_media(run->attempt.model, run->input, note_file, all);
    if (all->count == 0) {
        ready(run);
        return;
    }
    if (all->too_many)
        fail(all, TASK_ERROR_INVALID_PARAMETERS, false, NULL, "More than %d files are given.", FILES_MAX);
    for (unsigned i = 0; i < all->count && all->failure.error == TASK_ERROR_NONE; i++)
        classify(&all->files[i]);
    for (unsigned i = 0; i < all->count && all->failure.error == TASK_ERROR_NONE; i++)
        if (all->files[i].hash[0] == '\0')
            start_fetch(&all->files[i]);
    if (all->failure.error != TASK_ERROR_NONE)
        give_up(all);
    else if (all->fetching == 0)
        finish(all);
}

void inputs_cancel(struct run *run) {
    struct input_files *all = run->files;
    if (all != NULL && !all->working) /* else the pool's turn is short, and looks at `halt` afterwards */
        give_up(all);
}

void inputs_free(struct run *run) {
    struct input_files *all = run->files;
    if (all == NULL)
        return;
    assert(!all->working && all->fetching == 0);
    for (unsigned i = 0; i < all->count; i++) {
        free(all->files[i].param);
        free(all->files[i].accept);
        free(all->files[i].value);
        free(all->files[i].path);
    }
    free(all);
    run->files = NULL;
}
