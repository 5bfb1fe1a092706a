/* Test mode's attempts on a real loop: their progress, their ends, and that each ends once. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>
#include <uv.h>

#include "base/compiler.h"
#include "catalog/catalog.h"
#include "config/config.h"
#include "provider/bridge.h"
#include "provider/driver.h"
#include "tests.h"

/* ---- the bridge, as far as the driver needs it ---- */

enum err bridge_simulate(struct bridge *bridge, const struct model *model, const struct json_t *input, struct json_t **ret,
                         struct fault *fault) {
    (void)bridge;
    (void)input;
    if (strcmp(model->name, "broken") == 0) {
        return fault_set(fault, ERR_SCRIPT, "models/broken.lua:7: no simulate");
    }
    *ret = json_pack("{s:s}", "model", model->name);
    return OK;
}

/* ---- trials ---- */

struct trial {
    struct attempt attempt; /* first, so that callbacks find the rest */
    struct driver *driver;
    unsigned progress_count, done_count;
    int progress_last;
    bool cancel_at_progress;
    enum task_error error;
    bool retryable, has_output;
    char message[256], detail[256];
};

static uv_loop_t loop;
static unsigned trials_done;

static void on_progress(struct attempt *attempt, int percent) {
    struct trial *trial = (struct trial *)attempt;
    assert_int_equal(trial->done_count, 0);
    assert_true(percent > trial->progress_last && percent < 100);
    trial->progress_last = percent;
    trial->progress_count++;
    if (trial->cancel_at_progress) {
        simulator_driver.cancel(trial->driver, attempt);
        assert_int_equal(trial->done_count, 0);
    }
}

static void on_done(struct attempt *attempt, const struct outcome *outcome) {
    struct trial *trial = (struct trial *)attempt;
    trial->done_count++;
    trials_done++;
    trial->error = outcome->error;
    trial->retryable = outcome->retryable;
    trial->has_output = outcome->output != NULL;
    snprintf(trial->message, sizeof(trial->message), "%s", outcome->message ? outcome->message : "");
    snprintf(trial->detail, sizeof(trial->detail), "%s", outcome->detail ? outcome->detail : "");
}

static void trial_start(struct trial *trial, struct driver *driver, const struct model *model, int number,
                        const json_t *input) {
    struct fault fault;
    trial->driver = driver;
    trial->attempt = (struct attempt){
        .task = "task-unified-1757165031-uyujaw3d",
        .number = number,
        .model = model,
        .input = input,
        .timeout_ms = 60000,
        .test = true,
        .progress = on_progress,
        .done = on_done,
    };
    assert_int_equal(simulator_driver.start(driver, &trial->attempt, &fault), OK);
    assert_int_equal(trial->done_count, 0);
    assert_int_equal(trial->progress_count, 0);
}

static const struct {
    const char *prompt;
    const char *model;
    int number;
    double seconds;
    bool cancel;
    enum task_error error;
    bool retryable;
    unsigned progress_least;
    const char *message, *detail; /* what they hold */
} cases[] = {
    { "a dog", "m", 1, 0, false, TASK_ERROR_NONE, false, 1, "", "" },
    { "a dog", "m", 1, 0.05, false, TASK_ERROR_NONE, false, 9, "", "" },
    { "fennec:slow=0.05", "m", 1, 0, false, TASK_ERROR_NONE, false, 9, "", "" },
    { "fennec:slow=0", "m", 1, 1000, false, TASK_ERROR_NONE, false, 1, "", "" },
    { "fennec:error=content_policy_violation", "m", 1, 0, false, TASK_ERROR_CONTENT_POLICY, false, 1, "policy", "asked for" },
    { "fennec:error=resource_exhausted", "m", 1, 0.05, false, TASK_ERROR_RESOURCE_EXHAUSTED, false, 3, "capacity", "" },
    { "fennec:error=foo", "m", 1, 0, false, TASK_ERROR_INVALID_PARAMETERS, false, 1, "\"foo\"", "" },
    { "fennec:flaky", "m", 1, 0, false, TASK_ERROR_UNAVAILABLE, true, 1, "", "flaky" },
    { "fennec:flaky", "m", 2, 0, false, TASK_ERROR_NONE, false, 1, "", "" },
    { "fennec:never", "m", 1, 0, true, TASK_ERROR_CANCELLED, false, 1, "", "" },
    { "fennec:never", "m", 1, 0.05, true, TASK_ERROR_CANCELLED, false, 1, "", "" },
    { "fennec:slow=3000", "m", 1, 0, true, TASK_ERROR_CANCELLED, false, 0, "", "" },
    { "a dog", "m", 1, 0, true, TASK_ERROR_CANCELLED, false, 1, "", "" },
    { "fennec:flaky", "m", 1, 0.05, true, TASK_ERROR_CANCELLED, false, 1, "", "" },
    { "a dog", "broken", 1, 0, false, TASK_ERROR_UNKNOWN, false, 1, "", "models/broken.lua:7" },
};

static void every_attempt_ends_once_and_as_asked(void **state) {
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct config config = { .simulator_seconds = cases[i].seconds };
        struct model model = { .name = cases[i].model };
        struct trial trial = { .cancel_at_progress = cases[i].cancel };
        json_t *input = json_pack("{s:[s]}", "texts", cases[i].prompt);
        assert_int_equal(uv_loop_init(&loop), 0);
        struct driver *driver = simulator_driver.create(&(struct driver_host){ .loop = &loop, .config = &config });
        trial_start(&trial, driver, &model, cases[i].number, input);
        if (cases[i].cancel && cases[i].progress_least == 0) {
            simulator_driver.cancel(driver, &trial.attempt);
            assert_int_equal(trial.done_count, 0);
        }
        uv_run(&loop, UV_RUN_DEFAULT);
        assert_int_equal(trial.done_count, 1);
        assert_int_equal(trial.error, cases[i].error);
        assert_int_equal(trial.retryable, cases[i].retryable);
        assert_int_equal(trial.has_output, cases[i].error == TASK_ERROR_NONE);
        assert_true(trial.progress_count >= cases[i].progress_least);
        assert_non_null(strstr(trial.message, cases[i].message));
        assert_non_null(strstr(trial.detail, cases[i].detail));
        simulator_driver.destroy(driver);
        assert_int_equal(uv_loop_close(&loop), 0);
        json_decref(input);
    }
}

static void a_task_that_never_ends_waits_for_its_cancellation(void **state) {
    (void)state;
    struct config config = { .simulator_seconds = 0 };
    struct model model = { .name = "m" };
    struct trial trial = { 0 };
    json_t *input = json_pack("{s:s}", "prompt", "fennec:never");
    assert_int_equal(uv_loop_init(&loop), 0);
    struct driver *driver = simulator_driver.create(&(struct driver_host){ .loop = &loop, .config = &config });
    trial_start(&trial, driver, &model, 1, input);
    assert_int_equal(uv_run(&loop, UV_RUN_DEFAULT), 0); /* nothing left to do: no timer runs for it */
    assert_int_equal(trial.done_count, 0);
    assert_int_equal(trial.progress_count, 1);
    simulator_driver.cancel(driver, &trial.attempt);
    simulator_driver.cancel(driver, &trial.attempt);
    uv_run(&loop, UV_RUN_DEFAULT);
    assert_int_equal(trial.done_count, 1);
    assert_int_equal(trial.error, TASK_ERROR_CANCELLED);
    simulator_driver.destroy(driver);
    assert_int_equal(uv_loop_close(&loop), 0);
    json_decref(input);
}

#define MANY 5000

static void thousands_run_at_once(void **state) {
    (void)state;
    struct config config = { .simulator_seconds = 0.01 };
    struct model model = { .name = "m" };
    json_t *input = json_pack("{s:s}", "prompt", "a dog");
    struct trial *trials = calloc(MANY, sizeof(*trials));
    assert_int_equal(uv_loop_init(&loop), 0);
    struct driver *driver = simulator_driver.create(&(struct driver_host){ .loop = &loop, .config = &config });
    trials_done = 0;
    for (unsigned i = 0; i < MANY; i++) {
        trial_start(&trials[i], driver, &model, 1, input);
    }
    uv_run(&loop, UV_RUN_DEFAULT);
    assert_int_equal(trials_done, MANY);
    for (unsigned i = 0; i < MANY; i++) {
        assert_int_equal(trials[i].done_count, 1);
        assert_int_equal(trials[i].error, TASK_ERROR_NONE);
    }
    simulator_driver.destroy(driver);
    assert_int_equal(uv_loop_close(&loop), 0);
    free(trials);
    json_decref(input);
}

int test_simulator(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_attempt_ends_once_and_as_asked),
        cmocka_unit_test(a_task_that_never_ends_waits_for_its_cancellation),
        cmocka_unit_test(thousands_run_at_once),
    };
    return cmocka_run_group_tests_name("simulator", tests, NULL, NULL);
}
