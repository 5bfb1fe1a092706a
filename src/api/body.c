/* Reading bodies in JSON. */
#include "api/body.h"

#include <jansson.h>

#include "base/json.h"

#define SMALL_DEPTH_MAX 8
#define WHOLE_MAX 1e15 /* reals beyond are none that anybody means as whole numbers */

enum err read_json_body(struct exchange *exchange, unsigned max_depth, struct json_t **ret, struct fault *fault) {
    if (!content_type_is(exchange_header(exchange, HEADER_CONTENT_TYPE), TEXT("application/json")))
        return fault_set(fault, ERR_INVALID_CONTENT_TYPE, "Send the request's body as Content-Type: application/json.");
    return json_read_request(exchange_body(exchange), max_depth, ret, fault);
}

/* ---- fields ---- */

static bool is_known(const char *name, const char *const *known) {
    for (; *known != NULL; known++)
        if (strcmp(name, *known) == 0)
            return true;
    return false;
}

enum err check_fields(const struct json_t *body, const char *const *known, struct fault *fault) {
    const char *name;
    json_t *value;
    json_object_foreach((json_t *)(uintptr_t)body, name, value) {
        if (is_known(name, known))
            continue;
        char param[64];
        const char *said = name[0] != '\0' ? name : "\"\"";
        snprintf(param, sizeof(param), "%.*s", TEXT_ARG(text_clip(text_of(said), sizeof(param) - 1)));
        return fault_set_param(fault, ERR_UNKNOWN_FIELD, param, "There is no field %s here.", param);
    }
    return OK;
}

enum err read_fields(struct exchange *exchange, const char *const *known, struct json_t **ret, struct fault *fault) {
    json_t *body = NULL;
    if (exchange_body(exchange).len == 0) {
        *ret = json_object();
        return OK;
    }
    enum err err = read_json_body(exchange, SMALL_DEPTH_MAX, &body, fault);
    if (err != OK)
        return err;
    err = check_fields(body, known, fault);
    if (err == OK)
        *ret = body;
    else
        json_decref(body);
    return err;
}

const struct json_t *field_of(const struct json_t *body, const char *name) {
    const json_t *value = json_object_get(body, name);
    return json_is_null(value) ? NULL : value;
}

enum err read_text_field(const struct json_t *body, const char *name, struct text *ret, struct fault *fault) {
    const json_t *value = json_object_get(body, name);
    if (value == NULL)
        return fault_set_param(fault, ERR_MISSING_FIELD, name, "The field %s is missing.", name);
    if (!json_is_string(value))
        return fault_set_param(fault, ERR_INVALID_TYPE, name, "The field %s must be a string.", name);
    *ret = json_text_of(value);
    return OK;
}

static bool whole_number(const json_t *value, int64_t *ret) {
    double real = json_real_value(value);
    if (json_is_integer(value)) {
        *ret = json_integer_value(value);
        return true;
    }
    if (!json_is_real(value) || real < -WHOLE_MAX || real > WHOLE_MAX || real != (double)(int64_t)real)
        return false;
    *ret = (int64_t)real;
    return true;
}

enum err read_number_field(const struct json_t *body, const char *name, int64_t least, int64_t most, int64_t *ret,
                           struct fault *fault) {
    const json_t *value = field_of(body, name);
    int64_t number;
    if (value == NULL)
        return OK;
    if (!whole_number(value, &number))
        return fault_set_param(fault, ERR_INVALID_TYPE, name, "The field %s must be a whole number.", name);
    if (number < least || number > most)
        return fault_set_param(fault, ERR_OUT_OF_RANGE, name, "The field %s must be between %lld and %lld; got %lld.",
                               name, (long long)least, (long long)most, (long long)number);
    *ret = number;
    return OK;
}
