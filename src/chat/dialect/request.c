/* Reads OpenAI's parameters, and builds the requests of other dialects. */
#include "chat/dialect/request.h"

#include <jansson.h>
#include <math.h>

#include "base/json.h"

/* ---- members ---- */

struct text member_text(const json_t *object, const char *key) {
    return json_text_of(json_object_get(object, key));
}

int64_t member_count(const json_t *object, const char *key) {
    const json_t *value = json_object_get(object, key);
    if (json_is_integer(value)) {
        return json_integer_value(value) > 0 ? json_integer_value(value) : 0;
    }
    double real = json_real_value(value); /* 0.0 for what is none */
    return real >= 1 && real < 1e15 && real == floor(real) ? (int64_t)real : 0;
}

void put_text(json_t *object, const char *key, struct text value) {
    if (object == NULL) {
        return;
    }
    json_t *text = json_stringn_nocheck(value.ptr != NULL ? value.ptr : "", value.len);
    if (json_is_array(object)) {
        json_array_append_new(object, text);
    } else {
        json_object_set_new(object, key, text);
    }
}

void put_number(json_t *object, const char *key, const json_t *from, const char *from_key) {
    json_t *value = json_object_get(from, from_key);
    if (json_is_number(value)) {
        json_object_set(object, key, value);
    }
}

/* ---- parameters ---- */

int64_t request_max_tokens(const json_t *body) {
    int64_t count = member_count(body, "max_completion_tokens");
    return count > 0 ? count : member_count(body, "max_tokens");
}

json_t *request_stops(const json_t *body) {
    const json_t *stop = json_object_get(body, "stop");
    json_t *list = json_array();
    if (json_string_length(stop) > 0) {
        put_text(list, NULL, member_text(body, "stop"));
    }
    for (size_t i = 0; i < json_array_size(stop); i++) {
        json_t *one = json_array_get(stop, i);
        if (json_string_length(one) > 0) {
            json_array_append(list, one);
        }
    }
    if (json_array_size(list) == 0) {
        json_decref(list);
        return NULL;
    }
    return list;
}

enum err request_one_answer(const json_t *body, struct fault *fault) {
    return member_count(body, "n") <= 1
               ? OK
               : fault_set_param(fault, ERR_MODEL_RULE, "n", "This model gives one answer a request: n must be 1.");
}

static enum effort effort_of(struct text word) {
    static const struct {
        struct text word;
        enum effort effort;
    } rows[] = {
        { TEXT("none"), EFFORT_NONE },     { TEXT("minimal"), EFFORT_MINIMAL }, { TEXT("low"), EFFORT_LOW },
        { TEXT("medium"), EFFORT_MEDIUM }, { TEXT("high"), EFFORT_HIGH },       { TEXT("xhigh"), EFFORT_XHIGH },
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        if (text_equal(word, rows[i].word)) {
            return rows[i].effort;
        }
    }
    return EFFORT_UNSAID;
}

enum effort request_effort(const json_t *body) {
    return effort_of(member_text(body, "reasoning_effort"));
}

enum effort request_effort_taken(const struct chat_call *call) {
    const json_t *efforts = json_object_get(json_object_get(call->route, "options"), "efforts");
    enum effort wish = request_effort(call->body), taken = EFFORT_UNSAID;
    for (size_t i = 0; i < json_array_size(efforts); i++) {
        enum effort one = effort_of(json_text_of(json_array_get(efforts, i)));
        bool nearer = one >= wish ? taken < wish || one < taken : one > taken;
        taken = nearer ? one : taken;
    }
    return wish == EFFORT_UNSAID || taken == EFFORT_UNSAID ? wish : taken;
}

bool request_thinks(const struct chat_call *call) {
    enum effort effort = request_effort(call->body);
    bool wished = call->reasoning || effort != EFFORT_UNSAID;
    return wished && effort != EFFORT_NONE && !json_is_false(json_object_get(call->route, "reasoning"));
}

enum err request_form(const json_t *body, enum answer_form *ret, const json_t **ret_schema, struct fault *fault) {
    const json_t *format = json_object_get(body, "response_format");
    struct text type = member_text(format, "type");
    const json_t *schema = json_object_get(json_object_get(format, "json_schema"), "schema");
    bool schema_said = text_equal(type, TEXT("json_schema")) && json_is_object(schema);
    if (!json_is_object(format) || text_equal(type, TEXT("text"))) {
        *ret = FORM_TEXT;
    } else if (schema_said) {
        *ret = FORM_SCHEMA;
        *ret_schema = schema;
    } else if (text_equal(type, TEXT("json_object")) || text_equal(type, TEXT("json_schema"))) {
        *ret = FORM_JSON;
    } else {
        return fault_set_param(fault, ERR_MODEL_RULE, "response_format.type",
                               "This model answers as text, json_object or json_schema.");
    }
    return OK;
}

bool request_has_tools(const json_t *body) {
    return json_array_size(json_object_get(body, "tools")) > 0;
}

enum err request_tools(const json_t *body, void (*take)(void *context, const struct tool *tool), void *context,
                       struct fault *fault) {
    const json_t *tools = json_object_get(body, "tools");
    for (size_t i = 0; i < json_array_size(tools); i++) {
        const json_t *value = json_array_get(tools, i), *function = json_object_get(value, "function");
        const json_t *parameters = json_object_get(function, "parameters");
        struct tool tool = {
            .name = member_text(function, "name"),
            .description = member_text(function, "description"),
            .parameters = json_is_object(parameters) ? parameters : NULL,
            .cache_control = json_object_get(value, "cache_control"),
            .strict = json_is_true(json_object_get(function, "strict")),
        };
        if (tool.name.len == 0) {
            char path[64];
            snprintf(path, sizeof path, "tools[%zu].%s", i, json_is_object(function) ? "function.name" : "type");
            return fault_set_param(fault, ERR_MODEL_RULE, path,
                                   "This model takes tools that are functions with a name.");
        }
        take(context, &tool);
    }
    return OK;
}

enum err request_tool_wish(const json_t *body, enum tool_wish *ret, struct text *ret_name, struct fault *fault) {
    static const struct {
        struct text word;
        enum tool_wish wish;
    } rows[] = { { TEXT("auto"), TOOLS_AUTO }, { TEXT("none"), TOOLS_NONE }, { TEXT("required"), TOOLS_REQUIRED } };
    const json_t *choice = json_object_get(body, "tool_choice");
    if (choice == NULL || json_is_null(choice)) {
        *ret = TOOLS_UNSAID;
        return OK;
    }
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        if (text_equal(member_text(body, "tool_choice"), rows[i].word)) {
            *ret = rows[i].wish;
            return OK;
        }
    }
    struct text name = member_text(json_object_get(choice, "function"), "name");
    if (name.len == 0) {
        return fault_set_param(fault, ERR_MODEL_RULE, json_is_object(choice) ? "tool_choice.type" : "tool_choice",
                               "tool_choice must be auto, none, required or a function.");
    }
    *ret = TOOLS_NAMED;
    *ret_name = name;
    return OK;
}

bool request_one_tool_a_time(const json_t *body) {
    return request_has_tools(body) && json_is_false(json_object_get(body, "parallel_tool_calls"));
}

/* ---- turns ---- */

json_t *turns_parts(struct turns *turns, const char *role) {
    size_t count = json_array_size(turns->list);
    if (turns->role == NULL || !text_equal(text_of(turns->role), text_of(role))) {
        json_t *turn = json_object();
        put_text(turn, "role", text_of(role));
        json_object_set_new(turn, turns->key, json_array());
        json_array_append_new(turns->list, turn);
        turns->role = role;
        count++;
    }
    return json_object_get(json_array_get(turns->list, count - 1), turns->key);
}

/* ---- the end ---- */

/* RFC 7396, section 2. Routes are written by the operator, so the nesting is as deep as theirs. */
static void merge_patch(json_t *target, const json_t *patch) {
    const char *key;
    json_t *value;
    json_object_foreach ((json_t *)(uintptr_t)patch, key, value) {
        json_t *old = json_object_get(target, key);
        if (json_is_null(value)) {
            json_object_del(target, key);
        } else if (!json_is_object(value)) {
            json_object_set(target, key, value);
        } else {
            if (!json_is_object(old)) {
                json_object_set_new(target, key, json_object());
            } else {
                json_object_set_new(target, key, json_copy(old)); /* what is shared with the body stays as it is */
            }
            merge_patch(json_object_get(target, key), value);
        }
    }
}

bool request_reasoning_said(const struct chat_call *call) {
    return json_is_object(json_object_get(call->route, "reasoning"));
}

void request_patch(json_t *request, const struct chat_call *call, bool thinks) {
    if (thinks) {
        merge_patch(request, json_object_get(call->route, "reasoning"));
    }
    merge_patch(request, json_object_get(json_object_get(call->route, "options"), "request"));
}

enum err request_render(const json_t *request, struct text path, const struct chat_header *headers,
                        unsigned header_count, struct chat_request *ret, struct fault *fault) {
    struct chat_request made = { .headers = headers, .header_count = header_count };
    buffer_init(&made.path, 1024);
    buffer_init(&made.body, CHAT_REQUEST_MAX);
    buffer_put(&made.path, path);
    json_render_to(&made.body, request);
    if (!buffer_ok(&made.path) || !buffer_ok(&made.body)) {
        enum err err = buffer_error(&made.body, ERR_REQUEST_TOO_LARGE);
        chat_request_fini(&made);
        return err == ERR_NO_MEMORY
                   ? fault_set(fault, err, "There is no memory for the request in the service's own form; try again.")
                   : fault_set(fault, err, "The request is larger than %zu bytes in the service's own form.",
                               (size_t)CHAT_REQUEST_MAX);
    }
    *ret = made;
    return OK;
}
