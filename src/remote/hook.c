/* What a service says of its own accord: a reason to ask, or, when it is surely the service, an answer. */
#include <jansson.h>

#include "base/json.h"
#include "base/log.h"
#include "base/memory.h"
#include "remote/failure.h"
#include "remote/job.h"

/* The adapter's reading of the event; false: it has none, or none that counts. */
static bool read_event(struct job *job, const struct hook_event *event, json_t **ret_value, struct adapter_step *ret) {
    const struct adapter *adapter = job->service->adapter;
    struct fault fault = { 0 };
    if (!adapter_has(adapter, ADAPTER_HOOK)) {
        return false;
    }
    scoped(json_release) json_t *seen = json_copy((json_t *)(uintptr_t)event->event);
    json_object_set_new(seen, "verified", json_boolean(event->verified));
    enum err err = adapter_run(adapter, ADAPTER_HOOK, seen, NULL, ret_value, &fault);
    if (err == OK && !json_is_null(*ret_value)) {
        err = adapter_read_step(adapter, *ret_value, ret, &fault);
    }
    if (err != OK) {
        char *words scoped(mem_free_pointer) = failure_hide(job->service, job->attempt, fault.message);
        log_event(LOG_WARNING, "a webhook could not be read", LOG_S("provider", job->service->name),
                  LOG_S("task", job->attempt->task), LOG_S("fault", words));
    }
    return err == OK && !json_is_null(*ret_value);
}

/* Something has happened there. What is under way goes on; its answer may be older than the event. */
static void hint(struct job *job) {
    bool waits = job->doing == DO_POLL && job->exchange == NULL && !job->turn.waiting && job->batch == NULL;
    if (job->id && waits) {
        ask_soon(job);
    } else {
        job->soon = true;
    }
}

json_t *job_hook(struct job *job, const struct hook_event *event) {
    scoped(json_release) json_t *value = NULL;
    struct adapter_step step = { 0 };
    bool read = read_event(job, event, &value, &step);
    json_t *reply = read && step.reply ? json_deep_copy(step.reply) : NULL;
    bool ours = read && job->id && (step.id == NULL || strcmp(step.id, job->id) == 0);
    bool tells = step.output || step.next || step.state == ADAPTER_FAILED;
    bool asks = job->doing == DO_POLL || job->doing == DO_OUTPUT;
    if (event->verified && ours && tells && asks) {
        job_stop(job);
        job->errors = job->refusals = job->chain = 0;
        ask_apply(job, &step, NULL);
        return reply;
    }
    if (event->verified && ours && asks) {
        ask_take(job, &step);
    }
    if (!job->ended) {
        hint(job);
    }
    return reply;
}
