/* Reading failures: the words of services, in all the forms in which they come, and what they mean. */
#include "chat/dialect/failure.h"

#include <jansson.h>

#include "base/buffer.h"
#include "base/json.h"
#include "chat/dialect/retry_delay.h"
#include "provider/adapter.h"
#include "remote/read_json.h"

/* ---- what words mean ---- */

/* `weak`: the word is used loosely, so that it counts only where no status says more. */
struct meaning {
    const char *word;
    enum task_error error;
    enum failure_scope scope;
    bool retryable, weak;
};

static const struct meaning meanings[] = {
    { "insufficient_quota", TASK_ERROR_QUOTA, SCOPE_ACCOUNT, false, false },
    { "insufficient_balance", TASK_ERROR_QUOTA, SCOPE_ACCOUNT, false, false },
    { "exceeded_current_quota_error", TASK_ERROR_QUOTA, SCOPE_ACCOUNT, false, false },
    { "billing_error", TASK_ERROR_QUOTA, SCOPE_ACCOUNT, false, false },
    { "billing_not_active", TASK_ERROR_QUOTA, SCOPE_ACCOUNT, false, false },
    { "billing_hard_limit_reached", TASK_ERROR_QUOTA, SCOPE_ACCOUNT, false, false },
    { "account_deactivated", TASK_ERROR_QUOTA, SCOPE_ACCOUNT, false, false },
    { "invalid_api_key", TASK_ERROR_SERVICE, SCOPE_KEY, false, false },
    { "invalid_authentication_error", TASK_ERROR_SERVICE, SCOPE_KEY, false, false },
    { "authentication_error", TASK_ERROR_SERVICE, SCOPE_KEY, false, true },
    { "permission_error", TASK_ERROR_SERVICE, SCOPE_KEY, false, true },
    { "UNAUTHENTICATED", TASK_ERROR_SERVICE, SCOPE_KEY, false, true },
    { "PERMISSION_DENIED", TASK_ERROR_SERVICE, SCOPE_KEY, false, true },
    { "content_filter", TASK_ERROR_CONTENT_POLICY, SCOPE_REQUEST, false, false },
    { "content_policy_violation", TASK_ERROR_CONTENT_POLICY, SCOPE_REQUEST, false, false },
    { "moderation_blocked", TASK_ERROR_CONTENT_POLICY, SCOPE_REQUEST, false, false },
    { "ResponsibleAIPolicyViolation", TASK_ERROR_CONTENT_POLICY, SCOPE_REQUEST, false, false },
    { "data_inspection_failed", TASK_ERROR_CONTENT_POLICY, SCOPE_REQUEST, false, false },
    { "context_length_exceeded", TASK_ERROR_INVALID_PARAMETERS, SCOPE_REQUEST, false, false },
    { "exceed_context_size_error", TASK_ERROR_INVALID_PARAMETERS, SCOPE_REQUEST, false, false },
    { "invalid_request_error", TASK_ERROR_INVALID_PARAMETERS, SCOPE_REQUEST, false, true },
    { "request_too_large", TASK_ERROR_INVALID_PARAMETERS, SCOPE_REQUEST, false, true },
    { "BadRequestError", TASK_ERROR_INVALID_PARAMETERS, SCOPE_REQUEST, false, true },
    { "INVALID_ARGUMENT", TASK_ERROR_INVALID_PARAMETERS, SCOPE_REQUEST, false, true },
    { "FAILED_PRECONDITION", TASK_ERROR_INVALID_PARAMETERS, SCOPE_REQUEST, false, true },
    /* the name is the route's, not the client's, so another route may do */
    { "model_not_found", TASK_ERROR_RESOURCE_NOT_FOUND, SCOPE_ROUTE, false, false },
    { "DeploymentNotFound", TASK_ERROR_RESOURCE_NOT_FOUND, SCOPE_ROUTE, false, false },
    { "not_found_error", TASK_ERROR_RESOURCE_NOT_FOUND, SCOPE_REQUEST, false, true },
    { "NOT_FOUND", TASK_ERROR_RESOURCE_NOT_FOUND, SCOPE_REQUEST, false, true },
    { "rate_limit_exceeded", TASK_ERROR_RESOURCE_EXHAUSTED, SCOPE_CAPACITY, true, false },
    { "rate_limit_error", TASK_ERROR_RESOURCE_EXHAUSTED, SCOPE_CAPACITY, true, false },
    { "rate_limit_reached_error", TASK_ERROR_RESOURCE_EXHAUSTED, SCOPE_CAPACITY, true, false },
    { "engine_overloaded_error", TASK_ERROR_RESOURCE_EXHAUSTED, SCOPE_CAPACITY, true, false },
    { "overloaded_error", TASK_ERROR_RESOURCE_EXHAUSTED, SCOPE_CAPACITY, true, false },
    { "RESOURCE_EXHAUSTED", TASK_ERROR_RESOURCE_EXHAUSTED, SCOPE_CAPACITY, true, false },
    { "unavailable_error", TASK_ERROR_UNAVAILABLE, SCOPE_CAPACITY, true, false }, /* llama.cpp loads its model */
    { "UNAVAILABLE", TASK_ERROR_UNAVAILABLE, SCOPE_PROVIDER, true, true },
    { "server_error", TASK_ERROR_SERVICE, SCOPE_PROVIDER, true, true },
    { "api_error", TASK_ERROR_SERVICE, SCOPE_PROVIDER, true, true },
    { "internal_server_error", TASK_ERROR_SERVICE, SCOPE_PROVIDER, true, true },
    { "INTERNAL", TASK_ERROR_SERVICE, SCOPE_PROVIDER, true, true },
    { "timeout_error", TASK_ERROR_UNAVAILABLE, SCOPE_PROVIDER, true, true },
    { "DEADLINE_EXCEEDED", TASK_ERROR_UNAVAILABLE, SCOPE_PROVIDER, true, true },
};

/* Changes what is known of a failure by what a service calls it; false: no such word is known, nothing is changed. */
static bool read_word(struct text word, struct chat_failure *failure) {
    for (size_t i = 0; i < ARRAY_SIZE(meanings); i++) {
        const struct meaning *row = &meanings[i];
        if (text_equal(word, text_of(row->word)) && (!row->weak || failure->http_status == 0)) {
            failure->error = row->error;
            failure->scope = row->scope;
            failure->retryable = row->retryable;
            return true;
        }
    }
    return false;
}

/* By the status alone; 0 or 2xx: something failed under HTTP 200. */
static void read_status(int http_status, struct text headers, struct chat_failure *ret) {
    bool said = http_status != 0 && http_status / 100 != 2;
    struct adapter_failure known = adapter_status_failure(said ? http_status : 500);
    *ret = (struct chat_failure){
        .error = known.error,
        .scope = known.scope,
        .retryable = known.retryable || http_status == 409,
        .http_status = said ? http_status : 0,
    };
    retry_delay_read(headers, ret);
}

void chat_failure_of_break(const char *words, struct chat_failure *ret) {
    read_status(0, TEXT_NONE, ret);
    chat_failure_set_message(ret, text_of(words));
    ret->our_words = true;
}

/* ---- the texts ---- */

/* One line of valid UTF-8, whatever a page in between said them in. */
static void set_text(char *field, size_t size, struct text words) {
    words = text_clip(text_trim(words), size - 1);
    for (size_t i = 0; i < words.len;) {
        size_t length = text_utf8_length((struct text){ words.ptr + i, words.len - i });
        unsigned char c = (unsigned char)words.ptr[i];
        if (length > 1) {
            memcpy(field + i, words.ptr + i, length);
            i += length;
        } else {
            field[i++] = (char)(length == 0 ? '?' : c < 0x20 || c == 0x7F ? ' ' : c);
        }
    }
    field[words.len] = '\0';
}

void chat_failure_set_message(struct chat_failure *failure, struct text message) {
    set_text(failure->message, sizeof(failure->message), message);
}

/* A text, or a number as text. */
static void set_member(char *field, size_t size, const json_t *object, const char *name) {
    const json_t *value = json_object_get(object, name);
    if (json_is_integer(value)) {
        snprintf(field, size, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
    } else if (json_is_string(value)) {
        set_text(field, size, json_text_of(value));
    }
}

/* ---- error objects ---- */

/* Google's google.rpc.RetryInfo. */
static void read_details(const json_t *details, struct chat_failure *failure) {
    for (size_t i = 0; i < json_array_size(details); i++) {
        const json_t *delay = json_object_get(json_array_get(details, i), "retryDelay");
        if (json_is_string(delay) && failure->delay_ms == 0) {
            failure->delay_ms = chat_duration_ms(json_text_of(delay));
        }
    }
}

/* A number as code is a status in other clothes, where the reply's own says nothing. */
static void read_code_number(const json_t *code, struct chat_failure *failure) {
    int64_t status = json_integer_value(code);
    if (json_is_string(code) && !text_to_i64(json_text_of(code), &status)) {
        return;
    }
    if (failure->http_status == 0 && status >= 400 && status <= 599) {
        struct chat_failure known;
        read_status((int)status, TEXT_NONE, &known);
        failure->error = known.error;
        failure->scope = known.scope;
        failure->retryable = known.retryable;
    }
}

static void read_object(const json_t *error, struct chat_failure *failure) {
    static const char *const names[] = { "message", "msg", "detail" };
    for (size_t i = 0; i < ARRAY_SIZE(names) && *failure->message == '\0'; i++) {
        chat_failure_set_message(failure, json_text_of(json_object_get(error, names[i])));
    }
    set_member(failure->type, sizeof(failure->type), error, "status"); /* Google's; a type is better */
    set_member(failure->type, sizeof(failure->type), error, "type");
    set_member(failure->code, sizeof(failure->code), error, "code");
    set_member(failure->param, sizeof(failure->param), error, "param");
    read_code_number(json_object_get(error, "code"), failure);
    read_details(json_object_get(error, "details"), failure);
    const json_t *inner = json_object_get(error, "innererror"); /* Azure's */
    bool known = read_word(json_text_of(json_object_get(error, "code")), failure) ||
                 read_word(json_text_of(json_object_get(inner, "code")), failure) ||
                 read_word(json_text_of(json_object_get(error, "type")), failure);
    if (!known) {
        read_word(json_text_of(json_object_get(error, "status")), failure);
    }
}

/* MiniMax's, which stands in every reply, under HTTP 200 too; 0: all is well. */
static int64_t base_status(const json_t *value) {
    return json_integer_value(json_object_get(json_object_get(value, "base_resp"), "status_code"));
}

/* What is not listed is the service's own trouble, and passes. */
static void read_base(const json_t *value, struct chat_failure *failure) {
    static const struct {
        int64_t status;
        enum task_error error;
        enum failure_scope scope;
        bool retryable;
    } rows[] = {
        { 1002, TASK_ERROR_RESOURCE_EXHAUSTED, SCOPE_CAPACITY, true },
        { 1004, TASK_ERROR_SERVICE, SCOPE_KEY, false },
        { 1008, TASK_ERROR_QUOTA, SCOPE_ACCOUNT, false },
        { 1026, TASK_ERROR_CONTENT_POLICY, SCOPE_REQUEST, false },     /* by what was asked */
        { 1027, TASK_ERROR_CONTENT_POLICY, SCOPE_REQUEST, false },     /* by what was answered */
        { 1039, TASK_ERROR_INVALID_PARAMETERS, SCOPE_REQUEST, false }, /* too many tokens */
        { 1042, TASK_ERROR_INVALID_PARAMETERS, SCOPE_REQUEST, false }, /* characters that it does not take */
        { 2013, TASK_ERROR_INVALID_PARAMETERS, SCOPE_REQUEST, false },
        { 2038, TASK_ERROR_SERVICE, SCOPE_ACCOUNT, false }, /* its owner has not said who he is */
        { 2049, TASK_ERROR_SERVICE, SCOPE_KEY, false },
        { 2056, TASK_ERROR_QUOTA, SCOPE_ACCOUNT, false },
    };
    const json_t *base = json_object_get(value, "base_resp");
    chat_failure_set_message(failure, json_text_of(json_object_get(base, "status_msg")));
    set_member(failure->code, sizeof(failure->code), base, "status_code");
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        if (base_status(value) == rows[i].status) {
            failure->error = rows[i].error;
            failure->scope = rows[i].scope;
            failure->retryable = rows[i].retryable;
        }
    }
}

/* FastAPI's list of what is wrong with a request: the first, with its place. */
static void read_complaint(const json_t *complaint, struct chat_failure *failure) {
    const json_t *place = json_object_get(complaint, "loc");
    struct buffer scoped(buffer_fini) path;
    buffer_init(&path, sizeof(failure->param) - 1);
    for (size_t i = 0; i < json_array_size(place); i++) {
        const json_t *step = json_array_get(place, i);
        if (i == 0 && text_equal(json_text_of(step), TEXT("body"))) {
            continue;
        }
        if (json_is_integer(step)) {
            buffer_printf(&path, "[%" JSON_INTEGER_FORMAT "]", json_integer_value(step));
        } else {
            buffer_put(&path, path.len > 0 ? TEXT(".") : TEXT(""));
            buffer_put(&path, json_text_of(step));
        }
    }
    chat_failure_set_message(failure, json_text_of(json_object_get(complaint, "msg")));
    set_text(failure->param, sizeof(failure->param), buffer_text(&path));
}

static void read_detail(const json_t *detail, struct chat_failure *failure) {
    if (json_is_string(detail)) {
        chat_failure_set_message(failure, json_text_of(detail));
    } else if (json_is_array(detail)) {
        read_complaint(json_array_get(detail, 0), failure);
    } else {
        read_object(detail, failure);
    }
}

static void read_value(const json_t *value, struct chat_failure *failure) {
    value = json_is_array(value) ? json_array_get(value, 0) : value;
    const json_t *error = json_object_get(value, "error");
    const json_t *detail = json_object_get(value, "detail");
    const json_t *errors = json_object_get(value, "errors");
    if (json_is_object(error)) {
        read_object(error, failure);
    } else if (json_is_string(error) && json_string_length(error) > 0) {
        chat_failure_set_message(failure, json_text_of(error));
        read_word(json_text_of(error), failure);
    } else if (base_status(value) != 0) {
        read_base(value, failure);
    } else if (json_is_object(json_array_get(errors, 0))) {
        read_object(json_array_get(errors, 0), failure);
    } else if (detail && !json_is_string(json_object_get(value, "message"))) {
        read_detail(detail, failure);
    } else if (json_is_string(value)) {
        chat_failure_set_message(failure, json_text_of(value));
    } else {
        read_object(value, failure);
    }
}

bool chat_failure_told(const json_t *value) {
    const json_t *error = json_object_get(value, "error");
    struct text object = json_text_of(json_object_get(value, "object"));
    struct text type = json_text_of(json_object_get(value, "type"));
    bool empty =
        json_is_null(error) || json_is_false(error) || (json_is_string(error) && json_string_length(error) == 0);
    return (error && !empty) || base_status(value) != 0 || text_equal(object, TEXT("error")) || text_equal(type, TEXT("error"));
}

void chat_failure_of_value(const json_t *value, struct chat_failure *ret) {
    read_status(0, TEXT_NONE, ret);
    read_value(value, ret);
}

/* ---- whole replies ---- */

/* What a page calls itself: the rest of it is for eyes. */
static struct text page_title(struct text page) {
    static const char open[] = "<title>", close[] = "</title>";
    const char *begin = memmem(page.ptr, page.len, open, sizeof(open) - 1);
    if (!begin) {
        return TEXT_NONE;
    }
    begin += sizeof(open) - 1;
    size_t left = (size_t)(page.ptr + page.len - begin);
    const char *end = memmem(begin, left, close, sizeof(close) - 1);
    return (struct text){ begin, end ? (size_t)(end - begin) : 0 };
}

void chat_failure_of_reply(int http_status, struct text headers, struct text reply, struct chat_failure *ret) {
    json_t *value scoped(json_release) = NULL;
    read_status(http_status, headers, ret);
    reply = text_trim(reply);
    if (reply.len == 0) {
        return;
    }
    if (read_service_json(reply, &value, NULL) == OK) {
        read_value(value, ret);
        retry_delay_read(headers, ret);
    } else if (reply.ptr[0] == '<') {
        chat_failure_set_message(ret, page_title(reply));
    } else if (reply.ptr[0] != '{' && reply.ptr[0] != '[' && text_is_utf8(reply)) {
        chat_failure_set_message(ret, reply);
    }
}
