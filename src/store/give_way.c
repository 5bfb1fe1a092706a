/* Giving way by sched_yield(2), with a bound on what it may take. */
#include "store/give_way.h"

#include <sched.h>
#include <stdint.h>

#include "base/clock.h"

#define AWAY_MAX_NS 1000000     /* at once */
#define AWAY_IN_ALL_NS 20000000 /* in one transaction: other processes wait for its end */

static _Thread_local struct {
    const atomic_uint *urgent; /* NULL: not asked for, or given up */
    bool often;
    int64_t left_ns;
} way;

void give_way_begin(const atomic_uint *urgent, bool often) {
    way.urgent = urgent;
    way.often = often;
    way.left_ns = AWAY_IN_ALL_NS;
}

void give_way_end(void) {
    way.urgent = NULL;
}

static void give_way(void) {
    if (way.urgent == NULL || atomic_load_explicit(way.urgent, memory_order_relaxed) > 0) {
        return;
    }
    int64_t since_ns = clock_real_ns();
    sched_yield();
    int64_t away_ns = clock_real_ns() - since_ns;
    way.left_ns -= away_ns;
    if (away_ns > AWAY_MAX_NS || way.left_ns < 0) {
        give_way_end();
    }
}

void give_way_after_job(void) {
    give_way();
}

void give_way_after_step(void) {
    if (way.often) {
        give_way();
    }
}
