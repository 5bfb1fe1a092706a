/* What scripts may see. The libraries are shown through empty tables that only read, so no file can change them for
 * another; functions that could run for long inside C, where the instruction hook does not look, charge the budget. */
#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>

#include "script/lazy.h"
#include "script/state.h"

#define ENVIRONMENT "fennec.environment" /* registry: the metatable of all environments */

/* pcall as scripts know it, except that it cannot catch the end of budget or memory. */
static int protected_call(lua_State *lua) {
    luaL_checkany(lua, 1);
    int status = lua_pcall(lua, lua_gettop(lua) - 1, LUA_MULTRET, 0);
    struct script *script = script_of(lua);
    if (status == LUA_ERRMEM) {
        script->exhausted = EXHAUSTED_MEMORY;
    }
    if (script->exhausted != EXHAUSTED_NOT) {
        return lua_error(lua);
    }
    lua_pushboolean(lua, status == LUA_OK);
    lua_insert(lua, 1);
    return lua_gettop(lua);
}

/* Calls the library's own function, kept as upvalue 1, with all arguments. */
static int call_original(lua_State *lua) {
    lua_pushvalue(lua, lua_upvalueindex(1));
    lua_insert(lua, 1);
    lua_call(lua, lua_gettop(lua) - 1, LUA_MULTRET);
    return lua_gettop(lua);
}

static size_t string_length(lua_State *lua, int index) {
    size_t len = 0;
    luaL_optlstring(lua, index, "", &len);
    return len;
}

/* string.rep("", n) would count to n in C. */
static int string_repeat(lua_State *lua) {
    luaL_checkstring(lua, 1);
    if (luaL_checkinteger(lua, 2) > 0 && string_length(lua, 1) == 0 && string_length(lua, 3) == 0) {
        lua_pushliteral(lua, "");
        return 1;
    }
    return call_original(lua);
}

/* table.move would walk any distance through nothing. */
static int table_move(lua_State *lua) {
    lua_Integer first = luaL_checkinteger(lua, 2), last = luaL_checkinteger(lua, 3);
    if (last >= first) {
        script_charge(lua, (uint64_t)last - (uint64_t)first);
    }
    return call_original(lua);
}

/* next looks at a table itself, whatever its metatable says. */
static int next_member(lua_State *lua) {
    luaL_checktype(lua, 1, LUA_TTABLE);
    lazy_make(lua, 1);
    return call_original(lua);
}

static int refuse_change(lua_State *lua) {
    return luaL_error(lua, "`%s` cannot be changed", lua_tostring(lua, lua_upvalueindex(1)));
}

/* Replaces the function `name` of the table on top by `wrapper`, which finds the original in its upvalue. */
static void wrap(lua_State *lua, const char *name, lua_CFunction wrapper) {
    lua_getfield(lua, -1, name);
    lua_pushcclosure(lua, wrapper, 1);
    lua_setfield(lua, -2, name);
}

static void drop(lua_State *lua, const char *name) {
    lua_pushnil(lua);
    lua_setfield(lua, -2, name);
}

/* Opens a library and gives it, behind a table that only reads, the global name `name`. */
static void show_library(lua_State *lua, const char *name, lua_CFunction open) {
    luaL_requiref(lua, name, open, 0);
    if (open == luaopen_string) {
        drop(lua, "dump");
        wrap(lua, "rep", string_repeat);
        string_words_open(lua);
    } else if (open == luaopen_table) {
        wrap(lua, "move", table_move);
    } else if (open == luaopen_math) {
        drop(lua, "random");
        drop(lua, "randomseed");
    }
    lua_newtable(lua);
    lua_createtable(lua, 0, 3);
    lua_pushvalue(lua, -3);
    lua_setfield(lua, -2, "__index");
    lua_pushstring(lua, name);
    lua_pushcclosure(lua, refuse_change, 1);
    lua_setfield(lua, -2, "__newindex");
    lua_pushboolean(lua, 0);
    lua_setfield(lua, -2, "__metatable");
    lua_setmetatable(lua, -2);
    lua_setglobal(lua, name);
    lua_pop(lua, 1);
}

/* The basics are taken from the standard base library by name; everything else in it is dropped. */
static void show_basics(lua_State *lua) {
    static const char *const names[] = { "assert", "error",    "ipairs",   "next", "pairs",
                                         "select", "tonumber", "tostring", "type" };
    luaL_requiref(lua, "_G", luaopen_base, 0);
    lua_newtable(lua);
    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        lua_getfield(lua, -2, names[i]);
        lua_setfield(lua, -2, names[i]);
    }
    lua_pushcfunction(lua, protected_call);
    lua_setfield(lua, -2, "pcall");
    wrap(lua, "next", next_member);
    lua_rawseti(lua, LUA_REGISTRYINDEX, LUA_RIDX_GLOBALS);
    lua_pop(lua, 1);
}

/* A name that the file itself did not assign: a global, or a mistake. */
static int find_global(lua_State *lua) {
    lua_pushglobaltable(lua);
    lua_pushvalue(lua, 2);
    if (lua_rawget(lua, -2) == LUA_TNIL) {
        return luaL_error(lua, "unknown name `%s`", luaL_tolstring(lua, 2, NULL));
    }
    return 1;
}

int sandbox_open(lua_State *lua) {
    show_basics(lua);
    show_library(lua, LUA_STRLIBNAME, luaopen_string);
    show_library(lua, LUA_TABLIBNAME, luaopen_table);
    show_library(lua, LUA_MATHLIBNAME, luaopen_math);
    show_library(lua, LUA_UTF8LIBNAME, luaopen_utf8);
    lua_pushnil(lua);
    lua_setfield(lua, LUA_REGISTRYINDEX, LUA_LOADED_TABLE);
    lua_pushliteral(lua, "");
    lua_getmetatable(lua, -1);
    lua_pushboolean(lua, 0);
    lua_setfield(lua, -2, "__metatable");
    lua_createtable(lua, 0, 2);
    lua_pushcfunction(lua, find_global);
    lua_setfield(lua, -2, "__index");
    lua_pushboolean(lua, 0);
    lua_setfield(lua, -2, "__metatable");
    lua_setfield(lua, LUA_REGISTRYINDEX, ENVIRONMENT);
    value_open(lua);
    lazy_open(lua);
    return 0;
}

void sandbox_push_environment(lua_State *lua) {
    lua_newtable(lua);
    lua_getfield(lua, LUA_REGISTRYINDEX, ENVIRONMENT);
    lua_setmetatable(lua, -2);
}
