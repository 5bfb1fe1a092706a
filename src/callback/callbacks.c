/* The sender's life, what other threads tell it, and those who watch a delivery. */
#include "callback/inside.h"

#include <assert.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "callback/gate.h"
#include "net/fetch.h"

#define RUNNING_MAX 512
#define LANE_RUNNING_MAX 8
#define ACCOUNT_RUNNING_MAX 64
#define LANES_MAX 16384
#define TIMEOUT_MS 10000
#define SCAN_PERIOD_MS 30000
#define OPEN_BEFORE_LATE_MS ((int64_t)3600 * 1000)
#define WATCH_MS 15000 /* real ones: a try takes as long as its receiver does */

static void or_usual(unsigned *value, unsigned usual) {
    if (*value == 0)
        *value = usual;
}

static void or_usual_ms(int64_t *value, int64_t usual) {
    if (*value == 0)
        *value = usual;
}

static struct callbacks_options complete(const struct callbacks_options *options) {
    struct callbacks_options whole = *options;
    or_usual(&whole.running_max, RUNNING_MAX);
    or_usual(&whole.lane_running_max, LANE_RUNNING_MAX);
    or_usual(&whole.account_running_max, ACCOUNT_RUNNING_MAX);
    or_usual(&whole.lanes_max, LANES_MAX);
    or_usual_ms(&whole.timeout_ms, TIMEOUT_MS);
    or_usual_ms(&whole.scan_period_ms, SCAN_PERIOD_MS);
    or_usual_ms(&whole.open_before_late_ms, OPEN_BEFORE_LATE_MS);
    if (whole.breaker.failures_max == 0)
        whole.breaker = (struct breaker_policy){ .failures_max = 5, .first_ms = 10000, .max_ms = 600000 };
    whole.allow = NULL;
    whole.allow_count = 0;
    return whole;
}

/* ---- what comes to the loop ---- */

static struct delivery *take_written(struct callbacks *callbacks) {
    pthread_mutex_lock(&callbacks->mutex);
    struct delivery *delivery = STAILQ_FIRST(&callbacks->written);
    if (delivery != NULL)
        STAILQ_REMOVE_HEAD(&callbacks->written, link);
    pthread_mutex_unlock(&callbacks->mutex);
    return delivery;
}

static void take_late(struct callbacks *callbacks) {
    pthread_mutex_lock(&callbacks->mutex);
    callbacks->late_jobs -= callbacks->written_late;
    callbacks->written_late = 0;
    int64_t count = callbacks->late_count;
    callbacks->late_count = 0;
    pthread_mutex_unlock(&callbacks->mutex);
    callbacks_count(callbacks, given_up, (uint64_t)count);
    callbacks_count(callbacks, due, -count);
}

static void woken(uv_async_t *wake) {
    struct callbacks *callbacks = wake->data;
    struct delivery *delivery;
    while ((delivery = take_written(callbacks)) != NULL)
        delivery_written(delivery);
    take_late(callbacks);
    turns_go_on(callbacks);
    callbacks_check_idle(callbacks);
}

void callbacks_tick(uv_timer_t *timer) {
    struct callbacks *callbacks = timer->data;
    turns_go_on(callbacks);
    callbacks_check_idle(callbacks);
}

/* ---- life ---- */

struct callbacks *callbacks_new(uv_loop_t *loop, const struct callbacks_options *options) {
    struct callbacks *callbacks = mem_new(sizeof(*callbacks));
    callbacks->options = complete(options);
    /* As many as may run, so that none waits there with a timestamp that grows old. */
    const struct fetch_options fetch = {
        .running_max = callbacks->options.running_max, .allow = options->allow, .allow_count = options->allow_count
    };
    callbacks->client = fetch_client_new(loop, &fetch);
    callbacks->store = options->store;
    callbacks->loop = loop;
    callbacks->gate = gate_new();
    pthread_mutex_init(&callbacks->mutex, NULL);
    STAILQ_INIT(&callbacks->written);
    STAILQ_INIT(&callbacks->stalled);
    LIST_INIT(&callbacks->watches);
    lanes_init(&callbacks->lanes, callbacks->options.lanes_max);
    callbacks->scan_wanted = true; /* what was due before */
    int failure = uv_async_init(loop, &callbacks->wake, woken);
    assert(failure == 0);
    (void)failure;
    callbacks->wake.data = callbacks;
    uv_timer_init(loop, &callbacks->timer);
    callbacks->timer.data = callbacks;
    uv_timer_start(&callbacks->timer, callbacks_tick, 0, 0);
    return callbacks;
}

void callbacks_allow(struct callbacks *callbacks, const char *const *pairs, unsigned count) {
    fetch_client_allow(callbacks->client, pairs, count);
}

void callbacks_stop(struct callbacks *callbacks, void (*idle)(void *context), void *context) {
    callbacks->stopping = true;
    callbacks->idle = idle;
    callbacks->idle_context = context;
    callbacks_check_idle(callbacks);
}

void callbacks_cut(struct callbacks *callbacks) {
    struct delivery *delivery, *next;
    callbacks->cutting = true;
    HASH_ITER(hh, callbacks->under_way, delivery, next) {
        if (delivery->fetch != NULL)
            delivery_cut(delivery);
    }
    delivery_post_stalled(callbacks); /* a last time */
    callbacks_check_idle(callbacks);
}

void callbacks_close(struct callbacks *callbacks) {
    if (callbacks == NULL)
        return;
    pthread_mutex_lock(&callbacks->mutex);
    callbacks->closed = true;
    pthread_mutex_unlock(&callbacks->mutex);
    fetch_client_free(callbacks->client);
    callbacks->client = NULL;
    uv_close((uv_handle_t *)&callbacks->wake, NULL);
    uv_close((uv_handle_t *)&callbacks->timer, NULL);
}

void callbacks_free(struct callbacks *callbacks) {
    if (callbacks == NULL)
        return;
    assert(callbacks->under_way == NULL && LIST_EMPTY(&callbacks->watches));
    lanes_fini(&callbacks->lanes);
    gate_free(callbacks->gate);
    pthread_mutex_destroy(&callbacks->mutex);
    free(callbacks);
}

/* ---- watches ---- */

/* Takes out the first that `fits`; NULL: none does. */
static struct callback_watch *take_watch(struct callbacks *callbacks,
                                         bool (*fits)(const struct callback_watch *watch, const void *context),
                                         const void *context) {
    struct callback_watch *watch;
    pthread_mutex_lock(&callbacks->mutex);
    LIST_FOREACH(watch, &callbacks->watches, link) {
        if (fits(watch, context))
            break;
    }
    if (watch != NULL)
        LIST_REMOVE(watch, link);
    pthread_mutex_unlock(&callbacks->mutex);
    return watch;
}

static bool watches_row(const struct callback_watch *watch, const void *context) {
    const struct callback_row *row = context;
    return watch->account == row->account && strcmp(watch->id, row->id) == 0;
}

static bool waited_long(const struct callback_watch *watch, const void *context) {
    return watch->until_ms <= *(const int64_t *)context;
}

static void tell_watches(struct callbacks *callbacks,
                         bool (*fits)(const struct callback_watch *watch, const void *context), const void *context) {
    struct callback_watch *watch;
    while ((watch = take_watch(callbacks, fits, context)) != NULL)
        watch->done(watch); /* frees it, perhaps */
}

void callbacks_watched(struct callbacks *callbacks, const struct callback_row *row) {
    tell_watches(callbacks, watches_row, row);
}

void callbacks_watch(struct callbacks *callbacks, struct callback_watch *watch) {
    watch->until_ms = clock_monotonic_ms() + clock_from_real_ms(WATCH_MS);
    pthread_mutex_lock(&callbacks->mutex);
    bool deaf = callbacks->deaf;
    if (!deaf)
        LIST_INSERT_HEAD(&callbacks->watches, watch, link);
    pthread_mutex_unlock(&callbacks->mutex);
    if (deaf)
        watch->done(watch);
}

void callbacks_end_watches(struct callbacks *callbacks, int64_t now_ms) {
    tell_watches(callbacks, waited_long, &now_ms);
}

void callbacks_check_idle(struct callbacks *callbacks) {
    if (callbacks->idle == NULL || callbacks->looking || callbacks->under_way_count > 0 || callbacks->late_jobs > 0)
        return;
    void (*idle)(void *context) = callbacks->idle;
    callbacks->idle = NULL;
    callbacks->over = true;
    uv_timer_stop(&callbacks->timer);
    pthread_mutex_lock(&callbacks->mutex);
    callbacks->deaf = true;
    pthread_mutex_unlock(&callbacks->mutex);
    callbacks_end_watches(callbacks, INT64_MAX);
    idle(callbacks->idle_context);
}

/* ---- any thread ---- */

void callbacks_tell(struct callbacks *callbacks) {
    if (!callbacks->closed)
        uv_async_send(&callbacks->wake);
}

static void note(struct callbacks *callbacks, int64_t account, struct text name, bool hurry) {
    pthread_mutex_lock(&callbacks->mutex);
    if (callbacks->note_count < NOTES_MAX) {
        struct note *note = &callbacks->notes[callbacks->note_count++];
        *note = (struct note){ .account = account, .hurry = hurry };
        snprintf(note->name, sizeof(note->name), "%.*s", TEXT_ARG(text_clip(name, sizeof(note->name) - 1)));
    } else {
        callbacks->notes_missed = true;
    }
    callbacks_tell(callbacks);
    pthread_mutex_unlock(&callbacks->mutex);
}

void callbacks_hold(struct callbacks *callbacks, int64_t account, const struct task_id *task) {
    gate_hold(callbacks->gate, account, task);
}

void callbacks_release(struct callbacks *callbacks, int64_t account, const struct task_id *task) {
    if (gate_release(callbacks->gate, account, task))
        note(callbacks, account, task_id_text(task), false);
}

void callbacks_due(struct callbacks *callbacks, int64_t account, const struct task_id *task) {
    callbacks_count(callbacks, due, 1);
    note(callbacks, account, task_id_text(task), false);
}

void callbacks_hurry(struct callbacks *callbacks, int64_t account, struct text id) {
    callbacks_count(callbacks, due, 1);
    note(callbacks, account, id, true);
}

#define LOAD(counter) atomic_load_explicit(&callbacks->counters.counter, memory_order_relaxed)

struct callbacks_counts callbacks_counts(struct callbacks *callbacks) {
    int64_t due = LOAD(due);
    return (struct callbacks_counts){
        .tries = LOAD(tries),
        .failed = LOAD(failed),
        .delivered = LOAD(delivered),
        .given_up = LOAD(given_up),
        .due = due > 0 ? (uint64_t)due : 0,
        .running = LOAD(running),
        .lanes = LOAD(lanes),
        .open = LOAD(open),
    };
}
