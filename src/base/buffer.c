/* A growable run of bytes with a maximum and a sticky failure. */
#include "base/buffer.h"

#include <assert.h>
#include <stdarg.h>
#include <stdlib.h>

#include "base/memory.h"

#define CAPACITY_FIRST 64
#define CAPACITY_SMALL 1024

void buffer_init(struct buffer *buf, size_t max) {
    *buf = (struct buffer){ .max = max };
}

void buffer_fini(struct buffer *buf) {
    if (buf == NULL) {
        return;
    }
    free(buf->data);
    buffer_init(buf, buf->max);
}

void buffer_clear(struct buffer *buf) {
    buf->len = 0;
    buf->failed = buf->lacked = false;
    if (buf->data != NULL) {
        buf->data[0] = '\0';
    }
}

bool buffer_ok(const struct buffer *buf) {
    return !buf->failed;
}

enum err buffer_error(const struct buffer *buf, enum err full) {
    return buf->lacked ? ERR_NO_MEMORY : full;
}

struct text buffer_text(const struct buffer *buf) {
    return (struct text){ buf->data != NULL ? buf->data : "", buf->len };
}

/* Doubles, or takes four times as much while it is small, but no more than the maximum and its NUL. */
static bool grow(struct buffer *buf, size_t needed) {
    size_t capacity = buf->capacity > 0 ? buf->capacity : CAPACITY_FIRST;
    while (capacity < needed) {
        capacity = capacity > SIZE_MAX / 2 ? needed : capacity < CAPACITY_SMALL ? capacity * 4 : capacity * 2;
    }
    if (capacity - 1 > buf->max) {
        capacity = buf->max + 1;
    }
    char *data = mem_grow_library(buf->data, capacity);
    if (data == NULL) {
        buf->lacked = true;
        return false;
    }
    buf->data = data;
    buf->capacity = capacity;
    return true;
}

bool buffer_reserve(struct buffer *buf, size_t count) {
    assert(buf->len <= buf->max);
    if (buf->failed) {
        return false;
    }
    if (count > buf->max - buf->len || count >= SIZE_MAX - buf->len) {
        buf->failed = true;
        return false;
    }
    if (buf->len + count + 1 > buf->capacity && !grow(buf, buf->len + count + 1)) {
        buf->failed = true;
        return false;
    }
    return true;
}

/* Whether it has the room already: most puts are of a few bytes. */
static bool has_room(const struct buffer *buf, size_t count) {
    return !buf->failed && buf->len < buf->capacity && count < buf->capacity - buf->len && count <= buf->max - buf->len;
}

void buffer_put(struct buffer *buf, struct text t) {
    if (!has_room(buf, t.len) && !buffer_reserve(buf, t.len)) {
        return;
    }
    if (t.len > 0) {
        memcpy(buf->data + buf->len, t.ptr, t.len);
    }
    buf->len += t.len;
    buf->data[buf->len] = '\0';
}

void buffer_put_char(struct buffer *buf, char c) {
    if (!has_room(buf, 1) && !buffer_reserve(buf, 1)) {
        return;
    }
    buf->data[buf->len++] = c;
    buf->data[buf->len] = '\0';
}

void buffer_put_i64(struct buffer *buf, int64_t number) {
    char digits[20]; /* the longest: -9223372036854775808 */
    char *at = digits + sizeof(digits);
    uint64_t left = number < 0 ? -(uint64_t)number : (uint64_t)number;
    do {
        *--at = (char)('0' + left % 10);
        left /= 10;
    } while (left > 0);
    if (number < 0) {
        *--at = '-';
    }
    buffer_put(buf, (struct text){ at, (size_t)(digits + sizeof(digits) - at) });
}

void buffer_printf(struct buffer *buf, const char *format, ...) {
    va_list args, again;
    va_start(args, format);
    va_copy(again, args);
    int count = vsnprintf(NULL, 0, format, args);
    if (count < 0) {
        buf->failed = true;
    } else if (buffer_reserve(buf, (size_t)count)) {
        vsnprintf(buf->data + buf->len, (size_t)count + 1, format, again);
        buf->len += (size_t)count;
    }
    va_end(again);
    va_end(args);
}

void buffer_consume(struct buffer *buf, size_t count) {
    assert(count <= buf->len);
    if (count == 0) {
        return;
    }
    buf->len -= count;
    memmove(buf->data, buf->data + count, buf->len);
    buf->data[buf->len] = '\0';
}

char *buffer_take(struct buffer *buf) {
    if (!buffer_reserve(buf, 0)) {
        buffer_fini(buf);
        return NULL;
    }
    char *data = buf->data;
    data[buf->len] = '\0';
    buffer_init(buf, buf->max);
    return data;
}
