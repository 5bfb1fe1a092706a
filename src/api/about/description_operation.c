/* Completes an operation with what the table of routes knows: words, path parameters, who may. */
#include <jansson.h>

#include "api/about/description_inside.h"
#include "api/api.h"
#include "base/buffer.h"

#define NAME_MAX_BYTES 128

static const char *access_name(int access) {
    static const char *const names[] = { [ACCESS_ANYONE] = "anyone", [ACCESS_KEY] = "key", [ACCESS_ADMIN] = "admin", [ACCESS_HOOK] = "hook" };
    return access >= 0 && access < (int)ARRAY_SIZE(names) ? names[access] : NULL;
}

static bool has_own(json_t *parameters, struct text name) {
    size_t i;
    json_t *parameter;

    json_array_foreach(parameters, i, parameter) {
        const char *in = json_string_value(json_object_get(parameter, "in"));
        if (in != NULL && text_equal(text_of(in), TEXT("path")) &&
            text_equal(text_of(json_string_value(json_object_get(parameter, "name"))), name))
            return true;
    }
    return false;
}

static enum err put_path_parameter(const struct description *description, const struct http_route *route,
                                   json_t *parameters, struct text name, struct fault *fault) {
    const json_t *components = json_object_get(description->document, "components");
    char key[NAME_MAX_BYTES];

    if (has_own(parameters, name))
        return OK;
    snprintf(key, sizeof key, "%.*s", TEXT_ARG(name));
    if (json_object_get(json_object_get(components, "parameters"), key) == NULL)
        return fault_set(fault, ERR_CONFIG, "components.parameters in openapi/ has no \"%s\", which is in %s.", key,
                         route->pattern);
    json_array_append_new(parameters,
                          json_pack("{s:o}", "$ref", json_sprintf("#/components/parameters/%s", key)));
    return OK;
}

/* Those of the path come first, as they stand there. */
static enum err put_parameters(const struct description *description, const struct http_route *route,
                               json_t *operation, struct fault *fault) {
    json_t *own = json_object_get(operation, "parameters");
    json_t *parameters = json_array();
    struct text rest = text_of(route->pattern);
    enum err err = OK;

    while (err == OK && rest.len > 0) {
        text_cut(&rest, '{');
        struct text name = text_cut(&rest, '}');
        if (name.len > 0 && !has_own(own, name))
            err = put_path_parameter(description, route, parameters, name, fault);
    }
    json_array_extend(parameters, own);
    json_object_del(operation, "parameters");
    if (json_array_size(parameters) > 0)
        json_object_set(operation, "parameters", parameters);
    json_decref(parameters);
    return err;
}

static enum err put_security(const struct description *description, const struct http_route *route,
                             json_t *operation, struct fault *fault) {
    const char *name = access_name(route->access);
    json_t *security = name == NULL ? NULL
                                    : json_object_get(json_object_get(description->access, name), "security");
    if (security == NULL)
        return fault_set(fault, ERR_CONFIG, "openapi/ does not say what access %d is, which %s has.", route->access,
                         route->pattern);
    json_object_set(operation, "security", security);
    return OK;
}

/* The errors that everyone meets, those of the access, those of a body. */
static void put_common_errors(const struct http_route *route, json_t *operation) {
    const json_t *content = json_object_get(json_object_get(operation, "requestBody"), "content");
    json_t *errors = json_object_get(operation, "x-errors");

    if (errors == NULL) {
        errors = json_array();
        json_object_set_new(operation, "x-errors", errors);
    }
    json_array_append_new(errors, json_string("@anyone"));
    json_array_append_new(errors, json_sprintf("@%s", access_name(route->access)));
    if (route->takes_body)
        json_array_append_new(errors, json_string("@body"));
    if (json_object_get(content, "application/json") != NULL)
        json_array_append_new(errors, json_string("@json"));
}

enum err operation_complete(const struct description *description, const struct http_route *route,
                            struct json_t *operation, struct fault *fault) {
    if (json_object_get(operation, "operationId") == NULL)
        return fault_set(fault, ERR_CONFIG, "%s has no operationId in openapi/.", route->pattern);
    json_object_set_new(operation, "summary", json_string(route->summary));
    enum err err = put_parameters(description, route, operation, fault);
    if (err == OK)
        err = put_security(description, route, operation, fault);
    if (err != OK)
        return err;
    put_common_errors(route, operation);
    return operation_put_errors(description, route, operation, fault);
}
