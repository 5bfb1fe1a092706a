/* A job as its adapter sees it. */
#include <jansson.h>
#include <stdlib.h>

#include "base/json.h"
#include "base/memory.h"
#include "catalog/catalog.h"
#include "provider/bridge.h"
#include "remote/job.h"

static void set_text(json_t *object, const char *name, const char *value) {
    if (value) {
        json_object_set_new(object, name, json_string(value));
    }
}

static enum err set_route(const struct job *job, json_t *task, struct fault *fault) {
    const struct route *route = job->attempt->route;
    json_t *table = NULL;
    if (route == NULL) {
        return OK;
    }
    enum err err = bridge_route(job->service->host.bridge, route, &table, fault);
    if (err == OK) {
        set_text(task, "target", route->target);
        json_object_set_new(task, "route", table);
    }
    return err;
}

static enum err set_input(const struct job *job, json_t *task, struct fault *fault) {
    const struct attempt *attempt = job->attempt;
    json_t *input = NULL;
    if (attempt->input == NULL || attempt->route == NULL) {
        return OK;
    }
    enum err err = bridge_input(job->service->host.bridge, attempt->route, attempt->input, &input, fault);
    if (err == OK) {
        json_object_set_new(task, "input", input);
    }
    return err;
}

enum err job_task_value(const struct job *job, bool whole, json_t **ret, struct fault *fault) {
    const struct attempt *attempt = job->attempt;
    json_t *task = json_object();
    set_text(task, "id", attempt->task);
    set_text(task, "model", attempt->model ? attempt->model->name : NULL);
    set_text(task, "callback_url", attempt->callback_url);
    set_text(task, "external_id", attempt->submission);
    json_object_set_new(task, "number", json_integer(attempt->number));
    enum err err = set_route(job, task, fault);
    if (err == OK && whole) {
        err = set_input(job, task, fault);
    }
    if (err != OK) {
        json_decref(task);
        return err;
    }
    *ret = task;
    return OK;
}

void job_forget_value(struct job *job) {
    json_decref(job->value);
    job->value = NULL;
}

/* The one of the last time, of which only the step may have become another. */
static json_t *same_value(struct job *job) {
    if (job->step) {
        set_text(job->value, "step", job->step);
    } else {
        json_object_del(job->value, "step");
    }
    return json_incref(job->value);
}

json_t *job_value(struct job *job) {
    if (job->value) {
        return same_value(job);
    }
    json_t *value = json_object(), *task = NULL, *state = NULL;
    if (job_task_value(job, job->id == NULL, &task, NULL) == OK) {
        json_object_set_new(value, "task", task);
    }
    if (job->state && json_read_any(text_of(job->state), 128, &state, NULL) == OK) {
        json_object_set_new(value, "state", state);
    }
    set_text(value, "id", job->id);
    set_text(value, "step", job->step);
    set_text(value, "url", service_url(job->service));
    job->value = json_incref(value);
    return value;
}

void job_restore(struct job *job, const char *kept) {
    json_t *value = NULL;
    if (kept == NULL || json_read_object(text_of(kept), 128, &value, NULL) != OK) {
        return;
    }
    const json_t *state = json_object_get(value, "state");
    const char *step = json_string_value(json_object_get(value, "step"));
    job->state = state ? json_render(state) : NULL;
    job->step = step ? mem_string(step) : NULL;
    json_decref(value);
}
