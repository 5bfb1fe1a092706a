/* Uploads, on the engine's thread:
 *
 *   fetch (of a URL) ─> blob finished, on the pool, since that syncs ─> space and row in one transaction ─> done
 *
 * The blob is pinned from the moment it is there until the row is, so that the sweeper cannot take it; one that gets no row,
 * and those of the files that went, are looked at in the sweeper's next turn. */
#include "engine/file/upload.h"

#include <assert.h>
#include <stdarg.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "blob/link.h"
#include "blob/media_type.h"
#include "engine/file/sweep.h"
#include "engine/state.h"
#include "net/courier.h"
#include "net/fetch.h"
#include "store/tx.h"

#define FETCH_TIMEOUT_MS ((int64_t)600000)
#define ID_TRIES 3
#define URL_FIELD "url"

/* ---- the end ---- */

static void let_go(struct upload *upload, bool stored) {
    struct engine *engine = upload->engine;
    blob_abort(upload->writer);
    upload->writer = NULL;
    if (upload->pinned)
        sweep_let_go(engine, &upload->blob, stored);
    for (unsigned i = 0; stored && i < upload->evicted_count; i++)
        sweep_suspect(engine, upload->evicted[i]);
    free(upload->evicted);
    upload->evicted = NULL;
}

static void end(struct upload *upload, enum err err) {
    LIST_REMOVE(upload, link);
    let_go(upload, err == OK);
    if (err == OK)
        log_event(LOG_DEBUG, "file stored", LOG_S("file", upload->file.id.string), LOG_I("size", upload->file.size),
                  LOG_I("evicted", upload->evicted_count));
    upload->done(upload, err); /* may free it */
}

/* ---- the row ---- */

static void note_evicted(const struct file_row *file, void *context) {
    struct upload *upload = context;
    upload->evicted = mem_grow(upload->evicted, (upload->evicted_count + 1) * sizeof(*upload->evicted));
    memcpy(upload->evicted[upload->evicted_count++], file->hash, SHA256_HEX_SIZE);
}

static void write_file(struct store_tx *tx, struct commit *commit) {
    struct upload *upload = container_of(commit, struct upload, commit);
    upload->evicted_count = 0;
    store_tx_add_file(tx, &upload->file, upload->space_max, upload->evicts, note_evicted, upload);
}

static void post_row(struct upload *upload);

static void written(struct engine *engine, struct commit *commit, enum err err) {
    struct upload *upload = container_of(commit, struct upload, commit);
    (void)engine;
    if (err == ERR_EXISTS && upload->id_tries++ < ID_TRIES) {
        post_row(upload);
        return;
    }
    if (err == ERR_STORAGE_FULL)
        fault_set(&upload->fault, err, "The account's storage is full; delete files, or let auto_cleanup be true.");
    else if (err == ERR_FILE_TOO_LARGE)
        fault_set(&upload->fault, err, "The file is larger than all of the account's storage, which is %lld bytes.",
                  (long long)upload->space_max);
    else if (err != OK)
        fault_set(&upload->fault, err, "The file could not be stored; try again.");
    end(upload, err);
}

static void post_row(struct upload *upload) {
    int64_t now_ms = clock_wall_ms();
    if (upload->name[0] == '\0')
        snprintf(upload->name, sizeof(upload->name), "file.%s", media_type_extension(upload->blob.media_type));
    upload->file = (struct file_row){
        .account = upload->account,
        .size = upload->blob.size,
        .created_ms = now_ms,
        .expires_ms = link_ends_s(now_ms, upload->ttl_s) * 1000,
        .media_type = text_of(media_type_named(upload->blob.media_type, text_of(upload->name))),
        .name = text_of(upload->name),
    };
    file_id_new(&upload->file.id, now_ms / 1000);
    memcpy(upload->file.hash, upload->blob.hash, sizeof(upload->file.hash));
    upload->commit = (struct commit){ .run = write_file, .then = written };
    commit_post(upload->engine, &upload->commit);
}

/* ---- the blob ---- */

static void finish_blob(uv_work_t *work) {
    struct upload *upload = container_of(work, struct upload, work);
    struct blob_writer *writer = upload->writer;
    upload->writer = NULL;
    upload->pinned = blob_finish(writer, &upload->blob, &upload->fault) == OK;
}

static void finished(uv_work_t *work, int status) {
    struct upload *upload = container_of(work, struct upload, work);
    struct engine *engine = upload->engine;
    (void)status;
    if (upload->pinned)
        post_row(upload);
    else
        end(upload, upload->fault.err);
    engine->busy--;
    engine_check_stop(engine);
}

static void start_pool(struct upload *upload) {
    int failure = uv_queue_work(&upload->engine->loop, &upload->work, finish_blob, finished);
    assert(failure == 0);
    (void)failure;
    upload->engine->busy++;
}

/* ---- the fetch ---- */

static void fail_url(struct upload *upload, enum err err, const char *format, ...) {
    char words[256];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(words, sizeof(words), format, arguments);
    va_end(arguments);
    end(upload, fault_set_param(&upload->fault, err, URL_FIELD, "%s", words));
}

/* On the courier's thread. */
static enum err take_bytes(void *context, const void *bytes, size_t count) {
    struct upload *upload = context;
    return blob_write(upload->writer, bytes, count);
}

/* The last part of the path, as far as it is no code. */
static void name_by_url(struct upload *upload, const char *url) {
    struct text rest = text_of(url);
    const char *scheme = strstr(url, "://");
    rest = scheme != NULL ? text_of(scheme + 3) : rest;
    text_cut(&rest, '/');
    rest.len = text_find(rest, '?');
    rest.len = text_find(rest, '#');
    if (upload->name[0] == '\0' && text_find(rest, '%') == rest.len)
        file_name_clean(rest, upload->name);
}

static void take_result(struct upload *upload, const struct fetch_result *result) {
    switch (result->err) {
    case OK:
        break;
    case ERR_BLOCKED_ADDRESS:
        fail_url(upload, ERR_INVALID_URL, "The URL leads to an address that is not allowed.");
        return;
    case ERR_FILE_TOO_LARGE:
        fail_url(upload, result->err, "The file is larger than %lld bytes.", (long long)upload->size_max);
        return;
    case ERR_TIMEOUT:
        fail_url(upload, ERR_INVALID_URL, "The file did not come in time.");
        return;
    case ERR_NO_SPACE:
    case ERR_READ_ONLY:
    case ERR_IO:
    case ERR_NO_MEMORY:
        end(upload, fault_set(&upload->fault, result->err, "The file could not be stored; try again."));
        return;
    default:
        fail_url(upload, ERR_INVALID_URL, "The file could not be fetched.");
        return;
    }
    if (result->http_status < 200 || result->http_status > 299) {
        fail_url(upload, ERR_INVALID_URL, "The file could not be fetched: its server answered with status %d.",
                 result->http_status);
    } else if (result->size == 0) {
        fail_url(upload, ERR_INVALID_URL, "The file is empty.");
    } else {
        name_by_url(upload, result->url);
        start_pool(upload);
    }
}

static void fetched(void *context, const struct fetch_result *result) {
    struct upload *upload = context;
    struct engine *engine = upload->engine;
    upload->errand = NULL;
    if (result != NULL)
        take_result(upload, result);
    else
        end(upload, upload->fault.err); /* stop_fetch has said why */
    engine->busy--;
    engine_check_stop(engine);
}

static void start_fetch(struct upload *upload) {
    struct engine *engine = upload->engine;
    const struct fetch_request request = {
        .trust = FETCH_OUTSIDE,
        .url = upload->url,
        .redirects_max = FETCH_REDIRECTS_MAX,
        .repeatable = true,
        .reply_max = upload->size_max,
        .total_timeout_ms = FETCH_TIMEOUT_MS,
        .sink = take_bytes,
        .done = fetched,
        .context = upload,
    };
    enum err err = blob_writer_new(engine->blobs, upload->size_max, &upload->writer, &upload->fault);
    if (err == OK)
        err = courier_send(engine->courier, &request, &upload->errand, &upload->fault);
    if (err == OK) {
        engine->busy++;
    } else if (err == ERR_OVERLOADED) {
        end(upload, fault_set(&upload->fault, err, "Too many files are fetched at one time; try again."));
    } else {
        snprintf(upload->fault.param, sizeof(upload->fault.param), "%s", URL_FIELD);
        end(upload, err);
    }
}

static void stop_fetch(struct upload *upload, enum err err, const char *words) {
    fault_set(&upload->fault, err, "%s", words);
    errand_stop(upload->errand);
}

void uploads_stop(struct engine *engine) {
    struct upload *upload = LIST_FIRST(&engine->uploads);
    while (upload != NULL) {
        struct upload *next = LIST_NEXT(upload, link);
        if (upload->errand != NULL)
            stop_fetch(upload, ERR_SHUTTING_DOWN, "The server is shutting down; try again.");
        upload = next;
    }
}

/* ---- the beginning ---- */

static void start(void *owner, struct message *message) {
    struct engine *engine = owner;
    struct upload *upload = container_of(message, struct upload, message);
    LIST_INSERT_HEAD(&engine->uploads, upload, link);
    if (engine->stopping)
        end(upload, fault_set(&upload->fault, ERR_SHUTTING_DOWN, "The server is shutting down; try again."));
    else if (upload->pinned)
        post_row(upload);
    else if (upload->url.ptr == NULL)
        start_pool(upload);
    else if (atomic_load(&upload->gone))
        end(upload, fault_set(&upload->fault, ERR_INVALID_URL, "The client has gone."));
    else
        start_fetch(upload);
}

void engine_upload(struct engine *engine, struct upload *upload) {
    static atomic_uint_fast64_t last_serial;
    upload->engine = engine;
    atomic_store(&upload->serial, atomic_fetch_add(&last_serial, 1) + 1);
    upload->message.deliver = start;
    if (inbox_post(&engine->inbox, &upload->message))
        return;
    let_go(upload, false);
    upload->done(upload, fault_set(&upload->fault, ERR_SHUTTING_DOWN, "The server is shutting down; try again."));
}

struct going {
    struct message message;
    uint64_t serial;
};

/* The upload may have ended by now, and its struct be another's. */
static void stop_of_client(void *owner, struct message *message) {
    struct engine *engine = owner;
    struct going *going = container_of(message, struct going, message);
    struct upload *upload = NULL;
    LIST_FOREACH(upload, &engine->uploads, link)
        if (atomic_load(&upload->serial) == going->serial)
            break;
    free(going);
    if (upload != NULL && upload->errand != NULL)
        stop_fetch(upload, ERR_INVALID_URL, "The client has gone.");
}

void engine_upload_gone(struct engine *engine, struct upload *upload) {
    struct going *going = mem_new(sizeof(*going));
    atomic_store(&upload->gone, true); /* for when it has not started */
    going->serial = atomic_load(&upload->serial);
    going->message.deliver = stop_of_client;
    if (!inbox_post(&engine->inbox, &going->message))
        free(going);
}

void engine_release_blob(struct engine *engine, const char *hash) {
    sweep_suspect(engine, hash);
}
