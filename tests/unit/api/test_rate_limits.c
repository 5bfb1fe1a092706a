/* Requests per minute: each account its own, none without a limit. */
#include "api/rate_limits.h"

#include "tests.h"

static void each_account_has_its_own_bucket(void **state) {
    (void)state;
    struct rate_limits *limits = rate_limits_new();
    int64_t wait_ms = -1;

    for (int64_t account = 1; account <= 40; account++) {
        assert_true(rate_limits_take(limits, account, 2, 1000, &wait_ms));
        assert_true(rate_limits_take(limits, account, 2, 1000, &wait_ms));
        assert_int_equal(wait_ms, -1);
    }
    for (int64_t account = 1; account <= 40; account++) {
        assert_false(rate_limits_take(limits, account, 2, 1000, &wait_ms));
        assert_true(wait_ms > 0 && wait_ms <= 30000);
        assert_true(rate_limits_take(limits, account, 2, 1000 + wait_ms, &wait_ms));
        wait_ms = -1;
    }
    rate_limits_free(limits);
}

static void no_limit_counts_nothing(void **state) {
    (void)state;
    struct rate_limits *limits = rate_limits_new();
    int64_t wait_ms;

    for (int i = 0; i < 1000; i++)
        assert_true(rate_limits_take(limits, 1, 0, 1000, &wait_ms));
    rate_limits_free(limits);
    rate_limits_free(NULL);
}

/* More accounts than are kept: those forgotten were full anyway, those that still wait are not forgotten. */
static void forgetting_gives_nothing_away(void **state) {
    (void)state;
    struct rate_limits *limits = rate_limits_new();
    int64_t wait_ms, now_ms = 1000;

    for (int64_t account = 0; account < 100000; account++)
        assert_true(rate_limits_take(limits, account, 1, now_ms, &wait_ms));
    assert_false(rate_limits_take(limits, 3, 1, now_ms, &wait_ms));
    now_ms += 61000;
    for (int64_t account = 100000; account < 100016; account++)
        assert_true(rate_limits_take(limits, account, 1, now_ms, &wait_ms));
    assert_true(rate_limits_take(limits, 3, 1, now_ms, &wait_ms));
    rate_limits_free(limits);
}

int run_rate_limits_tests(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_account_has_its_own_bucket),
        cmocka_unit_test(no_limit_counts_nothing),
        cmocka_unit_test(forgetting_gives_nothing_away),
    };
    return cmocka_run_group_tests_name("rate_limits", tests, NULL, NULL);
}
