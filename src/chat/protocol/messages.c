/* OpenAI's messages: roles, content, parts, tool calls. What is looked at by nobody here passes on as it is. */
#include <ctype.h>
#include <jansson.h>
#include <string.h>

#include "base/inline_file.h"
#include "base/json.h"
#include "catalog/param.h"
#include "chat/protocol/inside.h"

#define FORMAT_MAX 16 /* bytes of input_audio.format */

/* Messages being read, and where. */
struct reading {
    const struct chat_limits *limits;
    struct fault *fault;
    char path[PATH_SIZE];
};

/* A path is made for each message and read by refusals alone, so without printf. What does not fit is cut. */
static size_t append(struct reading *reading, char mark, const char *name) {
    size_t before = strlen(reading->path), room = sizeof(reading->path) - before - 1, len = strlen(name);
    if (room > 0) {
        size_t kept = len < room - 1 ? len : room - 1;
        reading->path[before] = mark;
        memcpy(reading->path + before + 1, name, kept);
        reading->path[before + 1 + kept] = '\0';
    }
    return before;
}

/* Goes on to a member; returns the length to go back to. */
static size_t enter(struct reading *reading, const char *name) {
    return append(reading, '.', name);
}

/* The same to an element of a list. */
static size_t enter_element(struct reading *reading, size_t index) {
    char digits[sizeof("18446744073709551615]")];
    char *at = digits + sizeof(digits);
    *--at = '\0';
    *--at = ']';
    do {
        *--at = (char)('0' + index % 10);
    } while ((index /= 10) > 0);
    return append(reading, '[', at);
}

static void leave(struct reading *reading, size_t before) {
    reading->path[before] = '\0';
}

#define refuse_here(reading, err, ...) fault_set_param((reading)->fault, err, (reading)->path, __VA_ARGS__)

static enum err expect_object(const struct reading *reading, const json_t *value) {
    return json_is_object(value) ? OK
                                 : refuse_here(reading, value == NULL ? ERR_MISSING_FIELD : ERR_INVALID_TYPE,
                                               "The field %s must be an object.", reading->path);
}

/* Enters the member and leaves *ret at its value, which is neither missing nor null. The caller leaves again. */
static enum err enter_member(struct reading *reading, const json_t *object, const char *name, const json_t **ret) {
    enter(reading, name);
    *ret = json_object_get(object, name);
    return *ret != NULL && !json_is_null(*ret)
               ? OK
               : refuse_here(reading, ERR_MISSING_FIELD, "The field %s is missing.", reading->path);
}

/* ---- parts ---- */

/* { "type": "image_url", "image_url": { "url": … } }; the address alone in its place is taken too. *ret: a part with
 * its usual form when that is another, else NULL. */
static enum err read_link(struct reading *reading, const json_t *part, const char *name, const char *accept,
                          json_t **ret) {
    const json_t *holder, *url;
    enum err err = enter_member(reading, part, name, &holder);
    if (err == OK && json_is_string(holder)) {
        err = expect_link(holder, reading->path, accept, reading->fault);
        if (err == OK) {
            *ret = json_copy((json_t *)(uintptr_t)part);
            json_object_set_new(*ret, name, json_pack("{s:O}", "url", holder));
        }
        return err;
    }
    if (err == OK) {
        err = expect_object(reading, holder);
    }
    if (err == OK) {
        err = enter_member(reading, holder, "url", &url);
    }
    return err == OK ? expect_link(url, reading->path, accept, reading->fault) : err;
}

static enum err read_image(struct reading *reading, const json_t *part, json_t **ret) {
    return read_link(reading, part, "image_url", "image", ret);
}

static enum err read_video(struct reading *reading, const json_t *part, json_t **ret) {
    return read_link(reading, part, "video_url", "video", ret);
}

static enum err read_audio(struct reading *reading, const json_t *part, json_t **ret) {
    return read_link(reading, part, "audio_url", "audio", ret);
}

static enum err read_file_link(struct reading *reading, const json_t *part, json_t **ret) {
    return read_link(reading, part, "file_url", "file", ret);
}

static enum err read_string_member(struct reading *reading, const json_t *part, const char *name) {
    const json_t *value;
    enum err err = enter_member(reading, part, name, &value);
    return err != OK || json_is_string(value)
               ? err
               : refuse_here(reading, ERR_INVALID_TYPE, "The field %s must be a string.", reading->path);
}

static enum err read_text(struct reading *reading, const json_t *part, json_t **ret) {
    (void)ret;
    return read_string_member(reading, part, "text");
}

static enum err read_refusal(struct reading *reading, const json_t *part, json_t **ret) {
    (void)ret;
    return read_string_member(reading, part, "refusal");
}

/* It becomes part of a media type. */
static bool is_format(struct text t) {
    for (size_t i = 0; i < t.len; i++) {
        if (!isalnum((unsigned char)t.ptr[i])) {
            return false;
        }
    }
    return t.len > 0 && t.len <= FORMAT_MAX;
}

/* { "type": "input_audio", "input_audio": { "data": base64, "format": "wav" } } */
static enum err read_sound(struct reading *reading, const json_t *part, json_t **ret) {
    (void)ret;
    const json_t *holder, *data, *format;
    enum err err = enter_member(reading, part, "input_audio", &holder);
    if (err == OK) {
        err = expect_object(reading, holder);
    }
    if (err != OK) {
        return err;
    }
    size_t before = strlen(reading->path);
    err = enter_member(reading, holder, "data", &data);
    if (err == OK && !(json_is_string(data) && media_base64_valid(json_text_of(data)))) {
        err = refuse_here(reading, ERR_INVALID_PARAM, "The field %s must be base64.", reading->path);
    }
    if (err != OK) {
        return err;
    }
    leave(reading, before);
    err = enter_member(reading, holder, "format", &format);
    if (err == OK && !(json_is_string(format) && is_format(json_text_of(format)))) {
        err = refuse_here(reading, ERR_INVALID_PARAM, "The field %s must be a word such as wav or mp3.", reading->path);
    }
    return err;
}

/* { "type": "file", "file": { "file_data": data URI, "filename": … } } */
static enum err read_file(struct reading *reading, const json_t *part, json_t **ret) {
    (void)ret;
    const json_t *holder, *data;
    enum err err = enter_member(reading, part, "file", &holder);
    if (err == OK) {
        err = expect_object(reading, holder);
    }
    if (err == OK && json_object_get(holder, "file_id") != NULL) {
        /* It would be a file of the operator's account at the service, anybody's. */
        enter(reading, "file_id");
        return refuse_here(reading, ERR_INVALID_PARAM, "Files are sent as file_data, or as a part of type file_url.");
    }
    if (err == OK) {
        err = enter_member(reading, holder, "file_data", &data);
    }
    if (err == OK && json_is_string(data) && !data_uri_is(json_text_of(data))) {
        return refuse_here(reading, ERR_INVALID_URL, "The field %s must be a data: URI.", reading->path);
    }
    return err == OK ? expect_link(data, reading->path, "file", reading->fault) : err;
}

/* *ret: what takes the part's place; NULL: it stays. */
static enum err read_part(struct reading *reading, const json_t *part, json_t **ret) {
    static const struct {
        const char *type;
        enum err (*read)(struct reading *, const json_t *, json_t **);
    } types[] = {
        { "text", read_text },       { "image_url", read_image },    { "video_url", read_video },
        { "audio_url", read_audio }, { "file_url", read_file_link }, { "input_audio", read_sound },
        { "file", read_file },       { "refusal", read_refusal },
    };
    enum err err = expect_object(reading, part);
    if (err != OK) {
        return err;
    }
    size_t before = strlen(reading->path);
    const json_t *type;
    err = enter_member(reading, part, "type", &type);
    if (err == OK && !json_is_string(type)) {
        err = refuse_here(reading, ERR_INVALID_TYPE, "The field %s must be a string.", reading->path);
    }
    for (size_t i = 0; err == OK && i < ARRAY_SIZE(types); i++) {
        if (text_equal(json_text_of(type), text_of(types[i].type))) {
            leave(reading, before);
            err = types[i].read(reading, part, ret);
            if (err == OK) {
                leave(reading, before);
                err = expect_shallow(part, reading->path, reading->fault);
            }
            return err;
        }
    }
    return err != OK ? err
                     : refuse_here(
                           reading, ERR_PART_TYPE,
                           "There are no content parts of type %.*s; there are text, image_url, video_url, audio_url, "
                           "file_url, input_audio and file.",
                           TEXT_ARG(text_clip(json_text_of(type), 40)));
}

/* ---- messages ---- */

static enum err read_parts(struct reading *reading, const json_t *content, json_t **ret) {
    enum err err = expect_list(content, reading->path, reading->limits->parts_max, reading->fault);
    size_t before = strlen(reading->path);
    for (size_t i = 0; err == OK && i < json_array_size(content); i++) {
        json_t *replacement = NULL;
        enter_element(reading, i);
        err = read_part(reading, json_array_get(content, i), &replacement);
        if (replacement != NULL) {
            *ret = *ret != NULL ? *ret : json_copy((json_t *)(uintptr_t)content);
            json_array_set_new(*ret, i, replacement);
        }
        if (err == OK) {
            leave(reading, before);
        }
    }
    return err;
}

/* Whether an answer says something without content. */
static bool may_lack_content(const json_t *message, struct text role) {
    static const char *const others[] = { "tool_calls", "function_call", "refusal", "audio" };
    for (size_t i = 0; i < ARRAY_SIZE(others) && text_equal(role, TEXT("assistant")); i++) {
        const json_t *other = json_object_get(message, others[i]);
        if (other != NULL && !json_is_null(other)) {
            return true;
        }
    }
    return false;
}

/* *ret: what takes the content's place; NULL: it stays. */
static enum err read_content(struct reading *reading, const json_t *message, struct text role, json_t **ret) {
    const json_t *content = json_object_get(message, "content");
    size_t before = enter(reading, "content");
    enum err err = OK;
    if (json_is_array(content)) {
        err = read_parts(reading, content, ret);
    } else if (content == NULL || json_is_null(content)) {
        err = may_lack_content(message, role)
                  ? OK
                  : refuse_here(reading, ERR_MISSING_FIELD, "The field %s is missing.", reading->path);
    } else if (!json_is_string(content)) {
        err =
            refuse_here(reading, ERR_INVALID_TYPE, "The field %s must be a string or a list of parts.", reading->path);
    }
    if (err == OK) {
        leave(reading, before);
    }
    return err;
}

static enum err read_role(struct reading *reading, const json_t *message, struct text *ret) {
    static const char *const roles[] = { "system", "developer", "user", "assistant", "tool", "function" };
    const json_t *role;
    size_t before = strlen(reading->path);
    enum err err = enter_member(reading, message, "role", &role);
    if (err == OK && !json_is_string(role)) {
        err = refuse_here(reading, ERR_INVALID_TYPE, "The field %s must be a string.", reading->path);
    }
    for (size_t i = 0; err == OK && i < ARRAY_SIZE(roles); i++) {
        if (text_equal(json_text_of(role), text_of(roles[i]))) {
            *ret = text_of(roles[i]);
            leave(reading, before);
            return OK;
        }
    }
    return err != OK ? err
                     : refuse_here(reading, ERR_INVALID_PARAM,
                                   "The field %s must be system, developer, user, assistant, tool or function.",
                                   reading->path);
}

/* { "id": …, "type": "function", "function": { "name": …, "arguments": JSON text } } */
static enum err read_tool_call(struct reading *reading, const json_t *call) {
    enum err err = expect_object(reading, call);
    if (err != OK || json_object_get(call, "function") == NULL) {
        return err; /* of another type, which the service may know */
    }
    size_t before = strlen(reading->path);
    err = read_string_member(reading, call, "id");
    if (err != OK) {
        return err;
    }
    leave(reading, before);
    const json_t *function = json_object_get(call, "function");
    enter(reading, "function");
    err = expect_object(reading, function);
    before = strlen(reading->path);
    if (err == OK) {
        err = read_string_member(reading, function, "name");
    }
    if (err == OK) {
        leave(reading, before);
        err = read_string_member(reading, function, "arguments");
    }
    return err;
}

static enum err read_tool_calls(struct reading *reading, const json_t *message) {
    const json_t *calls = json_object_get(message, "tool_calls");
    if (calls == NULL || json_is_null(calls)) {
        return OK;
    }
    size_t start = enter(reading, "tool_calls");
    enum err err = expect_list(calls, reading->path, reading->limits->parts_max, reading->fault);
    size_t before = strlen(reading->path);
    for (size_t i = 0; err == OK && i < json_array_size(calls); i++) {
        enter_element(reading, i);
        err = read_tool_call(reading, json_array_get(calls, i));
        if (err == OK) {
            leave(reading, before);
        }
    }
    if (err == OK) {
        leave(reading, start);
    }
    return err;
}

/* *ret: a new reference. */
static enum err read_message(struct reading *reading, const json_t *message, json_t **ret) {
    struct text role = TEXT_NONE;
    scoped(json_release) json_t *content = NULL;
    size_t start = strlen(reading->path);
    enum err err = expect_object(reading, message);
    if (err == OK) {
        err = read_role(reading, message, &role);
    }
    if (err == OK) {
        err = read_content(reading, message, role, &content);
    }
    if (err == OK) {
        err = read_tool_calls(reading, message);
    }
    if (err == OK && text_equal(role, TEXT("tool"))) {
        err = read_string_member(reading, message, "tool_call_id");
    }
    if (err == OK) {
        leave(reading, start);
        err = expect_shallow(message, reading->path, reading->fault);
    }
    if (err != OK) {
        return err;
    }
    *ret = content != NULL ? json_copy((json_t *)(uintptr_t)message) : json_incref((json_t *)(uintptr_t)message);
    if (content != NULL) {
        json_object_set(*ret, "content", content);
    }
    return OK;
}

enum err messages_read(const struct json_t *messages, const struct chat_limits *limits, struct json_t **ret,
                       struct fault *fault) {
    struct reading reading = { .limits = limits, .fault = fault, .path = "messages" };
    scoped(json_release) json_t *list = json_array();
    enum err err = expect_list(messages, "messages", limits->messages_max, fault);
    for (size_t i = 0; err == OK && i < json_array_size(messages); i++) {
        json_t *message = NULL;
        leave(&reading, sizeof("messages") - 1);
        enter_element(&reading, i);
        err = read_message(&reading, json_array_get(messages, i), &message);
        if (err == OK) {
            json_array_append_new(list, message);
        }
    }
    if (err == OK) {
        *ret = json_incref(list);
    }
    return err;
}
