/* Reading JSON strictly through jansson, writing it straight into a buffer. */
#include "base/json.h"

#include <jansson.h>
#include <math.h>
#include <stdlib.h>

#include "base/json_quick.h"
#include "base/memory.h"

static void *allocate(size_t size) {
    return mem_grow_library(NULL, size);
}

void json_init(void) {
    json_set_alloc_funcs(allocate, free);
}

/* ---- reading ---- */

struct place {
    size_t line, column; /* from 1, in characters */
};

static struct place place_of(struct text body, size_t at) {
    struct place place = { 1, 1 };
    size_t line_start = 0;
    for (size_t i = 0; i < at; i++) {
        if (body.ptr[i] == '\n') {
            place.line++;
            line_start = i + 1;
        }
    }
    place.column = 1 + text_characters((struct text){ body.ptr + line_start, at - line_start });
    return place;
}

static enum err refuse(struct fault *fault, struct place place, const char *reason) {
    return fault_set(fault, ERR_INVALID_JSON, "invalid JSON at line %zu, column %zu: %s", place.line, place.column,
                     reason);
}

struct limits {
    unsigned depth, values;
};

/* Position of the bracket that opens one level too many, or of what begins one value too many; or the body's length.
 * Counts what stands outside strings: a value is the whole, or comes after a bracket that opens or a comma, so an empty
 * container counts as two. Where this reading and the parser's could part, the parser has stopped with an error
 * before. */
static size_t find_too_much(struct text body, const struct limits *limits, bool *ret_too_deep) {
    unsigned depth = 0, values = 1;
    bool in_string = false;
    for (size_t i = 0; i < body.len; i++) {
        char c = body.ptr[i];
        if (!in_string && (c == ',' || c == '{' || c == '[') && values++ == limits->values) {
            *ret_too_deep = false;
            return i;
        }
        if (in_string) {
            if (c == '\\') {
                i++;
            } else if (c == '"') {
                in_string = false;
            }
        } else if (c == '"') {
            in_string = true;
        } else if (c == '{' || c == '[') {
            if (depth++ == limits->depth) {
                *ret_too_deep = true;
                return i;
            }
        } else if ((c == '}' || c == ']') && depth > 0) {
            depth--;
        }
    }
    return body.len;
}

/* The parser's complaint in our words. Its own words quote what was sent, of any length, so at most the part before the
 * quotation is used, and only where the complaint is about grammar. */
static enum err refuse_parse(struct fault *fault, json_error_t *error) {
    static const struct {
        enum json_error_code code;
        const char *reason;
    } reasons[] = {
        { json_error_premature_end_of_input, "it ends too early" },
        { json_error_end_of_input_expected, "there is something after the end of the value" },
        { json_error_invalid_utf8, "the text is not valid UTF-8" },
        { json_error_null_character, "the character \\u0000 is not allowed" },
        { json_error_null_byte_in_key, "the character \\u0000 is not allowed" },
        { json_error_null_value, "the character \\u0000 is not allowed" },
        { json_error_duplicate_key, "the same key appears twice in one object" },
        { json_error_numeric_overflow, "the number is out of range" },
        { json_error_stack_overflow, "it is nested too deeply" },
    };
    struct place place = { error->line > 0 ? (size_t)error->line : 1, error->column > 0 ? (size_t)error->column : 1 };
    enum json_error_code code = json_error_code(error);
    if (code == json_error_out_of_memory) {
        return fault_set(fault, ERR_NO_MEMORY, "no memory to read the JSON");
    }
    for (size_t i = 0; i < ARRAY_SIZE(reasons); i++) {
        if (reasons[i].code == code) {
            return refuse(fault, place, reasons[i].reason);
        }
    }
    char *quotation = strstr(error->text, " near ");
    if (quotation != NULL) {
        *quotation = '\0';
    }
    return refuse(fault, place, code == json_error_invalid_syntax ? error->text : "it cannot be read");
}

static enum err read_any(struct text body, const struct limits *limits, struct json_t **ret, struct fault *fault) {
    if (text_trim(body).len == 0) {
        return fault_set(fault, ERR_INVALID_JSON, "invalid JSON at line 1, column 1: there is nothing in it");
    }
    bool too_deep;
    size_t too_much = find_too_much(body, limits, &too_deep);
    if (too_much < body.len) {
        char reason[64];
        snprintf(reason, sizeof(reason), too_deep ? "it is nested deeper than %u levels" : "it has more than %u values",
                 too_deep ? limits->depth : limits->values);
        return refuse(fault, place_of(body, too_much), reason);
    }
    json_error_t error;
    json_t *value = json_quick_read(body);
    if (value == NULL) {
        value = json_loadb(body.ptr, body.len, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &error);
    }
    if (value == NULL) {
        return refuse_parse(fault, &error);
    }
    *ret = value;
    return OK;
}

static enum err read_object(struct text body, const struct limits *limits, struct json_t **ret, struct fault *fault) {
    struct text trimmed = text_trim(body);
    if (trimmed.len > 0 && trimmed.ptr[0] != '{') {
        return fault_set(fault, ERR_INVALID_JSON, "the body must be a JSON object");
    }
    return read_any(body, limits, ret, fault);
}

enum err json_read_any(struct text body, unsigned max_depth, struct json_t **ret, struct fault *fault) {
    return read_any(body, &(struct limits){ max_depth, JSON_VALUES_MAX }, ret, fault);
}

enum err json_read_object(struct text body, unsigned max_depth, struct json_t **ret, struct fault *fault) {
    return read_object(body, &(struct limits){ max_depth, JSON_VALUES_MAX }, ret, fault);
}

enum err json_read_request(struct text body, unsigned max_depth, struct json_t **ret, struct fault *fault) {
    return read_object(body, &(struct limits){ max_depth, JSON_REQUEST_VALUES_MAX }, ret, fault);
}

struct text json_text_of(const json_t *value) {
    return (struct text){ json_string_value(value), json_string_length(value) };
}

void json_release(struct json_t **variable) {
    json_decref(*variable);
    *variable = NULL;
}

/* ---- writing ---- */

/* What a byte needs inside a string: nothing, a check that it begins a UTF-8 sequence, or an escape. */
enum { PLAIN, MULTIBYTE, CONTROL /* and from here on: the letter of the short form */ };

static const uint8_t kinds[256] = {
    [0x00 ... 0x07] = CONTROL,
    ['\b'] = 'b',
    ['\t'] = 't',
    ['\n'] = 'n',
    [0x0B] = CONTROL,
    ['\f'] = 'f',
    ['\r'] = 'r',
    [0x0E ... 0x1F] = CONTROL,
    ['"'] = '"',
    ['\\'] = '\\',
    [0x80 ... 0xFF] = MULTIBYTE,
};

/* Bytes of the character that t starts with, if it can be copied as it is; else 0. */
static size_t plain_length(struct text t) {
    uint8_t kind = kinds[(uint8_t)t.ptr[0]];
    if (kind == PLAIN) {
        return 1;
    }
    return kind == MULTIBYTE ? text_utf8_length(t) : 0;
}

static size_t plain_run(struct text t) {
    size_t run = 0;
    while (run < t.len) {
        size_t length = plain_length((struct text){ t.ptr + run, t.len - run });
        if (length == 0) {
            break;
        }
        run += length;
    }
    return run;
}

static void put_escaped(struct buffer *buf, uint8_t byte) {
    static const char hex[] = "0123456789abcdef";
    uint8_t kind = kinds[byte];
    if (kind == MULTIBYTE) {
        buffer_put(buf, TEXT("\xEF\xBF\xBD"));
    } else if (kind == CONTROL) {
        const char escape[] = { '\\', 'u', '0', '0', hex[byte >> 4], hex[byte & 0xF] };
        buffer_put(buf, (struct text){ escape, sizeof(escape) });
    } else {
        const char escape[] = { '\\', (char)kind };
        buffer_put(buf, (struct text){ escape, sizeof(escape) });
    }
}

static void put_quoted(struct buffer *buf, struct text value) {
    buffer_put_char(buf, '"');
    while (value.len > 0) {
        size_t run = plain_run(value);
        buffer_put(buf, (struct text){ value.ptr, run });
        if (run < value.len) {
            put_escaped(buf, (uint8_t)value.ptr[run++]);
        }
        value = (struct text){ value.ptr + run, value.len - run };
    }
    buffer_put_char(buf, '"');
}

static void value_begin(struct json_writer *json) {
    if (json->comma) {
        buffer_put_char(json->buf, ',');
    }
    json->comma = true;
}

void json_begin(struct json_writer *json, struct buffer *buf) {
    *json = (struct json_writer){ .buf = buf };
}

void json_object_begin(struct json_writer *json) {
    value_begin(json);
    buffer_put_char(json->buf, '{');
    json->comma = false;
}

void json_object_end(struct json_writer *json) {
    buffer_put_char(json->buf, '}');
    json->comma = true;
}

void json_array_begin(struct json_writer *json) {
    value_begin(json);
    buffer_put_char(json->buf, '[');
    json->comma = false;
}

void json_array_end(struct json_writer *json) {
    buffer_put_char(json->buf, ']');
    json->comma = true;
}

void json_key(struct json_writer *json, const char *name) {
    buffer_put(json->buf, json->comma ? TEXT(",\"") : TEXT("\""));
    buffer_put(json->buf, text_of(name));
    buffer_put(json->buf, TEXT("\":"));
    json->comma = false;
}

void json_text(struct json_writer *json, struct text value) {
    value_begin(json);
    put_quoted(json->buf, value);
}

void json_string_or_null(struct json_writer *json, const char *value) {
    if (value == NULL) {
        json_null_value(json);
    } else {
        json_text(json, text_of(value));
    }
}

void json_i64(struct json_writer *json, int64_t value) {
    value_begin(json);
    buffer_put_i64(json->buf, value);
}

void json_bool(struct json_writer *json, bool value) {
    value_begin(json);
    buffer_put(json->buf, value ? TEXT("true") : TEXT("false"));
}

void json_null_value(struct json_writer *json) {
    value_begin(json);
    buffer_put(json->buf, TEXT("null"));
}

void json_raw(struct json_writer *json, struct text value) {
    value_begin(json);
    buffer_put(json->buf, value);
}

/* ---- rendering ---- */

/* The fewest digits from 15 on that read back as the same number: 0.7 stays 0.7, unlike in jansson's rendering. */
static void put_real(struct buffer *buf, double value) {
    if (!isfinite(value)) { /* JSON has no such number; jansson lets none in */
        buffer_put(buf, TEXT("null"));
        return;
    }
    char digits[40];
    for (int precision = 15; precision <= 17; precision++) {
        snprintf(digits, sizeof(digits), "%.*g", precision, value);
        if (strtod(digits, NULL) == value) {
            break;
        }
    }
    buffer_put(buf, text_of(digits));
    if (strpbrk(digits, ".e") == NULL) {
        buffer_put(buf, TEXT(".0"));
    }
}

static void put_value(struct json_writer *json, json_t *value);

static void put_object(struct json_writer *json, json_t *object) {
    json_object_begin(json);
    for (void *at = json_object_iter(object); at != NULL; at = json_object_iter_next(object, at)) {
        json_text(json, (struct text){ json_object_iter_key(at), json_object_iter_key_len(at) });
        buffer_put_char(json->buf, ':');
        json->comma = false;
        put_value(json, json_object_iter_value(at));
    }
    json_object_end(json);
}

static void put_array(struct json_writer *json, const json_t *array) {
    json_array_begin(json);
    for (size_t i = 0; i < json_array_size(array); i++) {
        put_value(json, json_array_get(array, i));
    }
    json_array_end(json);
}

/* Recurses as deep as the value is nested, which its reader has bounded. */
static void put_value(struct json_writer *json, json_t *value) {
    switch (json_typeof(value)) {
    case JSON_OBJECT:
        put_object(json, value);
        break;
    case JSON_ARRAY:
        put_array(json, value);
        break;
    case JSON_STRING:
        json_text(json, (struct text){ json_string_value(value), json_string_length(value) });
        break;
    case JSON_INTEGER:
        json_i64(json, json_integer_value(value));
        break;
    case JSON_REAL:
        value_begin(json);
        put_real(json->buf, json_real_value(value));
        break;
    case JSON_TRUE:
    case JSON_FALSE:
        json_bool(json, json_is_true(value));
        break;
    case JSON_NULL:
        json_null_value(json);
        break;
    }
}

void json_render_to(struct buffer *buf, const struct json_t *value) {
    struct json_writer json;
    json_begin(&json, buf);
    put_value(&json, (json_t *)value); /* jansson's iterators take no const, and change nothing */
}

char *json_render(const struct json_t *value) {
    struct buffer buf;
    buffer_init(&buf, SIZE_MAX - 1);
    json_render_to(&buf, value);
    return buffer_take(&buf);
}
