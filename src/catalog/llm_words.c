/* The statement of the model language: llm "name" { … }, a language model: what it takes, its limits, its routes. */
#include <lauxlib.h>
#include <lua.h>

#include "catalog/builder.h"
#include "catalog/language.h"
#include "catalog/llm.h"
#include "catalog/name.h"

#define TYPES_MAX 32
#define TOKENS_MAX 100000000
#define OUTPUT_DEFAULT 4096

static const char *const options[] = { "summary", "takes", "most",   "audio_types", "max_tokens", "output",
                                       "body",    "price", "routes", "estimated",   "timeout",    NULL };

/* What `takes` and `most` call the kinds. */
static const char *const kinds[LLM_INPUT_COUNT + 1] = {
    [LLM_TEXT] = "text", [LLM_VISION] = "image", [LLM_VIDEO] = "video", [LLM_AUDIO] = "audio", [LLM_FILE] = "file",
};

/* Pushes the table; false and nothing pushed when it is not there. */
static bool push_table(lua_State *lua, const char *option) {
    int type = lua_getfield(lua, 2, option);
    if (type != LUA_TTABLE && type != LUA_TNIL) {
        luaL_error(lua, "llm: `%s` must be a table, got a %s", option, luaL_typename(lua, -1));
    }
    if (type == LUA_TNIL) {
        lua_pop(lua, 1);
    }
    return type == LUA_TTABLE;
}

static const char *const *read_list(lua_State *lua, const char *option, unsigned *ret_count) {
    char word[32];
    snprintf(word, sizeof(word), "llm: `%s`", option);
    static const char *const no_names[] = { NULL };
    options_check_names(lua, word, lua_gettop(lua), no_names);
    if (lua_rawlen(lua, -1) > TYPES_MAX) {
        luaL_error(lua, "llm: `%s` has more than %d items", option, TYPES_MAX);
    }
    return options_strings(lua, word, lua_gettop(lua), ret_count);
}

static void read_takes(lua_State *lua, struct llm_rules *rules) {
    bool given = push_table(lua, "takes");
    for (unsigned i = 0; i < LLM_INPUT_COUNT; i++) {
        rules->takes[i] = !given;
    }
    if (!given) {
        return;
    }
    unsigned count = 0;
    const char *const *names = read_list(lua, "takes", &count);
    for (unsigned i = 0; i < count; i++) {
        unsigned kind = 0;
        while (kind < LLM_INPUT_COUNT && strcmp(names[i], kinds[kind]) != 0) {
            kind++;
        }
        if (kind == LLM_INPUT_COUNT) {
            luaL_error(lua, "llm: `takes` is a list of \"text\", \"image\", \"video\", \"audio\", \"file\"; got \"%s\"",
                       names[i]);
        }
        rules->takes[kind] = true;
    }
    if (!rules->takes[LLM_TEXT]) {
        luaL_error(lua, "llm: `takes` must have \"text\", which all language models take");
    }
    lua_pop(lua, 1);
}

static void read_most(lua_State *lua, struct llm_rules *rules) {
    if (!push_table(lua, "most")) {
        return;
    }
    int index = lua_gettop(lua);
    options_check_names(lua, "llm: `most`", index, kinds + 1); /* not text */
    for (unsigned i = 0; i < LLM_INPUT_COUNT; i++) {
        int64_t most = 0;
        if (options_integer(lua, "llm: `most`", index, kinds[i], 1, 1000, &most) && !rules->takes[i]) {
            luaL_error(lua, "llm: `most` limits \"%s\", which is not in `takes`", kinds[i]);
        }
        rules->most[i] = (unsigned)most;
    }
    lua_pop(lua, 1);
}

static void read_audio_types(lua_State *lua, struct llm_rules *rules) {
    if (!push_table(lua, "audio_types")) {
        return;
    }
    unsigned count = 0;
    const char *const *types = read_list(lua, "audio_types", &count);
    const char **list = builder_array(lua, count + 1, sizeof(*list));
    for (unsigned i = 0; i < count; i++) {
        list[i] = types[i];
        if (!text_starts(text_of(types[i]), TEXT("audio/"))) {
            luaL_error(lua, "llm: `audio_types` is a list such as { \"audio/wav\", \"audio/mpeg\" }; got \"%s\"",
                       types[i]);
        }
    }
    if (count == 0 || !rules->takes[LLM_AUDIO]) {
        luaL_error(lua, count == 0 ? "llm: `audio_types` is empty"
                                   : "llm: `audio_types` is given, and \"audio\" is not in `takes`");
    }
    rules->audio_types = list;
    lua_pop(lua, 1);
}

static void read_tokens(lua_State *lua, struct llm_rules *rules) {
    rules->output_max = OUTPUT_DEFAULT;
    (void)options_integer(lua, "llm", 2, "output", 1, TOKENS_MAX, &rules->output_max);
    if (!push_table(lua, "max_tokens")) {
        return;
    }
    static const char *const known[] = { "required", "least", NULL };
    int index = lua_gettop(lua);
    options_check_names(lua, "llm: `max_tokens`", index, known);
    rules->max_tokens_required = options_boolean(lua, "llm: `max_tokens`", index, "required", false);
    (void)options_integer(lua, "llm: `max_tokens`", index, "least", 1, TOKENS_MAX, &rules->max_tokens_min);
    lua_pop(lua, 1);
}

/* A '*' in a target stands for what the one in the name stands for. */
static void check_routes(lua_State *lua, const struct model *model) {
    bool wildcard = model_is_wildcard(model);
    for (unsigned i = 0; i < model->route_count; i++) {
        const struct route *route = &model->routes[i];
        struct text target = text_of(route->target);
        size_t star = text_find(target, '*');
        if (strcmp(route->provider, "exec") == 0) {
            luaL_error(lua, "llm: a command cannot run a language model; let a server such as llama.cpp's do it");
        }
        if (route->lua_input != LUA_NONE) {
            luaL_error(lua, "llm: route `%s`: `input` is for other models", route->provider);
        }
        if (star < target.len && !wildcard) {
            luaL_error(lua, "llm: route `%s`: `target` has a '*', and the model's name has none", route->provider);
        }
        if (star < target.len &&
            text_find((struct text){ target.ptr + star + 1, target.len - star - 1 }, '*') < target.len - star - 1) {
            luaL_error(lua, "llm: route `%s`: `target` has more than one '*'", route->provider);
        }
    }
}

/* The second half of llm "name" {…}; the name is upvalue 1. */
static int define_llm(lua_State *lua) {
    struct definition *definition = definition_begin(lua, "llm", options);
    struct model *model = &definition->model;
    struct llm_rules *rules = builder_alloc(lua, sizeof(*rules));
    model->type = TASK_LLM;
    model->llm = rules;
    definition_read_seconds(lua, "llm", model);
    read_takes(lua, rules);
    read_most(lua, rules);
    read_audio_types(lua, rules);
    read_tokens(lua, rules);
    (void)options_bytes(lua, "llm", 2, "body", &rules->bytes_max);
    definition_read_routes(lua, model);
    check_routes(lua, model);
    definition_read_price(lua, "llm", model);
    definition_end(lua, "llm", definition);
    return 0;
}

static int begin_llm(lua_State *lua) {
    size_t len = 0;
    const char *name = lua_type(lua, 1) == LUA_TSTRING ? lua_tolstring(lua, 1, &len) : "";
    struct text text = { name, len };
    if (!name_of_llm(text) && !name_wildcard(text)) {
        luaL_error(lua, "llm: a name of 1 to %d letters, digits and . - _ / : is expected, which may end with a *",
                   MODEL_NAME_MAX);
    }
    lua_settop(lua, 1);
    lua_pushcclosure(lua, define_llm, 1);
    return 1;
}

void llm_words_open(lua_State *lua) {
    lua_pushcfunction(lua, begin_llm);
    lua_setglobal(lua, "llm");
}
