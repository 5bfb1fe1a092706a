/* Running an adapter's samples: each function on what the sample gives it, and whether what comes back can be gone on
 * from.
 */
#include <ctype.h>
#include <jansson.h>
#include <string.h>

#include "base/json.h"
#include "provider/adapter.h"
#include "provider/bridge_check.h"
#include "provider/json_diff.h"

/* What the functions of one adapter leave to each other: whether a step of `call` can be gone on from. */
static bool check_continuation(struct check *check, const struct adapter *adapter, enum adapter_call call,
                               const json_t *step) {
    bool next = json_is_object(json_object_get(step, "next"));
    bool id = json_object_get(step, "id") != NULL;
    if (next && call != ADAPTER_ACCEPTED && call != ADAPTER_CANCELLED && !adapter_has(adapter, ADAPTER_OUTPUT)) {
        return check_complain(check, "the step has next, and the adapter has no output to read the reply with", "");
    }
    if (call != ADAPTER_ACCEPTED || next || json_object_get(step, "error")) {
        return true;
    }
    if (!id && !json_object_get(step, "output")) {
        return check_complain(check, "accepted must give an id, an output, a next or an error", "");
    }
    if (!adapter_has(adapter, ADAPTER_POLL) && !json_object_get(step, "output")) {
        return check_complain(check, "the adapter has no poll, so accepted must give the output", "");
    }
    return true;
}

/* Runs the function and looks at what it gives as the driver would. */
static bool check_returned(struct check *check, const struct adapter *adapter, enum adapter_call call,
                           const json_t *sample, json_t **ret) {
    const char *const *arguments = adapter_call_arguments(call);
    struct fault fault = { 0 };
    const json_t *second = arguments[1] ? json_object_get(sample, arguments[1]) : NULL;
    if (adapter_run(adapter, call, json_object_get(sample, arguments[0]), second, ret, &fault) != OK) {
        return check_fail(check, adapter_call_name(call), &fault);
    }
    if (adapter_check_returned(adapter, call, *ret, &fault) != OK) {
        char where[256];
        adapter_where(adapter, call, where, sizeof(where));
        size_t file = text_starts(text_of(fault.message), text_of(adapter->file)) ? strlen(adapter->file) + 2 : 0;
        buffer_printf(&check->details, "    %s: %s: %s\n", adapter_call_name(call), where,
                      fault.message + (file < strlen(fault.message) ? file : 0));
        return false;
    }
    return check_continuation(check, adapter, call, *ret);
}

static bool check_adapter_sample(struct check *check, const struct adapter *adapter, const json_t *sample) {
    const char *name = json_string_value(json_object_get(sample, "call"));
    enum adapter_call call = ADAPTER_CALL_COUNT;
    if (!name || !adapter_call_parse(text_of(name), &call)) {
        return check_complain(check, "a sample needs call, the name of a function", "");
    }
    const char *const *arguments = adapter_call_arguments(call);
    const char *names[] = { "call", "expect", arguments[0], arguments[1], NULL };
    if (!check_members(check, sample, names)) {
        return false;
    }
    if (!adapter_has(adapter, call)) {
        return check_complain(check, "the adapter has no ", name);
    }
    scoped(json_release) json_t *got = NULL;
    if (!check_returned(check, adapter, call, sample, &got)) {
        return false;
    }
    const json_t *expected = json_object_get(sample, "expect");
    return json_diff(name, expected ? expected : json_null(), got, &check->details);
}

/* The line of the sample, when every `call =` of the source begins one; 0: nobody knows. */
static unsigned line_of_sample(struct text source, size_t count, size_t number) {
    size_t found = 0;
    unsigned line = 0, ret = 0;
    for (unsigned at = 1; source.len > 0; at++) {
        struct text t = text_cut(&source, '\n');
        for (size_t i = 0; i + 6 <= t.len; i++) {
            if (memcmp(t.ptr + i, "call =", 6) == 0 && (i == 0 || !isalnum((unsigned char)t.ptr[i - 1]))) {
                line = at;
                ret = found++ == number ? line : ret;
            }
        }
    }
    return found == count ? ret : 0;
}

/* A function that no sample calls is a function that nobody has seen work. */
static void report_untested(struct check *check, const struct adapter *adapter) {
    for (enum adapter_call call = 0; call < ADAPTER_CALL_COUNT; call++) {
        bool called = !adapter_has(adapter, call);
        for (size_t i = 0; i < json_array_size(adapter->samples) && !called; i++) {
            const char *name = json_string_value(json_object_get(json_array_get(adapter->samples, i), "call"));
            called = name && strcmp(name, adapter_call_name(call)) == 0;
        }
        if (!called) {
            buffer_printf(check->report, "none %s, no sample calls %s\n", adapter->name, adapter_call_name(call));
        }
    }
}

void check_adapter(struct check *check, const struct adapter *adapter, struct text source) {
    size_t count = json_array_size(adapter->samples);
    bool functions = adapter->chat == NULL || adapter_has(adapter, ADAPTER_AUTH);
    if (count == 0 && functions) {
        buffer_printf(check->report, "none provider %s has no samples\n", adapter->name);
    } else {
        report_untested(check, adapter);
    }
    for (size_t i = 0; i < count; i++) {
        const json_t *sample = json_array_get(adapter->samples, i);
        const char *call = json_string_value(json_object_get(sample, "call"));
        bool good = check_adapter_sample(check, adapter, sample);
        unsigned line = good ? 0 : line_of_sample(source, count, i);
        char what[ADAPTER_NAME_SIZE + 256];
        snprintf(what, sizeof(what), line ? "%s (%s:%u)" : "%s", call ? call : "", adapter->file, line);
        check_conclude(check, adapter->name, i, what, good);
    }
}
