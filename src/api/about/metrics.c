/* GET /metrics: every figure in one table, in the Prometheus text format 0.0.4. */
#include <dirent.h>
#include <stdio.h>
#include <unistd.h>

#include "api/door/rate_limits.h"
#include "api/internal.h"
#include "base/clock.h"
#include "callback/callbacks.h"

#define ANSWER_MAX ((size_t)256 << 10)
#define CONTENT_TYPE "text/plain; version=0.0.4; charset=utf-8"

struct figures {
    struct rate_counts rates;
    struct http_counts http;
    struct engine_counts engine;
    struct store_counts store;
    struct callbacks_counts callbacks;
    uint64_t shed, resident_bytes, open_files, uptime_s;
};

/* name, type, what it is, value */
#define METRIC_TABLE(X)                                                                                                \
    X("fennec_uptime_seconds", "gauge", "Time since the start.", uptime_s)                                             \
    X("fennec_http_connections", "gauge", "Open connections.", http.connections)                                       \
    X("fennec_http_connections_accepted_total", "counter", "Connections taken.", http.connections_accepted)            \
    X("fennec_http_connections_refused_total", "counter", "Connections turned away at a limit.",                       \
      http.connections_refused)                                                                                        \
    X("fennec_http_connections_timed_out_total", "counter",                                                            \
      "Connections ended in the middle of a request or an answer, silent or too slow.",                                \
      http.connections_timed_out)                                                                                      \
    X("fennec_http_requests_suspended", "gauge", "Requests that wait without a thread.", http.suspended)               \
    X("fennec_http_body_bytes", "gauge", "Bytes of request bodies held.", http.body_bytes)                             \
    X("fennec_tasks_accepted_total", "counter", "Tasks accepted.", engine.accepted)                                    \
    X("fennec_tasks_completed_total", "counter", "Tasks completed.", engine.completed)                                 \
    X("fennec_tasks_failed_total", "counter", "Tasks failed.", engine.failed)                                          \
    X("fennec_submissions_shed_total", "counter", "Submissions refused because too much waited, before their bodies were read.", \
      shed)                                                                                                            \
    X("fennec_tasks_recovered_total", "counter", "Tasks taken up again after a start.", engine.recovered)              \
    X("fennec_tasks_queued", "gauge", "Tasks that wait for their turn.", engine.queued)                                \
    X("fennec_tasks_running", "gauge", "Tasks that run.", engine.running)                                              \
    X("fennec_attempts_total", "counter", "Attempts started.", engine.attempts)                                        \
    X("fennec_attempts_retried_total", "counter", "Attempts that were not the first.", engine.retried)                 \
    X("fennec_board_entries", "gauge", "Answers kept rendered.", engine.board_entries)                                 \
    X("fennec_board_hits_total", "counter", "Queries answered from the board.", engine.board_hits)                     \
    X("fennec_board_misses_total", "counter", "Queries answered from the store.", engine.board_misses)                 \
    X("fennec_artifacts_stored_total", "counter", "Result files stored.", engine.artifacts_stored)                     \
    X("fennec_artifact_bytes_total", "counter", "Bytes of result files stored.", engine.artifact_bytes)                \
    X("fennec_artifacts_swept_total", "counter", "Files removed after their time.", engine.swept)                      \
    X("fennec_callback_tries_total", "counter", "Tries at callbacks.", callbacks.tries)                                \
    X("fennec_callback_tries_failed_total", "counter", "Tries at callbacks that failed.", callbacks.failed)            \
    X("fennec_callbacks_delivered_total", "counter", "Callbacks delivered.", callbacks.delivered)                      \
    X("fennec_callbacks_given_up_total", "counter", "Callbacks given up.", callbacks.given_up)                         \
    X("fennec_callbacks_due", "gauge", "Callbacks of ended tasks that are not delivered yet.", callbacks.due)          \
    X("fennec_callbacks_running", "gauge", "Tries at callbacks under way.", callbacks.running)                         \
    X("fennec_callback_receivers", "gauge", "Receivers that have callbacks due.", callbacks.lanes)                     \
    X("fennec_callback_receivers_open", "gauge", "Receivers left alone for a while.", callbacks.open)                  \
    X("fennec_store_jobs_waiting", "gauge", "Jobs waiting for the writer.", store.waiting)                             \
    X("fennec_store_jobs_total", "counter", "Jobs committed.", store.jobs)                                             \
    X("fennec_store_commits_total", "counter", "Transactions made.", store.commits)                                    \
    X("process_resident_memory_bytes", "gauge", "Resident memory.", resident_bytes)                                    \
    X("process_open_fds", "gauge", "Open file descriptors.", open_files)

static const struct {
    const char *name, *type, *help;
    size_t at; /* of a uint64_t in struct figures */
} metrics[] = {
#define X(name, type, help, member) { name, type, help, offsetof(struct figures, member) },
    METRIC_TABLE(X)
#undef X
};

static uint64_t resident_bytes(void) {
    unsigned long long total = 0, resident = 0;
    FILE *file = fopen("/proc/self/statm", "re");
    if (file == NULL)
        return 0;
    int count = fscanf(file, "%llu %llu", &total, &resident);
    fclose(file);
    return count == 2 ? resident * (uint64_t)sysconf(_SC_PAGESIZE) : 0;
}

static uint64_t open_files(void) {
    uint64_t count = 0;
    DIR *directory = opendir("/proc/self/fd");
    if (directory == NULL)
        return 0;
    while (readdir(directory) != NULL)
        count++;
    closedir(directory);
    return count > 3 ? count - 3 : 0; /* without ".", ".." and the directory's own */
}

static void put_head(struct buffer *body, const char *name, const char *type, const char *help) {
    buffer_printf(body, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

static void put_requests(struct buffer *body, const struct http_counts *http) {
    static const char name[] = "fennec_http_requests_total";
    static const char *const classes[ARRAY_SIZE(http->by_class)] = { "none", "1xx", "2xx", "3xx", "4xx", "5xx" };

    put_head(body, name, "counter", "Requests by the class of their answer; none: ended without one.");
    for (size_t i = 0; i < ARRAY_SIZE(classes); i++)
        buffer_printf(body, "%s{status=\"%s\"} %llu\n", name, classes[i], (unsigned long long)http->by_class[i]);
}

static void put_hooks(struct buffer *body, const struct engine_counts *engine) {
    static const char name[] = "fennec_hooks_total";

    put_head(body, name, "counter", "Webhooks of providers by what became of them.");
    for (unsigned i = 0; i < HOOK_OUTCOME_COUNT; i++)
        buffer_printf(body, "%s{outcome=\"%s\"} %llu\n", name, hook_outcome_label((enum hook_outcome)i),
                      (unsigned long long)engine->hooks[i]);
}

static void put_rates(struct buffer *body, const struct rate_counts *rates) {
    static const char name[] = "fennec_rate_limited_total";

    put_head(body, name, "counter", "Requests refused because their key, account or group asked too often.");
    for (unsigned i = 0; i < RATE_SCOPE_COUNT; i++)
        buffer_printf(body, "%s{scope=\"%s\"} %llu\n", name, rate_scope_name((enum rate_scope)i),
                      (unsigned long long)rates->refused[i]);
}

static void put_latency(struct buffer *body, const struct http_counts *http) {
    static const char name[] = "fennec_http_request_duration_seconds";
    unsigned long long count = 0;

    put_head(body, name, "histogram", "From a request's first line to its answer's last byte.");
    for (size_t i = 0; i < HTTP_LATENCY_BUCKETS; i++) {
        count += http->latency[i];
        buffer_printf(body, "%s_bucket{le=\"%g\"} %llu\n", name, (double)http_latency_bounds_us[i] / 1e6, count);
    }
    count += http->latency[HTTP_LATENCY_BUCKETS];
    buffer_printf(body, "%s_bucket{le=\"+Inf\"} %llu\n%s_sum %.6f\n%s_count %llu\n", name, count, name,
                  (double)http->latency_sum_us / 1e6, name, count);
}

static void collect(struct api *api, struct figures *ret) {
    struct http_server *server = atomic_load(&api->server);

    *ret = (struct figures){
        .rates = rate_limits_counts(api->rate_limits),
        .shed = atomic_load_explicit(&api->shed, memory_order_relaxed),
        .engine = engine_counts(api->engine),
        .store = store_counts(api->store),
        .callbacks = callbacks_counts(engine_callbacks(api->engine)),
        .resident_bytes = resident_bytes(),
        .open_files = open_files(),
        .uptime_s = (uint64_t)((clock_monotonic_ms() - api->started_ms) / 1000),
    };
    if (server != NULL)
        ret->http = http_server_counts(server);
}

void handle_metrics(struct exchange *exchange) {
    struct figures figures;
    struct buffer body;

    collect(api_of(exchange), &figures);
    buffer_init(&body, ANSWER_MAX);
    put_head(&body, "fennec_build_info", "gauge", "The version that runs.");
    buffer_put(&body, TEXT("fennec_build_info{version=\"" FENNEC_VERSION "\"} 1\n"));
    put_requests(&body, &figures.http);
    put_latency(&body, &figures.http);
    put_hooks(&body, &figures.engine);
    put_rates(&body, &figures.rates);
    for (size_t i = 0; i < ARRAY_SIZE(metrics); i++) {
        const uint64_t *value = (const uint64_t *)((const char *)&figures + metrics[i].at);
        put_head(&body, metrics[i].name, metrics[i].type, metrics[i].help);
        buffer_printf(&body, "%s %llu\n", metrics[i].name, (unsigned long long)*value);
    }
    reply_take(exchange, 200, CONTENT_TYPE, &body);
}
