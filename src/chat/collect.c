/* Collects chunks: choices by their index, and in them texts that are joined, tool calls, members that are put together at
 * the end, and the rest as it came last. */
#include "chat/collect.h"

#include <jansson.h>
#include <stdlib.h>

#include "base/json.h"
#include "base/memory.h"
#include "chat/collect_member.h"
#include "chat/collect_tool.h"
#include "chat/dialect/chunk.h"
#include "chat/dialect/dialect.h"
#include "chat/tokens.h"

#define CHOICES_MAX 128 /* what OpenAI allows as `n` */
#define DEPTH_MAX 64
#define OBJECT_SIZE 256 /* memory of one, about, beside what is in it */

struct collected_choice {
    struct buffer content, refusal;
    bool has_content; /* content came that was not null */
    json_t *role;     /* NULL: none came */
    json_t *members;  /* the other members of the deltas, in pieces */
    json_t *rest;     /* the other members of the choice */
    json_t *finish_reason;
    json_t *logprobs; /* {content: […], refusal: […]}, joined; NULL: none came */
    struct collected_calls tools;
    struct collected_calls function; /* what was there before tools: one call */
};

struct chat_collector {
    struct collected_choice *choices[CHOICES_MAX];
    json_t *last; /* the last chunk, for what stands beside its choices */
    size_t bytes; /* kept, about */
    struct token_count count;
};

struct chat_collector *chat_collector_new(void) {
    return mem_new(sizeof(struct chat_collector));
}

static void free_choice(struct collected_choice *choice) {
    if (choice) {
        buffer_fini(&choice->content);
        buffer_fini(&choice->refusal);
        json_decref(choice->role);
        json_decref(choice->members);
        json_decref(choice->rest);
        json_decref(choice->finish_reason);
        json_decref(choice->logprobs);
        collected_calls_fini(&choice->tools);
        collected_calls_fini(&choice->function);
        free(choice);
    }
}

void chat_collector_free(struct chat_collector *collector) {
    if (collector) {
        for (size_t i = 0; i < CHOICES_MAX; i++) {
            free_choice(collector->choices[i]);
        }
        json_decref(collector->last);
        free(collector);
    }
}

/* ---- what a chunk takes, before anything of it is taken ---- */

static bool is_reasoning(const char *name) {
    static const char *const names[] = { "reasoning_content", "reasoning", "reasoning_details" };
    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        if (text_equal(text_of(name), text_of(names[i]))) {
            return true;
        }
    }
    return false;
}

/* Memory of a value, about; reasoning takes none. */
static size_t size_of(const json_t *value, unsigned depth) {
    size_t size = sizeof(json_t) + json_string_length(value);
    for (size_t i = 0; depth > 0 && i < json_array_size(value); i++) {
        size += size_of(json_array_get(value, i), depth - 1);
    }
    json_t *object = depth > 0 ? (json_t *)(uintptr_t)value : NULL;
    for (void *at = json_object_iter(object); at; at = json_object_iter_next(object, at)) {
        if (!is_reasoning(json_object_iter_key(at))) {
            size += json_object_iter_key_len(at) + size_of(json_object_iter_value(at), depth - 1);
        }
    }
    return size;
}

static size_t index_of(const json_t *choice) {
    json_int_t index = json_integer_value(json_object_get(choice, "index"));
    return index < 0 ? SIZE_MAX : (size_t)index;
}

static bool fits(const struct chat_collector *collector, const json_t *choices, size_t *ret_bytes) {
    size_t bytes = collector->bytes;
    for (size_t i = 0; i < json_array_size(choices); i++) {
        const json_t *choice = json_array_get(choices, i);
        const json_t *calls = json_object_get(json_object_get(choice, "delta"), "tool_calls");
        if (index_of(choice) >= CHOICES_MAX || !collected_calls_fit(calls)) {
            return false;
        }
        bytes += size_of(choice, DEPTH_MAX);
    }
    if (bytes > CHAT_ANSWER_MAX) {
        return false;
    }
    *ret_bytes = bytes;
    return true;
}

/* ---- taking a chunk ---- */

static struct collected_choice *choice_at(struct chat_collector *collector, size_t index) {
    if (!collector->choices[index]) {
        struct collected_choice *choice = mem_new(sizeof(*choice));
        buffer_init(&choice->content, CHAT_ANSWER_MAX);
        buffer_init(&choice->refusal, CHAT_ANSWER_MAX);
        choice->members = json_object();
        choice->rest = json_object();
        collector->choices[index] = choice;
    }
    return collector->choices[index];
}

/* A text, or Mistral's list of parts; what a part thinks is counted only. */
static void take_content(struct chat_collector *collector, struct collected_choice *choice, const json_t *content) {
    if (json_is_string(content)) {
        choice->has_content = true;
        buffer_put(&choice->content, json_text_of(content));
        token_count_add(&collector->count, json_text_of(content));
    }
    for (size_t i = 0; i < json_array_size(content); i++) {
        const json_t *part = json_array_get(content, i);
        const json_t *thinking = json_object_get(part, "thinking");
        take_content(collector, choice, json_object_get(part, "text"));
        for (size_t at = 0; at < json_array_size(thinking); at++) {
            token_count_add(&collector->count, json_text_of(json_object_get(json_array_get(thinking, at), "text")));
        }
    }
}

static void take_role(struct collected_choice *choice, json_t *role) {
    if (json_string_length(role) > 0 && choice->role == NULL) {
        choice->role = json_incref(role);
    }
}

static void take_member(struct chat_collector *collector, struct collected_choice *choice, const char *name,
                        json_t *value) {
    collected_members_take(choice->members, name, value);
    collector->bytes += json_is_object(value) ? OBJECT_SIZE : 0;
    token_count_add_member(&collector->count, text_of(name), value);
}

static void take_delta(struct chat_collector *collector, struct collected_choice *choice, const json_t *delta) {
    json_t *object = (json_t *)(uintptr_t)delta;
    for (void *at = json_object_iter(object); at; at = json_object_iter_next(object, at)) {
        const char *name = json_object_iter_key(at);
        struct text key = text_of(name);
        json_t *value = json_object_iter_value(at);
        if (text_equal(key, TEXT("content"))) {
            take_content(collector, choice, value);
        } else if (text_equal(key, TEXT("role"))) {
            take_role(choice, value);
        } else if (text_equal(key, TEXT("tool_calls"))) {
            collected_calls_take(&choice->tools, value, &collector->count);
        } else if (text_equal(key, TEXT("function_call"))) {
            collected_calls_take_function(&choice->function, value, &collector->count);
        } else if (text_equal(key, TEXT("refusal"))) {
            buffer_put(&choice->refusal, json_text_of(value));
            token_count_add(&collector->count, json_text_of(value));
        } else if (text_equal(key, TEXT("reasoning")) && json_object_get(delta, "reasoning_content")) {
            continue; /* some services say it under both names */
        } else if (is_reasoning(name)) {
            token_count_add(&collector->count, json_text_of(value));
        } else {
            take_member(collector, choice, name, value);
        }
    }
}

static void take_logprobs(struct collected_choice *choice, json_t *logprobs) {
    for (void *at = json_object_iter(logprobs); at; at = json_object_iter_next(logprobs, at)) {
        const char *name = json_object_iter_key(at);
        json_t *list = json_object_iter_value(at);
        choice->logprobs = choice->logprobs ? choice->logprobs : json_object();
        json_t *joined = json_object_get(choice->logprobs, name);
        if (json_is_array(list) && json_is_array(joined)) {
            json_array_extend(joined, list);
        } else if (!joined || json_is_null(joined)) {
            json_object_set_new(choice->logprobs, name, json_is_array(list) ? json_copy(list) : json_incref(list));
        }
    }
}

/* "" is how some say null. */
static void take_finish(struct collected_choice *choice, json_t *reason) {
    if (json_string_length(reason) > 0) {
        json_decref(choice->finish_reason);
        choice->finish_reason = json_incref(reason);
    }
}

static void take_choice(struct chat_collector *collector, json_t *value) {
    struct collected_choice *choice = choice_at(collector, index_of(value));
    for (void *at = json_object_iter(value); at; at = json_object_iter_next(value, at)) {
        const char *name = json_object_iter_key(at);
        struct text key = text_of(name);
        json_t *member = json_object_iter_value(at);
        if (text_equal(key, TEXT("delta"))) {
            take_delta(collector, choice, member);
        } else if (text_equal(key, TEXT("logprobs"))) {
            take_logprobs(choice, member);
        } else if (text_equal(key, TEXT("finish_reason"))) {
            take_finish(choice, member);
        } else if (json_is_null(member) || text_equal(key, TEXT("index")) || text_equal(key, TEXT("message"))) {
            continue; /* what they say is said by other members */
        } else {
            json_object_set(choice->rest, name, member);
        }
    }
}

bool chat_collector_add(struct chat_collector *collector, const json_t *chunk) {
    const json_t *choices = json_object_get(chunk, "choices");
    if (!fits(collector, choices, &collector->bytes)) {
        return false;
    }
    for (size_t i = 0; i < json_array_size(choices); i++) {
        take_choice(collector, json_array_get(choices, i));
    }
    if (json_is_object(chunk)) {
        json_decref(collector->last);
        collector->last = json_incref((json_t *)(uintptr_t)chunk);
    }
    return true;
}

size_t chat_collector_finished(const struct chat_collector *collector) {
    size_t count = 0;
    for (size_t i = 0; i < CHOICES_MAX; i++) {
        count += collector->choices[i] && collector->choices[i]->finish_reason;
    }
    return count;
}

int64_t chat_collector_tokens(const struct chat_collector *collector) {
    return token_count_total(&collector->count);
}

/* ---- the completion ---- */

static void put_text_or_null(struct json_writer *json, const char *name, bool is_text, const struct buffer *text) {
    json_key(json, name);
    if (is_text) {
        json_text(json, buffer_text(text));
    } else {
        json_null_value(json);
    }
}

/* A member of a service's object, whose name is the service's. */
static void put_member(struct json_writer *json, struct text name, const json_t *value) {
    json_text(json, name);
    buffer_put_char(json->buf, ':');
    json_render_to(json->buf, value);
}

static void put_members(struct json_writer *json, json_t *object) {
    for (void *at = json_object_iter(object); at; at = json_object_iter_next(object, at)) {
        struct text key = { json_object_iter_key(at), json_object_iter_key_len(at) };
        put_member(json, key, json_object_iter_value(at));
    }
}

static void put_choice(struct json_writer *json, size_t index, const struct collected_choice *choice) {
    struct text role = json_text_of(choice->role);
    json_object_begin(json);
    json_key(json, "index");
    json_i64(json, (int64_t)index);
    json_key(json, "message");
    json_object_begin(json);
    json_key(json, "role");
    json_text(json, role.len > 0 ? role : TEXT("assistant"));
    bool says_else = choice->tools.count > 0 || choice->function.count > 0 || choice->refusal.len > 0;
    put_text_or_null(json, "content", choice->has_content && (choice->content.len > 0 || !says_else), &choice->content);
    put_text_or_null(json, "refusal", choice->refusal.len > 0, &choice->refusal);
    collected_calls_put(&choice->tools, json);
    collected_calls_put_function(&choice->function, json);
    collected_members_put(choice->members, json);
    json_object_end(json);
    put_members(json, choice->rest);
    json_key(json, "logprobs");
    if (choice->logprobs) {
        json_render_to(json->buf, choice->logprobs);
        json->comma = true;
    } else {
        json_null_value(json);
    }
    json_key(json, "finish_reason");
    json_string_or_null(json, json_string_value(choice->finish_reason));
    json_object_end(json);
}

static void put_rest(struct json_writer *json, json_t *last) {
    static const char *const ours[] = { "id", "object", "created", "model", "choices", "usage" };
    for (void *at = json_object_iter(last); at; at = json_object_iter_next(last, at)) {
        struct text key = { json_object_iter_key(at), json_object_iter_key_len(at) };
        bool is_ours = json_is_null(json_object_iter_value(at));
        for (size_t i = 0; i < ARRAY_SIZE(ours); i++) {
            is_ours |= text_equal(key, text_of(ours[i]));
        }
        if (!is_ours) {
            put_member(json, key, json_object_iter_value(at));
        }
    }
}

void chat_collector_put(const struct chat_collector *collector, const struct token_usage *usage, struct buffer *buf) {
    struct json_writer json;
    json_begin(&json, buf);
    json_object_begin(&json);
    json_key(&json, "id");
    json_text(&json, json_text_of(json_object_get(collector->last, "id")));
    json_key(&json, "object");
    json_text(&json, TEXT("chat.completion"));
    json_key(&json, "created");
    json_i64(&json, json_integer_value(json_object_get(collector->last, "created")));
    json_key(&json, "model");
    json_text(&json, json_text_of(json_object_get(collector->last, "model")));
    json_key(&json, "choices");
    json_array_begin(&json);
    for (size_t i = 0; i < CHOICES_MAX; i++) {
        if (collector->choices[i]) {
            put_choice(&json, i, collector->choices[i]);
        }
    }
    json_array_end(&json);
    if (usage) {
        json_key(&json, "usage");
        usage_put(buf, usage);
        json.comma = true;
    }
    put_rest(&json, collector->last);
    json_object_end(&json);
}
