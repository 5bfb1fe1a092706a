/* The heap and its timer, which is set to the first of them. */
#include "net/alarms.h"

#include <stdlib.h>

#include "base/memory.h"

#define CAPACITY_FIRST 16

static void ring_due(uv_timer_t *timer);

/* ---- the heap; places from 1 on ---- */

static bool comes_before(const struct alarm *a, const struct alarm *b) {
    if (a->at_ms != b->at_ms)
        return a->at_ms < b->at_ms;
    return (int32_t)(a->order - b->order) < 0; /* the count may go round */
}

static void put(struct alarms *alarms, uint32_t place, struct alarm *alarm) {
    alarms->heap[place] = alarm;
    alarm->place = place;
}

static void rise(struct alarms *alarms, uint32_t place) {
    struct alarm *alarm = alarms->heap[place];
    while (place > 1 && comes_before(alarm, alarms->heap[place / 2])) {
        put(alarms, place, alarms->heap[place / 2]);
        place /= 2;
    }
    put(alarms, place, alarm);
}

static void sink(struct alarms *alarms, uint32_t place) {
    struct alarm *alarm = alarms->heap[place];
    for (;;) {
        uint32_t child = 2 * place;
        if (child > alarms->count)
            break;
        if (child < alarms->count && comes_before(alarms->heap[child + 1], alarms->heap[child]))
            child++;
        if (!comes_before(alarms->heap[child], alarm))
            break;
        put(alarms, place, alarms->heap[child]);
        place = child;
    }
    put(alarms, place, alarm);
}

static void resize(struct alarms *alarms, uint32_t capacity) {
    alarms->capacity = capacity;
    alarms->heap = mem_grow(alarms->heap, (capacity + 1) * sizeof(struct alarm *));
}

static void add(struct alarms *alarms, struct alarm *alarm) {
    if (alarms->count == alarms->capacity)
        resize(alarms, alarms->capacity > 0 ? 2 * alarms->capacity : CAPACITY_FIRST);
    alarms->heap[++alarms->count] = alarm;
    rise(alarms, alarms->count);
}

static void take(struct alarms *alarms, struct alarm *alarm) {
    uint32_t place = alarm->place;
    struct alarm *last = alarms->heap[alarms->count--];
    alarm->place = 0;
    if (last != alarm) {
        put(alarms, place, last);
        rise(alarms, place);
        sink(alarms, last->place);
    }
    if (alarms->capacity > CAPACITY_FIRST && alarms->count < alarms->capacity / 4)
        resize(alarms, alarms->capacity / 2);
}

/* ---- the timer ---- */

static void sleep_until_first(struct alarms *alarms) {
    if (alarms->count == 0) {
        uv_timer_stop(&alarms->timer);
        return;
    }
    int64_t left_ms = alarms->heap[1]->at_ms - (int64_t)uv_now(alarms->timer.loop);
    uv_timer_start(&alarms->timer, ring_due, left_ms > 0 ? (uint64_t)left_ms : 0, 0);
}

static void ring_first(struct alarms *alarms) {
    struct alarm *alarm = alarms->heap[1];
    take(alarms, alarm);
    alarm->ring(alarm); /* it may be gone now */
}

/* Whether it was set before `order`. What is set at this moment is due now at the earliest, so only there the order says it;
 * one from before the last 2^31 of them may come a millisecond late. */
static bool is_due(const struct alarm *alarm, int64_t now_ms, uint32_t order) {
    return alarm->at_ms < now_ms || (alarm->at_ms == now_ms && (int32_t)(alarm->order - order) < 0);
}

/* Those that are set meanwhile come in the next round of the loop's timers: each of these rings in its order. */
static void ring_due(uv_timer_t *timer) {
    struct alarms *alarms = timer->data;
    int64_t now_ms = (int64_t)uv_now(timer->loop);
    uint32_t order = alarms->order;
    alarms->ringing = true;
    while (alarms->count > 0 && is_due(alarms->heap[1], now_ms, order))
        ring_first(alarms);
    alarms->ringing = false;
    sleep_until_first(alarms);
}

void alarms_init(struct alarms *alarms, uv_loop_t *loop) {
    *alarms = (struct alarms){ 0 };
    uv_timer_init(loop, &alarms->timer);
    alarms->timer.data = alarms;
}

void alarms_close(struct alarms *alarms, uv_close_cb closed) {
    alarms->ringing = true;
    while (alarms->count > 0)
        ring_first(alarms);
    free(alarms->heap);
    alarms->heap = NULL;
    alarms->capacity = 0;
    uv_close((uv_handle_t *)&alarms->timer, closed);
}

void alarm_set(struct alarms *alarms, struct alarm *alarm, uint64_t real_ms, void (*ring)(struct alarm *alarm)) {
    uint64_t now_ms = uv_now(alarms->timer.loop);
    bool was_first = alarm->place == 1;
    if (alarm->place != 0)
        take(alarms, alarm);
    alarm->at_ms = (int64_t)(now_ms + (real_ms < INT64_MAX - now_ms ? real_ms : INT64_MAX - now_ms));
    alarm->order = alarms->order++;
    alarm->ring = ring;
    add(alarms, alarm);
    if (!alarms->ringing && (was_first || alarm->place == 1))
        sleep_until_first(alarms);
}

void alarm_stop(struct alarms *alarms, struct alarm *alarm) {
    bool was_first = alarm->place == 1;
    if (alarm->place == 0)
        return;
    take(alarms, alarm);
    if (!alarms->ringing && was_first)
        sleep_until_first(alarms);
}
