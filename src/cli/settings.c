/* fennec settings: the table of all settings, and whether a file of them is right. */
#include "base/buffer.h"
#include "base/json.h"
#include "cli/command.h"
#include "cli/open.h"
#include "cli/output.h"
#include "config/config.h"
#include "provider/bridge.h"
#include "provider/doubts.h"

#include <jansson.h>

#define HELP_MAX (64 << 10)

/* What the settings say that leads nowhere. */
struct doubts {
    json_t *rows;
    bool grave;
};

static void add_doubt(struct doubts *doubts, const char *what, bool grave, const char *words) {
    doubts->grave |= grave;
    json_array_append_new(doubts->rows, json_pack("{s:s, s:o}", "what", what, "words", output_text(text_of(words))));
}

static void keep_doubt(const struct doubt *doubt, void *context) {
    add_doubt(context, doubt->what, doubt->grave, doubt->words);
}

/* A catalogue that cannot be read is one itself, and hides the others. */
static void find_doubts(const struct config *config, struct doubts *doubts) {
    struct fault fault = { 0 };
    struct bridge *bridge;
    if (bridge_open(config, &bridge, &fault)) {
        add_doubt(doubts, "catalogue", true, fault.message);
        return;
    }
    doubts_tell(config, bridge, keep_doubt, doubts);
    bridge_close(bridge);
}

static void put_json(const struct config *config, json_t *doubts) {
    json_t *rows = json_array();
    struct setting_words words;
    for (size_t i = 0; config_describe(i, &words); i++)
        json_array_append_new(rows, json_pack("{s:s, s:s, s:s?, s:b, s:s}", "name", words.name, "type", words.type,
                                              "default", words.fallback, "needs_restart", words.needs_restart,
                                              "meaning", words.meaning));
    json_t *value scoped(json_release) =
        json_pack("{s:s?, s:O, s:o}", "file", config->path, "doubts", doubts, "settings", rows);
    output_json(value);
}

static void put_text(const struct config *config, const json_t *doubts) {
    struct buffer help;
    json_t *doubt;
    size_t i;
    buffer_init(&help, HELP_MAX);
    config_put_help(&help);
    printf("%.*s", TEXT_ARG(buffer_text(&help)));
    buffer_fini(&help);
    if (config->path)
        printf("\n%s %s\n", config->path, json_array_size(doubts) > 0 ? "can be read, but:" : "is in order.");
    json_array_foreach (doubts, i, doubt)
        printf("  %s: %s\n", json_string_value(json_object_get(doubt, "what")),
               json_string_value(json_object_get(doubt, "words")));
}

static int run(const struct invocation *call) {
    struct fault fault = { 0 };
    struct config *config;
    if (open_config(call, &config, &fault))
        return command_failed(call, &fault);
    json_t *rows scoped(json_release) = json_array();
    struct doubts doubts = { .rows = rows };
    find_doubts(config, &doubts);
    if (call->json)
        put_json(config, rows);
    else
        put_text(config, rows);
    config_free(config);
    return doubts.grave ? EXIT_FAILED : EXIT_OK;
}

const struct command command_settings = {
    .name = "settings",
    .summary = "Lists every setting with its default and meaning, and checks the settings file",
    .teaching = "A settings file is Lua that reads like settings:\n"
                "  listen = \"127.0.0.1:8080\"\n"
                "  groups = { default = { price = 1.0, concurrency = 50, requests_per_minute = 6000 } }\n"
                "  providers = { fal = { key = env \"FAL_KEY\" } }\n"
                "What can be read but leads nowhere is listed behind them (`doubts` with --json); it ends with 1 when a\n"
                "provider has no adapter or the catalogue cannot be read.\n",
    .options = (const struct cli_option[]){ { NULL } },
    .run = run,
};
