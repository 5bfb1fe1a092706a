/* The statement of the model language: model "name" { … }, compiled into struct model; and what the statement llm
 * has in common with it. */
#include "catalog/language.h"

#include <lauxlib.h>
#include <lua.h>

#include "catalog/builder.h"
#include "catalog/name.h"
#include "catalog/param.h"
#include "catalog/price.h"
#include "catalog/route.h"
#include "catalog/rule.h"

#define SUMMARY_MAX 300
#define SECONDS_MAX 86400
#define RULES_MAX 100

static const char *const options[] = { "type",   "summary",  "estimated", "timeout", "params", "rules",
                                       "routes", "simulate", "results",   "samples", "price",  NULL };

/* Seconds, where the model does not say. */
static const struct {
    unsigned estimated_s, timeout_s;
} defaults[TASK_TYPE_COUNT] = {
    [TASK_IMAGE] = { 30, 600 }, [TASK_VIDEO] = { 120, 1800 },   [TASK_AUDIO] = { 30, 600 },
    [TASK_LLM] = { 10, 1800 },  [TASK_DOCUMENT] = { 30, 600 },
};

/* A reference to the function in the field; LUA_NONE when there is none. */
static int read_function(lua_State *lua, const char *option) {
    int type = lua_getfield(lua, 2, option);
    if (type == LUA_TFUNCTION) {
        return luaL_ref(lua, LUA_REGISTRYINDEX);
    }
    if (type != LUA_TNIL) {
        luaL_error(lua, "model: `%s` must be a function, got a %s", option, luaL_typename(lua, -1));
    }
    lua_pop(lua, 1);
    return LUA_NONE;
}

static void read_type(lua_State *lua, struct model *model) {
    const char *type = options_string(lua, "model", 2, "type", 16);
    if (type == NULL || !task_type_parse(text_of(type), &model->type)) {
        luaL_error(lua, "model: `type` must be \"image\", \"video\", \"audio\" or \"document\"");
    }
    if (model->type == TASK_LLM) {
        luaL_error(lua, "model: a language model is made with llm \"%s\" {…}", model->name);
    }
}

void definition_read_seconds(lua_State *lua, const char *word, struct model *model) {
    int64_t estimated = defaults[model->type].estimated_s, timeout = defaults[model->type].timeout_s;
    (void)options_integer(lua, word, 2, "estimated", 1, SECONDS_MAX, &estimated);
    (void)options_integer(lua, word, 2, "timeout", 1, SECONDS_MAX, &timeout);
    model->estimated_s = (unsigned)estimated;
    model->timeout_s = (unsigned)timeout;
}

static void read_params(lua_State *lua, struct model *model) {
    if (lua_getfield(lua, 2, "params") != LUA_TTABLE) {
        luaL_error(lua, "model: `params` must be a table of parameters, got a %s", luaL_typename(lua, -1));
    }
    if (lua_rawlen(lua, -1) > 0) {
        luaL_error(lua, "model: `params` has an entry without a name");
    }
    struct param *params = builder_alloc(lua, sizeof(*params));
    params->kind = PARAM_OBJECT;
    param_compile_fields(lua, "model: `params`", lua_gettop(lua), params);
    if (param_find(params, TEXT("model")) != NULL) {
        luaL_error(lua, "model: a parameter cannot be called `model`, which is the name of the model itself");
    }
    model->params = params;
    lua_pop(lua, 1);
}

static void read_rules(lua_State *lua, struct model *model) {
    int type = lua_getfield(lua, 2, "rules");
    if (type != LUA_TNIL && type != LUA_TTABLE) {
        luaL_error(lua, "model: `rules` must be a list of rules, got a %s", luaL_typename(lua, -1));
    }
    size_t count = type == LUA_TTABLE ? lua_rawlen(lua, -1) : 0;
    if (count > RULES_MAX) {
        luaL_error(lua, "model: there are more than %d rules", RULES_MAX);
    }
    struct param_rule *rules = builder_array(lua, count, sizeof(*rules));
    for (size_t i = 0; i < count; i++) {
        lua_rawgeti(lua, -1, (lua_Integer)i + 1);
        const struct param_rule *rule = builder_get(lua, -1, BUILT_RULE);
        struct fault fault;
        if (rule == NULL) {
            luaL_error(lua, "model: rule %d must be a rule such as exactly_one{…}, got a %s", (int)i + 1,
                       luaL_typename(lua, -1));
        }
        if (rule_fits(rule, model->params, &fault) != OK) {
            luaL_error(lua, "model: rule %d, %s: %s", (int)i + 1, rule_kind_name(rule->kind), fault.message);
        }
        rules[i] = *rule;
        lua_pop(lua, 1);
    }
    model->rules = rules;
    model->rule_count = (unsigned)count;
    lua_pop(lua, 1);
}

void definition_read_routes(lua_State *lua, struct model *model) {
    lua_getfield(lua, 2, "routes");
    routes_compile(lua, model);
    lua_pop(lua, 1);
}

static void read_functions(lua_State *lua, struct model *model) {
    model->lua_results = read_function(lua, "results");
    if (model->lua_results == LUA_NONE) {
        luaL_error(lua, "model: `results` is missing: the function that makes the results from the output");
    }
    model->lua_simulate = read_function(lua, "simulate");
    model->lua_samples = LUA_NONE;
    int type = lua_getfield(lua, 2, "samples");
    if (type == LUA_TTABLE) {
        model->lua_samples = luaL_ref(lua, LUA_REGISTRYINDEX);
        return;
    }
    if (type != LUA_TNIL) {
        luaL_error(lua, "model: `samples` must be a list, got a %s", luaL_typename(lua, -1));
    }
    lua_pop(lua, 1);
}

void definition_read_price(lua_State *lua, const char *word, struct model *model) {
    int type = lua_getfield(lua, 2, "price");
    model->price = type == LUA_TNIL ? NULL : builder_get(lua, -1, BUILT_PRICE);
    if (type != LUA_TNIL && model->price == NULL) {
        luaL_error(lua, "%s: `price` must be a price such as per_call(5), got a %s", word, luaL_typename(lua, -1));
    }
    lua_pop(lua, 1);
}

/* "lua/models/x.lua:12" without what only the message needs. */
static const char *file_of(lua_State *lua, const char *where) {
    struct text file = text_of(where);
    size_t at = file.len;
    while (at > 0 && file.ptr[at - 1] != ':') {
        at--;
    }
    file.len = at > 0 ? at - 1 : file.len;
    struct text prefix = TEXT("lua/");
    if (text_starts(file, prefix)) {
        file = (struct text){ file.ptr + prefix.len, file.len - prefix.len };
    }
    char *copy = builder_alloc(lua, file.len + 1);
    memcpy(copy, file.ptr, file.len);
    return copy;
}

struct definition *definition_begin(lua_State *lua, const char *word, const char *const *known) {
    struct catalog *catalog = builder_of(lua);
    options_expect_table(lua, word, 1);
    lua_settop(lua, 1);
    lua_pushvalue(lua, lua_upvalueindex(1));
    lua_insert(lua, 1);
    options_check_names(lua, word, 2, known);
    if (lua_rawlen(lua, 2) > 0) {
        luaL_error(lua, "%s: there is an entry without a name", word);
    }
    struct definition *definition = builder_alloc(lua, sizeof(*definition));
    struct model *model = &definition->model;
    definition->where = builder_where(lua);
    model->name = builder_string(lua, 1);
    model->file = file_of(lua, definition->where);
    model->lua_results = model->lua_simulate = model->lua_samples = LUA_NONE;
    for (unsigned i = 0; i < catalog->definition_count; i++) {
        if (strcmp(catalog->definitions[i]->model.name, model->name) == 0) {
            luaL_error(lua, "%s: there is a model `%s` already, from %s", word, model->name,
                       catalog->definitions[i]->where);
        }
    }
    const char *summary = options_string(lua, word, 2, "summary", SUMMARY_MAX);
    model->summary = summary != NULL ? summary : "";
    return definition;
}

void definition_end(lua_State *lua, const char *word, struct definition *definition) {
    struct catalog *catalog = builder_of(lua);
    if (catalog->definition_count == MODELS_MAX) {
        luaL_error(lua, "%s: there are more than %d models", word, MODELS_MAX);
    }
    catalog->definitions[catalog->definition_count++] = definition;
}

/* The second half of model "name" {…}; the name is upvalue 1. */
static int define_model(lua_State *lua) {
    struct definition *definition = definition_begin(lua, "model", options);
    struct model *model = &definition->model;
    read_type(lua, model);
    definition_read_seconds(lua, "model", model);
    read_params(lua, model);
    read_rules(lua, model);
    definition_read_routes(lua, model);
    read_functions(lua, model);
    definition_read_price(lua, "model", model);
    definition_end(lua, "model", definition);
    return 0;
}

static int begin_model(lua_State *lua) {
    size_t len = 0;
    const char *name = lua_type(lua, 1) == LUA_TSTRING ? lua_tolstring(lua, 1, &len) : "";
    if (!name_plain((struct text){ name, len })) {
        luaL_error(lua, "model: a name of 1 to %d letters, digits, dots, dashes and _ is expected", MODEL_NAME_MAX);
    }
    lua_settop(lua, 1);
    lua_pushcclosure(lua, define_model, 1);
    return 1;
}

void model_words_open(lua_State *lua) {
    lua_pushcfunction(lua, begin_model);
    lua_setglobal(lua, "model");
}
