/* Checking a submission's body against its model: strict, in a fixed order, naming the exact path.
 *
 * The order: options that only others of the family have, unknown fields as they come in the body, then the parameters by
 * name, then the rules. Whole reals such as 5.0 count as integers, because clients written in JavaScript cannot tell them
 * apart. */
#include <assert.h>
#include <jansson.h>
#include <math.h>

#include "base/json.h"
#include "catalog/catalog.h"
#include "catalog/check.h"
#include "catalog/param.h"
#include "catalog/rule.h"

#define EXACT_MAX 9007199254740992.0 /* 2^53: up to here, every whole real is exact */

static enum err check_value(struct check *check, const struct param *param, json_t *value, json_t **ret_new);

/* ---- values, by kind ---- */

bool param_same_value(const struct json_t *a, const struct json_t *b) {
    if (json_is_number(a) && json_is_number(b)) {
        return json_is_integer(a) && json_is_integer(b) ? json_integer_value(a) == json_integer_value(b)
                                                        : json_number_value(a) == json_number_value(b);
    }
    return json_equal(a, b);
}

static bool is_listed(const struct param *param, const json_t *value) {
    for (unsigned i = 0; i < param->value_count; i++) {
        if (param_same_value(param->values[i], value)) {
            return true;
        }
    }
    return false;
}

static enum err check_text(struct check *check, const struct param *param, json_t *value, json_t **ret_new) {
    (void)ret_new;
    if (!json_is_string(value)) {
        return check_refuse_type(check, param, value);
    }
    size_t count = text_characters((struct text){ json_string_value(value), json_string_length(value) });
    if (param->has_max && (double)count > param->max) {
        return check_refuse(check, ERR_TOO_LONG, "`%s` must have at most %.0f characters; got %zu", check->path, param->max, count);
    }
    if (param->has_min && (double)count < param->min) {
        return check_refuse(check, ERR_OUT_OF_RANGE, "`%s` must have at least %.0f character%s; got %zu", check->path, param->min,
                      param->min == 1 ? "" : "s", count);
    }
    return OK;
}

static enum err check_choice(struct check *check, const struct param *param, json_t *value, json_t **ret_new) {
    (void)ret_new;
    if (is_listed(param, value)) {
        return OK;
    }
    bool kind_fits = false;
    for (unsigned i = 0; i < param->value_count; i++) {
        kind_fits = kind_fits || json_is_string(param->values[i]) == json_is_string(value);
    }
    if (!kind_fits || !(json_is_string(value) || json_is_number(value))) {
        return check_refuse_type(check, param, value);
    }
    scoped(buffer_fini) struct buffer allowed;
    buffer_init(&allowed, 65536);
    check_put_values(&allowed, param);
    char got[PARAM_BRIEF_SIZE];
    param_brief(value, got);
    struct text list = text_clip(buffer_text(&allowed), 500);
    return check_refuse(check, ERR_NOT_ALLOWED_VALUE, "`%s` must be one of %.*s%s; got %s", check->path, TEXT_ARG(list),
                  list.len < allowed.len ? "…" : "", got);
}

static bool within(const struct param *param, double number) {
    return (!param->has_min || number >= param->min) && (!param->has_max || number <= param->max);
}

static enum err check_integer(struct check *check, const struct param *param, json_t *value, json_t **ret_new) {
    double number = json_number_value(value);
    if (!json_is_number(value) || (json_is_real(value) && (floor(number) != number || fabs(number) > EXACT_MAX))) {
        return check_refuse_type(check, param, value);
    }
    json_int_t whole = json_is_real(value) ? (json_int_t)number : json_integer_value(value);
    bool fits = within(param, number) && (param->multiple == 0 || whole % param->multiple == 0);
    if (!fits && !is_listed(param, value)) {
        return check_refuse_range(check, param, value);
    }
    if (json_is_real(value)) {
        *ret_new = json_integer(whole);
    }
    return OK;
}

static enum err check_number(struct check *check, const struct param *param, json_t *value, json_t **ret_new) {
    (void)ret_new;
    if (!json_is_number(value)) {
        return check_refuse_type(check, param, value);
    }
    return within(param, json_number_value(value)) || is_listed(param, value) ? OK : check_refuse_range(check, param, value);
}

static enum err check_boolean(struct check *check, const struct param *param, json_t *value, json_t **ret_new) {
    (void)ret_new;
    return json_is_boolean(value) ? OK : check_refuse_type(check, param, value);
}

static enum err check_url(struct check *check, const struct param *param, json_t *value, json_t **ret_new) {
    (void)ret_new;
    if (!json_is_string(value)) {
        return check_refuse_type(check, param, value);
    }
    struct text url = { json_string_value(value), json_string_length(value) };
    const char *why = NULL, *why_inline = NULL;
    if (media_url_valid(url, &why) || (param->inline_data && media_inline_valid(url, param->accept, &why_inline))) {
        return OK;
    }
    bool meant_inline = why_inline != NULL && !text_starts(url, TEXT("http"));
    char got[PARAM_BRIEF_SIZE];
    param_brief(value, got);
    return check_refuse(check, ERR_INVALID_URL, "`%s` must be the URL of %s: %s; got %s", check->path,
                        media_noun(param->accept), meant_inline ? why_inline : why, got);
}

static enum err check_list(struct check *check, const struct param *param, json_t *value, json_t **ret_new) {
    (void)ret_new;
    if (!json_is_array(value)) {
        return check_refuse_type(check, param, value);
    }
    size_t count = json_array_size(value);
    if (!within(param, (double)count)) {
        bool few = param->has_min && (double)count < param->min;
        double bound = few ? param->min : param->max;
        return check_refuse(check, ERR_OUT_OF_RANGE, "`%s` must have at %s %.0f item%s; got %zu", check->path,
                      few ? "least" : "most", bound, bound == 1 ? "" : "s", count);
    }
    for (size_t i = 0; i < count; i++) {
        size_t before = check_enter(check, "[%zu]", i);
        json_t *replacement = NULL;
        enum err err = check_value(check, &param->parts[0], json_array_get(value, i), &replacement);
        if (err != OK) {
            return err;
        }
        if (replacement != NULL) {
            json_array_set_new(value, i, replacement);
        }
        check_leave(check, before);
    }
    return OK;
}

static enum err check_unknown(struct check *check, const struct param *object, json_t *value) {
    for (void *at = json_object_iter(value); at != NULL; at = json_object_iter_next(value, at)) {
        struct text name = { json_object_iter_key(at), json_object_iter_key_len(at) };
        if (param_find(object, name) == NULL) {
            struct text clip = name.len > 0 ? text_clip(name, 100) : TEXT("\"\"");
            const char *owner = check->len > 0 ? "object" : "model";
            check_enter(check, "%s%.*s", check->len > 0 ? "." : "", TEXT_ARG(clip));
            return check_refuse(check, ERR_UNKNOWN_FIELD, "`%s` is not a field of this %s", check->path, owner);
        }
    }
    return OK;
}

static enum err check_field(struct check *check, const struct param *field, json_t *object) {
    size_t before = check_enter_field(check, field->name);
    json_t *value = json_object_get(object, field->name);
    json_t *replacement = NULL;
    enum err err = OK;
    if (value == NULL) {
        if (field->required) {
            err = check_refuse(check, ERR_MISSING_FIELD, "`%s` is required: %s", check->path, check_noun(field));
        }
    } else {
        err = check_value(check, field, value, &replacement);
    }
    if (err == OK && replacement != NULL) {
        json_object_set_new(object, field->name, replacement);
    }
    if (err == OK) {
        check_leave(check, before);
    }
    return err;
}

static enum err check_fields(struct check *check, const struct param *object, json_t *value) {
    enum err err = check_unknown(check, object, value);
    for (unsigned i = 0; err == OK && i < object->part_count; i++) {
        err = check_field(check, &object->parts[i], value);
    }
    return err;
}

static enum err check_object(struct check *check, const struct param *param, json_t *value, json_t **ret_new) {
    (void)ret_new;
    if (!json_is_object(value)) {
        return check_refuse_type(check, param, value);
    }
    enum err err = check_fields(check, param, value);
    if (err == OK) {
        param_fill_defaults(param, value);
    }
    return err;
}

/* Whether a value of this JSON type can be meant for the parameter at all. */
static bool type_fits(const struct param *param, const json_t *value) {
    switch (param->kind) {
    case PARAM_TEXT:
    case PARAM_URL:
        return json_is_string(value);
    case PARAM_CHOICE:
        return json_is_string(param->values[0]) ? json_is_string(value) : json_is_number(value);
    case PARAM_INTEGER:
    case PARAM_NUMBER:
        return json_is_number(value);
    case PARAM_BOOLEAN:
        return json_is_boolean(value);
    case PARAM_LIST:
        return json_is_array(value);
    default:
        return json_is_object(value);
    }
}

/* The first alternative that takes the value; when none does, the complaint of the first whose type fits. Each one tries
 * a copy, so that one which fails half-way leaves nothing behind. */
static enum err check_either(struct check *check, const struct param *param, json_t *value, json_t **ret_new) {
    struct fault complaint = { .err = OK };
    for (unsigned i = 0; i < param->part_count; i++) {
        if (!type_fits(&param->parts[i], value)) {
            continue;
        }
        struct fault fault;
        struct check attempt = *check;
        attempt.fault = &fault;
        json_t *copy = json_deep_copy(value), *replacement = NULL;
        if (copy == NULL) {
            return check_refuse(check, ERR_NO_MEMORY, "no memory");
        }
        if (check_value(&attempt, &param->parts[i], copy, &replacement) == OK) {
            *ret_new = copy;
            if (replacement != NULL) {
                json_decref(copy);
                *ret_new = replacement;
            }
            return OK;
        }
        json_decref(copy);
        if (complaint.err == OK) {
            complaint = fault;
        }
    }
    if (complaint.err != OK) {
        return fault_set_param(check->fault, complaint.err, complaint.param, "%s", complaint.message);
    }
    char got[PARAM_BRIEF_SIZE];
    param_brief(value, got);
    return check_refuse(check, ERR_INVALID_TYPE, "`%s` must be %s or %s; got %s", check->path, check_noun(&param->parts[0]),
                  check_noun(&param->parts[param->part_count - 1]), got);
}

static bool is_deeper(const json_t *value, unsigned max) {
    if (max == 0) {
        return json_is_object(value) || json_is_array(value);
    }
    for (void *at = json_object_iter((json_t *)value); at != NULL; at = json_object_iter_next((json_t *)value, at)) {
        if (is_deeper(json_object_iter_value(at), max - 1)) {
            return true;
        }
    }
    for (size_t i = 0; i < json_array_size(value); i++) {
        if (is_deeper(json_array_get(value, i), max - 1)) {
            return true;
        }
    }
    return false;
}

static enum err check_anything(struct check *check, const struct param *param, json_t *value, json_t **ret_new) {
    (void)ret_new;
    if (!json_is_object(value)) {
        return check_refuse_type(check, param, value);
    }
    if (is_deeper(value, PARAM_ANYTHING_DEPTH)) {
        return check_refuse(check, ERR_OUT_OF_RANGE, "`%s` must not be nested deeper than %d levels", check->path,
                      PARAM_ANYTHING_DEPTH);
    }
    scoped(buffer_fini) struct buffer text;
    buffer_init(&text, PARAM_ANYTHING_MAX);
    json_render_to(&text, value);
    return buffer_ok(&text) ? OK
                            : check_refuse(check, ERR_TOO_LONG, "`%s` must have at most %d bytes", check->path, PARAM_ANYTHING_MAX);
}

static enum err check_value(struct check *check, const struct param *param, json_t *value, json_t **ret_new) {
    static enum err (*const checks[PARAM_KIND_COUNT])(struct check *, const struct param *, json_t *, json_t **) = {
        [PARAM_TEXT] = check_text,       [PARAM_CHOICE] = check_choice,   [PARAM_INTEGER] = check_integer,
        [PARAM_NUMBER] = check_number,   [PARAM_BOOLEAN] = check_boolean, [PARAM_URL] = check_url,
        [PARAM_LIST] = check_list,       [PARAM_OBJECT] = check_object,   [PARAM_EITHER] = check_either,
        [PARAM_ANYTHING] = check_anything,
    };
    if (json_is_null(value)) {
        return param->nullable ? OK : check_refuse_type(check, param, value);
    }
    return checks[param->kind](check, param, value, ret_new);
}

/* ---- a whole body ---- */

enum err param_check(const struct param *param, const char *path, struct json_t *value, struct json_t **ret_new,
                     struct fault *fault) {
    struct check check = { .fault = fault };
    check_enter(&check, "%s", path);
    return check_value(&check, param, value, ret_new);
}

enum err param_check_fields(const struct param *object, struct json_t *value, struct fault *fault) {
    struct check check = { .fault = fault };
    return check_fields(&check, object, value);
}

void param_fill_defaults(const struct param *object, struct json_t *value) {
    for (unsigned i = 0; i < object->part_count; i++) {
        const struct param *field = &object->parts[i];
        if (field->fallback != NULL && json_object_get(value, field->name) == NULL) {
            json_object_set_new(value, field->name, json_deep_copy(field->fallback));
        }
    }
}

enum err model_validate(const struct model *model, struct json_t *body, struct fault *fault) {
    assert(model->params != NULL);
    json_object_del(body, "model");
    enum err err = rules_check_lacks(model->rules, model->rule_count, body, fault);
    if (err == OK) {
        err = param_check_fields(model->params, body, fault);
    }
    if (err == OK) {
        err = rules_check(model->rules, model->rule_count, model->params, body, fault);
    }
    if (err == OK) {
        param_fill_defaults(model->params, body);
    }
    return err;
}
