/* The bridge to Lua: loads catalogue and adapters into one script, and calls their functions.
 *
 * Loading happens on any one thread; after that, all calls that may run Lua come from the engine's thread. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/errors.h"

struct adapter;
struct bridge;
struct catalog;
struct config;
struct json_t;
struct model;
struct route;

/* Runs the embedded Lua files, then those of the configured directory (same path: replaces; new: adds), and compiles
 * the catalogue. Any mistake in a file is ERR_SCRIPT naming file, line and what was expected. The bridge owns script
 * and catalogue. */
enum err bridge_open(const struct config *config, struct bridge **ret, struct fault *fault) must_check;
void bridge_close(struct bridge *bridge);
const struct catalog *bridge_catalog(const struct bridge *bridge);
/* Whether an adapter or driver of that name exists ("exec", "simulator", or a file in providers/). */
bool bridge_has_provider(const struct bridge *bridge, const char *name);
/* All adapters, by name; owned by the bridge. */
const struct adapter *const *bridge_adapters(const struct bridge *bridge, unsigned *ret_count);
/* The adapter of providers/NAME.lua, owned by the bridge; NULL when there is none. */
const struct adapter *bridge_adapter(const struct bridge *bridge, const char *name);

/* What Lua functions see: parameters that are null are not there (p.seed is nil), whether sent as null or not at all.
 * All calls below are deterministic but for the token. A failing function's fault names its file and line. */

/* One artifact that results refer to: a source as the driver's output gave it, and the place of its URL. */
struct result_artifact {
    struct json_t
        *source; /* {"file":…} exec, {"generate":…} simulator, {"url":…}, {"base64":…} or {"hex":…} from upstreams */
};
#define RESULTS_ARTIFACTS_MAX 64
/* A completed task's results before its artifacts are stored: in `array`, the URL of artifact N is the string
 * token + N (decimal); the token is random a call, so that no upstream text can pretend to be one. */
struct model_results {
    struct json_t *array;
    char token[33];
    struct result_artifact *artifacts;
    unsigned artifact_count;
    int64_t units_milli; /* really delivered units, for the price; -1: as reserved */
    const struct result_artifact *timed; /* whose seconds are the units, as soon as it is stored; NULL: none's */
};
/* Results are 1 to 64 objects, their keys in the documented order whatever Lua's was. ERR_SCRIPT, with file and line,
 * when the function fails or returns anything else; that is the upstream's or the model's fault, never the client's. */
enum err bridge_results(struct bridge *bridge, const struct model *model, const struct json_t *input,
                        const struct json_t *output, struct model_results *ret, struct fault *fault) must_check;
void model_results_fini(struct model_results *results);

/* A route's input(p), or the parameters without nulls. *ret is a new reference, only to be read. */
enum err bridge_input(struct bridge *bridge, const struct route *route, const struct json_t *input, struct json_t **ret,
                      struct fault *fault) must_check;
/* What an adapter sees as task.route: the members of the route's table that have a JSON form. *ret is a new reference
 * to what all who ask for this route get, so it is not changed. */
enum err bridge_route(struct bridge *bridge, const struct route *route, struct json_t **ret, struct fault *fault)
    must_check;
/* The same of a language model's route, borrowed. Any thread: it was made at loading. */
const struct json_t *bridge_chat_route(const struct bridge *bridge, const struct route *route);
/* What the upstream would answer, from the model's simulate(p). *ret is a new reference. */
enum err bridge_simulate(struct bridge *bridge, const struct model *model, const struct json_t *input,
                         struct json_t **ret, struct fault *fault) must_check;

/* Runs the samples in one file: a model file's (input -> validated input, price, upstream input, results) or a provider
 * file's (reply -> what it must become). `path` is a file, taken into the catalogue in the place of the one of the same
 * models/NAME or providers/NAME; when there is no such file, the path of an embedded one. Appends a line a sample to
 * `report`, and how the two differ below a failed one. Fails only when nothing can be run at all. */
enum err bridge_check_file(const struct config *config, const char *path, struct buffer *report, unsigned *ret_passed,
                           unsigned *ret_failed, struct fault *fault) must_check;
