/* The token bucket over virtual time: burst, steady rate, truthful waits, changed limits. */
#include "core/rate.h"

#include "base/compiler.h"
#include "tests.h"

#define MINUTE_MS 60000

static void a_full_bucket_is_one_minute(void **state) {
    (void)state;
    struct rate_bucket bucket;
    rate_init(&bucket, 10, 5000);
    int64_t wait_ms = -1;
    for (int i = 0; i < 10; i++) {
        assert_true(rate_take(&bucket, 10, 5000, &wait_ms));
    }
    assert_false(rate_take(&bucket, 10, 5000, &wait_ms));
    assert_int_equal(wait_ms, 6000);
}

/* One millisecond before the wait is over there is nothing, at its end there is. */
static void the_wait_is_exact(void **state) {
    (void)state;
    static const int64_t limits[] = { 1, 2, 3, 7, 59, 60, 61, 999, 6000, 59999, 60000, 60001, 1000000 };
    for (size_t l = 0; l < ARRAY_SIZE(limits); l++) {
        struct rate_bucket bucket;
        int64_t now_ms = 0, wait_ms = 0;
        rate_init(&bucket, limits[l], now_ms);
        bucket.tokens_micro = 0;
        for (int i = 0; i < 50; i++) {
            wait_ms = -1;
            if (rate_take(&bucket, limits[l], now_ms, &wait_ms)) {
                continue;
            }
            assert_true(wait_ms >= 1 && wait_ms <= MINUTE_MS);
            int64_t early_ms = -1;
            if (wait_ms > 1) {
                assert_false(rate_take(&bucket, limits[l], now_ms + wait_ms - 1, &early_ms));
                assert_int_equal(early_ms, 1);
            }
            now_ms += wait_ms;
            assert_true(rate_take(&bucket, limits[l], now_ms, &early_ms));
        }
    }
}

/* Whoever asks every millisecond gets the whole rate: refusals cost nothing. */
static void asking_often_gets_the_whole_rate(void **state) {
    (void)state;
    static const int64_t limits[] = { 1, 7, 60, 599 };
    for (size_t l = 0; l < ARRAY_SIZE(limits); l++) {
        struct rate_bucket bucket;
        rate_init(&bucket, limits[l], 0);
        int64_t taken = 0, wait_ms;
        for (int64_t now_ms = 0; now_ms <= 10 * MINUTE_MS; now_ms++) {
            taken += rate_take(&bucket, limits[l], now_ms, &wait_ms);
        }
        assert_true(taken <= 11 * limits[l]); /* the burst and ten minutes */
        assert_true(taken >= 11 * limits[l] - 1);
    }
}

static void a_long_rest_fills_no_more_than_a_minute(void **state) {
    (void)state;
    struct rate_bucket bucket;
    rate_init(&bucket, 5, 0);
    static const int64_t rests[] = { MINUTE_MS, 2 * MINUTE_MS, INT64_C(1) << 40, INT64_MAX };
    int64_t wait_ms;
    for (size_t i = 0; i < ARRAY_SIZE(rests); i++) {
        int taken = 0;
        while (rate_take(&bucket, 5, rests[i], &wait_ms)) {
            taken++;
        }
        assert_int_equal(taken, 5);
    }
}

static void no_limit(void **state) {
    (void)state;
    struct rate_bucket bucket;
    rate_init(&bucket, 0, 0);
    int64_t wait_ms = 77;
    for (int i = 0; i < 1000; i++) {
        assert_true(rate_take(&bucket, 0, 0, &wait_ms));
        assert_true(rate_take(&bucket, -1, 0, &wait_ms));
    }
    assert_int_equal(wait_ms, 77);
}

static void the_limit_may_change(void **state) {
    (void)state;
    struct rate_bucket bucket;
    int64_t wait_ms;
    rate_init(&bucket, 1000, 0);
    int taken = 0;
    while (rate_take(&bucket, 3, 0, &wait_ms)) { /* lowered: the saved-up requests are gone */
        taken++;
    }
    assert_int_equal(taken, 3);
    assert_int_equal(wait_ms, 20000);
    assert_false(rate_take(&bucket, 60, 999, &wait_ms)); /* raised: the new pace counts */
    assert_int_equal(wait_ms, 1);
    assert_true(rate_take(&bucket, 60, 1000, &wait_ms));
}

static void time_that_goes_back_gives_nothing(void **state) {
    (void)state;
    struct rate_bucket bucket;
    int64_t wait_ms;
    rate_init(&bucket, 1, 1000000);
    assert_true(rate_take(&bucket, 1, 1000000, &wait_ms));
    assert_false(rate_take(&bucket, 1, 10, &wait_ms));
    assert_int_equal(wait_ms, MINUTE_MS);
    assert_false(rate_take(&bucket, 1, 1000000 + MINUTE_MS - 1, &wait_ms));
    assert_true(rate_take(&bucket, 1, 1000000 + MINUTE_MS, &wait_ms));
}

static void a_huge_limit_does_not_overflow(void **state) {
    (void)state;
    struct rate_bucket bucket;
    int64_t wait_ms;
    rate_init(&bucket, INT64_MAX, 0);
    for (int64_t now_ms = 0; now_ms < 200000; now_ms += 59999) {
        assert_true(rate_take(&bucket, INT64_MAX, now_ms, &wait_ms));
        bucket.tokens_micro = 0;
    }
}

static void what_is_left_is_told(void **state) {
    (void)state;
    struct rate_bucket bucket;
    int64_t wait_ms;
    rate_init(&bucket, 10, 0);
    struct rate_standing standing = rate_standing(&bucket, 10, 0);
    assert_int_equal(standing.per_minute, 10);
    assert_int_equal(standing.left, 10);
    assert_int_equal(standing.full_ms, 0);
    for (int i = 0; i < 10; i++) {
        assert_int_equal(rate_wait_ms(&bucket, 10, 0), 0);
        assert_true(rate_take(&bucket, 10, 0, &wait_ms));
    }
    standing = rate_standing(&bucket, 10, 0);
    assert_int_equal(standing.left, 0);
    assert_int_equal(standing.full_ms, MINUTE_MS);
    standing = rate_standing(&bucket, 10, 17999); /* a millisecond before the third one */
    assert_int_equal(standing.left, 2);
    assert_in_range(standing.full_ms, MINUTE_MS - 17999, MINUTE_MS - 17998);
    assert_int_equal(rate_wait_ms(&bucket, 10, 5999), 1);
    assert_int_equal(rate_wait_ms(&bucket, 10, 6000), 0);
    assert_int_equal(rate_standing(&bucket, 0, 0).per_minute, 0);
    assert_int_equal(rate_wait_ms(&bucket, 0, 0), 0);
    bucket.tokens_micro = 0;
    assert_int_equal(rate_standing(&bucket, INT64_MAX, 0).full_ms, MINUTE_MS);
}

int test_rate(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_full_bucket_is_one_minute),
        cmocka_unit_test(the_wait_is_exact),
        cmocka_unit_test(asking_often_gets_the_whole_rate),
        cmocka_unit_test(a_long_rest_fills_no_more_than_a_minute),
        cmocka_unit_test(no_limit),
        cmocka_unit_test(the_limit_may_change),
        cmocka_unit_test(time_that_goes_back_gives_nothing),
        cmocka_unit_test(a_huge_limit_does_not_overflow),
        cmocka_unit_test(what_is_left_is_told),
    };
    return cmocka_run_group_tests_name("core/rate", tests, NULL, NULL);
}
