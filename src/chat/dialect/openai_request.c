/* Makes the OpenAI dialect's requests: the client's body, with what differs by service put in its place. */
#include "chat/dialect/openai_request.h"

#include <jansson.h>
#include <string.h>

#include "base/inline_file.h"
#include "base/json.h"
#include "blob/media_type.h"
#include "chat/dialect/request.h"

#define MEDIA_TYPE_SIZE 128
#define DEPTH_MAX 64

static json_t *new_text(struct text text) {
    return json_stringn_nocheck(text.ptr ? text.ptr : "", text.len);
}

/* jansson counts references of const values, too, and its counts are atomic. */
static json_t *share(const json_t *value) {
    return json_incref((json_t *)(uintptr_t)value);
}

/* ---- parts ---- */

/* {"audio_url": {"url": …}} or {"audio_url": "…"}. */
static struct text media_url(const json_t *media) {
    return json_text_of(json_is_string(media) ? media : json_object_get(media, "url"));
}

/* "audio/mpeg" is "mp3" here; of others the subtype. */
static struct text sound_format(struct text media_type) {
    static const struct {
        struct text media_type, format;
    } rows[] = {
        { TEXT("audio/mpeg"), TEXT("mp3") },  { TEXT("audio/mp4"), TEXT("m4a") },
        { TEXT("audio/x-m4a"), TEXT("m4a") }, { TEXT("audio/vnd.wave"), TEXT("wav") },
        { TEXT("audio/L16"), TEXT("pcm16") },
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        if (text_equal_nocase(media_type, rows[i].media_type)) {
            return rows[i].format;
        }
    }
    text_cut(&media_type, '/');
    if (text_starts(media_type, TEXT("x-"))) {
        text_cut(&media_type, '-');
    }
    return media_type.len > 0 ? media_type : TEXT("wav");
}

/* A new part of one member, `content`, which is taken over. */
static json_t *new_part(const char *type, json_t *content) {
    json_t *part = json_object();
    json_object_set_new(part, "type", json_string(type));
    json_object_set_new(part, type, content);
    return part;
}

static json_t *sound_part(const json_t *media) {
    struct data_uri_parts uri;
    if (!data_uri_split(media_url(media), &uri) || !uri.base64) {
        return NULL;
    }
    json_t *content = json_object();
    json_object_set_new(content, "data", new_text(uri.data));
    json_object_set_new(content, "format", new_text(sound_format(uri.media_type)));
    return new_part("input_audio", content);
}

/* OpenAI wants a name for what it is given; the ending tells it the kind. */
static json_t *file_name(const json_t *media, struct text url) {
    static const char *const members[] = { "filename", "name" };
    for (size_t i = 0; i < ARRAY_SIZE(members); i++) {
        const json_t *name = json_object_get(media, members[i]);
        if (json_is_string(name)) {
            return share(name);
        }
    }
    struct data_uri_parts uri;
    char media_type[MEDIA_TYPE_SIZE];
    if (!data_uri_split(url, &uri)) { /* a link: what follows its last slash */
        struct text path = text_cut(&url, '?'), last = TEXT_NONE;
        while (path.len > 0) {
            last = text_cut(&path, '/');
        }
        return last.len > 0 && text_find(last, '.') < last.len ? new_text(last) : json_string("file");
    }
    snprintf(media_type, sizeof(media_type), "%.*s", TEXT_ARG(text_clip(uri.media_type, sizeof(media_type) - 1)));
    return json_sprintf("file.%s", media_type_extension(media_type));
}

static json_t *file_part(const json_t *media) {
    struct text url = media_url(media);
    const json_t *id = json_object_get(media, "file_id");
    json_t *content = json_object();
    if (json_is_string(id)) {
        json_object_set_new(content, "file_id", share(id));
    } else {
        json_object_set_new(content, "filename", file_name(media, url));
        json_object_set_new(content, "file_data", new_text(url));
    }
    return new_part("file", content);
}

/* The part in OpenAI's words, a new reference; NULL: it is fine as it is. */
static json_t *translate_part(const json_t *part) {
    static const struct {
        const char *member;
        json_t *(*make)(const json_t *media);
    } rows[] = { { "audio_url", sound_part }, { "file_url", file_part } };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        const json_t *media = json_object_get(part, rows[i].member);
        json_t *made = media ? rows[i].make(media) : NULL;
        if (made) {
            /* what else is said of the part ("cache_control") is kept */
            json_t *rest = json_copy((json_t *)(uintptr_t)part);
            json_object_del(rest, rows[i].member);
            json_object_update(rest, made);
            json_decref(made);
            return rest;
        }
    }
    return NULL;
}

/* Copies what it changes, and nothing else. */
static void translate_messages(json_t *body) {
    const json_t *messages = json_object_get(body, "messages");
    json_t *copy = json_copy((json_t *)(uintptr_t)messages);
    for (size_t i = 0; i < json_array_size(copy); i++) {
        json_t *content = json_object_get(json_array_get(copy, i), "content");
        json_t *parts = NULL;
        for (size_t at = 0; at < json_array_size(content); at++) {
            json_t *part = translate_part(json_array_get(content, at));
            if (part) {
                parts = parts ? parts : json_copy(content);
                json_array_set_new(parts, at, part);
            }
        }
        if (parts) {
            json_t *message = json_copy(json_array_get(copy, i));
            json_object_set_new(message, "content", parts);
            json_array_set_new(copy, i, message);
        }
    }
    if (copy) {
        json_object_set_new(body, "messages", copy);
    }
}

/* ---- the rest of the body ---- */

/* `defaults`, with what `value` says in their place; objects are merged member by member. A new reference. */
static json_t *merge(const json_t *value, const json_t *defaults, unsigned depth) {
    if (!value) {
        return share(defaults);
    }
    if (!json_is_object(value) || !json_is_object(defaults) || depth == 0) {
        return share(value);
    }
    json_t *merged = json_copy((json_t *)(uintptr_t)value);
    for (void *at = json_object_iter((json_t *)(uintptr_t)defaults); at;
         at = json_object_iter_next((json_t *)(uintptr_t)defaults, at)) {
        const char *key = json_object_iter_key(at);
        json_object_set_new(merged, key, merge(json_object_get(value, key), json_object_iter_value(at), depth - 1));
    }
    return merged;
}

/* The client wants the model to think; what the body says of it by itself counts. */
static json_t *add_reasoning(json_t *body, const json_t *route) {
    const json_t *said = json_object_get(route, "reasoning");
    if (json_is_object(said)) {
        json_t *merged = merge(body, said, DEPTH_MAX);
        json_decref(body);
        return merged;
    }
    if (!json_is_false(said) && !json_object_get(body, "reasoning_effort")) {
        json_object_set_new(body, "reasoning_effort", json_string("medium"));
    }
    return body;
}

static void set_stream(json_t *body, const struct chat_call *call, const json_t *options) {
    if (!call->stream) {
        json_object_del(body, "stream");
        json_object_del(body, "stream_options");
        return;
    }
    json_object_set_new(body, "stream", json_true());
    if (json_is_false(json_object_get(options, "stream_usage"))) {
        json_object_del(body, "stream_options");
        return;
    }
    const json_t *said = json_object_get(body, "stream_options");
    json_t *stream_options = json_is_object(said) ? json_copy((json_t *)(uintptr_t)said) : json_object();
    json_object_set_new(stream_options, "include_usage", json_true());
    json_object_set_new(body, "stream_options", stream_options);
}

/* options.max_tokens: what the service calls the limit of its answer, where it knows one name alone. */
static void rename_limit(json_t *body, const json_t *options) {
    static const char *const names[] = { "max_completion_tokens", "max_tokens" };
    const char *name = json_string_value(json_object_get(options, "max_tokens"));
    for (size_t i = 0; name && i < ARRAY_SIZE(names); i++) {
        json_t *limit = json_object_get(body, names[i]);
        if (!limit || strcmp(name, names[i]) == 0) {
            continue;
        }
        if (!json_object_get(body, name)) {
            json_object_set(body, name, limit);
        }
        json_object_del(body, names[i]);
    }
}

enum err openai_request(const struct chat_call *call, struct chat_request *ret, struct fault *fault) {
    const json_t *options = json_object_get(call->route, "options");
    json_t *body = json_copy((json_t *)(uintptr_t)call->body);
    json_object_set_new(body, "model", json_string(call->model));
    set_stream(body, call, options);
    rename_limit(body, options);
    if (!text_equal(json_text_of(json_object_get(options, "parts")), TEXT("native"))) {
        translate_messages(body);
    }
    if (call->reasoning) {
        body = add_reasoning(body, call->route);
    }
    request_patch(body, call, false);
    enum err err = request_render(body, TEXT("/chat/completions"), NULL, 0, ret, fault);
    json_decref(body);
    return err;
}
