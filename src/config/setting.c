/* The settings. */
#include "config/setting.h"

#define IN_CONFIG(member) offsetof(struct config, member)
#define IN_PROVIDER(member) offsetof(struct provider_config, member)
#define IN_GROUP(member) offsetof(struct group_config, member)

/* section, name, full name */
#define TOP(name) "", name, name
#define IN(section, name) section, name, section "." name

#define DAY 86400
#define YEAR (366.0 * DAY)
#define KIB 1024.0
#define GIB (KIB * KIB * KIB)

/*    names, kind, where, least, most, default, needs a restart, meaning */
const struct setting settings[] = {
    { TOP("listen"), SETTING_ADDRESS, IN_CONFIG(listen_host), 0, 0, "\"127.0.0.1:8080\"", true,
      "address and port to serve on; port 0: any free one" },
    { TOP("data"), SETTING_TEXT, IN_CONFIG(data), 0, 0, "\"./data\"", true, "directory of the database and the files" },
    { TOP("public_url"), SETTING_URL, IN_CONFIG(public_url), 0, 0, NULL, false,
      "what result URLs begin with; without it, the request's own host" },
    { TOP("catalog"), SETTING_TEXT, IN_CONFIG(catalog_directory), 0, 0, NULL, false,
      "directory with models/, providers/ and prices.lua that add to the built-in ones or replace them" },
    { TOP("libexec"), SETTING_TEXT, IN_CONFIG(libexec), 0, 0, NULL, false,
      "directory of the local models' commands; without it, beside the binary" },
    { TOP("drain"), SETTING_COUNT, IN_CONFIG(drain_s), 0, DAY, "20", false, "seconds that running work gets at a stop" },

    { IN("http", "threads"), SETTING_COUNT, IN_CONFIG(http_threads), 0, 1024, "0", true, "threads that answer requests; 0: one a core" },
    { IN("http", "connections"), SETTING_COUNT, IN_CONFIG(http_connections_max), 1, 1e6, "20000", true, "connections at a time" },
    { IN("http", "connections_per_address"), SETTING_COUNT, IN_CONFIG(http_connections_per_address_max), 0, 1e6, "0", true,
      "connections at a time from one address; 0: no limit" },
    { IN("http", "idle"), SETTING_COUNT, IN_CONFIG(http_idle_s), 1, DAY, "75", true,
      "seconds after which a silent connection is closed" },
    { IN("http", "request"), SETTING_COUNT, IN_CONFIG(http_request_s), 1, DAY, "60", true,
      "seconds from a request's first byte to its last" },
    { IN("http", "wait"), SETTING_COUNT, IN_CONFIG(http_wait_max_s), 1, DAY, "60", false,
      "longest time in seconds that a task query may wait for a change" },

    { IN("limits", "body"), SETTING_BYTES, IN_CONFIG(body_max), KIB, GIB, "\"32 MiB\"", true, "largest body of a submission" },
    { IN("limits", "artifact"), SETTING_BYTES, IN_CONFIG(artifact_max), KIB, 1024 * GIB, "\"1 GiB\"", false,
      "largest file of a result" },
    { IN("limits", "input"), SETTING_BYTES, IN_CONFIG(input_max), KIB, 1024 * GIB, "\"256 MiB\"", false,
      "largest input file, fetched or given inline" },
    { IN("limits", "file"), SETTING_BYTES, IN_CONFIG(file_max), KIB, 1024 * GIB, "\"512 MiB\"", false,
      "largest file that a client may upload" },
    { IN("limits", "open_tasks"), SETTING_COUNT, IN_CONFIG(open_tasks_max), 1, 1e8, "1000000", false,
      "unfinished tasks beyond which submissions are refused" },
    { IN("results", "ttl"), SETTING_AMOUNT, IN_CONFIG(result_ttl_s), 1, 10 * YEAR, "86400", false,
      "seconds for which the files of a result are kept" },
    { IN("results", "ttl_max"), SETTING_AMOUNT, IN_CONFIG(result_ttl_max_s), 0, 10 * YEAR, "0", false,
      "the most of these seconds that a client may ask for; 0: a week, or results.ttl if that is longer" },
    { IN("results", "small"), SETTING_BYTES, IN_CONFIG(result_small_max), 0, 64 * KIB, "\"16 KiB\"", false,
      "largest file of a result that lies in the database, with no file of its own" },

    { IN("files", "ttl"), SETTING_AMOUNT, IN_CONFIG(file_ttl_s), 1, 10 * YEAR, "259200", false,
      "seconds for which an uploaded file is kept" },

    { IN("llm", "messages"), SETTING_COUNT, IN_CONFIG(llm_messages_max), 1, 1e6, "2000", false,
      "messages of one request to a language model" },
    { IN("llm", "idle"), SETTING_COUNT, IN_CONFIG(llm_idle_s), 1, DAY, "120", false,
      "seconds without a byte after which a language model's streamed answer is given up" },
    { IN("llm", "duration"), SETTING_COUNT, IN_CONFIG(llm_duration_s), 1, DAY, "1800", false,
      "seconds that a language model's whole answer may take, if its model does not say less" },
    { IN("llm", "retention"), SETTING_COUNT, IN_CONFIG(llm_retention_s), 1, DAY, "900", false,
      "seconds for which a finished stream can still be read" },
    { IN("llm", "connections"), SETTING_COUNT, IN_CONFIG(llm_connections_max), 1, 1e6, "10000", true,
      "connections to services of language models at a time" },

    { IN("log", "level"), SETTING_LEVEL, IN_CONFIG(log_level), 0, 0, "\"info\"", false, "least that is logged" },
    { IN("log", "format"), SETTING_FORMAT, IN_CONFIG(log_format), 0, 0, "\"text\"", false, "form of a log line" },
    { IN("log", "prompts"), SETTING_BOOLEAN, IN_CONFIG(log_prompts), 0, 0, "false", false, "whether prompts may be logged" },

    { IN("simulator", "seconds"), SETTING_REAL, IN_CONFIG(simulator_seconds), 0, 3600, "3", false,
      "time that an ordinary test-mode task takes" },
    { IN("fetch", "allow"), SETTING_ADDRESSES, IN_CONFIG(fetch_allow), 0, 0, NULL, false,
      "list of \"host:port\" that may be fetched from although private, for development" },
    { IN("admin", "enabled"), SETTING_BOOLEAN, IN_CONFIG(admin_enabled), 0, 0, "true", false,
      "the operators' API under /admin/v1, for those who have a key of `fennec admin-key create`" },
    { IN("callbacks", "allow_http"), SETTING_BOOLEAN, IN_CONFIG(callbacks_allow_http), 0, 0, "false", false,
      "whether a callback_url may be http" },
    { IN("callbacks", "retention"), SETTING_AMOUNT, IN_CONFIG(callbacks_retention_s), 60, 10 * YEAR, "2592000", false,
      "seconds for which a callback and its tries are kept after it was delivered or given up" },

    { IN(SECTION_GROUP, "price"), SETTING_RATIO, IN_GROUP(price_ppm), 0, 1000, "1.0", false, "ratio to the catalogue's prices" },
    { IN(SECTION_GROUP, "concurrency"), SETTING_COUNT, IN_GROUP(concurrency), 1, 1e6, "50", false,
      "tasks of one account that run at a time; more of them wait" },
    { IN(SECTION_GROUP, "requests_per_minute"), SETTING_AMOUNT, IN_GROUP(requests_per_minute), 0, 1e9, "6000", false,
      "requests of one account; 0: no limit" },
    { IN(SECTION_GROUP, "group_concurrency"), SETTING_COUNT, IN_GROUP(group_concurrency), 0, 1e6, "0", false,
      "tasks of all the group's accounts together that run at a time; more of them wait; 0: no limit" },
    { IN(SECTION_GROUP, "group_requests_per_minute"), SETTING_AMOUNT, IN_GROUP(group_requests_per_minute), 0, 1e9, "0", false,
      "requests of all the group's accounts together; 0: no limit" },
    { IN(SECTION_GROUP, "models"), SETTING_MODELS, IN_GROUP(models), 0, 0, NULL, false,
      "list of the models that its accounts may use; \"veo-*\" stands for all that begin so; without it, all" },
    { IN(SECTION_GROUP, "streams"), SETTING_COUNT, IN_GROUP(streams), 1, 1e6, "200", false,
      "calls to language models of one account at a time, more of which are refused; and tasks of these, more of which wait" },
    { IN(SECTION_GROUP, "waiters"), SETTING_COUNT, IN_GROUP(waiters), 1, 1e6, "2000", false,
      "requests of one account at a time that wait for a task or follow its events; more of them are refused" },
    { IN(SECTION_GROUP, "storage"), SETTING_BYTES, IN_GROUP(storage), 0, 1024 * GIB, "\"10 GiB\"", false,
      "bytes of one account's uploaded files; 0: no limit" },

    { IN(SECTION_PROVIDER, "key"), SETTING_KEYS, IN_PROVIDER(keys), 0, 0, NULL, false,
      "the provider's API key, or a list of keys; env \"NAME\" takes it from the environment" },
    { IN(SECTION_PROVIDER, "url"), SETTING_URL, IN_PROVIDER(url), 0, 0, NULL, false, "another address of the service" },
    { IN(SECTION_PROVIDER, "allow_private"), SETTING_BOOLEAN, IN_PROVIDER(allow_private), 0, 0, "false", false,
      "whether that address may be a private one" },
    { IN(SECTION_PROVIDER, "concurrency"), SETTING_COUNT, IN_PROVIDER(concurrency), 0, 1e6, "0", false,
      "tasks that run there at a time; 0: the provider's own number" },
    { IN(SECTION_PROVIDER, "key_concurrency"), SETTING_COUNT, IN_PROVIDER(key_concurrency), 0, 1e6, "0", false,
      "of these, tasks that run with one of the keys; 0: no limit of its own" },
    { IN(SECTION_PROVIDER, "poll_min"), SETTING_REAL, IN_PROVIDER(poll_min_s), 0, 3600, "0", false,
      "least seconds between two questions about one task; 0: the provider's own number" },
    { IN(SECTION_PROVIDER, "rehost"), SETTING_BOOLEAN, IN_PROVIDER(rehost), 0, 0, "false", false,
      "whether input files from elsewhere are fetched here first, and the provider gets our URL for them" },
    { IN(SECTION_PROVIDER, "hook_secret"), SETTING_KEYS, IN_PROVIDER(hook_secrets), 0, 0, NULL, false,
      "the secret that the provider signs its webhooks with, or a list of them" },
};
const size_t setting_count = ARRAY_SIZE(settings);

const char *setting_kind_words(enum setting_kind kind) {
    static const char *const words[SETTING_KIND_COUNT] = {
        [SETTING_TEXT] = "a text that is not empty",
        [SETTING_ADDRESS] = "a text of the form \"HOST:PORT\"",
        [SETTING_URL] = "an http or https URL",
        [SETTING_BOOLEAN] = "true or false",
        [SETTING_COUNT] = "a whole number",
        [SETTING_AMOUNT] = "a whole number",
        [SETTING_BYTES] = "a number of bytes, or a text such as \"32 MiB\"",
        [SETTING_REAL] = "a number",
        [SETTING_RATIO] = "a number with at most six decimals",
        [SETTING_LEVEL] = "\"debug\", \"info\", \"warning\" or \"error\"",
        [SETTING_FORMAT] = "\"text\" or \"json\"",
        [SETTING_KEYS] = "a text, or a list of texts, without control characters such as a line's end",
        [SETTING_MODELS] = "a list of models' names, of which a * may be the last character",
        [SETTING_ADDRESSES] = "a list of texts of the form \"HOST:PORT\"",
    };
    return words[kind];
}
