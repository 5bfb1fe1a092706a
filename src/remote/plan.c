/* The pauses between questions. */
#include "remote/plan.h"

#include <math.h>

#include "provider/adapter.h"

#define FLOOR_DEFAULT_S 1.0
#define FACTOR_DEFAULT 1.5
#define MAX_DEFAULT_S 15.0
#define BACKOFF_MAX_S 60.0
#define JITTER 0.1

static double given_or(double value, double fallback) {
    return value > 0 ? value : fallback;
}

struct poll_plan poll_plan_make(const struct adapter *adapter, double configured_min_s) {
    double floor_s = fmax(given_or(adapter->poll_min_s, FLOOR_DEFAULT_S), configured_min_s);
    return (struct poll_plan){
        .first_s = given_or(adapter->poll_first_s, floor_s),
        .floor_s = floor_s,
        .factor = given_or(adapter->poll_factor, FACTOR_DEFAULT),
        .max_s = fmax(given_or(adapter->poll_max_s, MAX_DEFAULT_S), floor_s),
    };
}

static int64_t with_jitter_ms(double seconds, double floor_s, uint32_t random) {
    double placed = seconds * (1 - JITTER + 2 * JITTER * random / UINT32_MAX);
    return llround(fmax(placed, floor_s) * 1000);
}

int64_t poll_plan_pause_ms(const struct poll_plan *plan, unsigned asked, uint32_t random) {
    if (asked == 0) {
        return with_jitter_ms(plan->first_s, 0, random);
    }
    double pause_s = plan->floor_s * pow(plan->factor, asked - 1);
    return with_jitter_ms(fmin(pause_s, plan->max_s), plan->floor_s, random);
}

int64_t poll_plan_backoff_ms(const struct poll_plan *plan, unsigned errors, uint32_t random) {
    double pause_s = fmin(plan->floor_s * pow(2, errors), fmax(BACKOFF_MAX_S, plan->floor_s));
    return with_jitter_ms(pause_s, plan->floor_s, random);
}

int64_t poll_plan_floor_ms(const struct poll_plan *plan) {
    return llround(plan->floor_s * 1000);
}
