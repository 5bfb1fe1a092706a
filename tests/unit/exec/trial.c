/* One run of a command through the driver, watched. */
#include <errno.h>
#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <uv.h>

#include <cmocka.h>
#include <jansson.h>

#include "provider/bridge.h"
#include "trial.h"

#define LONG_MS 600000 /* no command takes so long, on a busy machine either */

uv_loop_t trial_loop;

/* The bridge, as far as the driver needs it. */
enum err bridge_input(struct bridge *bridge, const struct route *route, const struct json_t *input, struct json_t **ret,
                      struct fault *fault) {
    (void)bridge;
    if (route->lua_input == FAILING_ROUTE) {
        return fault_set(fault, ERR_SCRIPT, "input failed");
    }
    *ret = json_deep_copy(input);
    json_object_set_new(*ret, "shaped", json_true());
    return OK;
}

static void on_progress(struct attempt *attempt, int percent) {
    struct trial *trial = (struct trial *)attempt;
    assert_true(percent > trial->progress_last || trial->progress_count == 0);
    trial->progress_count++;
    trial->progress_last = percent;
    if (trial->cancel_at_progress) {
        exec_driver.cancel(trial->driver, attempt);
    }
}

static void on_done(struct attempt *attempt, const struct outcome *outcome) {
    struct trial *trial = (struct trial *)attempt;
    trial->done_count++;
    trial->outcome = *outcome;
    snprintf(trial->message, sizeof(trial->message), "%s", outcome->message ? outcome->message : "");
    snprintf(trial->detail, sizeof(trial->detail), "%s", outcome->detail ? outcome->detail : "");
    trial->output = json_incref(outcome->output);
}

void trial_init(struct trial *trial, const char *command, struct json_t *input) {
    *trial = (struct trial){ .input = input, .timeout_ms = LONG_MS };
    assert_non_null(input);
    snprintf(trial->directory, sizeof(trial->directory), "/tmp/fennec-exec-XXXXXX");
    assert_non_null(mkdtemp(trial->directory));
    trial->route = (struct route){ .provider = "exec", .target = command, .lua_input = LUA_NONE };
    trial->model = (struct model){ .name = "local-test" };
}

static int remove_entry(const char *path, const struct stat *status, int kind, struct FTW *walk) {
    (void)status;
    (void)kind;
    (void)walk;
    return remove(path);
}

void trial_fini(struct trial *trial) {
    json_decref(trial->output);
    json_decref(trial->input);
    nftw(trial->directory, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
}

enum err trial_start(struct trial *trial, struct driver *driver, struct fault *fault) {
    trial->driver = driver;
    trial->attempt = (struct attempt){
        .task = "task-unified-1757165031-uyujaw3d",
        .number = 1,
        .model = &trial->model,
        .route = &trial->route,
        .input = trial->input,
        .files = trial->files,
        .file_count = trial->file_count,
        .work_directory = trial->directory,
        .timeout_ms = trial->timeout_ms,
        .progress = on_progress,
        .done = on_done,
    };
    return exec_driver.start(driver, &trial->attempt, fault);
}

void trial_run(struct trial *trials, unsigned count, const struct config *config) {
    struct fault fault;
    assert_int_equal(uv_loop_init(&trial_loop), 0);
    struct driver *driver = exec_driver.create(&(struct driver_host){ .loop = &trial_loop, .config = config });
    for (unsigned i = 0; i < count; i++) {
        assert_int_equal(trial_start(&trials[i], driver, &fault), OK);
        assert_int_equal(trials[i].done_count, 0);
    }
    uv_run(&trial_loop, UV_RUN_DEFAULT);
    exec_driver.destroy(driver);
    assert_int_equal(uv_loop_close(&trial_loop), 0);
    for (unsigned i = 0; i < count; i++) {
        assert_int_equal(trials[i].done_count, 1);
    }
    /* Neither zombie nor stray. */
    assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
    assert_int_equal(errno, ECHILD);
}
