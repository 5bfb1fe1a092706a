#include "store/give_way.h"

#include <sched.h>
#include <stdint.h>

#include "base/clock.h"

#define AWAY_MAX_NS 1000000

static _Thread_local struct {
    const atomic_uint *urgent; /* NULL: not asked for, or given up */
    bool often; /* at each step, too */
} way;

void give_way_begin(const atomic_uint *urgent, bool often) {
    way.urgent = urgent;
    way.often = often;
}

void give_way_end(void) {
    way.urgent = NULL;
}

void give_way_after_job(void) {
    if (way.urgent == NULL || atomic_load_explicit(way.urgent, memory_order_relaxed) > 0) {
        return;
    }
    int64_t since_ns = clock_monotonic_ns();
    sched_yield();
    if (clock_monotonic_ns() - since_ns > AWAY_MAX_NS) {
        give_way_end();
    }
}

void give_way_after_step(void) {
    if (way.often) {
        give_way_after_job();
    }
}
