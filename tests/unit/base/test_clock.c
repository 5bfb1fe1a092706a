/* The clock: its format, standing still, moving by hand, never going back. */
#include "base/clock.h"

#include <pthread.h>

#include "base/compiler.h"
#include "tests.h"

static void format(void **state) {
    (void)state;
    static const struct {
        int64_t wall_ms;
        const char *text;
    } cases[] = {
        { 0, "1970-01-01T00:00:00.000Z" },
        { 1767323045678, "2026-01-02T03:04:05.678Z" },
        { 951782400000, "2000-02-29T00:00:00.000Z" },
        { 1709251199999, "2024-02-29T23:59:59.999Z" },
        { -1, "1969-12-31T23:59:59.999Z" },
        { -1000, "1969-12-31T23:59:59.000Z" },
        { 253402300799999, "9999-12-31T23:59:59.999Z" },
        { 253402300800000, "9999-12-31T23:59:59.999Z" },
        { INT64_MAX, "9999-12-31T23:59:59.999Z" },
        { INT64_MIN, "0000-01-01T00:00:00.000Z" },
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        char text[CLOCK_RFC3339_SIZE];
        clock_format_rfc3339(cases[i].wall_ms, text);
        assert_string_equal(text, cases[i].text);
    }
}

static void a_moment_is_real_milliseconds_away(void **state) {
    (void)state;
    struct timespec before, after;
    clock_freeze(0); /* which turns our clocks only */
    clock_gettime(CLOCK_MONOTONIC, &before);
    struct timespec moment = clock_real_moment_in_ms(61999);
    clock_gettime(CLOCK_MONOTONIC, &after);
    clock_unfreeze();
    assert_in_range(moment.tv_nsec, 0, 999999999);
    int64_t at_ns = moment.tv_sec * INT64_C(1000000000) + moment.tv_nsec - INT64_C(61999000000);
    assert_true(at_ns >= before.tv_sec * INT64_C(1000000000) + before.tv_nsec);
    assert_true(at_ns <= after.tv_sec * INT64_C(1000000000) + after.tv_nsec);
}

/* By how little is the kernel's own affair: a tick, and more where a machine's host takes its core away. */
static void coarse_time_runs_behind_and_catches_up(void **state) {
    (void)state;
    int64_t passed_ms = clock_monotonic_ms() + 1, coarse_ms;
    do {
        coarse_ms = clock_monotonic_coarse_ms();
        assert_true(coarse_ms <= clock_monotonic_ms());
    } while (coarse_ms < passed_ms);
}

static void a_frozen_clock_moves_by_hand(void **state) {
    (void)state;
    int64_t before_ns = clock_monotonic_ns();
    clock_freeze(1000);
    int64_t start_ns = clock_monotonic_ns(), start_ms = clock_monotonic_ms();
    assert_true(start_ns >= before_ns);
    assert_int_equal(clock_wall_ms(), 1000);
    assert_int_equal(clock_monotonic_ns(), start_ns);
    clock_advance(250);
    assert_int_equal(clock_wall_ms(), 1250);
    assert_int_equal(clock_monotonic_ms(), start_ms + 250);
    assert_int_equal(clock_monotonic_ns(), start_ns + 250000000);
    assert_int_equal(clock_monotonic_coarse_ms(), start_ms + 250);
    clock_freeze(5); /* wall time may go back, monotonic time may not */
    assert_int_equal(clock_wall_ms(), 5);
    assert_int_equal(clock_monotonic_ns(), start_ns + 250000000);
    clock_unfreeze();
}

static void monotonic_time_never_goes_back(void **state) {
    (void)state;
    int64_t last_ns = clock_monotonic_ns();
    for (int i = 0; i < 20; i++) {
        clock_freeze(0);
        clock_advance(3600000);
        int64_t frozen_ns = clock_monotonic_ns();
        assert_true(frozen_ns >= last_ns + INT64_C(3600000000000));
        clock_unfreeze();
        last_ns = clock_monotonic_ns();
        assert_true(last_ns >= frozen_ns);
    }
    clock_unfreeze();
    assert_true(clock_wall_ms() > INT64_C(1700000000000));
}

static void *read_until_moved(void *unused) {
    (void)unused;
    int64_t last_ns = 0;
    while (clock_wall_ms() < 10000) {
        int64_t now_ns = clock_monotonic_ns();
        assert_true(now_ns >= last_ns);
        last_ns = now_ns;
    }
    return NULL;
}

static void other_threads_see_the_hand(void **state) {
    (void)state;
    clock_freeze(0);
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, read_until_moved, NULL), 0);
    for (int i = 0; i < 1000; i++) {
        clock_advance(10);
    }
    assert_int_equal(pthread_join(thread, NULL), 0);
    clock_unfreeze();
}

static void a_fast_clock_makes_timers_short(void **state) {
    (void)state;
    int64_t real_ms = clock_wall_ms();
    assert_int_equal(clock_timer_ms(1500), 1500);
    clock_set_speed(1000, real_ms - 5000);
    assert_true(clock_wall_ms() >= real_ms + 4995000 - 1000); /* five seconds ago was five thousand ago */
    int64_t before_ms = clock_monotonic_ms();
    while (clock_monotonic_ms() - before_ms < 3000) /* three milliseconds */
        ;
    assert_int_equal(clock_timer_ms(1500), 2);
    assert_int_equal(clock_timer_ms(1), 1);
    assert_int_equal(clock_timer_ms(0), 0);
    assert_int_equal(clock_from_real_ms(30), 30000);
    clock_set_speed(1, 0);
    assert_int_equal(clock_timer_ms(1500), 1500);
}

int test_clock(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(format),
        cmocka_unit_test(a_moment_is_real_milliseconds_away),
        cmocka_unit_test(coarse_time_runs_behind_and_catches_up),
        cmocka_unit_test(a_frozen_clock_moves_by_hand),
        cmocka_unit_test(monotonic_time_never_goes_back),
        cmocka_unit_test(other_threads_see_the_hand),
        cmocka_unit_test(a_fast_clock_makes_timers_short),
    };
    return cmocka_run_group_tests_name("base/clock", tests, NULL, NULL);
}
