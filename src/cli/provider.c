/* fennec provider list, check. */
#include <jansson.h>

#include "base/buffer.h"
#include "base/json.h"
#include "catalog/catalog.h"
#include "cli/command.h"
#include "cli/files.h"
#include "cli/open.h"
#include "cli/output.h"
#include "config/config.h"
#include "provider/adapter.h"
#include "provider/bridge.h"
#include "provider/driver.h"
#include "remote/plan.h"

/* Adds one model's routes to the count of each provider. */
static void count_routes(json_t *counts, const struct model *model) {
    for (unsigned i = 0; i < model->route_count; i++) {
        json_t *count = json_object_get(counts, model->routes[i].provider);
        json_object_set_new(counts, model->routes[i].provider, json_integer(json_integer_value(count) + 1));
    }
}

/* "first after 1 s, then every 0.5 to 5 s"; of an adapter that answers at once there is nothing to ask. */
static json_t *polls_value(const struct adapter *adapter, const struct provider_config *settings) {
    if (!adapter || !adapter_has(adapter, ADAPTER_POLL))
        return adapter ? json_string("answers at once") : json_null();
    struct poll_plan plan = poll_plan_make(adapter, settings ? settings->poll_min_s : 0);
    struct buffer text;
    buffer_init(&text, 256);
    buffer_printf(&text, "after %g s, then every %g to %g s", plan.first_s, plan.floor_s, plan.max_s);
    if (adapter_has(adapter, ADAPTER_POLL_MANY))
        buffer_put(&text, TEXT(", many at once"));
    json_t *value = output_text(buffer_text(&text));
    buffer_fini(&text);
    return value;
}

/* How what the service tells of its own accord is known to be its own. */
static json_t *hooks_value(const struct adapter *adapter, const struct provider_config *settings) {
    if (!adapter || !adapter_has(adapter, ADAPTER_HOOK))
        return adapter ? json_string("none") : json_null();
    const char *scheme = json_string_value(json_object_get(adapter->signature, "scheme"));
    if (!scheme || strcmp(scheme, "none") == 0)
        return json_string("unsigned");
    bool secret = json_object_get(adapter->signature, "jwks") || (settings && settings->hook_secret_count > 0);
    return secret ? json_string(scheme) : json_pack("s+", scheme, ", no hook_secret");
}

static json_t *concurrency_value(const struct adapter *adapter, const struct provider_config *settings) {
    unsigned count = settings && settings->concurrency      ? settings->concurrency
                     : adapter && adapter->concurrency >= 1 ? (unsigned)adapter->concurrency
                     : adapter                              ? remote_driver.concurrency
                                                            : 0;
    return count ? json_integer(count) : json_null();
}

static json_t *provider_value(const char *name, const json_t *count, const struct config *config,
                              const struct bridge *bridge) {
    const struct provider_config *settings = config_provider(config, text_of(name));
    const struct adapter *adapter = bridge_adapter(bridge, name);
    bool needs_key = adapter && adapter_has(adapter, ADAPTER_AUTH);
    unsigned keys = settings ? settings->key_count : 0;
    const char *state = !bridge_has_provider(bridge, name) ? "no adapter"
                        : needs_key && keys == 0           ? "needs a key"
                        : adapter && !settings             ? "not configured"
                                                           : "ready";
    return json_pack("{s:s, s:I, s:s, s:i, s:o, s:o, s:o, s:o, s:b, s:o}", "name", name, "models",
                     (json_int_t)json_integer_value(count), "state", state, "keys", (int)keys, "concurrency",
                     concurrency_value(adapter, settings), "key_concurrency",
                     settings && settings->key_concurrency      ? json_integer(settings->key_concurrency)
                     : adapter && adapter->key_concurrency >= 1 ? json_integer((json_int_t)adapter->key_concurrency)
                                                                : json_null(),
                     "polls", polls_value(adapter, settings), "hooks", hooks_value(adapter, settings), "adapter",
                     bridge_has_provider(bridge, name), "url",
                     settings && settings->url ? json_string(settings->url)
                     : adapter                 ? json_string(adapter->url)
                                               : json_null());
}

/* Every provider that a model's route, a file or the configuration names, with the number of models that it runs. */
static json_t *count_models(const struct config *config, const struct bridge *bridge) {
    json_t *counts = json_object();
    unsigned adapter_count, model_count;
    const struct adapter *const *adapters = bridge_adapters(bridge, &adapter_count);
    const struct model *const *models = catalog_models(bridge_catalog(bridge), &model_count);
    for (unsigned i = 0; i < adapter_count; i++)
        json_object_set_new(counts, adapters[i]->name, json_integer(0));
    for (unsigned i = 0; i < config->provider_count; i++)
        json_object_set_new(counts, config->providers[i].name, json_integer(0));
    for (unsigned i = 0; i < model_count; i++)
        count_routes(counts, models[i]);
    json_object_set_new(counts, "simulator", json_integer(model_count));
    return counts;
}

static int run_list(const struct invocation *call) {
    struct fault fault = { 0 };
    struct config *config;
    struct bridge *bridge;
    if (open_bridge(call, &config, &bridge, &fault))
        return command_failed(call, &fault);
    json_t *counts scoped(json_release) = count_models(config, bridge);
    json_t *rows scoped(json_release) = json_array();
    const char *name;
    json_t *count;
    json_object_foreach (counts, name, count)
        json_array_append_new(rows, provider_value(name, count, config, bridge));
    bridge_close(bridge);
    config_free(config);
    static const struct output_column COLUMNS[] = { { "PROVIDER", "name" },
                                                    { "MODELS", "models" },
                                                    { "STATE", "state" },
                                                    { "KEYS", "keys" },
                                                    { "AT A TIME", "concurrency" },
                                                    { "ASKS", "polls" },
                                                    { "HOOKS", "hooks" },
                                                    { "URL", "url" },
                                                    { NULL } };
    output_table(call, rows, COLUMNS, "No providers.");
    return EXIT_OK;
}

const struct command command_provider_list = {
    .name = "provider list",
    .summary = "Lists providers: models, keys, how many tasks at a time, how often they are asked, their webhooks",
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
    .teaching =
        "NAME is a provider of the catalogue, FILE a file of one's own. A mistake is reported with file, line and\n"
        "what was expected. docs/providers.md shows how an adapter is written.\n",
    .options = (const struct cli_option[]){ { NULL } },
    .run = run_check,
};
