/* Attempts: begin, drive, end. */
#include "engine/run.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <jansson.h>

#include "base/clock.h"
#include "base/crypto.h"
#include "base/json.h"
#include "base/log.h"
#include "base/memory.h"
#include "catalog/catalog.h"
#include "config/config.h"
#include "engine/artifacts.h"
#include "engine/dispatch.h"
#include "engine/generation.h"
#include "engine/inputs.h"
#include "engine/move.h"
#include "engine/progress.h"
#include "engine/state.h"
#include "engine/work_directory.h"

#define INPUT_TEXT_MAX ((size_t)64 << 20)
#define INPUT_DEPTH_MAX 128
#define PRICE_RATIO_ONE_PPM 1000000

static void driver_done(struct attempt *attempt, const struct outcome *outcome);

struct run *run_new(struct engine *engine, struct live_task *task, struct lane *slot, const struct path *path) {
    struct run *run = mem_new(sizeof(*run));
    run->engine = engine;
    run->task = task;
    run->slot = slot;
    run->generation = generation_ref(engine->generation);
    run->ops = path->ops;
    run->stage = RUN_BEGINNING;
    run->name = mem_string(task->key.id);
    run->progress = task->progress;
    run->attempt = (struct attempt){
        .task = run->name,
        .model = path->model,
        .route = path->route,
        .timeout_ms = (int64_t)path->model->timeout_s * engine->seams->second_ms,
        .test = task->book == BOOK_TEST,
        .progress = progress_report,
        .done = driver_done,
    };
    uv_timer_init(&engine->loop, &run->deadline);
    run->deadline.data = run;
    LIST_INSERT_HEAD(&engine->runs, run, link);
    engine->busy++;
    return run;
}

/* ---- the end ---- */

/* On a turn of the loop of its own, since a driver may still be inside its call of `done`. */
static void free_run(uv_handle_t *handle) {
    struct run *run = handle->data;
    struct engine *engine = run->engine;
    inputs_free(run);
    artifacts_free(run);
    model_results_fini(&run->results);
    json_decref(run->input);
    generation_unref(run->generation);
    free(run->work_directory);
    free(run->name);
    free(run);
    engine->busy--;
    engine_check_stop(engine);
}

/* Gives the slot to the next one. The task is somebody else's already, or final. */
static void end_run(struct run *run) {
    struct engine *engine = run->engine;
    run->stage = RUN_ENDED;
    LIST_REMOVE(run, link);
    queue_release(&engine->queue, run->slot);
    if (run->work_directory != NULL)
        work_directory_remove(engine, run->work_directory);
    uv_close((uv_handle_t *)&run->deadline, free_run);
    dispatch_pump(engine);
}

/* Takes the task off the run, so that it can be moved. */
static struct live_task *take_task(struct run *run) {
    struct live_task *task = run->task;
    uv_timer_stop(&run->deadline);
    run->stage = RUN_ENDED;
    task->run = NULL;
    task->phase = LIVE_NEW;
    return task;
}

static void moved_away(struct engine *engine, struct live_task *task, enum err err, void *context) {
    (void)engine;
    (void)task;
    (void)err;
    end_run(context);
}

/* The failure that is the task's end. */
static struct move *failing_move(struct live_task *task, enum task_error error, const char *message,
                                 const char *detail) {
    bool cancelled = error == TASK_ERROR_CANCELLED;
    struct move *move = move_new(task, cancelled ? TASK_CANCEL : TASK_FAIL);
    char data[160];
    move_error(move, error, message);
    move_end_attempt(move, ATTEMPT_FAILED, detail != NULL ? detail : task_error_code(error));
    snprintf(data, sizeof(data), "{\"attempt\":%u,\"code\":\"%s\"}", task->attempts, task_error_code(error));
    move_record(move, cancelled ? "cancelled" : "failed", data);
    return move;
}

struct retry_plan {
    struct run *run;
    int64_t delay_ms;
};

static void retry_moved(struct engine *engine, struct live_task *task, enum err err, void *context) {
    struct retry_plan *plan = context;
    (void)err;
    if (task != NULL) {
        engine_count(engine, retried, 1);
        dispatch_later(engine, task, plan->delay_ms);
    }
    end_run(plan->run);
    free(plan);
}

static void retry(struct run *run, enum task_error error, const char *detail) {
    struct engine *engine = run->engine;
    struct live_task *task = take_task(run);
    struct retry_plan *plan = mem_new(sizeof(*plan));
    char data[160];

    plan->run = run;
    plan->delay_ms = retry_delay_ms(&engine->seams->retry, task->failures + 1u, crypto_random_below(UINT32_MAX));
    struct move *move = move_new(task, TASK_RETRY);
    move_end_attempt(move, ATTEMPT_FAILED, detail != NULL ? detail : task_error_code(error));
    snprintf(data, sizeof(data), "{\"attempt\":%u,\"code\":\"%s\",\"delay_ms\":%lld}", task->attempts,
             task_error_code(error), (long long)plan->delay_ms);
    move_record(move, "retried", data);
    log_event(LOG_INFO, "attempt failed, another follows", LOG_S("task", run->name), LOG_I("attempt", task->attempts),
              LOG_S("error", task_error_code(error)), LOG_I("delay_ms", plan->delay_ms), LOG_S("detail", detail));
    move_post(engine, move, retry_moved, plan);
}

/* The server stops before the driver had the task: it certainly was not taken (T4), so it waits for the next start. */
static void return_task(struct run *run) {
    struct retry_plan *plan = mem_new(sizeof(*plan));
    struct live_task *task = take_task(run);
    struct move *move = move_new(task, TASK_RETRY);
    char data[40];
    plan->run = run;
    move_end_attempt(move, ATTEMPT_ABANDONED, "the server stopped before it began");
    snprintf(data, sizeof(data), "{\"attempt\":%u}", task->attempts);
    move_record(move, "returned", data);
    move_post(run->engine, move, retry_moved, plan);
}

static void leave_task(struct run *run) {
    if (run->driver == NULL) {
        return_task(run);
        return;
    }
    struct live_task *task = take_task(run);
    log_event(LOG_INFO, "attempt left to the next start", LOG_S("task", run->name), LOG_I("attempt", task->attempts));
    end_run(run);
}

void run_fail(struct run *run, enum task_error error, bool retryable, const char *message, const char *detail) {
    if (run->task == NULL) {
        end_run(run);
        return;
    }
    if (run->halt == RUN_ABANDONED) {
        leave_task(run);
        return;
    }
    if (run->halt == RUN_CANCELLED || run->halt == RUN_TIMED_OUT) {
        error = run->halt == RUN_CANCELLED ? TASK_ERROR_CANCELLED : TASK_ERROR_TIMEOUT;
        retryable = false;
        message = NULL;
    }
    run->task->failures++;
    if (retryable && retry_allowed(&run->engine->seams->retry, run->task->failures)) {
        retry(run, error, detail);
        return;
    }
    log_event(LOG_INFO, "attempt failed", LOG_S("task", run->name), LOG_I("attempt", run->task->attempts),
              LOG_S("error", task_error_code(error)), LOG_S("detail", detail));
    move_post(run->engine, failing_move(take_task(run), error, message, detail), moved_away, run);
}

/* ---- stopping early ---- */

/* The task ends now; the attempt, whose driver cannot be stopped, keeps its slot until it has ended by itself. */
static void detach(struct run *run) {
    struct engine *engine = run->engine;
    struct live_task *task = take_task(run);
    run->stage = RUN_DRIVING;
    run->task = NULL;
    move_post(engine, failing_move(task, run->halt == RUN_CANCELLED ? TASK_ERROR_CANCELLED : TASK_ERROR_TIMEOUT, NULL,
                                   "the attempt could not be stopped and went on"), NULL, NULL);
}

static void halt_run(struct run *run, enum run_halt halt) {
    if (run->halt != RUN_GOES_ON && halt != RUN_ABANDONED)
        return;
    if (run->halt == RUN_GOES_ON)
        run->halt = halt;
    switch (run->stage) {
    case RUN_BEGINNING: /* run_begin will see it */
    case RUN_ENDED:     /* its last move is on the way */
        return;
    case RUN_PREPARING:
        inputs_cancel(run);
        return;
    case RUN_DRIVING:
        if (run->ops->cancel != NULL && (run->ops->can_cancel || halt == RUN_ABANDONED))
            run->ops->cancel(run->driver, &run->attempt); /* `done` is the answer, and may come at once */
        else if (run->task != NULL && halt != RUN_ABANDONED)
            detach(run);
        return;
    case RUN_STORING:
        artifacts_cancel(run);
        return;
    }
}

void run_cancel(struct run *run) {
    halt_run(run, RUN_CANCELLED);
}

void run_abandon(struct run *run) {
    halt_run(run, RUN_ABANDONED);
}

static void deadline_over(uv_timer_t *timer) {
    halt_run(timer->data, RUN_TIMED_OUT);
}

/* ---- completion ---- */

/* `part` of `whole`, as a share of the amount; rounded up, as prices are. */
static int64_t share(int64_t amount, int64_t part, int64_t whole) {
    __int128 product = (__int128)amount * part;
    return (int64_t)(product / whole + (product % whole != 0));
}

/* What was really delivered, at the price of the acceptance: when prices have changed since, today's only tell which share
 * of the reservation that is. L3: never more than was reserved. */
static int64_t cost_of(const struct run *run) {
    const struct config *config = run->generation->setup->config;
    const struct model *model = run->attempt.model;
    int64_t reserved = run->task->reserved, units_milli = run->results.units_milli, whole, cost;
    if (units_milli < 0)
        return reserved;
    int64_t ratio_ppm = config_group(config, live_group(run->task))->price_ppm;
    if (model_price(model, run->input, ratio_ppm, &whole) != OK || whole != reserved) {
        if (model_price(model, run->input, PRICE_RATIO_ONE_PPM, &whole) != OK || whole == 0 ||
            model_price_units(model, run->input, units_milli, PRICE_RATIO_ONE_PPM, &cost) != OK)
            return reserved;
        cost = cost < whole ? share(reserved, cost, whole) : reserved;
    } else if (model_price_units(model, run->input, units_milli, ratio_ppm, &cost) != OK) {
        return reserved;
    }
    return cost < reserved ? cost : reserved;
}

static void stored(struct run *run) {
    struct engine *engine = run->engine;
    if (run->halt == RUN_CANCELLED) {
        run_fail(run, TASK_ERROR_CANCELLED, false, NULL, NULL);
        return;
    }
    int64_t cost = cost_of(run);
    struct live_task *task = take_task(run);
    struct move *move = move_new(task, TASK_COMPLETE);
    const struct artifact_row *rows;
    unsigned count;
    int64_t expires_s = move->row.finished_ms / 1000 + run->generation->setup->config->result_ttl_s;
    struct text results = artifacts_render(run, expires_s, &rows, &count);
    char data[80];
    move_results(move, results, cost, rows, count);
    move_end_attempt(move, ATTEMPT_SUCCEEDED, NULL);
    snprintf(data, sizeof(data), "{\"attempt\":%u,\"artifacts\":%u}", task->attempts, count);
    move_record(move, "completed", data);
    move_post(engine, move, moved_away, run);
}

static void store_results(struct run *run, const struct json_t *output) {
    struct fault fault = { 0 };
    struct model_results results;
    enum err err = bridge_results(run->generation->setup->bridge, run->attempt.model, run->input, output, &results,
                                  &fault);
    if (err != OK) {
        run_fail(run, TASK_ERROR_SERVICE, false, "The service's answer could not be understood.", fault.message);
        return;
    }
    run->results = results;
    run->stage = RUN_STORING;
    artifacts_start(run, stored);
}

static void driver_done(struct attempt *attempt, const struct outcome *outcome) {
    struct run *run = container_of(attempt, struct run, attempt);
    if (outcome->error != TASK_ERROR_NONE) {
        run_fail(run, outcome->error, outcome->retryable, outcome->message, outcome->detail);
        return;
    }
    if (run->task == NULL || run->halt == RUN_CANCELLED) {
        run_fail(run, TASK_ERROR_CANCELLED, false, NULL, NULL);
        return;
    }
    store_results(run, outcome->output); /* it came in time after all; but nothing waits for a full disk any more */
}

/* ---- the beginning ---- */

static void drive(struct run *run) {
    struct fault fault = { 0 };
    if (run->halt != RUN_GOES_ON) {
        run_fail(run, TASK_ERROR_CANCELLED, false, NULL, NULL);
        return;
    }
    run->driver = generation_driver(run->generation, run->engine, run->ops);
    run->stage = RUN_DRIVING;
    run->attempt.input = run->input;
    run->attempt.work_directory = run->work_directory;
    if (run->driver == NULL) {
        run_fail(run, TASK_ERROR_UNAVAILABLE, true, NULL, "the driver could not be made");
        return;
    }
    if (run->ops->start(run->driver, &run->attempt, &fault) != OK)
        run_fail(run, TASK_ERROR_UNAVAILABLE, true, NULL, fault.message);
}

static enum err load_input(struct run *run, struct fault *fault) {
    struct arena arena;
    struct text source;
    struct task_id id;
    memcpy(id.string, run->task->key.id, sizeof(id.string));
    arena_init(&arena, INPUT_TEXT_MAX);
    enum err err = store_load_input(run->engine->store, run->task->key.account, &id, &arena, &source);
    if (err == OK)
        err = json_read_object(source, INPUT_DEPTH_MAX, &run->input, fault);
    else
        (void)fault_set(fault, err, "the stored input could not be read: %s", err_info(err)->name);
    arena_fini(&arena);
    return err;
}

enum err run_need_directory(struct run *run, struct fault *fault) {
    if (run->work_directory != NULL)
        return OK;
    char *path = work_directory_make(run->engine->work_directory, run->task->key.account, run->name,
                                     run->attempt.number, fault);
    if (path == NULL)
        return ERR_IO;
    run->work_directory = path;
    return OK;
}

static void prepare(struct run *run) {
    struct fault fault = { 0 };
    run->stage = RUN_PREPARING;
    enum err err = load_input(run, &fault);
    if (err == OK && (run->ops->needs_directory || run->ops->needs_files))
        err = run_need_directory(run, &fault);
    if (err != OK) {
        run_fail(run, TASK_ERROR_UNAVAILABLE, true, NULL, fault.message);
        return;
    }
    if (run->ops->needs_files)
        inputs_start(run, drive);
    else
        drive(run);
}

void run_begin(struct engine *engine, struct live_task *task, enum err err, void *context) {
    struct run *run = context;
    (void)err;
    run->task = task;
    if (task == NULL) { /* the store did not let it begin */
        end_run(run);
        return;
    }
    task->phase = LIVE_RUNNING;
    task->run = run;
    run->attempt.number = task->attempts;
    if (run->halt == RUN_GOES_ON && task->cancel_wanted)
        run->halt = RUN_CANCELLED;
    if (run->halt != RUN_GOES_ON) {
        run_fail(run, TASK_ERROR_CANCELLED, false, NULL, NULL);
        return;
    }
    uv_timer_start(&run->deadline, deadline_over, clock_timer_ms(run->attempt.timeout_ms), 0);
    log_event(LOG_DEBUG, "attempt begins", LOG_S("task", run->name), LOG_I("attempt", task->attempts),
              LOG_S("provider", queue_slot_provider(run->slot)));
    prepare(run);
    (void)engine;
}
