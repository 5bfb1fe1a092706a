/* What a running server goes by: configuration, catalogue and Lua bridge, loaded together and exchanged as one at SIGHUP.
 *
 * Immutable and counted: a request or an attempt holds a reference as long as it uses anything inside; the last one
 * frees all. Only the engine's thread calls into the bridge; every thread may read config and catalog. */
#pragma once

#include <stdatomic.h>
#include <stdint.h>

#include "base/errors.h"

struct bridge;
struct catalog;
struct config;

struct setup {
    atomic_uint references;
    uint64_t number;               /* from 1; no two of a process have the same */
    struct config *config;         /* owned */
    struct bridge *bridge;         /* owned */
    const struct catalog *catalog; /* the bridge's */
};

/* Takes the config over (also on failure); compiles the Lua files. One reference for the caller. */
enum err setup_new(struct config *config, struct setup **ret, struct fault *fault) must_check;
struct setup *setup_ref(struct setup *setup);
void setup_unref(struct setup *setup); /* NULL is fine */
