/* Settings: one Lua file that reads like settings, over defaults, under command-line options.
 *
 * Immutable once loaded; freed by config_free when no setup (engine/setup.h) uses it. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/errors.h"
#include "base/log.h"

struct provider_config {
    const char *name;
    const char *const *keys; /* secrets: never logged, never rendered */
    unsigned key_count;
    const char *url;          /* NULL: the adapter's own */
    bool allow_private;       /* its url may be a private address */
    unsigned concurrency;     /* running attempts; 0: the adapter's own figure, else the driver's */
    unsigned key_concurrency; /* of these, with one key; 0: no limit of its own */
    double poll_min_s;        /* 0: the adapter's own */
    bool rehost;              /* input files from outside are stored here, and the provider gets our URL */
    const char *const *hook_secrets; /* that its webhooks are signed with; never logged, never rendered */
    unsigned hook_secret_count;
};

struct group_config {
    const char *name;
    int64_t price_ppm;            /* ratio in millionths: 1.0 = 1,000,000 */
    unsigned concurrency;         /* running tasks per account */
    unsigned group_concurrency;   /* of all its accounts together; 0: no limit */
    int64_t requests_per_minute;  /* per account; 0: no limit */
    int64_t group_requests_per_minute; /* of all its accounts together; 0: no limit */
    int64_t storage;              /* bytes of an account's uploaded files; 0: no limit */
    unsigned streams;             /* calls to language models per account at a time, beyond which they are refused */
    unsigned waiters;             /* requests per account at a time that wait for a task or follow its events */
    const char *const *models;    /* names, or beginnings of names with a '*' behind; NULL: all models */
    unsigned model_count;
};

struct config {
    const char *path; /* of the file; NULL: defaults only */
    const char *listen_host;
    unsigned listen_port;
    const char *data;       /* directory */
    const char *public_url; /* what result URLs begin with, no slash at the end; NULL: the request's own host */
    const char *catalog_directory; /* more models/ and providers/ Lua files; NULL: none */
    const char *libexec;           /* where shipped commands lie; NULL: found beside the binary */

    enum log_level log_level;
    enum log_format log_format;
    bool log_prompts;

    unsigned http_threads;         /* 0: one a core */
    unsigned http_connections_max;
    unsigned http_connections_per_address_max;
    unsigned http_idle_s;          /* a connection without bytes */
    unsigned http_request_s;       /* from a request's first byte to its last */
    unsigned http_wait_max_s;      /* that a task query may wait for a change */
    int64_t body_max;              /* bytes of a submission's body */
    int64_t artifact_max;          /* bytes of one result file */
    int64_t input_max;             /* bytes of one input file fetched or given inline */
    int64_t file_max;              /* bytes of one uploaded file */
    int64_t file_ttl_s;
    int64_t result_ttl_s;
    int64_t result_ttl_max_s;      /* that a client may ask for; at least result_ttl_s */
    int64_t result_small_max;      /* bytes of a result file that lies in the database */
    unsigned open_tasks_max;       /* live tasks before 503 */
    unsigned drain_s;              /* at SIGTERM: time that running work gets */

    unsigned llm_messages_max;     /* of one request */
    unsigned llm_idle_s;           /* without a byte of a streamed answer */
    unsigned llm_duration_s;       /* of one answer */
    unsigned llm_retention_s;      /* for which chunks are kept after the end */
    unsigned llm_connections_max;  /* to services of language models at a time */

    double simulator_seconds;      /* of an ordinary test-mode task */
    bool admin_enabled;            /* the operators' API under /admin/v1 */
    bool callbacks_allow_http;     /* callback_url may be http */
    int64_t callbacks_retention_s; /* for which callbacks and their tries are kept after their end */

    const struct provider_config *providers;
    unsigned provider_count;
    const struct group_config *groups; /* "default" is always there */
    unsigned group_count;
    const char *const *fetch_allow; /* "host:port" */
    unsigned fetch_allow_count;
};

/* Loads `path` (NULL: the defaults alone). An unknown setting, a wrong type or an out-of-range value is ERR_CONFIG with
 * "file:line: what was expected". *ret is freed by config_free. */
enum err config_load(const char *path, struct config **ret, struct fault *fault) must_check;
void config_free(struct config *config);
/* Command-line options over the file's: both are copied into the config. */
enum err config_set_listen(struct config *config, struct text host_port, struct fault *fault) must_check;
void config_set_data(struct config *config, const char *directory);

/* Where it listens, as `listen` takes it and a URL has it: an IPv6 address stands in brackets. */
#define CONFIG_ADDRESS_SIZE 512
void config_address(const struct config *config, char ret[CONFIG_ADDRESS_SIZE]);

/* NULL when not configured. Pure. */
const struct provider_config *config_provider(const struct config *config, struct text name);
/* The group, or "default" when it is not configured. Never NULL. */
const struct group_config *config_group(const struct config *config, struct text name);
/* Whether the group may use the model. Pure. */
bool config_group_allows(const struct group_config *group, struct text model) must_check;
/* What needs a restart (listen, data, threads, …) stays in a new `config` as it is in force; `kept` is told of each such setting
 * that was another. */
void config_keep(struct config *config, const struct config *in_force, void (*kept)(const char *setting));

/* A setting in words, as a file would write its default; NULL: none. */
struct setting_words {
    const char *name, *type, *fallback, *meaning;
    bool needs_restart; /* SIGHUP does not take it over */
};
/* The setting at this place of the table; false past the last. Pure. */
bool config_describe(size_t i, struct setting_words *ret);
/* The value in force of the setting at this place, as JSON; false, and nothing written, for those of a provider or a group,
 * which have a value each (and may be secret). Pure. */
bool config_put_value(const struct config *config, size_t i, struct buffer *json);
/* The table of all settings for people: name, type, default, meaning; one line each. */
void config_put_help(struct buffer *buf);
