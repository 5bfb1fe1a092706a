/* Objects that are tables at once, and whose lists and objects become tables when a script looks at them.
 *
 * An adapter is given all that is known of a job and of a reply, and most of its functions look at two or three members.
 * What such a table has not made yet it asks of the JSON value, which lives as long as the call; the script may change,
 * walk and return the table like any other. */
#include "script/lazy.h"

#include <jansson.h>
#include <lauxlib.h>
#include <lua.h>
#include <string.h>

#include "script/state.h"

static const char lazy_key; /* registry: the metatable of these tables */

static bool is_container(const json_t *value) {
    return json_is_object(value) || json_is_array(value);
}

/* What the table at `index` stands for; NULL: nothing, or its call is over. The last one counts: it is the youngest. A script
 * may let go of such a table, and its address be another one's within the same call: that has no such metatable. */
static struct lazy *lazy_of(lua_State *lua, int index) {
    struct script *script = script_of(lua);
    const void *table = lua_topointer(lua, index);
    if (script->lazy_count == 0 || !value_has_metatable(lua, index, &lazy_key)) {
        return NULL;
    }
    for (unsigned i = script->lazy_count; i > 0; i--) {
        if (script->lazies[i - 1].table == table) {
            return &script->lazies[i - 1];
        }
    }
    return NULL;
}

/* A member is made once: what the script puts in its place, or takes away, stays so. */
static bool was_made(const struct lazy *lazy, const void *at) {
    for (unsigned i = 0; i < lazy->made_count; i++) {
        if (lazy->made[i] == at) {
            return true;
        }
    }
    return false;
}

/* Makes what is not made yet of the table at `index`, which is one like any other then. May raise an error of memory. */
static void make_all(lua_State *lua, int index, struct lazy *lazy) {
    json_t *object = (json_t *)(uintptr_t)lazy->object; /* jansson's iterators take no const, and change nothing */
    for (void *at = json_object_iter(object); at != NULL; at = json_object_iter_next(object, at)) {
        if (is_container(json_object_iter_value(at)) && !was_made(lazy, at)) {
            lua_pushlstring(lua, json_object_iter_key(at), json_object_iter_key_len(at));
            script_push_json(lua, json_object_iter_value(at));
            lua_rawset(lua, index);
        }
    }
    lua_pushnil(lua);
    lua_setmetatable(lua, index);
}

void lazy_make(lua_State *lua, int index) {
    struct lazy *lazy = lua_type(lua, index) == LUA_TTABLE ? lazy_of(lua, index) : NULL;
    if (lazy != NULL) {
        make_all(lua, index, lazy);
    }
}

/* __index: the member that is not there, if it is a list or an object that was not asked for before. */
static int find_member(lua_State *lua) {
    struct lazy *lazy = lazy_of(lua, 1);
    const char *key = lua_type(lua, 2) == LUA_TSTRING ? lua_tostring(lua, 2) : NULL;
    if (lazy == NULL || key == NULL || strlen(key) != lua_rawlen(lua, 2)) {
        return 0;
    }
    const void *at = json_object_iter_at((json_t *)(uintptr_t)lazy->object, key);
    const json_t *value = at != NULL ? json_object_iter_value((void *)(uintptr_t)at) : NULL;
    if (!is_container(value) || was_made(lazy, at)) {
        return 0;
    }
    if (lazy->made_count == LAZY_MADE_MAX) {
        make_all(lua, 1, lazy);
        lua_pushvalue(lua, 2);
        lua_rawget(lua, 1);
        return 1;
    }
    script_push_json(lua, value);
    lua_pushvalue(lua, 2);
    lua_pushvalue(lua, -2);
    lua_rawset(lua, 1);
    lazy->made[lazy->made_count++] = at;
    return 1;
}

/* __newindex: a member that is not there is set; it may be one that is not made. */
static int set_member(lua_State *lua) {
    lazy_make(lua, 1);
    lua_settop(lua, 3);
    lua_rawset(lua, 1);
    return 0;
}

/* __pairs */
static int walk(lua_State *lua) {
    lazy_make(lua, 1);
    lua_getglobal(lua, "next");
    lua_pushvalue(lua, 1);
    return 2;
}

void lazy_open(lua_State *lua) {
    static const luaL_Reg metamethods[] = {
        { "__index", find_member }, { "__newindex", set_member }, { "__pairs", walk }, { NULL, NULL }
    };
    lua_createtable(lua, 0, 4);
    luaL_setfuncs(lua, metamethods, 0);
    lua_pushboolean(lua, 0);
    lua_setfield(lua, -2, "__metatable");
    lua_rawsetp(lua, LUA_REGISTRYINDEX, &lazy_key);
}

void script_push_lazy(lua_State *lua, const json_t *value) {
    struct script *script = script_of(lua);
    if (!json_is_object(value) || script->lazy_count == LAZIES_MAX) {
        script_push_json(lua, value);
        return;
    }
    json_t *object = (json_t *)(uintptr_t)value;
    luaL_checkstack(lua, 8, "JSON nested too deeply");
    lua_createtable(lua, 0, (int)json_object_size(object));
    for (void *at = json_object_iter(object); at != NULL; at = json_object_iter_next(object, at)) {
        if (!is_container(json_object_iter_value(at))) {
            lua_pushlstring(lua, json_object_iter_key(at), json_object_iter_key_len(at));
            script_push_json(lua, json_object_iter_value(at));
            lua_rawset(lua, -3);
        }
    }
    lua_rawgetp(lua, LUA_REGISTRYINDEX, &lazy_key);
    lua_setmetatable(lua, -2);
    script->lazies[script->lazy_count++] = (struct lazy){ .table = lua_topointer(lua, -1), .object = value };
}

unsigned script_lazies(const struct script *script) {
    return script->lazy_count;
}

void script_end_lazies(struct script *script, unsigned count) {
    script->lazy_count = count;
}

void *lazy_next_rest(lua_State *lua, int index, void *at) {
    const struct lazy *lazy = lazy_of(lua, index);
    if (lazy == NULL) {
        return NULL;
    }
    json_t *object = (json_t *)(uintptr_t)lazy->object;
    at = at == NULL ? json_object_iter(object) : json_object_iter_next(object, at);
    while (at != NULL && (!is_container(json_object_iter_value(at)) || was_made(lazy, at))) {
        at = json_object_iter_next(object, at);
    }
    return at;
}
