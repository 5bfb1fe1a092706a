/* Recognises header names and reads the values of some. */
#include "http/header.h"

static const struct {
    struct text name;
    bool repeated;
} headers[] = {
#define X(id, header, may_repeat) [id] = { TEXT(header), may_repeat },
    HTTP_HEADER_TABLE(X)
#undef X
};

enum http_header header_find(struct text name) {
    for (unsigned i = 0; i < HEADER_COUNT; i++)
        if (headers[i].name.len == name.len && text_equal_nocase(headers[i].name, name))
            return (enum http_header)i;
    return HEADER_COUNT;
}

bool header_may_repeat(enum http_header header) {
    return headers[header].repeated;
}

static struct text without_quotes(struct text t) {
    if (t.len >= 2 && t.ptr[0] == '"' && t.ptr[t.len - 1] == '"')
        return (struct text){ t.ptr + 1, t.len - 2 };
    return t;
}

bool content_type_is(struct text header, struct text type) {
    struct text rest = header;

    if (!text_equal_nocase(text_trim(text_cut(&rest, ';')), type))
        return false;
    while (rest.len > 0) {
        struct text value = text_cut(&rest, ';');
        struct text name = text_trim(text_cut(&value, '='));
        if (text_equal_nocase(name, TEXT("charset")) &&
            !text_equal_nocase(without_quotes(text_trim(value)), TEXT("utf-8")))
            return false;
    }
    return true;
}

bool etag_matches(struct text header, struct text etag) {
    struct text rest = text_trim(header);

    if (text_equal(rest, TEXT("*")))
        return true;
    while (rest.len > 0) {
        struct text one = text_trim(text_cut(&rest, ','));
        if (text_starts(one, TEXT("W/")))
            one = (struct text){ one.ptr + 2, one.len - 2 };
        if (text_equal(one, etag))
            return true;
    }
    return false;
}

bool host_is_valid(struct text host) {
    if (host.len == 0 || host.len > 255)
        return false;
    for (size_t i = 0; i < host.len; i++) {
        char c = host.ptr[i];
        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '-' ||
              c == ':' || c == '[' || c == ']'))
            return false;
    }
    return true;
}
