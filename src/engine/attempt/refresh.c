/* engine_refresh. A refresh hangs on its task while anybody waits; its timer bounds all waits, an alarm the one of who has
 * less time. */
#include "engine/attempt/refresh.h"

#include <stdlib.h>
#include <sys/queue.h>

#include "base/clock.h"
#include "base/memory.h"
#include "engine/attempt/nap.h"
#include "engine/attempt/run.h"
#include "engine/file/artifacts.h"
#include "engine/state.h"

struct refresh_request {
    struct message message;
    struct task_key key;
    int64_t limit_ms; /* for which it waits */
    void (*done)(void *context);
    void *context;
    struct engine *engine;
    struct refresh *refresh; /* that it hangs on; NULL: none */
    struct alarm alarm;
    SLIST_ENTRY(refresh_request) link;
};

struct refresh {
    uv_timer_t limit;
    struct live_task *task;
    bool told; /* the service's answer is here; what of it is to be shown may still be on its way to the store */
    SLIST_HEAD(, refresh_request) requests;
};

static void answer_one(struct refresh_request *request) {
    if (request->refresh != NULL)
        alarm_stop(&request->engine->alarms, &request->alarm);
    request->done(request->context);
    free(request);
}

static void free_refresh(uv_handle_t *handle) {
    free(handle->data);
}

void refresh_answer(struct live_task *task) {
    struct refresh *refresh = task->refresh;
    struct refresh_request *request;
    if (refresh == NULL)
        return;
    task->refresh = NULL;
    while ((request = SLIST_FIRST(&refresh->requests)) != NULL) {
        SLIST_REMOVE_HEAD(&refresh->requests, link);
        answer_one(request);
    }
    uv_close((uv_handle_t *)&refresh->limit, free_refresh);
}

/* The others wait on. */
static void waited_enough(struct alarm *alarm) {
    struct refresh_request *request = container_of(alarm, struct refresh_request, alarm);
    SLIST_REMOVE(&request->refresh->requests, request, refresh_request, link);
    answer_one(request);
}

static void time_is_over(uv_timer_t *limit) {
    struct refresh *refresh = limit->data;
    refresh_answer(refresh->task);
}

void refresh_shown(struct run *run) {
    struct live_task *task = run->task;
    if (task != NULL && task->refresh != NULL && task->refresh->told && !run->progress_busy)
        refresh_answer(task);
}

void refresh_told(struct attempt *attempt) {
    struct run *run = container_of(attempt, struct run, attempt);
    run->refreshing = false;
    if (run->task == NULL || run->task->refresh == NULL)
        return;
    run->task->refresh->told = true;
    refresh_shown(run);
}

static struct refresh *begin_refresh(struct engine *engine, struct live_task *task) {
    struct refresh *refresh = mem_new(sizeof(*refresh));
    refresh->task = task;
    SLIST_INIT(&refresh->requests);
    uv_timer_init(&engine->loop, &refresh->limit);
    refresh->limit.data = refresh;
    uv_timer_start(&refresh->limit, time_is_over, clock_timer_ms(engine->seams->refresh_ms), 0);
    task->refresh = refresh;
    return refresh;
}

/* Whether there is anybody to ask, or their last word is being made the task's, for which no host or disk is waited. */
static bool can_refresh(const struct live_task *task, const struct run *run) {
    return task != NULL && task->phase == LIVE_RUNNING && run->ops->refresh != NULL &&
           (run->stage == RUN_DRIVING || (run->stage == RUN_STORING && !artifacts_pause(run)));
}

static void refresh_task(void *owner, struct message *message) {
    struct engine *engine = owner;
    struct refresh_request *request = container_of(message, struct refresh_request, message);
    struct live_task *task = live_find(&engine->live, &request->key);
    struct run *run = task != NULL ? nap_run(engine, task) : NULL;
    if (engine->stopping || !can_refresh(task, run)) {
        answer_one(request);
        return;
    }
    struct refresh *refresh = task->refresh != NULL ? task->refresh : begin_refresh(engine, task);
    SLIST_INSERT_HEAD(&refresh->requests, request, link);
    request->engine = engine;
    request->refresh = refresh;
    if (request->limit_ms < engine->seams->refresh_ms)
        alarm_set(&engine->alarms, &request->alarm, clock_timer_ms(request->limit_ms), waited_enough);
    if (run->stage != RUN_DRIVING || run->refreshing || refresh->told)
        return;
    run->refreshing = true;
    run->ops->refresh(run->driver, &run->attempt); /* the answer may come at once, and end the attempt */
}

void engine_refresh(struct engine *engine, int64_t account, const struct task_id *id, int64_t limit_ms,
                    void (*done)(void *context), void *context) {
    struct refresh_request *request = mem_new(sizeof(*request));
    request->message.deliver = refresh_task;
    request->key = task_key(account, id);
    request->limit_ms = limit_ms;
    request->done = done;
    request->context = context;
    if (!inbox_post(&engine->inbox, &request->message))
        answer_one(request);
}
