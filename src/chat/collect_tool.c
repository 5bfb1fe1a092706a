/* Joins the pieces of tool calls. */
#include "chat/collect_tool.h"

#include <jansson.h>
#include <stdlib.h>

#include "base/json.h"
#include "base/memory.h"
#include "chat/dialect/dialect.h"

#define CALLS_MAX 512

/* What is called, and the member that has what the model wrote for it. */
struct call_kind {
    const char *name, *written;
};

static const struct call_kind kinds[] = { { "function", "arguments" }, { "custom", "input" } };

struct collected_call {
    const struct call_kind *kind; /* NULL: nothing was said of that yet */
    struct buffer name, written;
    json_t *rest;   /* id, type, and what else a service says of it */
    json_t *called; /* what else it says of what is called */
};

void collected_calls_fini(struct collected_calls *tools) {
    for (size_t i = 0; i < tools->count; i++) {
        buffer_fini(&tools->calls[i].name);
        buffer_fini(&tools->calls[i].written);
        json_decref(tools->calls[i].rest);
        json_decref(tools->calls[i].called);
    }
    free(tools->calls);
    *tools = (struct collected_calls){ 0 };
}

bool collected_calls_fit(const json_t *value) {
    for (size_t i = 0; i < json_array_size(value); i++) {
        const json_t *index = json_object_get(json_array_get(value, i), "index");
        if (json_integer_value(index) < 0 || json_integer_value(index) >= CALLS_MAX) {
            return false;
        }
    }
    return true;
}

static struct collected_call *call_at(struct collected_calls *tools, size_t index) {
    while (tools->count <= index) {
        tools->calls = mem_grow(tools->calls, (tools->count + 1) * sizeof(*tools->calls));
        struct collected_call *call = &tools->calls[tools->count++];
        *call = (struct collected_call){ .rest = json_object(), .called = json_object() };
        buffer_init(&call->name, CHAT_CHUNK_MAX);
        buffer_init(&call->written, CHAT_ANSWER_MAX);
    }
    return &tools->calls[index];
}

/* Which call a piece without an index belongs to. Beyond the most calls all are the last one. */
static size_t place_of(const struct collected_calls *tools, const json_t *piece) {
    const json_t *index = json_object_get(piece, "index");
    const json_t *id = json_object_get(piece, "id");
    if (json_is_integer(index)) {
        return (size_t)json_integer_value(index);
    }
    if (tools->count == 0) {
        return 0;
    }
    const json_t *last_id = json_object_get(tools->calls[tools->count - 1].rest, "id");
    bool is_new = json_string_length(id) > 0 && !json_equal(id, last_id);
    return is_new && tools->count < CALLS_MAX ? tools->count : tools->count - 1;
}

static void set_members(json_t *object, json_t *members, const char *const *except, size_t count) {
    for (void *at = json_object_iter(members); at; at = json_object_iter_next(members, at)) {
        const char *name = json_object_iter_key(at);
        json_t *value = json_object_iter_value(at);
        bool skipped = json_is_null(value) || (json_is_string(value) && json_string_length(value) == 0);
        for (size_t i = 0; i < count; i++) {
            skipped |= text_equal(text_of(name), text_of(except[i]));
        }
        if (!skipped) {
            json_object_set(object, name, value);
        }
    }
}

/* Services say the name once, or again with every piece. */
static void take_name(struct collected_call *call, struct text name) {
    if (!text_equal(name, buffer_text(&call->name))) {
        buffer_put(&call->name, name);
    }
}

static void take_written(struct collected_call *call, const json_t *written) {
    if (json_is_string(written)) {
        buffer_put(&call->written, json_text_of(written));
    } else if (json_is_object(written)) { /* not OpenAI's way, but in use */
        json_render_to(&call->written, written);
    }
}

static void take_called(struct collected_call *call, const struct call_kind *kind, json_t *called,
                        struct token_count *count) {
    static const char *const ours[] = { "name", "arguments", "input" };
    size_t name_before = call->name.len, written_before = call->written.len;
    call->kind = kind;
    take_name(call, json_text_of(json_object_get(called, "name")));
    take_written(call, json_object_get(called, kind->written));
    set_members(call->called, called, ours, ARRAY_SIZE(ours));
    struct text name = buffer_text(&call->name), written = buffer_text(&call->written);
    token_count_add(count, (struct text){ name.ptr + name_before, name.len - name_before });
    token_count_add(count, (struct text){ written.ptr + written_before, written.len - written_before });
}

void collected_calls_take(struct collected_calls *tools, const json_t *value, struct token_count *count) {
    static const char *const ours[] = { "index", "function", "custom" };
    for (size_t i = 0; i < json_array_size(value); i++) {
        json_t *piece = json_array_get(value, i);
        struct collected_call *call = call_at(tools, place_of(tools, piece));
        set_members(call->rest, piece, ours, ARRAY_SIZE(ours));
        for (size_t at = 0; at < ARRAY_SIZE(kinds); at++) {
            json_t *called = json_object_get(piece, kinds[at].name);
            if (json_is_object(called)) {
                take_called(call, &kinds[at], called, count);
            }
        }
    }
}

void collected_calls_take_function(struct collected_calls *tools, const json_t *function, struct token_count *count) {
    if (json_is_object(function)) {
        take_called(call_at(tools, 0), &kinds[0], (json_t *)(uintptr_t)function, count);
    }
}

static void put_members(struct json_writer *json, json_t *object) {
    for (void *at = json_object_iter(object); at; at = json_object_iter_next(object, at)) {
        json_text(json, (struct text){ json_object_iter_key(at), json_object_iter_key_len(at) });
        buffer_put_char(json->buf, ':');
        json_render_to(json->buf, json_object_iter_value(at));
    }
}

static bool is_empty(const struct collected_call *call) {
    return call->name.len == 0 && call->written.len == 0 && json_object_size(call->rest) == 0;
}

static void put_called(struct json_writer *json, const struct call_kind *kind, const struct collected_call *call) {
    json_object_begin(json);
    json_key(json, "name");
    json_text(json, buffer_text(&call->name));
    json_key(json, kind->written);
    json_text(json, buffer_text(&call->written));
    put_members(json, call->called);
    json_object_end(json);
}

/* A call that does not say what it is, is one of a function. */
static void put_call(struct json_writer *json, const struct collected_call *call) {
    const struct call_kind *kind = call->kind ? call->kind : &kinds[0];
    const json_t *type = json_object_get(call->rest, "type");
    json_object_begin(json);
    put_members(json, call->rest);
    if (!type) {
        json_key(json, "type");
        json_text(json, text_of(kind->name));
    }
    if (call->kind || !type || text_equal(json_text_of(type), text_of(kind->name))) {
        json_key(json, kind->name);
        put_called(json, kind, call);
    }
    json_object_end(json);
}

void collected_calls_put(const struct collected_calls *tools, struct json_writer *json) {
    if (tools->count == 0) {
        return;
    }
    json_key(json, "tool_calls");
    json_array_begin(json);
    for (size_t i = 0; i < tools->count; i++) {
        if (!is_empty(&tools->calls[i])) {
            put_call(json, &tools->calls[i]);
        }
    }
    json_array_end(json);
}

void collected_calls_put_function(const struct collected_calls *tools, struct json_writer *json) {
    if (tools->count > 0) {
        json_key(json, "function_call");
        put_called(json, &kinds[0], &tools->calls[0]);
    }
}
