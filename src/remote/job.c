/* A job's life: waiting, its turn, its request, its end. */
#include "remote/job.h"

#include <assert.h>
#include <jansson.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/lasting.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/shared.h"
#include "remote/batch.h"
#include "remote/exchange.h"
#include "remote/failure.h"

#define QUESTION_TIMEOUT_MS 30000
#define SUBMIT_TIMEOUT_MS 60000
#define VALUE_KEPT_MS 2000   /* pauses over which what the adapter sees is kept: making it again is a twentieth of a life */
#define VALUES_KEPT_MAX 4096 /* of a service's jobs at a time, at some 2 KB each */

static void go(struct turn *turn);
static void due(struct alarm *alarm);

struct job *job_new(struct service *service, struct attempt *attempt) {
    struct job *job = lasting_new(sizeof(*job));
    job->service = service;
    job->attempt = attempt;
    job->turn.go = go;
    attempt->driver_data = job;
    return job;
}

static void end_turn(struct job *job) {
    if (job->has_turn) {
        job->has_turn = false;
        service_end_turn(job->service, job->turn.lane);
    }
}

void job_stop(struct job *job) {
    alarm_stop(&job->service->alarms, &job->alarm);
    service_drop_turn(job->service, &job->turn);
    batch_leave(job);
    exchange_cancel(job->exchange);
    job->exchange = NULL;
    end_turn(job);
}

/* ---- the end ---- */

static void release(struct job *job) {
    job_forget_value(job);
    json_decref(job->next);
    lasting_free_text(job->id);
    shared_drop(job->state);
    lasting_free_text(job->step);
    free(job->lost);
    lasting_free(job, sizeof(*job));
}

static void free_job(struct alarm *alarm) {
    release(container_of(alarm, struct job, alarm));
}

void job_forget(struct job *job) {
    job->attempt->driver_data = NULL;
    job_stop(job);
    release(job);
}

void job_end(struct job *job, const struct outcome *outcome) {
    struct attempt *attempt = job->attempt;
    assert(!job->ended);
    job->ended = true;
    attempt->driver_data = NULL;
    job_stop(job);
    alarm_set(&job->service->alarms, &job->alarm, 0, free_job);
    attempt->done(attempt, outcome);
    job->attempt = NULL;
}

void job_discard(struct job *job) {
    job->ended = true;
    job->attempt->driver_data = NULL;
    job_stop(job);
    alarm_set(&job->service->alarms, &job->alarm, 0, free_job);
}

void job_complete(struct job *job, json_t *output) {
    job_end(job, &(struct outcome){ .output = output, .despite_cancel = job->cancelled });
}

void job_fail(struct job *job, const struct adapter_failure *failure, const struct exchange_reply *reply,
              enum job_fate fate) {
    struct failure_outcome texts;
    struct outcome outcome;
    failure_outcome_make(job->service, job->attempt, failure, reply, fate, &texts, &outcome);
    if (job->cancelled) {
        outcome.error = TASK_ERROR_CANCELLED;
        outcome.retryable = false;
        outcome.message = NULL;
    }
    job_end(job, &outcome);
    failure_outcome_fini(&texts);
}

void job_give_up(struct job *job, enum task_error error, bool retryable, enum job_fate fate, enum failure_scope scope,
                 const char *detail) {
    const struct adapter_failure failure = {
        .error = error, .retryable = retryable, .scope = scope, .scope_said = true, .detail = detail
    };
    job_fail(job, &failure, NULL, fate);
}

void job_answer_refresh(struct job *job) {
    if (job->refreshing && !job->ended) {
        job->refreshing = false;
        job->attempt->refreshed(job->attempt);
    }
}

bool job_reply_is_good(const struct exchange_reply *reply) {
    return reply->end == EXCHANGE_REPLIED && reply->status / 100 == 2;
}

/* ---- one request ---- */

static const struct {
    enum lane lane;
    enum err (*request)(struct job *job, json_t **ret, struct fault *fault);
    void (*replied)(struct job *job, const struct exchange_reply *reply);
} doings[] = {
    [DO_SUBMIT] = { LANE_SUBMIT, submit_request, submit_replied },
    [DO_LOOKUP] = { LANE_ASK, submit_request, lookup_replied },
    [DO_POLL] = { LANE_ASK, ask_request, ask_replied },
    [DO_OUTPUT] = { LANE_ASK, ask_request, ask_replied },
    [DO_CANCEL] = { LANE_ASK, cancel_request, cancel_replied },
};

void job_do(struct job *job, enum job_doing doing, int64_t delay_ms) {
    if (job->ended) {
        return; /* the alarm is its end */
    }
    job_stop(job);
    if (delay_ms > VALUE_KEPT_MS || job->service->values > VALUES_KEPT_MAX) {
        job_forget_value(job);
    }
    job_wait(job, doing, clock_timer_ms(delay_ms));
}

void job_wait(struct job *job, enum job_doing doing, uint64_t real_ms) {
    job->doing = doing;
    alarm_set(&job->service->alarms, &job->alarm, real_ms, due);
}

static void due(struct alarm *alarm) {
    struct job *job = container_of(alarm, struct job, alarm);
    if (job->doing == DO_POLL && !job->single && batch_join(job)) {
        return;
    }
    service_take_turn(job->service, doings[job->doing].lane, &job->turn);
}

static void replied(void *context, const struct exchange_reply *reply) {
    struct job *job = context;
    job->exchange = NULL;
    end_turn(job);
    doings[job->doing].replied(job, reply);
}

/* A synchronous service may think as long as the attempt may last. */
static int64_t timeout_ms(const struct job *job) {
    const struct adapter *adapter = job->service->adapter;
    if (job->doing != DO_SUBMIT) {
        return QUESTION_TIMEOUT_MS;
    }
    if (adapter->timeout_s > 0) {
        return (int64_t)(adapter->timeout_s * 1000);
    }
    return adapter_has(adapter, ADAPTER_POLL) || job->attempt->timeout_ms <= 0 ? SUBMIT_TIMEOUT_MS
                                                                               : job->attempt->timeout_ms;
}

/* The request cannot be made at all. */
static void impossible(struct job *job, const struct fault *fault) {
    char *words scoped(mem_free_pointer) = failure_hide(job->service, job->attempt, fault->message);
    log_event(LOG_WARNING, "a request could not be made", LOG_S("provider", job->service->name),
              LOG_S("task", job->attempt->task), LOG_S("fault", words));
    if (job->doing == DO_SUBMIT || job->doing == DO_LOOKUP) {
        submit_impossible(job, fault);
    } else if (job->doing == DO_CANCEL) {
        ask_soon(job);
    } else if (fault->err == ERR_BLOCKED_ADDRESS) { /* it would be so every time */
        job_give_up(job, TASK_ERROR_SERVICE, false, JOB_ENDED, SCOPE_PROVIDER, fault->message);
    } else {
        ask_failed(job, 0, fault->message);
    }
}

static void go(struct turn *turn) {
    struct job *job = container_of(turn, struct job, turn);
    struct fault fault = { 0 };
    json_t *request = NULL;
    bool paid = true;
    job->has_turn = true;
    enum err err = doings[job->doing].request(job, &request, &fault);
    if (err == OK && json_is_null(request)) { /* only a cancel may be none */
        ask_soon(job);
        return;
    }
    const struct exchange_call call = {
        .service = job->service,
        .key = job->attempt->key,
        .attempt = job->attempt,
        .submits = job->doing == DO_SUBMIT,
        .timeout_ms = timeout_ms(job),
        .done = replied,
        .context = job,
    };
    if (err == OK) {
        err = exchange_start(&call, request, &job->exchange, &paid, &fault);
    }
    json_decref(request);
    if (err == ERR_OVERLOADED) {
        job->has_turn = false;
        service_put_off(job->service, turn);
    } else if (err != OK) {
        impossible(job, &fault);
    } else {
        job->paid = paid && job->doing == DO_SUBMIT;
        if (job->doing == DO_POLL || job->doing == DO_OUTPUT) {
            job->asked_ms = clock_monotonic_ms();
        }
    }
}
