/* The shipped catalogue and adapters for fuzz targets. */
#include "models.h"

#include <jansson.h>
#include <lua.h>
#include <stdlib.h>

#include "base/buffer.h"
#include "base/crypto.h"
#include "base/json.h"
#include "catalog/catalog.h"
#include "config/config.h"
#include "fuzz.h"
#include "provider/bridge.h"
#include "provider/bridge_internal.h"
#include "script/script.h"

static struct config *config;
static struct bridge *bridge;

static void close_all(void) {
    bridge_close(bridge);
    config_free(config);
}

struct bridge *fuzz_bridge(void) {
    struct fault fault = { .err = OK };
    if (bridge == NULL) {
        fuzz_hold(config_load(NULL, &config, &fault) == OK, "%s", fault.message);
        fuzz_hold(bridge_open(config, &bridge, &fault) == OK, "%s", fault.message);
        atexit(close_all);
    }
    return bridge;
}

const struct model *fuzz_model(struct text name) {
    unsigned count;
    const struct catalog *catalog = bridge_catalog(fuzz_bridge());
    const struct model *const *models = catalog_models(catalog, &count);
    const struct model *model = catalog_find(catalog, name);
    return model != NULL ? model : models[crypto_tag(name) % count];
}

json_t *fuzz_model_samples(const struct model *model) {
    json_t *samples = NULL;
    struct fault fault = { .err = OK };
    if (model->lua_samples != LUA_NONE) {
        lua_State *lua = script_lua(fuzz_bridge()->script);
        lua_rawgeti(lua, LUA_REGISTRYINDEX, model->lua_samples);
        fuzz_hold(script_to_json(lua, -1, &samples, &fault) == OK, "%s", fault.message);
        lua_pop(lua, 1);
    }
    return samples;
}

void fuzz_seed_json(const char *name, const char *line, const json_t *value) {
    struct buffer buf;
    buffer_init(&buf, 1 << 24);
    buffer_printf(&buf, "%s\n", line);
    json_render_to(&buf, value);
    fuzz_hold(buffer_ok(&buf));
    fuzz_seed(name, buffer_text(&buf));
    buffer_fini(&buf);
}
