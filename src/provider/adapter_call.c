/* Calling an adapter's functions, and its credentials. */
#include <jansson.h>

#include "base/json.h"
#include "catalog/catalog.h"
#include "provider/adapter.h"
#include "provider/lua_call.h"

static const struct {
    const char *name;
    const char *arguments[3];
} calls[] = {
    [ADAPTER_AUTH] = { "auth", { "key", "now" } },
    [ADAPTER_SUBMIT] = { "submit", { "task" } },
    [ADAPTER_ACCEPTED] = { "accepted", { "reply", "job" } },
    [ADAPTER_POLL] = { "poll", { "job" } },
    [ADAPTER_POLLED] = { "polled", { "reply", "job" } },
    [ADAPTER_OUTPUT] = { "output", { "reply", "job" } },
    [ADAPTER_CANCEL] = { "cancel", { "job" } },
    [ADAPTER_CANCELLED] = { "cancelled", { "reply", "job" } },
    [ADAPTER_LOOKUP] = { "lookup", { "task" } },
    [ADAPTER_FOUND] = { "found", { "reply", "task" } },
    [ADAPTER_POLL_MANY] = { "poll_many", { "jobs" } },
    [ADAPTER_POLLED_MANY] = { "polled_many", { "reply", "jobs" } },
    [ADAPTER_HOOK] = { "hook", { "event" } },
    [ADAPTER_FAILURE] = { "failure", { "reply", "job" } },
};

const char *adapter_call_name(enum adapter_call call) {
    return calls[call].name;
}

bool adapter_call_parse(struct text name, enum adapter_call *ret) {
    for (size_t i = 0; i < ARRAY_SIZE(calls); i++) {
        if (text_equal(name, text_of(calls[i].name))) {
            *ret = (enum adapter_call)i;
            return true;
        }
    }
    return false;
}

const char *const *adapter_call_arguments(enum adapter_call call) {
    return calls[call].arguments;
}

bool adapter_has(const struct adapter *adapter, enum adapter_call call) {
    return adapter->functions[call] != LUA_NONE;
}

void adapter_where(const struct adapter *adapter, enum adapter_call call, char *ret, size_t size) {
    char where[LUA_WHERE_SIZE];
    lua_call_where(adapter->script, adapter->functions[call], where);
    snprintf(ret, size, "%s", where);
}

enum err adapter_run(const struct adapter *adapter, enum adapter_call call, const json_t *first, const json_t *second,
                     json_t **ret, struct fault *fault) {
    struct lua_call lua_call = {
        .function = adapter->functions[call], .arguments = { first, second }, .argument_count = 2, .lazy = true, .results = 1
    };
    return lua_call_json(adapter->script, &lua_call, ret, fault);
}

static bool all_texts(const json_t *value) {
    const char *key = NULL;
    json_t *member = NULL;
    json_object_foreach((json_t *)(uintptr_t)value, key, member) {
        if (!json_is_string(member)) {
            return false;
        }
    }
    return json_is_object(value);
}

static enum err read_credentials(const struct adapter *adapter, const json_t *value, struct adapter_credentials *ret,
                                 struct fault *fault) {
    struct adapter_credentials got = { .headers = json_copy((json_t *)(uintptr_t)value) };
    if (!json_is_object(value)) {
        json_decref(got.headers);
        return fault_set(fault, ERR_SCRIPT, "%s: auth must return a table", adapter->file);
    }
    got.query = json_incref(json_object_get(value, "query"));
    got.basic = json_incref(json_object_get(value, "basic"));
    const json_t *lifetime = json_object_get(value, "lifetime");
    got.lifetime_s = json_number_value(lifetime);
    json_object_del(got.headers, "query");
    json_object_del(got.headers, "basic");
    json_object_del(got.headers, "lifetime");
    bool basic_good = !got.basic || (json_array_size(got.basic) == 2 && json_is_string(json_array_get(got.basic, 0)) &&
                                     json_is_string(json_array_get(got.basic, 1)));
    if (!all_texts(got.headers) || (got.query && !all_texts(got.query)) || !basic_good ||
        (lifetime && !(got.lifetime_s > 0))) {
        adapter_credentials_fini(&got);
        return fault_set(fault, ERR_SCRIPT,
                         "%s: auth must return headers as texts, and at most query = { name = text }, "
                         "basic = { user, password } and lifetime = seconds",
                         adapter->file);
    }
    *ret = got;
    return OK;
}

enum err adapter_authenticate(const struct adapter *adapter, const char *key, int64_t now_s,
                              struct adapter_credentials *ret, struct fault *fault) {
    if (!adapter_has(adapter, ADAPTER_AUTH)) {
        *ret = (struct adapter_credentials){ .headers = json_object() };
        return OK;
    }
    scoped(json_release) json_t *key_value = json_string(key);
    scoped(json_release) json_t *now = json_integer(now_s);
    json_t *value = NULL;
    enum err err = adapter_run(adapter, ADAPTER_AUTH, key_value, now, &value, fault);
    if (err == OK) {
        err = read_credentials(adapter, value, ret, fault);
        json_decref(value);
    }
    return err;
}

void adapter_credentials_fini(struct adapter_credentials *credentials) {
    json_decref(credentials->headers);
    json_decref(credentials->query);
    json_decref(credentials->basic);
    *credentials = (struct adapter_credentials){ 0 };
}

static enum err check_request(const struct adapter *adapter, const json_t *value, struct fault *fault) {
    struct adapter_request request;
    enum err err = adapter_read_request(adapter, value, NULL, &request, fault);
    if (err == OK) {
        adapter_request_fini(&request);
    }
    return err;
}

static enum err check_step(const struct adapter *adapter, const json_t *value, struct fault *fault) {
    struct adapter_step step;
    enum err err = adapter_read_step(adapter, value, &step, fault);
    return err == OK && step.next ? check_request(adapter, step.next, fault) : err;
}

static enum err check_steps(const struct adapter *adapter, const json_t *value, struct fault *fault) {
    const char *id = NULL;
    json_t *step = NULL;
    enum err err = OK;
    json_object_foreach((json_t *)(uintptr_t)value, id, step) {
        err = err == OK ? check_step(adapter, step, fault) : err;
    }
    return json_is_object(value) ? err
                                 : fault_set(fault, ERR_SCRIPT, "%s: polled_many must return a table of steps by id",
                                             adapter->file);
}

enum err adapter_check_returned(const struct adapter *adapter, enum adapter_call call, const json_t *value,
                                struct fault *fault) {
    struct adapter_failure failure;
    struct adapter_credentials credentials;
    enum err err = OK;
    switch (call) {
    case ADAPTER_AUTH:
        err = read_credentials(adapter, value, &credentials, fault);
        if (err == OK) {
            adapter_credentials_fini(&credentials);
        }
        return err;
    case ADAPTER_CANCEL:
        if (json_is_null(value)) {
            return OK;
        }
        /* fall through */
    case ADAPTER_SUBMIT:
    case ADAPTER_POLL:
    case ADAPTER_LOOKUP:
    case ADAPTER_POLL_MANY:
        return check_request(adapter, value, fault);
    case ADAPTER_FAILURE:
        return json_is_null(value) ? OK : adapter_read_failure(adapter, value, &failure, fault);
    case ADAPTER_FOUND:
    case ADAPTER_CANCELLED:
    case ADAPTER_HOOK:
        return json_is_null(value) ? OK : check_step(adapter, value, fault);
    case ADAPTER_POLLED_MANY:
        return check_steps(adapter, value, fault);
    case ADAPTER_ACCEPTED:
    case ADAPTER_POLLED:
    case ADAPTER_OUTPUT:
    case ADAPTER_CALL_COUNT:
        break;
    }
    return check_step(adapter, value, fault);
}
