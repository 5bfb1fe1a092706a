/* The pauses between questions, and how services tell theirs. */
#include "remote/plan.h"

#include <math.h>
#include <stdlib.h>
#include <time.h>

#include "provider/adapter.h"

#define FLOOR_DEFAULT_S 1.0
#define FACTOR_DEFAULT 1.5
#define MAX_DEFAULT_S 15.0
#define BACKOFF_MAX_S 60.0
#define DAY_MS 86400000.0
#define JITTER 0.1
#define DATE_MAX 64

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

static int64_t bounded_ms(double ms) {
    return ms > 0 ? llround(fmin(ms, DAY_MS)) : 0;
}

/* The number that the whole text is; false: it is none. */
static bool read_number(struct text value, double *ret) {
    char number[DATE_MAX], *end = NULL;
    if (value.len == 0 || value.len >= sizeof(number) || strspn(value.ptr, "0123456789.") < value.len) {
        return false;
    }
    memcpy(number, value.ptr, value.len);
    number[value.len] = '\0';
    *ret = strtod(number, &end);
    return *end == '\0';
}

int64_t plan_retry_after_ms(struct text value, int64_t now_ms) {
    double seconds = 0;
    value = text_trim(value);
    if (read_number(value, &seconds)) {
        return bounded_ms(seconds * 1000);
    }
    char date[DATE_MAX];
    struct tm parts = { 0 };
    if (value.len == 0 || value.len >= sizeof(date)) {
        return 0;
    }
    memcpy(date, value.ptr, value.len);
    date[value.len] = '\0';
    const char *end = strptime(date, "%a, %d %b %Y %H:%M:%S GMT", &parts);
    return end && *end == '\0' ? bounded_ms((double)timegm(&parts) * 1000 - (double)now_ms) : 0;
}

int64_t plan_retry_after_ms_header(struct text value) {
    double ms = 0;
    return read_number(text_trim(value), &ms) ? bounded_ms(ms) : 0;
}
