/* The dialect of Google's generateContent: whole replies, failures, and what its files share. */
#include "chat/dialect/gemini.h"

#include <jansson.h>

#include "base/json.h"
#include "chat/dialect/choice.h"
#include "chat/dialect/chunk.h"
#include "chat/dialect/request.h"
#include "remote/read_json.h"

/* ---- what replies and streams share ---- */

void gemini_counts_read(struct gemini_counts *counts, const json_t *usage) {
    counts->input_said |= usage_count(usage, "promptTokenCount", &counts->prompt);
    usage_count(usage, "toolUsePromptTokenCount", &counts->tools);
    counts->output_said |= usage_count(usage, "candidatesTokenCount", &counts->candidates);
    counts->output_said |= usage_count(usage, "totalTokenCount", &counts->total);
    usage_count(usage, "thoughtsTokenCount", &counts->thoughts);
    usage_count(usage, "cachedContentTokenCount", &counts->cached);
}

struct token_usage gemini_counts_usage(const struct gemini_counts *counts) {
    int64_t input = counts->prompt + counts->tools, output = counts->candidates + counts->thoughts;
    return (struct token_usage){
        .input = input,
        .output = counts->total - input > output ? counts->total - input : output,
        .cached = counts->cached < input ? counts->cached : input,
        .reasoning = counts->thoughts,
        .estimated = !counts->input_said || !counts->output_said,
    };
}

struct text gemini_finish(struct text reason, bool *ret_odd) {
    static const struct {
        struct text said, ours;
    } rows[] = {
        { TEXT("STOP"), TEXT("stop") },
        { TEXT("MAX_TOKENS"), TEXT("length") },
        { TEXT("SAFETY"), TEXT("content_filter") },
        { TEXT("RECITATION"), TEXT("content_filter") },
        { TEXT("BLOCKLIST"), TEXT("content_filter") },
        { TEXT("PROHIBITED_CONTENT"), TEXT("content_filter") },
        { TEXT("SPII"), TEXT("content_filter") },
        { TEXT("MODEL_ARMOR"), TEXT("content_filter") },
        { TEXT("IMAGE_SAFETY"), TEXT("content_filter") },
        { TEXT("IMAGE_PROHIBITED_CONTENT"), TEXT("content_filter") },
        { TEXT("IMAGE_RECITATION"), TEXT("content_filter") },
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        if (text_equal(reason, rows[i].said)) {
            *ret_odd = false;
            return rows[i].ours;
        }
    }
    *ret_odd = reason.len > 0; /* MALFORMED_FUNCTION_CALL, UNEXPECTED_TOOL_CALL, LANGUAGE, OTHER, … */
    return TEXT("stop");
}

/* Sets a failure's code and message: what the service says, else that `what` was ended for `reason`. */
static void set_words(struct chat_failure *failure, const char *code, struct text said, const char *what,
                      struct text reason) {
    char words[256];
    snprintf(words, sizeof words, "%s: %.*s.", what, TEXT_ARG(text_clip(reason, 64)));
    chat_failure_set_message(failure, said.len > 0 ? said : text_of(words));
    snprintf(failure->code, sizeof failure->code, "%s", code);
}

void gemini_failure_odd(const json_t *candidate, struct chat_failure *ret) {
    char code[sizeof ret->code];
    struct text reason = member_text(candidate, "finishReason");
    snprintf(code, sizeof code, "%.*s", TEXT_ARG(text_clip(reason, sizeof code - 1)));
    *ret = (struct chat_failure){ .error = TASK_ERROR_GENERATION_FAILED, .scope = SCOPE_REQUEST, .retryable = true };
    set_words(ret, code, member_text(candidate, "finishMessage"), "The model ended its answer without content", reason);
}

bool gemini_failed(const json_t *reply, struct chat_failure *ret) {
    const json_t *feedback = json_object_get(reply, "promptFeedback");
    struct text reason = member_text(feedback, "blockReason");
    if (chat_failure_told(reply)) {
        chat_failure_of_value(reply, ret);
        return true;
    }
    if (reason.len == 0 || json_array_size(json_object_get(reply, "candidates")) > 0) {
        return false;
    }
    *ret = (struct chat_failure){ .error = TASK_ERROR_CONTENT_POLICY, .scope = SCOPE_REQUEST };
    set_words(ret, "content_filter", member_text(feedback, "blockReasonMessage"), "The prompt was blocked", reason);
    return true;
}

json_t *gemini_extra(const json_t *part) {
    struct text signature = member_text(part, "thoughtSignature");
    if (signature.len == 0) {
        return NULL;
    }
    json_t *google = json_object(), *extra = json_object();
    put_text(google, "thought_signature", signature);
    json_object_set_new(extra, "google", google);
    return extra;
}

/* ---- whole replies ---- */

static void add_part(struct choice *choice, const struct chat_call *call, const json_t *part) {
    const json_t *function = json_object_get(part, "functionCall");
    struct text words = member_text(part, "text");
    if (json_is_object(function)) {
        json_t *extra scoped(json_release) = gemini_extra(part);
        choice_tool(choice, call, member_text(function, "id"), member_text(function, "name"),
                    json_object_get(function, "args"), extra);
    } else {
        buffer_put(json_is_true(json_object_get(part, "thought")) ? &choice->reasoning : &choice->content, words);
    }
}

/* False: it ended oddly, with nothing in it, or is too large. */
static bool add_candidate(const struct chat_call *call, const json_t *candidate, unsigned index, json_t *choices) {
    const json_t *parts = json_object_get(json_object_get(candidate, "content"), "parts");
    struct choice choice;
    bool odd;
    choice_init(&choice, index);
    for (size_t i = 0; i < json_array_size(parts); i++) {
        add_part(&choice, call, json_array_get(parts, i));
    }
    struct text finish = gemini_finish(member_text(candidate, "finishReason"), &odd);
    bool good = !odd || !choice_empty(&choice);
    good = choice_put(&choice, finish, choices) && good;
    choice_fini(&choice);
    return good;
}

static enum err read_candidates(const struct chat_call *call, const json_t *reply, json_t *choices,
                                struct chat_failure *ret_failure) {
    const json_t *candidates = json_object_get(reply, "candidates");
    size_t count = json_array_size(candidates), good = 0;
    if (count == 0) {
        chat_failure_of_break("The service's reply has no answer.", ret_failure);
        return ERR_FETCH;
    }
    count = count < GEMINI_CANDIDATES_MAX ? count : GEMINI_CANDIDATES_MAX;
    for (size_t i = 0; i < count; i++) {
        good += add_candidate(call, json_array_get(candidates, i), (unsigned)i, choices);
    }
    if (good == 0) {
        gemini_failure_odd(json_array_get(candidates, 0), ret_failure);
        return ERR_FETCH;
    }
    return OK;
}

static enum err gemini_completion(const struct chat_call *call, struct text reply, struct buffer *completion,
                                  struct token_usage *ret_usage, struct chat_failure *ret_failure) {
    json_t *value scoped(json_release) = NULL;
    json_t *choices scoped(json_release) = json_array();
    struct gemini_counts counts = { 0 };
    if (read_service_json(reply, &value, NULL) != OK) {
        chat_failure_of_break("The service's reply is no JSON.", ret_failure);
        return ERR_FETCH;
    }
    const json_t *whole = json_is_array(value) ? json_array_get(value, 0) : value;
    if (gemini_failed(whole, ret_failure) || read_candidates(call, whole, choices, ret_failure) != OK) {
        return ERR_FETCH;
    }
    gemini_counts_read(&counts, json_object_get(whole, "usageMetadata"));
    struct token_usage usage = gemini_counts_usage(&counts);
    if (!completion_put(completion, call, member_text(whole, "responseId"), member_text(whole, "modelVersion"), choices,
                        &usage)) {
        chat_failure_of_break("The service's reply is too large.", ret_failure);
        return ERR_FETCH;
    }
    *ret_usage = usage;
    return OK;
}

/* ---- failures ---- */

static void set_meaning(struct chat_failure *failure, enum task_error error, enum failure_scope scope) {
    failure->error = error;
    failure->scope = scope;
    failure->retryable = false;
}

/* google.rpc.ErrorInfo and QuotaFailure say what the status word leaves open. */
static void read_details(const json_t *details, struct chat_failure *failure) {
    for (size_t i = 0; i < json_array_size(details); i++) {
        const json_t *detail = json_array_get(details, i);
        struct text reason = member_text(detail, "reason");
        const json_t *violations = json_object_get(detail, "violations");
        if (text_starts(reason, TEXT("API_KEY_")) || text_equal(reason, TEXT("ACCESS_TOKEN_EXPIRED"))) {
            set_meaning(failure, TASK_ERROR_SERVICE, SCOPE_KEY);
        } else if (text_equal(reason, TEXT("BILLING_DISABLED")) || text_equal(reason, TEXT("CONSUMER_SUSPENDED"))) {
            set_meaning(failure, TASK_ERROR_QUOTA, SCOPE_ACCOUNT);
        }
        for (size_t k = 0; k < json_array_size(violations); k++) {
            const char *quota = json_string_value(json_object_get(json_array_get(violations, k), "quotaId"));
            if (quota != NULL && strstr(quota, "PerDay") != NULL) {
                set_meaning(failure, TASK_ERROR_QUOTA, SCOPE_ACCOUNT);
            }
        }
    }
}

/* What is the key's or the account's fault is INVALID_ARGUMENT or FAILED_PRECONDITION as well. */
static void read_words(struct chat_failure *failure) {
    bool argument = strcmp(failure->type, "INVALID_ARGUMENT") == 0;
    if (argument && strcasestr(failure->message, "api key") != NULL) {
        set_meaning(failure, TASK_ERROR_SERVICE, SCOPE_KEY);
    } else if (argument && strcasestr(failure->message, "token count") != NULL &&
               strcasestr(failure->message, "exceeds") != NULL) {
        snprintf(failure->code, sizeof failure->code, "context_length_exceeded");
    } else if (strcmp(failure->type, "FAILED_PRECONDITION") == 0) { /* no billing, or not in this country */
        set_meaning(failure, TASK_ERROR_SERVICE, SCOPE_ACCOUNT);
    }
}

static void gemini_failure(int http_status, struct text headers, struct text reply, struct chat_failure *ret) {
    json_t *value scoped(json_release) = NULL;
    chat_failure_of_reply(http_status, headers, reply, ret);
    read_words(ret);
    if (read_service_json(reply, &value, NULL) == OK) {
        const json_t *whole = json_is_array(value) ? json_array_get(value, 0) : value;
        read_details(json_object_get(json_object_get(whole, "error"), "details"), ret);
    }
}

const struct chat_dialect gemini_dialect = {
    .name = "gemini",
    .needs_inline_media = false,
    .check = gemini_check,
    .request = gemini_request,
    .completion = gemini_completion,
    .failure = gemini_failure,
    .open = gemini_open,
    .feed = gemini_feed,
    .finish = gemini_end,
    .close = gemini_close,
};
