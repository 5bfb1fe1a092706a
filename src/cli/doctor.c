/* fennec doctor: what is installed, configured and reachable, and what to do about the rest. */
#include <curl/curl.h>
#include <jansson.h>
#include <stdarg.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/json.h"
#include "catalog/catalog.h"
#include "cli/command.h"
#include "cli/open.h"
#include "cli/output.h"
#include "config/config.h"
#include "net/authorities.h"
#include "provider/adapter.h"
#include "provider/bridge.h"
#include "provider/doubts.h"
#include "provider/driver.h"
#include "store/store.h"

#define FREE_BYTES_WANTED ((int64_t)1 << 30)
#define REACH_TIMEOUT_MS 3000L

enum finding { FINE, WARNING, PROBLEM };
static const char *const FINDING_NAMES[] = { "ok", "warning", "problem" };

/* The report in the making. */
struct examination {
    json_t *rows;
    unsigned problems;
};

static void printf_like(4, 5)
    note(struct examination *report, const char *what, enum finding finding, const char *format, ...) {
    char words[1024];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(words, sizeof words, format, arguments);
    va_end(arguments);
    report->problems += finding == PROBLEM;
    json_array_append_new(report->rows, json_pack("{s:s, s:s, s:o}", "what", what, "status", FINDING_NAMES[finding],
                                                  "words", output_text(text_of(words))));
}

static void examine_space(struct examination *report, const char *directory) {
    struct statvfs space;
    if (statvfs(directory, &space) != 0)
        return;
    int64_t free_bytes = (int64_t)space.f_bavail * (int64_t)space.f_frsize;
    note(report, "disk", free_bytes < FREE_BYTES_WANTED ? WARNING : FINE, "%lld MiB free below %s",
         (long long)(free_bytes >> 20), directory);
}

static void add_finding(const char *words, void *context) {
    note(context, "ledger", PROBLEM, "%s", words);
}

static void examine_store(struct examination *report, const struct config *config) {
    struct fault fault = { 0 };
    struct store *store;
    if (access(config->data, F_OK) != 0) {
        note(report, "store", WARNING, "%s does not exist yet; `fennec serve` makes it", config->data);
        return;
    }
    struct store_options options = { .directory = config->data };
    if (store_open(&options, &store, &fault)) {
        note(report, "store", PROBLEM, "%s", fault.message);
        return;
    }
    note(report, "store", FINE, "%s opens, its schema is up to date", config->data);
    unsigned before = report->problems;
    if (store_audit(store, add_finding, report))
        note(report, "ledger", PROBLEM, "the books could not be read");
    else if (report->problems == before)
        note(report, "ledger", FINE, "every balance is the sum of its entries");
    store_close(store);
    examine_space(report, config->data);
}

/* One line a local command; for providers behind a key, whether there is one. */
static void examine_models(struct examination *report, const struct config *config, const struct bridge *bridge) {
    unsigned count, remote = 0, runnable = 0;
    const struct model *const *models = catalog_models(bridge_catalog(bridge), &count);
    for (unsigned i = 0; i < count; i++) {
        bool available = false;
        for (unsigned r = 0; r < models[i]->route_count; r++) {
            struct fault why = { 0 };
            const struct route *route = &models[i]->routes[r];
            bool works = route_available(route, config, bridge, &why);
            available |= works;
            if (strcmp(route->provider, "exec") == 0)
                note(report, models[i]->name, works ? FINE : WARNING, "%s", works ? "can run" : why.message);
            else
                remote++;
        }
        runnable += available;
    }
    note(report, "catalogue", FINE,
         "%u models, %u of them run with live keys; %u routes lead to providers that need a key", count, runnable,
         remote);
}

/* Whether a TCP (and TLS) connection to the URL's host comes about. */
static bool reachable(const char *url, char words[CURL_ERROR_SIZE]) {
    struct authorities authorities;
    CURL *curl = curl_easy_init();
    if (!curl)
        return false;
    authorities_find(&authorities);
    words[0] = '\0';
    curl_easy_setopt(curl, CURLOPT_URL, url);
    curl_easy_setopt(curl, CURLOPT_CONNECT_ONLY, 1L);
    curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS, REACH_TIMEOUT_MS);
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, words);
    authorities_set(&authorities, curl);
    CURLcode code = curl_easy_perform(curl);
    if (code != CURLE_OK && !words[0])
        snprintf(words, CURL_ERROR_SIZE, "%s", curl_easy_strerror(code));
    curl_easy_cleanup(curl);
    return code == CURLE_OK;
}

static void note_doubt(const struct doubt *doubt, void *report) {
    note(report, doubt->what, doubt->grave ? PROBLEM : WARNING, "%s", doubt->words);
}

/* Does anybody answer there? */
static void examine_provider(struct examination *report, const struct provider_config *provider,
                             const struct adapter *adapter) {
    char words[CURL_ERROR_SIZE];
    const char *url = provider->url != NULL ? provider->url : adapter->url;
    bool there = reachable(url, words);
    note(report, provider->name, there ? FINE : PROBLEM, "%s %s%s", url,
         there ? "can be reached" : "cannot be reached: ", there ? "" : words);
}

static void examine_providers(struct examination *report, const struct config *config, const struct bridge *bridge) {
    unsigned remote = 0;
    for (unsigned i = 0; i < config->provider_count; i++) {
        const struct adapter *adapter = bridge_adapter(bridge, config->providers[i].name);
        if (adapter == NULL) /* a built-in one, or what the doubts are about */
            continue;
        examine_provider(report, &config->providers[i], adapter);
        remote++;
    }
    if (remote > 0 && config->public_url == NULL)
        note(report, "public_url", WARNING,
             "not set: services cannot call back, and files sent inside a request reach only those that take data");
}

static void examine_server(struct examination *report, const struct config *config) {
    char words[CURL_ERROR_SIZE], address[CONFIG_ADDRESS_SIZE], url[CONFIG_ADDRESS_SIZE + 16];
    config_address(config, address);
    snprintf(url, sizeof url, "http://%s/", address);
    if (config->listen_port && reachable(url, words))
        note(report, "server", FINE, "answers on %s", url);
    else
        note(report, "server", WARNING, "nothing answers on %s; `fennec serve` starts it", url);
}

static int run(const struct invocation *call) {
    struct fault fault = { 0 };
    struct examination report = { .rows = json_array() };
    json_t *rows scoped(json_release) = report.rows;
    note(&report, "fennec", FINE, "version " FENNEC_VERSION);
    struct config *config;
    if (open_config(call, &config, &fault)) {
        note(&report, "settings", PROBLEM, "%s", fault.message);
    } else {
        note(&report, "settings", FINE, "%s", config->path ? config->path : "defaults; there is no settings file");
        examine_store(&report, config);
        struct bridge *bridge;
        if (bridge_open(config, &bridge, &fault)) {
            note(&report, "catalogue", PROBLEM, "%s", fault.message);
        } else {
            examine_models(&report, config, bridge);
            doubts_tell(config, bridge, note_doubt, &report);
            examine_providers(&report, config, bridge);
            bridge_close(bridge);
        }
        examine_server(&report, config);
        config_free(config);
    }
    static const struct output_column COLUMNS[] = {
        { "WHAT", "what" }, { "STATUS", "status" }, { "", "words" }, { NULL }
    };
    output_table(call, rows, COLUMNS, "");
    return report.problems ? EXIT_FAILED : EXIT_OK;
}

const struct command command_doctor = {
    .name = "doctor",
    .summary = "Looks at what is installed, configured and reachable, and says what to do",
    .teaching =
        "Exit code 0: nothing stands in the way; 1: at least one problem. Warnings name what some models lack.\n",
    .options = (const struct cli_option[]){ { NULL } },
    .run = run,
};
