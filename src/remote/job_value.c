/* A job as its adapter sees it. */
#include <assert.h>
#include <jansson.h>
#include <stdlib.h>

#include "base/json.h"
#include "base/lasting.h"
#include "base/memory.h"
#include "base/shared.h"
#include "catalog/catalog.h"
#include "provider/bridge.h"
#include "remote/job.h"

#define STATE_MAX ((size_t)1 << 20) /* beyond what may be kept */
#define VALUE_MAX ((size_t)8 << 10) /* of a value that is not made anew each time */

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
    if (job->value != NULL)
        job->service->values--;
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

/* ---- the state, packed ----
 *
 * Services name a job by addresses, and each of these has the job's id and the service's own address in it: with a byte in
 * its place the states of a model's jobs are all alike, and one text for all of them. JSON text has no such bytes. */

#define PACKED_ID '\x01'
#define PACKED_URL '\x02'

static bool is_at(const char *at, const char *end, struct text words) {
    return words.len > 1 && (size_t)(end - at) >= words.len && memcmp(at, words.ptr, words.len) == 0;
}

static const char *pack(const struct job *job, struct text state) {
    struct text id = text_of(job->id), url = text_of(service_url(job->service));
    size_t len = 0;
    if (state.ptr == NULL)
        return NULL;
    scoped(mem_free_pointer) char *room = mem_new(state.len + 1); /* its bound is the caller's */
    for (const char *at = state.ptr, *end = at + state.len; at < end;) {
        bool is_id = is_at(at, end, id), is_url = !is_id && is_at(at, end, url);
        room[len++] = is_id ? PACKED_ID : is_url ? PACKED_URL : *at;
        at += is_id ? id.len : is_url ? url.len : 1;
    }
    return shared_text((struct text){ room, len });
}

bool job_set_state(struct job *job, struct text state, const json_t *kept) {
    const char *packed = pack(job, state);
    bool changed = job->state != packed; /* equal ones are one */
    if (changed && (kept == NULL || state.len > VALUE_MAX))
        job_forget_value(job);
    else if (changed && job->value != NULL)
        json_object_set(job->value, "state", (json_t *)(uintptr_t)kept);
    shared_drop(job->state);
    job->state = packed;
    return changed;
}

void job_put_state(const struct job *job, struct buffer *buf) {
    for (const char *at = job->state; *at != '\0'; at++) {
        if (*at == PACKED_ID)
            buffer_put(buf, text_of(job->id));
        else if (*at == PACKED_URL)
            buffer_put(buf, text_of(service_url(job->service)));
        else
            buffer_put_char(buf, *at);
    }
}

bool job_set_id(struct job *job, struct text id) {
    if (job->id != NULL && text_equal(text_of(job->id), id))
        return false;
    struct buffer scoped(buffer_fini) state;
    buffer_init(&state, STATE_MAX);
    if (job->state != NULL)
        job_put_state(job, &state);
    lasting_free_text(job->id);
    job->id = lasting_text(id);
    assert(buffer_ok(&state));
    if (job->state != NULL) {
        shared_drop(job->state);
        job->state = pack(job, buffer_text(&state)); /* by the new one */
    }
    if (job->value != NULL) {
        set_text(job->value, "id", job->id);
        json_object_del(json_object_get(job->value, "task"), "input");
    }
    return true;
}

static enum err read_state(const struct job *job, json_t **ret) {
    if (job->state == NULL)
        return ERR_NOT_FOUND;
    struct buffer scoped(buffer_fini) state;
    buffer_init(&state, STATE_MAX);
    job_put_state(job, &state);
    return buffer_ok(&state) ? json_read_any(buffer_text(&state), 128, ret, NULL) : ERR_NO_MEMORY;
}

/* Bytes of its texts, more or less. */
static size_t weight_of(const json_t *value) {
    size_t weight = json_is_string(value) ? json_string_length(value) : 0, i = 0;
    const char *key = NULL;
    json_t *member = NULL;
    if (json_is_array(value)) {
        json_array_foreach(value, i, member) {
            weight += weight_of(member);
        }
    }
    json_object_foreach((json_t *)(uintptr_t)value, key, member) {
        weight += weight_of(member);
    }
    return weight;
}

/* Inputs can be megabytes, which their attempt holds already. */
static void keep_value(struct job *job, json_t *value) {
    if (weight_of(value) <= VALUE_MAX) {
        job->value = json_incref(value);
        job->service->values++;
    }
}

json_t *job_value(struct job *job) {
    if (job->value) {
        return same_value(job);
    }
    json_t *value = json_object(), *task = NULL, *state = NULL;
    if (job_task_value(job, job->id == NULL, &task, NULL) == OK) {
        json_object_set_new(value, "task", task);
    }
    if (read_state(job, &state) == OK) {
        json_object_set_new(value, "state", state);
    }
    set_text(value, "id", job->id);
    set_text(value, "step", job->step);
    set_text(value, "url", service_url(job->service));
    keep_value(job, value);
    return value;
}

void job_restore(struct job *job, const char *id, const char *kept) {
    json_t *value = NULL;
    if (id) {
        job_set_id(job, text_of(id));
    }
    if (kept == NULL || json_read_object(text_of(kept), 128, &value, NULL) != OK) {
        return;
    }
    const json_t *state = json_object_get(value, "state");
    const char *step = json_string_value(json_object_get(value, "step"));
    scoped(mem_free_pointer) char *text = state ? json_render(state) : NULL;
    job_set_state(job, text_of(text), NULL);
    job->step = step ? lasting_text(text_of(step)) : NULL;
    json_decref(value);
}
