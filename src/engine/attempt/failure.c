/* What a failed attempt means for its task: another one, with the same key or another, at the same place or another;
 * the task's end; or nothing, when the server stops.
 *
 *   T3  nobody knows whether a job was made: the task ends, nothing is sent again
 *   T4  a job was made, and is over: the same route may be tried again, no other
 *       certainly no job was made: another key, else another route, else this one later */
#include <stdlib.h>

#include <jansson.h>

#include "base/crypto.h"
#include "base/log.h"
#include "base/memory.h"
#include "catalog/catalog.h"
#include "engine/attempt/run.h"
#include "engine/queue/dispatch.h"
#include "engine/route/generation.h"
#include "engine/route/health.h"
#include "engine/state.h"
#include "engine/task/move.h"
#include "engine/task/order.h"

#define REFUSALS_MAX 10      /* of a service that is out of reach or out of order */
#define CAPACITY_MAX 1000    /* of one that has too much to do; the queue's own time limit ends it long before */

/* ---- the moves ---- */

static json_t *describe(const struct run *run, unsigned attempt, const struct outcome *outcome) {
    static const char *const fates[] = { [JOB_ENDED] = "ended", [JOB_NOT_MADE] = "not made", [JOB_UNKNOWN] = "unknown" };
    json_t *data = json_pack("{s:i, s:s}", "attempt", (int)attempt, "code", task_error_code(outcome->error));
    if (run->key == NULL)
        return data;
    json_object_set_new(data, "job", json_string(fates[outcome->fate]));
    json_object_set_new(data, "scope", json_string(failure_scope_name(outcome->scope)));
    if (outcome->detail != NULL)
        json_object_set_new(data, "detail", json_string(outcome->detail));
    return data;
}

/* The failure that is the task's end. */
static struct move *failing_move(const struct run *run, struct live_task *task, const struct outcome *outcome) {
    bool cancelled = outcome->error == TASK_ERROR_CANCELLED;
    struct move *move = move_new(task, cancelled ? TASK_CANCEL : TASK_FAIL);
    move_error(move, outcome->error, outcome->message);
    move_end_attempt(move, ATTEMPT_FAILED, outcome->detail != NULL ? outcome->detail : task_error_code(outcome->error));
    move_record_json(move, cancelled ? "cancelled" : "failed", describe(run, task->attempts, outcome));
    return move;
}

struct retry_plan {
    struct run *run;
    int64_t delay_ms;
};

static void retry_moved(struct engine *engine, struct live_task *task, enum err err, void *context) {
    struct retry_plan *plan = context;
    (void)err;
    if (task != NULL) {
        engine_count(engine, retried, 1);
        if (plan->delay_ms > 0)
            dispatch_later(engine, task, plan->delay_ms);
        else if (!engine->stopping || task->call != NULL)
            dispatch_enqueue(engine, task);
    }
    run_end(plan->run);
    free(plan);
}

static void retry(struct run *run, const struct outcome *outcome, int64_t delay_ms) {
    struct live_task *task = run_take_task(run);
    struct retry_plan *plan = mem_new(sizeof(*plan));
    plan->run = run;
    plan->delay_ms = delay_ms;
    struct move *move = move_new(task, TASK_RETRY);
    move_end_attempt(move, ATTEMPT_FAILED, outcome->detail != NULL ? outcome->detail : task_error_code(outcome->error));
    json_t *data = describe(run, task->attempts, outcome);
    json_object_set_new(data, "delay_ms", json_integer(delay_ms));
    move_record_json(move, "retried", data);
    log_event(LOG_INFO, "attempt failed, another follows", LOG_S("task", run->name), LOG_I("attempt", task->attempts),
              LOG_S("error", task_error_code(outcome->error)), LOG_I("delay_ms", delay_ms),
              LOG_S("detail", outcome->detail));
    move_post(run->engine, move, retry_moved, plan);
}

/* The server stops before the driver had the task: it certainly was not taken (T4), so it waits for the next start. */
static void return_task(struct run *run) {
    struct retry_plan *plan = mem_new(sizeof(*plan));
    struct live_task *task = run_take_task(run);
    struct move *move = move_new(task, TASK_RETRY);
    char data[40];
    plan->run = run;
    move_end_attempt(move, ATTEMPT_ABANDONED, "the server stopped before it began");
    snprintf(data, sizeof(data), "{\"attempt\":%u}", task->attempts);
    move_record(move, "returned", data);
    move_post(run->engine, move, retry_moved, plan);
}

static void leave_task(struct run *run, const struct outcome *outcome) {
    bool not_made = run->key != NULL && outcome->error != TASK_ERROR_NONE && outcome->fate == JOB_NOT_MADE;
    if (!run->started || (not_made && !run->taken)) {
        return_task(run);
        return;
    }
    struct live_task *task = run_take_task(run);
    log_event(LOG_INFO, "attempt left to the next start", LOG_S("task", run->name), LOG_I("attempt", task->attempts));
    run_end(run);
}

/* ---- what to do ---- */

static int64_t backoff_ms(const struct run *run, unsigned failures) {
    return retry_delay_ms(&run->engine->seams->retry, failures + 1u, crypto_random_below(UINT32_MAX));
}

static int64_t later_of(int64_t a_ms, int64_t b_ms) {
    return a_ms > b_ms ? a_ms : b_ms;
}

/* The route's place; none where another setup may have put another there. */
static uint64_t place_of(const struct run *run) {
    bool same = run->generation == run->engine->generation;
    return same ? UINT64_C(1) << (run->attempt.route - run->attempt.model->routes) : 0;
}

/* The job may be done and paid all the same: it was, before its links ran out; or a key that did not make it was told of
 * its end. */
static bool may_be_paid(const struct run *run) {
    return run->taken && (run->renewals > 0 || run->other_key);
}

/* Whether the same kind of attempt may be made again, and when: it had been made, or failed here. */
static bool plan_again(struct run *run, const struct outcome *outcome, int64_t *ret_delay_ms) {
    struct live_task *task = run->task;
    task->failures++;
    if (run->key != NULL && run->taken)
        task->pinned = run_mark(run); /* T4 */
    if (!outcome->retryable || may_be_paid(run) || !retry_allowed(&run->engine->seams->retry, task->failures))
        return false;
    *ret_delay_ms = later_of(backoff_ms(run, task->failures), outcome->delay_ms);
    return true;
}

/* Another key of the same provider first, then another route. */
static bool has_other_way(struct run *run, const struct outcome *outcome) {
    struct engine *engine = run->engine;
    struct live_task *task = run->task;
    const struct route *route = run->attempt.route;
    struct path path;
    bool keys_fault = outcome->scope != SCOPE_PROVIDER && outcome->scope != SCOPE_ROUTE;
    if (route == NULL)
        return false;
    if (keys_fault && health_wait_ms(engine->health, route->provider, route->target) == 0)
        return true;
    task->tried |= place_of(run);
    if (generation_resolve(engine->generation, engine, task, NULL, &path) == TASK_ERROR_NONE && path.wait_ms == 0 &&
        !generation_route_is(path.route, route->provider, route->target))
        return true;
    task->tried = 0;
    return false;
}

/* Any that can: a task waits for it where it cools down, and a call hears for how long. */
static bool has_other_route(struct run *run) {
    struct path path;
    if (run->attempt.route == NULL)
        return false;
    run->task->unable |= place_of(run);
    return generation_resolve(run->engine->generation, run->engine, run->task, NULL, &path) == TASK_ERROR_NONE;
}

/* T4: certainly no job was made. */
static bool plan_elsewhere(struct run *run, const struct outcome *outcome, int64_t *ret_delay_ms) {
    struct live_task *task = run->task;
    unsigned most = outcome->scope == SCOPE_CAPACITY ? CAPACITY_MAX : REFUSALS_MAX;
    if (++task->refusals > most)
        return false;
    *ret_delay_ms = 0;
    if (outcome->scope == SCOPE_ROUTE && !outcome->retryable)
        return has_other_route(run);
    if (has_other_way(run, outcome))
        return true;
    if (outcome->scope == SCOPE_KEY || outcome->scope == SCOPE_ACCOUNT ||
        (!outcome->retryable && outcome->scope != SCOPE_CAPACITY))
        return false; /* waiting mends it no sooner than an operator does */
    *ret_delay_ms = later_of(backoff_ms(run, task->refusals), outcome->delay_ms);
    return true;
}

static bool plan(struct run *run, const struct outcome *outcome, int64_t *ret_delay_ms) {
    switch (outcome->fate) {
    case JOB_UNKNOWN: /* T3 */
        return false;
    case JOB_NOT_MADE:
        if (run->key != NULL && outcome->scope != SCOPE_REQUEST)
            return plan_elsewhere(run, outcome, ret_delay_ms);
        return plan_again(run, outcome, ret_delay_ms);
    case JOB_ENDED:
        return plan_again(run, outcome, ret_delay_ms);
    }
    return false;
}

static void tell_health(const struct run *run, const struct outcome *outcome) {
    bool stored = run->stage == RUN_STORING; /* told already, and well */
    if (run->key == NULL || run->attempt.route == NULL || stored)
        return;
    const char *target = run->attempt.route->target;
    bool asked = run->stage == RUN_DRIVING;
    if ((!asked && run->resumes) || run->other_key) /* it took no probe's place; a stranger may well be refused */
        return;
    if (!asked || outcome->unsent || run->halt != RUN_GOES_ON || outcome->error == TASK_ERROR_CANCELLED)
        health_unknown(run->engine->health, run->key, target);
    else {
        health_note(run->key, outcome->detail != NULL ? outcome->detail : task_error_code(outcome->error));
        (void)health_failed(run->engine->health, run->key, target, outcome->scope, outcome->error, outcome->delay_ms);
    }
}

/* What a halt makes of a failure; a call that the stop of the server ends has no next start to be left to. */
static const enum task_error halted[] = {
    [RUN_CANCELLED] = TASK_ERROR_CANCELLED,
    [RUN_TIMED_OUT] = TASK_ERROR_TIMEOUT,
    [RUN_ABANDONED] = TASK_ERROR_UNAVAILABLE,
};

void run_fail_with(struct run *run, const struct outcome *given) {
    struct outcome outcome = *given;
    int64_t delay_ms = 0;
    tell_health(run, &outcome);
    if (run->task == NULL) {
        run_end(run);
        return;
    }
    if (run->halt == RUN_ABANDONED && run->task->call == NULL) {
        leave_task(run, &outcome);
        return;
    }
    run_drop_directory(run);
    if (run->halt == RUN_GIVEN_UP) {
        order_attempt_ended(run, &outcome);
        return;
    }
    if (run->halt != RUN_GOES_ON) {
        outcome.error = halted[run->halt];
        outcome.message = run->halt == RUN_ABANDONED ? "The server is stopping; try again." : NULL;
        outcome.chat = NULL;
    } else if (plan(run, &outcome, &delay_ms) && (run->task->call == NULL || delay_ms == 0)) {
        retry(run, &outcome, delay_ms);
        return;
    }
    log_event(LOG_INFO, "attempt failed", LOG_S("task", run->name), LOG_I("attempt", run->task->attempts),
              LOG_S("error", task_error_code(outcome.error)), LOG_S("detail", outcome.detail));
    struct live_task *task = run_take_task(run);
    live_set_failure(task, outcome.chat);
    move_post(run->engine, failing_move(run, task, &outcome), run_moved_away, run);
}

/* T3: an earlier life may have sent it, and until its driver has it again nobody knows what became of that. */
static bool is_unknown(const struct run *run) {
    return run->resumes && run->ops->remote && run->stage == RUN_PREPARING;
}

void run_fail(struct run *run, enum task_error error, bool retryable, const char *message, const char *detail) {
    bool unknown = is_unknown(run);
    const struct outcome outcome = {
        .error = unknown && error != TASK_ERROR_CANCELLED ? TASK_ERROR_SUBMISSION_UNKNOWN : error,
        .retryable = retryable,
        .fate = unknown ? JOB_UNKNOWN : run->taken ? JOB_ENDED : JOB_NOT_MADE,
        .scope = SCOPE_REQUEST,
        .message = message,
        .detail = detail,
    };
    run_fail_with(run, &outcome);
}

void run_detach(struct run *run) {
    struct live_task *task = run_take_task(run);
    const struct outcome outcome = {
        .error = run->halt == RUN_CANCELLED ? TASK_ERROR_CANCELLED : TASK_ERROR_TIMEOUT,
        .detail = "the attempt could not be stopped and went on",
    };
    run->stage = RUN_DRIVING;
    run->task = NULL;
    move_post(run->engine, failing_move(run, task, &outcome), NULL, NULL);
}
