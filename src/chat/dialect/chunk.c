/* Writes chunks and usage objects, and reads usage objects. */
#include "chat/dialect/chunk.h"

#include <jansson.h>

#include "base/json.h"

#define COUNT_MAX 1e12                 /* tokens */
#define FRAME_SIZE 512                 /* of a chunk around its text: id, model, names */
#define PIECE_MAX (CHAT_CHUNK_MAX / 8) /* of text in one chunk: escaped, a byte becomes six at most */

/* ---- chunks ---- */

static void set_name(char *field, size_t size, struct text name) {
    if (name.len > 0) {
        name = text_clip(name, size - 1);
        memcpy(field, name.ptr, name.len);
        field[name.len] = '\0';
    }
}

void chunk_maker_init(struct chunk_maker *maker, const struct chat_call *call, const struct chat_sink *sink) {
    *maker = (struct chunk_maker){ .sink = sink, .created_s = call->created_s };
    chunk_maker_name(maker, text_of(call->id), text_of(call->model));
}

void chunk_maker_name(struct chunk_maker *maker, struct text id, struct text model) {
    set_name(maker->id, sizeof(maker->id), id);
    set_name(maker->model, sizeof(maker->model), model);
}

static void put_head(struct json_writer *json, struct text id, struct text model, int64_t created_s) {
    json_object_begin(json);
    json_key(json, "id");
    json_text(json, id);
    json_key(json, "object");
    json_text(json, TEXT("chat.completion.chunk"));
    json_key(json, "created");
    json_i64(json, created_s);
    json_key(json, "model");
    json_text(json, model);
    json_key(json, "choices");
    json_array_begin(json);
}

/* A chunk of one choice, open within its delta. */
struct chunk_draft {
    struct chunk_maker *maker;
    struct buffer buf;
    struct json_writer json;
};

static void chunk_open(struct chunk_draft *draft, struct chunk_maker *maker, unsigned index, size_t text_size) {
    draft->maker = maker;
    buffer_init(&draft->buf, CHAT_CHUNK_MAX);
    (void)!buffer_reserve(&draft->buf, FRAME_SIZE + text_size); /* at once; a failure is the buffer's */
    struct json_writer *json = &draft->json;
    json_begin(json, &draft->buf);
    put_head(json, text_of(maker->id), text_of(maker->model), maker->created_s);
    json_object_begin(json);
    json_key(json, "index");
    json_i64(json, index);
    json_key(json, "delta");
    json_object_begin(json);
    if (!maker->role_said) {
        json_key(json, "role");
        json_text(json, TEXT("assistant"));
        maker->role_said = true;
    }
}

/* The sink gets the bytes and the same as a value. */
static void chunk_close(struct chunk_draft *draft, struct text finish_reason) {
    struct json_writer *json = &draft->json;
    json_object_end(json);
    json_key(json, "finish_reason");
    if (finish_reason.len > 0) {
        json_text(json, finish_reason);
    } else {
        json_null_value(json);
    }
    json_object_end(json);
    json_array_end(json);
    json_object_end(json);
    json_t *value = NULL;
    const struct chat_sink *sink = draft->maker->sink;
    if (buffer_ok(&draft->buf)) {
        value = json_loadb(draft->buf.data, draft->buf.len, JSON_ALLOW_NUL, NULL);
    }
    if (value) {
        sink->chunk(sink->context, buffer_text(&draft->buf), value);
    }
    json_decref(value);
    buffer_fini(&draft->buf);
}

/* What fits into one chunk; *rest becomes what does not. */
static struct text cut_piece(struct text *rest) {
    struct text piece = text_clip(*rest, PIECE_MAX);
    *rest = piece.len < rest->len ? (struct text){ rest->ptr + piece.len, rest->len - piece.len } : TEXT_NONE;
    return piece;
}

static void chunk_of_text(struct chunk_maker *maker, unsigned index, const char *member, struct text rest) {
    struct chunk_draft draft;
    while (rest.len > 0) {
        struct text content = cut_piece(&rest);
        chunk_open(&draft, maker, index, content.len);
        json_key(&draft.json, member);
        json_text(&draft.json, content);
        chunk_close(&draft, TEXT_NONE);
    }
}

void chunk_content(struct chunk_maker *maker, unsigned index, struct text content) {
    chunk_of_text(maker, index, "content", content);
}

void chunk_reasoning(struct chunk_maker *maker, unsigned index, struct text content) {
    chunk_of_text(maker, index, "reasoning_content", content);
}

void chunk_refusal(struct chunk_maker *maker, unsigned index, struct text content) {
    chunk_of_text(maker, index, "refusal", content);
}

/* `name` empty: the call goes on. `extra` may be NULL. */
static void chunk_of_tool(struct chunk_maker *maker, unsigned index, unsigned call, struct text id, struct text name,
                          struct text arguments, const json_t *extra) {
    struct chunk_draft draft;
    chunk_open(&draft, maker, index, arguments.len);
    struct json_writer *json = &draft.json;
    json_key(json, "tool_calls");
    json_array_begin(json);
    json_object_begin(json);
    json_key(json, "index");
    json_i64(json, call);
    if (name.len > 0) {
        json_key(json, "id");
        json_text(json, id);
        json_key(json, "type");
        json_text(json, TEXT("function"));
    }
    json_key(json, "function");
    json_object_begin(json);
    if (name.len > 0) {
        json_key(json, "name");
        json_text(json, name);
    }
    json_key(json, "arguments");
    json_text(json, arguments);
    json_object_end(json);
    if (extra != NULL) {
        json_key(json, "extra_content");
        json_raw(json, TEXT(""));
        json_render_to(json->buf, extra);
    }
    json_object_end(json);
    json_array_end(json);
    chunk_close(&draft, TEXT_NONE);
}

void chunk_tool_begin(struct chunk_maker *maker, unsigned index, unsigned call, struct text id, struct text name,
                      struct text arguments) {
    chunk_tool_begin_extra(maker, index, call, id, name, arguments, NULL);
}

void chunk_tool_begin_extra(struct chunk_maker *maker, unsigned index, unsigned call, struct text id, struct text name,
                            struct text arguments, const json_t *extra) {
    chunk_of_tool(maker, index, call, id, name, cut_piece(&arguments), extra);
    chunk_tool_arguments(maker, index, call, arguments);
}

void chunk_tool_arguments(struct chunk_maker *maker, unsigned index, unsigned call, struct text arguments) {
    while (arguments.len > 0) {
        chunk_of_tool(maker, index, call, TEXT_NONE, TEXT_NONE, cut_piece(&arguments), NULL);
    }
}

void chunk_finish(struct chunk_maker *maker, unsigned index, struct text reason) {
    struct chunk_draft draft;
    chunk_open(&draft, maker, index, 0);
    chunk_close(&draft, reason);
}

/* ---- usage ---- */

static void put_detail(struct json_writer *json, const char *group, const char *name, int64_t count) {
    if (count > 0) {
        json_key(json, group);
        json_object_begin(json);
        json_key(json, name);
        json_i64(json, count);
        json_object_end(json);
    }
}

static void put_usage(struct json_writer *json, const struct token_usage *usage) {
    json_object_begin(json);
    json_key(json, "prompt_tokens");
    json_i64(json, usage->input);
    json_key(json, "completion_tokens");
    json_i64(json, usage->output);
    json_key(json, "total_tokens");
    json_i64(json, usage->input + usage->output);
    put_detail(json, "prompt_tokens_details", "cached_tokens", usage->cached);
    put_detail(json, "completion_tokens_details", "reasoning_tokens", usage->reasoning);
    if (usage->estimated) {
        json_key(json, "estimated");
        json_bool(json, true);
    }
    json_object_end(json);
}

void usage_put(struct buffer *buf, const struct token_usage *usage) {
    struct json_writer json;
    json_begin(&json, buf);
    put_usage(&json, usage);
}

void usage_put_chunk(struct buffer *buf, struct text id, struct text model, int64_t created_s,
                     const struct token_usage *usage) {
    struct json_writer json;
    json_begin(&json, buf);
    put_head(&json, id, model, created_s);
    json_array_end(&json);
    json_key(&json, "usage");
    put_usage(&json, usage);
    json_object_end(&json);
}

bool usage_count(const json_t *object, const char *name, int64_t *ret) {
    const json_t *value = json_object_get(object, name);
    double number = json_number_value(value);
    if (!json_is_number(value) || !(number >= 0 && number <= COUNT_MAX)) {
        return false;
    }
    *ret = json_is_integer(value) ? json_integer_value(value) : (int64_t)number;
    return true;
}

bool usage_read(const json_t *value, struct token_usage *ret) {
    struct token_usage usage = { 0 };
    int64_t total = 0, miss = 0;
    const json_t *input_details = json_object_get(value, "prompt_tokens_details");
    const json_t *output_details = json_object_get(value, "completion_tokens_details");
    bool input = usage_count(value, "prompt_tokens", &usage.input);
    bool output = usage_count(value, "completion_tokens", &usage.output);
    bool cached = usage_count(input_details, "cached_tokens", &usage.cached) ||
                  usage_count(value, "prompt_cache_hit_tokens", &usage.cached) ||
                  usage_count(value, "cached_tokens", &usage.cached);
    if (!input && cached && usage_count(value, "prompt_cache_miss_tokens", &miss)) {
        usage.input = usage.cached + miss;
        input = true;
    }
    output |= usage_count(value, "total_tokens", &total);
    if (!input || !output) {
        return false;
    }
    /* some count reasoning in the total alone */
    usage.output = total - usage.input > usage.output ? total - usage.input : usage.output;
    if (!usage_count(output_details, "reasoning_tokens", &usage.reasoning) &&
        !usage_count(value, "reasoning_tokens", &usage.reasoning)) {
        usage.reasoning = 0;
    }
    usage.cached = usage.cached < usage.input ? usage.cached : usage.input;
    usage.reasoning = usage.reasoning < usage.output ? usage.reasoning : usage.output;
    *ret = usage;
    return true;
}

/* Its message is its delta, with tool calls counted. */
static void make_delta(json_t *choice) {
    json_t *message = json_object_get(choice, "message");
    json_t *tools = json_object_get(message, "tool_calls");
    for (size_t i = 0; i < json_array_size(tools); i++) {
        json_t *tool = json_array_get(tools, i);
        if (!json_object_get(tool, "index")) {
            json_object_set_new(tool, "index", json_integer((json_int_t)i));
        }
    }
    if (message) {
        json_object_set(choice, "delta", message);
        json_object_del(choice, "message");
    }
}

void chunk_of_completion(struct json_t *value) {
    json_object_del(value, "usage");
    json_object_set_new(value, "object", json_string("chat.completion.chunk"));
    json_t *choices = json_object_get(value, "choices");
    for (size_t i = 0; i < json_array_size(choices); i++) {
        make_delta(json_array_get(choices, i));
    }
}
