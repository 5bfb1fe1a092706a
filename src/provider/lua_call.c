/* Calling kept Lua functions with JSON arguments. */
#include "provider/lua_call.h"

#include <assert.h>
#include <jansson.h>
#include <lauxlib.h>
#include <lua.h>

#include "base/json.h"
#include "catalog/catalog.h"
#include "script/script.h"

/* Runs inside the protected call: building the arguments may raise, as the function itself may. */
static int call_protected(lua_State *lua) {
    const struct lua_call *call = lua_touserdata(lua, 1);
    luaL_checkstack(lua, LUA_CALL_ARGUMENTS_MAX + 4, "arguments");
    lua_rawgeti(lua, LUA_REGISTRYINDEX, call->function);
    for (unsigned i = 0; i < call->argument_count; i++) {
        if (call->arguments[i] == NULL) {
            lua_pushnil(lua);
        } else if (call->lazy) {
            script_push_lazy(lua, call->arguments[i]);
        } else {
            script_push_json(lua, call->arguments[i]);
        }
    }
    lua_call(lua, (int)call->argument_count, call->results);
    return call->results;
}

enum err lua_call_run(struct script *script, const struct lua_call *call, struct fault *fault) {
    assert(call->function != LUA_NONE && call->argument_count <= LUA_CALL_ARGUMENTS_MAX);
    lua_State *lua = script_lua(script);
    lua_pushcfunction(lua, call_protected);
    lua_pushlightuserdata(lua, (void *)(uintptr_t)call);
    return script_call(script, 1, call->results, fault);
}

static enum err call_json(struct script *script, const struct lua_call *call, struct json_t **ret, struct fault *fault) {
    enum err err = lua_call_run(script, call, fault);
    if (err != OK) {
        return err;
    }
    lua_State *lua = script_lua(script);
    json_t *value = NULL;
    if (lua_isnil(lua, -1)) {
        value = json_null();
    } else {
        struct fault inner = { 0 };
        err = script_to_json(lua, -1, &value, &inner);
        if (err != OK) {
            char where[LUA_WHERE_SIZE];
            lua_call_where(script, call->function, where);
            (void)fault_set(fault, err, "%s: the value returned is not JSON: %s", where, inner.message);
        }
    }
    lua_pop(lua, 1);
    if (err == OK) {
        *ret = value;
    }
    return err;
}

enum err lua_call_json(struct script *script, const struct lua_call *call, struct json_t **ret, struct fault *fault) {
    assert(call->results == 1);
    unsigned before = script_lazies(script);
    enum err err = call_json(script, call, ret, fault);
    script_end_lazies(script, before);
    return err;
}

void lua_call_where(struct script *script, int function, char ret[LUA_WHERE_SIZE]) {
    lua_State *lua = script_lua(script);
    lua_Debug info;
    lua_rawgeti(lua, LUA_REGISTRYINDEX, function);
    lua_getinfo(lua, ">S", &info);
    snprintf(ret, LUA_WHERE_SIZE, "%s:%d", info.short_src, info.linedefined);
}
