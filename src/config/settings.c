/* The table of plain settings. */
#include "config/settings.h"

#include "base/compiler.h"
#include "config/config.h"

#define MIB 1048576.0
#define AT(member) offsetof(struct config, member)

const struct setting settings[] = {
    { NULL, "listen", SETTING_LISTEN, AT(listen_host), "127.0.0.1:8080", 0, 0, "address to serve on; port 0: any free one" },
    { NULL, "data", SETTING_TEXT, AT(data), "./data", 0, 0, "directory of the database and the results" },
    { NULL, "public_url", SETTING_URL, AT(public_url), "", 0, 0, "what result URLs begin with; none: the request's own host" },
    { NULL, "catalog", SETTING_TEXT, AT(catalog_directory), "", 0, 0,
      "directory with models/, providers/ and prices.lua of your own, over the built-in ones" },
    { NULL, "libexec", SETTING_TEXT, AT(libexec), "", 0, 0, "where local models' commands lie; none: beside the program" },

    { "log", "level", SETTING_LEVEL, AT(log_level), "info", 0, 0, "debug, info, warning or error" },
    { "log", "format", SETTING_FORMAT, AT(log_format), "text", 0, 0, "text or json" },
    { "log", "prompts", SETTING_BOOLEAN, AT(log_prompts), "false", 0, 0, "whether prompts may be logged" },

    { "http", "threads", SETTING_UNSIGNED, AT(http_threads), "0", 0, 256, "0: one a core" },
    { "http", "connections", SETTING_UNSIGNED, AT(http_connections_max), "20000", 1, 1000000, "open at one time" },
    { "http", "connections_per_address", SETTING_UNSIGNED, AT(http_connections_per_address_max), "0", 0, 1000000,
      "of one client address; 0: no limit of its own" },
    { "http", "idle", SETTING_UNSIGNED, AT(http_idle_s), "75", 1, 86400, "seconds a connection may be silent" },
    { "http", "request", SETTING_UNSIGNED, AT(http_request_s), "60", 1, 86400, "seconds from a request's first byte to its last" },

    { "limits", "body", SETTING_I64, AT(body_max), "33554432", 1024, 1024 * MIB, "bytes of a submission's body" },
    { "limits", "artifact", SETTING_I64, AT(artifact_max), "1073741824", 1024, 1048576 * MIB, "bytes of one result file" },
    { "limits", "input", SETTING_I64, AT(input_max), "268435456", 1024, 1048576 * MIB, "bytes of one input file" },
    { "limits", "open_tasks", SETTING_UNSIGNED, AT(open_tasks_max), "1000000", 1, 100000000, "live tasks before answering 503" },

    { "results", "ttl", SETTING_I64, AT(result_ttl_s), "86400", 1, 31536000, "seconds that result URLs work" },
    { NULL, "drain", SETTING_UNSIGNED, AT(drain_s), "20", 0, 3600, "seconds that running work gets at SIGTERM" },
    { "simulator", "seconds", SETTING_REAL, AT(simulator_seconds), "3", 0, 3600, "of an ordinary test-mode task" },
    { "callbacks", "allow_http", SETTING_BOOLEAN, AT(callbacks_allow_http), "false", 0, 0, "whether callback_url may be http" },
};
const size_t setting_count = ARRAY_SIZE(settings);
