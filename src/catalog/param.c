/* The words that make parameters: text{…}, choice{…}, integer{…} and so on, compiled into struct param. */
#include "catalog/param.h"

#include <jansson.h>
#include <lauxlib.h>
#include <lua.h>
#include <math.h>
#include <stdlib.h>

#include "catalog/builder.h"
#include "script/script.h"

#define COUNT_MAX 1e9         /* characters or items that `min` and `max` may speak of */
#define NUMBER_MAX 1e18
#define NAME_LENGTH_MAX 64
#define SIDE_MAX 100000     /* pixels that a media limit may speak of */
#define SECONDS_MAX 86400.0

/* What may stand in a word's list part besides `required` and `nullable`. */
enum list_part { NOTHING, VALUES, ACCEPT, ONE_PARAM, SOME_PARAMS };

struct word {
    const char *name;
    enum list_part list_part;
    const char *options[8];
};

static const struct word words[PARAM_KIND_COUNT] = {
    [PARAM_TEXT] = { "text", NOTHING, { "min", "max", "default" } },
    [PARAM_CHOICE] = { "choice", VALUES, { "default" } },
    [PARAM_INTEGER] = { "integer", NOTHING, { "min", "max", "default", "also", "multiple" } },
    [PARAM_NUMBER] = { "number", NOTHING, { "min", "max", "default", "also" } },
    [PARAM_BOOLEAN] = { "boolean", NOTHING, { "default" } },
    [PARAM_URL] = { "url", ACCEPT,
                    { "inline", "max_bytes", "min_side", "max_side", "max_ratio", "min_seconds", "max_seconds" } },
    [PARAM_LIST] = { "list", ONE_PARAM, { "min", "max", "default" } },
    [PARAM_OBJECT] = { "object", NOTHING, { NULL } }, /* its names are its fields */
    [PARAM_EITHER] = { "either", SOME_PARAMS, { "default" } },
    [PARAM_ANYTHING] = { "anything", NOTHING, { "default" } },
};

static const char required_flag, nullable_flag; /* their addresses are the words `required` and `nullable` */

const char *param_kind_name(enum param_kind kind) {
    return words[kind].name;
}

const struct param *param_find(const struct param *object, struct text name) {
    unsigned low = 0, high = object->part_count;
    while (low < high) {
        unsigned middle = (low + high) / 2;
        const char *field = object->parts[middle].name;
        int order = strncmp(name.ptr, field, name.len);
        if (order == 0 && field[name.len] == '\0') {
            return &object->parts[middle];
        }
        if (order > 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return NULL;
}

/* ---- the list part ---- */

/* Whether the value on top is a flag, or nothing at all (`x and required` may be false); notes it then. */
static bool read_flag(lua_State *lua, struct param *param) {
    const void *address = lua_touserdata(lua, -1);
    if (lua_islightuserdata(lua, -1) && address == &required_flag) {
        param->required = true;
    } else if (lua_islightuserdata(lua, -1) && address == &nullable_flag) {
        param->nullable = true;
    } else if (!lua_isnil(lua, -1) && (!lua_isboolean(lua, -1) || lua_toboolean(lua, -1))) {
        return false;
    }
    return true;
}

static void add_value(lua_State *lua, const char *word, struct param *param, struct json_t **values) {
    int type = lua_type(lua, -1);
    if (type != LUA_TSTRING && type != LUA_TNUMBER) {
        luaL_error(lua, "%s: a value must be a text or a number, got a %s", word, luaL_typename(lua, -1));
    }
    json_t *value = builder_json(lua, -1, word, "value");
    for (unsigned i = 0; i < param->value_count; i++) {
        if (param_same_value(values[i], value)) {
            luaL_error(lua, "%s: the value %s is there twice", word, luaL_tolstring(lua, -1, NULL));
        }
    }
    values[param->value_count++] = value;
}

static void set_accept(lua_State *lua, struct param *param) {
    static const char *const kinds[] = { "image", "video", "audio", "file" };
    const char *given = lua_type(lua, -1) == LUA_TSTRING ? lua_tostring(lua, -1) : "";
    for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
        if (strcmp(given, kinds[i]) == 0 && param->accept == NULL) {
            param->accept = kinds[i];
            return;
        }
    }
    luaL_error(lua, "url: one of \"image\", \"video\", \"audio\" and \"file\" is expected");
}

static void add_part(lua_State *lua, const char *word, struct param *param, struct param *parts) {
    const struct param *part = builder_get(lua, -1, BUILT_PARAM);
    if (part == NULL) {
        luaL_error(lua, "%s: a parameter such as text{} is expected, got a %s", word, luaL_typename(lua, -1));
    }
    if (part->required || part->nullable || part->fallback != NULL) {
        luaL_error(lua, "%s: `required`, `nullable` and `default` are for the %s itself, not for what is in it", word, word);
    }
    parts[param->part_count++] = *part;
}

static void read_list_part(lua_State *lua, const struct word *word, struct param *param) {
    size_t count = lua_rawlen(lua, 1);
    struct json_t **values = builder_array(lua, count, sizeof(struct json_t *));
    struct param *parts = builder_array(lua, count, sizeof(*parts));
    for (size_t i = 1; i <= count; i++) {
        lua_rawgeti(lua, 1, (lua_Integer)i);
        if (!read_flag(lua, param)) {
            if (word->list_part == VALUES) {
                add_value(lua, word->name, param, values);
            } else if (word->list_part == ACCEPT) {
                set_accept(lua, param);
            } else if (word->list_part == SOME_PARAMS || (word->list_part == ONE_PARAM && param->part_count == 0)) {
                add_part(lua, word->name, param, parts);
            } else {
                luaL_error(lua, "%s: unexpected %s in place %d; `required` or `nullable` can be there", word->name,
                           luaL_typename(lua, -1), (int)i);
            }
        }
        lua_settop(lua, 1);
    }
    param->values = values;
    param->parts = parts;
    if (word->list_part == VALUES && param->value_count == 0) {
        luaL_error(lua, "%s: the allowed values are missing", word->name);
    }
    if (word->list_part == ACCEPT && param->accept == NULL) {
        luaL_error(lua, "url: one of \"image\", \"video\", \"audio\" and \"file\" is expected");
    }
    if ((word->list_part == ONE_PARAM && param->part_count == 0) || (word->list_part == SOME_PARAMS && param->part_count < 2)) {
        luaL_error(lua, "%s: %s missing", word->name,
                   word->list_part == ONE_PARAM ? "what its items are is" : "at least two parameters are");
    }
}

/* ---- the options ---- */

static void read_bound(lua_State *lua, const struct word *word, enum param_kind kind, const char *option, bool *ret_has,
                       double *ret) {
    if (kind == PARAM_NUMBER) {
        *ret_has = options_number(lua, word->name, 1, option, -NUMBER_MAX, NUMBER_MAX, ret);
        return;
    }
    int64_t whole = 0;
    int64_t most = kind == PARAM_INTEGER ? (int64_t)1 << 53 : (int64_t)COUNT_MAX;
    *ret_has = options_integer(lua, word->name, 1, option, kind == PARAM_INTEGER ? -most : 0, most, &whole);
    *ret = (double)whole;
}

static void read_also(lua_State *lua, const struct word *word, struct param *param) {
    if (lua_getfield(lua, 1, "also") == LUA_TNIL) {
        lua_pop(lua, 1);
        return;
    }
    if (!lua_istable(lua, -1)) {
        luaL_error(lua, "%s: `also` must be a list of numbers, got a %s", word->name, luaL_typename(lua, -1));
    }
    size_t count = lua_rawlen(lua, -1);
    struct json_t **values = builder_array(lua, count, sizeof(struct json_t *));
    for (size_t i = 0; i < count; i++) {
        bool whole = lua_rawgeti(lua, 2, (lua_Integer)i + 1) == LUA_TNUMBER && lua_isinteger(lua, -1);
        if (lua_type(lua, -1) != LUA_TNUMBER || (param->kind == PARAM_INTEGER && !whole)) {
            luaL_error(lua, "%s: `also` must be a list of %s, got a %s in it", word->name,
                       param->kind == PARAM_INTEGER ? "whole numbers" : "numbers", luaL_typename(lua, -1));
        }
        values[i] = builder_json(lua, -1, word->name, "also");
        lua_pop(lua, 1);
    }
    param->values = values;
    param->value_count = (unsigned)count;
    lua_pop(lua, 1);
}

static void read_default(lua_State *lua, const struct word *word, struct param *param) {
    if (lua_getfield(lua, 1, "default") == LUA_TNIL) {
        lua_pop(lua, 1);
        return;
    }
    json_t *value = builder_json(lua, -1, word->name, "default");
    json_t *replacement = NULL;
    struct fault fault;
    if (param_check(param, "default", value, &replacement, &fault) != OK) {
        luaL_error(lua, "%s: %s", word->name, fault.message);
    }
    if (replacement != NULL) {
        json_array_append_new(builder_of(lua)->values, replacement);
        value = replacement;
    }
    param->fallback = value;
    lua_pop(lua, 1);
}

static unsigned read_side(lua_State *lua, const char *option) {
    int64_t side = 0;
    (void)options_integer(lua, "url", 1, option, 1, SIDE_MAX, &side);
    return (unsigned)side;
}

/* Which limits a kind of file has: sides are those of pictures, seconds those of what plays. */
static void read_limits(lua_State *lua, const char *accept, struct media_limits *ret) {
    bool seen = strcmp(accept, "image") == 0 || strcmp(accept, "video") == 0;
    bool played = strcmp(accept, "audio") == 0 || strcmp(accept, "video") == 0;
    (void)options_bytes(lua, "url", 1, "max_bytes", &ret->bytes_max);
    ret->side_min = read_side(lua, "min_side");
    ret->side_max = read_side(lua, "max_side");
    (void)options_number(lua, "url", 1, "max_ratio", 1, SIDE_MAX, &ret->ratio_max);
    (void)options_number(lua, "url", 1, "min_seconds", 0, SECONDS_MAX, &ret->seconds_min);
    (void)options_number(lua, "url", 1, "max_seconds", 0, SECONDS_MAX, &ret->seconds_max);
    if (!seen && (ret->side_min > 0 || ret->side_max > 0 || ret->ratio_max > 0)) {
        luaL_error(lua, "url: `%s` has no sides, so they can have no limits", accept);
    }
    if (!played && (ret->seconds_min > 0 || ret->seconds_max > 0)) {
        luaL_error(lua, "url: `%s` has no seconds, so they can have no limits", accept);
    }
    if ((ret->side_max > 0 && ret->side_min > ret->side_max) ||
        (ret->seconds_max > 0 && ret->seconds_min > ret->seconds_max)) {
        luaL_error(lua, "url: a least side or time is greater than the greatest");
    }
}

static void read_options(lua_State *lua, const struct word *word, struct param *param) {
    options_check_names(lua, word->name, 1, word->options);
    bool bounded = param->kind == PARAM_TEXT || param->kind == PARAM_INTEGER || param->kind == PARAM_NUMBER ||
                   param->kind == PARAM_LIST;
    if (bounded) {
        read_bound(lua, word, param->kind, "min", &param->has_min, &param->min);
        read_bound(lua, word, param->kind, "max", &param->has_max, &param->max);
        if (param->has_min && param->has_max && param->min > param->max) {
            luaL_error(lua, "%s: `min` is greater than `max`", word->name);
        }
    }
    if (param->kind == PARAM_INTEGER || param->kind == PARAM_NUMBER) {
        read_also(lua, word, param);
    }
    if (param->kind == PARAM_INTEGER) {
        (void)options_integer(lua, word->name, 1, "multiple", 1, INT32_MAX, &param->multiple);
    }
    if (param->kind == PARAM_URL) {
        param->inline_data = options_boolean(lua, word->name, 1, "inline", true);
        read_limits(lua, param->accept, &param->limits);
    }
    read_default(lua, word, param);
}

/* ---- fields ---- */

static int by_name(const void *a, const void *b) {
    return strcmp(((const struct param *)a)->name, ((const struct param *)b)->name);
}

static bool name_valid(struct text name) {
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_";
    return name.len > 0 && name.len <= NAME_LENGTH_MAX && strspn(name.ptr, allowed) == name.len;
}

void param_compile_fields(lua_State *lua, const char *word, int index, struct param *ret) {
    unsigned count = 0;
    for (lua_pushnil(lua); lua_next(lua, index); lua_pop(lua, 1)) {
        count++;
    }
    struct param *fields = builder_array(lua, count, sizeof(*fields));
    for (lua_pushnil(lua); lua_next(lua, index); lua_pop(lua, 1)) {
        if (lua_isinteger(lua, -2)) {
            continue; /* the list part */
        }
        size_t len = 0;
        const char *name = lua_type(lua, -2) == LUA_TSTRING ? lua_tolstring(lua, -2, &len) : "";
        if (!name_valid((struct text){ name, len })) {
            luaL_error(lua, "%s: a field's name must be 1 to %d letters, digits and _", word, NAME_LENGTH_MAX);
        }
        const struct param *field = builder_get(lua, -1, BUILT_PARAM);
        if (field == NULL) {
            luaL_error(lua, "%s: `%s` must be a parameter such as text{}, got a %s", word, name, luaL_typename(lua, -1));
        }
        fields[ret->part_count] = *field;
        fields[ret->part_count++].name = builder_string(lua, -2);
    }
    qsort(fields, ret->part_count, sizeof(*fields), by_name);
    ret->parts = fields;
}

static int make_param(lua_State *lua) {
    enum param_kind kind = (enum param_kind)lua_tointeger(lua, lua_upvalueindex(1));
    const struct word *word = &words[kind];
    options_expect_table(lua, word->name, 1);
    lua_settop(lua, 1);
    struct param *param = builder_alloc(lua, sizeof(*param));
    param->kind = kind;
    read_list_part(lua, word, param);
    if (kind == PARAM_OBJECT) {
        param_compile_fields(lua, word->name, 1, param);
        if (param->part_count == 0) {
            luaL_error(lua, "object: its fields are missing");
        }
    } else {
        read_options(lua, word, param);
    }
    if (param->required && (param->nullable || param->fallback != NULL)) {
        luaL_error(lua, "%s: what is `required` can have no `%s`", word->name, param->nullable ? "nullable" : "default");
    }
    builder_push(lua, BUILT_PARAM, param);
    return 1;
}

void param_words_open(lua_State *lua) {
    for (int kind = 0; kind < PARAM_KIND_COUNT; kind++) {
        lua_pushinteger(lua, kind);
        lua_pushcclosure(lua, make_param, 1);
        lua_setglobal(lua, words[kind].name);
    }
    lua_pushlightuserdata(lua, (void *)&required_flag);
    lua_setglobal(lua, "required");
    lua_pushlightuserdata(lua, (void *)&nullable_flag);
    lua_setglobal(lua, "nullable");
}
