/* Jobs at services, from the submission to the end: whatever a service answers, and calls back with, at whatever step, the
 * engine is told of one end, in words, without the key; what it is told on the way is within its bounds; the files that came
 * are the attempt's, and no other is left.
 *
 *   the adapter (of `adapters`), and letters: r it is resumed, l it is looked up, v the hook is verified
 *   a hook's body, or nothing
 *   what the service says (server.h) */
#include <dirent.h>
#include <jansson.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/log.h"
#include "catalog/catalog.h"
#include "config/config.h"
#include "engine/hook/hook.h"
#include "fuzz.h"
#include "net/courier.h"
#include "net/fetch.h"
#include "net/webhook.h"
#include "place.h"
#include "provider/bridge.h"
#include "provider/driver.h"
#include "server.h"

#define SECRET "not-a-real-key-0123456789"
#define CLOCK_SPEED 200
#define PATIENCE_MS 10 /* a job that has not ended by then is cancelled, busy or not, and again until it has */
#define FILE_MAX 3000
#define HTTP "HTTP/1.1 200 OK\r\n\r\n"
#define NEXT "\n----\n"

static const char common[] =
    "url = 'https://service.example', hosts = { '*.service.example' },\n"
    "statuses = { WAITS = 'pending', RUNS = 'processing', DONE = 'completed', BROKE = 'failed' },\n"
    "auth = function(key) return { Authorization = 'Key ' .. key } end,\n"
    "submit = function(task) return { post = '/jobs', json = task.input } end,\n";

#define PACE "poll_first = 0.1, poll_min = 0.1, poll_max = 0.2,\n"

/* One that is asked, one that answers at once with bytes, one that is asked about many. */
static const struct {
    const char *name, *members;
} adapters[] = {
    { "queue",
      PACE "accepted = function(reply) local j = reply.json or {}\n"
      "  if j.error then return { error = { code = 'invalid_parameters', message = j.error, taken = j.taken } } end\n"
      "  return { id = j.id, status = 'WAITS', state = j.keep, output = j.output } end,\n"
      "poll = function(job) return { get = '/jobs/' .. url_encode(job.id), query = { s = job.state and 'x' } } end,\n"
      "polled = function(reply, job) local j = reply.json or {}\n"
      "  if j.error then return { error = { code = j.error, detail = j.words, again = j.again, delay = j.delay } } end\n"
      "  return { status = j.status, progress = j.progress, position = j.position, state = j.keep, delay = j.delay,\n"
      "           next = j.next and { get = j.next, binary = j.binary }, step = j.step, output = j.output } end,\n"
      "output = function(reply) return { output = reply.json or { file = reply.file } } end,\n"
      "lookup = function(task) return { get = '/find', query = { external = task.external_id } } end,\n"
      "found = function(reply) local j = reply.json or {} if j.none then return nil end return { id = j.id } end,\n"
      "cancel = function(job) return { post = '/cancel/' .. url_encode(job.id), paid = false } end,\n"
      "cancelled = function(reply) if reply.json and reply.json.gone then return { error = { code = 'cancelled' } } end end,\n"
      "hook = function(event) local j = event.json or {}\n"
      "  return { id = j.id, status = j.status, output = j.output, progress = j.progress, reply = j.reply,\n"
      "           error = j.error and { code = j.error } } end,\n"
      "failure = function(reply) local j = reply.json or {}\n"
      "  return j.code and { code = j.code, message = j.words, scope = j.scope, delay = j.delay, taken = j.taken,\n"
      "                      again = j.again, retryable = j.retryable } end,\n" },
    { "bytes",
      "submit = function(task) return { post = '/jobs', json = task.input, binary = true } end,\n"
      "accepted = function(reply) if reply.json then return { error = { code = 'generation_failed' } } end\n"
      "  return { output = { file = reply.file, type = reply.headers['content-type'] } } end,\n" },
    { "many",
      PACE "accepted = function(reply) return { id = reply.json.id } end,\n"
      "poll = function(job) return { get = '/jobs/' .. url_encode(job.id) } end,\n"
      "polled = function(reply) return { output = reply.json } end,\n"
      "poll_many = function(jobs) return { get = '/many', query = { id = jobs[1].id } } end,\n"
      "polled_many = function(reply, jobs) return reply.json end,\n" },
};

static uv_loop_t loop;
static struct courier *courier;
static struct bridge *bridge;
static struct driver *driver;
static struct route route; /* the table of any route, and a target and an input of our own */
static char work[96], attempts[128];
static bool told; /* the service names the key itself */

static void close_all(void) {
    remote_driver.destroy(driver);
    courier_close(courier);
    uv_run(&loop, UV_RUN_NOWAIT);
    courier_free(courier);
    bridge_close(bridge);
}

static void write_adapters(const char *directory) {
    char path[160];
    static const char *const below[] = { "", "/providers", "/models" };
    for (size_t i = 0; i < ARRAY_SIZE(below); i++) {
        snprintf(path, sizeof(path), "%s%s", directory, below[i]);
        fuzz_hold(mkdir(path, 0700) == 0, "%s", path);
    }
    for (size_t i = 0; i < ARRAY_SIZE(adapters); i++) {
        snprintf(path, sizeof(path), "%s/providers/%s.lua", directory, adapters[i].name);
        FILE *file = fopen(path, "w");
        fuzz_hold(file != NULL && fprintf(file, "return {\n%s%s}\n", common, adapters[i].members) > 0 && fclose(file) == 0);
    }
}

static void find_route(void) {
    unsigned count;
    const struct model *const *models = catalog_models(bridge_catalog(bridge), &count);
    for (unsigned i = 0; i < count && route.provider == NULL; i++) {
        if (models[i]->llm == NULL && models[i]->route_count > 0) {
            route = models[i]->routes[0];
        }
    }
    fuzz_hold(route.provider != NULL);
    route.target = "maker/model";
    route.lua_input = LUA_NONE;
}

void fuzz_begin(void) {
    static char url[64], catalog[96];
    static struct provider_config providers[ARRAY_SIZE(adapters)];
    static struct config config = { .catalog_directory = catalog, .artifact_max = FILE_MAX, .input_max = FILE_MAX,
                                    .body_max = 1 << 20, .providers = providers, .provider_count = ARRAY_SIZE(providers) };
    struct fault fault = { .err = OK };
    clock_set_speed(CLOCK_SPEED, 0);
    log_setup(LOG_ERROR, LOG_TEXT);
    snprintf(catalog, sizeof(catalog), "%s/catalog", place());
    snprintf(work, sizeof(work), "%s/work", place());
    snprintf(attempts, sizeof(attempts), "%s/attempt", work);
    write_adapters(catalog);
    fuzz_hold(mkdir(work, 0700) == 0);
    uv_loop_init(&loop);
    server_open(&loop);
    server_may_hold();
    snprintf(url, sizeof(url), "http://%s", server_pairs()[0]);
    for (size_t i = 0; i < ARRAY_SIZE(adapters); i++) {
        providers[i] = (struct provider_config){ .name = adapters[i].name, .url = url, .allow_private = true };
    }
    fuzz_hold(bridge_open(&config, &bridge, &fault) == OK, "%s", fault.message);
    find_route();
    const struct fetch_options options = { .allow = server_pairs(), .allow_count = SERVER_PAIRS };
    fuzz_hold(courier_new(&loop, &options, &courier, &fault) == OK, "%s", fault.message);
    const struct driver_host host = { .loop = &loop, .config = &config, .bridge = bridge, .courier = courier, .work = work };
    driver = remote_driver.create(&host);
    atexit(close_all);
}

void fuzz_seeds(void) {
    static const char *const seeds[] = {
        "queue\n\n" HTTP "{\"id\":\"job-1\",\"keep\":{\"a\":1}}" NEXT HTTP
        "{\"status\":\"WAITS\",\"position\":3,\"progress\":5}" NEXT HTTP
        "{\"status\":\"DONE\",\"next\":\"/results/1\",\"step\":\"r\"}" NEXT
        HTTP "{\"images\":[{\"url\":\"https://cdn.service.example/a.png\"}]}",
        "queue\n\n" HTTP "{\"id\":7}" NEXT HTTP "{\"status\":\"DONE\",\"next\":\"/f\",\"binary\":true}" NEXT
        "HTTP/1.1 200 OK\r\nContent-Type: video/mp4\r\n\r\nbytes",
        "queue\n\n" HTTP "{\"id\":\"j\"}" NEXT HTTP "{\"status\":\"NEW\"}" NEXT
        "HTTP/1.1 429 S\r\nRetry-After: 1\r\n\r\n{}" NEXT HTTP
        "{\"error\":\"generation_failed\",\"words\":\"" SECRET "\"}",
        "queue\n\nHTTP/1.1 422 E\r\n\r\n{\"code\":\"invalid_parameters\",\"words\":\"no " SECRET "\",\"scope\":\"request\"}",
        "queue\n\nHTTP/1.1 503 E\r\nRetry-After: 2\r\n\r\n{\"code\":\"service_unavailable\",\"taken\":false,\"retryable\":true}",
        "queue\n\n" HTTP "{\"error\":\"no\"}",
        "queue\n\n" HTTP "{\"output\":{\"x\":1}}",
        "queue\n\n" HTTP "{\"id\":",
        "queue\n\n" NEXT HTTP "{\"id\":\"found\"}" NEXT HTTP "{\"output\":1}",
        "queue l\n\n" HTTP "{\"none\":true}",
        "queue r\n\nHTTP/1.1 404 N\r\n\r\n{}" NEXT "HTTP/1.1 404 N\r\n\r\n{}" NEXT "HTTP/1.1 404 N\r\n\r\n{}",
        "queue rv\n{\"id\":\"job-1\",\"output\":{\"a\":1},\"reply\":{\"code\":0}}\n",
        "queue r\n{\"id\":\"job-1\",\"error\":\"generation_failed\"}\n" HTTP "{\"status\":\"RUNS\"}" NEXT HTTP "{\"gone\":true}",
        "queue rv\nhello\n" HTTP "{\"status\":\"BROKE\"}",
        "queue\n\n" HTTP "{\"id\":\"../../x?y#z\"}" NEXT HTTP "{\"status\":\"DONE\",\"next\":\"http://10.0.0.1/\"}",
        "queue\n\n" HTTP "{\"id\":\"j\"}" NEXT HTTP "{\"delay\":1e308,\"progress\":-5.5}",
        "queue\n\n" HTTP "{\"id\":\"j\"}" NEXT "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{H}",
        "queue\n\nHTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{H}",
        "queue\n\nHTTP/1.1 401 N\r\n\r\n{}" NEXT HTTP "{\"id\":\"j\"}" NEXT "HTTP/1.1 401 N\r\n\r\n{}",
        "bytes\n\nHTTP/1.1 200 OK\r\nContent-Type: image/png\r\n\r\n\x89PNG",
        "bytes\n\nHTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n{\"error\":1}",
        "bytes\n\nHTTP/1.1 200 OK\r\nContent-Length: 9999\r\n\r\ncut",
        "many\n\n" HTTP "{\"id\":\"j\"}" NEXT HTTP "{\"j\":{\"output\":{\"a\":1}}}",
        "many r\n\n" HTTP "{\"other\":1}" NEXT HTTP "{\"a\":1}",
        "many r\n\n" HTTP "[]" NEXT "HTTP/1.1 500 E\r\n\r\n" NEXT HTTP "[1]",
        NULL,
    };
    fuzz_seed_list("job", seeds);
}

/* ---- what is told ---- */

struct trial {
    struct attempt attempt;
    unsigned ends;
};

static void hold_words(const char *words) {
    fuzz_hold(words == NULL || strstr(words, SECRET) == NULL, "%s", words);
    fuzz_hold(words == NULL || text_is_utf8(text_of(words)), "%s", words);
}

static void hold_json(const char *json) {
    json_t *value = NULL;
    struct fault fault = { .err = OK };
    fuzz_hold(json_read_any(text_of(json), 80, &value, &fault) == OK, "%s: %s", fault.message, json);
    json_decref(value);
}

static void progress(struct attempt *attempt, int percent) {
    (void)attempt;
    fuzz_hold(percent >= 0 && percent <= 100, "%d", percent);
}

static void taken(struct attempt *attempt, const char *remote, const char *kept) {
    (void)attempt;
    fuzz_hold(remote[0] != '\0' && text_is_utf8(text_of(remote)));
    if (kept != NULL) {
        hold_json(kept);
    }
}

static void note(struct attempt *attempt, const char *kind, const char *data) {
    (void)attempt;
    fuzz_hold(kind[0] != '\0');
    hold_json(data);
    hold_words(data);
}

static void refreshed(struct attempt *attempt) {
    (void)attempt;
}

static const char *directory(struct attempt *attempt) {
    (void)attempt;
    return attempts;
}

/* A file that it names is in the attempt's directory. */
static void hold_output(const json_t *output) {
    const char *name = json_string_value(json_object_get(output, "file"));
    char path[512];
    fuzz_hold(output != NULL);
    fuzz_hold_round_trip(output);
    if (name != NULL && text_starts(text_of(name), TEXT("reply-")) && strchr(name, '/') == NULL) {
        snprintf(path, sizeof(path), "%s/%s", attempts, name);
        fuzz_hold(access(path, F_OK) == 0 || json_object_size(output) > 2, "%s", path);
    }
}

static void done(struct attempt *attempt, const struct outcome *outcome) {
    container_of(attempt, struct trial, attempt)->ends++;
    if (outcome->error == TASK_ERROR_NONE) {
        hold_output(outcome->output);
        return;
    }
    hold_words(outcome->message);
    hold_words(outcome->detail);
    fuzz_hold(task_error_code(outcome->error) != NULL && outcome->scope < SCOPE_COUNT);
    fuzz_hold(outcome->delay_ms >= 0, "%lld", (long long)outcome->delay_ms);
    fuzz_hold(outcome->fate != JOB_UNKNOWN || !outcome->retryable, "it would be made twice");
}

/* ---- a job ---- */

static void asked(struct text head, bool abroad, unsigned number) {
    (void)number;
    fuzz_hold(!abroad || told || memmem(head.ptr, head.len, SECRET, strlen(SECRET)) == NULL, "the key goes abroad");
}

static void hook(struct trial *trial, struct text body, bool verified) {
    static const struct webhook_header headers[] = { { TEXT("X-Event"), TEXT("done") }, { TEXT("cookie"), TEXT("x") } };
    const struct webhook webhook = { headers, ARRAY_SIZE(headers), body };
    json_t *value = hook_event_new(&webhook, headers, 1);
    const struct hook_event event = { .event = value, .verified = verified };
    json_t *reply = remote_driver.hook(driver, &trial->attempt, &event);
    if (reply != NULL) {
        fuzz_hold_round_trip(reply);
    }
    json_decref(reply);
    json_decref(value);
}

static void lose_patience(uv_timer_t *timer) {
    struct trial *trial = timer->data;
    if (trial->ends == 0) {
        remote_driver.cancel(driver, &trial->attempt);
    }
}

static void run(struct trial *trial, bool resumes, struct text called, bool verified) {
    static uv_timer_t patience;
    struct fault fault = { .err = OK };
    enum err err = resumes ? remote_driver.resume(driver, &trial->attempt, &fault)
                           : remote_driver.start(driver, &trial->attempt, &fault);
    if (err != OK) {
        fuzz_hold_fault(err, &fault);
        return;
    }
    uv_timer_init(&loop, &patience);
    patience.data = trial;
    uv_timer_start(&patience, lose_patience, PATIENCE_MS, PATIENCE_MS);
    if (called.len > 0) {
        hook(trial, called, verified);
    }
    while (trial->ends == 0) {
        uv_run(&loop, UV_RUN_ONCE);
    }
    uv_close((uv_handle_t *)&patience, NULL);
    fuzz_hold(trial->ends == 1 && trial->attempt.driver_data == NULL);
}

/* Nothing is left but the attempt's own. */
static void hold_clean(void) {
    DIR *stream = opendir(work);
    fuzz_hold(stream != NULL);
    for (const struct dirent *entry; (entry = readdir(stream)) != NULL;) {
        fuzz_hold(entry->d_name[0] == '.' || strcmp(entry->d_name, "attempt") == 0, "%s is left", entry->d_name);
    }
    closedir(stream);
}

static void try(const char *adapter, struct text letters, struct text called, json_t *input) {
    bool resumes = text_find(letters, 'r') < letters.len, looked_up = text_find(letters, 'l') < letters.len;
    struct model model = { .name = "a-model" };
    struct trial trial = { .attempt = { .task = "task-unified-1-abcdefgh", .number = 1, .model = &model, .route = &route,
                                        .provider = adapter, .input = input, .timeout_ms = 600000, .key = SECRET,
                                        .submission = "0123456789abcdef0123456789abcdef", .progress = progress,
                                        .taken = taken, .note = note, .refreshed = refreshed, .directory = directory,
                                        .done = done } };
    if (resumes) {
        trial.attempt.remote = "job-1";
        trial.attempt.kept = "{\"state\":{\"a\":1}}";
    }
    fuzz_hold(mkdir(attempts, 0700) == 0);
    run(&trial, resumes || looked_up, called, text_find(letters, 'v') < letters.len);
    server_rest();
    uv_run(&loop, UV_RUN_NOWAIT);
    hold_clean();
    place_remove(attempts);
}

void fuzz_one(struct text input) {
    struct text letters = fuzz_line(&input), adapter = text_cut(&letters, ' '), called = fuzz_line(&input);
    json_t *task = json_pack("{s:s,s:n}", "prompt", "a cat", "seed");
    told = input.len > 0 && memmem(input.ptr, input.len, SECRET, strlen(SECRET)) != NULL;
    server_say(input, asked);
    for (size_t i = 0; i < ARRAY_SIZE(adapters); i++) {
        if (text_equal(adapter, text_of(adapters[i].name))) {
            try(adapters[i].name, letters, called, task);
        }
    }
    json_decref(task);
}
