/* OpenAI's requests as requests of Anthropic's Messages API.
 *
 * - System and developer messages, wherever they stand, are the `system`. Of the rest, what follows in the same role
 *   becomes one turn, so that the results of several tools are one. A conversation that begins with the assistant gets
 *   a short turn of the user before it, since the API wants one.
 * - temperature is 0 to 1 here: what lies above is 1. It and top_p exclude each other, so that top_p gives way. When
 *   the model thinks, temperature and top_k are left out and top_p is kept from 0.95, as the API wants.
 * - json_object is said in words, since there is no such switch; json_schema is output_config.format.
 * - Thinking is {"type":"adaptive"} with the effort wished. The older models want a number of tokens: a route says so
 *   with reasoning = "budget" (half of max_tokens, more or less by the effort), or with the number. Either is kept at
 *   1024 or more and below max_tokens. Where the API forbids thinking (a tool that must be called; tool results in a
 *   conversation whose thoughts are lost, with a budget), the wish is dropped.
 * - Left out, since it cannot be said and an answer without it is still one: seed, penalties, logit_bias, logprobs. */
#include <jansson.h>

#include "base/json.h"
#include "chat/dialect/anthropic.h"
#include "chat/dialect/anthropic_parts.h"
#include "chat/dialect/request.h"

#define MAX_TOKENS_DEFAULT 4096
#define BUDGET_MIN 1024

/* ---- conversation ---- */

static struct text role_of(const json_t *message) {
    return member_text(message, "role");
}

static enum err read_messages(const json_t *body, struct anthropic_messages *messages, struct fault *fault) {
    const json_t *list = json_object_get(body, "messages");
    enum err err = OK;
    for (size_t i = 0; i < json_array_size(list) && err == OK; i++) {
        err = anthropic_message(messages, json_array_get(list, i), i, fault);
    }
    return err != OK || messages->said
               ? err
               : fault_set_param(fault, ERR_MODEL_RULE, "messages", "The messages have no content.");
}

/* A conversation that begins with the assistant, or is nothing but a system message. */
static void begin_with_user(struct anthropic_messages *messages) {
    if (json_array_size(messages->turns.list) == 0) {
        json_array_extend(turns_parts(&messages->turns, "user"), messages->system);
        json_array_clear(messages->system);
    }
    const json_t *first = json_array_get(messages->turns.list, 0);
    if (!text_equal(role_of(first), TEXT("user"))) {
        json_array_insert_new(
            messages->turns.list, 0,
            json_pack("{s:s, s:[{s:s, s:s}]}", "role", "user", "content", "type", "text", "text", "Continue."));
    }
}

static enum err put_messages(json_t *request, const json_t *body, struct fault *fault) {
    struct anthropic_messages messages = { .system = json_array(), .turns = { json_array(), "content", NULL } };
    enum err err = read_messages(body, &messages, fault);
    if (err == OK) {
        begin_with_user(&messages);
        anthropic_trim_last(messages.turns.list);
    }
    json_object_set_new(request, "messages", messages.turns.list);
    if (json_array_size(messages.system) > 0) {
        json_object_set(request, "system", messages.system);
    }
    json_decref(messages.system);
    return err;
}

/* ---- tools ---- */

static void put_tool(void *context, const struct tool *tool) {
    json_t *value = json_object();
    put_text(value, "name", tool->name);
    if (tool->description.len > 0) {
        put_text(value, "description", tool->description);
    }
    json_t *schema = tool->parameters != NULL ? json_copy((json_t *)(uintptr_t)tool->parameters) : json_object();
    if (json_object_get(schema, "type") == NULL) {
        put_text(schema, "type", TEXT("object"));
    }
    json_object_set_new(value, "input_schema", schema);
    if (tool->strict) {
        json_object_set_new(value, "strict", json_true());
    }
    anthropic_put_cache_control(value, tool->cache_control);
    json_array_append_new(context, value);
}

static enum err put_tools(json_t *request, const json_t *body, enum tool_wish wish, struct text name,
                          struct fault *fault) {
    static const char *const types[] = { NULL, "auto", "none", "any", "tool" };
    if (!request_has_tools(body)) {
        return OK;
    }
    json_t *tools = json_array();
    json_object_set_new(request, "tools", tools);
    enum err err = request_tools(body, put_tool, tools, fault);
    bool one = request_one_tool_a_time(body) && wish != TOOLS_NONE;
    if (err != OK || (wish == TOOLS_UNSAID && !one)) {
        return err;
    }
    json_t *choice = json_object();
    put_text(choice, "type", text_of(wish == TOOLS_UNSAID ? "auto" : types[wish]));
    if (wish == TOOLS_NAMED) {
        put_text(choice, "name", name);
    }
    if (one) {
        json_object_set_new(choice, "disable_parallel_tool_use", json_true());
    }
    json_object_set_new(request, "tool_choice", choice);
    return OK;
}

/* ---- thinking ---- */

/* Tokens of a budget; 0: the route's model thinks as much as it likes. */
static int64_t budget_of(const struct chat_call *call, int64_t max_tokens) {
    const json_t *said = json_object_get(call->route, "reasoning");
    int64_t budget = 0;
    if (json_is_integer(said)) {
        budget = json_integer_value(said);
    } else if (text_equal(member_text(call->route, "reasoning"), TEXT("budget"))) {
        enum effort effort = request_effort(call->body);
        budget = effort == EFFORT_MINIMAL || effort == EFFORT_LOW ? max_tokens / 4
                 : effort >= EFFORT_HIGH                          ? max_tokens / 4 * 3
                                                                  : max_tokens / 2;
    } else {
        return 0;
    }
    budget = budget < max_tokens ? budget : max_tokens - 1;
    return budget > BUDGET_MIN ? budget : BUDGET_MIN;
}

/* Tools answered in the last turn: the turn before it has to begin with its thoughts, which OpenAI's messages lack. */
static bool thoughts_lost(const json_t *body) {
    const json_t *list = json_object_get(body, "messages");
    return text_equal(role_of(json_array_get(list, json_array_size(list) - 1)), TEXT("tool"));
}

static void put_effort(json_t *request, enum effort effort) {
    static const char *const words[] = { NULL, NULL, "low", "low", "medium", "high", "xhigh" };
    if (words[effort] != NULL) {
        json_t *config = json_object_get(request, "output_config");
        if (config == NULL) {
            json_object_set_new(request, "output_config", json_object());
            config = json_object_get(request, "output_config");
        }
        put_text(config, "effort", text_of(words[effort]));
    }
}

/* *ret: whether the model thinks. With the route's own words for it, the patch says it. */
static enum err put_thinking(json_t *request, const struct chat_call *call, int64_t max_tokens, bool forced, bool *ret,
                             struct fault *fault) {
    *ret = false;
    if (!request_thinks(call) || forced) {
        return OK;
    }
    if (request_reasoning_said(call)) {
        *ret = true;
        return OK;
    }
    int64_t budget = budget_of(call, max_tokens);
    if (budget > 0 && thoughts_lost(call->body)) {
        return OK;
    }
    if (budget >= max_tokens) {
        return fault_set_param(fault, ERR_MODEL_RULE,
                               json_object_get(call->body, "max_completion_tokens") ? "max_completion_tokens"
                                                                                    : "max_tokens",
                               "To think, this model needs more than %d tokens of output.", BUDGET_MIN);
    }
    json_t *thinking = json_object();
    if (budget > 0) {
        put_text(thinking, "type", TEXT("enabled"));
        json_object_set_new(thinking, "budget_tokens", json_integer(budget));
    } else {
        put_text(thinking, "type", TEXT("adaptive"));
        put_text(thinking, "display", TEXT("summarized"));
        put_effort(request, request_effort_taken(call));
    }
    json_object_set_new(request, "thinking", thinking);
    *ret = true;
    return OK;
}

/* ---- the other parameters ---- */

static void put_sampling(json_t *request, const json_t *body, bool thinks) {
    const json_t *temperature = json_object_get(body, "temperature");
    if (thinks) {
        if (json_number_value(json_object_get(body, "top_p")) >= 0.95) {
            put_number(request, "top_p", body, "top_p");
        }
        return;
    }
    if (json_number_value(temperature) > 1) {
        json_object_set_new(request, "temperature", json_integer(1));
    } else {
        put_number(request, "temperature", body, "temperature");
    }
    if (!json_is_number(temperature)) {
        put_number(request, "top_p", body, "top_p");
    }
    put_number(request, "top_k", body, "top_k");
}

/* A stop sequence has to have a character that is seen. */
static enum err put_stops(json_t *request, const json_t *body, struct fault *fault) {
    json_t *stops = request_stops(body);
    if (stops == NULL) {
        return OK;
    }
    json_object_set_new(request, "stop_sequences", stops);
    for (size_t i = 0; i < json_array_size(stops); i++) {
        const json_t *stop = json_array_get(stops, i);
        if (text_trim(json_text_of(stop)).len == 0) {
            return fault_set_param(fault, ERR_MODEL_RULE, "stop",
                                   "This model takes no stop texts of white space alone.");
        }
    }
    return OK;
}

static enum err put_form(json_t *request, const json_t *body, struct fault *fault) {
    enum answer_form form;
    const json_t *schema = NULL;
    enum err err = request_form(body, &form, &schema, fault);
    if (err != OK || form == FORM_TEXT) {
        return err;
    }
    if (form == FORM_SCHEMA) {
        json_object_set_new(request, "output_config",
                            json_pack("{s:{s:s, s:O}}", "format", "type", "json_schema", "schema", schema));
        return OK;
    }
    json_t *system = json_object_get(request, "system");
    if (system == NULL) {
        json_object_set_new(request, "system", json_array());
        system = json_object_get(request, "system");
    }
    json_array_append_new(
        system, json_pack("{s:s, s:s}", "type", "text", "text", "Answer with one JSON object and nothing besides it."));
    return OK;
}

/* Whom the service may hold to account: never a name, as OpenAI's users are not. */
static void put_user(json_t *request, const json_t *body) {
    struct text user = member_text(body, "safety_identifier");
    user = user.len > 0 ? user : member_text(body, "user");
    if (user.len > 0) {
        json_object_set_new(request, "metadata", json_object());
        put_text(json_object_get(request, "metadata"), "user_id", user);
    }
}

static enum err put_parameters(json_t *request, const struct chat_call *call, bool *ret_thinks, struct fault *fault) {
    const json_t *body = call->body;
    int64_t max_tokens = request_max_tokens(body);
    enum tool_wish wish = TOOLS_UNSAID;
    struct text name = TEXT_NONE;
    if (max_tokens == 0) {
        max_tokens = call->max_tokens > 0 ? call->max_tokens : MAX_TOKENS_DEFAULT;
    }
    json_object_set_new(request, "max_tokens", json_integer(max_tokens));
    enum err err = request_one_answer(body, fault);
    err = err == OK ? put_form(request, body, fault) : err;
    err = err == OK ? request_tool_wish(body, &wish, &name, fault) : err;
    err = err == OK ? put_tools(request, body, wish, name, fault) : err;
    bool forced = request_has_tools(body) && (wish == TOOLS_REQUIRED || wish == TOOLS_NAMED);
    err = err == OK ? put_thinking(request, call, max_tokens, forced, ret_thinks, fault) : err;
    err = err == OK ? put_stops(request, body, fault) : err;
    put_sampling(request, body, *ret_thinks);
    put_user(request, body);
    return err;
}

/* The parameters are few and small, so that they are written for nothing. */
enum err anthropic_check(const struct chat_call *call, struct fault *fault) {
    json_t *parameters scoped(json_release) = json_object();
    struct anthropic_messages messages = { .said = false };
    bool thinks = false;
    enum err err = read_messages(call->body, &messages, fault);
    return err == OK ? put_parameters(parameters, call, &thinks, fault) : err;
}

enum err anthropic_request(const struct chat_call *call, struct chat_request *ret, struct fault *fault) {
    static const struct chat_header headers[] = { { "anthropic-version", "2023-06-01" } };
    json_t *request scoped(json_release) = json_object();
    bool thinks = false;
    put_text(request, "model", text_of(call->model));
    enum err err = put_messages(request, call->body, fault);
    err = err == OK ? put_parameters(request, call, &thinks, fault) : err;
    if (err != OK) {
        return err;
    }
    if (call->stream) {
        json_object_set_new(request, "stream", json_true());
    }
    request_patch(request, call, thinks);
    return request_render(request, TEXT("/v1/messages"), headers, ARRAY_SIZE(headers), ret, fault);
}
