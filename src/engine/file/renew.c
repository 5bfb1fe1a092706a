/* engine_renew: the files of a result are kept longer, and its links say so.
 *
 * Read, rewritten, and written only if nothing has changed meanwhile: the files' expiry is what shows a change. The row
 * that says when a file may go is moved in the same transaction as the links, and the sweeper removes no row that was
 * moved: so a file is renewed and there, or it had expired before. */
#include <unistd.h>

#include "base/clock.h"
#include "blob/link.h"
#include "engine/state.h"
#include "store/tx.h"

#define ROW_MAX ((size_t)96 << 20)
#define TRIES 5

/* ---- the links in stored results ---- */

/* The new link in the place of the one that begins the text, which is cut off it. */
static enum err renew_link(const struct renewal *renewal, int64_t now_s, struct text *rest, struct buffer *buf) {
    const uint8_t *secret = store_secret(renewal->engine->store);
    size_t end = text_find(*rest, '"');
    struct text query = { rest->ptr, end };
    struct text path = text_cut(&query, '?');
    struct link link;
    enum err err = link_check(path, query, secret, now_s, &link);
    if (err == OK)
        link_put(buf, secret, link.hash, text_of(link.name), renewal->expires_ms / 1000);
    *rest = (struct text){ rest->ptr + end, rest->len - end };
    return err;
}

static enum err renew_links(struct renewal *renewal, int64_t now_s, struct buffer *buf) {
    struct text rest = renewal->row.results;
    enum err err = OK;
    for (size_t at = text_find(rest, ANSWER_BASE); err == OK && at < rest.len; at = text_find(rest, ANSWER_BASE)) {
        buffer_put(buf, (struct text){ rest.ptr, at + 1 });
        rest = (struct text){ rest.ptr + at + 1, rest.len - at - 1 };
        err = renew_link(renewal, now_s, &rest, buf);
    }
    buffer_put(buf, rest);
    return err == OK && !buffer_ok(buf) ? ERR_NO_MEMORY : err;
}

static bool has_files(const struct renewal *renewal) {
    return text_find(renewal->row.results, ANSWER_BASE) < renewal->row.results.len;
}

/* ---- what there is ---- */

static bool look_at(const struct artifact_row *row, void *context) {
    struct renewal *renewal = context;
    int64_t size;
    int fd;
    if (row->role != ARTIFACT_OUTPUT)
        return true;
    if (renewal->count++ == 0)
        renewal->expired_ms = row->expires_ms;
    enum err err = row->expires_ms != renewal->expired_ms
                       ? ERR_NOT_FOUND
                       : blob_open_fd(renewal->engine->blobs, text_of(row->hash), &fd, &size);
    if (err == OK)
        close(fd);
    else if (err == ERR_NOT_FOUND)
        renewal->gone = true;
    else
        renewal->look = err;
    return true;
}

/* All files of a task expire together. */
static enum err read_task(struct renewal *renewal, int64_t now_ms) {
    struct store *store = renewal->engine->store;
    enum err err = store_find_task(store, renewal->account, &renewal->id, &renewal->arena, &renewal->row);
    if (err != OK)
        return err == ERR_NOT_FOUND ? ERR_TASK_NOT_FOUND : err;
    if (renewal->row.state != TASK_COMPLETED)
        return ERR_TASK_NOT_COMPLETED;
    renewal->count = 0;
    renewal->gone = false;
    renewal->look = OK;
    err = store_list_artifacts(store, renewal->account, &renewal->id, look_at, renewal);
    if (err == OK && renewal->look != OK)
        return renewal->look;
    if (err == OK && has_files(renewal) && (renewal->gone || renewal->count == 0 || renewal->expired_ms <= now_ms))
        return ERR_RESULT_EXPIRED;
    return err;
}

/* ---- the change ---- */

static void write_renewal(struct store_tx *tx, struct store_job *job) {
    struct renewal *renewal = container_of(job, struct renewal, job);
    char data[64];
    int64_t now_ms = clock_wall_ms();
    snprintf(data, sizeof(data), "{\"expires\":%lld}", (long long)(renewal->expires_ms / 1000));
    store_tx_renew_results(tx, renewal->account, &renewal->id, &(struct results_renewal){
        .expired_ms = renewal->expired_ms,
        .expires_ms = renewal->expires_ms,
        .now_ms = now_ms,
        .count = renewal->count,
        .results = renewal->row.results,
    });
    store_tx_add_event(tx, &(struct event_row){
        .account = renewal->account,
        .task = renewal->id,
        .at_ms = now_ms,
        .kind = TEXT("renewed"),
        .data = text_of(data),
    });
}

static void finish(struct renewal *renewal, enum err err) {
    arena_fini(&renewal->arena);
    buffer_fini(&renewal->results);
    renewal->done(renewal, err); /* may free the renewal */
}

static void attempt(struct renewal *renewal);

static void written(struct store_job *job, enum err err) {
    struct renewal *renewal = container_of(job, struct renewal, job);
    if (err == ERR_CONFLICT && ++renewal->tries < TRIES) { /* another renewal, or the sweeper: see what is there now */
        arena_fini(&renewal->arena);
        buffer_fini(&renewal->results);
        attempt(renewal);
        return;
    }
    if (err == OK)
        board_put(renewal->engine->board, &renewal->row, 0);
    finish(renewal, err == ERR_CONFLICT ? ERR_OVERLOADED : err);
}

static void attempt(struct renewal *renewal) {
    int64_t now_ms = clock_wall_ms();
    arena_init(&renewal->arena, ROW_MAX);
    buffer_init(&renewal->results, ROW_MAX);
    enum err err = read_task(renewal, now_ms);
    renewal->expires_ms = link_ends_s(now_ms, renewal->ttl_s) * 1000;
    if (err != OK || !has_files(renewal) || renewal->expires_ms <= renewal->expired_ms) {
        finish(renewal, err); /* nothing ends earlier by being renewed */
        return;
    }
    err = renew_links(renewal, now_ms / 1000, &renewal->results);
    if (err != OK) {
        finish(renewal, err);
        return;
    }
    renewal->row.results = buffer_text(&renewal->results);
    renewal->job = (struct store_job){ .run = write_renewal, .done = written };
    err = store_post(renewal->engine->store, &renewal->job);
    if (err != OK)
        finish(renewal, err);
}

void engine_renew(struct engine *engine, struct renewal *renewal) {
    renewal->engine = engine;
    renewal->tries = 0;
    attempt(renewal);
}
