/* The open tasks of an earlier life. */
#include "engine/recover.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "catalog/catalog.h"
#include "engine/dispatch.h"
#include "engine/generation.h"
#include "engine/move.h"
#include "engine/state.h"
#include "provider/driver.h"

/* A task whose attempts are cut off again and again, by a crash that it may cause itself, ends some day (S3). */
#define ATTEMPTS_MAX 200

static bool load_task(const struct task_row *row, void *context) {
    struct engine *engine = context;
    struct live_task *task = live_new(row);
    const struct model *model = catalog_find(engine->generation->setup->catalog, row->model);
    task->estimated_s = model != NULL ? model->estimated_s : 0;
    live_add(&engine->live, task);
    atomic_fetch_add(&engine->open_tasks, 1);
    board_put(engine->board, row, task->estimated_s);
    return true;
}

enum err recover_load(struct engine *engine, struct fault *fault) {
    enum err err = store_list_open_tasks(engine->store, load_task, engine);
    if (err != OK)
        return fault_set(fault, err, "the open tasks cannot be read from the store");
    return OK;
}

/* What the attempts of a task say. */
struct history {
    struct live_task *task;
    enum attempt_state last;
    char provider[NAME_SIZE];
};

static bool read_attempt(const struct attempt_row *row, void *context) {
    struct history *history = context;
    struct live_task *task = history->task;
    if (row->state == ATTEMPT_FAILED)
        task->failures++;
    if (row->number < task->attempts)
        return true;
    task->attempts = (uint16_t)row->number;
    history->last = row->state;
    snprintf(history->provider, sizeof(history->provider), "%.*s", TEXT_ARG(row->provider));
    return true;
}

static enum err read_history(struct engine *engine, struct history *history) {
    struct task_id id;
    memcpy(id.string, history->task->key.id, sizeof(id.string));
    history->task->attempts = history->task->failures = 0; /* an earlier reading may have ended in its middle */
    return store_list_attempts(engine->store, history->task->key.account, &id, read_attempt, history);
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

static void give_up(struct engine *engine, struct live_task *task, bool open_attempt, enum task_error error) {
    struct move *move = move_new(task, TASK_FAIL);
    char data[128];
    move_error(move, error, NULL);
    if (open_attempt)
        move_end_attempt(move, ATTEMPT_ABANDONED, "cut off by a stop of the server");
    snprintf(data, sizeof(data), "{\"attempt\":%u,\"code\":\"%s\"}", task->attempts, task_error_code(error));
    move_record(move, "failed", data);
    move_post(engine, move, NULL, NULL);
}

static void resume_unread(uv_timer_t *timer);

static void resume_processing(struct engine *engine, struct live_task *task, const struct history *history) {
    const struct driver_ops *ops = driver_find(engine->seams->drivers, history->provider);
    bool open_attempt = task->attempts > 0 && history->last == ATTEMPT_STARTED;
    char data[128];

    log_event(LOG_INFO, "task found in the middle of an attempt", LOG_T("task", live_id(task)),
              LOG_I("attempt", task->attempts), LOG_S("provider", history->provider));
    if (open_attempt && (ops == NULL || !ops->repeatable)) { /* T3 */
        give_up(engine, task, true, TASK_ERROR_SUBMISSION_UNKNOWN);
        return;
    }
    if (task->attempts >= ATTEMPTS_MAX) {
        give_up(engine, task, open_attempt, TASK_ERROR_GENERATION_FAILED);
        return;
    }
    struct move *move = move_new(task, TASK_RETRY);
    if (open_attempt)
        move_end_attempt(move, ATTEMPT_ABANDONED, "cut off by a stop of the server");
    snprintf(data, sizeof(data), "{\"attempt\":%u}", task->attempts);
    move_record(move, "recovered", data);
    move_post(engine, move, put_back, NULL);
}

/* It stays open in the store: what may pass is tried again in a while, all else at the next start. */
static void put_off(struct engine *engine, struct live_task *task, enum err err) {
    uv_timer_t *timer = &engine->recover_timer;
    task->unread = commit_may_pass(err);
    log_event(LOG_ERROR, "a task's attempts cannot be read", LOG_T("task", live_id(task)),
              LOG_S("error", err_info(err)->name));
    if (task->unread && !uv_is_active((uv_handle_t *)timer))
        uv_timer_start(timer, resume_unread, clock_timer_ms(engine->seams->recover_again_ms), 0);
}

static void resume(struct engine *engine, struct live_task *task) {
    struct history history = { .task = task, .last = ATTEMPT_STATE_COUNT };
    enum err err = task->started_ms != 0 || task->state == TASK_PROCESSING ? read_history(engine, &history) : OK;
    if (err != OK) {
        put_off(engine, task, err);
        return;
    }
    if (task->state == TASK_PROCESSING)
        resume_processing(engine, task, &history);
    else
        dispatch_enqueue(engine, task);
}

static void resume_unread(uv_timer_t *timer) {
    struct engine *engine = timer->data;
    struct live_task *task, *next;
    if (engine->stopping)
        return;
    HASH_ITER(hh, engine->live.head, task, next) {
        if (!task->unread)
            continue;
        task->unread = false;
        resume(engine, task);
    }
    dispatch_pump(engine);
}

void recover_resume(struct engine *engine) {
    struct live_task *task, *next;
    unsigned count = HASH_COUNT(engine->live.head);
    if (count > 0)
        log_event(LOG_INFO, "open tasks are taken up again", LOG_I("count", count));
    HASH_ITER(hh, engine->live.head, task, next) /* in the order added: oldest first */
        resume(engine, task);
    dispatch_pump(engine);
}
