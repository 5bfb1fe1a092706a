/* Checks of single values, with the words of their refusals. */
#include <jansson.h>

#include "base/inline_file.h"
#include "base/json.h"
#include "catalog/param.h"
#include "chat/protocol/inside.h"

enum err expect_text(const struct json_t *value, const char *path, size_t max, struct fault *fault) {
    if (!json_is_string(value)) {
        return fault_set_param(fault, ERR_INVALID_TYPE, path, "The field %s must be a string.", path);
    }
    struct text t = json_text_of(value);
    if (t.len == 0) {
        return fault_set_param(fault, ERR_INVALID_PARAM, path, "The field %s must not be empty.", path);
    }
    /* A character has at most four bytes, so the long way is for few. */
    return t.len <= max || text_characters(t) <= max
               ? OK
               : fault_set_param(fault, ERR_INVALID_PARAM, path, "The field %s is longer than %zu characters.", path,
                                 max);
}

enum err expect_list(const struct json_t *value, const char *path, size_t max, struct fault *fault) {
    if (!json_is_array(value)) {
        return fault_set_param(fault, ERR_INVALID_TYPE, path, "The field %s must be a list.", path);
    }
    size_t count = json_array_size(value);
    return count >= 1 && count <= max
               ? OK
               : fault_set_param(fault, ERR_INVALID_PARAM, path, "The list %s must have 1 to %zu items; it has %zu.",
                                 path, max, count);
}

enum err expect_link(const struct json_t *value, const char *path, const char *accept, struct fault *fault) {
    if (!json_is_string(value)) {
        return fault_set_param(fault, ERR_INVALID_TYPE, path, "The field %s must be a string.", path);
    }
    struct text link = json_text_of(value);
    const char *why = "";
    bool good = data_uri_is(link) ? media_inline_valid(link, accept, &why) : media_url_valid(link, &why);
    return good ? OK
                : fault_set_param(fault, ERR_INVALID_URL, path,
                                  "The field %s must be an http or https URL of %s, or a data: "
                                  "URI: %s.",
                                  path, media_noun(accept), why);
}

static bool is_shallow(const json_t *value, unsigned left) {
    if (json_is_object(value)) {
        const char *key;
        json_t *member;
        json_object_foreach ((json_t *)(uintptr_t)value, key, member) {
            (void)key;
            if (left == 0 || !is_shallow(member, left - 1)) {
                return false;
            }
        }
    }
    for (size_t i = 0; i < json_array_size(value); i++) {
        if (left == 0 || !is_shallow(json_array_get(value, i), left - 1)) {
            return false;
        }
    }
    return true;
}

enum err expect_shallow(const struct json_t *value, const char *path, struct fault *fault) {
    return is_shallow(value, PROTOCOL_DEPTH_MAX - 1)
               ? OK
               : fault_set_param(fault, ERR_INVALID_PARAM, path, "The field %s is nested deeper than %d.", path,
                                 PROTOCOL_DEPTH_MAX);
}
