/* Splits before it decodes, so that an encoded separator is never taken for one. */
#include "http/target.h"

static int hex_digit(char c) {
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

/* Visible ASCII other than what no URI may hold raw. */
static const bool is_uri_character[256] = {
    ['!'] = true, ['$' ... ';'] = true, ['='] = true, ['?' ... '['] = true, [']'] = true,
    ['_'] = true, ['a' ... 'z'] = true, ['~'] = true,
};

/* Percent-decoding of one piece; the piece itself when there is nothing to decode. */
static enum err decode(struct text raw, bool plus_is_space, struct arena *arena, struct text *ret,
                       struct fault *fault) {
    if (text_find(raw, '%') == raw.len && !(plus_is_space && text_find(raw, '+') < raw.len)) {
        *ret = raw;
        return OK;
    }
    char *decoded = arena_alloc(arena, raw.len);
    size_t len = 0;
    if (decoded == NULL)
        return fault_set(fault, ERR_NO_MEMORY, "No memory for the request's target.");
    for (size_t i = 0; i < raw.len; i++) {
        char c = raw.ptr[i];
        if (c == '%') {
            int high = i + 2 < raw.len ? hex_digit(raw.ptr[i + 1]) : -1;
            int low = i + 2 < raw.len ? hex_digit(raw.ptr[i + 2]) : -1;
            if (high < 0 || low < 0)
                return fault_set(fault, ERR_INVALID_REQUEST,
                                 "The URL has a '%%' that two hexadecimal digits do not follow.");
            c = (char)(high * 16 + low);
            if ((unsigned char)c < ' ' || c == 0x7f)
                return fault_set(fault, ERR_INVALID_REQUEST, "The URL has an encoded control character.");
            i += 2;
        } else if (c == '+' && plus_is_space) {
            c = ' ';
        }
        decoded[len++] = c;
    }
    *ret = (struct text){ decoded, len };
    if (!text_is_utf8(*ret))
        return fault_set(fault, ERR_INVALID_REQUEST, "The URL's percent-encoding does not decode to UTF-8.");
    return OK;
}

static enum err not_found(struct fault *fault) {
    return fault_set(fault, ERR_ROUTE_NOT_FOUND, "There is nothing at this path.");
}

static enum err parse_path(struct target *target, struct arena *arena, struct fault *fault) {
    struct text rest = target->path;

    if (rest.len == 0 || rest.ptr[0] != '/')
        return fault_set(fault, ERR_INVALID_REQUEST, "The request's target is no path.");
    rest = (struct text){ rest.ptr + 1, rest.len - 1 };
    if (rest.len == 0)
        return OK;
    bool encoded = text_find(rest, '%') < rest.len;
    for (bool more = true; more;) {
        size_t len = text_find(rest, '/');
        struct text segment = { rest.ptr, len };
        enum err err = encoded ? decode(segment, false, arena, &segment, fault) : OK;
        if (err != OK)
            return err;
        more = len < rest.len;
        rest = more ? (struct text){ rest.ptr + len + 1, rest.len - len - 1 } : TEXT_NONE;
        if (segment.len == 0 || text_equal(segment, TEXT(".")) || text_equal(segment, TEXT("..")) ||
            target->segment_count == TARGET_SEGMENTS_MAX)
            return not_found(fault);
        target->segments[target->segment_count++] = segment;
    }
    return OK;
}

static enum err add_parameter(struct target *target, struct target_parameter parameter, struct arena *arena,
                              struct fault *fault) {
    struct text ignored;
    char name[64];

    snprintf(name, sizeof name, "%.*s", TEXT_ARG(text_clip(parameter.name, sizeof name - 1)));
    if (target_parameter(target, parameter.name, &ignored))
        return fault_set_param(fault, ERR_INVALID_REQUEST, name, "The query parameter is given more than once.");
    if (target->parameter_count == TARGET_PARAMETERS_MAX)
        return fault_set(fault, ERR_INVALID_REQUEST, "The query has more than %d parameters.", TARGET_PARAMETERS_MAX);
    if (target->parameters == NULL)
        target->parameters = arena_alloc(arena, TARGET_PARAMETERS_MAX * sizeof *target->parameters);
    if (target->parameters == NULL)
        return fault_set(fault, ERR_NO_MEMORY, "No memory for the request's target.");
    target->parameters[target->parameter_count++] = parameter;
    return OK;
}

static enum err parse_query(struct target *target, struct arena *arena, struct fault *fault) {
    struct text rest = target->query;

    while (rest.len > 0) {
        struct text value = text_cut(&rest, '&');
        if (value.len == 0)
            continue;
        struct target_parameter parameter;
        struct text name = text_cut(&value, '=');
        enum err err = decode(name, true, arena, &parameter.name, fault);
        if (err == OK)
            err = decode(value, true, arena, &parameter.value, fault);
        if (err == OK)
            err = add_parameter(target, parameter, arena, fault);
        if (err != OK)
            return err;
    }
    return OK;
}

/* "http://host/path" is what a client sends through a proxy; the authority is cut off. */
static struct text cut_authority(struct text *raw) {
    static const struct text schemes[] = { TEXT("http://"), TEXT("https://") };
    if (text_starts(*raw, TEXT("/")))
        return TEXT_NONE;
    for (size_t i = 0; i < ARRAY_SIZE(schemes); i++) {
        struct text scheme = schemes[i];
        if (raw->len < scheme.len || !text_equal_nocase((struct text){ raw->ptr, scheme.len }, scheme))
            continue;
        struct text rest = { raw->ptr + scheme.len, raw->len - scheme.len };
        size_t slash = text_find(rest, '/'), mark = text_find(rest, '?'), end = slash < mark ? slash : mark;
        *raw = (struct text){ rest.ptr + end, rest.len - end };
        return (struct text){ rest.ptr, end };
    }
    return TEXT_NONE;
}

enum err target_parse(struct text raw, struct arena *arena, struct target *ret, struct fault *fault) {
    struct target target = { .segment_count = 0 };

    if (raw.len > TARGET_MAX)
        return fault_set(fault, ERR_HEADERS_TOO_LARGE, "The URL is longer than %d bytes.", TARGET_MAX);
    for (size_t i = 0; i < raw.len; i++)
        if (!is_uri_character[(unsigned char)raw.ptr[i]])
            return fault_set(fault, ERR_INVALID_REQUEST, "The URL has a character that must be percent-encoded.");
    target.query = raw;
    target.authority = cut_authority(&target.query);
    target.path = text_cut(&target.query, '?');
    if (target.authority.ptr != NULL && target.path.len == 0)
        target.path = TEXT("/");
    enum err err = parse_path(&target, arena, fault);
    if (err == OK)
        err = parse_query(&target, arena, fault);
    if (err == OK)
        *ret = target;
    return err;
}

bool target_parameter(const struct target *target, struct text name, struct text *ret_value) {
    for (unsigned i = 0; i < target->parameter_count; i++)
        if (text_equal(target->parameters[i].name, name)) {
            *ret_value = target->parameters[i].value;
            return true;
        }
    return false;
}
