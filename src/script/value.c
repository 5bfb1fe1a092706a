/* JSON values to Lua and back. An array is a table with the array metatable, or one whose keys are 1 to n. */
#include <jansson.h>
#include <lauxlib.h>
#include <lua.h>
#include <math.h>

#include "base/json.h"
#include "script/lazy.h"
#include "script/state.h"

#define DEPTH_MAX 64

static const char array_key; /* registry: the metatable that marks an array */
static const char null_marker; /* its address is the value null */

void script_push_null(lua_State *lua) {
    lua_pushlightuserdata(lua, (void *)&null_marker);
}

bool script_is_null(lua_State *lua, int index) {
    return lua_touserdata(lua, index) == (const void *)&null_marker;
}

void script_mark_array(lua_State *lua) {
    lua_rawgetp(lua, LUA_REGISTRYINDEX, &array_key);
    lua_setmetatable(lua, -2);
}

bool value_has_metatable(lua_State *lua, int index, const void *key) {
    if (!lua_getmetatable(lua, index)) {
        return false;
    }
    lua_rawgetp(lua, LUA_REGISTRYINDEX, key);
    bool same = lua_rawequal(lua, -1, -2);
    lua_pop(lua, 2);
    return same;
}

static bool is_marked_array(lua_State *lua, int index) {
    return value_has_metatable(lua, index, &array_key);
}

static int make_array(lua_State *lua) {
    luaL_checktype(lua, 1, LUA_TTABLE);
    luaL_argcheck(lua, !lua_getmetatable(lua, 1) || is_marked_array(lua, 1), 1, "a plain table expected");
    lua_settop(lua, 1);
    script_mark_array(lua);
    return 1;
}

void value_open(lua_State *lua) {
    lua_createtable(lua, 0, 1);
    lua_pushboolean(lua, 0);
    lua_setfield(lua, -2, "__metatable");
    lua_rawsetp(lua, LUA_REGISTRYINDEX, &array_key);
    lua_pushcfunction(lua, make_array);
    lua_setglobal(lua, "array");
    script_push_null(lua);
    lua_setglobal(lua, "null");
}

/* ---- JSON to Lua ---- */

static void push_object(lua_State *lua, json_t *object) {
    lua_createtable(lua, 0, (int)json_object_size(object));
    for (void *at = json_object_iter(object); at != NULL; at = json_object_iter_next(object, at)) {
        lua_pushlstring(lua, json_object_iter_key(at), json_object_iter_key_len(at));
        script_push_json(lua, json_object_iter_value(at));
        lua_rawset(lua, -3);
    }
}

static void push_array(lua_State *lua, const json_t *array) {
    size_t size = json_array_size(array);
    lua_createtable(lua, (int)size, 0);
    for (size_t i = 0; i < size; i++) {
        script_push_json(lua, json_array_get(array, i));
        lua_rawseti(lua, -2, (lua_Integer)i + 1);
    }
    script_mark_array(lua);
}

/* Recurses as deep as the value is nested, which its reader has bounded. */
void script_push_json(lua_State *lua, const struct json_t *value) {
    luaL_checkstack(lua, 8, "JSON nested too deeply");
    switch (json_typeof(value)) {
    case JSON_OBJECT:
        push_object(lua, (json_t *)value); /* jansson's iterators take no const, and change nothing */
        break;
    case JSON_ARRAY:
        push_array(lua, value);
        break;
    case JSON_STRING:
        lua_pushlstring(lua, json_string_value(value), json_string_length(value));
        break;
    case JSON_INTEGER:
        lua_pushinteger(lua, json_integer_value(value));
        break;
    case JSON_REAL:
        lua_pushnumber(lua, json_real_value(value));
        break;
    case JSON_TRUE:
    case JSON_FALSE:
        lua_pushboolean(lua, json_is_true(value));
        break;
    case JSON_NULL:
        script_push_null(lua);
        break;
    }
}

/* ---- Lua to JSON; nothing here raises a Lua error ---- */

/* A table that stands in several places is written as often: a few small ones can make a JSON value without end. */
struct writing {
    size_t values, bytes; /* of texts */
    size_t bytes_max;
    struct fault *fault;
};

static json_t *to_json(lua_State *lua, int index, unsigned depth, struct writing *writing);

static json_t *refuse(struct writing *writing, const char *words) {
    fault_set(writing->fault, ERR_SCRIPT, "%s", words);
    return NULL;
}

static bool has_room(struct writing *writing, size_t bytes) {
    writing->bytes += bytes;
    if (++writing->values <= JSON_VALUES_MAX && writing->bytes <= writing->bytes_max) {
        return true;
    }
    refuse(writing, "what is larger than the script's memory, or has more than a million values, has no JSON form");
    return false;
}

static json_t *refuse_depth(struct writing *writing) {
    return refuse(writing, "a table nested deeper than 64 levels has no JSON form");
}

/* The same for a value that is copied whole. */
static bool has_room_for(const json_t *value, unsigned depth, struct writing *writing) {
    json_t *object = (json_t *)(uintptr_t)value;
    bool fits = has_room(writing, json_string_length(value));
    if (fits && depth >= DEPTH_MAX && (json_is_object(value) || json_is_array(value))) {
        return refuse_depth(writing) != NULL;
    }
    for (void *at = json_object_iter(object); fits && at != NULL; at = json_object_iter_next(object, at)) {
        writing->bytes += json_object_iter_key_len(at);
        fits = has_room_for(json_object_iter_value(at), depth + 1, writing);
    }
    for (size_t i = 0; fits && i < json_array_size(value); i++) {
        fits = has_room_for(json_array_get(value, i), depth + 1, writing);
    }
    return fits;
}

static json_t *number_to_json(lua_State *lua, int index, struct writing *writing) {
    if (lua_isinteger(lua, index)) {
        return json_integer(lua_tointeger(lua, index));
    }
    double number = lua_tonumber(lua, index);
    return isfinite(number) ? json_real(number) : refuse(writing, "a number that is not finite has no JSON form");
}

static json_t *string_to_json(lua_State *lua, int index, struct writing *writing) {
    size_t len;
    const char *bytes = lua_tolstring(lua, index, &len);
    if (memchr(bytes, '\0', len) != NULL || !text_is_utf8((struct text){ bytes, len })) {
        return refuse(writing, "a text that is not valid UTF-8, or holds a NUL, has no JSON form");
    }
    return json_stringn_nocheck(bytes, len);
}

/* Whether all keys of the table are 1 to n, in whatever order; *ret_count is n then. */
static bool is_sequence(lua_State *lua, int index, size_t *ret_count) {
    size_t length = lua_rawlen(lua, index), count = 0;
    for (lua_pushnil(lua); lua_next(lua, index); lua_pop(lua, 1), count++) {
        lua_Integer key = lua_isinteger(lua, -2) ? lua_tointeger(lua, -2) : 0;
        if (key < 1 || (size_t)key > length) {
            lua_pop(lua, 2);
            return false;
        }
    }
    *ret_count = count;
    return count == length;
}

static json_t *array_to_json(lua_State *lua, int index, size_t count, unsigned depth, struct writing *writing) {
    json_t *array = json_array();
    for (size_t i = 0; i < count; i++) {
        lua_rawgeti(lua, index, (lua_Integer)i + 1);
        json_t *element = to_json(lua, lua_gettop(lua), depth + 1, writing);
        lua_pop(lua, 1);
        if (element == NULL || json_array_append_new(array, element) != 0) {
            json_decref(array);
            return NULL;
        }
    }
    return array;
}

/* What no script has looked at of the table at `index`. */
static bool put_rest(lua_State *lua, int index, json_t *object, unsigned depth, struct writing *writing) {
    for (void *at = lazy_next_rest(lua, index, NULL); at != NULL; at = lazy_next_rest(lua, index, at)) {
        json_t *value = json_object_iter_value(at);
        writing->bytes += json_object_iter_key_len(at);
        if (!has_room_for(value, depth + 1, writing) ||
            json_object_setn_new_nocheck(object, json_object_iter_key(at), json_object_iter_key_len(at),
                                         json_deep_copy(value)) != 0) {
            return false;
        }
    }
    return true;
}

static json_t *object_to_json(lua_State *lua, int index, unsigned depth, struct writing *writing) {
    json_t *object = json_object();
    for (lua_pushnil(lua); lua_next(lua, index); lua_pop(lua, 1)) {
        json_t *value = NULL;
        size_t len = 0;
        const char *key = lua_type(lua, -2) == LUA_TSTRING ? lua_tolstring(lua, -2, &len) : NULL;
        if (key == NULL || memchr(key, '\0', len) != NULL || !text_is_utf8((struct text){ key, len })) {
            refuse(writing, "a table must be a list, or have texts as keys, to have a JSON form");
        } else {
            writing->bytes += len;
            value = to_json(lua, lua_gettop(lua), depth + 1, writing);
        }
        if (value == NULL || json_object_setn_new_nocheck(object, key, len, value) != 0) {
            lua_pop(lua, 2);
            json_decref(object);
            return NULL;
        }
    }
    if (!put_rest(lua, index, object, depth, writing)) {
        json_decref(object);
        return NULL;
    }
    return object;
}

static json_t *table_to_json(lua_State *lua, int index, unsigned depth, struct writing *writing) {
    if (depth >= DEPTH_MAX || !lua_checkstack(lua, 8)) {
        return refuse_depth(writing);
    }
    size_t count = 0;
    bool sequence = is_sequence(lua, index, &count);
    bool marked = is_marked_array(lua, index);
    if (marked && !sequence) {
        return refuse(writing, "an array has a gap or a key that is no position");
    }
    return marked || (sequence && count > 0) ? array_to_json(lua, index, count, depth, writing)
                                             : object_to_json(lua, index, depth, writing);
}

static json_t *to_json(lua_State *lua, int index, unsigned depth, struct writing *writing) {
    if (!has_room(writing, lua_type(lua, index) == LUA_TSTRING ? lua_rawlen(lua, index) : 0)) {
        return NULL;
    }
    switch (lua_type(lua, index)) {
    case LUA_TNIL:
        return json_null();
    case LUA_TBOOLEAN:
        return json_boolean(lua_toboolean(lua, index));
    case LUA_TNUMBER:
        return number_to_json(lua, index, writing);
    case LUA_TSTRING:
        return string_to_json(lua, index, writing);
    case LUA_TTABLE:
        return table_to_json(lua, index, depth, writing);
    default:
        return script_is_null(lua, index) ? json_null() : refuse(writing, "a function has no JSON form");
    }
}

enum err script_to_json(lua_State *lua, int index, struct json_t **ret, struct fault *fault) {
    struct fault why = { .err = ERR_NO_MEMORY };
    struct writing writing = { .bytes_max = script_of(lua)->memory_max, .fault = &why };
    json_t *value = lua_checkstack(lua, 8) ? to_json(lua, lua_absindex(lua, index), 0, &writing) : NULL;
    if (value == NULL) {
        if (fault != NULL) {
            *fault = why;
        }
        return why.err;
    }
    *ret = value;
    return OK;
}
