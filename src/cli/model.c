/* fennec model list, show, check. */
#include <jansson.h>

#include "base/json.h"
#include "base/memory.h"
#include "catalog/catalog.h"
#include "cli/command.h"
#include "cli/files.h"
#include "cli/open.h"
#include "cli/output.h"
#include "config/config.h"
#include "provider/bridge.h"
#include "provider/driver.h"

#define PHRASE_MAX 4096

static json_t *price_phrase(const struct model *model) {
    struct buffer phrase;
    buffer_init(&phrase, PHRASE_MAX);
    model_put_price(model, &phrase);
    json_t *value = output_text(buffer_text(&phrase));
    buffer_fini(&phrase);
    return value;
}

/* Which routes would run it here, and what each of the others lacks. */
static json_t *routes_value(const struct model *model, const struct config *config, const struct bridge *bridge,
                            bool *ret_available) {
    json_t *routes = json_array();
    *ret_available = false;
    for (unsigned i = 0; i < model->route_count; i++) {
        struct fault why = { 0 };
        bool available = route_available(&model->routes[i], config, bridge, &why);
        *ret_available |= available;
        json_array_append_new(routes, json_pack("{s:s, s:s, s:b, s:o}", "provider", model->routes[i].provider, "target",
                                                model->routes[i].target, "available", available, "missing",
                                                available ? json_null() : json_string(why.message)));
    }
    return routes;
}

static json_t *model_value(const struct model *model, const struct config *config, const struct bridge *bridge) {
    bool available;
    json_t *routes = routes_value(model, config, bridge, &available);
    return json_pack("{s:s, s:s, s:s, s:o, s:i, s:i, s:s, s:s, s:o}", "name", model->name, "type",
                     task_type_name(model->type), "summary", model->summary ? model->summary : "", "price",
                     price_phrase(model), "estimated_seconds", (int)model->estimated_s, "timeout_seconds",
                     (int)model->timeout_s, "file", model->file, "runs", available ? "yes" : "test keys only", "routes",
                     routes);
}

static int run_list(const struct invocation *call) {
    struct fault fault = { 0 };
    struct config *config;
    struct bridge *bridge;
    if (open_bridge(call, &config, &bridge, &fault))
        return command_failed(call, &fault);
    unsigned count;
    const struct model *const *models = catalog_models(bridge_catalog(bridge), &count);
    json_t *rows scoped(json_release) = json_array();
    for (unsigned i = 0; i < count; i++)
        json_array_append_new(rows, model_value(models[i], config, bridge));
    bridge_close(bridge);
    config_free(config);
    static const struct output_column COLUMNS[] = {
        { "MODEL", "name" }, { "TYPE", "type" }, { "RUNS", "runs" }, { "PRICE", "price" }, { NULL }
    };
    output_table(call, rows, COLUMNS, "The catalogue is empty.");
    return EXIT_OK;
}

const struct command command_model_list = {
    .name = "model list",
    .summary = "Lists the catalogue: models, prices, and whether they run with this configuration",
    .options = (const struct cli_option[]){ { NULL } },
    .run = run_list,
};

static void put_parameters(const json_t *schema) {
    const char *name;
    json_t *field;
    printf("\nParameters\n");
    json_object_foreach (json_object_get(schema, "properties"), name, field) {
        char *text scoped(mem_free_pointer) = json_dumps(field, JSON_COMPACT | JSON_REAL_PRECISION(15));
        bool required = false;
        size_t i;
        json_t *entry;
        json_array_foreach (json_object_get(schema, "required"), i, entry)
            required |= strcmp(json_string_value(entry), name) == 0;
        printf("  %-20s %s %s\n", name, required ? "required" : "optional", text);
    }
}

static int run_show(const struct invocation *call) {
    struct fault fault = { 0 };
    struct config *config;
    struct bridge *bridge;
    if (open_bridge(call, &config, &bridge, &fault))
        return command_failed(call, &fault);
    const struct model *model = catalog_find(bridge_catalog(bridge), text_of(call->arguments[0]));
    json_t *value scoped(json_release) = model ? model_value(model, config, bridge) : NULL;
    if (model)
        json_object_set_new(value, "parameters", model_schema(model));
    bridge_close(bridge);
    config_free(config);
    if (!value) {
        fault_set(&fault, ERR_MODEL_NOT_FOUND, "there is no model %s; `fennec model list` shows all",
                  call->arguments[0]);
        return command_failed(call, &fault);
    }
    static const struct output_column FACTS[] = { { "model", "name" },
                                                  { "type", "type" },
                                                  { "summary", "summary" },
                                                  { "price", "price" },
                                                  { "estimated", "estimated_seconds" },
                                                  { "timeout", "timeout_seconds" },
                                                  { "defined in", "file" },
                                                  { NULL } };
    static const struct output_column ROUTES[] = { { "PROVIDER", "provider" },
                                                   { "TARGET", "target" },
                                                   { "AVAILABLE", "available" },
                                                   { "MISSING", "missing" },
                                                   { NULL } };
    output_facts(call, value, FACTS);
    if (!call->json) {
        put_parameters(json_object_get(value, "parameters"));
        printf("\nRoutes\n");
        output_table(call, json_object_get(value, "routes"), ROUTES, "None: test keys only.");
    }
    return EXIT_OK;
}

const struct command command_model_show = {
    .name = "model show",
    .arguments = "NAME",
    .arguments_min = 1,
    .arguments_max = 1,
    .summary = "Shows a model's parameters, price and routes",
    .options = (const struct cli_option[]){ { NULL } },
    .run = run_show,
};

static int run_check(const struct invocation *call) {
    return check_files(call, NULL);
}

const struct command command_model_check = {
    .name = "model check",
    .arguments = "FILE…",
    .arguments_min = 1,
    .arguments_max = CLI_ARGUMENTS_MAX,
    .summary = "Runs the samples in model files",
    .teaching = "A mistake in a file is reported with file, line and what was expected.\n",
    .options = (const struct cli_option[]){ { NULL } },
    .run = run_check,
};
