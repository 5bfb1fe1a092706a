/* Patterns over texts from outside: our matcher, which ends, finds what Lua's own finds (script/pattern.h), unless it ends
 * because that would take too long.
 *
 *   which function (of `words`), and where it starts
 *   the pattern
 *   the replacement, of gsub
 *   the text */
#include "script/script.h"

#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>
#include <stdlib.h>

#include "base/buffer.h"
#include "fuzz.h"

#define RESULTS_MAX 40 /* captures, and more than there are */
#define WORDS_MAX ((size_t)1 << 22)

/* The same on both sides: text, pattern, replacement, start. */
static const struct {
    const char *name, *source;
} words[] = {
    { "find", "return function(s, p, r, i) return string.find(s, p, i) end" },
    { "plain", "return function(s, p, r, i) return string.find(s, p, i, true) end" },
    { "match", "return function(s, p, r, i) return string.match(s, p, i) end" },
    { "gmatch", "return function(s, p, r, i) local t = {}\n"
                "  for a, b in string.gmatch(s, p, i) do t[#t + 1] = tostring(a) .. '|' .. tostring(b) end\n"
                "  return table.concat(t, ';') end" },
    { "gsub", "return function(s, p, r, i) return string.gsub(s, p, r, i ~= 1 and i or nil) end" },
    { "asked", "return function(s, p, r, i) return string.gsub(s, p, function(a, b)\n"
               "  if a ~= r then return tostring(a) .. '<' .. tostring(b) .. '>' end end) end" },
    { "looked", "return function(s, p, r, i) return string.gsub(s, p, { [r] = 'X', a = false, b = 7 }) end" },
};

static const struct script_limits limits = { .memory_max = 16 << 20, .instructions_max = 20000 };
static struct script *script;
static lua_State *theirs;
static int our_functions[ARRAY_SIZE(words)], their_functions[ARRAY_SIZE(words)];

static void close_all(void) {
    script_free(script);
    lua_close(theirs);
}

void fuzz_begin(void) {
    struct fault fault = { .err = OK };
    fuzz_hold(script_new(&limits, &script) == OK);
    theirs = luaL_newstate();
    luaL_openlibs(theirs);
    fuzz_hold(lua_checkstack(theirs, 2 * RESULTS_MAX) && lua_checkstack(script_lua(script), 2 * RESULTS_MAX));
    for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
        int count = 0;
        fuzz_hold(script_run(script, words[i].name, text_of(words[i].source), &count, &fault) == OK && count == 1, "%s",
                  fault.message);
        our_functions[i] = luaL_ref(script_lua(script), LUA_REGISTRYINDEX);
        fuzz_hold(luaL_dostring(theirs, words[i].source) == LUA_OK);
        their_functions[i] = luaL_ref(theirs, LUA_REGISTRYINDEX);
    }
    atexit(close_all);
}

void fuzz_seeds(void) {
    static const char *const seeds[] = {
        "find 1\n(%a+)%s*=%s*(%d+)\n\nkey = 42; other=7",
        "find -3\nb()\n\naab",
        "plain 2\n.+\n\na.+b",
        "match 1\n^%[([^%]]*)%]$\n\n[x]",
        "match 1\n%b()\n\nf(a(b)c) d",
        "match 1\n%f[%w]%w+\n\n  THE (quick) fox",
        "match 1\n(a*(.)%w(%s*))\n\naaxb  ",
        "match 1\n(.)%1\n\nhello",
        "match 1\n[%-a-z0-9_]+-?\n\n--ab-9",
        "match 1\n[]]\n\na]",
        "match 1\n%\n\na",
        "gmatch 1\n(%w+)=(%w*)\n\na=b, c=, =d",
        "gmatch 3\n%d*\n\nab12c",
        "gsub 1\n(%w)(%w)\n%2%1%%%0\nhello",
        "gsub 2\n^a\nb\naaa",
        "gsub 1\n\n-\nabc",
        "asked 1\n.-b\nab\nabaab",
        "looked 1\n%a\nc\nabcd",
        "match 1\n.-.-.-.-.-.-b\n\naaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
        NULL,
    };
    fuzz_seed_list("pattern", seeds);
}

struct question {
    struct text subject, pattern, replacement;
    lua_Integer start;
};

static void push(lua_State *lua, const struct question *question) {
    lua_pushlstring(lua, question->subject.ptr, question->subject.len);
    lua_pushlstring(lua, question->pattern.ptr, question->pattern.len);
    lua_pushlstring(lua, question->replacement.ptr, question->replacement.len);
    lua_pushinteger(lua, question->start);
}

/* The values above `bottom`, in words. */
static void take(lua_State *lua, int bottom, struct buffer *ret) {
    for (int i = bottom + 1; i <= lua_gettop(lua); i++) {
        size_t len;
        const char *value = luaL_tolstring(lua, i, &len);
        buffer_printf(ret, "%s %zu:", luaL_typename(lua, i), len);
        buffer_put(ret, (struct text){ value, len });
        lua_pop(lua, 1);
    }
    lua_settop(lua, bottom);
}

/* script_call leaves as many values as it is told: nils behind those that there are. */
static enum err ask_ours(size_t which, const struct question *question, struct buffer *ret, struct fault *fault) {
    lua_State *lua = script_lua(script);
    int bottom = lua_gettop(lua);
    lua_rawgeti(lua, LUA_REGISTRYINDEX, our_functions[which]);
    push(lua, question);
    enum err err = script_call(script, 4, RESULTS_MAX, fault);
    take(lua, bottom, ret);
    return err;
}

static bool ask_theirs(size_t which, const struct question *question, struct buffer *ret) {
    int bottom = lua_gettop(theirs);
    lua_rawgeti(theirs, LUA_REGISTRYINDEX, their_functions[which]);
    push(theirs, question);
    if (lua_pcall(theirs, 4, RESULTS_MAX, 0) != LUA_OK) {
        buffer_put(ret, text_of(lua_tostring(theirs, -1)));
        lua_settop(theirs, bottom);
        return false;
    }
    take(theirs, bottom, ret);
    return true;
}

/* Limits of our own, which Lua's does not have. */
static bool is_limit(const struct fault *fault) {
    static const char *const words_of_limits[] = { "too complex", "takes too long", "too much memory" };
    for (size_t i = 0; i < ARRAY_SIZE(words_of_limits); i++) {
        if (strstr(fault->message, words_of_limits[i]) != NULL) {
            return true;
        }
    }
    return false;
}

static void compare(size_t which, const struct question *question) {
    struct buffer ours, others;
    struct fault fault = { .err = OK };
    buffer_init(&ours, WORDS_MAX);
    buffer_init(&others, WORDS_MAX);
    enum err err = ask_ours(which, question, &ours, &fault);
    if (err != OK) {
        fuzz_hold_fault(err, &fault);
    }
    if (err == OK || !is_limit(&fault)) {
        bool good = ask_theirs(which, question, &others);
        fuzz_hold(good == (err == OK), "ours: %s; theirs: %.*s", fault.message, TEXT_ARG(buffer_text(&others)));
        fuzz_hold(!good || text_equal(buffer_text(&ours), buffer_text(&others)), "\n%.*s\n%.*s",
                  TEXT_ARG(buffer_text(&ours)), TEXT_ARG(buffer_text(&others)));
    }
    buffer_fini(&others);
    buffer_fini(&ours);
}

void fuzz_one(struct text input) {
    struct text first = fuzz_line(&input), name = text_cut(&first, ' ');
    struct question question = { .pattern = fuzz_line(&input), .replacement = fuzz_line(&input) };
    int64_t start = 1;
    question.subject = input;
    question.start = text_to_i64(first, &start) ? (lua_Integer)start : 1;
    for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
        if (text_equal(name, text_of(words[i].name))) {
            compare(i, &question);
        }
    }
}
