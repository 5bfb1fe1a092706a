/* Reads the parts of messages and their tool calls. */
#include "chat/dialect/parts.h"

#include <jansson.h>
#include <stdlib.h>

#include "base/crypto.h"
#include "base/inline_file.h"
#include "base/json.h"
#include "base/memory.h"
#include "chat/dialect/request.h"
#include "net/data_uri.h"

#define BYTES_MAX ((size_t)128 << 20) /* of a data URI that is not base64 yet */
#define DEPTH_MAX 64

/* ---- paths ---- */

/* They are made for each message and part, and read by refusals alone: so without printf. What does not fit is cut. */
static void add_to_path(char path[PART_PATH_MAX], const char *words) {
    size_t before = strlen(path), room = PART_PATH_MAX - 1 - before, len = strlen(words);
    len = len < room ? len : room;
    memcpy(path + before, words, len);
    path[before + len] = '\0';
}

static void add_index_to_path(char path[PART_PATH_MAX], size_t index) {
    char digits[sizeof "[18446744073709551615]"], *at = digits + sizeof digits;
    *--at = '\0';
    *--at = ']';
    do {
        *--at = (char)('0' + index % 10);
    } while ((index /= 10) > 0);
    *--at = '[';
    add_to_path(path, at);
}

void message_path(size_t index, char ret[PART_PATH_MAX]) {
    ret[0] = '\0';
    add_to_path(ret, "messages");
    add_index_to_path(ret, index);
}

/* ---- media types ---- */

static struct text type_of_extension(struct text link) {
    static const struct {
        struct text extension, type;
    } rows[] = {
        { TEXT(".png"), TEXT("image/png") },       { TEXT(".jpg"), TEXT("image/jpeg") },
        { TEXT(".jpeg"), TEXT("image/jpeg") },     { TEXT(".gif"), TEXT("image/gif") },
        { TEXT(".webp"), TEXT("image/webp") },     { TEXT(".heic"), TEXT("image/heic") },
        { TEXT(".heif"), TEXT("image/heif") },     { TEXT(".bmp"), TEXT("image/bmp") },
        { TEXT(".mp4"), TEXT("video/mp4") },       { TEXT(".m4v"), TEXT("video/mp4") },
        { TEXT(".mov"), TEXT("video/quicktime") }, { TEXT(".webm"), TEXT("video/webm") },
        { TEXT(".mpeg"), TEXT("video/mpeg") },     { TEXT(".mpg"), TEXT("video/mpeg") },
        { TEXT(".avi"), TEXT("video/x-msvideo") }, { TEXT(".mkv"), TEXT("video/x-matroska") },
        { TEXT(".flv"), TEXT("video/x-flv") },     { TEXT(".wmv"), TEXT("video/x-ms-wmv") },
        { TEXT(".3gp"), TEXT("video/3gpp") },      { TEXT(".wav"), TEXT("audio/wav") },
        { TEXT(".mp3"), TEXT("audio/mpeg") },      { TEXT(".aiff"), TEXT("audio/aiff") },
        { TEXT(".aif"), TEXT("audio/aiff") },      { TEXT(".aac"), TEXT("audio/aac") },
        { TEXT(".ogg"), TEXT("audio/ogg") },       { TEXT(".opus"), TEXT("audio/ogg") },
        { TEXT(".flac"), TEXT("audio/flac") },     { TEXT(".m4a"), TEXT("audio/mp4") },
        { TEXT(".pdf"), TEXT("application/pdf") }, { TEXT(".json"), TEXT("application/json") },
        { TEXT(".txt"), TEXT("text/plain") },      { TEXT(".md"), TEXT("text/markdown") },
        { TEXT(".csv"), TEXT("text/csv") },        { TEXT(".html"), TEXT("text/html") },
        { TEXT(".htm"), TEXT("text/html") },       { TEXT(".xml"), TEXT("text/xml") },
    };
    link.len = text_find(link, '#');
    link.len = text_find(link, '?');
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct text extension = rows[i].extension;
        if (link.len > extension.len &&
            text_equal_nocase((struct text){ link.ptr + link.len - extension.len, extension.len }, extension)) {
            return rows[i].type;
        }
    }
    return TEXT_NONE;
}

/* OpenAI's input_audio says "wav" or "mp3". */
static struct text type_of_format(struct text format) {
    char extension[16];
    if (format.len == 0 || format.len > sizeof extension - 2) {
        return TEXT_NONE;
    }
    int len = snprintf(extension, sizeof extension, "x.%.*s", TEXT_ARG(format));
    return type_of_extension((struct text){ extension, (size_t)len });
}

/* ---- parts ---- */

/* A data URI that is percent-encoded, as base64 on the heap. */
static enum err encode(struct text uri, const char *path, char **ret, struct fault *fault) {
    struct data_uri decoded;
    struct fault why = { 0 };
    enum err err = data_uri_decode(uri, BYTES_MAX, &decoded, &why);
    if (err != OK) {
        return fault_set_param(fault, err, path, "%s", why.message);
    }
    size_t size = base64_encoded_size(decoded.len);
    char *base64 = mem_new(size);
    base64_encode((const uint8_t *)decoded.bytes, decoded.len, base64);
    data_uri_fini(&decoded);
    *ret = base64;
    return OK;
}

/* A link or a data URI into *part; *ret_owned holds what had to be made for it. */
static enum err read_url(struct text url, struct part *part, char **ret_owned, struct fault *fault) {
    struct data_uri_parts parts;
    if (!data_uri_is(url)) {
        part->link = url;
        part->media_type = type_of_extension(url);
        return OK;
    }
    if (!data_uri_split(url, &parts)) {
        return fault_set_param(fault, ERR_INVALID_URL, part->path,
                               "The data URI must have the form data:<media type>;base64,<data>.");
    }
    part->media_type = parts.media_type.len > 0 ? parts.media_type : TEXT("text/plain");
    part->base64 = parts.data;
    if (!parts.base64) {
        enum err err = encode(url, part->path, ret_owned, fault);
        part->base64 = text_of(*ret_owned);
        return err;
    }
    return OK;
}

static enum err need_text(struct part *part, struct text value, struct fault *fault) {
    return value.ptr != NULL ? OK
                             : fault_set_param(fault, ERR_INVALID_TYPE, part->path, "%s must be a string.", part->path);
}

/* {"image_url": "…"} or {"image_url": {"url": "…"}}. */
static enum err read_linked(const json_t *value, const char *key, struct part *part, char **ret_owned,
                            struct fault *fault) {
    const json_t *member = json_object_get(value, key);
    add_to_path(part->path, ".");
    add_to_path(part->path, key);
    add_to_path(part->path, json_is_object(member) ? ".url" : "");
    struct text url = json_is_object(member) ? member_text(member, "url") : member_text(value, key);
    part->name = member_text(member, "filename");
    enum err err = need_text(part, url, fault);
    return err == OK ? read_url(url, part, ret_owned, fault) : err;
}

/* {"input_audio": {"data": base64 or a data URI, "format": "wav"}} */
static enum err read_sound(const json_t *value, struct part *part, char **ret_owned, struct fault *fault) {
    const json_t *member = json_object_get(value, "input_audio");
    add_to_path(part->path, ".input_audio.data");
    struct text data = member_text(member, "data");
    if (data.ptr == NULL || data_uri_is(data)) {
        enum err err = need_text(part, data, fault);
        return err == OK ? read_url(data, part, ret_owned, fault) : err;
    }
    part->base64 = data;
    part->media_type = type_of_format(member_text(member, "format"));
    return OK;
}

/* {"file": {"file_data": a data URI or base64, "filename": "x.pdf"}}; files stored at OpenAI are nowhere else. */
static enum err read_file(const json_t *value, struct part *part, char **ret_owned, struct fault *fault) {
    const json_t *member = json_object_get(value, "file");
    bool stored = json_object_get(member, "file_data") == NULL && json_object_get(member, "file_id") != NULL;
    add_to_path(part->path, stored ? ".file.file_id" : ".file.file_data");
    if (stored) {
        return fault_set_param(fault, ERR_PART_TYPE, part->path,
                               "This model takes files as file_data or file_url, not by the id of a stored file.");
    }
    struct text data = member_text(member, "file_data");
    part->name = member_text(member, "filename");
    enum err err = need_text(part, data, fault);
    if (err != OK || data_uri_is(data)) {
        return err == OK ? read_url(data, part, ret_owned, fault) : err;
    }
    part->base64 = data;
    part->media_type = type_of_extension(part->name);
    return OK;
}

static enum err read_words(const json_t *value, const char *key, struct part *part, struct fault *fault) {
    add_to_path(part->path, ".");
    add_to_path(part->path, key);
    part->words = member_text(value, key);
    return need_text(part, part->words, fault);
}

static enum err read_part(const json_t *value, struct part *part, char **ret_owned, struct fault *fault) {
    static const struct {
        struct text type;
        enum part_kind kind;
        const char *key; /* of a part that is a link */
    } rows[] = {
        { TEXT("text"), PART_TEXT, NULL },
        { TEXT("refusal"), PART_TEXT, NULL },
        { TEXT("image_url"), PART_IMAGE, "image_url" },
        { TEXT("video_url"), PART_VIDEO, "video_url" },
        { TEXT("audio_url"), PART_AUDIO, "audio_url" },
        { TEXT("file_url"), PART_FILE, "file_url" },
        { TEXT("input_audio"), PART_AUDIO, NULL },
        { TEXT("file"), PART_FILE, NULL },
    };
    struct text type = member_text(value, "type");
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        if (!text_equal(type, rows[i].type)) {
            continue;
        }
        part->kind = rows[i].kind;
        part->cache_control = json_object_get(value, "cache_control");
        if (part->kind == PART_TEXT) {
            return read_words(value, rows[i].type.ptr, part, fault);
        }
        if (rows[i].key != NULL) {
            return read_linked(value, rows[i].key, part, ret_owned, fault);
        }
        return part->kind == PART_AUDIO ? read_sound(value, part, ret_owned, fault)
                                        : read_file(value, part, ret_owned, fault);
    }
    add_to_path(part->path, ".type");
    return fault_set_param(fault, ERR_PART_TYPE, part->path, "This model takes no parts of the type '%.*s'.",
                           TEXT_ARG(text_clip(type, 64)));
}

enum err parts_read(const json_t *message, const char *path,
                    enum err (*take)(void *context, const struct part *part, struct fault *fault), void *context,
                    struct fault *fault) {
    const json_t *content = json_object_get(message, "content");
    if (json_is_string(content)) {
        struct part part = { .kind = PART_TEXT,
                             .words = member_text(message, "content"),
                             .cache_control = json_object_get(message, "cache_control") };
        add_to_path(part.path, path);
        add_to_path(part.path, ".content");
        return take(context, &part, fault);
    }
    for (size_t i = 0; i < json_array_size(content); i++) {
        char *scoped(mem_free_pointer) owned = NULL;
        struct part part = { 0 };
        add_to_path(part.path, path);
        add_to_path(part.path, ".content");
        add_index_to_path(part.path, i);
        enum err err = read_part(json_array_get(content, i), &part, &owned, fault);
        if (err == OK) {
            err = take(context, &part, fault);
        }
        if (err != OK) {
            return err;
        }
    }
    return OK;
}

enum err part_refuse(const struct part *part, struct fault *fault) {
    static const char *const kinds[] = { "text", "pictures", "videos", "sound", "files of this type" };
    return fault_set_param(fault, ERR_PART_TYPE, part->path, "This model takes no %s here.", kinds[part->kind]);
}

enum err field_refuse(enum err err, const char *path, const char *field, const char *words, struct fault *fault) {
    if (fault != NULL) {
        fault_set(fault, err, "%s", words);
        snprintf(fault->param, sizeof fault->param, "%s%s", path, field);
    }
    return err;
}

enum err role_refuse(const char *path, struct fault *fault) {
    return field_refuse(ERR_MODEL_RULE, path, ".role",
                        "This model knows the roles system, developer, user, assistant and tool.", fault);
}

/* ---- tool calls ---- */

static enum err read_call(const json_t *value, const char *path, struct tool_call *ret, struct fault *fault) {
    const json_t *function = json_object_get(value, "function");
    struct text arguments = text_trim(member_text(function, "arguments"));
    struct tool_call call = { .id = member_text(value, "id"),
                              .name = member_text(function, "name"),
                              .extra = json_object_get(value, "extra_content") };
    if (call.name.len == 0) {
        return field_refuse(ERR_MODEL_RULE, path, json_is_object(function) ? ".function.name" : ".type",
                            "Tool calls must be calls of a function with a name.", fault);
    }
    if (arguments.len == 0) {
        arguments = TEXT("{}");
    }
    if (json_read_object(arguments, DEPTH_MAX, &call.arguments, NULL) != OK) {
        return field_refuse(ERR_INVALID_PARAM, path, ".function.arguments",
                            "The arguments of a tool call must be a JSON object.", fault);
    }
    *ret = call;
    return OK;
}

enum err tool_calls_read(const json_t *message, const char *path,
                         enum err (*take)(void *context, const struct tool_call *call, struct fault *fault),
                         void *context, struct fault *fault) {
    const json_t *calls = json_object_get(message, "tool_calls");
    for (size_t i = 0; i < json_array_size(calls); i++) {
        char field[PART_PATH_MAX] = "";
        struct tool_call call;
        add_to_path(field, path);
        add_to_path(field, ".tool_calls");
        add_index_to_path(field, i);
        enum err err = read_call(json_array_get(calls, i), field, &call, fault);
        if (err == OK) {
            err = take(context, &call, fault);
            json_decref(call.arguments);
        }
        if (err != OK) {
            return err;
        }
    }
    return OK;
}

struct text tool_call_name(const json_t *messages, size_t index) {
    const json_t *message = json_array_get(messages, index);
    struct text id = member_text(message, "tool_call_id"), name = member_text(message, "name");
    while (name.len == 0 && index-- > 0) {
        const json_t *calls = json_object_get(json_array_get(messages, index), "tool_calls");
        for (size_t i = 0; i < json_array_size(calls) && name.len == 0; i++) {
            const json_t *call = json_array_get(calls, i);
            if (text_equal(member_text(call, "id"), id)) {
                name = member_text(json_object_get(call, "function"), "name");
            }
        }
    }
    return name;
}
