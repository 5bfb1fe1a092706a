/* The heap and its timer. Who sets a deadline before all others tells the loop to look again. */
#include "engine/deadlines.h"

#include <assert.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/memory.h"

#define CAPACITY_FIRST 64

/* ---- the heap; under the mutex ---- */

static void put(struct deadlines *deadlines, size_t place, struct deadline *deadline) {
    deadlines->heap[place] = deadline;
    deadline->place = place;
}

static void rise(struct deadlines *deadlines, size_t place) {
    struct deadline *deadline = deadlines->heap[place];
    while (place > 1 && deadlines->heap[place / 2]->at_ms > deadline->at_ms) {
        put(deadlines, place, deadlines->heap[place / 2]);
        place /= 2;
    }
    put(deadlines, place, deadline);
}

static void sink(struct deadlines *deadlines, size_t place) {
    struct deadline *deadline = deadlines->heap[place];
    for (;;) {
        size_t child = 2 * place;
        if (child > deadlines->count)
            break;
        if (child < deadlines->count && deadlines->heap[child + 1]->at_ms < deadlines->heap[child]->at_ms)
            child++;
        if (deadlines->heap[child]->at_ms >= deadline->at_ms)
            break;
        put(deadlines, place, deadlines->heap[child]);
        place = child;
    }
    put(deadlines, place, deadline);
}

static void add(struct deadlines *deadlines, struct deadline *deadline) {
    if (deadlines->count + 1 >= deadlines->capacity) {
        deadlines->capacity = deadlines->capacity > 0 ? 2 * deadlines->capacity : CAPACITY_FIRST;
        deadlines->heap = mem_grow(deadlines->heap, deadlines->capacity * sizeof(struct deadline *));
    }
    deadlines->heap[++deadlines->count] = deadline;
    rise(deadlines, deadlines->count);
}

static void take(struct deadlines *deadlines, struct deadline *deadline) {
    size_t place = deadline->place;
    struct deadline *last = deadlines->heap[deadlines->count--];
    deadline->place = 0;
    if (last == deadline)
        return;
    put(deadlines, place, last);
    rise(deadlines, place);
    sink(deadlines, last->place);
}

/* The earliest, taken, if it is due. */
static struct deadline *take_due(struct deadlines *deadlines, int64_t now_ms) {
    struct deadline *first = deadlines->count > 0 ? deadlines->heap[1] : NULL;
    if (first == NULL || first->at_ms > now_ms)
        return NULL;
    take(deadlines, first);
    return first;
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
    deadlines->awake_at_ms = deadlines->count > 0 ? deadlines->heap[1]->at_ms : INT64_MAX;
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
    assert(deadlines->count == 0);
    free(deadlines->heap);
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
    assert(deadline->place == 0);
    bool open = deadlines->open;
    if (open) {
        deadline->at_ms = at_ms;
        deadline->over = over;
        add(deadlines, deadline);
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
    bool set = deadline->place != 0;
    if (set)
        take(deadlines, deadline);
    pthread_mutex_unlock(&deadlines->mutex);
    return set;
}
