/* What failures of a talk mean: whose fault, and whether anything was made by it.
 *
 *   nothing reached the service, or it answered with an error    JOB_NOT_MADE  another way may be tried (T4)
 *   sent, and no word of an answer came                          JOB_UNKNOWN   never sent again (T3)
 *   broken off after the first chunk                             JOB_ENDED     what was said cannot be unsaid */
#include <jansson.h>

#include "base/clock.h"
#include "base/json.h"
#include "chat/driver/talk.h"
#include "net/fetch.h"
#include "net/retry_after.h"
#include "remote/read_json.h"

void talk_end_set(struct talk *talk, enum task_error error, enum failure_scope scope, bool retryable,
                  enum job_fate fate, const char *message) {
    struct talk_end *end = &talk->end;
    *end = (struct talk_end){ .failure = { .error = error, .scope = scope, .retryable = retryable }, .fate = fate };
    snprintf(end->failure.message, sizeof(end->failure.message), "%s", message);
}

void talk_end_detail(struct talk *talk, int http_status, const char *words, struct text raw) {
    char *detail = talk->end.detail;
    size_t size = sizeof(talk->end.detail);
    int length = http_status > 0 ? snprintf(detail, size, "HTTP %d%s%s", http_status, *words ? ": " : "", words)
                                 : snprintf(detail, size, "%s", words);
    size_t used = length < 0 ? 0 : (size_t)length;
    if (raw.len > 0 && used + 2 < size) {
        bool sentence = used > 0 && detail[used - 1] == '.';
        snprintf(detail + used, size - used, "%s%.*s", sentence ? " " : used > 0 ? ": " : "",
                 TEXT_ARG(text_clip(raw, size - used - 1)));
    }
}

void talk_end_fault(struct talk *talk, const struct fault *fault) {
    const struct err_info *info = err_info(fault->err);
    bool final = info->http_status / 100 == 4; /* it would be refused every time */
    if (!final && *fault->param == '\0') {
        talk_end_set(talk, TASK_ERROR_UNAVAILABLE, SCOPE_REQUEST, true, JOB_NOT_MADE, "");
        talk->end.unsent = true;
        talk_end_detail(talk, 0, fault->message, TEXT_NONE);
        return;
    }
    talk_end_set(talk, TASK_ERROR_INVALID_PARAMETERS, SCOPE_REQUEST, !final, JOB_NOT_MADE, "");
    talk->end.unsent = true;
    struct chat_failure *failure = &talk->end.failure;
    failure->http_status = final ? info->http_status : 0;
    struct text words = text_clip(text_of(fault->message), sizeof(failure->message) - sizeof(fault->param) - 3);
    snprintf(failure->message, sizeof(failure->message), "%s%s%.*s", fault->param, *fault->param ? ": " : "",
             TEXT_ARG(words));
    if (final) {
        snprintf(failure->type, sizeof(failure->type), "%s", info->type);
        snprintf(failure->code, sizeof(failure->code), "%s", info->code ? info->code : "");
    }
    snprintf(failure->param, sizeof(failure->param), "%.*s",
             TEXT_ARG(text_clip(text_of(fault->param), sizeof(failure->param) - 1)));
}

void talk_end_unsayable(struct talk *talk, const struct fault *fault) {
    talk_end_fault(talk, fault);
    if (!talk->end.failure.retryable) {
        talk->end.failure.scope = SCOPE_ROUTE;
    }
}

void talk_end_overflow(struct talk *talk) {
    talk_end_set(talk, TASK_ERROR_SERVICE, SCOPE_REQUEST, false, JOB_ENDED,
                 talk->attempt->must_keep_up ? "The answer is read too slowly, or longer than it may be."
                                        : "The answer is longer than it may be.");
}

static void end_timeout(struct talk *talk, const struct fetch_result *result) {
    talk_end_set(talk, TASK_ERROR_TIMEOUT, SCOPE_PROVIDER, false, talk->chunks > 0 ? JOB_ENDED : JOB_UNKNOWN, "");
    talk_end_detail(talk, result->http_status, result->detail, TEXT_NONE);
}

void talk_end_lost(struct talk *talk, const struct fetch_result *result) {
    if (!result->sent) {
        talk_end_set(talk, TASK_ERROR_UNAVAILABLE, SCOPE_PROVIDER, !result->final, JOB_NOT_MADE, "");
    } else if (result->err == ERR_TIMEOUT) {
        end_timeout(talk, result);
        return;
    } else if (result->err == ERR_FILE_TOO_LARGE) {
        talk_end_overflow(talk);
    } else if (talk->chunks > 0) {
        talk_end_set(talk, TASK_ERROR_SERVICE, SCOPE_PROVIDER, false, JOB_ENDED, "The answer broke off.");
    } else {
        talk_end_set(talk, TASK_ERROR_SUBMISSION_UNKNOWN, SCOPE_PROVIDER, false, JOB_UNKNOWN, "");
    }
    talk_end_detail(talk, result->http_status, result->detail, buffer_text(&talk->head));
}

/* A service's words are for the client where they are about its request; others, of the operator's keys, balance, projects and
 * machines, stand in the detail alone. */
static void drop_others_words(struct chat_failure *failure) {
    if (!failure->our_words && failure->scope != SCOPE_REQUEST) {
        chat_failure_set_message(failure, failure->error == TASK_ERROR_RESOURCE_NOT_FOUND
                                              ? TEXT("The service behind this model does not have it.")
                                              : TEXT(""));
    }
}

void talk_end_said(struct talk *talk, const struct chat_failure *failure, enum job_fate fate) {
    talk->end = (struct talk_end){ .failure = *failure, .fate = fate };
    drop_others_words(&talk->end.failure);
}

/* Whether the service itself says that something went wrong. */
static bool names_error(struct text reply, const struct chat_failure *failure) {
    json_t *scoped(json_release) value = NULL;
    if (failure->type[0] || failure->code[0]) {
        return true;
    }
    const json_t *error = read_service_json(reply, &value, NULL) == OK ? json_object_get(value, "error") : NULL;
    return error && !json_is_null(error);
}

void talk_end_unanswered(struct talk *talk, int http_status, struct text reply, const struct chat_failure *failure) {
    bool answered = failure->error == TASK_ERROR_NO_CONTENT || failure->error == TASK_ERROR_CONTENT_POLICY;
    if (names_error(reply, failure) || failure->scope == SCOPE_REQUEST) {
        talk_end_said(talk, failure, JOB_NOT_MADE);
    } else if (answered) {
        talk_end_said(talk, failure, JOB_ENDED);
        talk->end.failure.retryable = false;
    } else {
        talk_end_set(talk, TASK_ERROR_SUBMISSION_UNKNOWN, SCOPE_PROVIDER, false, JOB_UNKNOWN, "");
    }
    talk_end_detail(talk, http_status, failure->message, reply);
}

static int64_t retry_after_ms(const struct fetch_result *result) {
    int64_t ms = retry_after_read_ms_header(fetch_result_header(result, "retry-after-ms"));
    return ms > 0 ? ms : retry_after_read_ms(fetch_result_header(result, "retry-after"), clock_wall_ms());
}

void talk_end_refused(struct talk *talk, const struct fetch_result *result) {
    struct chat_failure failure;
    talk->dialect->failure(result->http_status, fetch_result_headers(result), result->body, &failure);
    if (failure.delay_ms == 0) {
        failure.delay_ms = retry_after_ms(result);
    }
    talk_end_said(talk, &failure, JOB_NOT_MADE);
    talk_end_detail(talk, result->http_status, "", result->body);
}
