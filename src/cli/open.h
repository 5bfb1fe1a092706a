/* What nearly every command begins with: settings, and the store where they point. */
#pragma once

#include "base/errors.h"
#include "cli/command.h"

struct bridge;
struct config;
struct store;

/* Settings of --config (else /etc/fennec/config.lua, else the defaults) under --data. Freed by config_free. */
enum err open_config(const struct invocation *call, struct config **ret, struct fault *fault) must_check;
/* Settings and the catalogue that they lead to. Closed by bridge_close and config_free, in this order. */
enum err open_bridge(const struct invocation *call, struct config **ret_config, struct bridge **ret_bridge,
                     struct fault *fault) must_check;
/* A group may be named before the settings have it; a misspelt one looks the same, so it is said on stderr. NULL: none was
 * named. Settings that cannot be read are passed over in silence. */
void open_warn_group(const struct invocation *call, const char *group);
/* The same settings' store, beside a server that may be running. Closed by store_close. */
enum err open_store(const struct invocation *call, struct store **ret, struct fault *fault) must_check;
