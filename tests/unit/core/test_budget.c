/* Budgets: sums in all and of the last day, and what is left of two bounds. */
#include "core/budget.h"

#include "base/compiler.h"
#include "tests.h"

static const struct spending nothing = { .spent = 0 };

static void a_day_begins_at_midnight(void **state) {
    (void)state;
    assert_int_equal(budget_day_of(0), 0);
    assert_int_equal(budget_day_of(DAY_MS - 1), 0);
    assert_int_equal(budget_day_of(DAY_MS), 1);
    assert_int_equal(budget_day_of(1757165031000), 20337);
}

static void only_the_last_day_is_kept(void **state) {
    (void)state;
    struct spending spending = nothing;
    spending_add(&spending, 10, 5);
    spending_add(&spending, 10, 2);
    assert_int_equal(spending.day_spent, 7);
    spending_add(&spending, 11, 4);
    assert_true(spending.spent == 11 && spending.day == 11 && spending.day_spent == 4);
    spending_add(&spending, 10, -7); /* yesterday's comes back to yesterday */
    assert_true(spending.spent == 4 && spending.day == 11 && spending.day_spent == 4);
    spending_add(&spending, 11, -4);
    assert_true(spending.spent == 0 && spending.day_spent == 0);
}

static void both_bounds_count(void **state) {
    (void)state;
    const struct budget budget = { .total = 100, .day = 30 };
    const struct spending spent = { .spent = 60, .day = 11, .day_spent = 20 };
    const struct spending held = { .spent = 5, .day = 11, .day_spent = 5 };
    assert_int_equal(budget_left(&budget, &spent, &held, 11), 5);
    assert_int_equal(budget_check(&budget, &spent, &held, 11, 5), OK);
    assert_int_equal(budget_check(&budget, &spent, &held, 11, 6), ERR_KEY_BUDGET_DAY);
    assert_int_equal(budget_left(&budget, &spent, &held, 12), 30); /* a new day */
    assert_int_equal(budget_check(&budget, &spent, &held, 12, 31), ERR_KEY_BUDGET_DAY);
    assert_int_equal(budget_check(&budget, &spent, &held, 12, 36), ERR_KEY_BUDGET);
    assert_int_equal(budget_left(&budget, &spent, &held, 10), 5); /* a clock that was set back gains nothing */
}

static void without_bounds_there_is_none(void **state) {
    (void)state;
    const struct budget none = { .total = 0 }, small = { .total = 10 };
    const struct spending much = { .spent = INT64_MAX / 4, .day = 3, .day_spent = INT64_MAX / 4 };
    assert_int_equal(budget_left(&none, &much, &nothing, 3), INT64_MAX);
    assert_int_equal(budget_check(&none, &much, &much, 3, INT64_MAX / 4), OK);
    assert_int_equal(budget_left(&small, &much, &nothing, 3), 0); /* never below zero */
    assert_int_equal(budget_check(&small, &much, &nothing, 3, 0), OK); /* what is free is always within */
}

int test_budget(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_day_begins_at_midnight),
        cmocka_unit_test(only_the_last_day_is_kept),
        cmocka_unit_test(both_bounds_count),
        cmocka_unit_test(without_bounds_there_is_none),
    };
    return cmocka_run_group_tests_name("core/budget", tests, NULL, NULL);
}
