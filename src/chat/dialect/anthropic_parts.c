/* Turns OpenAI's messages into blocks: texts, pictures, documents, uses of tools and their results. */
#include "chat/dialect/anthropic_parts.h"

#include <jansson.h>

#include "base/crypto.h"
#include "base/json.h"
#include "base/memory.h"
#include "chat/dialect/parts.h"

/* Where the blocks of a message go: into a turn, which begins with the first of them, or into an array. */
struct place {
    struct anthropic_messages *messages;
    const char *role;
    json_t *array; /* NULL: into a turn */
};

static bool is_white(char c) {
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static json_t *place_array(const struct place *place) {
    return place->array != NULL ? place->array : turns_parts(&place->messages->turns, place->role);
}

void anthropic_put_cache_control(json_t *block, const json_t *cache_control) {
    if (json_is_object(cache_control)) {
        json_object_set(block, "cache_control", (json_t *)(uintptr_t)cache_control);
    }
}

/* ---- parts ---- */

/* A new block in its place, borrowed; NULL where nothing is written. */
static json_t *add_block(const struct place *place, struct text type, const json_t *cache_control) {
    place->messages->said = true;
    if (place->messages->turns.list == NULL) {
        return NULL;
    }
    json_t *block = json_object();
    put_text(block, "type", type);
    anthropic_put_cache_control(block, cache_control);
    json_array_append_new(place_array(place), block);
    return block;
}

static enum err put_link(json_t *source, const struct part *part, struct fault *fault) {
    bool known =
        part->kind == PART_IMAGE || part->media_type.len == 0 || text_equal(part->media_type, TEXT("application/pdf"));
    if (!known) {
        return part_refuse(part, fault);
    }
    put_text(source, "type", TEXT("url"));
    put_text(source, "url", part->link);
    return OK;
}

static enum err put_bytes(json_t *source, const struct part *part, struct fault *fault) {
    static const struct text pictures[] = { TEXT("image/jpeg"), TEXT("image/png"), TEXT("image/gif"),
                                            TEXT("image/webp") };
    struct text type = part->media_type;
    bool fits = part->kind == PART_FILE && text_equal_nocase(type, TEXT("application/pdf"));
    if (part->kind == PART_FILE && type.len == 0) { /* bare base64 without a name: what files mostly are */
        type = TEXT("application/pdf");
        fits = true;
    }
    if (text_equal_nocase(type, TEXT("image/jpg"))) {
        type = TEXT("image/jpeg");
    }
    for (size_t i = 0; i < ARRAY_SIZE(pictures) && part->kind == PART_IMAGE && !fits; i++) {
        fits = text_equal_nocase(type, pictures[i]);
    }
    if (!fits) {
        return fault_set_param(
            fault, ERR_PART_TYPE, part->path,
            "This model takes pictures as JPEG, PNG, GIF or WebP and files as PDF or text, not '%.*s'.",
            TEXT_ARG(text_clip(type, 64)));
    }
    put_text(source, "type", TEXT("base64"));
    put_text(source, "media_type", type);
    put_text(source, "data", part->base64);
    return OK;
}

/* A file of text goes as what it says. */
static enum err put_plain(json_t *source, const struct part *part, struct fault *fault) {
    size_t size = base64_decoded_max(part->base64.len) + 1, len = 0;
    char *scoped(mem_free_pointer) bytes = mem_new(size);
    if (!base64_decode(part->base64, (uint8_t *)bytes, size, &len)) {
        return fault_set_param(fault, ERR_INVALID_URL, part->path, "The inline file is not valid base64.");
    }
    if (!text_is_utf8((struct text){ bytes, len })) {
        return fault_set_param(fault, ERR_PART_TYPE, part->path, "This model takes files of text in UTF-8 only.");
    }
    put_text(source, "type", TEXT("text"));
    put_text(source, "media_type", TEXT("text/plain"));
    put_text(source, "data", (struct text){ bytes, len });
    return OK;
}

static enum err put_media(const struct place *place, const struct part *part, struct fault *fault) {
    bool plain =
        part->kind == PART_FILE && part->link.len == 0 &&
        (text_starts(part->media_type, TEXT("text/")) || text_equal(part->media_type, TEXT("application/json")));
    json_t *block = add_block(place, part->kind == PART_IMAGE ? TEXT("image") : TEXT("document"), part->cache_control);
    json_t *source = block != NULL ? json_object() : NULL;
    json_object_set_new(block, "source", source);
    if (part->kind == PART_FILE && part->name.len > 0) {
        put_text(block, "title", part->name);
    }
    if (plain) {
        return put_plain(source, part, fault);
    }
    return part->link.len > 0 ? put_link(source, part, fault) : put_bytes(source, part, fault);
}

/* Texts without a character are refused by the service, and say nothing. */
static enum err take_part(void *context, const struct part *part, struct fault *fault) {
    const struct place *place = context;
    if (part->kind == PART_VIDEO || part->kind == PART_AUDIO) {
        return part_refuse(part, fault);
    }
    if (part->kind != PART_TEXT) {
        return put_media(place, part, fault);
    }
    if (part->words.len > 0) {
        put_text(add_block(place, TEXT("text"), part->cache_control), "text", part->words);
    }
    return OK;
}

static enum err take_text(void *context, const struct part *part, struct fault *fault) {
    return part->kind == PART_TEXT ? take_part(context, part, fault) : part_refuse(part, fault);
}

/* ---- tools ---- */

static enum err take_call(void *context, const struct tool_call *call, struct fault *fault) {
    const struct place *place = context;
    (void)fault;
    json_t *block = add_block(place, TEXT("tool_use"), NULL);
    put_text(block, "id", call->id);
    put_text(block, "name", call->name);
    json_object_set(block, "input", call->arguments);
    return OK;
}

static enum err add_result(struct anthropic_messages *messages, const json_t *message, const char *path,
                           struct fault *fault) {
    struct text id = member_text(message, "tool_call_id");
    if (id.len == 0) {
        return field_refuse(ERR_MISSING_FIELD, path, ".tool_call_id",
                            "A message of a tool must say which call it answers.", fault);
    }
    struct place place = { .messages = messages, .role = "user" };
    bool several = json_is_array(json_object_get(message, "content"));
    json_t *block = add_block(&place, TEXT("tool_result"), several ? json_object_get(message, "cache_control") : NULL);
    put_text(block, "tool_use_id", id);
    place.array = json_array();
    enum err err = parts_read(message, path, take_part, &place, fault);
    if (json_array_size(place.array) > 0) {
        json_object_set(block, "content", place.array);
    }
    json_decref(place.array);
    return err;
}

/* ---- messages ---- */

enum err anthropic_message(struct anthropic_messages *messages, const json_t *message, size_t index,
                           struct fault *fault) {
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
        return add_result(messages, message, path, fault);
    }
    if (!text_equal(role, TEXT("assistant"))) {
        return role_refuse(path, fault);
    }
    place.role = "assistant";
    enum err err = parts_read(message, path, take_text, &place, fault);
    return err == OK ? tool_calls_read(message, path, take_call, &place, fault) : err;
}

void anthropic_trim_last(json_t *turns) {
    json_t *turn = json_array_get(turns, json_array_size(turns) - 1);
    json_t *content = json_object_get(turn, "content");
    json_t *block = json_array_get(content, json_array_size(content) - 1);
    struct text words = member_text(block, "text");
    if (!text_equal(member_text(turn, "role"), TEXT("assistant")) || words.len == 0) {
        return;
    }
    while (words.len > 0 && is_white(words.ptr[words.len - 1])) {
        words.len--;
    }
    json_t *trimmed = json_stringn_nocheck(words.ptr, words.len);
    json_object_set_new(block, "text", trimmed);
}
