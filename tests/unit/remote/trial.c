/* Houses and trials. */
#include "trial.h"

#include <dirent.h>
#include <jansson.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "base/buffer.h"
#include "base/json.h"
#include "base/memory.h"
#include "net/courier.h"
#include "net/fetch.h"
#include "provider/bridge.h"

#define PATIENCE_MS 60000

static void write_adapter(const struct house *house, const char *members) {
    char path[128];
    snprintf(path, sizeof(path), "%s/providers", house->directory);
    assert_int_equal(mkdir(path, 0700), 0);
    snprintf(path, sizeof(path), "%s/models", house->directory);
    assert_int_equal(mkdir(path, 0700), 0);
    snprintf(path, sizeof(path), "%s/providers/double.lua", house->directory);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs("return {\n", file);
    for (const char *mark; (mark = strstr(members, "@URL@")) != NULL; members = mark + strlen("@URL@")) {
        fprintf(file, "%.*s%s", (int)(mark - members), members, house->url);
    }
    fprintf(file, "%s\n}\n", members);
    assert_int_equal(fclose(file), 0);
}

static void open_bridge(struct house *house) {
    struct fault fault = { 0 };
    if (bridge_open(&house->config, &house->bridge, &fault) != OK) {
        fail_msg("%s", fault.message);
    }
}

void house_open_at(struct house *house, const char *adapter, const char *url, bool allow_private) {
    *house = (struct house){ .directory = "/tmp/fennec-remote-XXXXXX" };
    assert_non_null(mkdtemp(house->directory));
    house->service = fake_service_start();
    snprintf(house->url, sizeof(house->url), "http://127.0.0.1:%u", fake_service_port(house->service));
    write_adapter(house, adapter);
    house->provider = (struct provider_config){ .name = "double",
                                                .url = url && !*url ? house->url : url,
                                                .allow_private = allow_private };
    house->config = (struct config){ .catalog_directory = house->directory,
                                     .artifact_max = 1 << 20,
                                     .input_max = 1 << 20,
                                     .body_max = 1 << 20,
                                     .providers = &house->provider,
                                     .provider_count = 1 };
    open_bridge(house);
    assert_int_equal(uv_loop_init(&house->loop), 0);
    assert_int_equal(courier_new(&house->loop, &(struct fetch_options){ 0 }, &house->courier, NULL), OK);
    struct driver_host host = {
        .loop = &house->loop, .config = &house->config, .bridge = house->bridge, .courier = house->courier,
        .work = house->directory
    };
    house->driver = remote_driver.create(&host);
    house->model = (struct model){ .name = "a-model" };
    unsigned count = 0;
    const struct model *const *models = catalog_models(bridge_catalog(house->bridge), &count);
    assert_true(count > 0 && models[0]->route_count > 0);
    house->route = models[0]->routes[0]; /* its table, and a target and an input of our own */
    house->route.target = "maker/model";
    house->route.lua_input = LUA_NONE;
}

void house_open(struct house *house, const char *adapter) {
    house_open_at(house, adapter, "", true);
}

void house_close(struct house *house) {
    char command[128];
    remote_driver.destroy(house->driver);
    courier_close(house->courier);
    uv_run(&house->loop, UV_RUN_DEFAULT);
    courier_free(house->courier);
    assert_int_equal(uv_loop_close(&house->loop), 0);
    bridge_close(house->bridge);
    fake_service_stop(house->service);
    snprintf(command, sizeof(command), "rm -r %s", house->directory);
    assert_int_equal(system(command), 0);
}

unsigned house_reply_files(const struct house *house) {
    unsigned count = 0;
    DIR *stream = opendir(house->directory);
    assert_non_null(stream);
    for (const struct dirent *entry; (entry = readdir(stream)) != NULL;) {
        count += text_starts(text_of(entry->d_name), TEXT("reply-"));
    }
    closedir(stream);
    return count;
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

void house_linger(struct house *house, unsigned ms) {
    bool over = false;
    uv_timer_t timer;
    uv_timer_init(&house->loop, &timer);
    timer.data = &over;
    uv_timer_start(&timer, time_over, ms, 0);
    while (!over) {
        uv_run(&house->loop, UV_RUN_ONCE);
    }
    uv_close((uv_handle_t *)&timer, NULL);
    uv_run(&house->loop, UV_RUN_NOWAIT);
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

/* ---- attempts ---- */

static struct trial *trial_of(struct attempt *attempt) {
    return container_of(attempt, struct trial, attempt);
}

static void on_progress(struct attempt *attempt, int percent) {
    trial_of(attempt)->progress = percent;
    trial_of(attempt)->progressed++;
}

static void on_taken(struct attempt *attempt, const char *remote, const char *kept) {
    struct trial *trial = trial_of(attempt);
    trial->taken++;
    snprintf(trial->remote, sizeof(trial->remote), "%s", remote);
    snprintf(trial->kept, sizeof(trial->kept), "%s", kept ? kept : "");
}

static void on_note(struct attempt *attempt, const char *kind, const char *data) {
    struct trial *trial = trial_of(attempt);
    json_t *value = json_loads(data, 0, NULL);
    assert_true(json_is_object(value));
    json_decref(value);
    trial->notes++;
    snprintf(trial->last_note, sizeof(trial->last_note), "%s", kind);
    snprintf(trial->note_data, sizeof(trial->note_data), "%s", data);
}

static void on_refreshed(struct attempt *attempt) {
    trial_of(attempt)->refreshed++;
}

static const char *on_directory(struct attempt *attempt) {
    trial_of(attempt)->directories++;
    if (trial_of(attempt)->no_directory > 0) {
        trial_of(attempt)->no_directory--;
        return NULL;
    }
    return trial_of(attempt)->house->directory;
}

static void on_done(struct attempt *attempt, const struct outcome *outcome) {
    struct trial *trial = trial_of(attempt);
    trial->done++;
    trial->outcome = *outcome;
    snprintf(trial->message, sizeof(trial->message), "%s", outcome->message ? outcome->message : "");
    snprintf(trial->detail, sizeof(trial->detail), "%s", outcome->detail ? outcome->detail : "");
    trial->output = json_deep_copy(outcome->output);
}

void trial_init(struct trial *trial, struct house *house) {
    *trial = (struct trial){ .house = house, .input = json_loads("{\"prompt\":\"a cat\",\"seed\":null}", 0, NULL) };
    trial->attempt = (struct attempt){ .task = "task-unified-1-abcdefgh",
                                       .number = 1,
                                       .model = &house->model,
                                       .route = &house->route,
                                       .provider = "double",
                                       .input = trial->input,
                                       .timeout_ms = 600000,
                                       .key = TRIAL_KEY,
                                       .submission = TRIAL_SUBMISSION,
                                       .callback_url = "https://media.example.com/v1/hooks/fake-hook-token",
                                       .progress = on_progress,
                                       .taken = on_taken,
                                       .note = on_note,
                                       .refreshed = on_refreshed,
                                       .directory = on_directory,
                                       .done = on_done };
}

void trial_fini(struct trial *trial) {
    json_decref(trial->input);
    json_decref(trial->output);
}

void trial_start(struct trial *trial) {
    struct fault fault = { 0 };
    if (remote_driver.start(trial->house->driver, &trial->attempt, &fault) != OK) {
        fail_msg("%s", fault.message);
    }
    assert_int_equal(trial->done, 0);
}

static bool is_done(void *context) {
    return ((struct trial *)context)->done > 0;
}

static bool is_taken(void *context) {
    return ((struct trial *)context)->taken > 0;
}

void trial_await_done(struct trial *trial) {
    house_await(trial->house, is_done, trial);
    assert_int_equal(trial->done, 1);
}

void trial_await_taken(struct trial *trial) {
    house_await(trial->house, is_taken, trial);
    assert_int_equal(trial->done, 0);
}

void trial_run(struct trial *trial, enum task_error error) {
    trial_start(trial);
    trial_await_done(trial);
    if (trial->outcome.error != error) {
        fail_msg("ended with %s (%s), not %s", trial->outcome.error ? task_error_code(trial->outcome.error) : "success",
                 trial->detail, error ? task_error_code(error) : "success");
    }
}

char *trial_output(const struct trial *trial) {
    assert_non_null(trial->output);
    return json_dumps(trial->output, JSON_COMPACT | JSON_SORT_KEYS | JSON_ENCODE_ANY);
}

struct scene *scene_open(const char *adapter) {
    struct scene *scene = mem_new(sizeof(*scene));
    house_open(&scene->house, adapter);
    trial_init(&scene->trial, &scene->house);
    return scene;
}

void scene_close(struct scene *scene) {
    trial_fini(&scene->trial);
    house_close(&scene->house);
    free(scene);
}

void scene_reply(struct scene *scene, const char *place, int status, const char *body) {
    fake_reply(scene->house.service, place, status, NULL, body);
}

unsigned scene_count(struct scene *scene, const char *place) {
    return fake_count(scene->house.service, place);
}
