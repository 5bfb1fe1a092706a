/* The dialect of Anthropic's Messages API: whole replies, failures, and what its files share. */
#include "chat/dialect/anthropic.h"

#include <jansson.h>

#include "base/json.h"
#include "chat/dialect/choice.h"
#include "chat/dialect/chunk.h"
#include "chat/dialect/request.h"
#include "remote/read_json.h"

/* ---- what replies and streams share ---- */

void anthropic_counts_read(struct anthropic_counts *counts, const json_t *usage) {
    counts->input_said |= usage_count(usage, "input_tokens", &counts->input);
    usage_count(usage, "cache_creation_input_tokens", &counts->cache_made);
    usage_count(usage, "cache_read_input_tokens", &counts->cache_read);
    counts->output_said |= usage_count(usage, "output_tokens", &counts->output);
    usage_count(json_object_get(usage, "output_tokens_details"), "thinking_tokens", &counts->thinking);
}

struct token_usage anthropic_counts_usage(const struct anthropic_counts *counts) {
    return (struct token_usage){
        .input = counts->input + counts->cache_made + counts->cache_read,
        .output = counts->output,
        .cached = counts->cache_read,
        .reasoning = counts->thinking < counts->output ? counts->thinking : counts->output,
        .estimated = !counts->input_said || !counts->output_said,
    };
}

struct text anthropic_finish(struct text stop_reason) {
    static const struct {
        struct text said, ours;
    } rows[] = {
        { TEXT("max_tokens"), TEXT("length") },
        { TEXT("model_context_window_exceeded"), TEXT("length") },
        { TEXT("tool_use"), TEXT("tool_calls") },
        { TEXT("refusal"), TEXT("content_filter") },
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        if (text_equal(stop_reason, rows[i].said)) {
            return rows[i].ours;
        }
    }
    return TEXT("stop"); /* end_turn, stop_sequence; pause_turn, which only tools of the service's own bring about */
}

struct text anthropic_refusal(const json_t *message) {
    struct text words = member_text(json_object_get(message, "stop_details"), "explanation");
    return words.len > 0 ? words : TEXT("The model's safety system ended this answer.");
}

/* ---- whole replies ---- */

static void add_block(struct choice *choice, const struct chat_call *call, const json_t *block) {
    struct text type = member_text(block, "type");
    if (text_equal(type, TEXT("text"))) {
        buffer_put(&choice->content, member_text(block, "text"));
    } else if (text_equal(type, TEXT("thinking"))) {
        buffer_put(&choice->reasoning, member_text(block, "thinking"));
    } else if (text_equal(type, TEXT("tool_use"))) {
        choice_tool(choice, call, member_text(block, "id"), member_text(block, "name"), json_object_get(block, "input"),
                    NULL);
    }
}

static enum err broken(const char *words, struct chat_failure *ret_failure) {
    chat_failure_of_break(words, ret_failure);
    return ERR_FETCH;
}

static bool write_completion(const struct chat_call *call, const json_t *message, struct text finish,
                             struct buffer *completion, const struct token_usage *usage) {
    const json_t *content = json_object_get(message, "content");
    json_t *choices scoped(json_release) = json_array();
    struct choice choice;
    choice_init(&choice, 0);
    for (size_t i = 0; i < json_array_size(content); i++) {
        add_block(&choice, call, json_array_get(content, i));
    }
    if (text_equal(finish, TEXT("content_filter"))) {
        buffer_put(&choice.refusal, anthropic_refusal(message));
    }
    bool fits = choice_put(&choice, finish, choices);
    choice_fini(&choice);
    return fits &&
           completion_put(completion, call, member_text(message, "id"), member_text(message, "model"), choices, usage);
}

static enum err anthropic_completion(const struct chat_call *call, struct text reply, struct buffer *completion,
                                     struct token_usage *ret_usage, struct chat_failure *ret_failure) {
    json_t *message scoped(json_release) = NULL;
    struct anthropic_counts counts = { 0 };
    if (read_service_json(reply, &message, NULL) != OK) {
        return broken("The service's reply is no JSON.", ret_failure);
    }
    if (chat_failure_told(message)) {
        chat_failure_of_value(message, ret_failure);
        return ERR_FETCH;
    }
    if (!json_is_array(json_object_get(message, "content"))) {
        return broken("The service's reply is no message.", ret_failure);
    }
    anthropic_counts_read(&counts, json_object_get(message, "usage"));
    struct token_usage usage = anthropic_counts_usage(&counts);
    struct text finish = anthropic_finish(member_text(message, "stop_reason"));
    if (!write_completion(call, message, finish, completion, &usage)) {
        return broken("The service's reply is too large.", ret_failure);
    }
    *ret_usage = usage;
    return OK;
}

/* ---- failures ---- */

/* Some failures are 400 and invalid_request_error whatever they are about. */
static void read_words(struct chat_failure *failure) {
    if (strcasestr(failure->message, "credit balance") != NULL ||
        strcasestr(failure->message, "usage limits") != NULL) {
        failure->error = TASK_ERROR_QUOTA;
        failure->scope = SCOPE_ACCOUNT;
        failure->retryable = false;
    } else if (strcasestr(failure->message, "prompt is too long") != NULL ||
               strcasestr(failure->message, "exceed context limit") != NULL) {
        snprintf(failure->code, sizeof failure->code, "context_length_exceeded");
    }
}

static void anthropic_failure(int http_status, struct text headers, struct text reply, struct chat_failure *ret) {
    chat_failure_of_reply(http_status, headers, reply, ret);
    read_words(ret);
}

const struct chat_dialect anthropic_dialect = {
    .name = "anthropic",
    .needs_inline_media = false,
    .check = anthropic_check,
    .request = anthropic_request,
    .completion = anthropic_completion,
    .failure = anthropic_failure,
    .open = anthropic_open,
    .feed = anthropic_feed,
    .over = anthropic_over,
    .finish = anthropic_end,
    .close = anthropic_close,
};
