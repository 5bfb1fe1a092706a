/* Queueing by the setup in force, and picking within the limits. A task is resolved twice: for its lane, and again when
 * it is picked, because the setup may have changed in between. */
#include "engine/queue/dispatch.h"

#include <assert.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/log.h"
#include "base/memory.h"
#include "catalog/catalog.h"
#include "chat/dialect/failure.h"
#include "engine/attempt/run.h"
#include "engine/queue/pauses.h"
#include "engine/route/generation.h"
#include "engine/route/health.h"
#include "engine/state.h"
#include "engine/task/call.h"
#include "engine/task/cancel.h"
#include "engine/task/move.h"
#include "provider/driver.h"

#define QUEUED_MAX_MS ((int64_t)24 * 3600 * 1000)
#define KEY_WAIT_MS 200 /* for a key to come free that the limits promised */
#define EXPIRE_AT_ONCE 1000 /* tasks a turn */
#define CHOICE_MAX 65536 /* its longest part is a route's target, as the catalogue names it */

struct retry_wait {
    uv_timer_t timer;
    struct engine *engine;
    struct live_task *task;
};

static void refuse(struct engine *engine, struct live_task *task, enum task_error error) {
    move_fail(engine, task, error, error == TASK_ERROR_RESOURCE_NOT_FOUND
              ? "The model of this task is no longer offered." : error == TASK_ERROR_UNAVAILABLE
              ? "Nothing is configured any more to run this model." : NULL);
}

static void refuse_call(struct engine *engine, struct live_task *task, enum task_error error, const char *message,
                        int64_t delay_ms) {
    const struct chat_failure failure = { .error = error, .retryable = true, .delay_ms = delay_ms };
    live_set_failure(task, &failure);
    move_fail(engine, task, error, message);
}

void dispatch_turn_away(struct engine *engine) {
    struct live_task *task, *next;
    LIVE_EACH(&engine->live, task, next) {
        if (task->call == NULL || (task->phase != LIVE_QUEUED && task->phase != LIVE_WAITING))
            continue;
        if (task->phase == LIVE_QUEUED)
            queue_remove(&engine->queue, task);
        else
            dispatch_drop_wait(task);
        refuse_call(engine, task, TASK_ERROR_UNAVAILABLE, "The server is stopping; try again.", 0);
    }
    engine_publish_queue(engine);
}

/* What is paused is an entry of the catalogue; its tasks may bear other names, where it ends in a '*'. */
static bool model_paused(const struct engine *engine, const struct live_task *task) {
    if (!pauses_any(engine->pauses, PAUSE_MODEL))
        return false;
    const struct model *model = generation_model(engine->generation, task);
    return pauses_have(engine->pauses, PAUSE_MODEL, model != NULL ? model->name : live_model(task).ptr);
}

/* Until somebody resumes its model; a call's client would rather know. */
static void park(struct engine *engine, struct live_task *task) {
    if (task->call != NULL) {
        refuse_call(engine, task, TASK_ERROR_UNAVAILABLE, "The operator has paused this model.", PAUSED_WAIT_MS);
        return;
    }
    dispatch_later(engine, task, PAUSED_WAIT_MS);
    task->parked = task->phase == LIVE_WAITING;
}

static void enqueue_on(struct engine *engine, struct live_task *task, const struct path *path) {
    queue_push(&engine->queue, task, path->provider, &path->limits);
    queue_hold(&engine->queue, path->provider, path->limits.provider == 0);
    board_set_place(engine->board, &task->key, queue_gauge(task), task->sequence);
    engine_publish_queue(engine);
}

void dispatch_enqueue(struct engine *engine, struct live_task *task) {
    struct path path;
    assert(task->state == TASK_PENDING && task->phase == LIVE_NEW);
    if (cancel_if_wanted(engine, task))
        return;
    if (task->call != NULL && engine->stopping) {
        refuse_call(engine, task, TASK_ERROR_UNAVAILABLE, "The server is stopping; try again.", 0);
        return;
    }
    task->parked = false;
    if (model_paused(engine, task)) {
        park(engine, task);
        return;
    }
    enum task_error error = generation_resolve(engine->generation, engine, task, NULL, &path);
    if (error != TASK_ERROR_NONE) {
        refuse(engine, task, error);
        return;
    }
    if (task->call != NULL && path.wait_ms > 0) { /* its client would rather know */
        refuse_call(engine, task, TASK_ERROR_UNAVAILABLE, NULL, path.wait_ms);
        return;
    }
    enqueue_on(engine, task, &path);
}

/* The choice, for the timeline: where it goes, with which key. SQL_LIST_UNWRITTEN_EVENTS makes the same of an attempt's row. */
static void record_choice(struct move *move, const struct path *path, const struct key_slot *key) {
    struct json_writer json;
    struct buffer data scoped(buffer_fini);
    buffer_init(&data, CHOICE_MAX);
    json_begin(&json, &data);
    json_object_begin(&json);
    json_key(&json, "attempt");
    json_i64(&json, move->attempt.number);
    json_key(&json, "provider");
    json_text(&json, text_of(path->provider));
    if (path->ops->remote) {
        json_key(&json, "target");
        json_text(&json, text_of(path->route->target));
        json_key(&json, "key");
        json_text(&json, text_of(key_slot_fingerprint(key)));
    }
    json_object_end(&json);
    move_record(move, "dispatched", buffer_ok(&data) ? data.data : "{}");
}

static void begin_on(struct engine *engine, struct live_task *task, struct lane *slot, const struct path *path,
                     struct key_slot *key) {
    struct run *run = run_new(engine, task, slot, path, key);
    struct move *move = move_new(task, TASK_DISPATCH);
    run->launched = path->ops->remote && !path->ops->converses;
    if (run->launched)
        queue_launch(slot);
    move_begin_attempt(move, path->provider, path->ops->remote ? path->route->target : "",
                       key != NULL ? key_slot_fingerprint(key) : "");
    if (!call_attempt_tells(move))
        record_choice(move, path, key);
    engine_count(engine, attempts, 1);
    move_post(engine, move, run_begin, run); /* T3: the attempt is durable before anything is sent */
}

/* The setup or the health of providers may have changed since the task was put in its lane. */
static void begin(struct engine *engine, struct live_task *task, struct lane *slot) {
    struct path path;
    struct key_slot *key = NULL;
    enum task_error error =
        generation_resolve(engine->generation, engine, task, queue_slot_provider(slot), &path);
    if (error != TASK_ERROR_NONE || strcmp(path.provider, queue_slot_provider(slot)) != 0 ||
        model_paused(engine, task)) {
        queue_release(&engine->queue, slot);
        dispatch_enqueue(engine, task); /* into the lane it belongs to now, or it fails */
        return;
    }
    if (path.ops->remote)
        key = path.wait_ms == 0 ? health_take(engine->health, path.provider, path.route->target) : NULL;
    if (path.ops->remote && key == NULL) {
        queue_release(&engine->queue, slot);
        if (task->call != NULL && path.wait_ms > 0)
            dispatch_enqueue(engine, task); /* somewhere else, or it is refused */
        else
            dispatch_later(engine, task, path.wait_ms > KEY_WAIT_MS ? path.wait_ms : KEY_WAIT_MS);
        return;
    }
    begin_on(engine, task, slot, &path, key);
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

/* ---- changes of setup and health ---- */

static unsigned provider_limit(const char *provider, void *context) {
    struct engine *engine = context;
    const struct driver_ops *ops = generation_ops(engine->generation, provider);
    if (ops == NULL || pauses_have(engine->pauses, PAUSE_PROVIDER, provider))
        return 0;
    return health_room(engine->health, provider, generation_provider_limit(engine->generation, ops, provider));
}

static void account_limits(const struct live_task *waiting, struct queue_limits *ret, void *context) {
    struct engine *engine = context;
    generation_set_limits(engine->generation, waiting, ret);
}

/* A task that waits where nothing moves goes to where something does; one that can go nowhere is told, as is a call
 * that would have to wait for a service to cool down. */
static void reroute(struct live_task *task, void *context) {
    struct engine *engine = context;
    struct path path;
    enum task_error error = generation_resolve(engine->generation, engine, task, NULL, &path);
    bool would_wait = error == TASK_ERROR_NONE && task->call != NULL && path.wait_ms > 0;
    if (error == TASK_ERROR_NONE && !would_wait && strcmp(path.provider, queue_task_provider(task)) == 0)
        return;
    queue_remove(&engine->queue, task);
    if (error != TASK_ERROR_NONE)
        refuse(engine, task, error);
    else if (would_wait)
        refuse_call(engine, task, TASK_ERROR_UNAVAILABLE, NULL, path.wait_ms);
    else
        enqueue_on(engine, task, &path);
}

static void look_after(const char *provider, void *context) {
    struct engine *engine = context;
    const struct driver_ops *ops = generation_ops(engine->generation, provider);
    bool held = ops != NULL && provider_limit(provider, engine) == 0;
    queue_hold(&engine->queue, provider, held);
    if (held)
        queue_each_waiting(&engine->queue, provider, reroute, engine);
}

void dispatch_relimit(struct engine *engine) {
    queue_relimit(&engine->queue, provider_limit, account_limits, engine);
    queue_each_provider(&engine->queue, look_after, engine);
}

void dispatch_health_changed(void *context) {
    struct engine *engine = context;
    if (engine->closed)
        return;
    dispatch_relimit(engine);
    dispatch_pump(engine);
}
