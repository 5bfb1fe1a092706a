/* Moments at which something is to happen, any number of them for one timer of the loop.
 *
 * A hundred thousand tasks each have a few: an alarm is 24 bytes, a timer of the loop 152. A heap, as in the loop
 * itself (base/moments.h): setting and stopping one costs the logarithm of their number. The loop's thread. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include <uv.h>

#include "base/moments.h"

/* Embedded in what has it; zeroed at first. The alarms' own. */
struct alarm {
    struct moment moment; /* of the loop's time */
    void (*ring)(struct alarm *alarm);
};

struct alarms {
    uv_timer_t timer;
    struct moments moments;
    bool ringing;
};

void alarms_init(struct alarms *alarms, uv_loop_t *loop);
/* Those that are set ring now, and those set by these, too. `closed` (NULL: nothing) is called by the loop, with
 * the timer, once its memory is no longer used. */
void alarms_close(struct alarms *alarms, uv_close_cb closed);

/* `ring` is called once, by the loop and never from within this, when `real_ms` have gone by; it may set or stop
 * any alarm and free its own memory. One that is set already is set anew. */
void alarm_set(struct alarms *alarms, struct alarm *alarm, uint64_t real_ms, void (*ring)(struct alarm *alarm));
/* It will not ring; nothing happens when it is not set. */
void alarm_stop(struct alarms *alarms, struct alarm *alarm);
