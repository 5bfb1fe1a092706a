/* OpenAI's requests as requests of Ollama's /api/chat.
 *
 * - A message has one text and pictures beside it: the texts of several parts are joined by LF. Pictures have to be
 *   data URIs.
 * - Sampling goes into `options`, max_tokens as num_predict. A route says there what is the model's own, such as
 *   num_ctx.
 * - tool_choice none leaves the tools out; required, and a function by name, cannot be said and are refused, as is
 *   parallel_tool_calls = false.
 * - Thinking is `think`, with the effort if there is one: effort none is false.
 * - Left out, since an answer without it is still one: logit_bias, logprobs, user, strict. */
#include <jansson.h>
#include <stdlib.h>

#include "base/json.h"
#include "chat/dialect/ollama.h"
#include "chat/dialect/parts.h"
#include "chat/dialect/request.h"

/* ---- messages ---- */

/* Without arrays nothing is written: it is only asked whether the message can be said. */
struct draft {
    struct buffer words;
    json_t *images, *calls; /* arrays */
};

static enum err take_part(void *context, const struct part *part, struct fault *fault) {
    struct draft *draft = context;
    if (part->kind != PART_TEXT && part->kind != PART_IMAGE) {
        return part_refuse(part, fault);
    }
    if (draft->images == NULL) { /* links will be data URIs by then */
        return OK;
    }
    if (part->kind == PART_TEXT) {
        buffer_put(&draft->words, draft->words.len > 0 ? TEXT("\n") : TEXT(""));
        buffer_put(&draft->words, part->words);
        return OK;
    }
    if (part->link.len > 0) {
        return fault_set_param(fault, ERR_PART_TYPE, part->path, "This model takes pictures as data URIs only.");
    }
    put_text(draft->images, NULL, part->base64);
    return OK;
}

static enum err take_call(void *context, const struct tool_call *call, struct fault *fault) {
    struct draft *draft = context;
    (void)fault;
    if (draft->calls == NULL) {
        return OK;
    }
    json_t *value = json_object(), *function = json_object();
    if (call->id.len > 0) {
        put_text(value, "id", call->id);
    }
    put_text(function, "name", call->name);
    json_object_set(function, "arguments", call->arguments);
    json_object_set_new(value, "function", function);
    json_array_append_new(draft->calls, value);
    return OK;
}

static enum err read_role(const json_t *message, const char *path, struct text *ret, struct fault *fault) {
    static const struct text roles[] = { TEXT("system"), TEXT("user"), TEXT("assistant"), TEXT("tool") };
    struct text role = member_text(message, "role");
    if (text_equal(role, TEXT("developer"))) {
        role = TEXT("system");
    }
    for (size_t i = 0; i < ARRAY_SIZE(roles); i++) {
        if (text_equal(role, roles[i])) {
            *ret = roles[i];
            return OK;
        }
    }
    return role_refuse(path, fault);
}

static enum err read_message(const json_t *list, size_t index, struct draft *draft, struct text *ret_role,
                             struct fault *fault) {
    const json_t *message = json_array_get(list, index);
    char path[PART_PATH_MAX];
    message_path(index, path);
    enum err err = read_role(message, path, ret_role, fault);
    err = err == OK ? parts_read(message, path, take_part, draft, fault) : err;
    err = err == OK ? tool_calls_read(message, path, take_call, draft, fault) : err;
    if (err == OK && !buffer_ok(&draft->words)) {
        err = field_refuse(ERR_TOO_LONG, path, ".content", "The message is too long.", fault);
    }
    return err;
}

static enum err fill_message(json_t *value, struct draft *draft, const json_t *list, size_t index,
                             struct fault *fault) {
    struct text role;
    enum err err = read_message(list, index, draft, &role, fault);
    if (err != OK) {
        return err;
    }
    put_text(value, "role", role);
    put_text(value, "content", buffer_text(&draft->words));
    if (json_array_size(draft->images) > 0) {
        json_object_set(value, "images", draft->images);
    }
    if (json_array_size(draft->calls) > 0) {
        json_object_set(value, "tool_calls", draft->calls);
    }
    if (text_equal(role, TEXT("tool"))) {
        struct text name = tool_call_name(list, index), id = member_text(json_array_get(list, index), "tool_call_id");
        put_text(value, "tool_name", name);
        put_text(value, "tool_call_id", id);
    }
    return OK;
}

static enum err put_messages(json_t *request, const json_t *body, struct fault *fault) {
    const json_t *list = json_object_get(body, "messages");
    json_t *messages = json_array();
    enum err err = OK;
    json_object_set_new(request, "messages", messages);
    for (size_t i = 0; i < json_array_size(list) && err == OK; i++) {
        struct draft draft = { .images = json_array(), .calls = json_array() };
        json_t *value = json_object();
        buffer_init(&draft.words, CHAT_REQUEST_MAX);
        err = fill_message(value, &draft, list, i, fault);
        json_array_append_new(messages, value);
        buffer_fini(&draft.words);
        json_decref(draft.images);
        json_decref(draft.calls);
    }
    return err;
}

static enum err check_messages(const json_t *body, struct fault *fault) {
    const json_t *list = json_object_get(body, "messages");
    struct draft draft = { .images = NULL };
    struct text role;
    enum err err = OK;
    for (size_t i = 0; i < json_array_size(list) && err == OK; i++) {
        err = read_message(list, i, &draft, &role, fault);
    }
    return err;
}

/* ---- parameters ---- */

static void put_tool(void *context, const struct tool *tool) {
    json_t *value = json_object(), *function = json_object();
    put_text(value, "type", TEXT("function"));
    put_text(function, "name", tool->name);
    put_text(function, "description", tool->description);
    if (tool->parameters != NULL) {
        json_object_set(function, "parameters", (json_t *)(uintptr_t)tool->parameters);
    } else {
        json_object_set_new(function, "parameters", json_pack("{s:s, s:{}}", "type", "object", "properties"));
    }
    json_object_set_new(value, "function", function);
    json_array_append_new(context, value);
}

static enum err put_tools(json_t *request, const json_t *body, struct fault *fault) {
    enum tool_wish wish = TOOLS_UNSAID;
    struct text name;
    enum err err = request_tool_wish(body, &wish, &name, fault);
    if (err != OK || !request_has_tools(body) || wish == TOOLS_NONE) {
        return err;
    }
    if (wish == TOOLS_REQUIRED || wish == TOOLS_NAMED) {
        return fault_set_param(fault, ERR_MODEL_RULE, "tool_choice",
                               "This model cannot be made to call a tool: tool_choice must be auto or none.");
    }
    if (request_one_tool_a_time(body)) {
        return fault_set_param(fault, ERR_MODEL_RULE, "parallel_tool_calls",
                               "This model cannot be kept to one tool call at a time.");
    }
    json_t *tools = json_array();
    json_object_set_new(request, "tools", tools);
    return request_tools(body, put_tool, tools, fault);
}

static void put_options(json_t *request, const json_t *body) {
    static const char *const numbers[] = { "temperature",      "top_p", "top_k", "seed", "presence_penalty",
                                           "frequency_penalty" };
    json_t *options = json_object();
    for (size_t i = 0; i < ARRAY_SIZE(numbers); i++) {
        put_number(options, numbers[i], body, numbers[i]);
    }
    int64_t max_tokens = request_max_tokens(body);
    if (max_tokens > 0) {
        json_object_set_new(options, "num_predict", json_integer(max_tokens));
    }
    json_t *stops = request_stops(body);
    if (stops != NULL) {
        json_object_set_new(options, "stop", stops);
    }
    if (json_object_size(options) > 0) {
        json_object_set(request, "options", options);
    }
    json_decref(options);
}

static enum err put_form(json_t *request, const json_t *body, struct fault *fault) {
    enum answer_form form;
    const json_t *schema = NULL;
    enum err err = request_form(body, &form, &schema, fault);
    if (err != OK || form == FORM_TEXT) {
        return err;
    }
    if (form == FORM_SCHEMA) {
        json_object_set(request, "format", (json_t *)(uintptr_t)schema);
    } else {
        put_text(request, "format", TEXT("json"));
    }
    return OK;
}

static void put_thinking(json_t *request, const struct chat_call *call) {
    static const char *const words[] = { NULL, NULL, "low", "low", "medium", "high", "high" };
    enum effort effort = request_effort(call->body);
    if (effort == EFFORT_NONE) {
        json_object_set_new(request, "think", json_false());
    } else if (request_thinks(call) && words[effort] != NULL) {
        put_text(request, "think", text_of(words[effort]));
    } else if (request_thinks(call)) {
        json_object_set_new(request, "think", json_true());
    }
}

static enum err put_parameters(json_t *request, const json_t *body, struct fault *fault) {
    enum err err = request_one_answer(body, fault);
    err = err == OK ? put_tools(request, body, fault) : err;
    err = err == OK ? put_form(request, body, fault) : err;
    if (err == OK) {
        put_options(request, body);
    }
    return err;
}

/* The parameters are few and small, so that they are written for nothing. */
enum err ollama_check(const struct chat_call *call, struct fault *fault) {
    json_t *parameters scoped(json_release) = json_object();
    enum err err = check_messages(call->body, fault);
    return err == OK ? put_parameters(parameters, call->body, fault) : err;
}

enum err ollama_request(const struct chat_call *call, struct chat_request *ret, struct fault *fault) {
    json_t *request scoped(json_release) = json_object();
    const json_t *body = call->body;
    put_text(request, "model", text_of(call->model));
    enum err err = put_messages(request, body, fault);
    err = err == OK ? put_parameters(request, body, fault) : err;
    if (err != OK) {
        return err;
    }
    if (!request_thinks(call) || !request_reasoning_said(call)) {
        put_thinking(request, call);
    }
    json_object_set_new(request, "stream", json_boolean(call->stream));
    request_patch(request, call, request_thinks(call));
    return request_render(request, TEXT("/api/chat"), NULL, 0, ret, fault);
}
