/* Puts the document together: the files become one, then each route's operation is completed. */
#include <jansson.h>

#include "api/about/description_inside.h"
#include "base/json.h"

#define JSON_DEPTH_MAX 64

static enum err read_file(const struct embedded_file *file, json_t **ret, struct fault *fault) {
    struct fault why = { .err = OK };
    if (json_read_object(file->source, JSON_DEPTH_MAX, ret, &why) == OK)
        return OK;
    return fault_set(fault, ERR_CONFIG, "openapi/%s: %s", file->path, why.message);
}

/* Operations without tags get the first of their file. */
static void put_tags(json_t *part) {
    json_t *first = json_object_get(json_array_get(json_object_get(part, "tags"), 0), "name");
    const char *path, *method;
    json_t *methods, *operation;

    json_object_foreach(json_object_get(part, "paths"), path, methods)
        json_object_foreach(methods, method, operation)
            if (first != NULL && json_object_get(operation, "tags") == NULL)
                json_object_set_new(operation, "tags", json_pack("[O]", first));
}

/* Objects are merged, lists joined; two files may not give one thing different values. */
static enum err merge(json_t *into, json_t *part, const char *file, struct fault *fault) {
    const char *key;
    json_t *value;

    json_object_foreach(part, key, value) {
        json_t *present = json_object_get(into, key);
        if (present == NULL)
            json_object_set(into, key, value);
        else if (json_is_object(present) && json_is_object(value)) {
            if (merge(present, value, file, fault) != OK)
                return ERR_CONFIG;
        } else if (json_is_array(present) && json_is_array(value))
            json_array_extend(present, value);
        else
            return fault_set(fault, ERR_CONFIG, "openapi/%s: \"%s\" is in another file already.", file, key);
    }
    return OK;
}

static enum err merge_files(json_t *document, struct fault *fault) {
    for (size_t i = 0; i < openapi_file_count; i++) {
        json_t *part scoped(json_release) = NULL;
        if (read_file(&openapi_files[i], &part, fault) != OK)
            return ERR_CONFIG;
        put_tags(part);
        if (merge(document, part, openapi_files[i].path, fault) != OK)
            return ERR_CONFIG;
    }
    return OK;
}

static const char *method_key(enum http_method method) {
    static const char *const keys[] = { [METHOD_GET] = "get",     [METHOD_POST] = "post",     [METHOD_PUT] = "put",
                                        [METHOD_PATCH] = "patch", [METHOD_DELETE] = "delete", [METHOD_OPTIONS] = "options" };
    return keys[method];
}

/* The paths in the order of the table, each operation moved over from `described`. */
static enum err put_route(const struct description *description, json_t *described, const struct http_route *route,
                          struct fault *fault) {
    json_t *paths = json_object_get(description->document, "paths");
    const char *method = method_key(route->method);
    json_t *operation = json_object_get(json_object_get(described, route->pattern), method);

    if (operation == NULL)
        return fault_set(fault, ERR_CONFIG, "No file in openapi/ describes \"%s\": \"%s\".", route->pattern, method);
    enum err err = operation_complete(description, route, operation, fault);
    if (err != OK)
        return err;
    if (json_object_get(paths, route->pattern) == NULL)
        json_object_set_new(paths, route->pattern, json_object());
    json_object_set(json_object_get(paths, route->pattern), method, operation);
    json_object_del(json_object_get(described, route->pattern), method);
    return OK;
}

static enum err put_routes(const struct description *description, const struct http_route *routes, unsigned count,
                           struct fault *fault) {
    json_t *described scoped(json_release) = json_incref(json_object_get(description->document, "paths"));
    const char *path, *method;
    json_t *methods, *operation;

    json_object_set_new(description->document, "paths", json_object());
    for (unsigned i = 0; i < count; i++)
        if (put_route(description, described, &routes[i], fault) != OK)
            return ERR_CONFIG;
    json_object_foreach(described, path, methods)
        json_object_foreach(methods, method, operation)
            return fault_set(fault, ERR_CONFIG, "There is no route for \"%s\": \"%s\" in openapi/.", path, method);
    return OK;
}

/* What the answer's version is does not stand in a file. */
static json_t *new_document(void) {
    return json_pack("{s:s, s:{s:s, s:s}, s:[{s:s}], s:[], s:{}, s:{s:{}}}", "openapi", "3.1.0", "info", "title", "Fennec",
                     "version", FENNEC_VERSION, "servers", "url", "/", "tags", "paths", "components", "schemas");
}

enum err description_make(const struct http_route *routes, unsigned count, const struct catalog *catalog,
                          struct json_t **ret, struct fault *fault) {
    json_t *document scoped(json_release) = new_document();
    enum err err = merge_files(document, fault);
    if (err != OK)
        return err;

    json_t *known scoped(json_release) = json_incref(json_object_get(document, "x-known"));
    json_object_del(document, "x-known");
    struct description description = {
        .document = document,
        .codes = json_object_get(known, "codes"),
        .groups = json_object_get(known, "groups"),
        .access = json_object_get(known, "access"),
    };
    err = put_routes(&description, routes, count, fault);
    if (err != OK)
        return err;
    description_put_models(json_object_get(json_object_get(document, "components"), "schemas"), catalog);
    *ret = json_incref(document);
    return OK;
}
