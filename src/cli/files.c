/* Runs the samples of Lua files through the bridge and reports them. */
#include "cli/files.h"

#include <jansson.h>

#include "base/buffer.h"
#include "base/json.h"
#include "cli/open.h"
#include "cli/output.h"
#include "config/config.h"
#include "provider/bridge.h"

#define REPORT_MAX (4 << 20)

static json_t *check_one(const struct config *config, const char *path, struct buffer *report, unsigned *failures) {
    unsigned passed = 0, failed = 0;
    struct fault fault = { 0 };
    enum err err = bridge_check_file(config, path, report, &passed, &failed, &fault);
    if (err) {
        buffer_printf(report, "%s\n", fault.message);
        failed++;
    }
    *failures += failed;
    return json_pack("{s:s, s:i, s:i, s:o}", "file", path, "passed", (int)passed, "failed", (int)failed, "error",
                     err ? json_string(fault.message) : json_null());
}

/* "providers/fal.lua" of "fal"; a path remains what it is. `place` is room for it. */
static const char *file_of(const char *argument, const char *folder, char *place, size_t size) {
    bool is_path = strchr(argument, '/') || text_ends(text_of(argument), TEXT(".lua"));
    if (!folder || is_path)
        return argument;
    snprintf(place, size, "%s%s.lua", folder, argument);
    return place;
}

int check_files(const struct invocation *call, const char *folder) {
    struct fault fault = { 0 };
    struct config *config;
    if (open_config(call, &config, &fault))
        return command_failed(call, &fault);
    struct buffer report;
    buffer_init(&report, REPORT_MAX);
    unsigned failures = 0;
    json_t *rows scoped(json_release) = json_array();
    for (int i = 0; i < call->argument_count; i++) {
        char place[256];
        const char *path = file_of(call->arguments[i], folder, place, sizeof(place));
        json_array_append_new(rows, check_one(config, path, &report, &failures));
    }
    config_free(config);
    if (!call->json)
        printf("%.*s", TEXT_ARG(buffer_text(&report)));
    buffer_fini(&report);
    static const struct output_column COLUMNS[] = {
        { "FILE", "file" }, { "PASSED", "passed" }, { "FAILED", "failed" }, { NULL }
    };
    output_table(call, rows, COLUMNS, "");
    return failures ? EXIT_FAILED : EXIT_OK;
}
