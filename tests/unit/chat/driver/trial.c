/* Houses and trials. */
#include "trial.h"

#include <jansson.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "base/json.h"
#include "base/memory.h"
#include "net/fetch.h"
#include "provider/bridge.h"

#define PATIENCE_MS 60000

static void write_adapter(const struct house *house, const char *dialect) {
    char path[128];
    snprintf(path, sizeof(path), "%s/providers", house->directory);
    assert_int_equal(mkdir(path, 0700), 0);
    snprintf(path, sizeof(path), "%s/models", house->directory);
    assert_int_equal(mkdir(path, 0700), 0);
    snprintf(path, sizeof(path), "%s/providers/double.lua", house->directory);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fprintf(file,
            "return { url = 'https://llm.example/v1', chat = '%s',\n"
            "  auth = function(key) return { Authorization = 'Bearer ' .. key } end }\n",
            dialect);
    assert_int_equal(fclose(file), 0);
}

static void open_bridge(struct house *house) {
    struct fault fault = { 0 };
    if (bridge_open(&house->config, &house->bridge, &fault) != OK) {
        fail_msg("%s", fault.message);
    }
}

/* The table of a route of an ordinary model, which says nothing of language models. */
static void take_route(struct house *house) {
    unsigned count = 0;
    const struct model *const *models = catalog_models(bridge_catalog(house->bridge), &count);
    for (unsigned i = 0; i < count; i++) {
        if (models[i]->llm == NULL && models[i]->route_count > 0) {
            house->route = models[i]->routes[0];
        }
    }
    assert_non_null(house->route.provider);
    house->route.target = "maker/model";
    house->route.lua_input = LUA_NONE;
}

static void open_house(struct house *house, const struct driver_ops *ops, const char *dialect, const char *url,
                       bool allow_private) {
    *house = (struct house){ .directory = "/tmp/fennec-chat-XXXXXX", .ops = ops };
    assert_non_null(mkdtemp(house->directory));
    house->service = fake_service_start();
    snprintf(house->address, sizeof(house->address), "127.0.0.1:%u", fake_service_port(house->service));
    snprintf(house->url, sizeof(house->url), "http://%s/v1/", house->address);
    write_adapter(house, dialect);
    house->provider = (struct provider_config){ .name = "double",
                                                .url = url ? url : house->url,
                                                .allow_private = allow_private };
    house->config = (struct config){ .catalog_directory = house->directory,
                                     .input_max = 20000,
                                     .llm_idle_s = 60,
                                     .llm_duration_s = 600,
                                     .llm_connections_max = 100,
                                     .providers = &house->provider,
                                     .provider_count = 1 };
    open_bridge(house);
    assert_int_equal(uv_loop_init(&house->loop), 0);
    const char *allowed = house->address;
    const struct fetch_options options = { .allow = &allowed, .allow_count = allow_private ? 1 : 0 };
    house->fetcher = fetch_client_new(&house->loop, &options);
    const struct driver_host host = {
        .loop = &house->loop, .config = &house->config, .bridge = house->bridge, .fetcher = house->fetcher
    };
    house->driver = ops->create(&host);
    house->model = (struct model){ .name = "a-model", .type = TASK_LLM };
    take_route(house);
}

void house_open(struct house *house, const char *dialect) {
    open_house(house, &chat_driver, dialect, NULL, true);
}

void house_open_at(struct house *house, const char *dialect, const char *url, bool allow_private) {
    open_house(house, &chat_driver, dialect, url, allow_private);
}

void house_open_test_mode(struct house *house) {
    open_house(house, &chat_simulator, "openai", NULL, true);
}

void house_close(struct house *house) {
    char command[128];
    house->ops->destroy(house->driver);
    fetch_client_free(house->fetcher);
    uv_run(&house->loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&house->loop), 0);
    bridge_close(house->bridge);
    fake_service_stop(house->service);
    snprintf(command, sizeof(command), "rm -r %s", house->directory);
    assert_int_equal(system(command), 0);
}

static void time_over(uv_timer_t *timer) {
    *(bool *)timer->data = true;
}

/* The condition may come true by another thread's doing, so the loop is woken now and then. */
static void nothing(uv_timer_t *timer) {
    (void)timer;
}

void house_await(struct house *house, bool (*condition)(void *context), void *context) {
    bool over = false;
    uv_timer_t patience, pulse;
    uv_timer_init(&house->loop, &patience);
    uv_timer_init(&house->loop, &pulse);
    patience.data = &over;
    uv_timer_start(&patience, time_over, PATIENCE_MS, 0);
    uv_timer_start(&pulse, nothing, 5, 5);
    while (!over && !condition(context)) {
        uv_run(&house->loop, UV_RUN_ONCE);
    }
    uv_close((uv_handle_t *)&patience, NULL);
    uv_close((uv_handle_t *)&pulse, NULL);
    uv_run(&house->loop, UV_RUN_NOWAIT);
    assert_false(over);
}

struct wanted_count {
    struct house *house;
    const char *place;
    unsigned count;
};

static bool has_count(void *context) {
    const struct wanted_count *wanted = context;
    return fake_count(wanted->house->service, wanted->place) >= wanted->count;
}

void house_await_count(struct house *house, const char *place, unsigned count) {
    house_await(house, has_count, &(struct wanted_count){ house, place, count });
}

void house_stream(struct house *house, const char *place, const char *events, enum fake_end end) {
    struct buffer scoped(buffer_fini) buf;
    buffer_init(&buf, 1 << 20);
    buffer_put(&buf, TEXT("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n"));
    buffer_put(&buf, text_of(events));
    fake_bytes(house->service, place, buf.data, end);
}

/* ---- attempts ---- */

static void on_done(struct attempt *attempt, const struct outcome *outcome) {
    struct trial *trial = container_of(attempt, struct trial, attempt);
    trial->done++;
    trial->outcome = *outcome;
    snprintf(trial->message, sizeof(trial->message), "%s", outcome->message ? outcome->message : "");
    snprintf(trial->detail, sizeof(trial->detail), "%s", outcome->detail ? outcome->detail : "");
    if (outcome->chat) {
        trial->failure = *outcome->chat;
    }
    buffer_put(&trial->completion, outcome->completion);
}

void trial_init(struct trial *trial, struct house *house, const char *body, bool streams) {
    *trial = (struct trial){ .house = house, .input = json_loads(body, 0, NULL) };
    assert_non_null(trial->input);
    buffer_init(&trial->completion, 64 << 20);
    trial->attempt = (struct attempt){ .task = "task-llm-1-abcdefgh",
                                       .number = 1,
                                       .model = &house->model,
                                       .route = &house->route,
                                       .provider = "double",
                                       .input = trial->input,
                                       .timeout_ms = 600000,
                                       .key = TRIAL_KEY,
                                       .stream = chat_stream_new(&(struct chat_stream_options){ 0 }),
                                       .streams = streams,
                                       .done = on_done };
}

void trial_fini(struct trial *trial) {
    json_decref(trial->input);
    buffer_fini(&trial->completion);
    chat_stream_unref(trial->attempt.stream);
}

void trial_start(struct trial *trial) {
    struct fault fault = { 0 };
    if (trial->house->ops->start(trial->house->driver, &trial->attempt, &fault) != OK) {
        fail_msg("%s", fault.message);
    }
    assert_int_equal(trial->done, 0);
}

static bool is_done(void *context) {
    return ((struct trial *)context)->done > 0;
}

void trial_await_done(struct trial *trial) {
    house_await(trial->house, is_done, trial);
    assert_int_equal(trial->done, 1);
    assert_null(trial->attempt.driver_data);
}

struct wanted_chunks {
    struct trial *trial;
    uint64_t count;
};

static bool has_chunks(void *context) {
    const struct wanted_chunks *wanted = context;
    return chat_stream_count(wanted->trial->attempt.stream) >= wanted->count;
}

void trial_await_chunks(struct trial *trial, uint64_t count) {
    house_await(trial->house, has_chunks, &(struct wanted_chunks){ trial, count });
    assert_int_equal(trial->done, 0);
}

void trial_run(struct trial *trial, enum task_error error) {
    trial_start(trial);
    trial_await_done(trial);
    if (trial->outcome.error != error) {
        fail_msg("ended with %s (%s; %s), not %s",
                 trial->outcome.error ? task_error_code(trial->outcome.error) : "success", trial->message,
                 trial->detail, error ? task_error_code(error) : "success");
    }
}

char *trial_chunks(const struct trial *trial) {
    struct buffer buf;
    buffer_init(&buf, 64 << 20);
    chat_stream_put_lines(trial->attempt.stream, &buf);
    char *lines = buffer_take(&buf);
    buffer_fini(&buf);
    return lines ? lines : mem_string("");
}

json_t *trial_completion(const struct trial *trial) {
    json_t *value = json_loads(trial->completion.data ? trial->completion.data : "", 0, NULL);
    assert_non_null(value);
    assert_string_equal(json_string_value(json_object_get(value, "object")), "chat.completion");
    return value;
}
