/* fennec settings: the table of all settings, and whether a file of them is right. */
#include "base/buffer.h"
#include "cli/command.h"
#include "cli/open.h"
#include "cli/output.h"
#include "config/config.h"

#include <jansson.h>

#define HELP_MAX (64 << 10)

static int run(const struct invocation *call) {
    struct fault fault = { 0 };
    struct config *config;
    if (open_config(call, &config, &fault))
        return command_failed(call, &fault);
    struct buffer help;
    buffer_init(&help, HELP_MAX);
    config_put_help(&help);
    if (call->json) {
        json_t *value = json_pack("{s:s?, s:o}", "file", config->path, "settings", output_text(buffer_text(&help)));
        output_json(value);
        json_decref(value);
    } else {
        printf("%.*s", TEXT_ARG(buffer_text(&help)));
        if (config->path)
            printf("\n%s is in order.\n", config->path);
    }
    buffer_fini(&help);
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
