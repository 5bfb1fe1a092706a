/* Test mode: every model without a provider, in about ten steps of progress, with what its simulate function says.
 *
 * One timer an attempt and nothing else, so that thousands run at once. Engine's thread only. */
#include <assert.h>
#include <jansson.h>
#include <stdlib.h>
#include <uv.h>

#include "base/errors.h"
#include "base/json.h"
#include "base/memory.h"
#include "config/config.h"
#include "provider/bridge.h"
#include "provider/driver.h"
#include "provider/simulator_magic.h"

#define STEPS 10
#define FAILURE_STEP 4 /* an asked-for failure comes after some progress */
#define CONCURRENCY 20000

struct driver {
    uv_loop_t *loop;
    const struct config *config;
    struct bridge *bridge;
    unsigned running;
};

struct run {
    struct driver *driver;   /* NULL after done */
    struct attempt *attempt; /* NULL after done */
    uv_timer_t timer;
    uint64_t total_ms;
    int step;
    bool cancelled;
    struct simulator_magic magic;
};

/* ---- the end ---- */

static void on_closed(uv_handle_t *handle) {
    free(handle->data);
}

static void finish(struct run *run, const struct outcome *outcome) {
    struct attempt *attempt = run->attempt;
    run->driver->running--;
    run->driver = NULL;
    run->attempt = NULL;
    attempt->driver_data = NULL;
    attempt->done(attempt, outcome);
    uv_close((uv_handle_t *)&run->timer, on_closed);
}

static void fail(struct run *run, enum task_error error, bool retryable, const char *message, const char *detail) {
    struct outcome outcome = { .error = error, .retryable = retryable, .message = message, .detail = detail };
    finish(run, &outcome);
}

static void fail_as_asked(struct run *run) {
    char message[160];
    if (run->magic.unknown_code[0]) {
        snprintf(message, sizeof(message), "Test mode knows no error code \"%s\"; the documented task error codes are meant.",
                 run->magic.unknown_code);
    } else {
        snprintf(message, sizeof(message), "%s (Test mode: asked for by a magic word.)",
                 task_error_message(run->magic.error));
    }
    fail(run, run->magic.error, false, message, "asked for in the input");
}

static void succeed(struct run *run) {
    struct fault fault = { 0 };
    json_t *scoped(json_release) output = NULL;
    if (bridge_simulate(run->driver->bridge, run->attempt->model, run->attempt->input, &output, &fault) != OK) {
        fail(run, TASK_ERROR_UNKNOWN, false, NULL, fault.message);
        return;
    }
    struct outcome outcome = { .error = TASK_ERROR_NONE, .output = output };
    finish(run, &outcome);
}

/* True when the run is over, or will never be. */
static bool end_if_due(struct run *run) {
    if (run->cancelled) {
        fail(run, TASK_ERROR_CANCELLED, false, NULL, NULL);
    } else if (run->magic.flaky && run->attempt->number == 1 && run->step >= FAILURE_STEP) {
        fail(run, TASK_ERROR_UNAVAILABLE, true, NULL, "flaky: the first attempt fails");
    } else if (run->magic.error != TASK_ERROR_NONE && run->step >= FAILURE_STEP) {
        fail_as_asked(run);
    } else if (run->step < STEPS) {
        return false;
    } else if (run->magic.never) {
        uv_timer_stop(&run->timer);
    } else {
        succeed(run);
    }
    return true;
}

static void on_timer(uv_timer_t *timer) {
    struct run *run = timer->data;
    if (run->cancelled) {
        end_if_due(run);
        return;
    }
    if (run->total_ms > 0) {
        run->step++;
        if (!end_if_due(run)) {
            run->attempt->progress(run->attempt, run->step * 100 / STEPS);
        }
        return;
    }
    run->attempt->progress(run->attempt, FAILURE_STEP * 100 / STEPS);
    run->step = STEPS;
    end_if_due(run);
}

/* ---- the driver ---- */

static enum err start(struct driver *driver, struct attempt *attempt, struct fault *fault) {
    (void)fault;
    struct run *run = mem_new(sizeof(*run));
    run->driver = driver;
    run->attempt = attempt;
    simulator_magic_find(attempt->input, &run->magic);
    double seconds = run->magic.slow_s >= 0 ? run->magic.slow_s : driver->config->simulator_seconds;
    run->total_ms = (uint64_t)(seconds * 1000);
    uint64_t step_ms = run->total_ms > 0 ? (run->total_ms + STEPS - 1) / STEPS : 0;
    uv_timer_init(driver->loop, &run->timer);
    run->timer.data = run;
    uv_timer_start(&run->timer, on_timer, step_ms, step_ms);
    attempt->driver_data = run;
    driver->running++;
    return OK;
}

/* The answer comes on the loop's next turn, never from within the caller's call. */
static void cancel(struct driver *driver, struct attempt *attempt) {
    struct run *run = attempt->driver_data;
    (void)driver;
    if (run) {
        run->cancelled = true;
        uv_timer_start(&run->timer, on_timer, 0, 0);
    }
}

static struct driver *create(const struct driver_host *host) {
    struct driver *driver = mem_new(sizeof(*driver));
    *driver = (struct driver){ .loop = host->loop, .config = host->config, .bridge = host->bridge };
    return driver;
}

static void destroy(struct driver *driver) {
    if (driver) {
        assert(driver->running == 0);
        free(driver);
    }
}

const struct driver_ops simulator_driver = {
    .name = "simulator",
    .repeatable = true,
    .needs_files = false,
    .needs_directory = false,
    .can_cancel = true,
    .concurrency = CONCURRENCY,
    .create = create,
    .start = start,
    .cancel = cancel,
    .destroy = destroy,
};
