/* OpenAI's requests as requests of Google's generateContent.
 *
 * - System and developer messages, wherever they stand, are the systemInstruction. Of the rest, what follows in the
 *   same role is one content, so that the responses of several functions come together, as the API wants.
 * - JSON schemas go as they are (responseJsonSchema, parametersJsonSchema), not as the API's own subset of OpenAPI.
 * - The effort is a thinkingLevel, for models of the first two generations a thinkingBudget. Effort none is the least
 *   there is: a budget of 0, or the level LOW, since the third generation always thinks. Models that take fewer efforts
 *   say so in their routes.
 * - parallel_tool_calls = false cannot be said and is refused. Left out, since an answer without it is still one:
 *   logit_bias, logprobs, user. */
#include <jansson.h>

#include "base/json.h"
#include "chat/dialect/gemini.h"
#include "chat/dialect/gemini_parts.h"
#include "chat/dialect/request.h"

/* Models before the third generation sign nothing and know no levels of thinking. */
static bool is_early(struct text model) {
    static const struct text prefixes[] = { TEXT("gemini-1"), TEXT("gemini-2"), TEXT("gemma"), TEXT("learnlm") };
    if (text_starts(model, TEXT("models/"))) {
        model = (struct text){ model.ptr + sizeof "models/" - 1, model.len - (sizeof "models/" - 1) };
    }
    for (size_t i = 0; i < ARRAY_SIZE(prefixes); i++) {
        if (text_starts(model, prefixes[i])) {
            return true;
        }
    }
    return false;
}

/* ---- conversation ---- */

static enum err read_messages(struct gemini_messages *messages, struct fault *fault) {
    enum err err = OK;
    for (size_t i = 0; i < json_array_size(messages->list) && err == OK; i++) {
        err = gemini_message(messages, i, fault);
    }
    return err != OK || messages->said
               ? err
               : fault_set_param(fault, ERR_MODEL_RULE, "messages", "The messages have no content.");
}

static enum err put_messages(json_t *request, const struct chat_call *call, struct fault *fault) {
    struct gemini_messages messages = {
        .list = json_object_get(call->body, "messages"),
        .system = json_array(),
        .turns = { json_array(), "parts", NULL },
        .signs = !is_early(text_of(call->model)),
    };
    enum err err = read_messages(&messages, fault);
    bool system = json_array_size(messages.system) > 0, turns = json_array_size(messages.turns.list) > 0;
    if (system && turns) {
        json_object_set_new(request, "systemInstruction", json_pack("{s:O}", "parts", messages.system));
    } else if (system) { /* alone, it is what the user says */
        json_array_extend(turns_parts(&messages.turns, "user"), messages.system);
    }
    json_object_set_new(request, "contents", messages.turns.list);
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
    if (tool->parameters != NULL) {
        json_object_set(value, "parametersJsonSchema", (json_t *)(uintptr_t)tool->parameters);
    }
    json_array_append_new(context, value);
}

static enum err put_tools(json_t *request, const json_t *body, struct fault *fault) {
    static const char *const modes[] = { NULL, "AUTO", "NONE", "ANY", "ANY" };
    enum tool_wish wish = TOOLS_UNSAID;
    struct text name = TEXT_NONE;
    enum err err = request_tool_wish(body, &wish, &name, fault);
    if (err != OK || !request_has_tools(body)) {
        return err;
    }
    if (request_one_tool_a_time(body)) {
        return fault_set_param(fault, ERR_MODEL_RULE, "parallel_tool_calls",
                               "This model cannot be kept to one tool call at a time.");
    }
    json_t *functions = json_array();
    json_object_set_new(request, "tools", json_pack("[{s:o}]", "functionDeclarations", functions));
    if (wish != TOOLS_UNSAID) {
        json_t *config = json_pack("{s:s}", "mode", modes[wish]);
        if (wish == TOOLS_NAMED) {
            json_object_set_new(config, "allowedFunctionNames", json_array());
            put_text(json_object_get(config, "allowedFunctionNames"), NULL, name);
        }
        json_object_set_new(request, "toolConfig", json_pack("{s:o}", "functionCallingConfig", config));
    }
    return request_tools(body, put_tool, functions, fault);
}

/* ---- generationConfig ---- */

static void put_thinking(json_t *config, const struct chat_call *call) {
    static const struct {
        int64_t budget;
        const char *level;
    } rows[] = {
        [EFFORT_NONE] = { 0, "LOW" },         [EFFORT_MINIMAL] = { 512, "MINIMAL" }, [EFFORT_LOW] = { 1024, "LOW" },
        [EFFORT_MEDIUM] = { 8192, "MEDIUM" }, [EFFORT_HIGH] = { 24576, "HIGH" },     [EFFORT_XHIGH] = { 24576, "HIGH" },
    };
    enum effort effort = request_effort_taken(call);
    bool thinks = request_thinks(call);
    if (!thinks && request_effort(call->body) != EFFORT_NONE) {
        return;
    }
    json_t *thinking = json_object();
    if (thinks) {
        json_object_set_new(thinking, "includeThoughts", json_true());
    }
    if (effort != EFFORT_UNSAID && is_early(text_of(call->model))) {
        json_object_set_new(thinking, "thinkingBudget", json_integer(rows[effort].budget));
    } else if (effort != EFFORT_UNSAID) {
        put_text(thinking, "thinkingLevel", text_of(rows[effort].level));
    }
    json_object_set_new(config, "thinkingConfig", thinking);
}

static enum err put_form(json_t *config, const json_t *body, struct fault *fault) {
    enum answer_form form;
    const json_t *schema = NULL;
    enum err err = request_form(body, &form, &schema, fault);
    if (err != OK || form == FORM_TEXT) {
        return err;
    }
    put_text(config, "responseMimeType", TEXT("application/json"));
    if (form == FORM_SCHEMA) {
        json_object_set(config, "responseJsonSchema", (json_t *)(uintptr_t)schema);
    }
    return OK;
}

static enum err put_config(json_t *request, const struct chat_call *call, struct fault *fault) {
    static const struct {
        const char *theirs, *ours;
    } numbers[] = {
        { "temperature", "temperature" },
        { "topP", "top_p" },
        { "topK", "top_k" },
        { "seed", "seed" },
        { "presencePenalty", "presence_penalty" },
        { "frequencyPenalty", "frequency_penalty" },
    };
    json_t *config = json_object();
    for (size_t i = 0; i < ARRAY_SIZE(numbers); i++) {
        put_number(config, numbers[i].theirs, call->body, numbers[i].ours);
    }
    int64_t max_tokens = request_max_tokens(call->body), count = member_count(call->body, "n");
    if (max_tokens > 0) {
        json_object_set_new(config, "maxOutputTokens", json_integer(max_tokens));
    }
    if (count > 1) {
        json_object_set_new(config, "candidateCount", json_integer(count));
    }
    json_t *stops = request_stops(call->body);
    if (stops != NULL) {
        json_object_set_new(config, "stopSequences", stops);
    }
    if (!request_thinks(call) || !request_reasoning_said(call)) {
        put_thinking(config, call);
    }
    enum err err = put_form(config, call->body, fault);
    if (json_object_size(config) > 0) {
        json_object_set(request, "generationConfig", config);
    }
    json_decref(config);
    return err;
}

/* ---- the whole ---- */

/* "gemini-x" or "models/gemini-x", percent-encoded where a path wants it. */
static void put_path(struct buffer *path, const struct chat_call *call) {
    struct text model = text_of(call->model);
    buffer_put(path, TEXT("/v1beta/"));
    buffer_put(path, text_find(model, '/') < model.len ? TEXT("") : TEXT("models/"));
    for (size_t i = 0; i < model.len; i++) {
        unsigned char c = (unsigned char)model.ptr[i];
        bool plain = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                     (c != '\0' && strchr("-._~/", c) != NULL);
        if (plain) {
            buffer_put_char(path, (char)c);
        } else {
            buffer_printf(path, "%%%02X", c);
        }
    }
    buffer_put(path, call->stream ? TEXT(":streamGenerateContent?alt=sse") : TEXT(":generateContent"));
}

static enum err check_count(const json_t *body, struct fault *fault) {
    return member_count(body, "n") <= GEMINI_CANDIDATES_MAX
               ? OK
               : fault_set_param(fault, ERR_MODEL_RULE, "n", "This model gives at most %d answers a request.",
                                 GEMINI_CANDIDATES_MAX);
}

static enum err put_parameters(json_t *request, const struct chat_call *call, struct fault *fault) {
    enum err err = put_tools(request, call->body, fault);
    return err == OK ? put_config(request, call, fault) : err;
}

/* The parameters are few and small, so that they are written for nothing. */
enum err gemini_check(const struct chat_call *call, struct fault *fault) {
    json_t *parameters scoped(json_release) = json_object();
    struct gemini_messages messages = { .list = json_object_get(call->body, "messages") };
    enum err err = check_count(call->body, fault);
    err = err == OK ? read_messages(&messages, fault) : err;
    return err == OK ? put_parameters(parameters, call, fault) : err;
}

enum err gemini_request(const struct chat_call *call, struct chat_request *ret, struct fault *fault) {
    json_t *request scoped(json_release) = json_object();
    struct buffer path scoped(buffer_fini);
    buffer_init(&path, 1024);
    put_path(&path, call);
    enum err err = check_count(call->body, fault);
    err = err == OK ? put_messages(request, call, fault) : err;
    err = err == OK ? put_parameters(request, call, fault) : err;
    if (err != OK) {
        return err;
    }
    request_patch(request, call, request_thinks(call));
    return request_render(request, buffer_text(&path), NULL, 0, ret, fault);
}
