/* string.find, match, gmatch and gsub over our own matcher, with the manual's meaning. */
#include <lauxlib.h>
#include <lua.h>

#include "script/pattern.h"
#include "script/state.h"

static struct text check_text(lua_State *lua, int index) {
    struct text t;
    t.ptr = luaL_checklstring(lua, index, &t.len);
    return t;
}

/* A start position as an offset; negative ones count from the end. */
static size_t offset_of(lua_Integer position, size_t len) {
    if (position > 0) {
        return (size_t)position - 1;
    }
    return position == 0 || position < -(lua_Integer)len ? 0 : len - (size_t)(-position);
}

/* ---- captures as Lua values ---- */

/* Capture `index` from 0; where the pattern has none, 0 is the whole match. */
static void push_capture(struct pattern_match *match, int index, const char *start, const char *end) {
    lua_State *lua = match->lua;
    if (index >= match->capture_count) {
        if (index > 0) {
            luaL_error(lua, "invalid capture index %%%d", index + 1);
        }
        lua_pushlstring(lua, start, (size_t)(end - start));
        return;
    }
    const struct capture *capture = &match->captures[index];
    if (capture->len == CAPTURE_OPEN) {
        luaL_error(lua, "unfinished capture");
    }
    if (capture->len == CAPTURE_POSITION) {
        lua_pushinteger(lua, capture->start - match->subject.ptr + 1);
    } else {
        lua_pushlstring(lua, capture->start, (size_t)capture->len);
    }
}

/* All captures; the whole match when there are none and `whole`. Returns how many values. */
static int push_captures(struct pattern_match *match, const char *start, const char *end, bool whole) {
    int count = match->capture_count == 0 && whole ? 1 : match->capture_count;
    luaL_checkstack(match->lua, count, "too many captures");
    for (int i = 0; i < count; i++) {
        push_capture(match, i, start, end);
    }
    return count;
}

/* ---- find and match ---- */

static bool is_plain(struct text pattern) {
    for (size_t i = 0; i < pattern.len; i++) {
        if (pattern.ptr[i] != '\0' && strchr("^$*+?.([%-", pattern.ptr[i]) != NULL) {
            return false;
        }
    }
    return true;
}

static int find_plain(lua_State *lua, struct text subject, size_t offset, struct text pattern) {
    script_charge(lua, (subject.len - offset) / 16);
    const char *found = memmem(subject.ptr + offset, subject.len - offset, pattern.ptr, pattern.len);
    if (found == NULL) {
        lua_pushnil(lua);
        return 1;
    }
    lua_pushinteger(lua, found - subject.ptr + 1);
    lua_pushinteger(lua, found - subject.ptr + (lua_Integer)pattern.len);
    return 2;
}

static int search(lua_State *lua, bool find) {
    struct text subject = check_text(lua, 1), pattern = check_text(lua, 2);
    size_t offset = offset_of(luaL_optinteger(lua, 3, 1), subject.len);
    if (offset > subject.len) {
        lua_pushnil(lua);
        return 1;
    }
    script_charge(lua, pattern.len / 16);
    if (find && (lua_toboolean(lua, 4) || is_plain(pattern))) {
        return find_plain(lua, subject, offset, pattern);
    }
    bool anchored = pattern.len > 0 && pattern.ptr[0] == '^';
    struct pattern_match match;
    pattern_init(&match, lua, subject, pattern);
    const char *last = subject.ptr + subject.len;
    for (const char *at = subject.ptr + offset; at <= last; at++) {
        const char *end = pattern_at(&match, at, pattern.ptr + anchored);
        if (end != NULL && !find) {
            return push_captures(&match, at, end, true);
        }
        if (end != NULL) {
            lua_pushinteger(lua, at - subject.ptr + 1);
            lua_pushinteger(lua, end - subject.ptr);
            return 2 + push_captures(&match, at, end, false);
        }
        if (anchored) {
            break;
        }
    }
    lua_pushnil(lua);
    return 1;
}

static int string_find(lua_State *lua) {
    return search(lua, true);
}

static int string_match(lua_State *lua) {
    return search(lua, false);
}

/* ---- gmatch ---- */

/* The iterator; upvalues: subject, pattern, offset to go on from, end of the last match (-1: none). */
static int next_match(lua_State *lua) {
    struct text subject, pattern;
    subject.ptr = lua_tolstring(lua, lua_upvalueindex(1), &subject.len);
    pattern.ptr = lua_tolstring(lua, lua_upvalueindex(2), &pattern.len);
    lua_Integer offset = lua_tointeger(lua, lua_upvalueindex(3)), last_end = lua_tointeger(lua, lua_upvalueindex(4));
    struct pattern_match match;
    pattern_init(&match, lua, subject, pattern);
    for (; offset <= (lua_Integer)subject.len; offset++) {
        const char *start = subject.ptr + offset;
        const char *end = pattern_at(&match, start, pattern.ptr);
        if (end != NULL && end - subject.ptr != last_end) {
            lua_pushinteger(lua, end - subject.ptr);
            lua_copy(lua, -1, lua_upvalueindex(3));
            lua_replace(lua, lua_upvalueindex(4));
            return push_captures(&match, start, end, true);
        }
    }
    lua_pushinteger(lua, offset);
    lua_replace(lua, lua_upvalueindex(3));
    return 0;
}

static int string_gmatch(lua_State *lua) {
    struct text subject = check_text(lua, 1);
    check_text(lua, 2);
    size_t offset = offset_of(luaL_optinteger(lua, 3, 1), subject.len);
    lua_settop(lua, 2);
    lua_pushinteger(lua, (lua_Integer)(offset > subject.len ? subject.len + 1 : offset));
    lua_pushinteger(lua, -1);
    lua_pushcclosure(lua, next_match, 4);
    return 1;
}

/* ---- gsub ---- */

/* The replacement text with %0 to %9 and %% filled in. */
static void add_filled_in(struct pattern_match *match, luaL_Buffer *result, const char *start, const char *end) {
    lua_State *lua = match->lua;
    struct text rest;
    rest.ptr = lua_tolstring(lua, 3, &rest.len);
    while (rest.len > 0) {
        size_t plain = text_find(rest, '%');
        luaL_addlstring(result, rest.ptr, plain);
        if (plain == rest.len) {
            return;
        }
        char next = plain + 1 < rest.len ? rest.ptr[plain + 1] : '\0';
        if (next == '%') {
            luaL_addchar(result, '%');
        } else if (next == '0') {
            luaL_addlstring(result, start, (size_t)(end - start));
        } else if (next >= '1' && next <= '9') {
            push_capture(match, next - '1', start, end);
            luaL_tolstring(lua, -1, NULL); /* a position becomes text */
            lua_remove(lua, -2);
            luaL_addvalue(result);
        } else {
            luaL_error(lua, "invalid use of '%%' in replacement string");
        }
        rest = (struct text){ rest.ptr + plain + 2, rest.len - plain - 2 };
    }
}

/* What a table or a function says; nil and false leave the match as it is. */
static void add_looked_up(struct pattern_match *match, luaL_Buffer *result, const char *start, const char *end) {
    lua_State *lua = match->lua;
    if (lua_istable(lua, 3)) {
        push_capture(match, 0, start, end);
        lua_gettable(lua, 3);
    } else {
        lua_pushvalue(lua, 3);
        lua_call(lua, push_captures(match, start, end, true), 1);
    }
    if (!lua_toboolean(lua, -1)) {
        lua_pop(lua, 1);
        luaL_addlstring(result, start, (size_t)(end - start));
    } else if (lua_isstring(lua, -1)) {
        luaL_addvalue(result);
    } else {
        luaL_error(lua, "invalid replacement value (a %s)", luaL_typename(lua, -1));
    }
}

static int string_gsub(lua_State *lua) {
    struct text subject = check_text(lua, 1), pattern = check_text(lua, 2);
    int kind = lua_type(lua, 3);
    luaL_argexpected(lua, kind == LUA_TNUMBER || kind == LUA_TSTRING || kind == LUA_TFUNCTION || kind == LUA_TTABLE, 3,
                     "string/function/table");
    lua_Integer most = luaL_optinteger(lua, 4, (lua_Integer)subject.len + 1), count = 0;
    bool anchored = pattern.len > 0 && pattern.ptr[0] == '^', by_text = kind == LUA_TNUMBER || kind == LUA_TSTRING;
    struct pattern_match match;
    pattern_init(&match, lua, subject, pattern);
    luaL_Buffer result;
    luaL_buffinit(lua, &result);
    const char *at = subject.ptr, *last = subject.ptr + subject.len, *last_end = NULL;
    while (count < most) {
        const char *end = pattern_at(&match, at, pattern.ptr + anchored);
        if (end != NULL && end != last_end) {
            count++;
            (by_text ? add_filled_in : add_looked_up)(&match, &result, at, end);
            at = last_end = end;
        } else if (at < last) {
            luaL_addchar(&result, *at++);
        } else {
            break;
        }
        if (anchored) {
            break;
        }
    }
    luaL_addlstring(&result, at, (size_t)(last - at));
    luaL_pushresult(&result);
    lua_pushinteger(lua, count);
    return 2;
}

void string_words_open(lua_State *lua) {
    static const luaL_Reg words[] = {
        { "find", string_find }, { "match", string_match }, { "gmatch", string_gmatch }, { "gsub", string_gsub }, { NULL, NULL },
    };
    luaL_setfuncs(lua, words, 0);
}
