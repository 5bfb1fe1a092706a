/* The heap's mutex and its timer. Who sets a deadline before all others tells the loop to look again. */
#include "engine/view/deadlines.h"

#include <assert.h>

#include "base/clock.h"

/* The earliest, taken, if it is due. Under the mutex. */
static struct deadline *take_due(struct deadlines *deadlines, int64_t now_ms) {
    struct moment *first = moments_first(&deadlines->moments);
    if (first == NULL || first->at_ms > now_ms)
        return NULL;
    moments_take(&deadlines->moments, first);
    return container_of(first, struct deadline, moment);
}

/* ---- the timer; engine's thread ---- */

static void end_due(struct deadlines *deadlines, int64_t now_ms) {
    struct deadline *due;
    do {
        pthread_mutex_lock(&deadlines->mutex);
        due = take_due(deadlines, now_ms);
        pthread_mutex_unlock(&deadlines->mutex);
        if (due != NULL)
            due->over(due);
    } while (due != NULL);
}

static void sleep_until_next(struct deadlines *deadlines);

static void time_is_over(uv_timer_t *timer) {
    struct deadlines *deadlines = timer->data;
    end_due(deadlines, clock_monotonic_ms());
    sleep_until_next(deadlines);
}

static void sleep_until_next(struct deadlines *deadlines) {
    pthread_mutex_lock(&deadlines->mutex);
    const struct moment *first = moments_first(&deadlines->moments);
    deadlines->awake_at_ms = first != NULL ? first->at_ms : INT64_MAX;
    int64_t at_ms = deadlines->awake_at_ms;
    pthread_mutex_unlock(&deadlines->mutex);
    if (at_ms == INT64_MAX) {
        uv_timer_stop(&deadlines->timer);
        return;
    }
    int64_t left_ms = at_ms - clock_monotonic_ms();
    uv_timer_start(&deadlines->timer, time_is_over, left_ms > 0 ? clock_timer_ms(left_ms) : 0, 0);
}

static void look_again(uv_async_t *sooner) {
    sleep_until_next(sooner->data);
}

/* ---- beginning and end ---- */

void deadlines_init(struct deadlines *deadlines) {
    *deadlines = (struct deadlines){ .awake_at_ms = INT64_MAX };
    pthread_mutex_init(&deadlines->mutex, NULL);
}

void deadlines_fini(struct deadlines *deadlines) {
    moments_fini(&deadlines->moments);
    pthread_mutex_destroy(&deadlines->mutex);
}

void deadlines_start(struct deadlines *deadlines, uv_loop_t *loop) {
    int failure = uv_async_init(loop, &deadlines->sooner, look_again);
    assert(failure == 0);
    (void)failure;
    uv_timer_init(loop, &deadlines->timer);
    deadlines->timer.data = deadlines->sooner.data = deadlines;
    pthread_mutex_lock(&deadlines->mutex);
    deadlines->open = true;
    pthread_mutex_unlock(&deadlines->mutex);
}

void deadlines_end(struct deadlines *deadlines) {
    pthread_mutex_lock(&deadlines->mutex);
    deadlines->open = false;
    pthread_mutex_unlock(&deadlines->mutex);
    end_due(deadlines, INT64_MAX);
}

void deadlines_close(struct deadlines *deadlines) {
    deadlines_end(deadlines);
    uv_close((uv_handle_t *)&deadlines->timer, NULL);
    uv_close((uv_handle_t *)&deadlines->sooner, NULL);
}

/* ---- any thread ---- */

bool deadlines_set(struct deadlines *deadlines, struct deadline *deadline, int64_t at_ms,
                   void (*over)(struct deadline *deadline)) {
    pthread_mutex_lock(&deadlines->mutex);
    assert(deadline->moment.place == 0);
    bool open = deadlines->open;
    if (open) {
        deadline->over = over;
        moments_add(&deadlines->moments, &deadline->moment, at_ms);
    }
    if (open && at_ms < deadlines->awake_at_ms) { /* under the lock: the handle may be closed when they are ended */
        deadlines->awake_at_ms = at_ms;
        uv_async_send(&deadlines->sooner);
    }
    pthread_mutex_unlock(&deadlines->mutex);
    return open;
}

bool deadlines_drop(struct deadlines *deadlines, struct deadline *deadline) {
    pthread_mutex_lock(&deadlines->mutex);
    bool set = deadline->moment.place != 0;
    if (set)
        moments_take(&deadlines->moments, &deadline->moment);
    pthread_mutex_unlock(&deadlines->mutex);
    return set;
}
