/* Writes ChatCompletions. */
#include "chat/dialect/choice.h"

#include <jansson.h>
#include <stdlib.h>

#include "base/json.h"
#include "chat/dialect/chunk.h"
#include "chat/dialect/request.h"

void choice_init(struct choice *choice, unsigned index) {
    *choice = (struct choice){ .index = index };
    buffer_init(&choice->content, CHAT_ANSWER_MAX);
    buffer_init(&choice->reasoning, CHAT_ANSWER_MAX);
    buffer_init(&choice->refusal, CHAT_ANSWER_MAX);
}

void choice_fini(struct choice *choice) {
    buffer_fini(&choice->content);
    buffer_fini(&choice->reasoning);
    buffer_fini(&choice->refusal);
    json_decref(choice->calls);
    choice->calls = NULL;
}

bool choice_empty(const struct choice *choice) {
    return choice->content.len == 0 && choice->refusal.len == 0 && choice->calls == NULL;
}

void choice_tool_id(struct buffer *buf, const struct chat_call *call, unsigned index, unsigned number) {
    struct text id = text_of(call->id), prefix = TEXT("chatcmpl-");
    if (text_starts(id, prefix)) {
        id = (struct text){ id.ptr + prefix.len, id.len - prefix.len };
    }
    buffer_printf(buf, "call_%.*s_%u_%u", TEXT_ARG(id), index, number);
}

void choice_tool(struct choice *choice, const struct chat_call *call, struct text id, struct text name,
                 const json_t *arguments, json_t *extra) {
    struct buffer scoped(buffer_fini) made;
    buffer_init(&made, 256);
    if (choice->calls == NULL) {
        choice->calls = json_array();
    }
    if (id.len == 0) {
        choice_tool_id(&made, call, choice->index, (unsigned)json_array_size(choice->calls));
        id = buffer_text(&made);
    }
    json_t *value = json_object(), *function = json_object();
    put_text(value, "id", id);
    put_text(value, "type", TEXT("function"));
    put_text(function, "name", name);
    char *rendered = arguments != NULL ? json_render(arguments) : NULL;
    put_text(function, "arguments", rendered != NULL ? text_of(rendered) : TEXT("{}"));
    free(rendered);
    json_object_set_new(value, "function", function);
    if (extra != NULL) {
        json_object_set(value, "extra_content", extra);
    }
    json_array_append_new(choice->calls, value);
}

bool choice_put(const struct choice *choice, struct text finish, json_t *choices) {
    if (!buffer_ok(&choice->content) || !buffer_ok(&choice->reasoning) || !buffer_ok(&choice->refusal)) {
        return false;
    }
    json_t *value = json_object(), *message = json_object();
    bool silent = choice->content.len == 0 && (choice->calls != NULL || choice->refusal.len > 0);
    put_text(message, "role", TEXT("assistant"));
    if (silent) {
        json_object_set_new(message, "content", json_null());
    } else {
        put_text(message, "content", buffer_text(&choice->content));
    }
    if (choice->refusal.len > 0) {
        put_text(message, "refusal", buffer_text(&choice->refusal));
    } else {
        json_object_set_new(message, "refusal", json_null());
    }
    if (choice->reasoning.len > 0) {
        put_text(message, "reasoning_content", buffer_text(&choice->reasoning));
    }
    if (choice->calls != NULL) {
        json_object_set(message, "tool_calls", choice->calls);
    }
    json_object_set_new(value, "index", json_integer(choice->index));
    json_object_set_new(value, "message", message);
    json_object_set_new(value, "logprobs", json_null());
    put_text(value, "finish_reason",
             choice->calls != NULL && text_equal(finish, TEXT("stop")) ? TEXT("tool_calls") : finish);
    json_array_append_new(choices, value);
    return true;
}

bool completion_put(struct buffer *completion, const struct chat_call *call, struct text id, struct text model,
                    const json_t *choices, const struct token_usage *usage) {
    struct json_writer json;
    json_begin(&json, completion);
    json_object_begin(&json);
    json_key(&json, "id");
    json_text(&json, id.len > 0 ? id : text_of(call->id));
    json_key(&json, "object");
    json_text(&json, TEXT("chat.completion"));
    json_key(&json, "created");
    json_i64(&json, call->created_s);
    json_key(&json, "model");
    json_text(&json, model.len > 0 ? model : text_of(call->model));
    json_key(&json, "choices");
    json_raw(&json, TEXT(""));
    json_render_to(completion, choices);
    if (!usage->estimated) {
        json_key(&json, "usage");
        json_raw(&json, TEXT(""));
        usage_put(completion, usage);
    }
    json_object_end(&json);
    return buffer_ok(completion);
}
