/* What the bridge's files share among themselves. */
#pragma once

#include <stdbool.h>

#include "base/errors.h"
#include "provider/bridge.h"

struct adapter;
struct bridge_files;
struct config;
struct script;

struct bridge {
    struct script *script;
    struct catalog *catalog;
    struct adapter **adapters;
    unsigned adapter_count;
    struct json_t **routes; /* by lua_route: what bridge_route has made; NULL: not yet */
    size_t route_room;
    struct model_results *collecting; /* what artifact() adds to; NULL outside a results function */
};

/* Runs the files of the list, compiles catalogue and adapters. A file outside models/ and providers/ is an adapter when
 * it returns a table. */
enum err bridge_open_files(const struct bridge_files *files, const struct config *config, struct bridge **ret,
                           struct fault *fault) must_check;

/* Makes artifact, sample, hash and the encodings known in the bridge's script; bridge_words.c. */
enum err bridge_words_register(struct bridge *bridge, struct fault *fault) must_check;

/* The artifact whose token the value is; NULL: no artifact's. */
const struct result_artifact *bridge_artifact_of(const struct model_results *results, const struct json_t *value) must_check;

/* The value without members of objects that are null: a deep copy, or itself when there are none, so that it is only to be
 * read. A new reference. */
struct json_t *bridge_without_nulls(const struct json_t *value) must_check;
