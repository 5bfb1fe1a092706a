/* Falling asleep and waking up. What is not in here is the same for every attempt of its model, or made from the task. */
#include "engine/attempt/nap.h"

#include <assert.h>

#include "base/clock.h"
#include "base/lasting.h"
#include "engine/attempt/run.h"
#include "engine/file/inputs.h"
#include "engine/route/generation.h"
#include "engine/state.h"

struct nap {
    struct alarm alarm;
    struct engine *engine;
    struct live_task *task;
    struct generation *generation; /* a reference */
    const struct route *route;     /* of its setup; NULL: it is gone from the catalogue */
    struct lane *slot;             /* taken, as is the key */
    struct key_slot *key;
    struct sleeper *sleeper; /* the driver's */
    int64_t deadline_ms;     /* of the loop's time */
    uint32_t mark;
    uint8_t notes, renewals;
    bool resumes, other_key;
};

static int64_t left_ms(const struct engine *engine, int64_t at_ms) {
    int64_t left = at_ms - (int64_t)uv_now(&engine->loop);
    return left > 0 ? left : 0;
}

/* ---- waking ---- */

static struct run *wake(struct engine *engine, struct live_task *task) {
    struct nap *nap = task->nap;
    const char *provider = queue_slot_provider(nap->slot);
    const struct path path = {
        .model = generation_model(nap->generation, task),
        .route = nap->route,
        .ops = generation_ops(nap->generation, provider),
        .provider = provider,
    };
    task->nap = NULL;
    alarm_stop(&engine->alarms, &nap->alarm);
    struct run *run = run_awake(engine, task, nap->generation, nap->slot, &path, nap->key);
    run->mark = nap->mark;
    run->notes = nap->notes;
    run->renewals = nap->renewals;
    run->resumes = nap->resumes;
    run->other_key = nap->other_key;
    run_set_deadline(run, left_ms(engine, nap->deadline_ms));
    run->ops->wake(run->driver, &run->attempt, nap->sleeper);
    lasting_free(nap, sizeof(*nap));
    return run;
}

/* The driver's alarm, or the deadline, is due by now as well. */
static void nap_over(struct alarm *alarm) {
    struct nap *nap = container_of(alarm, struct nap, alarm);
    (void)wake(nap->engine, nap->task);
}

struct run *nap_run(struct engine *engine, struct live_task *task) {
    return task->nap != NULL ? wake(engine, task) : task->run;
}

void nap_end(struct engine *engine) {
    struct live_task *task, *next;
    LIVE_EACH(&engine->live, task, next)
        if (task->nap != NULL)
            (void)wake(engine, task);
}

/* ---- falling asleep ---- */

/* Nobody waits for it, nothing of it is on its way, and it holds nothing that would have to be made again, but perhaps a
 * small input. */
static bool may_sleep(const struct run *run) {
    const struct live_task *task = run->task;
    return run->ops->sleep != NULL && run->stage == RUN_DRIVING && run->halt == RUN_GOES_ON && run->taken &&
           !run->launched && !run->refreshing && !run->progress_busy && (run->input == NULL || run->input_kept) &&
           run->work_directory == NULL && run->remote == NULL && run->kept == NULL && run->artifacts == NULL &&
           run->results.array == NULL && run->deadline.moment.place != 0 && inputs_may_go(run) && task != NULL &&
           task->run == run && task->phase == LIVE_RUNNING &&
           task->call == NULL && task->stream == NULL && task->refresh == NULL && task->order == NULL &&
           !task->cancel_wanted;
}

static void fall_asleep(struct engine *engine, struct run *run) {
    struct live_task *task = run->task;
    int64_t wait_ms = 0, deadline_ms = run->deadline.moment.at_ms;
    struct sleeper *sleeper = run->ops->sleep(run->driver, &run->attempt, (int64_t)clock_timer_ms(engine->seams->nap_ms),
                                              &wait_ms);
    if (sleeper == NULL)
        return;
    struct nap *nap = lasting_new(sizeof(*nap));
    *nap = (struct nap){
        .engine = engine,
        .task = task,
        .generation = generation_ref(run->generation),
        .route = run->attempt.route,
        .slot = run->slot,
        .key = run->key,
        .sleeper = sleeper,
        .deadline_ms = deadline_ms,
        .mark = run_mark(run),
        .notes = run->notes,
        .renewals = run->renewals,
        .resumes = run->resumes,
        .other_key = run->other_key,
    };
    run_forget(run);
    task->run = NULL;
    task->nap = nap;
    int64_t until_deadline_ms = left_ms(engine, deadline_ms);
    alarm_set(&engine->alarms, &nap->alarm, (uint64_t)(wait_ms < until_deadline_ms ? wait_ms : until_deadline_ms), nap_over);
}

void nap_all(struct engine *engine) {
    struct run *run = LIST_FIRST(&engine->runs);
    while (run != NULL && !engine->stopping) {
        struct run *next = LIST_NEXT(run, link);
        if (may_sleep(run))
            fall_asleep(engine, run);
        run = next;
    }
}
