/* Recognises header names and reads the values of some. */
#include "http/header.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#define LABEL_MAX 63
#define NAME_MAX_BYTES 253

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

void etag_put(char ret[ETAG_SIZE], uint64_t tag) {
    static const char digits[] = "0123456789abcdef";
    char *at = ret + ETAG_SIZE - 1;

    *at = '\0';
    *--at = '"';
    for (size_t i = 0; i < 2 * sizeof tag; i++, tag >>= 4)
        *--at = digits[tag & 0xf];
    *--at = '"';
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

/* The part before the first `separator` that is not within quotes; *rest becomes what follows it. */
static struct text cut_unquoted(struct text *rest, char separator) {
    struct text whole = *rest;
    bool quoted = false;

    for (size_t i = 0; i < whole.len; i++) {
        char c = whole.ptr[i];
        if (quoted && c == '\\')
            i++;
        else if (c == '"')
            quoted = !quoted;
        else if (c == separator && !quoted) {
            *rest = (struct text){ whole.ptr + i + 1, whole.len - i - 1 };
            return (struct text){ whole.ptr, i };
        }
    }
    *rest = (struct text){ whole.ptr + whole.len, 0 };
    return whole;
}

bool prefer_value(struct text header, struct text name, struct text *ret_value) {
    struct text rest = header;

    while (rest.len > 0) {
        struct text preference = cut_unquoted(&rest, ',');
        struct text value = cut_unquoted(&preference, ';'); /* what follows are parameters of it */
        if (!text_equal_nocase(text_trim(cut_unquoted(&value, '=')), name))
            continue;
        *ret_value = without_quotes(text_trim(value));
        return true;
    }
    return false;
}

static bool is_address(int family, struct text t) {
    unsigned char address[sizeof(struct in6_addr)];
    char copy[INET6_ADDRSTRLEN];

    if (t.len >= sizeof copy || text_find(t, '\0') < t.len)
        return false;
    memcpy(copy, t.ptr, t.len);
    copy[t.len] = '\0';
    return inet_pton(family, copy, address) == 1;
}

static bool is_port(struct text t) {
    int64_t number = 0;
    return text_is_digits(t) && t.len <= 5 && text_to_i64(t, &number) && number >= 1 && number <= 65535;
}

/* *ret_digits: nothing but digits. */
static bool is_label(struct text t, bool *ret_digits) {
    bool digits = true;
    for (size_t i = 0; i < t.len; i++) {
        char c = t.ptr[i];
        bool digit = c >= '0' && c <= '9', letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
        if (!digit && !letter && c != '-')
            return false;
        digits = digits && digit;
    }
    *ret_digits = digits;
    return t.len >= 1 && t.len <= LABEL_MAX && t.ptr[0] != '-' && t.ptr[t.len - 1] != '-';
}

/* What ends in a number is an address or nothing. */
static bool is_name(struct text t) {
    bool digits = false;
    struct text rest = t;

    if (t.len == 0 || t.len > NAME_MAX_BYTES)
        return false;
    while (rest.len > 0)
        if (!is_label(text_cut(&rest, '.'), &digits))
            return false;
    return !digits || is_address(AF_INET, t);
}

bool host_is_valid(struct text host) {
    bool bracket = host.len > 0 && host.ptr[0] == '[';
    size_t end = bracket ? text_find(host, ']') + 1 : text_find(host, ':');

    if (end > host.len)
        return false;
    struct text after = { host.ptr + end, host.len - end };
    if (after.len > 0 && (after.ptr[0] != ':' || !is_port((struct text){ after.ptr + 1, after.len - 1 })))
        return false;
    return bracket ? is_address(AF_INET6, (struct text){ host.ptr + 1, end - 2 })
                   : is_name((struct text){ host.ptr, end });
}
