/* The way of an upload from its endpoint through the engine to its answer. */
#include "api/file/file.h"

#include <stdlib.h>

#include "api/file/upload_places.h"
#include "base/json.h"
#include "base/memory.h"
#include "blob/link.h"

#define ANSWER_MAX 16384

static void release_work(void *pointer) {
    struct file_work *work = pointer;
    if (work->form != NULL)
        work->free_form(work->form);
    blob_abort(work->upload.writer);
    upload_places_give(api_of(work->exchange)->upload_places, work->upload.account);
    free(work->url);
    free(work);
}

enum err file_begin(struct exchange *exchange, struct file_work **ret, struct fault *fault) {
    struct call *call = call_of(exchange);
    const struct config *config = call->setup->config;

    enum err err = upload_places_take(call->api->upload_places, call->account.id);
    if (err == ERR_TOO_MANY_UPLOADS)
        return fault_set(fault, err, "The account uploads %d files already; wait for one of them.",
                         UPLOADS_OF_ACCOUNT_MAX);
    if (err != OK)
        return fault_set(fault, err, "Too many files are being uploaded; try again.");
    struct file_work *work = mem_new(sizeof *work);
    work->exchange = exchange;
    work->upload.account = call->account.id;
    work->upload.size_max = config->file_max;
    work->upload.space_max = config_group(config, text_of(call->account.group))->storage;
    work->upload.ttl_s = config->file_ttl_s;
    work->upload.evicts = true;
    call->work = work;
    call->release_work = release_work;
    *ret = work;
    return OK;
}

enum err file_take_name(struct file_work *work, struct text name, struct fault *fault) {
    if (name.len >= FILE_NAME_SIZE)
        return fault_set_param(fault, ERR_TOO_LONG, "file_name", "The field file_name has more than %d bytes.",
                               FILE_NAME_SIZE - 1);
    if (!text_is_utf8(name))
        return fault_set_param(fault, ERR_INVALID_PARAM, "file_name", "The field file_name is not UTF-8.");
    file_name_clean(name, work->upload.name);
    return OK;
}

/* ---- the answer ---- */

void file_put(struct json_writer *json, struct exchange *exchange, struct text base, const struct file_row *file,
              bool more) {
    struct buffer url;

    buffer_init(&url, 8192);
    buffer_put(&url, base);
    file_link_put(&url, store_secret(api_of(exchange)->store), file->account, &file->id, file->name,
                  file->expires_ms / 1000);
    json_object_begin(json);
    json_key(json, "id");
    json_text(json, file_id_text(&file->id));
    json_key(json, "filename");
    json_text(json, file->name);
    json_key(json, "url");
    json_text(json, buffer_text(&url));
    json_key(json, "size");
    json_i64(json, file->size);
    json_key(json, "created");
    json_i64(json, file->created_ms / 1000);
    if (more) {
        json_key(json, "content_type");
        json_text(json, file->media_type);
        json_key(json, "expires");
        json_i64(json, file->expires_ms / 1000);
    }
    json_object_end(json);
    buffer_fini(&url);
}

/* HTTP thread again. */
static void answer(struct exchange *exchange) {
    struct file_work *work = call_of(exchange)->work;
    struct json_writer json;
    struct buffer body;
    struct text base;

    enum err err = work->err;
    if (err == OK)
        err = request_base(exchange, call_of(exchange)->setup->config, &base, &work->upload.fault);
    if (err != OK) {
        refuse(exchange, &work->upload.fault);
        return;
    }
    buffer_init(&body, ANSWER_MAX);
    json_begin(&json, &body);
    file_put(&json, exchange, base, &work->upload.file, false);
    reply_json(exchange, &body);
}

/* Engine's thread. */
static void done(struct upload *upload, enum err err) {
    struct file_work *work = upload->context;
    work->err = err;
    http_resume(work->exchange);
}

/* Listener's thread. */
static void client_gone(struct exchange *exchange) {
    struct file_work *work = call_of(exchange)->work;
    engine_upload_gone(api_of(exchange)->engine, &work->upload);
}

void file_store(struct file_work *work) {
    work->upload.done = done;
    work->upload.context = work;
    if (work->upload.url.ptr != NULL)
        exchange_watch(work->exchange, client_gone);
    exchange_suspend(work->exchange, answer);
    engine_upload(api_of(work->exchange)->engine, &work->upload);
}

enum err file_id_of(struct exchange *exchange, struct file_id *ret, struct fault *fault) {
    if (file_id_parse(exchange_segment(exchange, TEXT("file_id")), ret))
        return OK;
    return fault_set(fault, ERR_FILE_NOT_FOUND, "There is no file with this id.");
}
