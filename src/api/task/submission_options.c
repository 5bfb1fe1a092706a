/* Reads what a client says beside the task itself. */
#include "api/task/submission_options.h"

#include <jansson.h>

#include "api/body.h"
#include "api/internal.h"
#include "base/json.h"
#include "callback/intake.h"

bool submission_is_dry(const struct json_t *body) {
    return json_is_true(json_object_get(body, FIELD_DRY_RUN));
}

/* ---- callback_url ---- */

static enum err read_callback(struct exchange *exchange, const struct config *config, const json_t *body,
                              struct submission_options *options, struct fault *fault) {
    const json_t *value = field_of(body, FIELD_CALLBACK_URL);
    if (value == NULL)
        return OK;
    if (!json_is_string(value))
        return fault_set_param(fault, ERR_INVALID_TYPE, FIELD_CALLBACK_URL,
                               "The field " FIELD_CALLBACK_URL " must be a string.");
    enum err err = callback_url_check(json_text_of(value), config, FIELD_CALLBACK_URL, fault);
    if (err == OK)
        err = request_base(exchange, config, &options->callback_base, fault);
    if (err == OK)
        options->callback_url = json_incref((json_t *)(uintptr_t)value);
    return err;
}

/* ---- the others ---- */

enum err result_ttl_read(const struct config *config, const struct json_t *body, int64_t *ret, struct fault *fault) {
    return read_number_field(body, FIELD_RESULT_TTL, 1, config->result_ttl_max_s, ret, fault);
}

static enum err read_dry_run(const json_t *body, bool *ret, struct fault *fault) {
    const json_t *value = field_of(body, FIELD_DRY_RUN);
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
