/* Adapters: each function of each of them, on replies of any content. It gives something that can be gone on from, or an
 * error that names the place in its file; a request leads nowhere but to the service.
 *
 *   the adapter's name
 *   a sample as in its file: { call = …, reply = …, job = …, … } as JSON */
#include "provider/adapter.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "base/crypto.h"
#include "base/json.h"
#include "fuzz.h"
#include "models.h"
#include "provider/bridge.h"
#include "remote/read_json.h"

void fuzz_begin(void) {
    fuzz_bridge();
}

/* Every function of every adapter is reached. */
static void hold_all_called(const struct adapter *adapter) {
    for (enum adapter_call call = 0; call < ADAPTER_CALL_COUNT; call++) {
        json_t *sample;
        size_t i;
        enum adapter_call called;
        bool found = !adapter_has(adapter, call);
        json_array_foreach(adapter->samples, i, sample) {
            const char *name = json_string_value(json_object_get(sample, "call"));
            found |= name != NULL && adapter_call_parse(text_of(name), &called) && called == call;
        }
        fuzz_hold(found, "no sample of %s calls function %u", adapter->name, (unsigned)call);
    }
}

void fuzz_seeds(void) {
    unsigned count;
    const struct adapter *const *adapters = bridge_adapters(fuzz_bridge(), &count);
    for (unsigned i = 0; i < count; i++) {
        json_t *sample;
        size_t number;
        hold_all_called(adapters[i]);
        json_array_foreach(adapters[i]->samples, number, sample) {
            char name[128];
            json_t *copy = json_copy(sample);
            json_object_del(copy, "expect");
            snprintf(name, sizeof(name), "%s-%zu", adapters[i]->name, number + 1);
            fuzz_seed_json(name, adapters[i]->name, copy);
            json_decref(copy);
        }
    }
}

static const struct adapter *adapter_of(struct text name) {
    unsigned count;
    const struct adapter *const *adapters = bridge_adapters(fuzz_bridge(), &count);
    for (unsigned i = 0; i < count; i++) {
        if (text_equal(name, text_of(adapters[i]->name))) {
            return adapters[i];
        }
    }
    return adapters[crypto_tag(name) % count];
}

/* A reply is what the driver makes of it; arguments of other types never come. */
static bool is_possible(const json_t *sample, const char *argument) {
    const json_t *value = json_object_get(sample, argument);
    if (strcmp(argument, "reply") == 0) {
        return json_is_object(value) && json_is_integer(json_object_get(value, "status")) &&
               json_is_object(json_object_get(value, "headers"));
    }
    return strcmp(argument, "job") != 0 || (json_is_object(value) && json_is_object(json_object_get(value, "task")));
}

/* Whether a sample of the adapter has the same value there. */
static bool is_of_sample(const struct adapter *adapter, const char *argument, const json_t *value) {
    json_t *sample;
    size_t i;
    json_array_foreach(adapter->samples, i, sample) {
        if (json_equal(json_object_get(sample, argument), value)) {
            return true;
        }
    }
    return false;
}

/* A function may complain in words of its own; stumbling over what a service sent is a mistake in it. Jobs and tasks are
 * of our own making and never missing, so only those of the samples count. */
static void hold_complaint(const struct adapter *adapter, const char *const *arguments, const json_t *second,
                           const struct fault *fault) {
    bool missed = second == NULL && arguments[1] != NULL && strstr(fault->message, arguments[1]) != NULL;
    bool ours = strcmp(arguments[0], "reply") == 0 && !missed &&
                (second == NULL || is_of_sample(adapter, arguments[1], second));
    fuzz_hold(!ours || strstr(fault->message, "attempt to") == NULL, "%s", fault->message);
}

static void hold_request(const struct adapter *adapter, const json_t *value) {
    struct adapter_request request;
    struct fault fault = { .err = OK };
    enum err err = adapter_read_request(adapter, value, NULL, &request, &fault);
    if (err != OK) {
        fuzz_hold_fault(err, &fault);
        return;
    }
    fuzz_hold(adapter_may_contact(adapter, NULL, request.url), "%s", request.url);
    fuzz_hold(request.backup_url == NULL || strncmp(request.backup_url, "http", 4) == 0);
    fuzz_hold(request.timeout_s >= 0);
    adapter_request_fini(&request);
}

static void hold_failure(const struct adapter_failure *failure) {
    fuzz_hold(task_error_code(failure->error) != NULL);
    fuzz_hold(failure->delay_s >= 0);
}

static void hold_step(const struct adapter *adapter, const json_t *value) {
    struct adapter_step step;
    struct fault fault = { .err = OK };
    enum err err = adapter_read_step(adapter, value, &step, &fault);
    if (err != OK) {
        fuzz_hold_fault(err, &fault);
        return;
    }
    fuzz_hold(step.progress >= -1 && step.progress <= 100);
    fuzz_hold(step.delay_s >= 0);
    fuzz_hold(step.id == NULL || step.id[0] != '\0');
    if (step.state == ADAPTER_FAILED) {
        hold_failure(&step.failure);
    }
    if (step.next != NULL) {
        hold_request(adapter, step.next);
    }
}

static void hold_returned(const struct adapter *adapter, enum adapter_call call, const json_t *value) {
    struct adapter_failure failure;
    struct fault fault = { .err = OK };
    enum err err = adapter_check_returned(adapter, call, value, &fault);
    if (err != OK) {
        fuzz_hold_fault(err, &fault);
    }
    if (call == ADAPTER_FAILURE && err == OK && !json_is_null(value)) {
        fuzz_hold(adapter_read_failure(adapter, value, &failure, &fault) == OK);
        hold_failure(&failure);
    } else if (json_is_object(value)) {
        hold_request(adapter, value);
        hold_step(adapter, value);
    }
}

void fuzz_one(struct text input) {
    const struct adapter *adapter = adapter_of(fuzz_line(&input));
    json_t *sample = NULL, *value = NULL;
    struct fault fault = { .err = OK };
    enum adapter_call call;
    if (read_service_json(input, &sample, &fault) != OK) {
        return;
    }
    const char *name = json_string_value(json_object_get(sample, "call"));
    if (name != NULL && adapter_call_parse(text_of(name), &call) && adapter_has(adapter, call)) {
        const char *const *arguments = adapter_call_arguments(call);
        const json_t *second = arguments[1] != NULL ? json_object_get(sample, arguments[1]) : NULL;
        if (is_possible(sample, arguments[0]) && (second == NULL || is_possible(sample, arguments[1]))) {
            enum err err = adapter_run(adapter, call, json_object_get(sample, arguments[0]), second, &value, &fault);
            if (err != OK) {
                fuzz_hold_fault(err, &fault);
                fuzz_hold(err == ERR_SCRIPT, "%s", err_info(err)->name);
                hold_complaint(adapter, arguments, second, &fault);
            } else {
                hold_returned(adapter, call, value);
                json_decref(value);
            }
        }
    }
    json_decref(sample);
}
