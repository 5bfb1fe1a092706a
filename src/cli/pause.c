/* fennec provider pause, resume; fennec model pause, resume. */
#include "admin/pause.h"

#include <jansson.h>

#include "base/json.h"
#include "catalog/catalog.h"
#include "cli/actor.h"
#include "cli/command.h"
#include "cli/open.h"
#include "cli/output.h"
#include "config/config.h"
#include "provider/bridge.h"
#include "store/store.h"

/* A misspelt name would be paused for good, and nobody would notice. */
static enum err check_name(const struct invocation *call, enum pause_kind kind, struct fault *fault) {
    struct config *config;
    struct bridge *bridge;
    const char *name = call->arguments[0];
    enum err err = open_bridge(call, &config, &bridge, fault);
    if (err)
        return err;
    bool known = kind == PAUSE_MODEL ? catalog_find(bridge_catalog(bridge), text_of(name)) != NULL
                                     : bridge_has_provider(bridge, name) || config_provider(config, text_of(name));
    bridge_close(bridge);
    config_free(config);
    return known ? OK
                 : fault_set(fault, kind == PAUSE_MODEL ? ERR_NO_SUCH_MODEL : ERR_PROVIDER_NOT_FOUND,
                             "there is no %s %s", kind == PAUSE_MODEL ? "model" : "provider", name);
}

static int run(const struct invocation *call, enum pause_kind kind, bool resume) {
    struct fault fault = { 0 };
    struct store *store;
    char actor[CLI_ACTOR_SIZE];
    const char *name = call->arguments[0], *reason = invocation_option(call, "reason");
    bool changed = false;
    if ((!resume && check_name(call, kind, &fault)) || open_store(call, &store, &fault))
        return command_failed(call, &fault);
    enum err err = (resume ? admin_resume : admin_pause)(store, cli_actor(actor), kind, text_of(name),
                                                         text_of(reason), &changed, &fault);
    store_close(store);
    if (err)
        return command_failed(call, &fault);
    json_t *value scoped(json_release) =
        json_pack("{s:s, s:b, s:b}", "name", name, "paused", !resume, "changed", changed);
    output_facts(call, value,
                 (const struct output_column[]){ { "name", "name" }, { "paused", "paused" }, { "changed", "changed" }, { NULL } });
    return EXIT_OK;
}

static int run_provider_pause(const struct invocation *call) {
    return run(call, PAUSE_PROVIDER, false);
}
static int run_provider_resume(const struct invocation *call) {
    return run(call, PAUSE_PROVIDER, true);
}
static int run_model_pause(const struct invocation *call) {
    return run(call, PAUSE_MODEL, false);
}
static int run_model_resume(const struct invocation *call) {
    return run(call, PAUSE_MODEL, true);
}

static const struct cli_option REASON[] = { { "reason", "TEXT", "why, kept in the record of changes" }, { NULL } };

#define PAUSE_COMMAND(variable, words, what, run_function, says, more)                                                 \
    const struct command variable = {                                                                                  \
        .name = words, .arguments = what, .arguments_min = 1, .arguments_max = 1, .summary = says, .teaching = more,   \
        .options = REASON, .run = run_function,                                                                        \
    }

PAUSE_COMMAND(command_provider_pause, "provider pause", "NAME", run_provider_pause,
              "Gives a provider no new attempts until it is resumed",
              "What runs there goes on; tasks go other ways, or wait. It holds over restarts; a running server\n"
              "takes it over within a second.\n");
PAUSE_COMMAND(command_provider_resume, "provider resume", "NAME", run_provider_resume,
              "Gives a paused provider attempts again", NULL);
PAUSE_COMMAND(command_model_pause, "model pause", "NAME", run_model_pause,
              "Refuses new submissions to a model until it is resumed",
              "What runs goes on; tasks that wait keep waiting. It holds over restarts; a running server takes it\n"
              "over within a second.\n");
PAUSE_COMMAND(command_model_resume, "model resume", "NAME", run_model_resume, "Takes submissions to a paused model again",
              NULL);
