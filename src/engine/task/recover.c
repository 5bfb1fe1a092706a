/* The open tasks of an earlier life. */
#include "engine/task/recover.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "catalog/catalog.h"
#include "engine/attempt/history.h"
#include "engine/attempt/nap.h"
#include "engine/attempt/run.h"
#include "engine/queue/dispatch.h"
#include "engine/queue/key_limits.h"
#include "engine/route/generation.h"
#include "engine/route/health.h"
#include "engine/state.h"
#include "engine/task/move.h"
#include "engine/view/streams.h"
#include "provider/driver.h"

/* A task whose attempts are cut off again and again, by a crash that it may cause itself, ends some day (S3). */
#define ATTEMPTS_MAX 200
#define NAP_EVERY 256 /* tasks taken up again */

struct loading {
    struct engine *engine;
    struct key_limit_cache *limits;
    enum err err;
};

static bool load_task(const struct task_row *row, void *context) {
    struct loading *loading = context;
    struct engine *engine = loading->engine;
    struct live_task *task = live_new(row);
    streams_begin(engine->streams, task);
    const struct model *model = catalog_find(engine->generation->setup->catalog, row->model);
    task->estimated_s = model != NULL ? model->estimated_s : 0;
    loading->err = key_limits_read(loading->limits, engine, task);
    live_add(&engine->live, task);
    atomic_fetch_add(&engine->open_tasks, 1);
    board_put(engine->board, row, task->estimated_s);
    return loading->err == OK;
}

enum err recover_load(struct engine *engine, struct fault *fault) {
    struct loading loading = { engine, key_limits_new(), OK };
    engine->keys_generation = store_generation(engine->store);
    enum err err = store_list_open_tasks(engine->store, load_task, &loading);
    key_limits_free(loading.limits);
    if (err == OK)
        err = loading.err;
    if (err != OK)
        return fault_set(fault, err, "the open tasks cannot be read from the store");
    return OK;
}

static void put_back(struct engine *engine, struct live_task *task, enum err err, void *context) {
    (void)err;
    (void)context;
    if (task == NULL)
        return;
    engine_count(engine, recovered, 1);
    dispatch_enqueue(engine, task);
    dispatch_pump(engine);
}

static void give_up(struct engine *engine, struct live_task *task, bool open_attempt, enum task_error error,
                    const char *detail) {
    struct move *move = move_new(task, TASK_FAIL);
    char data[128];
    move_error(move, error, NULL);
    if (open_attempt)
        move_end_attempt(move, ATTEMPT_ABANDONED, detail);
    snprintf(data, sizeof(data), "{\"attempt\":%u,\"code\":\"%s\"}", task->attempts, task_error_code(error));
    move_record(move, "failed", data);
    move_post(engine, move, NULL, NULL);
}

static void resume_unread(uv_timer_t *timer);

#define CUT_OFF "cut off by a stop of the server"

/* T3: the driver finds out what became of the job. */
static void resume_remote(struct engine *engine, struct live_task *task, const struct history *history) {
    struct path path;
    const char *target = history->target != NULL ? history->target : "";
    enum task_error error =
        generation_resolve_again(engine->generation, engine, task, history->provider, target, &path);
    if (error != TASK_ERROR_NONE) {
        give_up(engine, task, true, error == TASK_ERROR_RESOURCE_NOT_FOUND ? error : TASK_ERROR_SUBMISSION_UNKNOWN,
                "its model or its provider's adapter is gone");
        return;
    }
    struct key_slot *key = health_take_again(engine->health, history->provider, history->credential);
    if (key == NULL) {
        give_up(engine, task, true, TASK_ERROR_SUBMISSION_UNKNOWN, "its provider is no longer configured");
        return;
    }
    if (history->remote == NULL && strcmp(key_slot_fingerprint(key), history->credential) != 0) {
        health_give(engine->health, key); /* another key's account can neither be asked about it nor repeat it */
        give_up(engine, task, true, TASK_ERROR_SUBMISSION_UNKNOWN, "the key that it was sent with is gone");
        return;
    }
    struct lane *slot = queue_occupy(&engine->queue, task, path.provider, &path.limits);
    engine_count(engine, recovered, 1);
    run_resume(run_new(engine, task, slot, &path, key), history);
}

static void run_again(struct engine *engine, struct live_task *task, bool open_attempt) {
    struct move *move = move_new(task, TASK_RETRY);
    char data[128];
    if (open_attempt)
        move_end_attempt(move, ATTEMPT_ABANDONED, CUT_OFF);
    snprintf(data, sizeof(data), "{\"attempt\":%u}", task->attempts);
    move_record(move, "recovered", data);
    move_post(engine, move, put_back, NULL);
}

static void resume_processing(struct engine *engine, struct live_task *task, const struct history *history) {
    const struct driver_ops *ops = driver_find(engine->seams->drivers, history->provider);
    bool open_attempt = task->attempts > 0 && history->last == ATTEMPT_STARTED;
    bool remote = history->target != NULL; /* only attempts at remote services have one */

    log_event(LOG_INFO, "task found in the middle of an attempt", LOG_T("task", live_id(task)),
              LOG_I("attempt", task->attempts), LOG_S("provider", history->provider));
    if (open_attempt && remote)
        resume_remote(engine, task, history);
    else if (open_attempt && (ops == NULL || !ops->repeatable)) /* T3 */
        give_up(engine, task, true, TASK_ERROR_SUBMISSION_UNKNOWN, CUT_OFF);
    else if (task->attempts >= ATTEMPTS_MAX)
        give_up(engine, task, open_attempt, TASK_ERROR_GENERATION_FAILED, CUT_OFF);
    else
        run_again(engine, task, open_attempt);
}

/* T4: a route that once made a job of it stays the only one. */
static void pin(struct live_task *task, const struct history *history) {
    if (history->made_at != NULL)
        task->pinned = generation_route_mark(history->made_by, history->made_at);
}

void recover_later(struct engine *engine, struct live_task *task, enum err err) {
    uv_timer_t *timer = &engine->recover_timer;
    task->unread = commit_may_pass(err);
    log_event(LOG_ERROR, "what a task needs to go on cannot be read", LOG_T("task", live_id(task)),
              LOG_S("error", err_info(err)->name));
    if (task->unread && !uv_is_active((uv_handle_t *)timer))
        uv_timer_start(timer, resume_unread, clock_timer_ms(engine->seams->recover_again_ms), 0);
}

static void resume(struct engine *engine, struct live_task *task) {
    struct history history = { .last = ATTEMPT_STATE_COUNT };
    bool began = task->started_ms != 0 || task->state == TASK_PROCESSING;
    enum err err = began ? history_read(engine, task, &history) : OK;
    if (err == OK) {
        task->attempts = (uint16_t)history.number;
        task->failures = (uint16_t)history.failures;
        pin(task, &history);
    }
    if (err != OK)
        recover_later(engine, task, err);
    else if (task->state == TASK_PROCESSING)
        resume_processing(engine, task, &history);
    else
        dispatch_enqueue(engine, task);
    history_fini(&history);
}

static void resume_unread(uv_timer_t *timer) {
    struct engine *engine = timer->data;
    struct live_task *task, *next;
    if (engine->stopping)
        return;
    LIVE_EACH(&engine->live, task, next) {
        if (!task->unread)
            continue;
        task->unread = false;
        resume(engine, task);
    }
    dispatch_pump(engine);
}

void recover_resume(struct engine *engine) {
    struct live_task *task, *next;
    size_t count = engine->live.count;
    if (count > 0)
        log_event(LOG_INFO, "open tasks are taken up again", LOG_I("count", (int64_t)count));
    unsigned resumed = 0;
    LIVE_EACH(&engine->live, task, next) { /* in the order added: an account's oldest first */
        resume(engine, task);
        if (++resumed % NAP_EVERY == 0)
            nap_all(engine); /* they are never all awake */
    }
    if (count > 0)
        store_rest(engine->store, true); /* all of these were read: much of the database is mapped by now */
    dispatch_pump(engine);
}
