/* The ladder: its rungs, its end, what jitter and a receiver's wish add. */
#include "callback/ladder.h"

#include "base/compiler.h"
#include "tests_callback.h"

static const int64_t rungs_s[] = { 1, 2, 4, 30, 120, 600, 3600, 21600, 86400 };

static void no_delay_is_shorter_than_its_rung(void **state) {
    (void)state;
    int64_t sum_ms = 0;
    for (unsigned i = 0; i < ARRAY_SIZE(rungs_s); i++) {
        assert_int_equal(ladder_delay_ms(i + 1, 0, 0), rungs_s[i] * 1000);
        assert_int_equal(ladder_delay_ms(i + 1, 0, UINT32_MAX), rungs_s[i] * 1100);
        sum_ms += rungs_s[i] * 1100 + 10000;
    }
    assert_int_equal(ladder_delay_ms(10, 0, 0), -1);
    assert_int_equal(ladder_delay_ms(11, 999999, 0), -1);
    assert_true(ladder_deadline_ms(5000) - 5000 > sum_ms); /* the deadline cuts no ladder short */
}

static void a_receiver_may_ask_for_more_within_bounds(void **state) {
    (void)state;
    assert_int_equal(ladder_delay_ms(1, 900000, 0), 900000);
    assert_int_equal(ladder_delay_ms(1, 500, 0), 1000);
    assert_int_equal(ladder_delay_ms(1, INT64_MAX, 0), LADDER_RETRY_AFTER_MAX_MS);
    assert_int_equal(ladder_delay_ms(8, INT64_MAX, 0), 21600000);
}

static void no_delay_is_longer_than_its_bound(void **state) {
    (void)state;
    assert_int_equal(ladder_delay_max_ms(0, true), 0); /* what never failed is due at once */
    for (unsigned i = 0; i < ARRAY_SIZE(rungs_s); i++) {
        assert_int_equal(ladder_delay_max_ms(i + 1, false), ladder_delay_ms(i + 1, 0, UINT32_MAX));
        assert_true(ladder_delay_max_ms(i + 1, true) >= ladder_delay_ms(i + 1, INT64_MAX, UINT32_MAX));
    }
}

int run_ladder_tests(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_delay_is_shorter_than_its_rung),
        cmocka_unit_test(no_delay_is_longer_than_its_bound),
        cmocka_unit_test(a_receiver_may_ask_for_more_within_bounds),
    };
    return cmocka_run_group_tests_name("callback ladder", tests, NULL, NULL);
}
