/* Takes data URIs apart and recognises bare base64. */
#include "base/inline_file.h"

bool data_uri_is(struct text t) {
    return t.len >= 5 && text_equal_nocase((struct text){ t.ptr, 5 }, TEXT("data:"));
}

bool data_uri_split(struct text uri, struct data_uri_parts *ret) {
    if (!data_uri_is(uri) || text_find(uri, ',') == uri.len) {
        return false;
    }
    struct text data = { uri.ptr + 5, uri.len - 5 };
    struct text parameters = text_cut(&data, ',');
    struct data_uri_parts parts = { .media_type = text_trim(text_cut(&parameters, ';')), .data = data };
    while (parameters.len > 0) { /* the last one decides; others are parameters of the media type */
        parts.base64 = text_equal_nocase(text_trim(text_cut(&parameters, ';')), TEXT("base64"));
    }
    *ret = parts;
    return true;
}

/* The length without padding. */
static size_t significant_length(struct text encoded) {
    size_t len = encoded.len;
    while (len > 0 && encoded.len - len < 2 && encoded.ptr[len - 1] == '=') {
        len--;
    }
    return len;
}

static bool is_base64_character(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '+' || c == '/' ||
           c == '-' || c == '_';
}

bool base64_is_bare(struct text t) {
    t = text_trim(t);
    size_t significant = significant_length(t), padding = t.len - significant, letters = 0;
    for (size_t i = 0; i < significant; i++) {
        bool is_break = t.ptr[i] == '\n' || t.ptr[i] == '\r';
        if (!is_break && !is_base64_character(t.ptr[i])) {
            return false;
        }
        letters += !is_break;
    }
    return letters >= BASE64_BARE_MIN && letters % 4 != 1 && (padding == 0 || (letters + padding) % 4 == 0);
}
