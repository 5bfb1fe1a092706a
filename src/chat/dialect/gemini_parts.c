/* Turns OpenAI's messages into contents: texts, media, calls of functions and their responses.
 *
 * From their third generation on, models want the first call of a function in a turn to come back with the
 * thoughtSignature that it had. It goes out as tool_calls[].extra_content.google.thought_signature and is taken back
 * from there; clients that drop it get the word which the documentation has for conversations without signatures. */
#include "chat/dialect/gemini_parts.h"

#include <jansson.h>

#include "base/json.h"
#include "chat/dialect/parts.h"

#define NOT_SIGNED "skip_thought_signature_validator"

/* Where the parts of a message go. */
struct place {
    struct gemini_messages *messages;
    const char *role;
    json_t *array; /* NULL: into the turn of `role` */
    bool signed_;  /* the first call of this message has its signature */
};

static json_t *place_array(const struct place *place) {
    return place->array != NULL ? place->array : turns_parts(&place->messages->turns, place->role);
}

/* Whether what is there now is to be written. */
static bool begins(struct gemini_messages *messages) {
    messages->said = true;
    return messages->turns.list != NULL;
}

/* ---- parts ---- */

static json_t *inline_data(const struct part *part) {
    static const struct text fallbacks[] = { TEXT("text/plain"), TEXT("image/jpeg"), TEXT("video/mp4"),
                                             TEXT("audio/mpeg"), TEXT("application/pdf") };
    json_t *value = json_object(), *blob = json_object();
    put_text(blob, "mimeType", part->media_type.len > 0 ? part->media_type : fallbacks[part->kind]);
    put_text(blob, "data", part->base64);
    json_object_set_new(value, "inlineData", blob);
    return value;
}

/* The type of a link is told by its extension; without one it is left to the service, save for what it must be told. */
static json_t *file_data(const struct part *part) {
    json_t *value = json_object(), *file = json_object();
    struct text type = part->media_type;
    if (type.len == 0 && part->kind == PART_IMAGE) {
        type = TEXT("image/jpeg");
    } else if (type.len == 0 && part->kind == PART_AUDIO) {
        type = TEXT("audio/mpeg");
    }
    if (type.len > 0) {
        put_text(file, "mimeType", type);
    }
    put_text(file, "fileUri", part->link);
    json_object_set_new(value, "fileData", file);
    return value;
}

static enum err take_part(void *context, const struct part *part, struct fault *fault) {
    const struct place *place = context;
    (void)fault;
    bool empty = part->kind == PART_TEXT && part->words.len == 0;
    if (empty || !begins(place->messages)) {
        return OK;
    }
    if (part->kind != PART_TEXT) {
        json_array_append_new(place_array(place), part->link.len > 0 ? file_data(part) : inline_data(part));
    } else {
        json_t *value = json_object();
        put_text(value, "text", part->words);
        json_array_append_new(place_array(place), value);
    }
    return OK;
}

static enum err take_text(void *context, const struct part *part, struct fault *fault) {
    return part->kind == PART_TEXT ? take_part(context, part, fault) : part_refuse(part, fault);
}

/* ---- functions ---- */

static enum err take_call(void *context, const struct tool_call *call, struct fault *fault) {
    struct place *place = context;
    (void)fault;
    if (!begins(place->messages)) {
        return OK;
    }
    json_t *value = json_object(), *function = json_object();
    if (call->id.len > 0) {
        put_text(function, "id", call->id);
    }
    put_text(function, "name", call->name);
    json_object_set(function, "args", call->arguments);
    json_object_set_new(value, "functionCall", function);
    struct text signature = member_text(json_object_get(call->extra, "google"), "thought_signature");
    if (signature.len == 0 && place->messages->signs && !place->signed_) {
        signature = TEXT(NOT_SIGNED);
    }
    if (signature.len > 0) {
        put_text(value, "thoughtSignature", signature);
    }
    place->signed_ = true;
    json_array_append_new(place_array(place), value);
    return OK;
}

/* What a function gave back: its text, and its media beside it. */
struct result {
    struct buffer words;
    json_t *media; /* NULL: nothing is written */
};

static enum err take_result(void *context, const struct part *part, struct fault *fault) {
    struct result *result = context;
    if (part->link.len > 0) {
        return fault_set_param(fault, ERR_PART_TYPE, part->path,
                               "This model takes media in a tool's result only as data URIs.");
    }
    if (result->media == NULL) {
        return OK;
    }
    if (part->kind == PART_TEXT) {
        buffer_put(&result->words, result->words.len > 0 ? TEXT("\n") : TEXT(""));
        buffer_put(&result->words, part->words);
    } else {
        json_array_append_new(result->media, inline_data(part));
    }
    return OK;
}

/* A response is an object: a text that is one, or {"output": the text}. */
static json_t *response_of(struct text words) {
    json_t *response = NULL;
    if (json_read_object(words, 64, &response, NULL) != OK) {
        response = json_object();
        put_text(response, "output", words);
    }
    return response;
}

static void put_result(struct gemini_messages *messages, struct text id, struct text name, const struct result *result) {
    json_t *value = json_object(), *function = json_object();
    if (id.len > 0) {
        put_text(function, "id", id);
    }
    put_text(function, "name", name);
    json_object_set_new(function, "response", response_of(buffer_text(&result->words)));
    if (json_array_size(result->media) > 0) {
        json_object_set(function, "parts", result->media);
    }
    json_object_set_new(value, "functionResponse", function);
    json_array_append_new(turns_parts(&messages->turns, "user"), value);
}

static enum err add_result(struct gemini_messages *messages, size_t index, const char *path, struct fault *fault) {
    const json_t *message = json_array_get(messages->list, index);
    struct text name = tool_call_name(messages->list, index);
    if (name.len == 0) {
        return field_refuse(ERR_INVALID_PARAM, path, ".tool_call_id", "No tool call before this message has that id.",
                            fault);
    }
    struct result result = { .media = begins(messages) ? json_array() : NULL };
    buffer_init(&result.words, CHAT_REQUEST_MAX);
    enum err err = parts_read(message, path, take_result, &result, fault);
    if (err == OK && !buffer_ok(&result.words)) {
        err = field_refuse(ERR_TOO_LONG, path, ".content", "The result of a tool is too long.", fault);
    }
    if (err == OK && result.media != NULL) {
        put_result(messages, member_text(message, "tool_call_id"), name, &result);
    }
    buffer_fini(&result.words);
    json_decref(result.media);
    return err;
}

/* ---- messages ---- */

enum err gemini_message(struct gemini_messages *messages, size_t index, struct fault *fault) {
    const json_t *message = json_array_get(messages->list, index);
    char path[PART_PATH_MAX];
    message_path(index, path);
    struct text role = member_text(message, "role");
    struct place place = { .messages = messages, .role = "user" };
    if (text_equal(role, TEXT("user"))) {
        return parts_read(message, path, take_part, &place, fault);
    }
    if (text_equal(role, TEXT("system")) || text_equal(role, TEXT("developer"))) {
        place.array = messages->system;
        return parts_read(message, path, take_text, &place, fault);
    }
    if (text_equal(role, TEXT("tool"))) {
        return add_result(messages, index, path, fault);
    }
    if (!text_equal(role, TEXT("assistant"))) {
        return role_refuse(path, fault);
    }
    place.role = "model";
    enum err err = parts_read(message, path, take_part, &place, fault);
    return err == OK ? tool_calls_read(message, path, take_call, &place, fault) : err;
}
