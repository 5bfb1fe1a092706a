/* One pass over the bytes, and nothing is copied but what becomes a value. jansson takes some 140 instructions a byte, the
 * values not counted: its reader takes characters one by one from a callback. Whatever is doubtful here is NULL, so that it
 * alone decides what is wrong and in which words. */
#include "base/json_quick.h"

#include <jansson.h>
#include <math.h>
#include <stdlib.h>

#define INTEGER_DIGITS_MAX 18
#define REAL_MAX 64

struct reader {
    const char *at, *end;
};

static json_t *read_value(struct reader *reader);

/* The next byte that is no white space; '\0': none. */
static char look(struct reader *reader) {
    while (reader->at < reader->end &&
           (*reader->at == ' ' || *reader->at == '\n' || *reader->at == '\t' || *reader->at == '\r')) {
        reader->at++;
    }
    return reader->at < reader->end ? *reader->at : '\0';
}

static bool take(struct reader *reader, char c) {
    bool is_next = look(reader) == c && c != '\0';
    reader->at += is_next;
    return is_next;
}

/* The bytes between two quotes. */
static bool read_text(struct reader *reader, struct text *ret) {
    bool ascii = true;
    if (!take(reader, '"')) {
        return false;
    }
    const char *start = reader->at;
    const char *at = start + text_plain_run((struct text){ start, (size_t)(reader->end - start) });
    while (at < reader->end && *at != '"' && *at != '\\' && (unsigned char)*at >= ' ') {
        ascii = ascii && (unsigned char)*at < 0x80;
        at++;
    }
    struct text found = { start, (size_t)(at - start) };
    if (at == reader->end || *at != '"' || (!ascii && !text_is_utf8(found))) {
        return false;
    }
    reader->at = at + 1;
    *ret = found;
    return true;
}

static json_t *read_string(struct reader *reader) {
    struct text t;
    return read_text(reader, &t) ? json_stringn_nocheck(t.ptr, t.len) : NULL;
}

static size_t read_digits(struct reader *reader) {
    const char *start = reader->at;
    while (reader->at < reader->end && *reader->at >= '0' && *reader->at <= '9') {
        reader->at++;
    }
    return (size_t)(reader->at - start);
}

static bool is_at(const struct reader *reader, char c) {
    return reader->at < reader->end && *reader->at == c;
}

/* The rest of a real, from its point or exponent on. */
static bool skip_fraction(struct reader *reader) {
    if (is_at(reader, '.')) {
        reader->at++;
        if (read_digits(reader) == 0) {
            return false;
        }
    }
    if (is_at(reader, 'e') || is_at(reader, 'E')) {
        reader->at++;
        reader->at += is_at(reader, '+') || is_at(reader, '-');
        return read_digits(reader) > 0;
    }
    return true;
}

static json_t *make_real(struct text t) {
    char digits[REAL_MAX + 1];
    if (t.len > REAL_MAX) {
        return NULL;
    }
    memcpy(digits, t.ptr, t.len);
    digits[t.len] = '\0';
    double value = strtod(digits, NULL);
    return isfinite(value) ? json_real(value) : NULL;
}

static json_t *read_number(struct reader *reader) {
    const char *start = reader->at;
    bool negative = is_at(reader, '-');
    reader->at += negative;
    const char *first = reader->at;
    size_t count = read_digits(reader);
    if (count == 0 || (*first == '0' && count > 1)) {
        return NULL;
    }
    if (is_at(reader, '.') || is_at(reader, 'e') || is_at(reader, 'E')) {
        return skip_fraction(reader) ? make_real((struct text){ start, (size_t)(reader->at - start) }) : NULL;
    }
    if (count > INTEGER_DIGITS_MAX) {
        return NULL;
    }
    json_int_t value = 0;
    for (const char *at = first; at < reader->at; at++) {
        value = value * 10 + (*at - '0');
    }
    return json_integer(negative ? -value : value);
}

static json_t *read_word(struct reader *reader) {
    struct text rest = { reader->at, (size_t)(reader->end - reader->at) };
    static const struct {
        struct text word;
        json_type type;
    } words[] = { { TEXT("true"), JSON_TRUE }, { TEXT("false"), JSON_FALSE }, { TEXT("null"), JSON_NULL } };
    for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
        if (text_starts(rest, words[i].word)) {
            reader->at += words[i].word.len;
            return words[i].type == JSON_NULL ? json_null() : json_boolean(words[i].type == JSON_TRUE);
        }
    }
    return NULL;
}

static bool read_members(struct reader *reader, json_t *object) {
    do {
        struct text key;
        size_t before = json_object_size(object);
        if (!read_text(reader, &key) || !take(reader, ':')) {
            return false;
        }
        json_t *value = read_value(reader);
        if (value == NULL || json_object_setn_new_nocheck(object, key.ptr, key.len, value) != 0 ||
            json_object_size(object) == before) { /* a name that was there already */
            return false;
        }
    } while (take(reader, ','));
    return take(reader, '}');
}

static bool read_elements(struct reader *reader, json_t *array) {
    do {
        json_t *value = read_value(reader);
        if (value == NULL || json_array_append_new(array, value) != 0) {
            return false;
        }
    } while (take(reader, ','));
    return take(reader, ']');
}

static json_t *read_container(struct reader *reader, bool is_object) {
    json_t *container = is_object ? json_object() : json_array();
    reader->at++;
    if (take(reader, is_object ? '}' : ']') ||
        (is_object ? read_members(reader, container) : read_elements(reader, container))) {
        return container;
    }
    json_decref(container);
    return NULL;
}

static json_t *read_value(struct reader *reader) {
    switch (look(reader)) {
    case '{':
        return read_container(reader, true);
    case '[':
        return read_container(reader, false);
    case '"':
        return read_string(reader);
    case 't':
    case 'f':
    case 'n':
        return read_word(reader);
    default:
        return read_number(reader);
    }
}

json_t *json_quick_read(struct text text) {
    struct reader reader = { text.ptr, text.ptr + text.len };
    json_t *value = read_value(&reader);
    if (value != NULL && (look(&reader) != '\0' || reader.at != reader.end)) {
        json_decref(value);
        return NULL;
    }
    return value;
}
