/* Everything that can go wrong, in one table: name, HTTP status, wire type, wire code, whether trying again may help.
 *
 * The wire columns are the contract's table of errors; a code of NULL is answered as null. The rows from
 * ERR_INTERNAL on are our own faults: their message never reaches a client. */
#pragma once

#include <stdbool.h>

#include "base/text.h"

/*    name                       HTTP  type                        code                         retry */
#define ERR_TABLE(X)                                                                                              \
    X(OK,                         200, "",                         NULL,                        false)            \
    X(ERR_INVALID_JSON,           400, "invalid_request_error",    "invalid_json",              false)            \
    X(ERR_INVALID_CONTENT_TYPE,   400, "invalid_request_error",    "invalid_content_type",      false)            \
    X(ERR_INVALID_TASK_ID,        400, "invalid_request_error",    "invalid_task_id",           false)            \
    X(ERR_INVALID_REQUEST,        400, "invalid_request_error",    "invalid_request",           false)            \
    X(ERR_MISSING_API_KEY,        401, "authentication_error",     "missing_api_key",           false)            \
    X(ERR_INVALID_API_KEY,        401, "authentication_error",     "invalid_api_key",           false)            \
    X(ERR_EXPIRED_API_KEY,        401, "authentication_error",     "expired_api_key",           false)            \
    X(ERR_INVALID_SIGNATURE,      401, "authentication_error",     "invalid_signature",         false)            \
    X(ERR_INSUFFICIENT_QUOTA,     402, "insufficient_quota",       "insufficient_quota",        false)            \
    X(ERR_KEY_BUDGET,             402, "insufficient_quota",       "insufficient_quota",        false)            \
    X(ERR_KEY_BUDGET_DAY,         402, "insufficient_quota",       "insufficient_quota",        false)            \
    X(ERR_MODEL_NOT_ALLOWED,      403, "permission_error",         "model_not_allowed",         false)            \
    X(ERR_NOT_ADMIN,              403, "permission_error",         "not_admin",                 false)            \
    X(ERR_ADMIN_KEY,              403, "permission_error",         "admin_key_not_allowed",     false)            \
    X(ERR_ACCOUNT_SUSPENDED,      403, "permission_error",         "account_suspended",         false)            \
    X(ERR_STORAGE_FULL,           403, "permission_error",         "storage_full",              false)            \
    X(ERR_TASK_NOT_FOUND,         404, "not_found",                "task_not_found",            false)            \
    X(ERR_STREAM_NOT_FOUND,       404, "not_found",               "stream_not_found",          false)             \
    X(ERR_FILE_NOT_FOUND,         404, "not_found",                "file_not_found",            false)            \
    X(ERR_CALLBACK_NOT_FOUND,     404, "not_found",                "callback_not_found",        false)            \
    X(ERR_ACCOUNT_NOT_FOUND,      404, "not_found",                "account_not_found",         false)            \
    X(ERR_KEY_NOT_FOUND,          404, "not_found",                "key_not_found",             false)            \
    X(ERR_PROVIDER_NOT_FOUND,     404, "not_found",                "provider_not_found",        false)            \
    X(ERR_NO_SUCH_MODEL,          404, "not_found",                "no_such_model",             false)            \
    X(ERR_ROUTE_NOT_FOUND,        404, "not_found",                "route_not_found",           false)            \
    X(ERR_METHOD_NOT_ALLOWED,     405, "invalid_request_error",    "method_not_allowed",        false)            \
    X(ERR_TASK_FINAL,             409, "conflict_error",           "task_final",                false)            \
    X(ERR_TASK_OPEN,              409, "conflict_error",           "task_not_final",            false)            \
    X(ERR_TASK_NOT_COMPLETED,     409, "conflict_error",           "task_not_completed",        false)            \
    X(ERR_TASK_NOT_RETRYABLE,     409, "conflict_error",           "task_not_retryable",        false)            \
    X(ERR_ACCOUNT_EXISTS,         409, "conflict_error",           "account_exists",            false)            \
    X(ERR_IDEMPOTENCY_KEY_REUSED, 409, "conflict_error",           "idempotency_key_reused",    false)            \
    X(ERR_RESULT_EXPIRED,         410, "gone",                     "result_expired",            false)            \
    X(ERR_STREAM_EXPIRED,         410, "gone",                    "stream_expired",            false)             \
    X(ERR_REQUEST_TOO_LARGE,      413, "request_too_large_error",  "request_too_large",         false)            \
    X(ERR_FILE_TOO_LARGE,         413, "file_too_large_error",     "file_too_large",            false)            \
    X(ERR_RANGE,                  416, "invalid_request_error",    "range_not_satisfiable",     false)            \
    X(ERR_MISSING_FIELD,          422, "invalid_request_error",    "missing_field",             false)            \
    X(ERR_UNKNOWN_FIELD,          422, "invalid_request_error",    "unknown_field",             false)            \
    X(ERR_INVALID_TYPE,           422, "invalid_request_error",    "invalid_type",              false)            \
    X(ERR_OUT_OF_RANGE,           422, "invalid_request_error",    "out_of_range",              false)            \
    X(ERR_NOT_ALLOWED_VALUE,      422, "invalid_request_error",    "not_allowed_value",         false)            \
    X(ERR_TOO_LONG,               422, "invalid_request_error",    "too_long",                  false)            \
    X(ERR_INVALID_URL,            422, "invalid_request_error",    "invalid_url",               false)            \
    X(ERR_MODEL_NOT_FOUND,        422, "invalid_request_error",    "model_not_found",           false)            \
    X(ERR_UNSUPPORTED_OPTIONS,    422, "invalid_request_error",    "unsupported_advanced_options", false)         \
    X(ERR_NO_COMPATIBLE_CHANNEL,  422, "service_unavailable_error","no_compatible_channel",     false)            \
    X(ERR_NO_AVAILABLE_MODEL,     422, "service_unavailable_error","no_available_model",        false)            \
    X(ERR_CAPABILITY,             422, "invalid_request_error",   "model_not_support_capability",false)           \
    X(ERR_PART_TYPE,              422, "invalid_request_error",   "unsupported_content_type",  false)             \
    X(ERR_MODEL_RULE,             422, "invalid_request_error",   "model_rule_violation",      false)             \
    X(ERR_INVALID_PARAM,          422, "invalid_request_error",   "invalid_param",             false)             \
    X(ERR_RATE_LIMITED,           429, "rate_limit_error",         "rate_limit_exceeded",       true)             \
    X(ERR_TOO_MANY_STREAMS,       429, "rate_limit_error",        "too_many_streams",          true)              \
    X(ERR_TOO_MANY_UPLOADS,       429, "rate_limit_error",         "too_many_uploads",          true)              \
    X(ERR_HEADERS_TOO_LARGE,      431, "invalid_request_error",    "headers_too_large",         false)            \
    X(ERR_OVERLOADED,             503, "service_unavailable",      "overloaded",                true)             \
    X(ERR_SHUTTING_DOWN,          503, "service_unavailable",      "shutting_down",             true)             \
    X(ERR_KEYS_UNAVAILABLE,       503, "service_unavailable",      "keys_unavailable",          true)             \
    X(ERR_INTERNAL,               500, "server_error",             "internal_error",            true)             \
    X(ERR_NO_MEMORY,              500, "server_error",             "internal_error",            true)             \
    X(ERR_IO,                     500, "server_error",             "internal_error",            true)             \
    X(ERR_NO_SPACE,               503, "service_unavailable",      "storage_unavailable",       true)             \
    X(ERR_READ_ONLY,              503, "service_unavailable",      "storage_unavailable",       true)             \
    X(ERR_BUSY,                   503, "service_unavailable",      "storage_unavailable",       true)             \
    X(ERR_VERSION,                500, "server_error",             "internal_error",            false)            \
    X(ERR_CORRUPT,                500, "server_error",             "internal_error",            false)            \
    X(ERR_CONFLICT,               500, "server_error",             "internal_error",            false)            \
    X(ERR_NOT_FOUND,              500, "server_error",             "internal_error",            false)            \
    X(ERR_EXISTS,                 500, "server_error",             "internal_error",            false)            \
    X(ERR_CONFIG,                 500, "server_error",             "internal_error",            false)            \
    X(ERR_SCRIPT,                 500, "server_error",             "internal_error",            false)            \
    X(ERR_BLOCKED_ADDRESS,        422, "invalid_request_error",    "invalid_url",               false)            \
    X(ERR_FETCH,                  500, "server_error",             "internal_error",            true)             \
    X(ERR_TIMEOUT,                500, "server_error",             "internal_error",            true)

enum err {
#define X(name, http, type, code, retry) name,
    ERR_TABLE(X)
#undef X
    ERR_COUNT
};

struct err_info {
    const char *name;
    int http_status;
    const char *type;
    const char *code; /* NULL: answered as null */
    bool retryable;
};

/* The row of `err`; never NULL. Pure, any thread. */
const struct err_info *err_info(enum err err);

/* What went wrong, in words for the person who can mend it. Filled by the function that fails, by value. */
struct fault {
    enum err err;
    char param[256];   /* path of the offending field, e.g. image_urls[2]; empty: none */
    char message[768]; /* one sentence, no secrets */
};

/* Fills *fault (NULL: the words are dropped) in valid UTF-8 and returns err, so that a failure is one statement. */
enum err fault_set(struct fault *fault, enum err err, const char *format, ...) printf_like(3, 4);
enum err fault_set_param(struct fault *fault, enum err err, const char *param, const char *format, ...)
    printf_like(4, 5);
