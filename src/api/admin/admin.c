/* Reading requests and writing answers of the operators' API. */
#include "api/admin/admin.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "admin/name.h"
#include "api/body.h"
#include "api/list.h"
#include "base/json.h"

#define ANSWER_MAX ((size_t)64 << 20)
#define EXACT_MAX 1e9 /* credits with six decimals that a JSON number holds exactly */

struct text admin_actor(struct exchange *exchange) {
    char *actor = arena_printf(exchange_arena(exchange), "admin:%s", call_of(exchange)->key.prefix);
    return actor != NULL ? text_of(actor) : TEXT("admin");
}

/* ---- answers ---- */

void admin_reply(struct exchange *exchange, json_t *value) {
    struct buffer body;
    buffer_init(&body, ANSWER_MAX);
    json_render_to(&body, value);
    json_decref(value);
    reply_json(exchange, &body);
}

void admin_finish(struct exchange *exchange, enum err err, const struct fault *fault, json_t *value) {
    if (err == OK) {
        admin_reply(exchange, value);
        return;
    }
    json_decref(value);
    refuse(exchange, fault);
}

json_t *admin_list(json_t *data, json_t *next) {
    return json_pack("{s:s, s:o, s:b, s:o}", "object", "list", "data", data, "has_more", next != NULL, "next",
                     next != NULL ? next : json_null());
}

json_t *admin_credits(int64_t microcredits) {
    return microcredits % MICROCREDITS == 0 ? json_integer(microcredits / MICROCREDITS)
                                            : json_real((double)microcredits / MICROCREDITS);
}

json_t *admin_bound_credits(int64_t microcredits) {
    return microcredits == 0 ? json_null() : admin_credits(microcredits);
}

json_t *admin_time(int64_t wall_ms) {
    return wall_ms == 0 ? json_null() : json_integer(wall_ms / 1000);
}

json_t *admin_text(struct text text) {
    json_t *value = json_stringn(text.ptr != NULL ? text.ptr : "", text.len);
    return value != NULL ? value : json_string("(not UTF-8)");
}

json_t *admin_json(struct text text) {
    json_t *value = json_loadb(text.ptr != NULL ? text.ptr : "", text.len, JSON_DECODE_ANY, NULL);
    return value != NULL ? value : json_object();
}

/* ---- path and query ---- */

enum err admin_path_number(struct exchange *exchange, struct text segment, enum err missing, int64_t *ret,
                           struct fault *fault) {
    int64_t number;
    if (!text_to_i64(exchange_segment(exchange, segment), &number) || number < 1)
        return fault_set(fault, missing, "There is nothing of this number.");
    *ret = number;
    return OK;
}

enum err admin_path_account(struct exchange *exchange, struct account_row *ret, struct fault *fault) {
    int64_t id;
    enum err err = admin_path_number(exchange, TEXT("account_id"), ERR_ACCOUNT_NOT_FOUND, &id, fault);
    if (err != OK)
        return err;
    err = store_find_account_by_id(call_of(exchange)->api->store, id, ret);
    if (err == ERR_NOT_FOUND)
        return fault_set(fault, ERR_ACCOUNT_NOT_FOUND, "There is no account of this number.");
    return err == OK ? OK : fault_set(fault, err, "The account cannot be read.");
}

struct parameter_check {
    const char *const *known;
    struct fault *fault;
    enum err err;
};

static bool is_known(struct text name, const char *const *known) {
    for (; *known != NULL; known++)
        if (text_equal(name, text_of(*known)))
            return true;
    return false;
}

static void check_parameter(struct text name, struct text value, void *context) {
    struct parameter_check *check = context;
    char param[64];
    (void)value;
    if (check->err != OK || is_known(name, check->known))
        return;
    snprintf(param, sizeof(param), "%.*s", TEXT_ARG(text_clip(name, sizeof(param) - 1)));
    check->err = fault_set_param(check->fault, ERR_UNKNOWN_FIELD, param, "There is no query parameter %s here.", param);
}

enum err admin_query_check(struct exchange *exchange, const char *const *known, struct fault *fault) {
    struct parameter_check check = { .known = known, .fault = fault, .err = OK };
    exchange_each_parameter(exchange, check_parameter, &check);
    return check.err;
}

enum err admin_query_limit(struct exchange *exchange, unsigned *ret, struct fault *fault) {
    *ret = ADMIN_PAGE;
    return list_read_limit(exchange, ADMIN_PAGE_MAX, ret, fault);
}

enum err admin_query_after(struct exchange *exchange, int64_t *ret, struct fault *fault) {
    *ret = 0;
    return list_read_after(exchange, ret, fault);
}

/* ---- the body ---- */

enum err admin_field_needed(const json_t *body, const char *name, struct fault *fault) {
    return field_of(body, name) != NULL ? OK : fault_set_param(fault, ERR_MISSING_FIELD, name, "`%s` is missing.", name);
}

enum err admin_field_text(const json_t *body, const char *name, size_t max, struct text *ret, struct fault *fault) {
    const json_t *value = field_of(body, name);
    if (value == NULL)
        return OK;
    if (!json_is_string(value))
        return fault_set_param(fault, ERR_INVALID_TYPE, name, "`%s` is a text.", name);
    if (json_string_length(value) > max)
        return fault_set_param(fault, ERR_TOO_LONG, name, "`%s` has more than %zu bytes.", name, max);
    *ret = json_text_of(value);
    return OK;
}

enum err admin_field_name(const json_t *body, const char *name, struct text *ret, struct fault *fault) {
    struct text given = TEXT_NONE;
    enum err err = admin_field_text(body, name, NAME_SIZE - 1, &given, fault);
    if (err != OK || given.ptr == NULL)
        return err;
    if (!admin_name_valid(given))
        return fault_set_param(fault, ERR_NOT_ALLOWED_VALUE, name, "`%s` is a name of 1 to 64 bytes without spaces.", name);
    *ret = given;
    return OK;
}

enum err admin_field_bool(const json_t *body, const char *name, bool *ret, bool *ret_given, struct fault *fault) {
    const json_t *value = field_of(body, name);
    if (value == NULL)
        return OK;
    if (!json_is_boolean(value))
        return fault_set_param(fault, ERR_INVALID_TYPE, name, "`%s` is true or false.", name);
    *ret = json_is_true(value);
    if (ret_given != NULL)
        *ret_given = true;
    return OK;
}

enum err admin_field_credits(const json_t *body, const char *name, int64_t *ret, struct fault *fault) {
    const json_t *value = field_of(body, name);
    if (value == NULL)
        return OK;
    if (!json_is_number(value) && !json_is_string(value))
        return fault_set_param(fault, ERR_INVALID_TYPE, name, "`%s` is a number of credits.", name);
    char digits[32] = "";
    if (json_is_integer(value))
        snprintf(digits, sizeof(digits), "%lld", (long long)json_integer_value(value));
    else if (json_is_real(value) && fabs(json_real_value(value)) < EXACT_MAX)
        snprintf(digits, sizeof(digits), "%.6f", json_real_value(value));
    struct text number = json_is_string(value) ? json_text_of(value) : text_of(digits);
    /* A number of more than six decimals is another one when it is read again. */
    bool whole = !json_is_real(value) || strtod(digits, NULL) == json_real_value(value);
    int64_t microcredits;
    if (!whole || !money_parse(number, &microcredits) || microcredits > MONEY_MAX || microcredits < -MONEY_MAX)
        return fault_set_param(fault, ERR_OUT_OF_RANGE, name, "`%s` is a number of credits with at most six decimals.", name);
    *ret = microcredits;
    return OK;
}
