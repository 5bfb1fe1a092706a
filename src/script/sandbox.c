/* What scripts may see. The libraries are shown through empty tables that only read, so no file can change them for
 * another; functions that could run for long inside C charge the budget (charges.c). */
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

int sandbox_call_original(lua_State *lua) {
    lua_pushvalue(lua, lua_upvalueindex(1));
    lua_insert(lua, 1);
    lua_call(lua, lua_gettop(lua) - 1, LUA_MULTRET);
    return lua_gettop(lua);
}

/* next looks at a table itself, whatever its metatable says. */
static int next_member(lua_State *lua) {
    luaL_checktype(lua, 1, LUA_TTABLE);
    lazy_make(lua, 1);
    return sandbox_call_original(lua);
}

static int refuse_change(lua_State *lua) {
    return luaL_error(lua, "`%s` cannot be changed", lua_tostring(lua, lua_upvalueindex(1)));
}

void sandbox_wrap(lua_State *lua, const char *name, lua_CFunction wrapper) {
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
        string_words_open(lua);
    } else if (open == luaopen_math) {
        drop(lua, "random");
        drop(lua, "randomseed");
    }
    charges_open(lua, name);
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
    sandbox_wrap(lua, "next", next_member);
    charges_open(lua, LUA_GNAME);
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
