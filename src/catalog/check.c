/* The words of a refusal: where, what is allowed, what came. */
#include "catalog/check.h"

#include <jansson.h>

size_t check_enter(struct check *check, const char *format, ...) {
    size_t before = check->len;
    va_list args;
    va_start(args, format);
    int count = vsnprintf(check->path + before, sizeof(check->path) - before, format, args);
    va_end(args);
    size_t room = sizeof(check->path) - 1 - before;
    check->len = before + (count < 0 ? 0 : (size_t)count < room ? (size_t)count : room);
    return before;
}

static void put(struct check *check, const char *bytes, size_t count) {
    size_t room = sizeof(check->path) - 1 - check->len;
    count = count < room ? count : room;
    memcpy(check->path + check->len, bytes, count);
    check->len += count;
    check->path[check->len] = '\0';
}

size_t check_enter_field(struct check *check, const char *name) {
    size_t before = check->len;
    if (before > 0) {
        put(check, ".", 1);
    }
    put(check, name, strlen(name));
    return before;
}

void check_leave(struct check *check, size_t len) {
    check->len = len;
    check->path[len] = '\0';
}

void param_brief(const struct json_t *value, char ret[PARAM_BRIEF_SIZE]) {
    if (json_is_string(value)) {
        struct text whole = { json_string_value(value), json_string_length(value) };
        struct text clip = text_clip(whole, 40);
        snprintf(ret, PARAM_BRIEF_SIZE, "\"%.*s%s\"", TEXT_ARG(clip), clip.len < whole.len ? "…" : "");
    } else if (json_is_integer(value)) {
        snprintf(ret, PARAM_BRIEF_SIZE, "%lld", (long long)json_integer_value(value));
    } else if (json_is_real(value)) {
        snprintf(ret, PARAM_BRIEF_SIZE, "%.15g", json_real_value(value));
    } else {
        snprintf(ret, PARAM_BRIEF_SIZE, "%s",
                 json_is_true(value)     ? "true"
                 : json_is_false(value)  ? "false"
                 : json_is_null(value)   ? "null"
                 : json_is_array(value)  ? "a list"
                 : json_is_object(value) ? "an object"
                                         : "nothing");
    }
}

const char *check_noun(const struct param *param) {
    static const char *const nouns[PARAM_KIND_COUNT] = {
        [PARAM_TEXT] = "a text",      [PARAM_CHOICE] = "one of the allowed values", [PARAM_INTEGER] = "a whole number",
        [PARAM_NUMBER] = "a number",  [PARAM_BOOLEAN] = "true or false",            [PARAM_URL] = "a URL",
        [PARAM_LIST] = "a list",      [PARAM_OBJECT] = "an object",                 [PARAM_EITHER] = "one of the allowed forms",
        [PARAM_ANYTHING] = "an object",
    };
    if (param->kind == PARAM_CHOICE && json_is_string(param->values[0])) {
        return "a text";
    }
    return nouns[param->kind];
}

enum err check_refuse_type(struct check *check, const struct param *param, const struct json_t *value) {
    char got[PARAM_BRIEF_SIZE];
    param_brief(value, got);
    return check_refuse(check, ERR_INVALID_TYPE, "`%s` must be %s; got %s", check->path, check_noun(param), got);
}

void check_put_values(struct buffer *buf, const struct param *param) {
    for (unsigned i = 0; i < param->value_count; i++) {
        char brief[PARAM_BRIEF_SIZE];
        param_brief(param->values[i], brief);
        buffer_printf(buf, "%s%s", i == 0 ? "" : ", ", brief);
    }
}

/* "at least 4 and at most 15, or -1" */
enum err check_refuse_range(struct check *check, const struct param *param, const struct json_t *value) {
    scoped(buffer_fini) struct buffer allowed;
    buffer_init(&allowed, 4096);
    if (param->has_min && param->has_max) {
        buffer_printf(&allowed, "between %.15g and %.15g", param->min, param->max);
    } else if (param->has_min) {
        buffer_printf(&allowed, "at least %.15g", param->min);
    } else if (param->has_max) {
        buffer_printf(&allowed, "at most %.15g", param->max);
    }
    if (param->multiple > 1) {
        buffer_printf(&allowed, "%sa multiple of %lld", allowed.len > 0 ? " and " : "", (long long)param->multiple);
    }
    if (param->value_count > 0) {
        buffer_put(&allowed, TEXT(", or "));
        check_put_values(&allowed, param);
    }
    char got[PARAM_BRIEF_SIZE];
    param_brief(value, got);
    return check_refuse(check, ERR_OUT_OF_RANGE, "`%s` must be %s; got %s", check->path,
                  allowed.data != NULL ? allowed.data : "smaller", got);
}
