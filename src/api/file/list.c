/* GET /v1/files, GET and DELETE /v1/files/{file_id}: an account's files. */
#include <stdlib.h>

#include "api/file/file.h"
#include "api/list.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/memory.h"
#include "blob/blob.h"
#include "store/tx.h"

#define LIMIT_DEFAULT 20
#define LIMIT_MAX 100
#define FILE_ANSWER_MAX ((size_t)4096)

/* ---- the list ---- */

struct listing {
    struct exchange *exchange;
    struct text base;
    struct json_writer json;
    unsigned left;
    bool more;
    struct file_id last;
};

static enum err read_after(struct exchange *exchange, struct file_id *ret, bool *ret_given, struct fault *fault) {
    struct text value;
    *ret_given = exchange_query(exchange, TEXT("after"), &value);
    return !*ret_given || file_id_parse(value, ret) ? OK : list_bad_after(fault);
}

static bool put_one(const struct file_row *file, void *context) {
    struct listing *listing = context;
    if (listing->left == 0) {
        listing->more = true;
        return false;
    }
    listing->left--;
    listing->last = file->id;
    file_put(&listing->json, listing->exchange, listing->base, file, true);
    return true;
}

static enum err list(struct exchange *exchange, struct buffer *body, struct fault *fault) {
    const struct call *call = call_of(exchange);
    struct listing listing = { .exchange = exchange, .left = LIMIT_DEFAULT };
    struct file_id after;
    bool given = false;

    enum err err = list_read_limit(exchange, LIMIT_MAX, &listing.left, fault);
    if (err == OK)
        err = read_after(exchange, &after, &given, fault);
    if (err == OK)
        err = request_base(exchange, call->setup->config, &listing.base, fault);
    if (err != OK)
        return err;
    const struct file_filter filter = {
        .account = call->account.id,
        .after = given ? &after : NULL,
        .now_ms = clock_wall_ms(),
        .limit = listing.left + 1,
    };
    json_begin(&listing.json, body);
    list_begin(&listing.json);
    err = store_list_files(call->api->store, &filter, put_one, &listing);
    list_end(&listing.json, listing.more ? listing.last.string : NULL);
    return err == OK ? OK : fault_set(fault, err, "The files cannot be read.");
}

void handle_file_list(struct exchange *exchange) {
    struct fault fault = { .err = OK };
    struct buffer body;

    buffer_init(&body, (LIMIT_MAX + 1) * FILE_ANSWER_MAX);
    if (list(exchange, &body, &fault) == OK) {
        reply_json(exchange, &body);
        return;
    }
    buffer_fini(&body);
    refuse(exchange, &fault);
}

/* ---- one ---- */

/* One that has expired is there no more, swept or not. */
static enum err find(struct exchange *exchange, struct file_row *ret, struct fault *fault) {
    const struct call *call = call_of(exchange);
    struct file_id id;

    enum err err = file_id_of(exchange, &id, fault);
    if (err != OK)
        return err;
    err = store_find_file(call->api->store, call->account.id, &id, exchange_arena(exchange), ret);
    if (err == ERR_NOT_FOUND || (err == OK && ret->expires_ms <= clock_wall_ms()))
        return fault_set(fault, ERR_FILE_NOT_FOUND, "There is no file with this id.");
    return err == OK ? OK : fault_set(fault, err, "The file cannot be read.");
}

void handle_file(struct exchange *exchange) {
    struct fault fault = { .err = OK };
    struct json_writer json;
    struct file_row row;
    struct buffer body;
    struct text base;

    enum err err = find(exchange, &row, &fault);
    if (err == OK)
        err = request_base(exchange, call_of(exchange)->setup->config, &base, &fault);
    if (err != OK) {
        refuse(exchange, &fault);
        return;
    }
    buffer_init(&body, FILE_ANSWER_MAX);
    json_begin(&json, &body);
    file_put(&json, exchange, base, &row, true);
    reply_json(exchange, &body);
}

/* ---- deleting one ---- */

struct deletion {
    struct store_job job;
    struct exchange *exchange;
    struct file_id id;
    int64_t account;
    bool found;
    struct file_row row;
    enum err err;
};

static void remove_file(struct store_tx *tx, struct store_job *job) {
    struct deletion *deletion = container_of(job, struct deletion, job);
    deletion->found = store_tx_remove_file(tx, deletion->account, &deletion->id, &deletion->row);
}

/* Writer's thread. */
static void removed(struct store_job *job, enum err err) {
    struct deletion *deletion = container_of(job, struct deletion, job);
    deletion->err = err;
    if (err == OK && deletion->found)
        engine_release_blob(api_of(deletion->exchange)->engine, deletion->row.hash);
    http_resume(deletion->exchange);
}

/* HTTP thread again. */
static void answer_deletion(struct exchange *exchange) {
    const struct deletion *deletion = call_of(exchange)->work;
    struct fault fault = { .err = OK };
    struct buffer body;

    if (deletion->err != OK) {
        fault_set(&fault, deletion->err, "The file cannot be deleted now; try again.");
        refuse(exchange, &fault);
        return;
    }
    if (!deletion->found || deletion->row.expires_ms <= clock_wall_ms()) {
        fault_set(&fault, ERR_FILE_NOT_FOUND, "There is no file with this id.");
        refuse(exchange, &fault);
        return;
    }
    buffer_init(&body, FILE_ANSWER_MAX);
    buffer_printf(&body, "{\"id\":\"%s\",\"object\":\"file\",\"deleted\":true}", deletion->id.string);
    reply_json(exchange, &body);
}

void handle_file_delete(struct exchange *exchange) {
    struct call *call = call_of(exchange);
    struct fault fault = { .err = OK };
    struct file_id id;

    if (file_id_of(exchange, &id, &fault) != OK) {
        refuse(exchange, &fault);
        return;
    }
    struct deletion *deletion = mem_new(sizeof *deletion);
    call->work = deletion;
    call->release_work = free;
    deletion->exchange = exchange;
    deletion->id = id;
    deletion->account = call->account.id;
    deletion->job = (struct store_job){ .run = remove_file, .done = removed };
    exchange_suspend(exchange, answer_deletion);
    enum err err = store_post(call->api->store, &deletion->job);
    if (err != OK)
        removed(&deletion->job, err);
}
