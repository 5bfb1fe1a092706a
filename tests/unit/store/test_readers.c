/* Connections for reading: those that are hardly needed are closed, those that are in use never. */
#include "fixture.h"

#include "store/inside.h"

#include "tests.h"

#define AT_A_TIME 6

struct nest {
    struct store *store;
    unsigned depth, seen;
    bool rests; /* at the bottom, with all readings under way */
};

static bool go_deeper(const struct account_row *account, void *context) {
    struct nest *nest = context;
    (void)account;
    nest->seen++;
    if (--nest->depth > 0)
        assert_int_equal(store_list_accounts(nest->store, go_deeper, nest), OK);
    else if (nest->rests)
        store_rest(nest->store, true);
    return true;
}

/* That many readings, each within the one before. */
static void read_at_a_time(struct fixture *fixture, unsigned count, bool rests) {
    struct nest nest = { fixture->store, count, 0, rests };
    assert_int_equal(store_list_accounts(fixture->store, go_deeper, &nest), OK);
    assert_int_equal(nest.seen, count);
}

static void read_often(struct fixture *fixture, unsigned count, unsigned times) {
    while (times-- > 0)
        read_at_a_time(fixture, count, false);
}

static void test_what_was_used_often_stays(void **state) {
    struct fixture *fixture = *state;
    const struct readers *readers = &fixture->store->readers;
    read_often(fixture, AT_A_TIME, READS_TO_STAY);
    assert_int_equal(readers->open, AT_A_TIME);
    store_rest(fixture->store, false);
    assert_int_equal(readers->open, AT_A_TIME);
    read_often(fixture, AT_A_TIME, READS_TO_STAY - 1);
    read_at_a_time(fixture, AT_A_TIME / 2, false);
    store_rest(fixture->store, false);
    assert_int_equal(readers->open, AT_A_TIME / 2);
    store_rest(fixture->store, false);
    assert_int_equal(readers->open, 0);
    read_at_a_time(fixture, AT_A_TIME, false);
    assert_int_equal(readers->open, AT_A_TIME);
    store_rest(fixture->store, true);
    assert_int_equal(readers->open, 0);
    read_at_a_time(fixture, 1, false);
}

static void test_what_is_in_use_stays(void **state) {
    struct fixture *fixture = *state;
    const struct readers *readers = &fixture->store->readers;
    read_at_a_time(fixture, AT_A_TIME, false);
    read_at_a_time(fixture, AT_A_TIME - 2, true);
    assert_int_equal(readers->open, AT_A_TIME - 2);
}

int run_reader_tests(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_what_was_used_often_stays, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(test_what_is_in_use_stays, fixture_setup, fixture_teardown),
    };
    return cmocka_run_group_tests_name("store readers", tests, NULL, NULL);
}
