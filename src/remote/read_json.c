/* Reading services' JSON: what our own reader refuses is mended where that loses nothing, and read again. */
#include "remote/read_json.h"

#include <jansson.h>
#include <math.h>
#include <stdlib.h>

#include "base/buffer.h"
#include "base/json.h"

#define DEPTH_MAX 64
#define NUMBER_MAX 400

static size_t number_length(struct text rest) {
    size_t len = 0;
    while (len < rest.len && strchr("+-0123456789.eE", rest.ptr[len]) && rest.ptr[len]) {
        len++;
    }
    return len;
}

/* Whether the parser can hold it. What is no number at all is left for the parser to refuse. */
static bool number_fits(struct text number) {
    int64_t integer = 0;
    char digits[NUMBER_MAX + 1];
    if (memchr(number.ptr, '.', number.len) || memchr(number.ptr, 'e', number.len) ||
        memchr(number.ptr, 'E', number.len)) {
        if (number.len > NUMBER_MAX) {
            return true;
        }
        memcpy(digits, number.ptr, number.len);
        digits[number.len] = '\0';
        return isfinite(strtod(digits, NULL));
    }
    return number.len < 18 || text_to_i64(number, &integer);
}

/* The bytes of a string from its opening quote on, which are copied with their NULs mended. */
static size_t put_string(struct buffer *buf, struct text rest) {
    size_t at = 1, done = 0;
    while (at < rest.len && rest.ptr[at] != '"') {
        struct text here = { rest.ptr + at, rest.len - at };
        if (text_starts(here, TEXT("\\u0000"))) {
            buffer_put(buf, (struct text){ rest.ptr + done, at - done });
            buffer_put(buf, TEXT("\\ufffd"));
            at += strlen("\\u0000");
            done = at;
        } else {
            at += rest.ptr[at] == '\\' && at + 1 < rest.len ? 2 : 1;
        }
    }
    at = at < rest.len ? at + 1 : rest.len;
    buffer_put(buf, (struct text){ rest.ptr + done, at - done });
    return at;
}

/* The next piece of the text outside strings: a number, or one byte. */
static size_t put_piece(struct buffer *buf, struct text rest) {
    size_t len = strchr("-0123456789", rest.ptr[0]) && rest.ptr[0] ? number_length(rest) : 0;
    struct text number = { rest.ptr, len };
    if (len == 0) {
        buffer_put_char(buf, rest.ptr[0]);
        return 1;
    }
    if (number_fits(number)) {
        buffer_put(buf, number);
    } else {
        buffer_put_char(buf, '"');
        buffer_put(buf, number);
        buffer_put_char(buf, '"');
    }
    return len;
}

static void mend(struct text body, struct buffer *buf) {
    for (size_t at = 0; at < body.len;) {
        struct text rest = { body.ptr + at, body.len - at };
        at += rest.ptr[0] == '"' ? put_string(buf, rest) : put_piece(buf, rest);
    }
}

enum err read_service_json(struct text body, json_t **ret, struct fault *fault) {
    enum err err = json_read_any(body, DEPTH_MAX, ret, fault);
    if (err != ERR_INVALID_JSON || body.len == 0) {
        return err;
    }
    struct buffer scoped(buffer_fini) buf;
    buffer_init(&buf, 2 * body.len + 64);
    mend(body, &buf);
    json_t *value = buffer_ok(&buf) ? json_loadb(buf.data, buf.len, JSON_DECODE_ANY, NULL) : NULL;
    if (value == NULL) {
        return err;
    }
    *ret = value;
    return OK;
}
