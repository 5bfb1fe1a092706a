/* A run of bytes by value: pointer and length, never owned, not necessarily terminated.
 *
 * All functions are pure and may be called on any thread. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/compiler.h"

struct text {
    const char *ptr;
    size_t len;
};

#define TEXT(literal) ((struct text){ "" literal, sizeof(literal) - 1 })
#define TEXT_NONE ((struct text){ NULL, 0 })
/* For printf: "%.*s", TEXT_ARG(t) */
#define TEXT_ARG(t) (int)(t).len, (t).ptr

/* The bytes of a terminated string; NULL gives the empty text. */
#ifdef READ_BY_ANALYZER /* which would think of NULL wherever one is made, however little it can be there */
struct text text_of(const char *string);
#else
static inline struct text text_of(const char *string) {
    return string == NULL ? TEXT_NONE : (struct text){ string, strlen(string) };
}
#endif

static inline bool text_equal(struct text a, struct text b) {
    return a.len == b.len && (a.len == 0 || memcmp(a.ptr, b.ptr, a.len) == 0);
}

/* ASCII letters compare equal in either case. */
bool text_equal_nocase(struct text a, struct text b);
bool text_starts(struct text t, struct text prefix);
bool text_ends(struct text t, struct text suffix);
/* Without leading and trailing space, tab, CR and LF. */
struct text text_trim(struct text t);
/* The part before the first `separator`; *rest becomes what follows it (empty at the end). */
struct text text_cut(struct text *rest, char separator);
/* Position of the first `byte`, or t.len when there is none. */
size_t text_find(struct text t, char byte);

/* At least one decimal digit, and nothing else. */
bool text_is_digits(struct text t);
/* Decimal with optional minus; the whole text must be the number. *ret untouched on failure. */
bool text_to_i64(struct text t, int64_t *ret) must_check;

/* Number of Unicode code points of valid UTF-8 (RFC 3629). */
size_t text_characters(struct text utf8);
bool text_is_utf8(struct text t);
size_t text_ascii_run(struct text t); /* how many bytes at the start are ASCII; eight at a time */
/* How many bytes at the start stand in a JSON string for themselves alone, as far as they can be told in eights: ASCII, no
 * quote, backslash or control character. What follows may be more of them. */
size_t text_plain_run(struct text t);
/* How many bytes at the start may stand in a token: a method or a header's name (RFC 9110, 5.6.2). */
size_t text_token_run(struct text t);
/* Whether a header's value could not have it: a control character other than a tab (RFC 9110, 5.5). */
bool text_has_control(struct text t);
/* Length in bytes of the valid UTF-8 sequence that t starts with; 0 when it starts with none. */
size_t text_utf8_length(struct text t);
/* The first `max` bytes at most, not ending inside a UTF-8 sequence. */
struct text text_clip(struct text t, size_t max);

/* A terminated copy on the heap; the caller frees it. */
char *text_dup(struct text t);
