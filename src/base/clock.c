/* Wall and monotonic time, and the hand that turns both in tests. */
#include "base/clock.h"

#include <assert.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <time.h>

#include "base/compiler.h"

#define NS_PER_MS INT64_C(1000000)
#define NS_PER_S INT64_C(1000000000)

static atomic_bool frozen;
static _Atomic int64_t frozen_wall_ms;
static _Atomic int64_t frozen_monotonic_ns;
/* What real monotonic time is ahead of the system's since time was turned by hand, so that it never goes back. */
static _Atomic int64_t monotonic_ahead_ns;

/* Set once, before there are other threads: what runs faster than the system's clock since then. */
static int64_t speed = 1;
static int64_t speed_since_wall_ns, speed_since_monotonic_ns;

static int64_t read_system_ns(clockid_t id) {
    struct timespec now;
    int failed = clock_gettime(id, &now);
    assert(!failed);
    return now.tv_sec * NS_PER_S + now.tv_nsec;
}

static int64_t system_ns(clockid_t id) {
    int64_t since_ns = id == CLOCK_REALTIME ? speed_since_wall_ns : speed_since_monotonic_ns;
    return since_ns + (read_system_ns(id) - since_ns) * speed;
}

void clock_set_speed(int64_t factor, int64_t since_wall_ms) {
    assert(factor >= 1);
    speed_since_wall_ns = since_wall_ms > 0 ? since_wall_ms * NS_PER_MS : read_system_ns(CLOCK_REALTIME);
    speed_since_monotonic_ns = read_system_ns(CLOCK_MONOTONIC);
    speed = factor;
}

int64_t clock_real_ns(void) {
    return read_system_ns(CLOCK_MONOTONIC);
}

int64_t clock_thread_us(void) {
    return read_system_ns(CLOCK_THREAD_CPUTIME_ID) / 1000;
}

struct timespec clock_real_moment_in_ms(int64_t real_ms) {
    int64_t ns = clock_real_ns() + real_ms * NS_PER_MS;
    return (struct timespec){ .tv_sec = ns / NS_PER_S, .tv_nsec = ns % NS_PER_S };
}

int64_t clock_system_fraction_ns(void) {
    return read_system_ns(CLOCK_REALTIME) % NS_PER_S;
}

int64_t clock_from_real_ms(int64_t real_ms) {
    return real_ms * speed;
}

uint64_t clock_timer_ms(int64_t ms) {
    return ms <= 0 ? 0 : (uint64_t)((ms + speed - 1) / speed);
}

int64_t clock_wall_ms(void) {
    return atomic_load(&frozen) ? atomic_load(&frozen_wall_ms) : system_ns(CLOCK_REALTIME) / NS_PER_MS;
}

static int64_t monotonic_ns(clockid_t id) {
    if (atomic_load(&frozen)) {
        return atomic_load(&frozen_monotonic_ns);
    }
    return system_ns(id) + atomic_load(&monotonic_ahead_ns);
}

int64_t clock_monotonic_ns(void) {
    return monotonic_ns(CLOCK_MONOTONIC);
}

/* A few real milliseconds are long where time runs faster. */
int64_t clock_monotonic_coarse_ms(void) {
    return monotonic_ns(speed == 1 ? CLOCK_MONOTONIC_COARSE : CLOCK_MONOTONIC) / NS_PER_MS;
}

int64_t clock_monotonic_ms(void) {
    return clock_monotonic_ns() / NS_PER_MS;
}

void clock_freeze(int64_t wall_ms) {
    atomic_store(&frozen_monotonic_ns, clock_monotonic_ns());
    atomic_store(&frozen_wall_ms, wall_ms);
    atomic_store(&frozen, true);
}

void clock_advance(int64_t ms) {
    assert(atomic_load(&frozen) && ms >= 0);
    atomic_fetch_add(&frozen_wall_ms, ms);
    atomic_fetch_add(&frozen_monotonic_ns, ms * NS_PER_MS);
}

void clock_unfreeze(void) {
    if (!atomic_load(&frozen)) {
        return;
    }
    int64_t ahead_ns = atomic_load(&frozen_monotonic_ns) - system_ns(CLOCK_MONOTONIC);
    if (ahead_ns > atomic_load(&monotonic_ahead_ns)) {
        atomic_store(&monotonic_ahead_ns, ahead_ns);
    }
    atomic_store(&frozen, false);
}

static char *put_digits(char *at, int64_t number, int count) {
    for (int i = count - 1; i >= 0; i--) {
        at[i] = (char)('0' + number % 10);
        number /= 10;
    }
    return at + count;
}

void clock_format_rfc3339(int64_t wall_ms, char ret[CLOCK_RFC3339_SIZE]) {
    /* Four-digit years only: what lies outside is shown as the nearest moment that the format can show. */
    const int64_t first_ms = INT64_C(-62167219200000), last_ms = INT64_C(253402300799999);
    wall_ms = wall_ms < first_ms ? first_ms : wall_ms > last_ms ? last_ms : wall_ms;
    int64_t ms = wall_ms % 1000;
    ms += ms < 0 ? 1000 : 0;
    time_t seconds = (time_t)((wall_ms - ms) / 1000);
    struct tm date;
    struct tm *converted = gmtime_r(&seconds, &date);
    assert(converted != NULL);

    const struct {
        int number, digits;
        char after;
    } parts[] = {
        { date.tm_year + 1900, 4, '-' },
        { date.tm_mon + 1, 2, '-' },
        { date.tm_mday, 2, 'T' },
        { date.tm_hour, 2, ':' },
        { date.tm_min, 2, ':' },
        { date.tm_sec, 2, '.' },
        { (int)ms, 3, 'Z' },
    };
    char *at = ret;
    for (size_t i = 0; i < ARRAY_SIZE(parts); i++) {
        at = put_digits(at, parts[i].number, parts[i].digits);
        *at++ = parts[i].after;
    }
    *at = '\0';
}
