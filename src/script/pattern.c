/* A backtracking matcher for Lua's patterns.
 *
 * The standard library's own can be kept busy for years by a short pattern and a short text, inside one C call that the
 * instruction hook cannot see. This one does the same work, and charges every step to the call's budget. */
#include "script/pattern.h"

#include <ctype.h>
#include <lauxlib.h>
#include <lua.h>

#include "script/script.h"

#define DEPTH_MAX 200        /* calls inside each other */
#define STEPS_PER_CHARGE 512
#define STEPS_PER_INSTRUCTION 8 /* a step is that much cheaper than an instruction of Lua's machine */

/* One element of a pattern: what a single character must be, and how often it may come. */
struct item {
    const char *start, *end; /* the class, without its suffix */
    char suffix;             /* '?', '*', '+', '-', or 0 */
};

static const char *match_here(struct pattern_match *match, const char *at, const char *pattern);

void pattern_init(struct pattern_match *match, lua_State *lua, struct text subject, struct text pattern) {
    *match = (struct pattern_match){ .lua = lua, .subject = subject, .pattern_end = pattern.ptr + pattern.len };
}

static const char *subject_end(const struct pattern_match *match) {
    return match->subject.ptr + match->subject.len;
}

static void steps(struct pattern_match *match, size_t count) {
    match->steps += count;
    if (match->steps >= STEPS_PER_CHARGE) {
        script_charge(match->lua, match->steps / STEPS_PER_INSTRUCTION);
        match->steps = 0;
    }
}

static void step(struct pattern_match *match) {
    steps(match, 1);
}

/* ---- single characters ---- */

/* %a, %d and so on; the capital letter is the opposite, any other character stands for itself. */
static bool in_class(unsigned char c, unsigned char class) {
    bool inside;
    switch (tolower(class)) {
    case 'a': inside = isalpha(c); break;
    case 'c': inside = iscntrl(c); break;
    case 'd': inside = isdigit(c); break;
    case 'g': inside = isgraph(c); break;
    case 'l': inside = islower(c); break;
    case 'p': inside = ispunct(c); break;
    case 's': inside = isspace(c); break;
    case 'u': inside = isupper(c); break;
    case 'w': inside = isalnum(c); break;
    case 'x': inside = isxdigit(c); break;
    case 'z': inside = c == 0; break;
    default: return c == class;
    }
    return isupper(class) ? !inside : inside;
}

/* [...], from the character after the bracket (and ^) to `end`, the closing bracket. */
static bool in_set(unsigned char c, const char *set, const char *end) {
    while (set < end) {
        if (*set == '%') {
            if (in_class(c, (unsigned char)set[1])) {
                return true;
            }
            set += 2;
        } else if (set + 2 < end && set[1] == '-') {
            if ((unsigned char)set[0] <= c && c <= (unsigned char)set[2]) {
                return true;
            }
            set += 3;
        } else if ((unsigned char)*set++ == c) {
            return true;
        }
    }
    return false;
}

static bool matches_one(struct pattern_match *match, const struct item *item, const char *at) {
    step(match);
    if (at >= subject_end(match)) {
        return false;
    }
    unsigned char c = (unsigned char)*at;
    switch (*item->start) {
    case '.':
        return true;
    case '%':
        return in_class(c, (unsigned char)item->start[1]);
    case '[': {
        bool negated = item->start[1] == '^';
        steps(match, (size_t)(item->end - item->start));
        return in_set(c, item->start + 1 + negated, item->end - 1) != negated;
    }
    default:
        return c == (unsigned char)*item->start;
    }
}

/* The end of the class that begins at `pattern`. A bracket right after the opening one stands for itself. */
static const char *class_end(struct pattern_match *match, const char *pattern) {
    const char *end = match->pattern_end;
    if (*pattern == '%') {
        if (pattern + 1 >= end) {
            luaL_error(match->lua, "malformed pattern (ends with '%%')");
        }
        return pattern + 2;
    }
    if (*pattern++ != '[') {
        return pattern;
    }
    pattern += pattern < end && *pattern == '^';
    for (bool first = true; first || pattern >= end || *pattern != ']'; first = false) {
        step(match);
        pattern += pattern < end && *pattern == '%' ? 2 : 1;
        if (pattern >= end) {
            luaL_error(match->lua, "malformed pattern (missing ']')");
        }
    }
    return pattern + 1;
}

static struct item read_item(struct pattern_match *match, const char *pattern) {
    struct item item = { .start = pattern, .end = class_end(match, pattern) };
    if (item.end < match->pattern_end && strchr("?*+-", *item.end) != NULL && *item.end != '\0') {
        item.suffix = *item.end;
    }
    return item;
}

/* ---- repetitions ---- */

/* As many as there are, then fewer and fewer, down to `least`. */
static const char *match_longest(struct pattern_match *match, const char *at, const struct item *item, ptrdiff_t least) {
    ptrdiff_t count = 0;
    while (matches_one(match, item, at + count)) {
        count++;
    }
    for (; count >= least; count--) {
        const char *end = match_here(match, at + count, item->end + 1);
        if (end != NULL) {
            return end;
        }
    }
    return NULL;
}

/* None, then more and more. */
static const char *match_shortest(struct pattern_match *match, const char *at, const struct item *item) {
    for (;;) {
        const char *end = match_here(match, at, item->end + 1);
        if (end != NULL || !matches_one(match, item, at)) {
            return end;
        }
        at++;
    }
}

/* ---- captures and what else begins with a sign ---- */

static const char *open_capture(struct pattern_match *match, const char *at, const char *pattern, ptrdiff_t mark) {
    if (match->capture_count == PATTERN_CAPTURES_MAX) {
        luaL_error(match->lua, "too many captures");
    }
    match->captures[match->capture_count++] = (struct capture){ at, mark };
    const char *end = match_here(match, at, pattern);
    if (end == NULL) {
        match->capture_count--;
    }
    return end;
}

static const char *close_capture(struct pattern_match *match, const char *at, const char *pattern) {
    int index = match->capture_count - 1;
    while (index >= 0 && match->captures[index].len != CAPTURE_OPEN) {
        index--;
    }
    if (index < 0) {
        luaL_error(match->lua, "invalid pattern capture");
    }
    match->captures[index].len = at - match->captures[index].start;
    const char *end = match_here(match, at, pattern);
    if (end == NULL) {
        match->captures[index].len = CAPTURE_OPEN;
    }
    return end;
}

/* %1 to %9: the same text as the capture took. Returns where it ends. */
static const char *match_again(struct pattern_match *match, const char *at, char digit) {
    int index = digit - '1';
    if (index < 0 || index >= match->capture_count || match->captures[index].len == CAPTURE_OPEN) {
        luaL_error(match->lua, "invalid capture index %%%d", index + 1);
    }
    const struct capture *capture = &match->captures[index];
    if (capture->len == CAPTURE_POSITION) {
        return NULL; /* a place is no text that could come again */
    }
    size_t len = (size_t)capture->len;
    script_charge(match->lua, len / 16);
    bool same = (size_t)(subject_end(match) - at) >= len && memcmp(capture->start, at, len) == 0;
    return same ? at + len : NULL;
}

/* %bxy: from an x to the y that balances it. Returns where it ends. */
static const char *match_balanced(struct pattern_match *match, const char *at, const char *pair) {
    if (pair + 1 >= match->pattern_end) {
        luaL_error(match->lua, "malformed pattern (missing arguments to '%%b')");
    }
    if (at >= subject_end(match) || *at != pair[0]) {
        return NULL;
    }
    unsigned depth = 1;
    for (at++; at < subject_end(match); at++) {
        step(match);
        if (*at == pair[1]) {
            if (--depth == 0) {
                return at + 1;
            }
        } else if (*at == pair[0]) {
            depth++;
        }
    }
    return NULL;
}

/* %f[set]: a place before which the set does not hold and at which it does. Returns the pattern after it. */
static const char *match_frontier(struct pattern_match *match, const char *at, const char *set) {
    if (set >= match->pattern_end || *set != '[') {
        luaL_error(match->lua, "missing '[' after '%%f' in pattern");
    }
    const char *end = class_end(match, set);
    bool negated = set[1] == '^';
    unsigned char before = at == match->subject.ptr ? 0 : (unsigned char)at[-1];
    unsigned char here = at < subject_end(match) ? (unsigned char)*at : 0;
    const char *first = set + 1 + negated, *last = end - 1;
    steps(match, 2 * (size_t)(end - set));
    return in_set(before, first, last) == negated && in_set(here, first, last) != negated ? end : NULL;
}

/* ---- the whole ---- */

static const char *match_item(struct pattern_match *match, const char *at, const char **pattern, bool *ret_more) {
    struct item item = read_item(match, *pattern);
    *ret_more = false;
    if (item.suffix == '*' || item.suffix == '+') {
        return match_longest(match, at, &item, item.suffix == '+');
    }
    if (item.suffix == '-') {
        return match_shortest(match, at, &item);
    }
    bool one = matches_one(match, &item, at);
    if (item.suffix == '?') {
        const char *end = one ? match_here(match, at + 1, item.end + 1) : NULL;
        if (end != NULL) {
            return end;
        }
    } else if (!one) {
        return NULL;
    }
    *ret_more = true; /* the rest goes on in the caller's loop, without a deeper call */
    *pattern = item.end + (item.suffix == '?');
    return item.suffix == '?' ? at : at + 1;
}

static const char *match_rest(struct pattern_match *match, const char *at, const char *pattern) {
    const char *end = match->pattern_end;
    while (at != NULL && pattern < end) {
        step(match);
        char next = pattern + 1 < end ? pattern[1] : '\0';
        if (*pattern == '(') {
            return next == ')' ? open_capture(match, at, pattern + 2, CAPTURE_POSITION)
                               : open_capture(match, at, pattern + 1, CAPTURE_OPEN);
        }
        if (*pattern == ')') {
            return close_capture(match, at, pattern + 1);
        }
        if (*pattern == '$' && pattern + 1 == end) {
            return at == subject_end(match) ? at : NULL;
        }
        if (*pattern == '%' && next == 'b') {
            at = match_balanced(match, at, pattern + 2);
            pattern += 4;
        } else if (*pattern == '%' && next == 'f') {
            pattern = match_frontier(match, at, pattern + 2);
            if (pattern == NULL) {
                return NULL;
            }
        } else if (*pattern == '%' && isdigit((unsigned char)next)) {
            at = match_again(match, at, next);
            pattern += 2;
        } else {
            bool more;
            at = match_item(match, at, &pattern, &more);
            if (!more) {
                return at;
            }
        }
    }
    return at;
}

static const char *match_here(struct pattern_match *match, const char *at, const char *pattern) {
    if (++match->depth > DEPTH_MAX) {
        luaL_error(match->lua, "pattern too complex");
    }
    const char *end = match_rest(match, at, pattern);
    match->depth--;
    return end;
}

const char *pattern_at(struct pattern_match *match, const char *at, const char *pattern) {
    match->capture_count = 0;
    match->depth = 0;
    return match_here(match, at, pattern);
}
