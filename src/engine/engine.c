/* The engine's life: start, the thread and its loop, stop. */
#include "engine/engine.h"

#include <assert.h>
#include <signal.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "callback/callbacks.h"
#include "catalog/catalog.h"
#include "config/config.h"
#include "engine/attempt/nap.h"
#include "engine/attempt/refresh.h"
#include "engine/attempt/run.h"
#include "engine/attempt/work_directory.h"
#include "engine/file/artifacts.h"
#include "engine/file/sweep.h"
#include "engine/file/upload.h"
#include "engine/queue/dispatch.h"
#include "engine/queue/key_limits.h"
#include "engine/queue/pauses.h"
#include "engine/route/generation.h"
#include "engine/route/health.h"
#include "engine/state.h"
#include "engine/task/call.h"
#include "engine/task/cancel.h"
#include "engine/task/holds.h"
#include "engine/task/idempotency.h"
#include "engine/task/order.h"
#include "engine/task/recover.h"
#include "engine/view/streams.h"
#include "net/courier.h"
#include "net/fetch.h"

#define HEARTBEAT_MS 500
#define HEART_STOPPED_MS 5000
#define BEATS_A_REST 10
#define CROWD 4096 /* of so many live tasks memory counts more than what it costs to give pages back at once */
#define PATH_TEXT_MAX 4096
#define TRANSFERS_MAX 1024 /* at a time: services that think while the connection is open take one each */

/* ---- the thread ---- */

static void beat(uv_timer_t *timer) {
    struct engine *engine = timer->data;
    if (courier_ping(engine->courier)) /* a hung disk would hold up that thread, and all that waits for it */
        atomic_store_explicit(&engine->heartbeat_ms, clock_monotonic_ms(), memory_order_relaxed);
    key_limits_refresh(engine);
    pauses_look(engine);
    nap_all(engine);
    mem_thrift(engine->live.count > CROWD);
    if (++engine->beats % BEATS_A_REST == 0) {
        fetch_client_rest(engine->fetcher);
        store_rest(engine->store, false);
    }
}

static void each_minute(uv_timer_t *timer) {
    struct engine *engine = timer->data;
    dispatch_expire(engine);
    work_directory_remove_leftovers(engine);
}

static void init_timer(struct engine *engine, uv_timer_t *timer, uv_timer_cb tick, uint64_t period_ms) {
    uv_timer_init(&engine->loop, timer);
    timer->data = engine;
    if (tick != NULL && period_ms > 0)
        uv_timer_start(timer, tick, period_ms, period_ms);
}

static void close_handle(void *handle) {
    uv_close(handle, NULL);
}

static void close_all(struct engine *engine) {
    struct live_task *task, *next;
    LIVE_EACH(&engine->live, task, next) {
        if (task->phase == LIVE_WAITING)
            dispatch_drop_wait(task);
        cancel_answer(engine, task, ERR_SHUTTING_DOWN);
        order_answer(task, ERR_SHUTTING_DOWN, false);
        refresh_answer(task);
        call_leave_key(task);
    }
    sweep_close(engine);
    hook_close(engine);
    generation_unref(engine->generation);
    engine->generation = NULL;
    callbacks_close(engine->callbacks);
    fetch_client_free(engine->fetcher); /* after the drivers that ask through it, as the courier */
    courier_close(engine->courier);
    health_free(engine->health);
    close_handle(&engine->heartbeat_timer);
    close_handle(&engine->minute_timer);
    close_handle(&engine->stall_timer);
    close_handle(&engine->drain_timer);
    close_handle(&engine->recover_timer);
    commit_close(engine);
    deadlines_close(&engine->deadlines);
    alarms_close(&engine->alarms, NULL);
    board_close(engine->board);
}

static void close_loop(uv_timer_t *timer) {
    struct engine *engine = timer->data;
    inbox_close(&engine->inbox);
    close_all(engine);
}

void engine_check_stop(struct engine *engine) {
    if (!engine->stopping || engine->busy > 0 || engine->closed)
        return;
    engine->closed = true;
    uv_timer_start(&engine->drain_timer, close_loop, 0, 0); /* not from within somebody's callback */
}

/* Not its own end, but the next one's place, is safe from what an abandoned run does at once. */
static void abandon_runs(struct engine *engine, bool only_remote) {
    struct run *run = LIST_FIRST(&engine->runs);
    while (run != NULL) {
        struct run *next = LIST_NEXT(run, link);
        bool stores = run->stage == RUN_STORING && !artifacts_pause(run);
        bool goes_on = run->ops->remote && !run->ops->converses && !stores;
        if (!only_remote || goes_on)
            run_abandon(run);
        run = next;
    }
}

static void drain_over(uv_timer_t *timer) {
    struct engine *engine = timer->data;
    abandon_runs(engine, false);
    commit_give_up(engine);
    callbacks_cut(engine->callbacks);
    engine_check_stop(engine);
}

static void callbacks_over(void *context) {
    struct engine *engine = context;
    engine->busy--;
    engine_check_stop(engine);
}

static void stop(void *owner, struct message *message) {
    struct engine *engine = owner;
    (void)message;
    engine->stopping = true;
    sweep_stop(engine);
    uploads_stop(engine);
    work_directory_remove_leftovers(engine);
    nap_end(engine);
    log_event(LOG_INFO, "engine stops", LOG_I("running", (int64_t)engine->queue.running));
    dispatch_turn_away(engine);
    abandon_runs(engine, true); /* jobs elsewhere go on without us */
    uv_timer_start(&engine->drain_timer, drain_over, engine->drain_ms > 0 ? (uint64_t)engine->drain_ms : 0, 0);
    engine->busy++;
    callbacks_stop(engine->callbacks, callbacks_over, engine);
    engine_check_stop(engine);
}

static void *run_thread(void *context) {
    struct engine *engine = context;
    pthread_setname_np(pthread_self(), "engine");
    recover_resume(engine);
    uv_run(&engine->loop, UV_RUN_DEFAULT);
    return NULL;
}

/* Signals are the main thread's, but SIGCHLD, which libuv needs somewhere. */
static int start_thread(struct engine *engine) {
    sigset_t blocked, before;
    sigfillset(&blocked);
    sigdelset(&blocked, SIGCHLD);
    pthread_sigmask(SIG_BLOCK, &blocked, &before);
    int failure = pthread_create(&engine->thread, NULL, run_thread, engine);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return failure;
}

/* ---- start ---- */

/* A callback is due from the transaction of its task's end on (L2). */
static enum err render(void *context, int64_t account, const struct task_id *task, struct text base,
                       struct buffer *body) {
    return engine_query_ended(context, account, task, base, body);
}

static void start_callbacks(struct engine *engine, const struct config *config) {
    const struct callbacks_options options = {
        .store = engine->store,
        .allow = config->fetch_allow,
        .allow_count = config->fetch_allow_count,
        .render = render,
        .context = engine,
    };
    engine->callbacks = callbacks_new(&engine->loop, &options);
}

static void end_loop(struct engine *engine) {
    uv_run(&engine->loop, UV_RUN_DEFAULT); /* closing callbacks */
    int failure = uv_loop_close(&engine->loop);
    assert(failure == 0);
    (void)failure;
}

static enum err start_loop(struct engine *engine, struct fault *fault) {
    const struct config *config = engine->setup->config;
    struct fetch_options options = {
        .running_max = TRANSFERS_MAX,
        .paced = true,
        .allow = config->fetch_allow,
        .allow_count = config->fetch_allow_count,
    };
    if (uv_loop_init(&engine->loop) != 0)
        return fault_set(fault, ERR_IO, "the event loop cannot be made");
    enum err err = inbox_open(&engine->inbox, &engine->loop, fault);
    if (err == OK)
        err = courier_new(&engine->loop, &options, &engine->courier, fault);
    if (err != OK) {
        inbox_close(&engine->inbox);
        end_loop(engine);
        return err;
    }
    engine->fetcher = fetch_client_new(&engine->loop, &options);
    start_callbacks(engine, config);
    engine->health = health_new(&engine->loop, dispatch_health_changed, engine);
    health_configure(engine->health, config, engine->setup->bridge);
    commit_open(engine);
    deadlines_start(&engine->deadlines, &engine->loop);
    alarms_init(&engine->alarms, &engine->loop);
    init_timer(engine, &engine->heartbeat_timer, beat, HEARTBEAT_MS);
    init_timer(engine, &engine->minute_timer, each_minute, clock_timer_ms(engine->seams->expire_period_ms));
    init_timer(engine, &engine->stall_timer, NULL, 0);
    init_timer(engine, &engine->drain_timer, NULL, 0);
    init_timer(engine, &engine->recover_timer, NULL, 0);
    sweep_start(engine);
    beat(&engine->heartbeat_timer);
    return OK;
}

static char *work_path(const struct config *config) {
    struct buffer path;
    buffer_init(&path, PATH_TEXT_MAX);
    buffer_printf(&path, "%s/work", config->data);
    char *result = buffer_take(&path);
    buffer_fini(&path);
    return result;
}

static void free_engine(struct engine *engine) {
    struct live_task *task, *next;
    queue_fini(&engine->queue);
    LIVE_EACH(&engine->live, task, next) {
        live_remove(&engine->live, task);
        live_free(task);
    }
    live_fini(&engine->live);
    generation_unref(engine->generation);
    setup_unref(engine->setup);
    deadlines_fini(&engine->deadlines);
    board_free(engine->board);
    estimates_free(engine->estimates);
    holds_free(engine->holds);
    idempotency_free(engine->idempotency);
    pauses_free(engine->pauses);
    streams_free(engine->streams);
    callbacks_free(engine->callbacks);
    courier_free(engine->courier);
    work_directory_forget_leftovers(engine);
    free(engine->work_directory);
    sweep_free(engine);
    inbox_fini(&engine->inbox);
    pthread_mutex_destroy(&engine->setup_mutex);
    pthread_mutex_destroy(&engine->submissions_mutex);
    pthread_cond_destroy(&engine->submissions_none);
    free(engine);
}

static enum err find_small(void *context, struct text hash, struct buffer *ret) {
    return store_find_small(context, hash, ret);
}

static struct engine *new_engine(const struct engine_options *options, const struct engine_seams *seams) {
    struct engine *engine = mem_new(sizeof(*engine));
    engine->store = options->store;
    engine->blobs = options->blobs;
    blob_set_small(engine->blobs, find_small, engine->store);
    engine->seams = seams;
    engine->setup = setup_ref(options->setup);
    atomic_store(&engine->setup_number, engine->setup->number);
    engine->generation = generation_new(engine, setup_ref(options->setup));
    engine->board = board_new(0);
    deadlines_init(&engine->deadlines);
    engine->estimates = estimates_new(options->store);
    engine->work_directory = work_path(options->setup->config);
    pthread_mutex_init(&engine->setup_mutex, NULL);
    pthread_mutex_init(&engine->submissions_mutex, NULL);
    pthread_cond_init(&engine->submissions_none, NULL);
    STAILQ_INIT(&engine->stalled);
    STAILQ_INIT(&engine->skipped);
    engine->holds = holds_new();
    engine->idempotency = idempotency_new();
    engine->pauses = pauses_new();
    engine->streams = streams_new();
    live_init(&engine->live);
    LIST_INIT(&engine->runs);
    LIST_INIT(&engine->uploads);
    LIST_INIT(&engine->key_sets);
    queue_init(&engine->queue);
    inbox_init(&engine->inbox, engine);
    sweep_init(engine);
    return engine;
}

enum err engine_start_with(const struct engine_options *options, const struct engine_seams *seams, struct engine **ret,
                           struct fault *fault) {
    struct engine *engine = new_engine(options, seams);
    enum err err = engine->work_directory != NULL ? work_directory_clear(engine->work_directory, fault) : ERR_NO_MEMORY;
    if (err == OK)
        err = recover_load(engine, fault);
    bool changed;
    if (err == OK && (err = pauses_load(engine->pauses, engine->store, &changed)) != OK)
        fault_set(fault, err, "what is paused cannot be read");
    if (err == OK)
        err = start_loop(engine, fault);
    if (err != OK) {
        free_engine(engine);
        return err;
    }
    if (start_thread(engine) != 0) {
        inbox_close(&engine->inbox);
        close_all(engine);
        end_loop(engine);
        free_engine(engine);
        return fault_set(fault, ERR_NO_MEMORY, "the engine's thread cannot be started");
    }
    *ret = engine;
    return OK;
}

/* ---- stop ---- */

void engine_close_door(struct engine *engine) {
    atomic_store(&engine->door_closed, true);
    deadlines_end(&engine->deadlines);
}

/* Those on their way to the writer come back before the thread is told to stop. */
static void await_submissions(struct engine *engine) {
    pthread_mutex_lock(&engine->submissions_mutex);
    while (engine->submissions > 0)
        pthread_cond_wait(&engine->submissions_none, &engine->submissions_mutex);
    pthread_mutex_unlock(&engine->submissions_mutex);
}

void engine_stop(struct engine *engine, int64_t drain_ms) {
    if (engine == NULL)
        return;
    engine_close_door(engine);
    await_submissions(engine);
    engine->drain_ms = drain_ms;
    engine->stop_message.deliver = stop;
    bool posted = inbox_post(&engine->inbox, &engine->stop_message);
    assert(posted);
    (void)posted;
    pthread_join(engine->thread, NULL);
    end_loop(engine);
}

void engine_free(struct engine *engine) {
    if (engine != NULL)
        free_engine(engine);
}

/* ---- the rest that any thread may ask ---- */

void engine_gather(bool begins) {
    inbox_gather(begins);
}

enum err engine_enter(struct engine *engine, const struct idempotency_key *key, struct idempotency_visit *visit,
                      bool *ret_waits) {
    return idempotency_enter(engine->idempotency, engine->store, key, visit, ret_waits);
}

int64_t engine_estimate_s(struct engine *engine, const struct model *model) {
    return estimates_get(engine->estimates, text_of(model->name), model->estimated_s);
}

bool engine_alive(struct engine *engine) {
    int64_t beaten_ms = atomic_load_explicit(&engine->heartbeat_ms, memory_order_relaxed);
    return clock_monotonic_ms() - beaten_ms < HEART_STOPPED_MS;
}
