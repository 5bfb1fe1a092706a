/* Backoff: its bounds for every attempt and every extreme, and how often it is allowed. */
#include "core/retry.h"

#include "base/compiler.h"
#include "tests.h"

static void doubles_up_to_the_maximum(void **state) {
    (void)state;
    const struct retry_policy policy = { .attempts_max = 5, .first_delay_ms = 1000, .max_delay_ms = 10000 };
    static const int64_t whole[] = { 0, 0, 1000, 2000, 4000, 8000, 10000, 10000 };
    for (unsigned attempt = 0; attempt < ARRAY_SIZE(whole); attempt++) {
        assert_int_equal(retry_delay_ms(&policy, attempt, 0), whole[attempt] / 2);
        assert_int_equal(retry_delay_ms(&policy, attempt, UINT32_MAX), whole[attempt]);
        assert_int_equal(retry_delay_ms(&policy, attempt, UINT32_MAX / 2 + 1), whole[attempt] * 3 / 4);
    }
}

static void stays_within_half_and_whole(void **state) {
    (void)state;
    static const int64_t firsts[] = { 1, 2, 3, 999, 1000, INT64_MAX / 2, INT64_MAX };
    static const int64_t maxima[] = { 1, 2, 3, 7, 30000, INT64_MAX - 1, INT64_MAX };
    static const uint32_t randoms[] = { 0, 1, 2, 0x7FFFFFFF, 0x80000000, UINT32_MAX - 1, UINT32_MAX };
    static const unsigned attempts[] = { 2, 3, 4, 10, 63, 64, 65, 66, 1000, 4294967295u };
    for (size_t f = 0; f < ARRAY_SIZE(firsts); f++) {
        for (size_t m = 0; m < ARRAY_SIZE(maxima); m++) {
            const struct retry_policy policy = { 3, firsts[f], maxima[m] };
            for (size_t a = 0; a < ARRAY_SIZE(attempts); a++) {
                __int128 whole = firsts[f];
                for (unsigned n = 2; n < attempts[a] && whole < maxima[m]; n++) {
                    whole *= 2;
                }
                whole = whole < maxima[m] ? whole : maxima[m];
                int64_t before = 0;
                for (size_t r = 0; r < ARRAY_SIZE(randoms); r++) {
                    int64_t delay_ms = retry_delay_ms(&policy, attempts[a], randoms[r]);
                    assert_true((__int128)delay_ms * 2 >= whole && delay_ms <= whole);
                    assert_true(delay_ms >= before);
                    before = delay_ms;
                }
                assert_true(before == whole);
            }
        }
    }
}

static void no_delay_from_a_policy_without_one(void **state) {
    (void)state;
    const struct retry_policy policies[] = { { 3, 0, 1000 }, { 3, -5, 1000 }, { 3, 1000, 0 }, { 3, 1000, -1 } };
    for (size_t i = 0; i < ARRAY_SIZE(policies); i++) {
        assert_int_equal(retry_delay_ms(&policies[i], 2, UINT32_MAX), 0);
        assert_int_equal(retry_delay_ms(&policies[i], 100, 1), 0);
    }
}

static void attempts_are_counted_with_the_first(void **state) {
    (void)state;
    const struct retry_policy three = { .attempts_max = 3 }, none = { .attempts_max = 0 };
    assert_true(retry_allowed(&three, 0));
    assert_true(retry_allowed(&three, 2));
    assert_false(retry_allowed(&three, 3));
    assert_false(retry_allowed(&three, 4294967295u));
    assert_false(retry_allowed(&none, 0));
}

int test_retry(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(doubles_up_to_the_maximum),
        cmocka_unit_test(stays_within_half_and_whole),
        cmocka_unit_test(no_delay_from_a_policy_without_one),
        cmocka_unit_test(attempts_are_counted_with_the_first),
    };
    return cmocka_run_group_tests_name("core/retry", tests, NULL, NULL);
}
