/* Queueing by the setup in force, and picking within the limits. A task is resolved twice: for its lane, and again when
 * it is picked, because the setup may have changed in between. */
#include "engine/dispatch.h"

#include <assert.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "catalog/catalog.h"
#include "engine/cancel.h"
#include "engine/generation.h"
#include "engine/move.h"
#include "engine/run.h"
#include "engine/state.h"
#include "provider/driver.h"

#define QUEUED_MAX_MS ((int64_t)24 * 3600 * 1000)
#define EXPIRE_AT_ONCE 1000 /* tasks a turn */

struct retry_wait {
    uv_timer_t timer;
    struct engine *engine;
    struct live_task *task;
};

static const char *provider_of(const struct path *path, const struct live_task *task) {
    return task->book == BOOK_TEST ? path->ops->name : path->route->provider;
}

static void refuse(struct engine *engine, struct live_task *task, enum task_error error) {
    move_fail(engine, task, error, error == TASK_ERROR_RESOURCE_NOT_FOUND
              ? "The model of this task is no longer offered." : "Nothing is configured any more to run this model.");
}

void dispatch_enqueue(struct engine *engine, struct live_task *task) {
    struct path path;
    assert(task->state == TASK_PENDING && task->phase == LIVE_NEW);
    if (cancel_if_wanted(engine, task))
        return;
    enum task_error error = generation_resolve(engine->generation, task, &path);
    if (error != TASK_ERROR_NONE) {
        refuse(engine, task, error);
        return;
    }
    queue_push(&engine->queue, task, provider_of(&path, task), path.provider_limit, path.account_limit);
    board_set_place(engine->board, &task->key, queue_gauge(task), task->sequence);
    engine_publish_queue(engine);
}

static void begin(struct engine *engine, struct live_task *task, struct lane *slot) {
    struct path path;
    enum task_error error = generation_resolve(engine->generation, task, &path);
    if (error != TASK_ERROR_NONE || strcmp(provider_of(&path, task), queue_slot_provider(slot)) != 0) {
        queue_release(&engine->queue, slot);
        dispatch_enqueue(engine, task); /* into the lane it belongs to now, or it fails */
        return;
    }

    struct run *run = run_new(engine, task, slot, &path);
    struct move *move = move_new(task, TASK_DISPATCH);
    char data[160];
    move_begin_attempt(move, queue_slot_provider(slot));
    snprintf(data, sizeof(data), "{\"attempt\":%d,\"provider\":\"%s\"}", move->attempt.number,
             queue_slot_provider(slot));
    move_record(move, "dispatched", data);
    engine_count(engine, attempts, 1);
    move_post(engine, move, run_begin, run); /* T3: the attempt is durable before anything is sent */
}

void dispatch_pump(struct engine *engine) {
    struct live_task *task;
    struct lane *slot;
    while (!engine->stopping && (task = queue_pick(&engine->queue, &slot)) != NULL)
        begin(engine, task, slot);
    engine_publish_queue(engine);
}

static void free_wait(uv_handle_t *handle) {
    free(handle->data);
}

void dispatch_drop_wait(struct live_task *task) {
    uv_close((uv_handle_t *)&task->wait->timer, free_wait);
    task->wait = NULL;
    task->phase = LIVE_NEW;
}

void dispatch_wake(struct engine *engine, struct live_task *task) {
    assert(task->phase == LIVE_WAITING);
    dispatch_drop_wait(task);
    dispatch_enqueue(engine, task);
}

static void wait_over(uv_timer_t *timer) {
    struct retry_wait *wait = timer->data;
    struct engine *engine = wait->engine;
    if (engine->closed) /* in the loop's last turn nothing begins any more: its outcome would find no inbox */
        return;
    dispatch_wake(engine, wait->task);
    dispatch_pump(engine);
}

void dispatch_later(struct engine *engine, struct live_task *task, int64_t delay_ms) {
    assert(task->state == TASK_PENDING && task->phase == LIVE_NEW);
    if (cancel_if_wanted(engine, task) || engine->stopping)
        return;
    struct retry_wait *wait = mem_new(sizeof(*wait));
    wait->engine = engine;
    wait->task = task;
    uv_timer_init(&engine->loop, &wait->timer);
    wait->timer.data = wait;
    uv_timer_start(&wait->timer, wait_over, clock_timer_ms(delay_ms), 0);
    task->wait = wait;
    task->phase = LIVE_WAITING;
}

void dispatch_expire(struct engine *engine) {
    if (engine->closed)
        return;
    int64_t cutoff_ms = clock_wall_ms() - QUEUED_MAX_MS;
    for (int i = 0; i < EXPIRE_AT_ONCE; i++) {
        struct live_task *task = queue_overdue(&engine->queue, cutoff_ms);
        if (task == NULL)
            break;
        queue_remove(&engine->queue, task);
        move_fail(engine, task, TASK_ERROR_RESOURCE_EXHAUSTED, "The task waited in the queue for more than a day.");
    }
    engine_publish_queue(engine);
}

static unsigned provider_limit(const char *provider, void *context) {
    struct engine *engine = context;
    const struct driver_ops *ops = driver_find(engine->seams->drivers, provider);
    return ops != NULL ? generation_provider_limit(engine->generation, ops, provider) : 0;
}

static unsigned account_limit(const struct live_task *waiting, void *context) {
    struct engine *engine = context;
    return generation_account_limit(engine->generation, waiting);
}

void dispatch_relimit(struct engine *engine) {
    queue_relimit(&engine->queue, provider_limit, account_limit, engine);
}
