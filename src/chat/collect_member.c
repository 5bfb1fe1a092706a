/* Keeps each member's pieces in a list, and puts them together once, at the end: sound comes in thousands of them. */
#include "chat/collect_member.h"

#include <jansson.h>

#include "base/json.h"
#include "chat/dialect/dialect.h"

void collected_members_take(json_t *pieces, const char *name, json_t *value) {
    json_t *list = json_object_get(pieces, name);
    if (json_is_null(value)) {
        return;
    }
    if (list == NULL) {
        list = json_array();
        json_object_set_new(pieces, name, list);
    }
    json_array_append(list, value);
}

static void put_text(struct json_writer *json, const json_t *list) {
    struct buffer scoped(buffer_fini) text;
    buffer_init(&text, CHAT_ANSWER_MAX);
    for (size_t i = 0; i < json_array_size(list); i++) {
        buffer_put(&text, json_text_of(json_array_get(list, i)));
    }
    json_text(json, buffer_text(&text));
}

static void put_value(struct json_writer *json, const json_t *value) {
    json_raw(json, TEXT(""));
    json_render_to(json->buf, value);
}

static void put_list(struct json_writer *json, const json_t *list) {
    json_array_begin(json);
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *piece = json_array_get(list, i);
        for (size_t at = 0; at < json_array_size(piece); at++) {
            put_value(json, json_array_get(piece, at));
        }
    }
    json_array_end(json);
}

static void put_object(struct json_writer *json, const json_t *list) {
    json_t *pieces scoped(json_release) = json_object();
    for (size_t i = 0; i < json_array_size(list); i++) {
        json_t *piece = json_array_get(list, i);
        for (void *at = json_object_iter(piece); at; at = json_object_iter_next(piece, at)) {
            collected_members_take(pieces, json_object_iter_key(at), json_object_iter_value(at));
        }
    }
    json_object_begin(json);
    collected_members_put(pieces, json);
    json_object_end(json);
}

/* Services say these once, or again with every piece. */
static bool is_label(struct text name) {
    return text_equal(name, TEXT("id")) || text_equal(name, TEXT("type")) || text_equal(name, TEXT("name"));
}

/* "" says less than what came before. */
static const json_t *last_of(const json_t *list) {
    size_t last = json_array_size(list) - 1;
    while (last > 0 && json_is_string(json_array_get(list, last)) && json_string_length(json_array_get(list, last)) == 0) {
        last--;
    }
    return json_array_get(list, last);
}

void collected_members_put(const json_t *pieces, struct json_writer *json) {
    json_t *object = (json_t *)(uintptr_t)pieces;
    for (void *at = json_object_iter(object); at; at = json_object_iter_next(object, at)) {
        struct text name = { json_object_iter_key(at), json_object_iter_key_len(at) };
        const json_t *list = json_object_iter_value(at), *last = last_of(list);
        json_text(json, name);
        buffer_put_char(json->buf, ':');
        json->comma = false;
        bool joined = json_array_size(list) > 1 && !is_label(name);
        if (joined && json_is_string(last)) {
            put_text(json, list);
        } else if (joined && json_is_array(last)) {
            put_list(json, list);
        } else if (joined && json_is_object(last)) {
            put_object(json, list);
        } else {
            put_value(json, last);
        }
    }
}
