/* One timer, which is set to the first of the alarms. */
#include "net/alarms.h"

#include "base/compiler.h"

static void ring_due(uv_timer_t *timer);

static void sleep_until_first(struct alarms *alarms) {
    const struct moment *first = moments_first(&alarms->moments);
    if (first == NULL) {
        uv_timer_stop(&alarms->timer);
        return;
    }
    int64_t left_ms = first->at_ms - (int64_t)uv_now(alarms->timer.loop);
    uv_timer_start(&alarms->timer, ring_due, left_ms > 0 ? (uint64_t)left_ms : 0, 0);
}

static void ring_one(struct alarms *alarms, struct moment *first) {
    struct alarm *alarm = container_of(first, struct alarm, moment);
    moments_take(&alarms->moments, first);
    alarm->ring(alarm); /* it may be gone now */
}

/* Those that are set meanwhile come in the next round of the loop's timers: each of these rings in its order. What is set
 * at this moment is due now at the earliest, so only there the order says it; one from before the last 2^31 of them may come
 * a millisecond late. */
static void ring_due(uv_timer_t *timer) {
    struct alarms *alarms = timer->data;
    int64_t now_ms = (int64_t)uv_now(timer->loop);
    uint32_t order = alarms->moments.order;
    struct moment *first;
    alarms->ringing = true;
    while ((first = moments_first(&alarms->moments)) != NULL && moment_is_before(first, now_ms, order))
        ring_one(alarms, first);
    alarms->ringing = false;
    sleep_until_first(alarms);
}

void alarms_init(struct alarms *alarms, uv_loop_t *loop) {
    *alarms = (struct alarms){ 0 };
    uv_timer_init(loop, &alarms->timer);
    alarms->timer.data = alarms;
}

void alarms_close(struct alarms *alarms, uv_close_cb closed) {
    struct moment *first;
    alarms->ringing = true;
    while ((first = moments_first(&alarms->moments)) != NULL)
        ring_one(alarms, first);
    moments_fini(&alarms->moments);
    uv_close((uv_handle_t *)&alarms->timer, closed);
}

static bool is_first(const struct alarms *alarms, const struct alarm *alarm) {
    return moments_first(&alarms->moments) == &alarm->moment;
}

void alarm_set(struct alarms *alarms, struct alarm *alarm, uint64_t real_ms, void (*ring)(struct alarm *alarm)) {
    uint64_t now_ms = uv_now(alarms->timer.loop);
    bool was_first = is_first(alarms, alarm);
    if (alarm->moment.place != 0)
        moments_take(&alarms->moments, &alarm->moment);
    alarm->ring = ring;
    moments_add(&alarms->moments, &alarm->moment,
                (int64_t)(now_ms + (real_ms < INT64_MAX - now_ms ? real_ms : INT64_MAX - now_ms)));
    if (!alarms->ringing && (was_first || is_first(alarms, alarm)))
        sleep_until_first(alarms);
}

void alarm_stop(struct alarms *alarms, struct alarm *alarm) {
    bool was_first = is_first(alarms, alarm);
    if (alarm->moment.place == 0)
        return;
    moments_take(&alarms->moments, &alarm->moment);
    if (!alarms->ringing && was_first)
        sleep_until_first(alarms);
}
