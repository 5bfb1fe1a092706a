/* The bridge to Lua: loads catalogue and adapters into one script, and calls their functions.
 *
 * Loading happens on any one thread; after that, all calls come from the engine's thread. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/errors.h"

struct bridge;
struct catalog;
struct config;
struct json_t;
struct model;
struct route;

/* Runs the embedded Lua files, then those of the configured directory (same path: replaces; new: adds), and compiles the
 * catalogue. Any mistake in a file is ERR_SCRIPT naming file, line and what was expected. The bridge owns script and catalogue. */
enum err bridge_open(const struct config *config, struct bridge **ret, struct fault *fault) must_check;
void bridge_close(struct bridge *bridge);
const struct catalog *bridge_catalog(const struct bridge *bridge);
/* Whether an adapter or driver of that name exists ("exec", "simulator", or a file in providers/). */
bool bridge_has_provider(const struct bridge *bridge, const char *name);

/* One artifact that results refer to: a source as the driver's output gave it, and the place of its URL. */
struct result_artifact {
    struct json_t *source; /* {"file":…} exec, {"generate":…} simulator, {"url":…}, {"base64":…} or {"hex":…} from upstreams */
};
/* A completed task's results before its artifacts are stored: in `array`, the URL of artifact N is the string
 * token + N (decimal); the token is random a call, so that no upstream text can pretend to be one. */
struct model_results {
    struct json_t *array;
    char token[33];
    struct result_artifact *artifacts;
    unsigned artifact_count;
    int64_t units_milli; /* really delivered units, for the price; -1: as reserved */
};
enum err bridge_results(struct bridge *bridge, const struct model *model, const struct json_t *input,
                        const struct json_t *output, struct model_results *ret, struct fault *fault) must_check;
void model_results_fini(struct model_results *results);

/* A route's input(p), or a copy of the parameters. *ret is a new reference. */
enum err bridge_input(struct bridge *bridge, const struct route *route, const struct json_t *input, struct json_t **ret,
                      struct fault *fault) must_check;
/* What the upstream would answer, from the model's simulate(p). *ret is a new reference. */
enum err bridge_simulate(struct bridge *bridge, const struct model *model, const struct json_t *input, struct json_t **ret,
                         struct fault *fault) must_check;

/* Runs the samples in one file, `source` named `path`, against itself: a model file's (input -> validated input, price,
 * results) or a provider file's (reply -> what it must become). Appends a line a sample to `report`; *ret_failed counts. */
enum err bridge_check_file(const struct config *config, const char *path, struct buffer *report, unsigned *ret_passed,
                           unsigned *ret_failed, struct fault *fault) must_check;
