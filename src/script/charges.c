/* Functions of the libraries that can run for long inside C, where the instruction hook does not look: each takes from the
 * budget what its arguments make it do. What single instructions do at length, such as `==` of long texts, is left to
 * the hook's clock. */
#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>

#include "script/state.h"

#define BYTES_PER_INSTRUCTION 16
#define VALUES_PER_INSTRUCTION 8

/* Without lua_tolstring, which would turn a number into a text under the function's hands. */
static size_t text_length(lua_State *lua, int index) {
    return lua_type(lua, index) == LUA_TSTRING ? lua_rawlen(lua, index) : 0;
}

static size_t list_length(lua_State *lua, int index) {
    return lua_type(lua, index) == LUA_TTABLE ? lua_rawlen(lua, index) : 0;
}

/* ---- by the count of values, or by the length of texts ---- */

static int count_values(lua_State *lua) {
    int given = lua_gettop(lua), got = sandbox_call_original(lua);
    script_charge(lua, ((uint64_t)given + (uint64_t)got) / VALUES_PER_INSTRUCTION);
    return got;
}

static int count_first_text(lua_State *lua) {
    script_charge(lua, text_length(lua, 1) / BYTES_PER_INSTRUCTION);
    return sandbox_call_original(lua);
}

static int count_texts(lua_State *lua) {
    size_t length = 0;
    for (int i = lua_gettop(lua); i > 0; i--) {
        length += text_length(lua, i);
    }
    script_charge(lua, length / BYTES_PER_INSTRUCTION);
    return sandbox_call_original(lua);
}

/* ---- string and utf8 ---- */

/* string.rep("", n) would count to n in C. */
static int string_repeat(lua_State *lua) {
    luaL_checkstring(lua, 1);
    luaL_optstring(lua, 3, "");
    if (luaL_checkinteger(lua, 2) > 0 && text_length(lua, 1) == 0 && text_length(lua, 3) == 0) {
        lua_pushliteral(lua, "");
        return 1;
    }
    return sandbox_call_original(lua);
}

/* Not the whole text: a loop that goes on by a character a time is cheap. */
static int utf8_offset(lua_State *lua) {
    lua_Integer characters = lua_tointeger(lua, 2);
    uint64_t distance = characters < 0 ? -(uint64_t)characters : (uint64_t)characters;
    size_t length = text_length(lua, 1);
    script_charge(lua, (distance < length ? distance : length) / BYTES_PER_INSTRUCTION);
    return sandbox_call_original(lua);
}

/* ---- table ---- */

static void charge_from(lua_State *lua, lua_Integer position) {
    size_t length = list_length(lua, 1);
    if (position > 0 && (size_t)position <= length) {
        script_charge(lua, length - (size_t)position);
    }
}

/* With a position, all behind it move by one; without, nothing does. */
static int table_insert(lua_State *lua) {
    if (lua_gettop(lua) == 3) {
        charge_from(lua, lua_tointeger(lua, 2));
    }
    return sandbox_call_original(lua);
}

static int table_remove(lua_State *lua) {
    charge_from(lua, lua_tointeger(lua, 2));
    return sandbox_call_original(lua);
}

/* table.move would walk any distance through nothing. */
static int table_move(lua_State *lua) {
    lua_Integer first = luaL_checkinteger(lua, 2), last = luaL_checkinteger(lua, 3);
    if (last >= first) {
        script_charge(lua, (uint64_t)last - (uint64_t)first);
    }
    return sandbox_call_original(lua);
}

/* The texts it joins are new memory, which counts anyway; that there may be nothing in them does not. */
static int table_concat(lua_State *lua) {
    lua_Integer first = luaL_optinteger(lua, 3, 1), last = luaL_optinteger(lua, 4, (lua_Integer)list_length(lua, 1));
    if (last >= first) {
        script_charge(lua, (uint64_t)last - (uint64_t)first);
    }
    return sandbox_call_original(lua);
}

/* n log n comparisons, each of which may read the whole of a text. */
static int table_sort(lua_State *lua) {
    size_t length = list_length(lua, 1), work = length, rounds = 1;
    for (size_t i = 1; i <= length; i++) {
        lua_rawgeti(lua, 1, (lua_Integer)i);
        work += text_length(lua, -1) / BYTES_PER_INSTRUCTION;
        lua_pop(lua, 1);
    }
    for (size_t rest = length; rest > 1; rest /= 2) {
        rounds++;
    }
    script_charge(lua, (uint64_t)work * rounds);
    return sandbox_call_original(lua);
}

void charges_open(lua_State *lua, const char *library) {
    static const struct {
        const char *library, *name;
        lua_CFunction function;
    } charged[] = {
        { LUA_GNAME, "select", count_values },
        { LUA_GNAME, "tonumber", count_texts },
        { LUA_STRLIBNAME, "byte", count_values },
        { LUA_STRLIBNAME, "char", count_values },
        { LUA_STRLIBNAME, "format", count_texts },
        { LUA_STRLIBNAME, "pack", count_first_text },
        { LUA_STRLIBNAME, "packsize", count_first_text },
        { LUA_STRLIBNAME, "rep", string_repeat },
        { LUA_STRLIBNAME, "unpack", count_first_text },
        { LUA_TABLIBNAME, "concat", table_concat },
        { LUA_TABLIBNAME, "insert", table_insert },
        { LUA_TABLIBNAME, "move", table_move },
        { LUA_TABLIBNAME, "remove", table_remove },
        { LUA_TABLIBNAME, "sort", table_sort },
        { LUA_TABLIBNAME, "unpack", count_values },
        { LUA_MATHLIBNAME, "max", count_values },
        { LUA_MATHLIBNAME, "min", count_values },
        { LUA_UTF8LIBNAME, "char", count_values },
        { LUA_UTF8LIBNAME, "codepoint", count_values },
        { LUA_UTF8LIBNAME, "len", count_first_text },
        { LUA_UTF8LIBNAME, "offset", utf8_offset },
    };
    for (size_t i = 0; i < ARRAY_SIZE(charged); i++) {
        if (strcmp(charged[i].library, library) == 0) {
            sandbox_wrap(lua, charged[i].name, charged[i].function);
        }
    }
}
