/* Tokens in results: found, typed, replaced. */
#include "engine/file/results.h"

#include <stdlib.h>

#include <jansson.h>

#include "base/json.h"
#include "base/memory.h"
#include "core/answer.h"
#include "provider/bridge.h"

/* Reads the decimal number after a token; false when it names no artifact. */
static bool read_index(struct text digits, unsigned count, unsigned *ret, size_t *ret_len) {
    size_t len = 0;
    int64_t index;
    while (len < digits.len && len < 9 && digits.ptr[len] >= '0' && digits.ptr[len] <= '9')
        len++;
    if (!text_to_i64((struct text){ digits.ptr, len }, &index) || index >= count)
        return false;
    *ret = (unsigned)index;
    *ret_len = len;
    return true;
}

static bool is_token(const struct model_results *results, const char *string, unsigned *ret_index) {
    struct text t = text_of(string), token = text_of(results->token);
    size_t len;
    if (!text_starts(t, token))
        return false;
    struct text digits = { t.ptr + token.len, t.len - token.len };
    return read_index(digits, results->artifact_count, ret_index, &len) && len == digits.len;
}

void results_set_types(struct model_results *results, const char *const *types) {
    size_t at;
    json_t *object;
    json_array_foreach(results->array, at, object) {
        const char *url = json_string_value(json_object_get(object, "url"));
        unsigned index;
        if (url != NULL && is_token(results, url, &index) && json_object_get(object, "content_type") != NULL)
            json_object_set_new(object, "content_type", json_string(types[index]));
    }
}

void results_put(struct buffer *buf, const struct model_results *results,
                 void (*put_link)(struct buffer *buf, unsigned index, void *context), void *context) {
    scoped(mem_free_pointer) char *source = json_render(results->array);
    struct text rest = text_of(source), token = text_of(results->token);
    if (source == NULL) {
        buf->failed = true;
        return;
    }
    while (rest.len > 0) {
        const char *found = token.len > 0 ? memmem(rest.ptr, rest.len, token.ptr, token.len) : NULL;
        unsigned index;
        size_t digits;
        if (found == NULL)
            break;
        size_t before = (size_t)(found - rest.ptr);
        struct text after = { found + token.len, rest.len - before - token.len };
        buffer_put(buf, (struct text){ rest.ptr, before });
        if (read_index(after, results->artifact_count, &index, &digits)) {
            buffer_put_char(buf, ANSWER_BASE);
            put_link(buf, index, context);
            after = (struct text){ after.ptr + digits, after.len - digits };
        }
        rest = after;
    }
    buffer_put(buf, rest);
}
