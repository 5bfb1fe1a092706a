/* Reading and writing what lists have in common. */
#include "api/list.h"

#include "base/json.h"

enum err list_read_limit(struct exchange *exchange, unsigned max, unsigned *ret, struct fault *fault) {
    struct text value;
    int64_t limit;
    if (!exchange_query(exchange, TEXT("limit"), &value))
        return OK;
    if (!text_to_i64(value, &limit) || limit < 1 || limit > max)
        return fault_set_param(fault, ERR_OUT_OF_RANGE, "limit", "limit must be a number from 1 to %u.", max);
    *ret = (unsigned)limit;
    return OK;
}

enum err list_read_after(struct exchange *exchange, int64_t *ret, struct fault *fault) {
    struct text value;
    int64_t after;
    if (!exchange_query(exchange, TEXT("after"), &value))
        return OK;
    if (!text_to_i64(value, &after) || after < 0)
        return list_bad_after(fault);
    *ret = after;
    return OK;
}

enum err list_bad_after(struct fault *fault) {
    return fault_set_param(fault, ERR_NOT_ALLOWED_VALUE, "after", "after must be the `next` of an earlier answer.");
}

void list_begin(struct json_writer *json) {
    json_object_begin(json);
    json_key(json, "object");
    json_text(json, TEXT("list"));
    json_key(json, "data");
    json_array_begin(json);
}

void list_put_next(struct json_writer *json, const char *next) {
    json_key(json, "has_more");
    json_bool(json, next != NULL);
    json_key(json, "next");
    json_string_or_null(json, next);
}

void list_end(struct json_writer *json, const char *next) {
    json_array_end(json);
    list_put_next(json, next);
    json_object_end(json);
}
