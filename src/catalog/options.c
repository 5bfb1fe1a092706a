/* Reading the table that a word of the model language is given: known names, types, bounds. */
#include <lauxlib.h>
#include <lua.h>
#include <math.h>

#include "catalog/builder.h"
#include "script/nearest.h"

void options_expect_table(lua_State *lua, const char *word, int index) {
    if (!lua_istable(lua, index)) {
        luaL_error(lua, "%s: a table is expected, as in %s{…}; got a %s", word, word, luaL_typename(lua, index));
    }
}

static bool is_known(const char *name, const char *const *known) {
    for (; *known != NULL; known++) {
        if (strcmp(name, *known) == 0) {
            return true;
        }
    }
    return false;
}

static no_return void refuse_name(lua_State *lua, const char *word, const char *name, const char *const *known) {
    const char *nearest = nearest_name(name, known);
    if (nearest != NULL) {
        luaL_error(lua, "%s: unknown option `%s`; did you mean `%s`?", word, name, nearest);
    }
    luaL_Buffer list;
    luaL_buffinit(lua, &list);
    for (size_t i = 0; known[i] != NULL; i++) {
        luaL_addstring(&list, i == 0 ? "`" : ", `");
        luaL_addstring(&list, known[i]);
        luaL_addchar(&list, '`');
    }
    luaL_pushresult(&list);
    luaL_error(lua, "%s: unknown option `%s`; known are: %s", word, name,
               known[0] != NULL ? lua_tostring(lua, -1) : "none");
    __builtin_unreachable();
}

void options_check_names(lua_State *lua, const char *word, int index, const char *const *known) {
    lua_Integer count = (lua_Integer)lua_rawlen(lua, index);
    for (lua_pushnil(lua); lua_next(lua, index); lua_pop(lua, 1)) {
        if (lua_type(lua, -2) == LUA_TSTRING) {
            const char *name = lua_tostring(lua, -2);
            if (!is_known(name, known)) {
                refuse_name(lua, word, name, known);
            }
        } else if (!lua_isinteger(lua, -2) || lua_tointeger(lua, -2) < 1 || lua_tointeger(lua, -2) > count) {
            luaL_error(lua, "%s: a %s is no name of an option", word, luaL_typename(lua, -2));
        }
    }
}

/* Pushes the option; false and nothing pushed when it is not there. */
static bool push_option(lua_State *lua, int index, const char *option) {
    if (lua_getfield(lua, index, option) != LUA_TNIL) {
        return true;
    }
    lua_pop(lua, 1);
    return false;
}

static no_return void refuse_type(lua_State *lua, const char *word, const char *option, const char *expected) {
    luaL_error(lua, "%s: `%s` must be %s, got a %s", word, option, expected, luaL_typename(lua, -1));
    __builtin_unreachable();
}

bool options_number(lua_State *lua, const char *word, int index, const char *option, double least, double most,
                    double *ret) {
    if (!push_option(lua, index, option)) {
        return false;
    }
    if (lua_type(lua, -1) != LUA_TNUMBER) {
        refuse_type(lua, word, option, "a number");
    }
    double value = lua_tonumber(lua, -1);
    if (!(value >= least && value <= most)) {
        luaL_error(lua, "%s: `%s` must be between %f and %f, got %f", word, option, least, most, value);
    }
    lua_pop(lua, 1);
    *ret = value;
    return true;
}

bool options_integer(lua_State *lua, const char *word, int index, const char *option, int64_t least, int64_t most,
                     int64_t *ret) {
    if (!push_option(lua, index, option)) {
        return false;
    }
    if (lua_type(lua, -1) != LUA_TNUMBER) {
        refuse_type(lua, word, option, "a number");
    }
    int whole;
    lua_Integer value = lua_tointegerx(lua, -1, &whole);
    if (!whole) {
        luaL_error(lua, "%s: `%s` must be a whole number, got %f", word, option, lua_tonumber(lua, -1));
    }
    if (value < least || value > most) {
        luaL_error(lua, "%s: `%s` must be between %I and %I, got %I", word, option, (LUAI_UACINT)least,
                   (LUAI_UACINT)most, (LUAI_UACINT)value);
    }
    lua_pop(lua, 1);
    *ret = value;
    return true;
}

bool options_boolean(lua_State *lua, const char *word, int index, const char *option, bool fallback) {
    if (!push_option(lua, index, option)) {
        return fallback;
    }
    if (!lua_isboolean(lua, -1)) {
        refuse_type(lua, word, option, "true or false");
    }
    bool value = lua_toboolean(lua, -1);
    lua_pop(lua, 1);
    return value;
}

/* "30 MB", "30 MiB" */
static bool parse_bytes(struct text t, int64_t *ret) {
    static const struct {
        const char *unit;
        int64_t bytes;
    } units[] = { { "kB", 1000 }, { "MB", 1000000 }, { "GB", 1000000000 },
                  { "KiB", 1 << 10 }, { "MiB", 1 << 20 }, { "GiB", 1 << 30 } };
    int64_t count;
    struct text number = text_cut(&t, ' ');
    if (!text_to_i64(number, &count) || count < 1 || count > 1000000) {
        return false;
    }
    for (size_t i = 0; i < ARRAY_SIZE(units); i++) {
        if (text_equal(t, text_of(units[i].unit))) {
            *ret = count * units[i].bytes;
            return true;
        }
    }
    return false;
}

bool options_bytes(lua_State *lua, const char *word, int index, const char *option, int64_t *ret) {
    if (!push_option(lua, index, option)) {
        return false;
    }
    struct text given = lua_type(lua, -1) == LUA_TSTRING ? text_of(lua_tostring(lua, -1)) : TEXT_NONE;
    if (!parse_bytes(given, ret)) {
        luaL_error(lua, "%s: `%s` must be a text such as \"30 MB\" or \"30 MiB\"", word, option);
    }
    lua_pop(lua, 1);
    return true;
}

const char *options_string(lua_State *lua, const char *word, int index, const char *option, size_t max) {
    if (!push_option(lua, index, option)) {
        return NULL;
    }
    if (lua_type(lua, -1) != LUA_TSTRING) {
        refuse_type(lua, word, option, "a text");
    }
    size_t len = lua_rawlen(lua, -1);
    if (len == 0 || len > max || strlen(lua_tostring(lua, -1)) != len) {
        luaL_error(lua, "%s: `%s` must be a text of 1 to %d bytes", word, option, (int)max);
    }
    const char *copy = builder_string(lua, -1);
    lua_pop(lua, 1);
    return copy;
}

const char *const *options_strings(lua_State *lua, const char *word, int index, unsigned *ret_count) {
    size_t count = lua_rawlen(lua, index);
    const char **strings = builder_array(lua, count, sizeof(*strings));
    for (size_t i = 0; i < count; i++) {
        if (lua_rawgeti(lua, index, (lua_Integer)i + 1) != LUA_TSTRING || lua_rawlen(lua, -1) == 0) {
            luaL_error(lua, "%s: item %d must be a text, got a %s", word, (int)i + 1, luaL_typename(lua, -1));
        }
        strings[i] = builder_string(lua, -1);
        lua_pop(lua, 1);
    }
    *ret_count = (unsigned)count;
    return strings;
}
