/* Reading services' JSON: what our own reader refuses is mended where that loses nothing, and read again. */
#include "remote/read_json.h"

#include <jansson.h>
#include <math.h>
#include <stdlib.h>

#include "base/buffer.h"
#include "base/crypto.h"
#include "base/json.h"

#define DEPTH_MAX 64
#define NUMBER_MAX 400
#define UNIT_LENGTH 6 /* of \uXXXX */

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

/* The unit that an escape \uXXXX stands for; -1: the text does not start with one. */
static int escaped_unit(struct text rest) {
    uint8_t bytes[2];
    bool escaped = rest.len >= UNIT_LENGTH && text_starts(rest, TEXT("\\u")) &&
                   hex_decode((struct text){ rest.ptr + 2, 4 }, bytes, 2);
    return escaped ? bytes[0] << 8 | bytes[1] : -1;
}

/* The length of the piece of a string that the text starts with. *ret_good: the parser takes it, which it does not with NUL,
 * half of a pair (RFC 8259, 8.2, lets a text be cut there) and bytes that are no UTF-8. */
static size_t piece_length(struct text rest, bool *ret_good) {
    size_t length = text_utf8_length(rest);
    int unit = escaped_unit(rest);
    *ret_good = length > 0;
    if (unit < 0) {
        return rest.ptr[0] == '\\' && rest.len > 1 ? 2 : length > 0 ? length : 1;
    }
    int next = escaped_unit((struct text){ rest.ptr + UNIT_LENGTH, rest.len - UNIT_LENGTH });
    if (unit >= 0xD800 && unit <= 0xDBFF && next >= 0xDC00 && next <= 0xDFFF) {
        return 2 * UNIT_LENGTH;
    }
    *ret_good = unit != 0 && (unit < 0xD800 || unit > 0xDFFF);
    return UNIT_LENGTH;
}

/* The bytes of a string from its opening quote on, which are copied with U+FFFD for what the parser does not take. */
static size_t put_string(struct buffer *buf, struct text rest) {
    size_t at = 1, done = 0;
    while (at < rest.len && rest.ptr[at] != '"') {
        bool good = true;
        size_t length = piece_length((struct text){ rest.ptr + at, rest.len - at }, &good);
        if (!good) {
            buffer_put(buf, (struct text){ rest.ptr + done, at - done });
            buffer_put(buf, TEXT("\xEF\xBF\xBD"));
            done = at + length;
        }
        at += length;
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
    buffer_init(&buf, 3 * body.len + 64); /* a byte may become three */
    mend(body, &buf);
    json_t *value = buffer_ok(&buf) ? json_loadb(buf.data, buf.len, JSON_DECODE_ANY, NULL) : NULL;
    if (value == NULL) {
        return err;
    }
    *ret = value;
    return OK;
}
