/* fennec provider list, check. */
#include <jansson.h>

#include "base/json.h"
#include "catalog/catalog.h"
#include "cli/command.h"
#include "cli/files.h"
#include "cli/open.h"
#include "cli/output.h"
#include "config/config.h"
#include "provider/bridge.h"

/* Adds one model's routes to the count of each provider. */
static void count_routes(json_t *counts, const struct model *model) {
    for (unsigned i = 0; i < model->route_count; i++) {
        json_t *count = json_object_get(counts, model->routes[i].provider);
        json_object_set_new(counts, model->routes[i].provider, json_integer(json_integer_value(count) + 1));
    }
}

static json_t *provider_value(const char *name, const json_t *count, const struct config *config,
                              const struct bridge *bridge) {
    const struct provider_config *settings = config_provider(config, text_of(name));
    bool local = strcmp(name, "exec") == 0 || strcmp(name, "simulator") == 0;
    return json_pack("{s:s, s:I, s:s, s:b, s:o}", "name", name, "models", (json_int_t)json_integer_value(count), "keys",
                     local                             ? "none needed"
                     : settings && settings->key_count ? "configured"
                                                       : "missing",
                     "adapter", bridge_has_provider(bridge, name), "url",
                     settings && settings->url ? json_string(settings->url) : json_null());
}

static int run_list(const struct invocation *call) {
    struct fault fault = { 0 };
    struct config *config;
    struct bridge *bridge;
    if (open_bridge(call, &config, &bridge, &fault))
        return command_failed(call, &fault);
    json_t *counts scoped(json_release) = json_object();
    unsigned model_count;
    const struct model *const *models = catalog_models(bridge_catalog(bridge), &model_count);
    for (unsigned i = 0; i < model_count; i++)
        count_routes(counts, models[i]);
    json_object_set_new(counts, "simulator", json_integer(model_count));
    json_t *rows scoped(json_release) = json_array();
    const char *name;
    json_t *count;
    json_object_foreach (counts, name, count)
        json_array_append_new(rows, provider_value(name, count, config, bridge));
    bridge_close(bridge);
    config_free(config);
    static const struct output_column COLUMNS[] = { { "PROVIDER", "name" }, { "MODELS", "models" },
                                                    { "KEYS", "keys" },     { "ADAPTER", "adapter" },
                                                    { "URL", "url" },       { NULL } };
    output_table(call, rows, COLUMNS, "No providers.");
    return EXIT_OK;
}

const struct command command_provider_list = {
    .name = "provider list",
    .summary = "Lists providers: how many models they run, whether keys and adapter are there",
    .options = (const struct cli_option[]){ { NULL } },
    .run = run_list,
};

static int run_check(const struct invocation *call) {
    return check_files(call, "providers/");
}

const struct command command_provider_check = {
    .name = "provider check",
    .arguments = "NAME|FILE…",
    .arguments_min = 1,
    .arguments_max = CLI_ARGUMENTS_MAX,
    .summary = "Runs the samples in provider files",
    .teaching = "NAME is a provider of the catalogue, FILE a file of one's own. A mistake is reported with file, line and\n"
                "what was expected.\n",
    .options = (const struct cli_option[]){ { NULL } },
    .run = run_check,
};
