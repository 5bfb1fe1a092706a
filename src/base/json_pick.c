/* A loop, not a recursion: of each level that is open only its kind is kept, a bit. What comes next is always one of few:
 *
 *   VALUE      '{' ──> NAME or '}'      '[' ──> VALUE or ']'      a scalar ──> AFTER
 *   NAME       a string and ':' ──> VALUE
 *   AFTER      ',' ──> NAME or VALUE by the level's kind      its '}' or ']' ──> AFTER, one level less */
#include "base/json_pick.h"

#include <assert.h>
#include <string.h>

#include "base/json.h"

#define DIGITS_MAX 18  /* of an integer that surely fits 64 bits */
#define REAL_MAX 64    /* bytes of a real without exponent, which surely fits a double */

struct picker {
    const char *at, *end;
    uint64_t objects; /* a bit a level, the innermost one last: an object, no array */
    unsigned depth, values;
    const struct text *names;
    unsigned count;
    unsigned wanted;      /* the name whose value comes next; `count`: none of them */
    const char *start;    /* of that value */
    struct text *found;
};

static char look(struct picker *picker) {
    while (picker->at < picker->end &&
           (*picker->at == ' ' || *picker->at == '\n' || *picker->at == '\t' || *picker->at == '\r')) {
        picker->at++;
    }
    return picker->at < picker->end ? *picker->at : '\0';
}

static bool take(struct picker *picker, char c) {
    bool is_next = look(picker) == c;
    picker->at += is_next;
    return is_next;
}

/* ---- strings ---- */

/* Four hexadecimal digits; -1: they are none. */
static int read_hex(const char *at, const char *end) {
    int value = 0;
    for (int i = 0; i < 4; i++) {
        char c = at + i < end ? at[i] : '\0';
        int digit = c >= '0' && c <= '9' ? c - '0' : (c | 0x20) >= 'a' && (c | 0x20) <= 'f' ? (c | 0x20) - 'a' + 10 : -1;
        if (digit < 0) {
            return -1;
        }
        value = value * 16 + digit;
    }
    return value;
}

/* How long the escape is; 0: it is wrong, or half of a pair alone, or NUL, which jansson takes in no string. */
static size_t escape_length(const char *at, const char *end) {
    if (at + 1 >= end) {
        return 0;
    }
    if (at[1] != 'u') {
        return at[1] != '\0' && strchr("\"\\/bfnrt", at[1]) != NULL ? 2 : 0;
    }
    int unit = read_hex(at + 2, end);
    if (unit < 0xd800 || unit > 0xdfff) {
        return unit > 0 ? 6 : 0;
    }
    bool followed = unit < 0xdc00 && end - at >= 12 && at[6] == '\\' && at[7] == 'u';
    int low = followed ? read_hex(at + 8, end) : -1;
    return low >= 0xdc00 && low <= 0xdfff ? 12 : 0;
}

static const char *skip_plain(const struct picker *picker, const char *at) {
    return at + text_plain_run((struct text){ at, (size_t)(picker->end - at) });
}

/* The bytes between two quotes. */
static bool read_string(struct picker *picker, struct text *ret) {
    if (!take(picker, '"')) {
        return false;
    }
    const char *start = picker->at, *at = skip_plain(picker, start);
    bool ascii = true;
    while (at < picker->end && *at != '"') {
        bool escapes = *at == '\\';
        size_t length = escapes ? escape_length(at, picker->end) : (unsigned char)*at >= ' ';
        if (length == 0) {
            return false;
        }
        ascii = ascii && (unsigned char)*at < 0x80;
        at += length;
        at = escapes ? skip_plain(picker, at) : at;
    }
    *ret = (struct text){ start, (size_t)(at - start) };
    if (at == picker->end || (!ascii && !text_is_utf8(*ret))) {
        return false;
    }
    picker->at = at + 1;
    return true;
}

/* ---- other scalars ---- */

static size_t skip_digits(struct picker *picker) {
    const char *start = picker->at;
    while (picker->at < picker->end && *picker->at >= '0' && *picker->at <= '9') {
        picker->at++;
    }
    return (size_t)(picker->at - start);
}

/* An exponent is a doubt. */
static bool skip_number(struct picker *picker) {
    const char *start = picker->at;
    picker->at += *picker->at == '-';
    const char *first = picker->at;
    size_t count = skip_digits(picker);
    if (count == 0 || (*first == '0' && count > 1)) {
        return false;
    }
    char next = picker->at < picker->end ? *picker->at : '\0';
    if (next != '.') {
        return next != 'e' && next != 'E' && count <= DIGITS_MAX;
    }
    picker->at++;
    bool digits = skip_digits(picker) > 0;
    next = picker->at < picker->end ? *picker->at : '\0';
    return digits && next != 'e' && next != 'E' && picker->at - start <= REAL_MAX;
}

static bool skip_word(struct picker *picker) {
    static const struct text words[] = { TEXT("true"), TEXT("false"), TEXT("null") };
    struct text rest = { picker->at, (size_t)(picker->end - picker->at) };
    for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
        if (text_starts(rest, words[i])) {
            picker->at += words[i].len;
            return true;
        }
    }
    return false;
}

/* ---- the outermost object's members ---- */

static bool note_name(struct picker *picker, struct text name) {
    if (picker->depth > 1) {
        return true;
    }
    picker->wanted = 0;
    while (picker->wanted < picker->count && !text_equal(name, picker->names[picker->wanted])) {
        picker->wanted++;
    }
    bool twice = picker->wanted < picker->count && picker->found[picker->wanted].ptr != NULL;
    return !twice && memchr(name.ptr, '\\', name.len) == NULL;
}

static bool read_name(struct picker *picker) {
    struct text name;
    if (!read_string(picker, &name) || !note_name(picker, name) || !take(picker, ':')) {
        return false;
    }
    if (picker->depth == 1) {
        look(picker);
        picker->start = picker->at;
    }
    return true;
}

static void note_value(struct picker *picker) {
    if (picker->depth == 1 && picker->wanted < picker->count) {
        picker->found[picker->wanted] = (struct text){ picker->start, (size_t)(picker->at - picker->start) };
    }
}

/* ---- values ---- */

/* Up to the first scalar or empty container, or the end of the text's rules. */
static bool read_value(struct picker *picker) {
    struct text string;
    for (;;) {
        char c = look(picker);
        if (picker->values++ == JSON_VALUES_MAX) {
            return false;
        }
        if (c != '{' && c != '[') {
            return c == '"'                           ? read_string(picker, &string)
                : c == 't' || c == 'f' || c == 'n'    ? skip_word(picker)
                : c == '-' || (c >= '0' && c <= '9')  ? skip_number(picker)
                                                      : false;
        }
        if (picker->depth == JSON_PICK_DEPTH_MAX) {
            return false;
        }
        picker->at++;
        picker->depth++;
        picker->objects = picker->objects << 1 | (c == '{');
        if (take(picker, c == '{' ? '}' : ']')) {
            picker->objects >>= 1;
            picker->depth--;
            return true;
        }
        if (c == '{' && !read_name(picker)) {
            return false;
        }
    }
}

/* What follows a value: more of its level, the level's end. */
static bool go_on(struct picker *picker, bool *ret_more) {
    bool in_object = (picker->objects & 1) != 0;
    *ret_more = take(picker, ',');
    if (*ret_more) {
        return !in_object || read_name(picker);
    }
    if (!take(picker, in_object ? '}' : ']')) {
        return false;
    }
    picker->objects >>= 1;
    picker->depth--;
    return true;
}

bool json_pick(struct text text, const struct text *names, unsigned count, struct text *ret) {
    struct text found[JSON_PICK_NAMES_MAX] = { TEXT_NONE };
    struct picker picker = {
        .at = text.ptr, .end = text.ptr + text.len, .names = names, .count = count, .wanted = count, .found = found
    };
    bool more = true;
    assert(count <= JSON_PICK_NAMES_MAX);
    if (look(&picker) != '{') {
        return false;
    }
    do {
        if (more && !read_value(&picker)) {
            return false;
        }
        note_value(&picker);
        if (picker.depth > 0 && !go_on(&picker, &more)) {
            return false;
        }
    } while (picker.depth > 0);
    if (look(&picker) != '\0' || picker.at != picker.end) {
        return false;
    }
    memcpy(ret, found, count * sizeof(*found));
    return true;
}
