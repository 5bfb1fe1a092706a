/* The catalogue in the making: its memory, its place in the script, and reading the tables that words are given. */
#include "catalog/builder.h"

#include <jansson.h>
#include <lauxlib.h>
#include <lua.h>
#include <math.h>

#include "script/script.h"

static const char builder_key; /* its address is the registry's key of the builder */

struct catalog *builder_of(lua_State *lua) {
    lua_rawgetp(lua, LUA_REGISTRYINDEX, &builder_key);
    struct catalog **slot = lua_touserdata(lua, -1);
    lua_pop(lua, 1);
    if (slot == NULL || *slot == NULL) {
        luaL_error(lua, "the words of the model language are for loading: the catalogue is complete");
    }
    return *slot;
}

/* Only a load that failed leaves a catalogue here. */
static int collect(lua_State *lua) {
    struct catalog **slot = lua_touserdata(lua, 1);
    catalog_free(*slot);
    *slot = NULL;
    return 0;
}

struct catalog **builder_open(lua_State *lua) {
    struct catalog **slot = lua_newuserdatauv(lua, sizeof(*slot), 0);
    *slot = NULL;
    lua_createtable(lua, 0, 1);
    lua_pushcfunction(lua, collect);
    lua_setfield(lua, -2, "__gc");
    lua_setmetatable(lua, -2);
    lua_rawsetp(lua, LUA_REGISTRYINDEX, &builder_key);
    static const char *const types[] = { BUILT_PARAM, BUILT_RULE, BUILT_PRICE };
    for (size_t i = 0; i < ARRAY_SIZE(types); i++) {
        luaL_newmetatable(lua, types[i]);
        lua_pushboolean(lua, 0);
        lua_setfield(lua, -2, "__metatable");
        lua_pop(lua, 1);
    }
    return slot;
}

struct catalog *builder_close(lua_State *lua) {
    lua_rawgetp(lua, LUA_REGISTRYINDEX, &builder_key);
    struct catalog **slot = lua_touserdata(lua, -1);
    struct catalog *catalog = slot != NULL ? *slot : NULL;
    if (slot != NULL) {
        *slot = NULL;
    }
    lua_pop(lua, 1);
    return catalog;
}

void *builder_alloc(lua_State *lua, size_t size) {
    void *memory = arena_alloc(&builder_of(lua)->arena, size);
    if (memory == NULL) {
        luaL_error(lua, "the catalogue is too large");
    }
    return memory;
}

void *builder_array(lua_State *lua, size_t count, size_t size) {
    size_t total;
    if (__builtin_mul_overflow(count, size, &total)) {
        luaL_error(lua, "the catalogue is too large");
    }
    return builder_alloc(lua, total);
}

const char *builder_string(lua_State *lua, int index) {
    size_t len;
    const char *bytes = lua_tolstring(lua, index, &len);
    char *copy = builder_alloc(lua, len + 1);
    memcpy(copy, bytes, len);
    return copy;
}

const char *builder_where(lua_State *lua) {
    luaL_where(lua, 1);
    size_t len;
    const char *where = lua_tolstring(lua, -1, &len);
    struct text text = { where, len };
    while (text.len > 0 && (text.ptr[text.len - 1] == ' ' || text.ptr[text.len - 1] == ':')) {
        text.len--;
    }
    char *copy = builder_alloc(lua, text.len + 1);
    memcpy(copy, text.ptr, text.len);
    lua_pop(lua, 1);
    return copy;
}

struct json_t *builder_json(lua_State *lua, int index, const char *word, const char *option) {
    json_t *value;
    struct fault fault;
    if (script_to_json(lua, index, &value, &fault) != OK) {
        luaL_error(lua, "%s: `%s`: %s", word, option, fault.message);
    }
    if (json_array_append_new(builder_of(lua)->values, value) != 0) {
        luaL_error(lua, "the catalogue is too large");
    }
    return value;
}

void builder_push(lua_State *lua, const char *type, const void *value) {
    const void **slot = lua_newuserdatauv(lua, sizeof(*slot), 0);
    *slot = value;
    luaL_setmetatable(lua, type);
}

const void *builder_get(lua_State *lua, int index, const char *type) {
    const void **slot = luaL_testudata(lua, index, type);
    return slot != NULL ? *slot : NULL;
}
