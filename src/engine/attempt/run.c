/* Attempts: begin, drive, resume, stop, end. What comes between beginning and driving is prepare.c's. */
#include "engine/attempt/run.h"

#include <assert.h>
#include <jansson.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/lasting.h"
#include "base/log.h"
#include "base/memory.h"
#include "catalog/catalog.h"
#include "engine/attempt/history.h"
#include "engine/attempt/progress.h"
#include "engine/attempt/refresh.h"
#include "engine/attempt/trail.h"
#include "engine/commit.h"
#include "engine/file/artifacts.h"
#include "engine/file/inputs.h"
#include "engine/queue/dispatch.h"
#include "engine/route/generation.h"
#include "engine/route/health.h"
#include "engine/state.h"

#define LAST_WORD_MS 15000 /* for a service's answer to a cancel */
#define GRACE_MS 60000     /* to a resumed attempt, whose time may have run out while nobody looked */
#define RENEWALS_MAX 2
#define WAITS_MAX 60 /* one after the other */

static void driver_done(struct attempt *attempt, const struct outcome *outcome);

static const char *make_directory(struct attempt *attempt) {
    struct run *run = container_of(attempt, struct run, attempt);
    struct fault fault = { 0 };
    return run_need_directory(run, &fault) == OK ? run->work_directory : NULL;
}

static struct run *make_run(struct engine *engine, struct live_task *task, struct generation *generation,
                            struct lane *slot, const struct path *path, struct key_slot *key) {
    struct run *run = lasting_new(sizeof(*run));
    run->engine = engine;
    run->task = task;
    run->slot = slot;
    run->key = key;
    run->generation = generation;
    run->ops = path->ops;
    run->stage = RUN_BEGINNING;
    run->name = lasting_text(live_id(task));
    run->progress = task->progress;
    run->attempt = (struct attempt){
        .task = run->name,
        .model = path->model,
        .route = path->route,
        .provider = path->provider,
        .key = key != NULL ? key_slot_secret(key) : NULL,
        .timeout_ms = (int64_t)path->model->timeout_s * engine->seams->second_ms,
        .test = task->book == BOOK_TEST,
        .stream = task->stream,
        .streams = task->streams,
        .must_keep_up = task->call != NULL,
        .progress = progress_report,
        .taken = trail_taken,
        .note = trail_note,
        .directory = make_directory,
        .refreshed = refresh_told,
        .done = driver_done,
    };
    LIST_INSERT_HEAD(&engine->runs, run, link);
    engine->busy++;
    return run;
}

uint32_t run_mark(const struct run *run) {
    const struct route *route = run->attempt.route;
    return run->mark != 0 || route == NULL ? run->mark : generation_route_mark(route->provider, route->target);
}

struct run *run_new(struct engine *engine, struct live_task *task, struct lane *slot, const struct path *path,
                    struct key_slot *key) {
    return make_run(engine, task, generation_ref(engine->generation), slot, path, key);
}

/* ---- the end ---- */

static void forget_history(struct run *run) {
    free(run->remote);
    free(run->kept);
    run->remote = run->kept = NULL;
}

/* All that it has, and itself. */
static void release(struct run *run) {
    struct engine *engine = run->engine;
    inputs_free(run);
    artifacts_free(run);
    model_results_fini(&run->results);
    json_decref(run->output);
    run_drop_input(run);
    generation_unref(run->generation);
    free(run->work_directory);
    free(run->callback_url);
    forget_history(run);
    lasting_free_text(run->name);
    lasting_free(run, sizeof(*run));
    engine->busy--;
}

/* On a turn of the loop of its own, since a driver may still be inside its call of `done`. */
static void free_run(struct alarm *alarm) {
    struct run *run = container_of(alarm, struct run, deadline);
    struct engine *engine = run->engine;
    release(run);
    engine_check_stop(engine);
}

void run_forget(struct run *run) {
    LIST_REMOVE(run, link);
    alarm_stop(&run->engine->alarms, &run->deadline);
    release(run);
}

void run_land(struct run *run) {
    if (!run->launched)
        return;
    run->launched = false;
    queue_land(run->slot);
    dispatch_pump(run->engine);
}

void run_end(struct run *run) {
    struct engine *engine = run->engine;
    run->stage = RUN_ENDED;
    LIST_REMOVE(run, link);
    if (run->launched)
        queue_land(run->slot);
    queue_release(&engine->queue, run->slot);
    if (run->key != NULL)
        health_give(engine->health, run->key);
    run->key = NULL;
    run_drop_directory(run);
    alarm_set(&engine->alarms, &run->deadline, 0, free_run);
    dispatch_pump(engine);
}

struct live_task *run_take_task(struct run *run) {
    struct live_task *task = run->task;
    alarm_stop(&run->engine->alarms, &run->deadline);
    run->stage = RUN_ENDED;
    task->run = NULL;
    task->phase = LIVE_NEW;
    return task;
}

void run_moved_away(struct engine *engine, struct live_task *task, enum err err, void *context) {
    (void)engine;
    (void)task;
    (void)err;
    run_end(context);
}

/* ---- waiting for the store ---- */

static void start_deadline(struct run *run, int64_t ms) {
    run_set_deadline(run, (int64_t)clock_timer_ms(ms));
}

static void wait_over(struct alarm *alarm) {
    struct run *run = container_of(alarm, struct run, wait);
    void (*step)(struct run *run) = run->step;
    run->step = NULL;
    step(run);
}

/* Its time begins anew: what we lack is not the job's fault, and the waits are counted. */
bool run_wait(struct run *run, enum err err, void (*step)(struct run *run)) {
    struct engine *engine = run->engine;
    if (!commit_may_pass(err) || run->halt == RUN_ABANDONED || run->waits == WAITS_MAX)
        return false;
    if (run->waits++ == 0)
        log_event(LOG_ERROR, "an attempt waits for what it needs of the store or the disk", LOG_S("task", run->name),
                  LOG_S("error", err_info(err)->name));
    run->step = step;
    alarm_set(&engine->alarms, &run->wait, (uint64_t)clock_timer_ms(engine->seams->reread_ms), wait_over);
    start_deadline(run, run->attempt.timeout_ms);
    return true;
}

static void stop_waiting(struct run *run) {
    run->step = NULL;
    alarm_stop(&run->engine->alarms, &run->wait);
    run_fail(run, TASK_ERROR_CANCELLED, false, NULL, NULL);
}

/* ---- stopping early ---- */

/* A service gets a moment to answer the cancel; then its driver is told to end without. */
static void last_word_over(struct alarm *alarm) {
    struct run *run = container_of(alarm, struct run, deadline);
    if (run->stage == RUN_DRIVING)
        run->ops->cancel(run->driver, &run->attempt);
}

static void stop_driver(struct run *run, enum run_halt halt) {
    if (halt == RUN_ABANDONED && run->ops->leave != NULL)
        run->ops->leave(run->driver, &run->attempt);
    else if (run->ops->cancel != NULL && (run->ops->can_cancel || halt == RUN_ABANDONED))
        run->ops->cancel(run->driver, &run->attempt); /* `done` is the answer, and may come at once */
    else if (run->task != NULL && halt != RUN_ABANDONED)
        run_detach(run);
}

static void halt_run(struct run *run, enum run_halt halt) {
    bool driven = run->ops->remote && run->stage == RUN_DRIVING;
    bool last_word = driven && run->halt == RUN_CANCELLED && halt == RUN_TIMED_OUT;
    if (run->halt != RUN_GOES_ON && halt != RUN_ABANDONED && !last_word)
        return;
    if (run->halt == RUN_GOES_ON || last_word)
        run->halt = halt;
    if (run->step != NULL) {
        stop_waiting(run);
        return;
    }
    switch (run->stage) {
    case RUN_BEGINNING: /* run_begin will see it */
    case RUN_ENDED:     /* its last move is on the way */
        return;
    case RUN_PREPARING:
        inputs_cancel(run);
        return;
    case RUN_DRIVING:
        stop_driver(run, halt);
        return;
    case RUN_STORING:
        artifacts_cancel(run);
        return;
    }
}

void run_cancel(struct run *run) {
    halt_run(run, RUN_CANCELLED);
}

/* A service that does not stop in time is left alone: nobody waits for its word. */
void run_give_up(struct run *run) {
    if (run->ops->remote && run->stage != RUN_ENDED) /* else the alarm is its end */
        alarm_set(&run->engine->alarms, &run->deadline, clock_timer_ms(ORDER_MAX_MS), last_word_over);
    halt_run(run, RUN_GIVEN_UP);
}

void run_abandon(struct run *run) {
    halt_run(run, RUN_ABANDONED);
}

static void deadline_over(struct alarm *alarm) {
    struct run *run = container_of(alarm, struct run, deadline);
    bool waits_for_word = run->ops->remote && run->stage == RUN_DRIVING;
    if (waits_for_word)
        alarm_set(&run->engine->alarms, alarm, LAST_WORD_MS, last_word_over); /* before the driver may end it */
    halt_run(run, RUN_TIMED_OUT);
}

/* ---- the driver's word ---- */

static void driver_done(struct attempt *attempt, const struct outcome *outcome) {
    struct run *run = container_of(attempt, struct run, attempt);
    run->refreshing = false;
    if (outcome->error != TASK_ERROR_NONE) {
        run_fail_with(run, outcome);
        return;
    }
    if (run->key != NULL && attempt->route != NULL)
        health_worked(run->engine->health, run->key, attempt->route->target);
    run->taken = true;
    run_land(run);
    if ((outcome->despite_cancel && run->halt == RUN_CANCELLED) || run->halt == RUN_GIVEN_UP)
        run->halt = RUN_GOES_ON; /* it came after all; an operator's order finds the task ended */
    if (run->task == NULL || run->halt == RUN_CANCELLED) {
        run_fail(run, TASK_ERROR_CANCELLED, false, NULL, NULL);
        return;
    }
    run_complete(run, outcome); /* it came in time after all; but nothing waits for a full disk any more */
}

static enum err hand_to_driver(struct run *run, struct fault *fault) {
    run->stage = RUN_DRIVING;
    run->started = true;
    run->attempt.input = run->input;
    run->attempt.work_directory = run->work_directory;
    if (!run->resumes)
        return run->ops->start(run->driver, &run->attempt, fault);
    run->attempt.remote = run->remote;
    run->attempt.kept = run->kept;
    enum err err = run->ops->resume(run->driver, &run->attempt, fault);
    run->attempt.remote = run->attempt.kept = NULL;
    forget_history(run);
    return err;
}

/* T3: an attempt of an earlier life about which nobody can find out. */
static void fail_unknown(struct run *run, const char *detail) {
    const struct outcome outcome = {
        .error = TASK_ERROR_SUBMISSION_UNKNOWN, .fate = JOB_UNKNOWN, .scope = SCOPE_REQUEST, .detail = detail,
    };
    run_fail_with(run, &outcome);
}

void run_drive(struct run *run) {
    struct fault fault = { 0 };
    if (run->halt != RUN_GOES_ON) {
        run_fail(run, TASK_ERROR_CANCELLED, false, NULL, NULL);
        return;
    }
    run->waits = 0; /* those for its result are counted by themselves */
    enum err err = hand_to_driver(run, &fault);
    if (err == OK)
        return;
    run->started = run->resumes; /* else the driver has refused it, and has nothing */
    if (run->resumes)
        fail_unknown(run, fault.message);
    else
        run_fail(run, TASK_ERROR_UNAVAILABLE, true, NULL, fault.message);
}

bool run_renew(struct run *run) {
    struct history history;
    struct fault fault = { 0 };
    if (run->ops->resume == NULL || run->task == NULL || run->halt != RUN_GOES_ON || run->renewals == RENEWALS_MAX)
        return false;
    run->renewals++;
    bool renewed = history_read(run->engine, run->task, &history) == OK && history.remote != NULL;
    if (renewed) {
        run->attempt.remote = history.remote;
        run->attempt.kept = history.kept;
        renewed = run->ops->resume(run->driver, &run->attempt, &fault) == OK;
        run->attempt.remote = run->attempt.kept = NULL;
    }
    history_fini(&history);
    if (!renewed)
        return false;
    artifacts_free(run);
    model_results_fini(&run->results);
    run->results = (struct model_results){ 0 };
    run->stage = RUN_DRIVING;
    run_put_input_by(run);
    trail_note(&run->attempt, "renewed", "{}");
    return true;
}

/* ---- the beginning ---- */

void run_set_deadline(struct run *run, int64_t real_ms) {
    alarm_set(&run->engine->alarms, &run->deadline, (uint64_t)real_ms, deadline_over);
}

static void take_up(struct run *run) {
    struct live_task *task = run->task;
    task->phase = LIVE_RUNNING;
    task->run = run;
    run->attempt.number = task->attempts;
    if (run->halt == RUN_GOES_ON && task->cancel_wanted)
        run->halt = RUN_CANCELLED;
}

void run_begin(struct engine *engine, struct live_task *task, enum err err, void *context) {
    struct run *run = context;
    (void)engine;
    (void)err;
    run->task = task;
    if (task == NULL) { /* the store did not let it begin */
        if (run->key != NULL)
            health_unknown(run->engine->health, run->key, run->attempt.route->target);
        run_end(run);
        return;
    }
    take_up(run);
    if (run->halt != RUN_GOES_ON) {
        run_fail(run, TASK_ERROR_CANCELLED, false, NULL, NULL);
        return;
    }
    start_deadline(run, run->attempt.timeout_ms);
    log_event(LOG_DEBUG, "attempt begins", LOG_S("task", run->name), LOG_I("attempt", task->attempts),
              LOG_S("provider", queue_slot_provider(run->slot)));
    run_prepare(run);
}

void run_resume(struct run *run, const struct history *history) {
    run->attempt.age_ms = clock_wall_ms() - history->started_ms;
    /* A clock that was set back meanwhile makes no attempt longer than a whole one. */
    int64_t left_ms = run->attempt.timeout_ms - (run->attempt.age_ms > 0 ? run->attempt.age_ms : 0);
    run->resumes = run->started = true;
    run->taken = history->remote != NULL;
    run->other_key = run->key != NULL && strcmp(key_slot_fingerprint(run->key), history->credential) != 0;
    if (history->target != NULL)
        run->mark = generation_route_mark(history->provider, history->target);
    run->remote = history->remote != NULL ? mem_string(history->remote) : NULL;
    run->kept = history->kept != NULL ? mem_string(history->kept) : NULL;
    take_up(run);
    start_deadline(run, left_ms > GRACE_MS ? left_ms : GRACE_MS);
    run_prepare(run);
}

struct run *run_awake(struct engine *engine, struct live_task *task, struct generation *generation, struct lane *slot,
                      const struct path *path, struct key_slot *key) {
    struct fault fault = { 0 };
    struct run *run = make_run(engine, task, generation, slot, path, key);
    task->run = run;
    run->attempt.number = task->attempts;
    run->stage = RUN_DRIVING;
    run->started = run->taken = true;
    enum err err = run_meet_driver(run, &fault);
    assert(err == OK); /* the driver was there before */
    (void)err;
    return run;
}
