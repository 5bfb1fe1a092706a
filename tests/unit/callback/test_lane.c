/* Lanes: as many as may be, woken in time, whatever they are at. */
#include "callback/lane.h"

#include "base/compiler.h"
#include "tests_callback.h"

#define A TEXT("https://a.example:443")
#define B TEXT("https://b.example:443")

static void a_lane_is_an_accounts_receiver(void **state) {
    (void)state;
    struct lanes lanes;
    lanes_init(&lanes, 8);
    struct lane *first = lane_ensure(&lanes, 1, A);
    assert_ptr_equal(lane_ensure(&lanes, 1, A), first);
    assert_ptr_not_equal(lane_ensure(&lanes, 2, A), first);
    struct lane *other = lane_ensure(&lanes, 1, B);
    assert_ptr_equal(other->owner, first->owner);
    assert_null(lane_ensure(&lanes, 1, TEXT("https://c.example:443"))); /* S3: a quarter of all */
    assert_ptr_equal(lane_ensure(&lanes, 1, B), other);
    for (int64_t account = 3; account < 8; account++)
        assert_non_null(lane_ensure(&lanes, account, A));
    assert_null(lane_ensure(&lanes, 8, A)); /* S3: all */
    assert_true(text_equal(lane_name(other), B));
    assert_int_equal(lane_account(other), 1);
    assert_ptr_equal(TAILQ_FIRST(&lanes.ready), first); /* in turns */
    lane_remove(&lanes, first);
    assert_null(lane_find(&lanes, 1, A));
    assert_non_null(lane_ensure(&lanes, 8, A));
    lanes_fini(&lanes);
}

static void sleepers_wake_when_their_time_has_come(void **state) {
    (void)state;
    struct lanes lanes;
    lanes_init(&lanes, 9);
    struct lane *a = lane_ensure(&lanes, 1, A), *b = lane_ensure(&lanes, 1, B);
    lane_sleep(&lanes, a, 100);
    lane_sleep(&lanes, b, 200);
    assert_int_equal(lanes_wake_due(&lanes, 99), 100);
    assert_int_equal(lanes_wake_due(&lanes, 100), 200);
    assert_int_equal(a->phase, LANE_READY);
    lane_wake(&lanes, b, 150, 100);
    assert_int_equal(lanes_wake_due(&lanes, 100), 150); /* earlier than it thought */
    lane_wake(&lanes, b, 180, 100);
    assert_int_equal(lanes_wake_due(&lanes, 100), 150);
    lane_be_looked_into(&lanes, a);
    lane_wake(&lanes, a, 100, 100);
    assert_int_equal(a->phase, LANE_LOOKING);
    assert_true(a->again); /* a look that has begun may have missed it */
    lane_be_idle(&lanes, a);
    lane_wake(&lanes, a, 120, 100);
    assert_int_equal(lanes_wake_due(&lanes, 100), 120);
    assert_int_equal(lanes_wake_due(&lanes, 150), INT64_MAX);
    lanes_fini(&lanes);
}

int run_lane_tests(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_lane_is_an_accounts_receiver),
        cmocka_unit_test(sleepers_wake_when_their_time_has_come),
    };
    return cmocka_run_group_tests_name("callback lanes", tests, NULL, NULL);
}
