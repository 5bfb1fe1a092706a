/* The bridge: one script with catalogue and adapters in it, and the calls that need no more than JSON in and out. */
#include "provider/bridge.h"

#include <assert.h>
#include <jansson.h>
#include <lua.h>
#include <stdlib.h>

#include "base/json.h"
#include "base/memory.h"
#include "catalog/catalog.h"
#include "config/config.h"
#include "provider/adapter.h"
#include "provider/bridge_files.h"
#include "provider/bridge_internal.h"
#include "provider/driver.h"
#include "provider/lua_call.h"
#include "script/script.h"

#define SCRIPT_MEMORY ((size_t)64 << 20)

/* ---- loading ---- */

/* "fal" of "providers/fal.lua"; false when it is no fit name. */
static bool provider_name(const char *path, char *ret, size_t size) {
    const char *base = strrchr(path, '/') ? strrchr(path, '/') + 1 : path;
    size_t len = strlen(base) - strlen(".lua");
    if (strlen(base) <= strlen(".lua") || len >= size) {
        return false;
    }
    for (size_t i = 0; i < len; i++) {
        bool good = (base[i] >= 'a' && base[i] <= 'z') || (base[i] >= '0' && base[i] <= '9') || base[i] == '-' ||
                    base[i] == '_';
        if (!good) {
            return false;
        }
    }
    snprintf(ret, size, "%.*s", (int)len, base);
    return true;
}

/* The place among the adapters, which are in the order of their names, of the first that is not before that name. */
static unsigned place_of(const struct bridge *bridge, const char *name) {
    unsigned first = 0, end = bridge->adapter_count;
    while (first < end) {
        unsigned middle = (first + end) / 2;
        if (strcmp(bridge->adapters[middle]->name, name) < 0) {
            first = middle + 1;
        } else {
            end = middle;
        }
    }
    return first;
}

/* The adapter's table is on top of the stack and is taken from it. */
static enum err add_adapter(struct bridge *bridge, const struct bridge_file *file, struct fault *fault) {
    char name[ADAPTER_NAME_SIZE];
    if (!provider_name(file->path, name, sizeof(name))) {
        lua_pop(script_lua(bridge->script), 1);
        return fault_set(fault, ERR_SCRIPT, "%s: a provider is named by its file, in small letters, digits, - and _",
                         file->name);
    }
    if (strcmp(name, exec_driver.name) == 0 || strcmp(name, simulator_driver.name) == 0) {
        lua_pop(script_lua(bridge->script), 1);
        return fault_set(fault, ERR_SCRIPT, "%s: the name %s is taken by a built-in provider", file->name, name);
    }
    struct adapter *adapter = NULL;
    enum err err = adapter_load(bridge->script, name, file->name, file->source, &adapter, fault);
    if (err != OK) {
        return err;
    }
    bridge->adapters = mem_grow(bridge->adapters, (bridge->adapter_count + 1) * sizeof(bridge->adapters[0]));
    unsigned place = place_of(bridge, name);
    while (place < bridge->adapter_count && strcmp(bridge->adapters[place]->name, name) == 0) {
        place++; /* of two of a name, a.lua and providers/a.lua, the first one counts */
    }
    struct adapter **at = &bridge->adapters[place];
    memmove(at + 1, at, (bridge->adapter_count++ - place) * sizeof(*at));
    *at = adapter;
    return OK;
}

static enum err run_file(struct bridge *bridge, const struct bridge_file *file, struct fault *fault) {
    lua_State *lua = script_lua(bridge->script);
    bool provider = text_starts(text_of(file->path), TEXT("providers/"));
    bool declares = text_starts(text_of(file->path), TEXT("models/")) || text_equal(text_of(file->path), TEXT("prices.lua"));
    int top = lua_gettop(lua), count = 0;
    enum err err = script_run(bridge->script, file->name, file->source, &count, fault);
    if (err != OK) {
        return err;
    }
    if (count == 1 && lua_istable(lua, -1) && !declares) {
        return add_adapter(bridge, file, fault);
    }
    lua_settop(lua, top);
    if (provider) {
        return fault_set(fault, ERR_SCRIPT, "%s: a provider file returns one table, the adapter", file->name);
    }
    return count == 0 ? OK : fault_set(fault, ERR_SCRIPT, "%s: a file of models or prices returns nothing", file->name);
}

/* A call holds the parameters, inline data and all, perhaps twice, besides what its function makes of them. */
static size_t memory_for(const struct config *config) {
    return SCRIPT_MEMORY + 2 * (size_t)(config->body_max > 0 ? config->body_max : 0);
}

/* A language model's routes lead to providers of such, and no other's do. */
static enum err check_routes(const struct bridge *bridge, struct fault *fault) {
    unsigned count;
    const struct model *const *models = catalog_models(bridge->catalog, &count);
    for (unsigned i = 0; i < count; i++) {
        for (unsigned j = 0; j < models[i]->route_count; j++) {
            const struct adapter *adapter = bridge_adapter(bridge, models[i]->routes[j].provider);
            if (adapter != NULL && (adapter->chat != NULL) != (models[i]->llm != NULL)) {
                return fault_set(fault, ERR_SCRIPT, "%s: model `%s`: the provider %s is %s", models[i]->file,
                                 models[i]->name, adapter->name,
                                 adapter->chat != NULL ? "for language models, which this is not"
                                                       : "not for language models: its adapter has no `chat`");
            }
        }
    }
    return OK;
}

/* Room for what bridge_route makes, which never moves; and what it makes of language models' routes, since HTTP threads read
 * that too. */
static enum err make_routes(struct bridge *bridge, struct fault *fault) {
    unsigned count;
    const struct model *const *models = catalog_models(bridge->catalog, &count);
    for (unsigned i = 0; i < count; i++) {
        for (unsigned j = 0; j < models[i]->route_count; j++) {
            size_t room = (size_t)models[i]->routes[j].lua_route + 1;
            bridge->route_room = room > bridge->route_room ? room : bridge->route_room;
        }
    }
    bridge->routes = mem_new_array(bridge->route_room, sizeof(*bridge->routes));
    enum err err = OK;
    for (unsigned i = 0; i < count; i++) {
        for (unsigned j = 0; j < models[i]->route_count && models[i]->llm != NULL && err == OK; j++) {
            json_t *scoped(json_release) words = NULL;
            err = bridge_route(bridge, &models[i]->routes[j], &words, fault);
        }
    }
    return err;
}

static enum err load(struct bridge *bridge, const struct bridge_files *files, const struct config *config,
                     struct fault *fault) {
    const struct script_limits limits = { .memory_max = memory_for(config) };
    enum err err = script_new(&limits, &bridge->script);
    if (err != OK) {
        return fault_set(fault, err, "the catalogue's script could not be started");
    }
    err = catalog_begin(bridge->script, fault);
    if (err == OK) {
        err = bridge_words_register(bridge, fault);
    }
    for (unsigned i = 0; i < files->count && err == OK; i++) {
        err = run_file(bridge, &files->items[i], fault);
    }
    if (err == OK) {
        err = catalog_finish(bridge->script, &bridge->catalog, fault);
    }
    lua_gc(script_lua(bridge->script), LUA_GCCOLLECT); /* the models' tables are the catalogue's now */
    if (err == OK) {
        err = check_routes(bridge, fault);
    }
    return err == OK ? make_routes(bridge, fault) : err;
}

enum err bridge_open_files(const struct bridge_files *files, const struct config *config, struct bridge **ret,
                           struct fault *fault) {
    struct bridge *bridge = mem_new(sizeof(*bridge));
    enum err err = load(bridge, files, config, fault);
    if (err != OK) {
        bridge_close(bridge);
        return err;
    }
    *ret = bridge;
    return OK;
}

enum err bridge_open(const struct config *config, struct bridge **ret, struct fault *fault) {
    struct bridge_files files;
    enum err err = bridge_files_gather(config->catalog_directory, &files, fault);
    if (err != OK) {
        return err;
    }
    err = bridge_open_files(&files, config, ret, fault);
    bridge_files_fini(&files);
    return err;
}

void bridge_close(struct bridge *bridge) {
    if (bridge == NULL) {
        return;
    }
    for (unsigned i = 0; i < bridge->adapter_count; i++) {
        adapter_free(bridge->adapters[i]);
    }
    free(bridge->adapters);
    for (size_t i = 0; i < bridge->route_room; i++) {
        json_decref(bridge->routes[i]);
    }
    free(bridge->routes);
    catalog_free(bridge->catalog);
    script_free(bridge->script);
    free(bridge);
}

const struct catalog *bridge_catalog(const struct bridge *bridge) {
    return bridge->catalog;
}

const struct adapter *const *bridge_adapters(const struct bridge *bridge, unsigned *ret_count) {
    *ret_count = bridge->adapter_count;
    return (const struct adapter *const *)bridge->adapters;
}

const struct adapter *bridge_adapter(const struct bridge *bridge, const char *name) {
    unsigned place = place_of(bridge, name);
    bool found = place < bridge->adapter_count && strcmp(bridge->adapters[place]->name, name) == 0;
    return found ? bridge->adapters[place] : NULL;
}

bool bridge_has_provider(const struct bridge *bridge, const char *name) {
    return strcmp(name, exec_driver.name) == 0 || strcmp(name, simulator_driver.name) == 0 ||
           bridge_adapter(bridge, name);
}

/* ---- calling ---- */

static bool has_nulls(const json_t *value) {
    const char *key = NULL;
    json_t *member = NULL;
    size_t i = 0;
    if (json_is_array(value)) {
        json_array_foreach(value, i, member) {
            if (has_nulls(member)) {
                return true;
            }
        }
    }
    json_object_foreach((json_t *)(uintptr_t)value, key, member) {
        if (has_nulls(member)) {
            return true;
        }
    }
    return json_is_null(value);
}

static json_t *copy_without_nulls(const json_t *value) {
    if (json_is_array(value)) {
        json_t *copy = json_array();
        for (size_t i = 0; i < json_array_size(value); i++) {
            json_array_append_new(copy, copy_without_nulls(json_array_get(value, i)));
        }
        return copy;
    }
    if (json_is_object(value)) {
        json_t *copy = json_object();
        const char *key = NULL;
        json_t *member = NULL;
        json_object_foreach((json_t *)(uintptr_t)value, key, member) {
            if (!json_is_null(member)) {
                json_object_set_new(copy, key, copy_without_nulls(member));
            }
        }
        return copy;
    }
    return json_deep_copy(value);
}

json_t *bridge_without_nulls(const json_t *value) {
    return has_nulls(value) ? copy_without_nulls(value) : json_incref((json_t *)(uintptr_t)value);
}

/* function(p), which must return an object. */
static enum err call_with_parameters(struct bridge *bridge, int function, const json_t *input, json_t **ret,
                                     struct fault *fault) {
    scoped(json_release) json_t *parameters = bridge_without_nulls(input);
    struct lua_call call = { .function = function, .arguments = { parameters }, .argument_count = 1, .results = 1 };
    json_t *value = NULL;
    enum err err = lua_call_json(bridge->script, &call, &value, fault);
    if (err != OK) {
        return err;
    }
    if (!json_is_object(value)) {
        char where[LUA_WHERE_SIZE];
        lua_call_where(bridge->script, function, where);
        json_decref(value);
        return fault_set(fault, ERR_SCRIPT, "%s: a table with named members must be returned", where);
    }
    *ret = value;
    return OK;
}

enum err bridge_input(struct bridge *bridge, const struct route *route, const json_t *input, json_t **ret,
                      struct fault *fault) {
    if (route->lua_input == LUA_NONE) {
        *ret = bridge_without_nulls(input);
        return OK;
    }
    return call_with_parameters(bridge, route->lua_input, input, ret, fault);
}

struct route_copy {
    int lua_route;
    json_t *members;
};

/* Argument: the copy under way, which its owner releases whatever happens. */
static int copy_route(lua_State *lua) {
    struct route_copy *copy = lua_touserdata(lua, 1);
    lua_rawgeti(lua, LUA_REGISTRYINDEX, copy->lua_route);
    for (lua_pushnil(lua); lua_next(lua, 2); lua_pop(lua, 1)) {
        json_t *member = NULL;
        if (lua_type(lua, -2) == LUA_TSTRING && !lua_isfunction(lua, -1) &&
            script_to_json(lua, -1, &member, NULL) == OK) {
            json_object_set_new(copy->members, lua_tostring(lua, -2), member);
        }
    }
    return 0;
}

enum err bridge_route(struct bridge *bridge, const struct route *route, json_t **ret, struct fault *fault) {
    assert(route->lua_route > 0); /* references are counted from 1 */
    size_t index = (size_t)route->lua_route;
    assert(index < bridge->route_room);
    if (bridge->routes[index] != NULL) {
        *ret = json_incref(bridge->routes[index]);
        return OK;
    }
    lua_State *lua = script_lua(bridge->script);
    struct route_copy copy = { route->lua_route, json_object() };
    lua_pushcfunction(lua, copy_route);
    lua_pushlightuserdata(lua, &copy);
    enum err err = script_call(bridge->script, 1, 0, fault);
    if (err != OK) {
        json_decref(copy.members);
        return err;
    }
    bridge->routes[index] = copy.members;
    *ret = json_incref(copy.members);
    return OK;
}

const struct json_t *bridge_chat_route(const struct bridge *bridge, const struct route *route) {
    return bridge->routes[route->lua_route];
}

enum err bridge_simulate(struct bridge *bridge, const struct model *model, const json_t *input, json_t **ret,
                         struct fault *fault) {
    if (model->lua_simulate == LUA_NONE) {
        return fault_set(fault, ERR_SCRIPT, "%s: model %s has no simulate function", model->file, model->name);
    }
    return call_with_parameters(bridge, model->lua_simulate, input, ret, fault);
}
