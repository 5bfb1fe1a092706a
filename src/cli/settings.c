/* fennec settings: the table of all settings, and whether a file of them is right. */
#include "base/buffer.h"
#include "base/json.h"
#include "cli/command.h"
#include "cli/open.h"
#include "cli/output.h"
#include "config/config.h"

#include <jansson.h>

#define HELP_MAX (64 << 10)

static void put_json(const struct config *config) {
    json_t *rows = json_array();
    struct setting_words words;
    for (size_t i = 0; config_describe(i, &words); i++)
        json_array_append_new(rows, json_pack("{s:s, s:s, s:s?, s:b, s:s}", "name", words.name, "type", words.type,
                                              "default", words.fallback, "needs_restart", words.needs_restart,
                                              "meaning", words.meaning));
    json_t *value scoped(json_release) = json_pack("{s:s?, s:o}", "file", config->path, "settings", rows);
    output_json(value);
}

static void put_text(const struct config *config) {
    struct buffer help;
    buffer_init(&help, HELP_MAX);
    config_put_help(&help);
    printf("%.*s", TEXT_ARG(buffer_text(&help)));
    buffer_fini(&help);
    if (config->path)
        printf("\n%s is in order.\n", config->path);
}

static int run(const struct invocation *call) {
    struct fault fault = { 0 };
    struct config *config;
    if (open_config(call, &config, &fault))
        return command_failed(call, &fault);
    if (call->json)
        put_json(config);
    else
        put_text(config);
    config_free(config);
    return EXIT_OK;
}

const struct command command_settings = {
    .name = "settings",
    .summary = "Lists every setting with its default and meaning, and checks the settings file",
    .teaching = "A settings file is Lua that reads like settings:\n"
                "  listen = \"127.0.0.1:8080\"\n"
                "  groups = { default = { price = 1.0, concurrency = 50, requests_per_minute = 6000 } }\n"
                "  providers = { fal = { key = env \"FAL_KEY\" } }\n",
    .options = (const struct cli_option[]){ { NULL } },
    .run = run,
};
