/* Moments come in their order, whatever was added and taken meanwhile. */
#include "base/moments.h"

#include <string.h>

#include "tests.h"

#define MANY 1000

static struct moment all[MANY];
static struct moments moments;

static void empty(void) {
    memset(all, 0, sizeof(all));
    moments = (struct moments){ 0 };
}

/* The same numbers each time. */
static uint32_t next_number(uint32_t *state) {
    *state = *state * 1664525u + 1013904223u;
    return *state >> 8;
}

static void assert_in_order(unsigned count) {
    struct moment before = { 0 }, *first;
    for (unsigned i = 0; i < count; i++) {
        first = moments_first(&moments);
        assert_non_null(first);
        if (i > 0)
            assert_true(moment_is_before(&before, first->at_ms, first->order));
        before = *first;
        moments_take(&moments, first);
        assert_int_equal(first->place, 0);
    }
    assert_null(moments_first(&moments));
}

static void they_come_in_order(void **state) {
    (void)state;
    uint32_t number = 1;
    empty();
    for (unsigned i = 0; i < MANY; i++)
        moments_add(&moments, &all[i], next_number(&number) % 100);
    assert_in_order(MANY);
    moments_fini(&moments);
}

static void those_of_one_millisecond_come_as_they_were_added(void **state) {
    (void)state;
    empty();
    moments.order = UINT32_MAX - 5; /* the count goes round among them */
    for (unsigned i = 0; i < 20; i++)
        moments_add(&moments, &all[i], 7);
    for (unsigned i = 0; i < 20; i++) {
        assert_ptr_equal(moments_first(&moments), &all[i]);
        moments_take(&moments, &all[i]);
    }
    moments_fini(&moments);
}

static void any_of_them_can_be_taken(void **state) {
    (void)state;
    uint32_t number = 2;
    unsigned left = MANY;
    empty();
    for (unsigned i = 0; i < MANY; i++)
        moments_add(&moments, &all[i], next_number(&number));
    for (unsigned i = 0; i < MANY; i += 1 + i % 3) {
        moments_take(&moments, &all[i]);
        left--;
    }
    for (unsigned i = 0; i < MANY; i += 17)
        if (all[i].place == 0) {
            moments_add(&moments, &all[i], next_number(&number));
            left++;
        }
    assert_in_order(left);
    moments_fini(&moments);
}

int test_moments(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(they_come_in_order),
        cmocka_unit_test(those_of_one_millisecond_come_as_they_were_added),
        cmocka_unit_test(any_of_them_can_be_taken),
    };
    return cmocka_run_group_tests_name("base/moments", tests, NULL, NULL);
}
