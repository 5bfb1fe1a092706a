/* What a reply means: the steps and failures that adapters return, checked. */
#include <jansson.h>
#include <math.h>

#include "base/json.h"
#include "provider/adapter.h"

#define ID_MAX 512
#define DELAY_MAX_S 86400.0

static bool known_members(const json_t *value, const char *const *names, size_t count, const char **ret_unknown) {
    const char *key = NULL;
    json_t *member = NULL;
    json_object_foreach((json_t *)(uintptr_t)value, key, member) {
        bool known = false;
        for (size_t i = 0; i < count; i++) {
            known = known || strcmp(key, names[i]) == 0;
        }
        if (!known) {
            *ret_unknown = key;
            return false;
        }
    }
    return true;
}

/* null and absence are the same. */
static const json_t *member_of(const json_t *value, const char *name) {
    const json_t *member = json_object_get(value, name);
    return json_is_null(member) ? NULL : member;
}

static bool optional_text(const json_t *value, const char *name, const char **ret) {
    const json_t *member = member_of(value, name);
    if (member && !json_is_string(member)) {
        return false;
    }
    *ret = member ? json_string_value(member) : NULL;
    return true;
}

static bool optional_delay(const json_t *value, double *ret) {
    const json_t *member = member_of(value, "delay");
    double delay = json_number_value(member);
    *ret = delay < DELAY_MAX_S ? delay : DELAY_MAX_S;
    return !member || (json_is_number(member) && delay >= 0);
}

/* ---- failures ---- */

struct adapter_failure adapter_status_failure(int http_status) {
    static const struct {
        int status;
        enum task_error error;
        bool retryable, taken;
    } rows[] = {
        { 400, TASK_ERROR_INVALID_PARAMETERS, false, false },
        { 401, TASK_ERROR_SERVICE, false, false },
        { 402, TASK_ERROR_QUOTA, false, false },
        { 403, TASK_ERROR_SERVICE, false, false },
        { 404, TASK_ERROR_RESOURCE_NOT_FOUND, false, false },
        { 405, TASK_ERROR_SERVICE, false, false },
        { 413, TASK_ERROR_INVALID_PARAMETERS, false, false },
        { 415, TASK_ERROR_INVALID_PARAMETERS, false, false },
        { 422, TASK_ERROR_INVALID_PARAMETERS, false, false },
        { 429, TASK_ERROR_RESOURCE_EXHAUSTED, true, false },
        { 503, TASK_ERROR_UNAVAILABLE, true, false },
        { 529, TASK_ERROR_UNAVAILABLE, true, false },
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        if (rows[i].status == http_status) {
            return (struct adapter_failure){ .error = rows[i].error,
                                             .retryable = rows[i].retryable,
                                             .taken = rows[i].taken,
                                             .scope = adapter_status_scope(http_status) };
        }
    }
    /* other refusals of the request took nothing; other errors of the server may have */
    bool refused = http_status >= 400 && http_status < 500 && http_status != 408;
    return (struct adapter_failure){ .error = TASK_ERROR_SERVICE,
                                     .retryable = !refused,
                                     .taken = !refused,
                                     .scope = adapter_status_scope(http_status) };
}

enum failure_scope adapter_status_scope(int http_status) {
    switch (http_status) {
    case 401:
    case 403:
        return SCOPE_KEY;
    case 402:
        return SCOPE_ACCOUNT;
    case 429:
        return SCOPE_CAPACITY;
    default:
        return http_status >= 500 || http_status == 408 ? SCOPE_PROVIDER : SCOPE_REQUEST;
    }
}

bool adapter_status_again(int http_status) {
    return http_status == 408 || http_status == 425 || http_status == 429 || http_status >= 500;
}

/* For a failure that says no scope, when there is no HTTP status that tells. */
static enum failure_scope error_scope(enum task_error error) {
    switch (error) {
    case TASK_ERROR_QUOTA:
        return SCOPE_ACCOUNT;
    case TASK_ERROR_RESOURCE_EXHAUSTED:
        return SCOPE_CAPACITY;
    case TASK_ERROR_SERVICE:
    case TASK_ERROR_UNAVAILABLE:
        return SCOPE_PROVIDER;
    default:
        return SCOPE_REQUEST;
    }
}

static bool optional_scope(const json_t *value, struct adapter_failure *failure) {
    const json_t *scope = member_of(value, "scope");
    failure->scope_said = scope != NULL;
    failure->scope = error_scope(failure->error);
    return !scope || (json_is_string(scope) && failure_scope_parse(text_of(json_string_value(scope)), &failure->scope));
}

enum err adapter_read_failure(const struct adapter *adapter, const json_t *value, struct adapter_failure *ret,
                              struct fault *fault) {
    static const char *const names[] = { "code",  "message", "detail", "retryable",
                                         "taken", "delay",   "scope",  "again" };
    const char *unknown = NULL, *code = NULL;
    if (!json_is_object(value) || !known_members(value, names, ARRAY_SIZE(names), &unknown)) {
        return fault_set(fault, ERR_SCRIPT, "%s: a failure %s%s", adapter->file,
                         unknown ? "has no member " : "must be a table", unknown ? unknown : "");
    }
    struct adapter_failure got = { .taken = true };
    if (!optional_text(value, "code", &code) || !code || !task_error_parse(text_of(code), &got.error)) {
        return fault_set(fault, ERR_SCRIPT, "%s: a failure's code must be a task error code, not %s", adapter->file,
                         code ? code : "nothing");
    }
    const json_t *retryable = member_of(value, "retryable"), *taken = member_of(value, "taken");
    const json_t *again = member_of(value, "again");
    if (!optional_text(value, "message", &got.message) || !optional_text(value, "detail", &got.detail) ||
        !optional_delay(value, &got.delay_s) || (retryable && !json_is_boolean(retryable)) ||
        (taken && !json_is_boolean(taken)) || (again && !json_is_boolean(again))) {
        return fault_set(fault, ERR_SCRIPT,
                         "%s: a failure's message and detail must be texts, retryable and taken booleans, "
                         "again a boolean, delay seconds",
                         adapter->file);
    }
    if (!optional_scope(value, &got)) {
        return fault_set(fault, ERR_SCRIPT,
                         "%s: a failure's scope must be request, key, account, capacity, provider or route", adapter->file);
    }
    got.retryable = retryable ? json_is_true(retryable) : task_error_retryable(got.error);
    got.taken = !json_is_false(taken);
    got.taken_said = taken != NULL;
    got.again_said = again != NULL;
    got.again = json_is_true(again);
    *ret = got;
    return OK;
}

/* ---- steps ---- */

static const char *const state_names[] = {
    [ADAPTER_PENDING] = "pending",
    [ADAPTER_PROCESSING] = "processing",
    [ADAPTER_COMPLETED] = "completed",
    [ADAPTER_FAILED] = "failed",
};

static bool state_parse(const char *name, enum adapter_state *ret) {
    for (size_t i = 0; i < ARRAY_SIZE(state_names); i++) {
        if (strcmp(name, state_names[i]) == 0) {
            *ret = (enum adapter_state)i;
            return true;
        }
    }
    return false;
}

/* Our words, or the provider's by its table; a word in neither is work under way, and the caller warns. */
static void read_status(const struct adapter *adapter, const char *status, struct adapter_step *step) {
    for (unsigned i = 0; i < adapter->status_count; i++) {
        if (strcmp(adapter->statuses[i].name, status) == 0) {
            status = adapter->statuses[i].value;
            break;
        }
    }
    if (!state_parse(status, &step->state)) {
        step->state = ADAPTER_PROCESSING;
        step->unknown_status = status;
    }
}

/* Ids are texts, whatever their JSON is; a number that is no integer has lost digits. */
static bool read_id(const json_t *id, struct adapter_step *step) {
    if (json_is_integer(id)) {
        snprintf(step->number, sizeof(step->number), "%lld", (long long)json_integer_value(id));
        step->id = step->number;
        return true;
    }
    step->id = json_string_value(id);
    return !id || (step->id && *step->id && strlen(step->id) <= ID_MAX);
}

static bool read_progress(const struct adapter *adapter, const json_t *progress, struct adapter_step *step) {
    double share = json_number_value(progress) / adapter->progress_max * 100;
    step->progress = !progress ? -1 : share <= 0 ? 0 : share >= 100 ? 100 : (int)floor(share);
    return !progress || (json_is_number(progress) && !isnan(share));
}

static enum err read_parts(const struct adapter *adapter, const json_t *value, struct adapter_step *step,
                           struct fault *fault) {
    const char *status = NULL;
    step->output = member_of(value, "output");
    step->next = member_of(value, "next");
    step->kept = member_of(value, "state");
    step->cost = member_of(value, "cost");
    step->reply = member_of(value, "reply");
    step->position = member_of(value, "position");
    const json_t *error = member_of(value, "error");
    if (!read_id(member_of(value, "id"), step)) {
        return fault_set(fault, ERR_SCRIPT, "%s: a step's id must be a text of 1 to %d bytes or an integer",
                         adapter->file, ID_MAX);
    }
    if (!read_progress(adapter, member_of(value, "progress"), step) || !optional_delay(value, &step->delay_s) ||
        !optional_text(value, "status", &status) || !optional_text(value, "step", &step->step)) {
        return fault_set(fault, ERR_SCRIPT, "%s: a step's progress and delay must be numbers, status and step texts",
                         adapter->file);
    }
    if (step->position && (!json_is_integer(step->position) || json_integer_value(step->position) < 0)) {
        return fault_set(fault, ERR_SCRIPT, "%s: a step's position must be a whole number from 0", adapter->file);
    }
    if (!step->id && !status && !step->output && !step->next && !error && !step->reply) {
        return fault_set(fault, ERR_SCRIPT, "%s: a step needs one of id, status, output, next, error", adapter->file);
    }
    step->state = step->output && !step->next ? ADAPTER_COMPLETED : ADAPTER_PROCESSING;
    if (status) {
        read_status(adapter, status, step);
    }
    if (error) {
        step->state = ADAPTER_FAILED;
        return adapter_read_failure(adapter, error, &step->failure, fault);
    }
    return OK;
}

enum err adapter_read_step(const struct adapter *adapter, const json_t *value, struct adapter_step *ret,
                           struct fault *fault) {
    static const char *const names[] = {
        "id", "status", "output", "next", "step", "error", "progress", "state", "cost", "delay", "reply",
        "position",
    };
    const char *unknown = NULL;
    if (!json_is_object(value) || !known_members(value, names, ARRAY_SIZE(names), &unknown)) {
        return fault_set(fault, ERR_SCRIPT, "%s: a step %s%s", adapter->file,
                         unknown ? "has no member " : "must be a table", unknown ? unknown : "");
    }
    *ret = (struct adapter_step){ .progress = -1 };
    enum err err = read_parts(adapter, value, ret, fault);
    if (err != OK) {
        return err;
    }
    if (ret->state == ADAPTER_FAILED && ret->failure.error == TASK_ERROR_NONE) {
        ret->failure =
            (struct adapter_failure){ .error = TASK_ERROR_GENERATION_FAILED, .retryable = true, .taken = true,
                                      .scope = SCOPE_REQUEST };
    }
    if (ret->state == ADAPTER_COMPLETED && !ret->output && !ret->next) {
        return fault_set(fault, ERR_SCRIPT, "%s: a completed step needs output, or next to fetch it", adapter->file);
    }
    return OK;
}
