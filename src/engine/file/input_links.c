/* Input values for services elsewhere. What is to be stored here first is fetched into blobs, which the task claims in a
 * store job before anybody gets a link to them. */
#include <stdlib.h>
#include <unistd.h>

#include <jansson.h>

#include "base/clock.h"
#include "base/crypto.h"
#include "base/inline_file.h"
#include "base/memory.h"
#include "blob/media_type.h"
#include "catalog/catalog.h"
#include "config/config.h"
#include "engine/attempt/run.h"
#include "engine/commit.h"
#include "engine/file/inputs_inside.h"
#include "engine/file/sweep.h"
#include "engine/route/generation.h"
#include "engine/state.h"
#include "store/tx.h"

#define LINK_SIZE_MAX 4096
#define POSITIONS_AN_ATTEMPT 1000 /* of claims; those of the request itself come before the first attempt's */

static const struct config *config_of(const struct input_files *all) {
    return all->run->generation->setup->config;
}

static bool makes_links(const struct input_files *all) {
    return (all->form == INPUT_LINKS || all->form == INPUT_EITHER) && config_of(all)->public_url != NULL;
}

/* ---- fetching into blobs ---- */

static bool open_blob(struct input_file *file) {
    struct fault fault = { 0 };
    enum err err = blob_writer_new(file->all->run->engine->blobs, file->all->size_max, &file->writer, &fault);
    if (err != OK)
        input_fail(file->all, TASK_ERROR_UNAVAILABLE, true, fault.message, "%s: the file could not be stored.",
                   file->param);
    return err == OK;
}

static enum err write_blob(struct input_file *file, const void *bytes, size_t count) {
    return blob_write(file->writer, bytes, count);
}

/* A whole one is finished on the pool, since that syncs. */
static void close_blob(struct input_file *file, bool whole) {
    if (!whole && file->writer != NULL) {
        blob_abort(file->writer);
        file->writer = NULL;
    }
}

static void finish_blob(struct input_file *file) {
    struct fault fault = { 0 };
    struct blob_writer *writer = file->writer;
    file->writer = NULL;
    enum err err = blob_finish(writer, &file->blob, &fault);
    if (err != OK) {
        input_fail(file->all, TASK_ERROR_UNAVAILABLE, true, fault.message, "%s: the file could not be stored.",
                   file->param);
        return;
    }
    file->pinned = true;
    memcpy(file->link.hash, file->blob.hash, sizeof(file->link.hash));
    snprintf(file->link.name, sizeof(file->link.name), "input-%u.%s", (unsigned)(file - file->all->files) + 1,
             media_type_extension(file->blob.media_type));
}

/* ---- values ---- */

/* The same for each attempt at the same task: a service may compare a repeated submission with the first. */
static void make_link(struct input_file *file) {
    struct run *run = file->all->run;
    struct buffer link;
    buffer_init(&link, LINK_SIZE_MAX);
    buffer_put(&link, text_of(config_of(file->all)->public_url));
    if (file->origin == INPUT_OWN)
        buffer_put(&link, text_of(strstr(file->value, LINK_PATH_PREFIX)));
    else
        link_put(&link, store_secret(run->engine->store), file->link.hash, text_of(file->link.name),
                 (run->task->created_ms + INPUT_LIFE_MS) / 1000);
    if (buffer_ok(&link))
        file->replacement = json_stringn(link.data, link.len);
    buffer_fini(&link);
}

static bool read_all(int fd, uint8_t *ret, size_t size) {
    for (size_t got = 0; got < size;) {
        ssize_t count = pread(fd, ret + got, size - got, (off_t)got);
        if (count <= 0)
            return false;
        got += (size_t)count;
    }
    return true;
}

static void make_data_uri(struct input_file *file, int fd, int64_t size) {
    struct input_files *all = file->all;
    if (size > all->inline_left) {
        input_fail(all, TASK_ERROR_INVALID_PARAMETERS, false, NULL,
                   "%s: the files are larger than the %lld bytes that the service takes inside a request.", file->param,
                   (long long)INLINE_FILES_MAX);
        return;
    }
    all->inline_left -= size;
    scoped(mem_free_pointer) uint8_t *bytes = malloc((size_t)size + 1);
    size_t encoded = base64_encoded_size((size_t)size), room = encoded + 128;
    scoped(mem_free_pointer) char *uri = malloc(room);
    if (bytes == NULL || uri == NULL || !read_all(fd, bytes, (size_t)size)) {
        input_fail(all, TASK_ERROR_UNAVAILABLE, true, NULL, "%s: the file could not be read.", file->param);
        return;
    }
    int head = snprintf(uri, room, "data:%s;base64,", file->media_type);
    base64_encode(bytes, (size_t)size, uri + head);
    file->replacement = json_stringn(uri, (size_t)head + encoded - 1);
}

static void make_value(struct input_file *file) {
    struct input_files *all = file->all;
    int fd = -1;
    int64_t size = 0;
    enum err err = blob_open_fd(all->run->engine->blobs, text_of(file->link.hash), &fd, &size);
    if (err != OK) {
        input_fail_open(file, err);
        return;
    }
    input_inspect(file, fd);
    if (!input_failed(all) && makes_links(all))
        make_link(file);
    else if (!input_failed(all))
        make_data_uri(file, fd, size);
    close(fd);
    if (!input_failed(all) && file->replacement == NULL)
        input_fail(all, TASK_ERROR_UNAVAILABLE, true, "no memory", "%s: the file could not be read.", file->param);
}

static void make_values(struct input_files *all) {
    for (unsigned i = 0; i < all->count && !input_failed(all); i++) {
        if (all->files[i].writer != NULL)
            finish_blob(&all->files[i]);
        if (all->files[i].wanted && !input_failed(all))
            make_value(&all->files[i]);
    }
}

static json_t *replace_value(const char *path, const struct param *param, const char *value, void *context) {
    struct input_files *all = context;
    (void)path;
    (void)param;
    (void)value;
    struct input_file *file = &all->files[all->replaced++];
    json_t *replacement = file->replacement;
    file->replacement = NULL; /* the input's now, and gone with it once the service has the job */
    return replacement;
}

static void use_values(struct input_files *all) {
    model_each_media(all->run->attempt.model, all->run->input, replace_value, all);
    all->run->input_is_small = false; /* a file may be in it now; and results are made of what was asked for */
    all->ready(all->run);
}

/* ---- claims on what was fetched ---- */

struct claiming {
    struct commit commit;
    struct input_files *all;
};

/* They take the space that accept.c holds the inputs of a submission to. */
static void write_claims(struct store_tx *tx, struct commit *commit) {
    const struct claiming *claiming = container_of(commit, struct claiming, commit);
    const struct input_files *all = claiming->all;
    const struct live_task *task = all->run->task;
    for (unsigned i = 0; i < all->count; i++) {
        const struct input_file *file = &all->files[i];
        if (!file->pinned)
            continue;
        struct artifact_row row = {
            .account = task->key.account,
            .role = ARTIFACT_INPUT,
            .position = all->run->attempt.number * POSITIONS_AN_ATTEMPT + (int)i,
            .size = file->blob.size,
            .expires_ms = task->created_ms + INPUT_LIFE_MS,
            .media_type = text_of(file->blob.media_type),
            .name = text_of(file->link.name),
        };
        memcpy(row.task.string, task->key.id, sizeof(row.task.string));
        memcpy(row.hash, file->blob.hash, sizeof(row.hash));
        store_tx_remove_artifact(tx, &row); /* of the same attempt in an earlier life */
        store_tx_add_artifact(tx, &row);
    }
    store_tx_check_input_space(tx, task->key.account, config_group(config_of(all), live_group(task))->storage);
}

static void claims_written(struct engine *engine, struct commit *commit, enum err err) {
    struct claiming *claiming = container_of(commit, struct claiming, commit);
    struct input_files *all = claiming->all;
    (void)engine;
    free(claiming);
    all->working = false;
    all->claimed = err == OK;
    if (err == ERR_STORAGE_FULL)
        input_fail(all, TASK_ERROR_RESOURCE_EXHAUSTED, false, err_info(err)->name, INPUTS_FULL_WORDS);
    else if (err != OK)
        input_fail(all, TASK_ERROR_UNAVAILABLE, true, err_info(err)->name, "The input files could not be stored.");
    if (input_failed(all) || all->run->halt != RUN_GOES_ON)
        inputs_give_up(all);
    else
        use_values(all);
}

static void claim_files(struct input_files *all) {
    bool any = false;
    for (unsigned i = 0; i < all->count; i++)
        any = any || all->files[i].pinned;
    if (!any) {
        use_values(all);
        return;
    }
    struct claiming *claiming = mem_new(sizeof(*claiming));
    claiming->all = all;
    claiming->commit.run = write_claims;
    claiming->commit.then = claims_written;
    all->working = true;
    commit_post(all->run->engine, &claiming->commit);
}

static void drop_file(struct input_file *file) {
    struct engine *engine = file->all->run->engine;
    close_blob(file, false);
    json_decref(file->replacement);
    if (file->pinned)
        sweep_let_go(engine, &file->blob, file->all->claimed);
}

/* ---- the beginning ---- */

static bool is_wanted(const struct input_file *file) {
    return file->wanted;
}

/* Whether the provider is to see none but our own links. */
static bool rehosts(const struct run *run) {
    const char *name = run->attempt.provider;
    if (name == NULL && run->attempt.route != NULL)
        name = run->attempt.route->provider;
    const struct provider_config *provider =
        name != NULL ? config_provider(run->generation->setup->config, text_of(name)) : NULL;
    return provider != NULL && provider->rehost;
}

/* What came inside the request was taken in the belief that a route could hand it on. */
static void refuse_stored(const struct input_file *file) {
    input_fail(file->all, TASK_ERROR_INVALID_PARAMETERS, false, "the setting public_url is missing",
               "%s: this server has no public URL to hand the file to the service by; give a link to it instead.",
               file->param);
}

static void link_files(struct run *run, void (*ready)(struct run *run), enum input_form form) {
    static const struct input_way to_values = { open_blob, write_blob, close_blob, make_values, claim_files, drop_file };
    struct input_files *all = inputs_list(run, ready, &to_values);
    bool rehost = rehosts(run), any = false;
    all->form = form;
    all->inline_left = INLINE_FILES_MAX;
    for (unsigned i = 0; i < all->count && !input_failed(all); i++) {
        struct input_file *file = &all->files[i];
        file->wanted = file->origin != INPUT_OUTSIDE || rehost;
        any = any || file->wanted;
        if (file->origin == INPUT_STORED && form == INPUT_LINKS && !makes_links(all))
            refuse_stored(file);
    }
    if (input_failed(all)) {
        inputs_give_up(all);
    } else if (!any) {
        inputs_free(run); /* most tasks have no files, and wait for long */
        ready(run);
    } else {
        inputs_bring(all, is_wanted);
    }
}

void inputs_link(struct run *run, void (*ready)(struct run *run)) {
    struct fault fault = { 0 };
    run->attempt.input = run->input;
    enum input_form form = run->ops->input_form(run->driver, &run->attempt);
    if (form != INPUT_FILES)
        link_files(run, ready, form);
    else if (run_need_directory(run, &fault) == OK)
        inputs_start(run, ready);
    else
        run_fail(run, TASK_ERROR_UNAVAILABLE, true, NULL, fault.message);
}
