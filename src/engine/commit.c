/* Posting, coming back, and trying again. Commits that stall wait in one list for one timer. */
#include "engine/commit.h"

#include <assert.h>

#include "base/log.h"
#include "engine/state.h"

#define PAUSE_FIRST_MS 100
#define PAUSE_MAX_MS 10000

bool commit_may_pass(enum err err) {
    switch (err) {
    case ERR_NO_SPACE:
    case ERR_READ_ONLY:
    case ERR_BUSY:
    case ERR_IO:
    case ERR_OVERLOADED:
    case ERR_NO_MEMORY:
    case ERR_CORRUPT: /* nothing passes there by itself, but a person may mend it before the task is lost */
        return true;
    default:
        return false;
    }
}

static void run_in_writer(struct store_tx *tx, struct store_job *job) {
    struct commit *commit = container_of(job, struct commit, job);
    commit->run(tx, commit);
}

static void done_in_writer(struct store_job *job, enum err err) {
    struct commit *commit = container_of(job, struct commit, job);
    commit->err = err;
    bool posted = inbox_post(&commit->engine->inbox, &commit->message);
    assert(posted); /* the engine counts it as busy */
    (void)posted;
}

static void post_stalled(uv_timer_t *timer) {
    struct engine *engine = timer->data;
    struct commit_list list = STAILQ_HEAD_INITIALIZER(list);
    struct commit *commit;

    STAILQ_CONCAT(&list, &engine->stalled);
    while ((commit = STAILQ_FIRST(&list)) != NULL) {
        STAILQ_REMOVE_HEAD(&list, stalled_link);
        store_post_always(engine->store, &commit->job);
    }
}

static void post_stalled_within(struct engine *engine, int64_t pause_ms) {
    uv_timer_t *timer = &engine->stall_timer;
    if (!uv_is_active((uv_handle_t *)timer) || uv_timer_get_due_in(timer) > (uint64_t)pause_ms)
        uv_timer_start(timer, post_stalled, (uint64_t)pause_ms, 0);
}

static void stall(struct engine *engine, struct commit *commit) {
    bool is_first = engine->stall_pause_ms == 0;
    if (is_first)
        log_event(LOG_ERROR, "the store cannot be written; open tasks wait until it can",
                  LOG_S("error", err_info(commit->err)->name));
    if (is_first || STAILQ_EMPTY(&engine->stalled)) {
        int64_t pause_ms = is_first ? PAUSE_FIRST_MS : engine->stall_pause_ms * 2;
        engine->stall_pause_ms = pause_ms < PAUSE_MAX_MS ? pause_ms : PAUSE_MAX_MS;
        post_stalled_within(engine, engine->stall_pause_ms);
    }
    STAILQ_INSERT_TAIL(&engine->stalled, commit, stalled_link);
}

/* Another of its task's, if one is under way, posts it at its own end. */
static bool stands_behind(struct commit *commit) {
    struct live_task *task = commit->task;
    if (task == NULL)
        return false;
    struct commit *before = task->last_commit;
    task->last_commit = commit;
    if (before != NULL)
        before->next = commit;
    return before != NULL;
}

/* Before `then`, which may be the end of the task's record. */
static void let_next(struct engine *engine, struct commit *commit) {
    if (commit->next != NULL)
        store_post_always(engine->store, &commit->next->job);
    else if (commit->task != NULL)
        commit->task->last_commit = NULL;
}

static void finish(struct engine *engine, struct commit *commit) {
    let_next(engine, commit);
    engine->busy--;
    commit->then(engine, commit, commit->err);
    engine_check_stop(engine);
}

static void come_back(void *owner, struct message *message) {
    struct engine *engine = owner;
    struct commit *commit = container_of(message, struct commit, message);
    if (commit->stubborn && !engine->giving_up && commit_may_pass(commit->err)) {
        stall(engine, commit);
        return;
    }
    if (commit->err == OK && engine->stall_pause_ms != 0) {
        log_event(LOG_INFO, "the store can be written again");
        engine->stall_pause_ms = 0;
        if (!STAILQ_EMPTY(&engine->stalled))
            post_stalled_within(engine, PAUSE_FIRST_MS); /* at once, what fails by itself would try without a pause */
    }
    finish(engine, commit);
}

void commit_post(struct engine *engine, struct commit *commit) {
    commit->engine = engine;
    commit->job = (struct store_job){
        .run = run_in_writer, .done = done_in_writer, .patience_ms = commit->patience_ms, .repeatable = true,
        .synced_later = commit->synced_later
    };
    commit->message.deliver = come_back;
    engine->busy++;
    if (!stands_behind(commit))
        store_post_always(engine->store, &commit->job);
}

static void finish_skipped(uv_idle_t *idle) {
    struct engine *engine = idle->data;
    struct commit_list list = STAILQ_HEAD_INITIALIZER(list);
    struct commit *commit;

    uv_idle_stop(idle);
    STAILQ_CONCAT(&list, &engine->skipped);
    while ((commit = STAILQ_FIRST(&list)) != NULL) {
        STAILQ_REMOVE_HEAD(&list, stalled_link);
        finish(engine, commit);
    }
}

void commit_skip(struct engine *engine, struct commit *commit) {
    commit->engine = engine;
    commit->err = OK;
    engine->busy++;
    if (STAILQ_EMPTY(&engine->skipped))
        uv_idle_start(&engine->skip_idle, finish_skipped);
    STAILQ_INSERT_TAIL(&engine->skipped, commit, stalled_link);
}

void commit_open(struct engine *engine) {
    uv_idle_init(&engine->loop, &engine->skip_idle);
    engine->skip_idle.data = engine;
}

void commit_close(struct engine *engine) {
    uv_close((uv_handle_t *)&engine->skip_idle, NULL);
}

void commit_give_up(struct engine *engine) {
    engine->giving_up = true;
    uv_timer_stop(&engine->stall_timer);
    post_stalled(&engine->stall_timer);
}
