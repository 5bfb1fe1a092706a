/* Reads what a client says beside the task itself. */
#include "api/submission_options.h"

#include <jansson.h>

#include "api/internal.h"
#include "base/json.h"
#include "net/guard.h"

/* NULL when it is not there, or null. */
static const json_t *given(const json_t *body, const char *name) {
    const json_t *value = json_object_get(body, name);
    return json_is_null(value) ? NULL : value;
}

bool submission_is_dry(const struct json_t *body) {
    return json_is_true(json_object_get(body, FIELD_DRY_RUN));
}

/* ---- callback_url ---- */

enum err callback_url_check(struct text url, const struct config *config, struct fault *fault) {
    const struct guard_allow allow = { config->fetch_allow, config->fetch_allow_count };
    struct guard_url parsed;
    struct fault reason = { .err = OK };

    enum err err = guard_check_url(url, &allow, &parsed, &reason);
    if (err != OK)
        return fault_set_param(fault, err, FIELD_CALLBACK_URL, "%s", reason.message);
    if (!parsed.https && !config->callbacks_allow_http)
        return fault_set_param(fault, ERR_INVALID_URL, FIELD_CALLBACK_URL, "The URL must begin with https://.");
    if (text_find(url, '#') < url.len)
        return fault_set_param(fault, ERR_INVALID_URL, FIELD_CALLBACK_URL, "The URL must not contain a fragment (#).");
    if (!text_is_utf8(url))
        return fault_set_param(fault, ERR_INVALID_URL, FIELD_CALLBACK_URL, "The URL must be UTF-8.");
    return OK;
}

static enum err read_callback(struct exchange *exchange, const struct config *config, const json_t *body,
                              struct submission_options *options, struct fault *fault) {
    const json_t *value = given(body, FIELD_CALLBACK_URL);
    if (value == NULL)
        return OK;
    if (!json_is_string(value))
        return fault_set_param(fault, ERR_INVALID_TYPE, FIELD_CALLBACK_URL,
                               "The field " FIELD_CALLBACK_URL " must be a string.");
    enum err err = callback_url_check(json_text_of(value), config, fault);
    if (err == OK)
        err = request_base(exchange, config, &options->callback_base, fault);
    if (err == OK)
        options->callback_url = json_incref((json_t *)(uintptr_t)value);
    return err;
}

/* ---- the others ---- */

/* 60.0 is a whole number, as everywhere. */
static bool whole_number(const json_t *value, int64_t *ret) {
    double real = json_real_value(value);
    if (json_is_integer(value)) {
        *ret = json_integer_value(value);
        return true;
    }
    if (!json_is_real(value) || real < -1e15 || real > 1e15 || real != (double)(int64_t)real)
        return false;
    *ret = (int64_t)real;
    return true;
}

enum err result_ttl_read(const struct config *config, const struct json_t *body, int64_t *ret, struct fault *fault) {
    const json_t *value = given(body, FIELD_RESULT_TTL);
    int64_t seconds = 0;
    if (value == NULL)
        return OK;
    if (!whole_number(value, &seconds))
        return fault_set_param(fault, ERR_INVALID_TYPE, FIELD_RESULT_TTL,
                               "The field " FIELD_RESULT_TTL " must be a whole number of seconds.");
    if (seconds < 1 || seconds > config->result_ttl_max_s)
        return fault_set_param(fault, ERR_OUT_OF_RANGE, FIELD_RESULT_TTL,
                               "The field " FIELD_RESULT_TTL " must be between 1 and %lld seconds; got %lld.",
                               (long long)config->result_ttl_max_s, (long long)seconds);
    *ret = seconds;
    return OK;
}

static enum err read_dry_run(const json_t *body, bool *ret, struct fault *fault) {
    const json_t *value = given(body, FIELD_DRY_RUN);
    if (value != NULL && !json_is_boolean(value))
        return fault_set_param(fault, ERR_INVALID_TYPE, FIELD_DRY_RUN,
                               "The field " FIELD_DRY_RUN " must be true or false.");
    *ret = json_is_true(value);
    return OK;
}

/* ---- all of them ---- */

enum err submission_options_take(struct exchange *exchange, const struct config *config, struct json_t *body,
                                 struct submission_options *ret, struct fault *fault) {
    static const char *const fields[] = { FIELD_CALLBACK_URL, FIELD_RESULT_TTL, FIELD_DRY_RUN };
    struct submission_options options = { 0 };

    enum err err = result_ttl_read(config, body, &options.result_ttl_s, fault);
    if (err == OK)
        err = read_dry_run(body, &options.dry_run, fault);
    if (err == OK)
        err = read_callback(exchange, config, body, &options, fault);
    if (err != OK)
        return err;
    for (size_t i = 0; i < ARRAY_SIZE(fields); i++)
        json_object_del(body, fields[i]);
    *ret = options;
    return OK;
}

enum err submission_options_expect_call(const struct submission_options *options, struct fault *fault) {
    const char *field = options->callback_url != NULL ? FIELD_CALLBACK_URL
                        : options->result_ttl_s > 0   ? FIELD_RESULT_TTL
                                                      : NULL;
    if (field == NULL)
        return OK;
    return fault_set_param(fault, ERR_UNKNOWN_FIELD, field,
                           "The field %s is for tasks; this request is answered by the model's answer itself.", field);
}

void submission_options_apply(const struct submission_options *options, struct submission *submission) {
    submission->callback_url = json_text_of(options->callback_url);
    submission->callback_base = options->callback_base;
    submission->result_ttl_s = options->result_ttl_s;
}

void submission_options_fini(struct submission_options *options) {
    json_decref(options->callback_url);
    *options = (struct submission_options){ 0 };
}
