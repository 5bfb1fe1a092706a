/* Runs of bytes: comparing, cutting, numbers, UTF-8. */
#include "base/text.h"

#include <stdlib.h>

#include "base/memory.h"

static int lower(char c) {
    return c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c;
}

static bool is_space(char c) {
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static struct text skip(struct text t, size_t count) {
    return count == 0 ? t : (struct text){ t.ptr + count, t.len - count };
}

bool text_equal_nocase(struct text a, struct text b) {
    if (a.len != b.len) {
        return false;
    }
    for (size_t i = 0; i < a.len; i++) {
        if (a.ptr[i] != b.ptr[i] && lower(a.ptr[i]) != lower(b.ptr[i])) {
            return false;
        }
    }
    return true;
}

bool text_starts(struct text t, struct text prefix) {
    return t.len >= prefix.len && text_equal((struct text){ t.ptr, prefix.len }, prefix);
}

bool text_ends(struct text t, struct text suffix) {
    return t.len >= suffix.len && text_equal(skip(t, t.len - suffix.len), suffix);
}

struct text text_trim(struct text t) {
    while (t.len > 0 && is_space(t.ptr[0])) {
        t = skip(t, 1);
    }
    while (t.len > 0 && is_space(t.ptr[t.len - 1])) {
        t.len--;
    }
    return t;
}

struct text text_cut(struct text *rest, char separator) {
    size_t at = text_find(*rest, separator);
    struct text part = { rest->ptr, at };
    *rest = skip(*rest, at < rest->len ? at + 1 : at);
    return part;
}

size_t text_find(struct text t, char byte) {
    const char *found = t.len > 0 ? memchr(t.ptr, byte, t.len) : NULL;
    return found != NULL ? (size_t)(found - t.ptr) : t.len;
}

bool text_is_digits(struct text t) {
    for (size_t i = 0; i < t.len; i++) {
        if (t.ptr[i] < '0' || t.ptr[i] > '9') {
            return false;
        }
    }
    return t.len > 0;
}

bool text_to_i64(struct text t, int64_t *ret) {
    bool negative = t.len > 0 && t.ptr[0] == '-';
    size_t i = negative ? 1 : 0;
    if (i == t.len) {
        return false;
    }
    int64_t value = 0; /* counted downwards: the range is larger by one there */
    for (; i < t.len; i++) {
        if (t.ptr[i] < '0' || t.ptr[i] > '9') {
            return false;
        }
        if (__builtin_mul_overflow(value, 10, &value) || __builtin_sub_overflow(value, t.ptr[i] - '0', &value)) {
            return false;
        }
    }
    if (!negative && value == INT64_MIN) {
        return false;
    }
    *ret = negative ? value : -value;
    return true;
}

/* RFC 3629, section 4. The second byte's range is what keeps out overlong forms, surrogates and what lies above
 * U+10FFFF; the bytes after it are always 80-BF. */
size_t text_utf8_length(struct text t) {
    static const struct {
        uint8_t first_min, first_max, second_min, second_max, length;
    } forms[] = {
        { 0xC2, 0xDF, 0x80, 0xBF, 2 }, { 0xE0, 0xE0, 0xA0, 0xBF, 3 }, { 0xE1, 0xEC, 0x80, 0xBF, 3 },
        { 0xED, 0xED, 0x80, 0x9F, 3 }, { 0xEE, 0xEF, 0x80, 0xBF, 3 }, { 0xF0, 0xF0, 0x90, 0xBF, 4 },
        { 0xF1, 0xF3, 0x80, 0xBF, 4 }, { 0xF4, 0xF4, 0x80, 0x8F, 4 },
    };
    if (t.len == 0) {
        return 0;
    }
    const uint8_t *bytes = (const uint8_t *)t.ptr;
    if (bytes[0] < 0x80) {
        return 1;
    }
    for (size_t f = 0; f < ARRAY_SIZE(forms); f++) {
        if (bytes[0] < forms[f].first_min || bytes[0] > forms[f].first_max) {
            continue;
        }
        if (t.len < forms[f].length || bytes[1] < forms[f].second_min || bytes[1] > forms[f].second_max) {
            return 0;
        }
        for (size_t i = 2; i < forms[f].length; i++) {
            if ((bytes[i] & 0xC0) != 0x80) {
                return 0;
            }
        }
        return forms[f].length;
    }
    return 0;
}

size_t text_ascii_run(struct text t) {
    size_t i = 0;
    for (uint64_t word; i + sizeof(word) <= t.len; i += sizeof(word)) {
        memcpy(&word, t.ptr + i, sizeof(word));
        if (word & UINT64_C(0x8080808080808080)) {
            break;
        }
    }
    while (i < t.len && (uint8_t)t.ptr[i] < 0x80) {
        i++;
    }
    return i;
}

#define EACH(byte) (UINT64_C(0x0101010101010101) * (byte))

/* Not zero: one of the eight bytes is zero. */
static uint64_t zero_bytes(uint64_t word) {
    return (word - EACH(1)) & ~word & EACH(0x80);
}

size_t text_plain_run(struct text t) {
    size_t i = 0;
    for (uint64_t word; i + sizeof(word) <= t.len; i += sizeof(word)) {
        memcpy(&word, t.ptr + i, sizeof(word));
        uint64_t control = (word - EACH(' ')) & ~word & EACH(0x80);
        if (control | (word & EACH(0x80)) | zero_bytes(word ^ EACH('"')) | zero_bytes(word ^ EACH('\\'))) {
            break;
        }
    }
    return i;
}

size_t text_token_run(struct text t) {
    static const bool may_hold[256] = {
        ['!'] = true,         ['#' ... '\''] = true, ['*'] = true,         ['+'] = true, ['-'] = true, ['.'] = true,
        ['0' ... '9'] = true, ['A' ... 'Z'] = true,  ['^' ... 'z'] = true, ['|'] = true, ['~'] = true,
    };
    size_t i = 0;
    while (i < t.len && may_hold[(unsigned char)t.ptr[i]]) {
        i++;
    }
    return i;
}

static bool is_control(char c) {
    return ((unsigned char)c < ' ' && c != '\t') || c == 0x7f;
}

bool text_has_control(struct text t) {
    size_t i = 0;
    for (uint64_t word; i + sizeof(word) <= t.len; i += sizeof(word)) {
        memcpy(&word, t.ptr + i, sizeof(word));
        uint64_t below = (word - EACH(' ')) & ~word & EACH(0x80);
        if (below | zero_bytes(word ^ EACH(0x7f))) {
            break; /* or it is a tab */
        }
    }
    while (i < t.len && !is_control(t.ptr[i])) {
        i++;
    }
    return i < t.len;
}

size_t text_characters(struct text utf8) {
    size_t count = 0;
    for (size_t i = 0; i < utf8.len; i++) {
        count += ((uint8_t)utf8.ptr[i] & 0xC0) != 0x80;
    }
    return count;
}

bool text_is_utf8(struct text t) {
    for (t = skip(t, text_ascii_run(t)); t.len > 0; t = skip(t, text_ascii_run(t))) {
        size_t length = text_utf8_length(t);
        if (length == 0) {
            return false;
        }
        t = skip(t, length);
    }
    return true;
}

struct text text_clip(struct text t, size_t max) {
    if (t.len <= max) {
        return t;
    }
    size_t end = max;
    while (end > 0 && max - end < 3 && ((uint8_t)t.ptr[end] & 0xC0) == 0x80) {
        end--;
    }
    /* More than three continuation bytes: not UTF-8, so any place is as good. */
    t.len = ((uint8_t)t.ptr[end] & 0xC0) == 0x80 ? max : end;
    return t;
}

char *text_dup(struct text t) {
    char *copy = mem_new(t.len + 1);
    if (t.len > 0) {
        memcpy(copy, t.ptr, t.len);
    }
    return copy;
}
