/* Lua's patterns, matched within a bound of work; for this folder alone. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/text.h"

struct lua_State;

#define PATTERN_CAPTURES_MAX 32

/* What a pair of parentheses took; `len` may be one of the marks below. */
#define CAPTURE_OPEN (-1)     /* its closing parenthesis was not met yet */
#define CAPTURE_POSITION (-2) /* (): the place alone */
struct capture {
    const char *start;
    ptrdiff_t len;
};

struct pattern_match {
    struct lua_State *lua;
    struct text subject;
    const char *pattern_end;
    struct capture captures[PATTERN_CAPTURES_MAX];
    int capture_count;
    int depth;
    size_t steps; /* not yet charged to the running call's budget */
};

void pattern_init(struct pattern_match *match, struct lua_State *lua, struct text subject, struct text pattern);
/* The end of what `pattern` matches beginning exactly at `at`; NULL when it does not. A pattern that is not valid, or
 * work beyond the budget, is a Lua error. */
const char *pattern_at(struct pattern_match *match, const char *at, const char *pattern);
