/* How many transfers may run at a time. */
#include "net/pace.h"
#include "tests.h"

/* As many as may, start. */
static unsigned fill(const struct pace *pace, unsigned running, unsigned most) {
    while (running < most && pace_allows(pace, running)) {
        running++;
    }
    return running;
}

static void those_that_go_on_let_more_begin(void **state) {
    (void)state;
    struct pace pace;
    pace_init(&pace, true);
    unsigned running = fill(&pace, 0, 1000);
    assert_int_equal(running, PACE_MIN);
    pace_look(&pace, running);
    running = fill(&pace, running, 1000);
    assert_int_equal(running, 2 * PACE_MIN);
    for (unsigned i = 0; i < 100; i++) {
        pace_look(&pace, running);
        running = fill(&pace, running, 1000);
    }
    assert_int_equal(running, 1000);
    assert_true(pace.limit <= 2048);
}

static void those_that_end_soon_do_not(void **state) {
    (void)state;
    struct pace pace;
    pace_init(&pace, true);
    for (unsigned i = 0; i < 10; i++) {
        unsigned running = fill(&pace, 0, 1000);
        assert_int_equal(running, PACE_MIN);
        for (unsigned ended = 0; ended < PACE_MIN / 2; ended++) {
            pace_ended(&pace);
        }
        pace_look(&pace, running);
    }
}

static void after_a_rest_it_begins_anew(void **state) {
    (void)state;
    struct pace pace;
    pace_init(&pace, true);
    pace_look(&pace, PACE_MIN);
    pace_rest(&pace, PACE_MIN);
    assert_true(pace_allows(&pace, PACE_MIN));
    pace_rest(&pace, PACE_MIN - 1);
    assert_false(pace_allows(&pace, PACE_MIN));
}

static void one_that_is_off_allows_any(void **state) {
    (void)state;
    struct pace pace;
    pace_init(&pace, false);
    assert_true(pace_allows(&pace, 100000));
}

int run_pace_tests(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(those_that_go_on_let_more_begin),
        cmocka_unit_test(those_that_end_soon_do_not),
        cmocka_unit_test(after_a_rest_it_begins_anew),
        cmocka_unit_test(one_that_is_off_allows_any),
    };
    return cmocka_run_group_tests_name("pace", tests, NULL, NULL);
}
