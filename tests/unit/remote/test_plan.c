/* The poll plan, and what services say of pauses. */
#include <stdlib.h>
#include <string.h>

#include "base/compiler.h"
#include "net/retry_after.h"
#include "provider/adapter.h"
#include "remote/plan.h"
#include "trial.h"

#define NOW_MS INT64_C(1781080794000) /* Wed, 10 Jun 2026 08:39:54 GMT */

static void pauses_grow_from_the_floor_to_the_most(void **state) {
    (void)state;
    const struct adapter adapter = { .poll_first_s = 20, .poll_min_s = 2, .poll_factor = 2, .poll_max_s = 10 };
    const struct poll_plan plan = poll_plan_make(&adapter, 0);
    static const int64_t middles_ms[] = { 20000, 2000, 4000, 8000, 10000, 10000 };
    for (unsigned asked = 0; asked < ARRAY_SIZE(middles_ms); asked++) {
        int64_t middle_ms = middles_ms[asked];
        int64_t least_ms = poll_plan_pause_ms(&plan, asked, 0);
        int64_t most_ms = poll_plan_pause_ms(&plan, asked, UINT32_MAX);
        assert_int_equal(most_ms, middle_ms + middle_ms / 10);
        assert_int_equal(least_ms, middle_ms == 2000 ? 2000 : middle_ms - middle_ms / 10);
    }
    assert_int_equal(poll_plan_pause_ms(&plan, UINT32_MAX, UINT32_MAX), 11000);
}

static void the_operators_floor_counts_when_it_is_higher(void **state) {
    (void)state;
    const struct adapter adapter = { .poll_min_s = 2, .poll_max_s = 5 };
    struct poll_plan plan = poll_plan_make(&adapter, 30);
    assert_int_equal(poll_plan_floor_ms(&plan), 30000);
    for (unsigned asked = 0; asked < 5; asked++) {
        assert_in_range(poll_plan_pause_ms(&plan, asked, 0), asked ? 30000 : 27000, 33000);
    }
    plan = poll_plan_make(&adapter, 0.5);
    assert_int_equal(poll_plan_floor_ms(&plan), 2000);
    plan = poll_plan_make(&(struct adapter){ 0 }, 0);
    assert_true(poll_plan_floor_ms(&plan) > 0);
    assert_true(poll_plan_pause_ms(&plan, 0, 0) > 0);
}

static void errors_double_the_pause(void **state) {
    (void)state;
    const struct adapter adapter = { .poll_min_s = 1, .poll_max_s = 5 };
    const struct poll_plan plan = poll_plan_make(&adapter, 0);
    assert_in_range(poll_plan_backoff_ms(&plan, 1, 0), 1800, 2200);
    assert_in_range(poll_plan_backoff_ms(&plan, 3, UINT32_MAX), 7200, 8800);
    assert_in_range(poll_plan_backoff_ms(&plan, 4000000000u, UINT32_MAX), 54000, 66000);
}

static void pauses_are_read_in_every_form(void **state) {
    (void)state;
    static const struct {
        const char *value;
        int64_t ms;
    } rows[] = {
        { "7", 7000 },
        { " 7 ", 7000 },
        { "1.5", 1500 },
        { "0", 0 },
        { "999999999", 86400000 },
        { "", 0 },
        { "-5", 0 },
        { "soon", 0 },
        { "1.2.3", 0 },
        { "Wed, 10 Jun 2026 08:40:04 GMT", 10000 },
        { "Wed, 10 Jun 2026 08:39:00 GMT", 0 },
        { "Wed, 10 Jun 2026 08:40:04 GMT tail", 0 },
        { "Fri, 01 Jan 2027 00:00:00 GMT", 86400000 },
        { "Wed, 10 Jun 2026 08:40:04 GMTxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx", 0 },
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        if (retry_after_read_ms(text_of(rows[i].value), NOW_MS) != rows[i].ms) {
            fail_msg("%s: %lld", rows[i].value, (long long)retry_after_read_ms(text_of(rows[i].value), NOW_MS));
        }
    }
    assert_int_equal(retry_after_read_ms_header(TEXT("250")), 250);
    assert_int_equal(retry_after_read_ms_header(TEXT("x")), 0);
    assert_int_equal(retry_after_read_ms_header(TEXT_NONE), 0);
    char piece[] = "7rest"; /* a run of bytes, not a string */
    assert_int_equal(retry_after_read_ms((struct text){ piece, 1 }, NOW_MS), 7000);
    /* nothing behind the value is looked at, not even to see where it ends */
    char *exact = malloc(3);
    memcpy(exact, "120", 3);
    assert_int_equal(retry_after_read_ms((struct text){ exact, 3 }, NOW_MS), 120000);
    free(exact);
}

int test_plan(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pauses_grow_from_the_floor_to_the_most),
        cmocka_unit_test(the_operators_floor_counts_when_it_is_higher),
        cmocka_unit_test(errors_double_the_pause),
        cmocka_unit_test(pauses_are_read_in_every_form),
    };
    return cmocka_run_group_tests_name("plan", tests, NULL, NULL);
}
