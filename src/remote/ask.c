/* Asking about a job until it ends: questions, what the answers mean, and when to ask again. */
#include <jansson.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/crypto.h"
#include "base/json.h"
#include "base/lasting.h"
#include "base/log.h"
#include "base/memory.h"
#include "remote/exchange.h"
#include "remote/failure.h"
#include "remote/job.h"

#define CHAIN_MAX 8
#define KEPT_MAX ((size_t)64 << 10)
#define NOTE_MAX 1024
#define WORD_MAX 128

static uint32_t any_number(void) {
    return crypto_random_below(UINT32_MAX);
}

/* ---- what an answer tells besides the end ---- */

static void note(struct job *job, const char *kind, const char *name, const json_t *value) {
    struct buffer scoped(buffer_fini) data;
    struct json_writer json;
    char *rendered scoped(mem_free_pointer) = json_is_string(value) ? NULL : json_render(value);
    const char *words = rendered != NULL ? rendered : json_string_value(value);
    char *clean scoped(mem_free_pointer) = failure_hide(job->service, job->attempt, words);
    buffer_init(&data, NOTE_MAX);
    json_begin(&json, &data);
    json_object_begin(&json);
    json_key(&json, name);
    if (json_is_string(value)) {
        json_text(&json, text_clip(text_of(clean), WORD_MAX));
    } else {
        json_raw(&json, text_of(clean));
    }
    json_object_end(&json);
    if (buffer_ok(&data)) {
        job->attempt->note(job->attempt, kind, data.data);
    }
}

static void warn_of_status(struct job *job, const char *status) {
    if (job->warned) {
        return;
    }
    scoped(json_release) json_t *word = json_string(status);
    char *clean scoped(mem_free_pointer) = failure_hide(job->service, job->attempt, status);
    job->warned = true;
    log_event(LOG_WARNING, "a status that the adapter does not know", LOG_S("provider", job->service->name),
              LOG_S("task", job->attempt->task), LOG_T("status", text_clip(text_of(clean), WORD_MAX)));
    note(job, "unknown_status", "status", word);
}

static bool replace(char **place, char *value) {
    bool changed = *place == NULL || strcmp(*place, value) != 0;
    lasting_free_text(*place);
    *place = value;
    return changed;
}

static bool take_state(struct job *job, const json_t *kept) {
    struct buffer scoped(buffer_fini) buf;
    buffer_init(&buf, KEPT_MAX - 256);
    json_render_to(&buf, kept);
    if (!buffer_ok(&buf)) {
        log_event(LOG_ERROR, "what the adapter wants to keep is too large and is not kept",
                  LOG_S("provider", job->service->name), LOG_S("task", job->attempt->task));
        return false;
    }
    return job_set_state(job, buffer_text(&buf), kept);
}

static void tell_taken(struct job *job) {
    struct buffer scoped(buffer_fini) kept;
    struct json_writer json;
    buffer_init(&kept, KEPT_MAX);
    json_begin(&json, &kept);
    json_object_begin(&json);
    if (job->state) {
        json_key(&json, "state");
        json_raw(&json, TEXT_NONE);
        job_put_state(job, &kept);
    }
    if (job->step) {
        json_key(&json, "step");
        json_text(&json, text_of(job->step));
    }
    json_object_end(&json);
    job->attempt->taken(job->attempt, job->id, job->state || job->step ? kept.data : NULL);
}

void ask_take(struct job *job, const struct adapter_step *step) {
    bool changed = false;
    if (step->unknown_status) {
        warn_of_status(job, step->unknown_status);
    }
    if (step->step) {
        bool other = replace(&job->step, lasting_text(text_clip(text_of(step->step), WORD_MAX)));
        changed = other && step->next == NULL; /* the name of a request that is sent at once is not worth a write */
    }
    if (step->id) {
        changed = job_set_id(job, text_of(step->id)) || changed;
    }
    if (step->kept) {
        changed = take_state(job, step->kept) || changed;
    }
    if (job->id && changed) {
        tell_taken(job);
    }
    if (json_integer_value(step->position) > 0 && !job->placed && !job->ended) { /* the first: each is a write */
        job->placed = true;
        note(job, "queued", "position", step->position);
    }
    if (step->cost && !job->ended) {
        note(job, "cost", "cost", step->cost);
    }
    if (step->progress >= 0 && !job->ended) {
        job->attempt->progress(job->attempt, step->progress);
    }
}

void ask_apply(struct job *job, const struct adapter_step *step, const struct exchange_reply *reply) {
    ask_take(job, step);
    if (job->ended) {
        return;
    }
    if (step->state == ADAPTER_FAILED && step->failure.again) { /* refused under HTTP 200 */
        ask_failed(job, failure_delay_ms(&step->failure, reply), step->failure.detail);
    } else if (step->state == ADAPTER_FAILED) {
        job_fail(job, &step->failure, reply, JOB_ENDED);
    } else if (step->next && ++job->chain > CHAIN_MAX) {
        ask_failed(job, 0, "too many requests for one answer");
    } else if (step->next) {
        json_decref(job->next);
        job->next = json_incref((json_t *)(uintptr_t)step->next);
        job_do(job, DO_OUTPUT, (int64_t)(step->delay_s * 1000));
    } else if (step->output) {
        job_complete(job, (json_t *)(uintptr_t)step->output);
    } else {
        ask_later(job, step->delay_s);
    }
}

void ask_apply_answer(struct job *job, const struct adapter_step *step, const struct exchange_reply *reply) {
    job->errors = step->next ? job->errors : 0; /* it is as good as the answer to its request */
    job->refusals = step->next ? job->refusals : 0;
    ask_apply(job, step, reply);
}

/* ---- when ---- */

/* Not before the floor after the last question, nor before the service wants to be asked. */
static int64_t earliest_ms(const struct job *job) {
    int64_t now_ms = clock_monotonic_ms();
    int64_t floor_ms = job->asked_ms > 0 ? job->asked_ms + poll_plan_floor_ms(&job->service->plan) : now_ms;
    int64_t at_ms = floor_ms > job->not_before_ms ? floor_ms : job->not_before_ms;
    return at_ms > now_ms ? at_ms - now_ms : 0;
}

static void forget_next(struct job *job) {
    json_decref(job->next);
    job->next = NULL;
    job->chain = 0;
}

/* It came to nothing, and its name is not that of the question which follows. */
static void give_up_next(struct job *job) {
    if (job->next) {
        lasting_free_text(job->step);
        job->step = NULL;
    }
    forget_next(job);
}

void ask_soon(struct job *job) {
    job->soon = false;
    give_up_next(job);
    job_do(job, DO_POLL, earliest_ms(job));
}

void ask_later(struct job *job, double delay_s) {
    job_answer_refresh(job);
    if (job->ended || cancel_begin(job)) {
        return;
    }
    if (!adapter_has(job->service->adapter, ADAPTER_POLL)) {
        job_give_up(job, TASK_ERROR_NO_CONTENT, false, JOB_ENDED, SCOPE_PROVIDER, "a reply without output");
        return;
    }
    if (job->soon) {
        ask_soon(job);
        return;
    }
    int64_t earliest = earliest_ms(job);
    int64_t pause_ms =
        delay_s > 0 ? (int64_t)(delay_s * 1000) : poll_plan_pause_ms(&job->service->plan, job->asked, any_number());
    forget_next(job);
    job_do(job, DO_POLL, pause_ms > earliest ? pause_ms : earliest);
}

static void log_failed(const struct job *job, const char *words) {
    if (log_enabled(LOG_DEBUG)) {
        char *clean scoped(mem_free_pointer) = failure_hide(job->service, job->attempt, words);
        log_event(LOG_DEBUG, "a question came to nothing", LOG_S("provider", job->service->name),
                  LOG_S("task", job->attempt->task), LOG_I("errors", job->errors), LOG_S("detail", clean));
    }
}

void ask_failed(struct job *job, int64_t delay_ms, const char *words) {
    job->errors++;
    if (delay_ms > 0) {
        job->not_before_ms = clock_monotonic_ms() + delay_ms;
    }
    log_failed(job, words);
    job_answer_refresh(job);
    if (job->ended || cancel_begin(job)) {
        return;
    }
    int64_t pause_ms = poll_plan_backoff_ms(&job->service->plan, job->errors, any_number());
    pause_ms = pause_ms > delay_ms ? pause_ms : delay_ms;
    if (adapter_has(job->service->adapter, ADAPTER_POLL)) {
        give_up_next(job);
        job_do(job, DO_POLL, pause_ms);
    } else { /* the same once more: nothing else tells how it ended */
        job_do(job, DO_OUTPUT, pause_ms);
    }
}

/* ---- questions and answers ---- */

enum err ask_request(struct job *job, json_t **ret, struct fault *fault) {
    if (job->doing == DO_OUTPUT) {
        *ret = json_incref(job->next);
        return OK;
    }
    scoped(json_release) json_t *value = job_value(job);
    job->asked++;
    return adapter_run(job->service->adapter, ADAPTER_POLL, value, NULL, ret, fault);
}

static void unreadable(struct job *job, const char *words) {
    if (!job->complained) {
        scoped(json_release) json_t *fault = json_string(words);
        char *clean scoped(mem_free_pointer) = failure_hide(job->service, job->attempt, words);
        job->complained = true;
        log_event(LOG_WARNING, "an answer could not be read", LOG_S("provider", job->service->name),
                  LOG_S("task", job->attempt->task), LOG_S("fault", clean));
        note(job, "unreadable_answer", "fault", fault);
    }
    ask_failed(job, 0, words);
}

void ask_refused(struct job *job, const struct exchange_reply *reply) {
    scoped(json_release) json_t *value = job_value(job);
    struct reply_failure failure;
    failure_read(job->service, reply, value, &failure);
    job->refusals++;
    if (failure_asks_again(&failure.said, reply->status, job->refusals)) {
        job->refusals -= adapter_status_again(reply->status) ? 1 : 0;
        ask_failed(job, failure_delay_ms(&failure.said, reply), exchange_detail(reply));
    } else {
        if (failure.value == NULL && reply->status == 404) { /* it has forgotten the job, not something of the task's */
            failure.said.error = TASK_ERROR_SERVICE;
            failure.said.retryable = false; /* what it has forgotten may be done and paid */
        }
        job_fail(job, &failure.said, reply, JOB_ENDED);
    }
    failure_fini(&failure);
}

static void answered(struct job *job, const struct exchange_reply *reply) {
    const struct adapter *adapter = job->service->adapter;
    enum adapter_call call = job->doing == DO_OUTPUT ? ADAPTER_OUTPUT : ADAPTER_POLLED;
    scoped(json_release) json_t *value = NULL;
    scoped(json_release) json_t *before = job_value(job);
    struct adapter_step step = { 0 };
    struct fault fault = { 0 };
    enum err err = adapter_has(adapter, call)
                       ? adapter_run(adapter, call, reply->value, before, &value, &fault)
                       : fault_set(&fault, ERR_SCRIPT, "%s: a request has followed, and there is no %s", adapter->file,
                                   adapter_call_name(call));
    if (err == OK) {
        err = adapter_read_step(adapter, value, &step, &fault);
    }
    if (err != OK) {
        unreadable(job, fault.message);
        return;
    }
    ask_apply_answer(job, &step, reply);
}

void ask_replied(struct job *job, const struct exchange_reply *reply) {
    if (reply->end == EXCHANGE_TOO_LARGE) {
        job_give_up(job, TASK_ERROR_SERVICE, false, JOB_ENDED, SCOPE_REQUEST, exchange_detail(reply));
    } else if (reply->end != EXCHANGE_REPLIED) {
        ask_failed(job, reply->retry_after_ms, exchange_detail(reply));
    } else if (job_reply_is_good(reply)) {
        answered(job, reply);
    } else {
        ask_refused(job, reply);
    }
}
