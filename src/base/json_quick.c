/* The quick way to read JSON that is as it should be. jansson's own reader goes character by character through calls; this
 * one takes strings in one piece. It knows no reasons: what it does not take for certain, jansson judges. */
#include "base/json_quick.h"

#include <jansson.h>
#include <math.h>
#include <stdlib.h>

#include "base/buffer.h"

#define INTEGER_DIGITS 18 /* always within 64 bits */
#define REAL_LENGTH 63

struct reader {
    const char *at, *end;
    struct buffer scratch; /* of a string with escapes */
    unsigned depth_left;
};

static json_t *read_value(struct reader *reader);

static void skip_space(struct reader *reader) {
    while (reader->at < reader->end &&
           (*reader->at == ' ' || *reader->at == '\n' || *reader->at == '\t' || *reader->at == '\r')) {
        reader->at++;
    }
}

/* The next character after white space; '\0' at the end, and for a NUL, which nothing here begins with. */
static char peek(struct reader *reader) {
    skip_space(reader);
    return reader->at < reader->end ? *reader->at : '\0';
}

static bool take(struct reader *reader, char c) {
    if (peek(reader) != c) {
        return false;
    }
    reader->at++;
    return true;
}

/* ---- strings ---- */

static bool read_hex(const char *at, uint32_t *ret) {
    uint32_t value = 0;
    for (unsigned i = 0; i < 4; i++) {
        char c = at[i];
        unsigned digit = c >= '0' && c <= '9'   ? (unsigned)(c - '0')
                         : c >= 'a' && c <= 'f' ? (unsigned)(c - 'a') + 10
                         : c >= 'A' && c <= 'F' ? (unsigned)(c - 'A') + 10
                                                : 16;
        if (digit == 16) {
            return false;
        }
        value = value << 4 | digit;
    }
    *ret = value;
    return true;
}

static void put_character(struct buffer *buf, uint32_t code) {
    if (code < 0x80) {
        buffer_put_char(buf, (char)code);
        return;
    }
    if (code < 0x800) {
        buffer_put_char(buf, (char)(0xC0 | code >> 6));
    } else {
        if (code < 0x10000) {
            buffer_put_char(buf, (char)(0xE0 | code >> 12));
        } else {
            buffer_put_char(buf, (char)(0xF0 | code >> 18));
            buffer_put_char(buf, (char)(0x80 | (code >> 12 & 0x3F)));
        }
        buffer_put_char(buf, (char)(0x80 | (code >> 6 & 0x3F)));
    }
    buffer_put_char(buf, (char)(0x80 | (code & 0x3F)));
}

/* "\u" and four digits, or twice that for a character beyond 16 bits; no NUL, no half of a pair. */
static bool read_code(struct reader *reader) {
    uint32_t code, low;
    if (reader->end - reader->at < 6 || !read_hex(reader->at + 2, &code) || code == 0) {
        return false;
    }
    reader->at += 6;
    if (code >= 0xD800 && code < 0xE000) {
        if (code >= 0xDC00 || reader->end - reader->at < 6 || reader->at[0] != '\\' || reader->at[1] != 'u' ||
            !read_hex(reader->at + 2, &low) || low < 0xDC00 || low > 0xDFFF) {
            return false;
        }
        reader->at += 6;
        code = 0x10000 + ((code & 0x3FF) << 10) + (low & 0x3FF);
    }
    put_character(&reader->scratch, code);
    return true;
}

static bool read_escape(struct reader *reader) {
    static const char names[] = "\"\\/bfnrt", meanings[] = "\"\\/\b\f\n\r\t";
    if (reader->end - reader->at < 2) {
        return false;
    }
    char name = reader->at[1];
    if (name == 'u') {
        return read_code(reader);
    }
    const char *found = name != '\0' ? strchr(names, name) : NULL;
    if (found == NULL) {
        return false;
    }
    buffer_put_char(&reader->scratch, meanings[found - names]);
    reader->at += 2;
    return true;
}

/* Plain characters up to a quote, a backslash, or what may not stand in a string. */
static struct text read_run(struct reader *reader) {
    const char *start = reader->at;
    while (reader->at < reader->end && (unsigned char)*reader->at >= ' ' && *reader->at != '"' && *reader->at != '\\') {
        reader->at++;
    }
    return (struct text){ start, (size_t)(reader->at - start) };
}

/* The string that begins here, after its quote; good until the next one is read. Only its UTF-8 is not judged yet. */
static bool read_characters(struct reader *reader, struct text *ret) {
    struct text run = read_run(reader);
    if (reader->at < reader->end && *reader->at == '"') {
        reader->at++;
        *ret = run;
        return true;
    }
    buffer_clear(&reader->scratch);
    buffer_put(&reader->scratch, run);
    while (reader->at < reader->end && *reader->at == '\\') {
        if (!read_escape(reader)) {
            return false;
        }
        buffer_put(&reader->scratch, read_run(reader));
    }
    if (reader->at == reader->end || *reader->at != '"' || !buffer_ok(&reader->scratch)) {
        return false;
    }
    reader->at++;
    *ret = buffer_text(&reader->scratch);
    return true;
}

static bool read_text(struct reader *reader, struct text *ret) {
    return take(reader, '"') && read_characters(reader, ret) && text_is_utf8(*ret);
}

static json_t *read_string(struct reader *reader) {
    struct text text;
    return read_text(reader, &text) ? json_stringn_nocheck(text.len > 0 ? text.ptr : "", text.len) : NULL;
}

/* ---- numbers ---- */

static size_t count_digits(const struct reader *reader, const char *at) {
    const char *start = at;
    while (at < reader->end && *at >= '0' && *at <= '9') {
        at++;
    }
    return (size_t)(at - start);
}

/* What follows the integer part: a fraction, an exponent. NULL: it is none of these. */
static const char *skip_fraction(const struct reader *reader, const char *at) {
    if (at < reader->end && *at == '.') {
        size_t digits = count_digits(reader, ++at);
        if (digits == 0) {
            return NULL;
        }
        at += digits;
    }
    if (at < reader->end && (*at == 'e' || *at == 'E')) {
        at++;
        at += at < reader->end && (*at == '+' || *at == '-');
        size_t digits = count_digits(reader, at);
        if (digits == 0) {
            return NULL;
        }
        at += digits;
    }
    return at;
}

static json_t *read_real(struct reader *reader, const char *start, const char *end) {
    char copy[REAL_LENGTH + 1];
    size_t length = (size_t)(end - start);
    if (length > REAL_LENGTH) {
        return NULL;
    }
    memcpy(copy, start, length);
    copy[length] = '\0';
    double value = strtod(copy, NULL);
    reader->at = end;
    return isfinite(value) ? json_real(value) : NULL;
}

static json_t *read_number(struct reader *reader) {
    const char *start = reader->at, *digits = start + (*start == '-');
    size_t count = count_digits(reader, digits);
    if (count == 0 || (count > 1 && *digits == '0')) {
        return NULL;
    }
    const char *end = skip_fraction(reader, digits + count);
    if (end == NULL) {
        return NULL;
    }
    if (end != digits + count) {
        return read_real(reader, start, end);
    }
    if (count > INTEGER_DIGITS) {
        return NULL;
    }
    int64_t value = 0;
    for (size_t i = 0; i < count; i++) {
        value = value * 10 + (digits[i] - '0');
    }
    reader->at = end;
    return json_integer(*start == '-' ? -value : value);
}

static json_t *read_word(struct reader *reader, struct text word, json_t *value) {
    if ((size_t)(reader->end - reader->at) < word.len || memcmp(reader->at, word.ptr, word.len) != 0) {
        return NULL;
    }
    reader->at += word.len;
    return value; /* one of jansson's constants, which are not counted */
}

/* ---- containers ---- */

/* One member. A name that was there before leaves the object as large as it was. */
static bool read_member(struct reader *reader, json_t *object) {
    struct text name;
    size_t before = json_object_size(object);
    if (!read_text(reader, &name)) {
        return false;
    }
    char *copy = name.ptr == reader->scratch.data ? text_dup(name) : NULL; /* the value may need the scratch */
    json_t *value = take(reader, ':') ? read_value(reader) : NULL;
    bool set = value != NULL && json_object_setn_new_nocheck(object, copy != NULL ? copy : name.ptr, name.len, value) == 0;
    free(copy);
    return set && json_object_size(object) > before;
}

static json_t *read_object(struct reader *reader) {
    json_t *object = json_object();
    bool good = true;
    reader->at++;
    if (object == NULL || take(reader, '}')) {
        return object;
    }
    do {
        good = read_member(reader, object);
    } while (good && take(reader, ','));
    if (!good || !take(reader, '}')) {
        json_decref(object);
        return NULL;
    }
    return object;
}

static json_t *read_array(struct reader *reader) {
    json_t *array = json_array();
    bool good = true;
    reader->at++;
    if (array == NULL || take(reader, ']')) {
        return array;
    }
    do {
        json_t *item = read_value(reader);
        good = item != NULL && json_array_append_new(array, item) == 0;
    } while (good && take(reader, ','));
    if (!good || !take(reader, ']')) {
        json_decref(array);
        return NULL;
    }
    return array;
}

static json_t *read_container(struct reader *reader) {
    if (reader->depth_left == 0) {
        return NULL;
    }
    reader->depth_left--;
    json_t *value = *reader->at == '{' ? read_object(reader) : read_array(reader);
    reader->depth_left++;
    return value;
}

static json_t *read_value(struct reader *reader) {
    char c = peek(reader);
    switch (c) {
    case '"':
        return read_string(reader);
    case '{':
    case '[':
        return read_container(reader);
    case 't':
        return read_word(reader, TEXT("true"), json_true());
    case 'f':
        return read_word(reader, TEXT("false"), json_false());
    case 'n':
        return read_word(reader, TEXT("null"), json_null());
    default:
        return c == '-' || (c >= '0' && c <= '9') ? read_number(reader) : NULL;
    }
}

json_t *json_quick_read(struct text body, unsigned depth_max) {
    struct reader reader = { .at = body.ptr, .end = body.ptr + body.len, .depth_left = depth_max };
    buffer_init(&reader.scratch, body.len + 1); /* an escape is never shorter than what it stands for */
    json_t *value = read_value(&reader);
    skip_space(&reader);
    if (reader.at != reader.end) {
        json_decref(value);
        value = NULL;
    }
    buffer_fini(&reader.scratch);
    return value;
}
