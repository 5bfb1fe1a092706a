/* engine_cancel: who may be stopped at once, who must be waited for, and who is told. */
#include <assert.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/memory.h"
#include "engine/attempt/nap.h"
#include "engine/attempt/run.h"
#include "engine/queue/dispatch.h"
#include "engine/state.h"
#include "engine/task/cancel.h"
#include "engine/task/move.h"

struct cancel_request {
    struct message message;
    struct engine *engine;
    uv_timer_t timer; /* while an attempt has to be stopped */
    bool timed;
    struct task_key key;
    struct task_id id;
    void (*done)(enum err err, void *context);
    void *context;
    struct cancel_request *next;
};

static void free_request(uv_handle_t *timer) {
    free(timer->data);
}

static void answer(struct cancel_request *request, enum err err) {
    request->done(err, request->context);
    if (request->timed)
        uv_close((uv_handle_t *)&request->timer, free_request);
    else
        free(request);
}

/* The attempt may go on for long: its service does not stop, or says so much later. */
static void waited_enough(uv_timer_t *timer) {
    struct cancel_request *request = timer->data, **place;
    struct live_task *task = live_find(&request->engine->live, &request->key);
    assert(task != NULL); /* a task that ends answers all who wait */
    for (place = &task->cancels; *place != request; place = &(*place)->next)
        ;
    *place = request->next;
    answer(request, ERR_TIMEOUT);
}

static void limit_wait(struct cancel_request *request) {
    uv_timer_init(&request->engine->loop, &request->timer);
    request->timer.data = request;
    request->timed = true;
    uv_timer_start(&request->timer, waited_enough, clock_timer_ms(CANCEL_MAX_MS), 0);
}

void cancel_answer(struct engine *engine, struct live_task *task, enum err err) {
    (void)engine;
    while (task->cancels != NULL) {
        struct cancel_request *request = task->cancels;
        task->cancels = request->next;
        answer(request, err);
    }
}

bool cancel_if_wanted(struct engine *engine, struct live_task *task) {
    if (!task->cancel_wanted)
        return false;
    move_fail(engine, task, TASK_ERROR_CANCELLED, NULL);
    return true;
}

/* The task is not open here: final, or not there at all (S2: another account's is not there). */
static void answer_from_store(struct engine *engine, struct cancel_request *request) {
    struct arena arena;
    struct task_row row;
    arena_init(&arena, (size_t)96 << 20);
    enum err err = store_find_task(engine->store, request->key.account, &request->id, &arena, &row);
    arena_fini(&arena);
    if (err == OK)
        err = task_state_final(row.state) ? ERR_TASK_FINAL : ERR_CONFLICT;
    else if (err == ERR_NOT_FOUND)
        err = ERR_TASK_NOT_FOUND;
    answer(request, err);
}

static void cancel_task(void *owner, struct message *message) {
    struct engine *engine = owner;
    struct cancel_request *request = container_of(message, struct cancel_request, message);
    struct live_task *task = live_find(&engine->live, &request->key);
    if (task != NULL && engine->closed) {
        answer(request, ERR_SHUTTING_DOWN);
        return;
    }
    if (task == NULL) {
        answer_from_store(engine, request);
        return;
    }
    request->next = task->cancels;
    task->cancels = request;
    limit_wait(request);
    cancel_start(engine, task);
}

void cancel_start(struct engine *engine, struct live_task *task) {
    if (task->cancel_wanted)
        return;
    task->cancel_wanted = true;
    if ((task->call != NULL || task->streams) && task->run != NULL) /* who could read what was written pays for it */
        task->run->attempt.keeps_partial = true;
    switch ((enum live_phase)task->phase) {
    case LIVE_NEW:
    case LIVE_MOVING: /* whoever gets it next sees cancel_wanted */
        return;
    case LIVE_QUEUED:
        queue_remove(&engine->queue, task);
        engine_publish_queue(engine);
        move_fail(engine, task, TASK_ERROR_CANCELLED, NULL);
        return;
    case LIVE_WAITING:
        dispatch_wake(engine, task);
        return;
    case LIVE_RUNNING:
        run_cancel(nap_run(engine, task));
        return;
    }
}

void engine_cancel(struct engine *engine, int64_t account, const struct task_id *id,
                   void (*done)(enum err err, void *context), void *context) {
    struct cancel_request *request = mem_new(sizeof(*request));
    request->message.deliver = cancel_task;
    request->engine = engine;
    request->key = task_key(account, id);
    request->id = *id;
    request->done = done;
    request->context = context;
    if (!inbox_post(&engine->inbox, &request->message))
        answer(request, ERR_SHUTTING_DOWN);
}
