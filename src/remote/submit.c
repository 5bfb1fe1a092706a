/* Until the service has the job: the submission with what goes before it, and what can be done when no reply came. */
#include <jansson.h>
#include <stdlib.h>

#include "base/crypto.h"
#include "base/json.h"
#include "base/log.h"
#include "base/memory.h"
#include "core/retry.h"
#include "remote/exchange.h"
#include "remote/failure.h"
#include "remote/job.h"

#define CHAIN_MAX 8
#define LOOKUPS_MAX 2 /* a job may be listed a moment after it was made, so one no is none */
#define LOOKUP_FIRST_MS 2000
#define LOOKUP_AGAIN_MS 10000
#define MEMORY_MS ((int64_t)12 * 3600 * 1000) /* services know a submission's name again for a day, some for less */

static const struct retry_policy submit_again = { .attempts_max = 6, .first_delay_ms = 1000, .max_delay_ms = 30000 };
static const struct retry_policy lookup_again = { .attempts_max = 8, .first_delay_ms = 2000, .max_delay_ms = 60000 };

static bool is_synchronous(const struct job *job) {
    return !adapter_has(job->service->adapter, ADAPTER_POLL);
}

static int64_t longer(int64_t a, int64_t b) {
    return a > b ? a : b;
}

static int64_t pause_ms(const struct retry_policy *policy, unsigned made) {
    return retry_delay_ms(policy, made + 1, crypto_random_below(UINT32_MAX));
}

void submit_begin(struct job *job) {
    job_do(job, DO_SUBMIT, 0);
}

enum err submit_request(struct job *job, json_t **ret, struct fault *fault) {
    const struct adapter *adapter = job->service->adapter;
    scoped(json_release) json_t *task = NULL;
    if (job->doing == DO_SUBMIT && job->next) {
        *ret = json_incref(job->next);
        return OK;
    }
    if (job->doing == DO_SUBMIT && job->doubtful) {
        job->attempt->note(job->attempt, "submitted_again", "{}");
    }
    scoped(json_release) json_t *value = job->id == NULL ? job_value(job) : NULL; /* its reply is read with the same */
    enum err err = OK;
    task = json_incref(json_object_get(value, "task"));
    if (task == NULL) {
        err = job_task_value(job, true, &task, fault);
    }
    if (err != OK) {
        return err;
    }
    return adapter_run(adapter, job->doing == DO_LOOKUP ? ADAPTER_LOOKUP : ADAPTER_SUBMIT, task, NULL, ret, fault);
}

/* ---- when nothing came back ---- */

/* The service may have forgotten it: what it does not know proves nothing any more. */
static bool is_old(const struct job *job) {
    return job->attempt->age_ms < 0 || job->attempt->age_ms > MEMORY_MS;
}

bool submit_resolve(struct job *job, int64_t delay_ms) {
    const struct adapter *adapter = job->service->adapter;
    bool whole = job->attempt->input && job->attempt->route; /* else it would not be the same again */
    job->doubtful = true;
    bool harmless = adapter->idempotency && whole && !is_old(job);
    if (harmless && !job->cancelled && retry_allowed(&submit_again, job->tries + 1)) {
        job->tries++;
        job_do(job, DO_SUBMIT, longer(pause_ms(&submit_again, job->tries), delay_ms));
        return true;
    }
    if (adapter_has(adapter, ADAPTER_LOOKUP)) {
        job_do(job, DO_LOOKUP, longer(LOOKUP_FIRST_MS, delay_ms));
        return true;
    }
    return false;
}

static void give_up_unknown(struct job *job) {
    job_give_up(job, TASK_ERROR_SUBMISSION_UNKNOWN, false, JOB_UNKNOWN, SCOPE_PROVIDER, job->lost);
}

/* An unpaid request may be sent again, but not for ever. */
static bool try_unpaid_again(struct job *job, int64_t delay_ms) {
    if (job->paid || job->leaving || !retry_allowed(&submit_again, job->tries + 1)) {
        return false;
    }
    job->tries++;
    job_do(job, DO_SUBMIT, longer(pause_ms(&submit_again, job->tries), delay_ms));
    return true;
}

static enum job_fate fate_so_far(const struct job *job) {
    return job->doubtful ? JOB_UNKNOWN : JOB_NOT_MADE;
}

/* T3: it may be there, and nobody said so. */
static void lost(struct job *job, const char *detail, int64_t delay_ms) {
    if (job->lost == NULL) {
        job->lost = mem_string(detail);
    }
    job->doubtful = true;
    if (job->leaving || !submit_resolve(job, delay_ms)) {
        give_up_unknown(job);
    }
}

static void not_sent(struct job *job, const struct exchange_reply *reply) {
    if (job->doubtful) {
        lost(job, exchange_detail(reply), 0);
    } else if (!try_unpaid_again(job, 0)) {
        job_give_up(job, TASK_ERROR_UNAVAILABLE, true, JOB_NOT_MADE, SCOPE_PROVIDER, exchange_detail(reply));
    }
}

static void cut(struct job *job, const struct exchange_reply *reply) {
    if (job->paid) {
        lost(job, exchange_detail(reply), reply->retry_after_ms);
    } else if (!try_unpaid_again(job, 0)) {
        job_give_up(job, TASK_ERROR_UNAVAILABLE, true, fate_so_far(job), SCOPE_PROVIDER, exchange_detail(reply));
    }
}

void submit_impossible(struct job *job, const struct fault *fault) {
    bool large = fault->err == ERR_REQUEST_TOO_LARGE;
    if (job->doubtful) {
        give_up_unknown(job);
        return;
    }
    job_give_up(job, large ? TASK_ERROR_INVALID_PARAMETERS : TASK_ERROR_SERVICE, fault->err == ERR_IO, JOB_NOT_MADE,
                large ? SCOPE_REQUEST : SCOPE_PROVIDER, fault->message);
}

/* ---- refusals ---- */

static bool is_servers_fault(int status) {
    return status >= 500 || status == 408;
}

/* A no, in the status or in the body. */
static void judge_failure(struct job *job, const struct adapter_failure *failure, const struct exchange_reply *reply) {
    int64_t delay_ms = failure_delay_ms(failure, reply);
    if (!job->paid) {
        bool again = failure->again_said ? failure->again : adapter_status_again(reply->status);
        if (!again || !try_unpaid_again(job, delay_ms)) {
            job_fail(job, failure, reply, fate_so_far(job));
        }
    } else if (failure->taken && is_synchronous(job) && !is_servers_fault(reply->status)) {
        job_fail(job, failure, reply, JOB_ENDED); /* the reply is the end of its work */
    } else if (failure->taken || job->doubtful) { /* of a repeated submission, the first may be what is there */
        lost(job, exchange_detail(reply), delay_ms);
    } else {
        job_fail(job, failure, reply, JOB_NOT_MADE);
    }
}

static void refused(struct job *job, const struct exchange_reply *reply) {
    struct reply_failure failure;
    failure_read(job->service, reply, NULL, &failure);
    judge_failure(job, &failure.said, reply);
    failure_fini(&failure);
}

/* ---- acceptance ---- */

/* A yes that says nothing we can use. */
static void unreadable(struct job *job, const struct exchange_reply *reply, const struct fault *fault) {
    char *words scoped(mem_free_pointer) = failure_hide(job->service, job->attempt, fault->message);
    log_event(LOG_WARNING, "a reply to a submission could not be read", LOG_S("provider", job->service->name),
              LOG_S("task", job->attempt->task), LOG_S("fault", words));
    if (job->paid && !is_synchronous(job)) {
        lost(job, exchange_detail(reply), 0);
    } else {
        job_give_up(job, TASK_ERROR_SERVICE, false, job->paid ? JOB_ENDED : fate_so_far(job), SCOPE_PROVIDER,
                    fault->message);
    }
}

static void has_id(struct job *job, const struct adapter_step *step, const struct exchange_reply *reply) {
    json_decref(job->next);
    job->next = NULL;
    job->doubtful = false;
    job->errors = job->chain = job->asked = 0;
    job->cancel_due = job->cancelled;
    if (job->leaving) {
        ask_take(job, step);
        if (job->ended) {
            return;
        }
        if (step->output && step->state == ADAPTER_COMPLETED) {
            job_complete(job, (json_t *)(uintptr_t)step->output);
        } else {
            job_give_up(job, TASK_ERROR_UNAVAILABLE, true, JOB_ENDED, SCOPE_PROVIDER, "left to the next start");
        }
        return;
    }
    ask_apply(job, step, reply);
}

static void follow(struct job *job, const struct adapter_step *step, const struct exchange_reply *reply) {
    struct fault fault = { 0 };
    if (++job->chain > CHAIN_MAX) {
        (void)fault_set(&fault, ERR_SCRIPT, "more than %d requests, and still no id", CHAIN_MAX);
        unreadable(job, reply, &fault);
        return;
    }
    job->doubtful = job->doubtful || job->paid;
    if (job->leaving) {
        job_give_up(job, TASK_ERROR_UNAVAILABLE, true, fate_so_far(job), SCOPE_PROVIDER, "left to the next start");
        return;
    }
    ask_take(job, step);
    json_decref(job->next);
    job->next = json_incref((json_t *)(uintptr_t)step->next);
    job->tries = 0;
    job_do(job, DO_SUBMIT, (int64_t)(step->delay_s * 1000));
}

static void accepted(struct job *job, const struct exchange_reply *reply) {
    const struct adapter *adapter = job->service->adapter;
    scoped(json_release) json_t *value = NULL;
    scoped(json_release) json_t *before = job_value(job);
    struct adapter_step step = { 0 };
    struct fault fault = { 0 };
    enum err err = adapter_run(adapter, ADAPTER_ACCEPTED, reply->value, before, &value, &fault);
    if (err == OK) {
        err = adapter_read_step(adapter, value, &step, &fault);
    }
    if (err != OK) {
        unreadable(job, reply, &fault);
    } else if (step.id) {
        has_id(job, &step, reply);
    } else if (step.state == ADAPTER_FAILED) {
        judge_failure(job, &step.failure, reply);
    } else if (step.next) {
        follow(job, &step, reply);
    } else if (step.output) {
        ask_take(job, &step);
        job_complete(job, (json_t *)(uintptr_t)step.output);
    } else {
        (void)fault_set(&fault, ERR_SCRIPT, "the reply to a submission has no id");
        unreadable(job, reply, &fault);
    }
}

void submit_replied(struct job *job, const struct exchange_reply *reply) {
    if (reply->end == EXCHANGE_NOT_SENT) {
        not_sent(job, reply);
    } else if (reply->end == EXCHANGE_TOO_LARGE && is_synchronous(job)) {
        job_give_up(job, TASK_ERROR_SERVICE, false, JOB_ENDED, SCOPE_REQUEST, exchange_detail(reply));
    } else if (reply->end != EXCHANGE_REPLIED) {
        cut(job, reply);
    } else if (job_reply_is_good(reply)) {
        accepted(job, reply);
    } else {
        refused(job, reply);
    }
}

/* ---- looking it up ---- */

static void lookup_failed(struct job *job, int64_t delay_ms) {
    job->errors++;
    if (!retry_allowed(&lookup_again, job->errors)) {
        give_up_unknown(job);
        return;
    }
    job_do(job, DO_LOOKUP, longer(pause_ms(&lookup_again, job->errors), delay_ms));
}

static void not_found(struct job *job) {
    if (++job->lookups < LOOKUPS_MAX) {
        job_do(job, DO_LOOKUP, LOOKUP_AGAIN_MS);
        return;
    }
    if (is_old(job)) {
        give_up_unknown(job);
        return;
    }
    job_give_up(job, TASK_ERROR_UNAVAILABLE, true, JOB_NOT_MADE, SCOPE_PROVIDER,
                job->lost ? job->lost : "the service does not know the job");
}

static void found(struct job *job, const struct exchange_reply *reply) {
    const struct adapter *adapter = job->service->adapter;
    scoped(json_release) json_t *task = NULL;
    scoped(json_release) json_t *value = NULL;
    struct adapter_step step = { 0 };
    struct fault fault = { 0 };
    enum err err = job_task_value(job, true, &task, &fault);
    if (err == OK) {
        err = adapter_run(adapter, ADAPTER_FOUND, reply->value, task, &value, &fault);
    }
    if (err == OK && json_is_null(value)) {
        not_found(job);
        return;
    }
    if (err == OK) {
        err = adapter_read_step(adapter, value, &step, &fault);
    }
    if (err == OK && step.id) {
        has_id(job, &step, reply);
    } else if (err == OK && step.state == ADAPTER_FAILED && step.failure.taken) {
        job_fail(job, &step.failure, reply, JOB_ENDED);
    } else {
        lookup_failed(job, 0);
    }
}

void lookup_replied(struct job *job, const struct exchange_reply *reply) {
    if (job_reply_is_good(reply)) {
        found(job, reply);
        return;
    }
    struct reply_failure failure = { .value = NULL };
    if (reply->end == EXCHANGE_REPLIED) {
        failure_read(job->service, reply, NULL, &failure);
    }
    if (failure.said.taken_said && !failure.said.taken && reply->status == 404) {
        not_found(job);
    } else {
        lookup_failed(job, failure_delay_ms(&failure.said, reply));
    }
    failure_fini(&failure);
}
