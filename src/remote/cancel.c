/* Stopping early: a cancel that the service is told of, and the server's own end. */
#include <jansson.h>

#include "base/json.h"
#include "base/log.h"
#include "base/memory.h"
#include "remote/exchange.h"
#include "remote/failure.h"
#include "remote/job.h"

#define CANCEL_TRIES_MAX 3
#define CANCEL_AGAIN_MS 1000

/* What is known of the job when it is dropped now. */
static enum job_fate fate_now(const struct job *job) {
    bool may_arrive = job->doubtful || (job->exchange && job->doing == DO_SUBMIT && job->paid);
    return job->id ? JOB_ENDED : may_arrive ? JOB_UNKNOWN : JOB_NOT_MADE;
}

static void end_now(struct job *job, const char *detail) {
    enum job_fate fate = fate_now(job);
    job_give_up(job, TASK_ERROR_CANCELLED, false, fate, SCOPE_REQUEST, detail);
}

/* A submission that may have arrived: who waits for it learns the id. */
static bool submission_is_open(const struct job *job) {
    return job->id == NULL && fate_now(job) == JOB_UNKNOWN;
}

void job_cancel(struct job *job) {
    bool again = job->cancelled;
    job->cancelled = true;
    if (again) {
        end_now(job, "it was to end at once");
        return;
    }
    if (job->id) {
        job->cancel_due = true;
        if (job->doing != DO_OUTPUT) { /* else it seems to have ended already */
            (void)cancel_begin(job);
        }
    } else if (!submission_is_open(job)) {
        end_now(job, NULL);
    } else if (job->exchange == NULL && job->doing == DO_SUBMIT) { /* to be repeated, which only the uncancelled are */
        if (!submit_resolve(job, 0)) {
            end_now(job, job->lost);
        }
    }
}

void job_leave(struct job *job) {
    job->leaving = true;
    if (job->id == NULL && job->exchange && job->doing == DO_SUBMIT && job->paid) {
        return; /* the reply is waited for */
    }
    job_give_up(job, TASK_ERROR_UNAVAILABLE, true, fate_now(job), SCOPE_PROVIDER, "left to the next start");
}

bool cancel_begin(struct job *job) {
    if (!job->cancel_due || !adapter_has(job->service->adapter, ADAPTER_CANCEL)) {
        job->cancel_due = false;
        return false;
    }
    job->cancel_due = false;
    job->tries = 0;
    job_do(job, DO_CANCEL, 0);
    return true;
}

enum err cancel_request(struct job *job, json_t **ret, struct fault *fault) {
    scoped(json_release) json_t *value = job_value(job);
    job->tries++;
    return adapter_run(job->service->adapter, ADAPTER_CANCEL, value, NULL, ret, fault);
}

/* The adapter's reading of the reply; false: it has none. */
static bool read_reply(struct job *job, const struct exchange_reply *reply, json_t **ret_value,
                       struct adapter_step *ret) {
    const struct adapter *adapter = job->service->adapter;
    struct fault fault = { 0 };
    json_t *value = NULL;
    if (reply->end != EXCHANGE_REPLIED || !adapter_has(adapter, ADAPTER_CANCELLED)) {
        return false;
    }
    scoped(json_release) json_t *before = job_value(job);
    enum err err = adapter_run(adapter, ADAPTER_CANCELLED, reply->value, before, &value, &fault);
    if (err == OK && !json_is_null(value)) {
        err = adapter_read_step(adapter, value, ret, &fault);
    }
    if (err != OK) {
        char *words scoped(mem_free_pointer) = failure_hide(job->service, job->attempt, fault.message);
        log_event(LOG_WARNING, "a reply to a cancel could not be read", LOG_S("provider", job->service->name),
                  LOG_S("task", job->attempt->task), LOG_S("fault", words));
    }
    *ret_value = value;
    return err == OK && !json_is_null(value);
}

void cancel_replied(struct job *job, const struct exchange_reply *reply) {
    struct adapter_step step = { 0 };
    scoped(json_release) json_t *value = NULL;
    bool read = read_reply(job, reply, &value, &step);
    if (read && step.state == ADAPTER_FAILED) { /* gone, and costs nothing */
        end_now(job, NULL);
    } else if (read && (step.output || step.next)) {
        ask_apply(job, &step, reply);
    } else if (read && step.state != ADAPTER_COMPLETED) {
        ask_take(job, &step);
        if (!job->ended) {
            ask_later(job, step.delay_s);
        }
    } else if (!read && (reply->end != EXCHANGE_REPLIED || adapter_status_again(reply->status)) &&
               job->tries < CANCEL_TRIES_MAX) {
        int64_t delay_ms = CANCEL_AGAIN_MS * (int64_t)job->tries;
        job_do(job, DO_CANCEL, delay_ms > reply->retry_after_ms ? delay_ms : reply->retry_after_ms);
    } else {
        ask_soon(job); /* the answer to a question tells how it ends */
    }
}
