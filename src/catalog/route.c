/* A model's routes: { fal = {…}, exec = {…} }, or a list of them with `provider` in each, compiled into struct route. */
#include <lauxlib.h>
#include <lua.h>
#include <stdlib.h>

#include "catalog/builder.h"
#include "catalog/route.h"
#include "script/nearest.h"

#define ROUTES_MAX 64
#define PROVIDER_MAX 64
#define TARGET_MAX 512

/* What every route may say; an adapter may know more, which it reads from the table itself. */
static const char *const known[] = { "provider", "target", "command", "package", "programs",
                                     "input",    "inputs",   "priority", "weight", NULL };

static bool is_known(const char *name) {
    for (size_t i = 0; known[i] != NULL; i++) {
        if (strcmp(name, known[i]) == 0) {
            return true;
        }
    }
    return false;
}

/* An adapter's own field may have any name, but not one that looks like a slip of the pen. */
static void check_names(lua_State *lua, const char *provider) {
    int index = lua_gettop(lua);
    for (lua_pushnil(lua); lua_next(lua, index); lua_pop(lua, 1)) {
        const char *name = lua_type(lua, -2) == LUA_TSTRING ? lua_tostring(lua, -2) : NULL;
        if (name == NULL) {
            luaL_error(lua, "model: route `%s` has a field that is no name", provider);
        }
        const char *nearest = is_known(name) ? NULL : nearest_name(name, known);
        if (nearest != NULL) {
            luaL_error(lua, "model: route `%s` has an unknown field `%s`; did you mean `%s`?", provider, name, nearest);
        }
        if (lua_isfunction(lua, -1) && strcmp(name, "input") != 0) {
            luaL_error(lua, "model: route `%s`: `%s` cannot be a function", provider, name);
        }
    }
}

static void read_programs(lua_State *lua, struct route *route) {
    int type = lua_getfield(lua, -1, "programs");
    if (type == LUA_TTABLE) {
        route->programs = options_strings(lua, "model: `programs`", lua_gettop(lua), &route->program_count);
    } else if (type != LUA_TNIL) {
        luaL_error(lua, "model: `programs` must be a list of names, got a %s", luaL_typename(lua, -1));
    }
    lua_pop(lua, 1);
}

static const char *read_inputs(lua_State *lua, const char *word, int index) {
    static const char *const forms[] = { "links", "inline", "either", "files" };
    const char *inputs = options_string(lua, word, index, "inputs", TARGET_MAX);
    bool known_form = inputs == NULL;
    for (size_t i = 0; i < ARRAY_SIZE(forms) && !known_form; i++) {
        known_form = strcmp(inputs, forms[i]) == 0;
    }
    if (!known_form) {
        luaL_error(lua, "%s: `inputs` must be \"links\", \"inline\", \"either\" or \"files\"", word);
    }
    return inputs;
}

static void read_input(lua_State *lua, struct route *route) {
    route->lua_input = LUA_NONE;
    int type = lua_getfield(lua, -1, "input");
    if (type == LUA_TFUNCTION) {
        route->lua_input = luaL_ref(lua, LUA_REGISTRYINDEX);
        return;
    }
    if (type != LUA_TNIL) {
        luaL_error(lua, "model: route `%s`: `input` must be a function, got a %s", route->provider, luaL_typename(lua, -1));
    }
    lua_pop(lua, 1);
}

/* The route's table is on top, and stays there. */
static void read_route(lua_State *lua, const char *provider, struct route *route) {
    if (!lua_istable(lua, -1)) {
        luaL_error(lua, "model: route `%s` must be a table, got a %s", provider, luaL_typename(lua, -1));
    }
    int index = lua_gettop(lua);
    check_names(lua, provider);
    char word[PROVIDER_MAX + 16];
    snprintf(word, sizeof(word), "model: route `%s`", provider);
    bool is_exec = strcmp(provider, "exec") == 0;
    route->provider = provider;
    route->target = options_string(lua, word, index, is_exec ? "command" : "target", TARGET_MAX);
    if (route->target == NULL) {
        luaL_error(lua, "%s: `%s` is missing", word, is_exec ? "command" : "target");
    }
    route->package = options_string(lua, word, index, "package", TARGET_MAX);
    route->inputs = read_inputs(lua, word, index);
    int64_t priority = 0, weight = 1;
    (void)options_integer(lua, word, index, "priority", 0, 1000, &priority);
    (void)options_integer(lua, word, index, "weight", 1, 1000, &weight);
    route->priority = (unsigned)priority;
    route->weight = (unsigned)weight;
    read_programs(lua, route);
    read_input(lua, route);
    lua_pushvalue(lua, -1);
    route->lua_route = luaL_ref(lua, LUA_REGISTRYINDEX);
}

static const char *provider_name(lua_State *lua, int index) {
    if (lua_type(lua, index) != LUA_TSTRING || lua_rawlen(lua, index) == 0 || lua_rawlen(lua, index) > PROVIDER_MAX) {
        luaL_error(lua, "model: a route's provider must be a name of 1 to %d letters", PROVIDER_MAX);
    }
    return builder_string(lua, index);
}

/* { {provider = "fal", …}, … } */
static unsigned read_list(lua_State *lua, struct route *routes, unsigned count) {
    for (unsigned i = 0; i < count; i++) {
        if (lua_rawgeti(lua, -1, (lua_Integer)i + 1) != LUA_TTABLE) {
            luaL_error(lua, "model: route %d must be a table, got a %s", (int)i + 1, luaL_typename(lua, -1));
        }
        lua_getfield(lua, -1, "provider");
        const char *provider = provider_name(lua, -1);
        lua_pop(lua, 1);
        read_route(lua, provider, &routes[i]);
        lua_pop(lua, 1);
    }
    return count;
}

static int by_name(const void *a, const void *b) {
    return strcmp(((const struct route *)a)->provider, ((const struct route *)b)->provider);
}

/* { fal = {…}, … }: a Lua table has no order, so the names give one. */
static unsigned read_named(lua_State *lua, struct route *routes) {
    unsigned count = 0;
    int index = lua_gettop(lua);
    for (lua_pushnil(lua); lua_next(lua, index); lua_pop(lua, 1)) {
        if (lua_type(lua, -2) != LUA_TSTRING) {
            luaL_error(lua, "model: `routes` must be either a list or named by providers");
        }
        read_route(lua, provider_name(lua, -2), &routes[count++]);
    }
    qsort(routes, count, sizeof(*routes), by_name);
    return count;
}

/* Sorts by priority and leaves routes of the same priority in the order they have. */
static void sort_by_priority(struct route *routes, unsigned count) {
    for (unsigned i = 1; i < count; i++) {
        struct route route = routes[i];
        unsigned at = i;
        for (; at > 0 && routes[at - 1].priority > route.priority; at--) {
            routes[at] = routes[at - 1];
        }
        routes[at] = route;
    }
}

void routes_compile(lua_State *lua, struct model *model) {
    if (!lua_istable(lua, -1)) {
        luaL_error(lua, "model: `routes` must be a table, got a %s", luaL_typename(lua, -1));
    }
    unsigned count = 0;
    for (lua_pushnil(lua); lua_next(lua, -2); lua_pop(lua, 1)) {
        count++;
    }
    if (count == 0 || count > ROUTES_MAX) {
        luaL_error(lua, "model: `routes` must have 1 to %d routes", ROUTES_MAX);
    }
    struct route *routes = builder_array(lua, count, sizeof(*routes));
    bool is_list = lua_rawlen(lua, -1) == count;
    model->route_count = is_list ? read_list(lua, routes, count) : read_named(lua, routes);
    sort_by_priority(routes, model->route_count);
    model->routes = routes;
}
