/* Media parameters: what a URL or inline data must look like, and finding them all in an input. */
#include <ctype.h>
#include <jansson.h>

#include "base/buffer.h"
#include "base/crypto.h"
#include "base/inline_file.h"
#include "catalog/catalog.h"
#include "catalog/param.h"

const char *media_noun(const char *accept) {
    static const char *const nouns[][2] = { { "image", "an image" }, { "video", "a video" }, { "audio", "an audio file" } };
    for (size_t i = 0; i < ARRAY_SIZE(nouns); i++) {
        if (strcmp(accept, nouns[i][0]) == 0) {
            return nouns[i][1];
        }
    }
    return "a file";
}

/* ---- URLs ---- */

static bool cut_scheme(struct text *url) {
    static const char *const schemes[] = { "http://", "https://" };
    for (size_t i = 0; i < ARRAY_SIZE(schemes); i++) {
        struct text scheme = text_of(schemes[i]);
        if (url->len > scheme.len && text_equal_nocase((struct text){ url->ptr, scheme.len }, scheme)) {
            *url = (struct text){ url->ptr + scheme.len, url->len - scheme.len };
            return true;
        }
    }
    return false;
}

static bool has_strange_byte(struct text url) {
    for (size_t i = 0; i < url.len; i++) {
        unsigned char c = (unsigned char)url.ptr[i];
        if (c <= ' ' || c == 0x7F || c == '"' || c == '<' || c == '>' || c == '\\') {
            return true;
        }
    }
    return false;
}

static bool port_valid(struct text port) {
    int64_t number;
    return port.len == 0 || (port.ptr[0] != '-' && text_to_i64(port, &number) && number >= 1 && number <= 65535);
}

static bool host_valid(struct text host) {
    bool address = host.len > 2 && host.ptr[0] == '[' && host.ptr[host.len - 1] == ']';
    if (address) {
        host = (struct text){ host.ptr + 1, host.len - 2 };
    }
    for (size_t i = 0; i < host.len; i++) {
        unsigned char c = (unsigned char)host.ptr[i];
        bool fits = address ? isxdigit(c) || c == ':' || c == '.' : isalnum(c) || c == '.' || c == '-' || c == '_';
        if (!fits || c >= 0x80) {
            return false;
        }
    }
    return host.len > 0 && host.len <= 253 && host.ptr[0] != '.';
}

bool media_url_valid(struct text url, const char **ret_why) {
    struct text rest = url;
    if (text_characters(url) > PARAM_URL_MAX) {
        *ret_why = "longer than 2048 characters";
    } else if (has_strange_byte(url)) {
        *ret_why = "white space, quotes and control characters must be percent-encoded";
    } else if (!cut_scheme(&rest)) {
        *ret_why = "it must begin with http:// or https://";
    } else {
        size_t end = 0;
        while (end < rest.len && strchr("/?#", rest.ptr[end]) == NULL) {
            end++;
        }
        struct text authority = { rest.ptr, end };
        if (text_find(authority, '@') < authority.len) {
            *ret_why = "a user name or password in it is not allowed";
            return false;
        }
        size_t bracket = text_find(authority, ']');
        struct text tail = { authority.ptr + bracket, authority.len - bracket };
        size_t colon = bracket < authority.len ? bracket + text_find(tail, ':') : text_find(authority, ':');
        struct text port = colon < authority.len ? (struct text){ authority.ptr + colon + 1, authority.len - colon - 1 }
                                                 : TEXT_NONE;
        if (host_valid((struct text){ authority.ptr, colon }) && port_valid(port)) {
            return true;
        }
        *ret_why = "its host or port is not valid";
    }
    return false;
}

/* ---- inline data ---- */

bool media_base64_valid(struct text data) {
    uint8_t bytes[3];
    size_t letters = data.len, len;
    while (letters > 0 && data.ptr[letters - 1] == '=') {
        letters--;
    }
    for (size_t i = 0; i < letters; i++) {
        unsigned char c = (unsigned char)data.ptr[i];
        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || strchr("+/-_", c) != NULL) ||
            c == '\0') {
            return false;
        }
    }
    /* how it may end (padding, bits that say nothing) is for the last letters to tell, and for who decodes them */
    size_t before = letters - letters % 4;
    return letters > 0 && base64_decode((struct text){ data.ptr + before, data.len - before }, bytes, sizeof(bytes), &len);
}

/* "image/png" for accept "image"; anything where the type says nothing. */
static bool type_acceptable(struct text type, const char *accept) {
    struct text top = text_cut(&type, '/');
    return top.len == 0 || strcmp(accept, "file") == 0 || text_equal_nocase(top, TEXT("application")) ||
           text_equal_nocase(top, text_of(accept));
}

bool media_inline_valid(struct text data, const char *accept, const char **ret_why) {
    struct data_uri_parts parts;
    if (data.len > PARAM_INLINE_MAX) {
        *ret_why = "the inline data is too long";
        return false;
    }
    if (!data_uri_is(data)) {
        *ret_why = "it must be an http or https URL, a data: URI or base64";
        return base64_is_bare(data);
    }
    if (!data_uri_split(data, &parts) || !parts.base64) {
        *ret_why = "a data: URI must be of the form data:TYPE;base64,DATA";
        return false;
    }
    if (!type_acceptable(parts.media_type, accept)) {
        *ret_why = "the type of the data: URI is another";
        return false;
    }
    *ret_why = "its base64 is not valid";
    return media_base64_valid(parts.data);
}

/* ---- finding media in an input ---- */

struct walk {
    json_t *(*each)(const char *path, const struct param *param, const char *value, void *context);
    void *context;
};

static json_t *walk_value(const struct walk *walk, const struct param *param, const char *path, json_t *value);

static bool may_hold_media(const struct param *param) {
    return param->kind == PARAM_URL || param->kind == PARAM_OBJECT || param->kind == PARAM_LIST || param->kind == PARAM_EITHER;
}

static void walk_fields(const struct walk *walk, const struct param *object, const char *path, json_t *value) {
    for (unsigned i = 0; i < object->part_count; i++) {
        const struct param *field = &object->parts[i];
        json_t *element = json_object_get(value, field->name);
        if (element == NULL || json_is_null(element) || !may_hold_media(field)) {
            continue;
        }
        char name[256];
        snprintf(name, sizeof(name), "%s%s%s", path, path[0] != '\0' ? "." : "", field->name);
        json_t *replacement = walk_value(walk, field, name, element);
        if (replacement != NULL) {
            json_object_set_new(value, field->name, replacement);
        }
    }
}

static void walk_items(const struct walk *walk, const struct param *list, const char *path, json_t *value) {
    for (size_t i = 0; i < json_array_size(value); i++) {
        char name[256];
        snprintf(name, sizeof(name), "%s[%zu]", path, i);
        json_t *replacement = walk_value(walk, &list->parts[0], name, json_array_get(value, i));
        if (replacement != NULL) {
            json_array_set_new(value, i, replacement);
        }
    }
}

/* The replacement of a media value, else NULL. */
static json_t *walk_value(const struct walk *walk, const struct param *param, const char *path, json_t *value) {
    if (param->kind == PARAM_URL && json_is_string(value)) {
        return walk->each(path, param, json_string_value(value), walk->context);
    }
    if (param->kind == PARAM_OBJECT && json_is_object(value)) {
        walk_fields(walk, param, path, value);
    } else if (param->kind == PARAM_LIST && json_is_array(value)) {
        walk_items(walk, param, path, value);
    } else if (param->kind == PARAM_EITHER) {
        for (unsigned i = 0; i < param->part_count; i++) {
            json_t *replacement = NULL;
            if (param_check(&param->parts[i], path, value, &replacement, NULL) == OK) {
                json_decref(replacement);
                return walk_value(walk, &param->parts[i], path, value);
            }
        }
    }
    return NULL;
}

void model_each_media(const struct model *model, struct json_t *input,
                      struct json_t *(*each)(const char *path, const struct param *param, const char *value,
                                             void *context),
                      void *context) {
    struct walk walk = { each, context };
    if (model->params == NULL) {
        return; /* a language model's parts are not ours to look into */
    }
    walk_fields(&walk, model->params, "", input);
}
