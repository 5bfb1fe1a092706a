/* The circuit breaker over virtual hours: when it opens, how long it stays so, and that one attempt at a time goes to see. */
#include "core/breaker.h"

#include "base/compiler.h"
#include "core/failure.h"
#include "tests.h"

static const struct breaker_policy policy = { .failures_max = 3, .first_ms = 5000, .max_ms = 300000 };

static void failures_in_a_row_open_it(void **state) {
    (void)state;
    struct breaker breaker = { 0 };
    assert_false(breaker_failed(&breaker, &policy, 0, 0));
    assert_false(breaker_failed(&breaker, &policy, 0, 0));
    breaker_worked(&breaker); /* not in a row */
    assert_false(breaker_failed(&breaker, &policy, 0, 0));
    assert_false(breaker_failed(&breaker, &policy, 0, 0));
    assert_int_equal(breaker_wait_ms(&breaker, 0), 0);
    assert_true(breaker_failed(&breaker, &policy, 0, 0));
    assert_int_equal(breaker_wait_ms(&breaker, 0), 5000);
    assert_int_equal(breaker_wait_ms(&breaker, 4999), 1);
    assert_int_equal(breaker_wait_ms(&breaker, 5000), 0);
    assert_false(breaker_failed(&breaker, &policy, 4000, 0)); /* a late one of those that had begun before */
    assert_int_equal(breaker_wait_ms(&breaker, 5000), 0);
}

static void cool_downs_double_up_to_the_maximum(void **state) {
    (void)state;
    static const int64_t expected_ms[] = { 5000, 10000, 20000, 40000, 80000, 160000, 300000, 300000, 300000 };
    struct breaker breaker = { 0 };
    int64_t now_ms = 0;
    for (unsigned i = 0; i + 1 < policy.failures_max; i++)
        (void)breaker_failed(&breaker, &policy, now_ms, 0);
    for (size_t i = 0; i < ARRAY_SIZE(expected_ms); i++) {
        assert_true(breaker_failed(&breaker, &policy, now_ms, 0));
        assert_int_equal(breaker_wait_ms(&breaker, now_ms), expected_ms[i]);
        now_ms += expected_ms[i];
        breaker_begin(&breaker, now_ms);
    }
    breaker_worked(&breaker);
    assert_int_equal(breaker.state, BREAKER_CLOSED);
    breaker_trip(&breaker, &policy, 0, now_ms, UINT32_MAX);
    assert_int_equal(breaker_wait_ms(&breaker, now_ms), 6250); /* the first again, and a quarter */
}

static void one_at_a_time_goes_to_see(void **state) {
    (void)state;
    struct breaker breaker = { 0 };
    breaker_trip(&breaker, &policy, 0, 0, 0);
    breaker_begin(&breaker, 5000);
    assert_int_equal(breaker.state, BREAKER_PROBING);
    assert_true(breaker_wait_ms(&breaker, 5000) > 0);
    assert_true(breaker_wait_ms(&breaker, 500000) > 0);
    breaker_unknown(&breaker); /* cancelled: it tells nothing */
    assert_int_equal(breaker_wait_ms(&breaker, 500000), 0);
    breaker_begin(&breaker, 500000);
    breaker_worked(&breaker);
    assert_int_equal(breaker_wait_ms(&breaker, 500000), 0);
}

static void a_reason_given_lasts_as_long_as_it_says(void **state) {
    (void)state;
    struct breaker breaker = { 0 };
    breaker_trip(&breaker, &policy, 60000, 1000, 0);
    assert_int_equal(breaker_wait_ms(&breaker, 1000), 60000);
    breaker_trip(&breaker, &policy, 1, 2000, 0); /* a shorter word does not end it */
    assert_int_equal(breaker_wait_ms(&breaker, 1000), 60000);
}

static void scopes_have_names(void **state) {
    (void)state;
    for (unsigned i = 0; i < SCOPE_COUNT; i++) {
        enum failure_scope scope = SCOPE_COUNT;
        assert_true(failure_scope_parse(text_of(failure_scope_name(i)), &scope));
        assert_int_equal(scope, i);
    }
    enum failure_scope scope = SCOPE_KEY;
    assert_false(failure_scope_parse(TEXT("keys"), &scope));
    assert_false(failure_scope_parse(TEXT(""), &scope));
    assert_int_equal(scope, SCOPE_KEY);
}

int test_breaker(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(failures_in_a_row_open_it),
        cmocka_unit_test(cool_downs_double_up_to_the_maximum),
        cmocka_unit_test(one_at_a_time_goes_to_see),
        cmocka_unit_test(a_reason_given_lasts_as_long_as_it_says),
        cmocka_unit_test(scopes_have_names),
    };
    return cmocka_run_group_tests_name("core/breaker", tests, NULL, NULL);
}
