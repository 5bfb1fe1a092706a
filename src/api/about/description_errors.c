/* The error responses of an operation: its codes by their status, in words. */
#include <jansson.h>

#include "api/about/description_inside.h"

/* The first row with this code; every code has one status. */
static const struct err_info *info_of(const char *code) {
    for (int err = OK + 1; err < ERR_COUNT; err++) {
        const struct err_info *info = err_info((enum err)err);
        if (info->code != NULL && text_equal(text_of(info->code), text_of(code)))
            return info;
    }
    return NULL;
}

static void put_header(json_t *response, const char *name) {
    json_t *headers = json_object_get(response, "headers");
    if (headers == NULL) {
        headers = json_object();
        json_object_set_new(response, "headers", headers);
    }
    if (json_object_get(headers, name) == NULL)
        json_object_set_new(headers, name, json_pack("{s:o}", "$ref", json_sprintf("#/components/headers/%s", name)));
}

/* A response for a status: an own one of the operation's, which keeps what it says, or a new one. */
static json_t *response_for(json_t *operation, int status) {
    json_t *responses = json_object_get(operation, "responses");
    char key[16];

    snprintf(key, sizeof key, "%d", status);
    json_t *response = json_object_get(responses, key);
    if (response != NULL)
        return response;
    response = json_pack("{s:s, s:{s:{s:{s:s}}}}", "description", "", "content", "application/json", "schema", "$ref",
                         "#/components/schemas/Error");
    json_object_set_new(responses, key, response);
    return response;
}

/* Statuses that come with codes of a service, too: what is listed is not all. */
static void put_open(json_t *operation) {
    size_t i;
    json_t *status;

    json_array_foreach(json_object_get(operation, "x-open"), i, status) {
        json_t *response = response_for(operation, (int)json_integer_value(status));
        json_object_set_new(response, "description", json_string("What the service says of the request, with its code."));
        json_object_set_new(response, "x-open", json_true());
    }
    json_object_del(operation, "x-open");
}

static bool lists(const json_t *codes, const char *code) {
    size_t i;
    const json_t *present;
    json_array_foreach(codes, i, present)
        if (text_equal(text_of(json_string_value(present)), text_of(code)))
            return true;
    return false;
}

static enum err put_code(const struct description *description, const struct http_route *route, json_t *operation,
                         const char *code, struct fault *fault) {
    const struct err_info *info = info_of(code);
    const char *words = json_string_value(json_object_get(description->codes, code));

    if (info == NULL || words == NULL)
        return fault_set(fault, ERR_CONFIG, "%s: the error \"%s\" %s.", route->pattern, code,
                         info == NULL ? "does not exist" : "has no words in openapi/errors.json");
    json_t *response = response_for(operation, info->http_status);
    if (json_object_get(response, "$ref") != NULL || lists(json_object_get(response, "x-codes"), code))
        return OK;
    if (info->http_status == 429 || info->http_status == 503)
        put_header(response, "Retry-After");
    if (json_object_get(response, "x-codes") == NULL)
        json_object_set_new(response, "x-codes", json_array());
    const char *before = json_string_value(json_object_get(response, "description"));
    json_object_set_new(response, "description",
                        json_sprintf("%s%s`%s`: %s", before, before[0] == '\0' ? "" : "\n\n", code, words));
    json_array_append_new(json_object_get(response, "x-codes"), json_string(code));
    return OK;
}

static enum err put_codes(const struct description *description, const struct http_route *route, json_t *operation,
                          const json_t *names, bool grouped, struct fault *fault) {
    size_t i;
    const json_t *item;

    json_array_foreach(names, i, item) {
        const char *name = json_string_value(item);
        enum err err;
        if (name == NULL)
            return fault_set(fault, ERR_CONFIG, "%s: an error in x-errors is no string.", route->pattern);
        if (name[0] != '@') {
            err = put_code(description, route, operation, name, fault);
        } else {
            const json_t *group = json_object_get(description->groups, name + 1);
            if (group == NULL || grouped)
                return fault_set(fault, ERR_CONFIG, "%s: there is no group of errors \"%s\".", route->pattern, name);
            err = put_codes(description, route, operation, group, true, fault);
        }
        if (err != OK)
            return err;
    }
    return OK;
}

enum err operation_put_errors(const struct description *description, const struct http_route *route,
                              struct json_t *operation, struct fault *fault) {
    json_t *responses = json_object_get(operation, "responses");
    const char *status;
    json_t *response;

    if (json_object_size(responses) == 0)
        return fault_set(fault, ERR_CONFIG, "%s has no responses in openapi/.", route->pattern);
    put_open(operation);
    enum err err = put_codes(description, route, operation, json_object_get(operation, "x-errors"), false, fault);
    if (err != OK)
        return err;
    json_object_del(operation, "x-errors");
    json_object_foreach(responses, status, response)
        if (json_object_get(response, "$ref") == NULL)
            put_header(response, "X-Request-Id");
    return OK;
}
