/* Failures of language models' services, as clients of OpenAI's API expect to be told. */
#include "api/chat/chat.h"
#include "base/json.h"

/* How each ends a call: the status says to a client whether trying again may help. */
static const struct {
    int http_status;
    const char *type;
} answers[TASK_ERROR_COUNT] = {
    [TASK_ERROR_NONE] = { 500, "server_error" },
    [TASK_ERROR_CONTENT_POLICY] = { 400, "invalid_request_error" },
    [TASK_ERROR_INVALID_PARAMETERS] = { 400, "invalid_request_error" },
    [TASK_ERROR_IMAGE_PROCESSING] = { 400, "invalid_request_error" },
    [TASK_ERROR_IMAGE_DIMENSION] = { 400, "invalid_request_error" },
    [TASK_ERROR_CANCELLED] = { 409, "conflict_error" },
    [TASK_ERROR_GENERATION_FAILED] = { 500, "server_error" },
    [TASK_ERROR_NO_CONTENT] = { 500, "server_error" },
    [TASK_ERROR_SERVICE] = { 503, "service_unavailable" },
    [TASK_ERROR_TIMEOUT] = { 503, "service_unavailable" },
    [TASK_ERROR_RESOURCE_EXHAUSTED] = { 429, "rate_limit_error" },
    [TASK_ERROR_QUOTA] = { 503, "service_unavailable" },
    [TASK_ERROR_UNAVAILABLE] = { 503, "service_unavailable" },
    [TASK_ERROR_RESOURCE_NOT_FOUND] = { 404, "not_found" },
    [TASK_ERROR_SUBMISSION_UNKNOWN] = { 503, "service_unavailable" },
    [TASK_ERROR_UNKNOWN] = { 500, "server_error" },
};

/* What a service, or we in its place, would not process stays that. */
int chat_failure_status(const struct chat_failure *failure) {
    int status = answers[failure->error].http_status;
    return status == 400 && failure->http_status == 422 ? 422 : status;
}

/* A service's own words are for the client where they are about its request, and so are those of a dialect that cannot say
 * it; all else is the operator's matter. */
static bool about_the_request(const struct chat_failure *failure) {
    bool asked = failure->scope == SCOPE_REQUEST || failure->scope == SCOPE_ROUTE;
    return asked && answers[failure->error].http_status == 400;
}

static const char *words_of(const struct chat_failure *failure) {
    if (failure->message[0] != '\0')
        return failure->message;
    const char *words = task_error_message(failure->error);
    return words != NULL ? words : "The generation failed.";
}

/* A service's own where it is a word: a number means nothing to who knows OpenAI's. */
static const char *code_of(const struct chat_failure *failure) {
    bool word = failure->code[0] != '\0' && !text_is_digits(text_of(failure->code));
    return about_the_request(failure) && word ? failure->code : task_error_code(failure->error);
}

void chat_put_failure(struct buffer *buf, const struct chat_failure *failure) {
    struct json_writer json;

    json_begin(&json, buf);
    json_object_begin(&json);
    json_key(&json, "error");
    json_object_begin(&json);
    json_key(&json, "message");
    json_text(&json, text_of(words_of(failure)));
    json_key(&json, "type");
    json_text(&json, text_of(answers[failure->error].type));
    json_key(&json, "code");
    json_string_or_null(&json, code_of(failure));
    json_key(&json, "param");
    json_string_or_null(&json, about_the_request(failure) && failure->param[0] != '\0' ? failure->param : NULL);
    json_object_end(&json);
    json_object_end(&json);
}
