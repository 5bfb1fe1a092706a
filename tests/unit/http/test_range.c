/* Range headers against a size. */
#include "http/range.h"

#include "tests.h"

static void table(void **state) {
    (void)state;
    static const struct {
        struct text header;
        int64_t size;
        enum range_answer answer;
        int64_t first, last;
    } cases[] = {
        { TEXT("bytes=0-0"), 10, RANGE_PART, 0, 0 },
        { TEXT("bytes=0-9"), 10, RANGE_PART, 0, 9 },
        { TEXT("bytes=0-99"), 10, RANGE_PART, 0, 9 },
        { TEXT("bytes=3-"), 10, RANGE_PART, 3, 9 },
        { TEXT("bytes=9-"), 10, RANGE_PART, 9, 9 },
        { TEXT("bytes=-3"), 10, RANGE_PART, 7, 9 },
        { TEXT("bytes=-30"), 10, RANGE_PART, 0, 9 },
        { TEXT("Bytes = 2 - 4 "), 10, RANGE_PART, 2, 4 },
        { TEXT("bytes=2-99999999999999999999999999"), 10, RANGE_PART, 2, 9 },
        { TEXT("bytes=10-"), 10, RANGE_UNSATISFIABLE, 0, 0 },
        { TEXT("bytes=99999999999999999999999999-"), 10, RANGE_UNSATISFIABLE, 0, 0 },
        { TEXT("bytes=-0"), 10, RANGE_UNSATISFIABLE, 0, 0 },
        { TEXT("bytes=0-"), 0, RANGE_UNSATISFIABLE, 0, 0 },
        { TEXT("bytes=-5"), 0, RANGE_UNSATISFIABLE, 0, 0 },
        { TEXT("bytes=5-2"), 10, RANGE_WHOLE, 0, 0 },
        { TEXT("bytes=0-1,3-4"), 10, RANGE_WHOLE, 0, 0 },
        { TEXT("bytes=-"), 10, RANGE_WHOLE, 0, 0 },
        { TEXT("bytes="), 10, RANGE_WHOLE, 0, 0 },
        { TEXT("bytes=1"), 10, RANGE_WHOLE, 0, 0 },
        { TEXT("bytes=a-b"), 10, RANGE_WHOLE, 0, 0 },
        { TEXT("bytes=1-2-3"), 10, RANGE_WHOLE, 0, 0 },
        { TEXT("bytes=+1-2"), 10, RANGE_WHOLE, 0, 0 },
        { TEXT("seconds=0-1"), 10, RANGE_WHOLE, 0, 0 },
        { TEXT("0-1"), 10, RANGE_WHOLE, 0, 0 },
        { TEXT(""), 10, RANGE_WHOLE, 0, 0 },
        { TEXT_NONE, 10, RANGE_WHOLE, 0, 0 },
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        int64_t first = -7, last = -7;
        print_message("%.*s of %d\n", TEXT_ARG(cases[i].header), (int)cases[i].size);
        assert_int_equal(range_parse(cases[i].header, cases[i].size, &first, &last), cases[i].answer);
        assert_int_equal(first, cases[i].answer == RANGE_PART ? cases[i].first : -7);
        assert_int_equal(last, cases[i].answer == RANGE_PART ? cases[i].last : -7);
    }
}

int run_range_tests(void) {
    const struct CMUnitTest tests[] = { cmocka_unit_test(table) };
    return cmocka_run_group_tests_name("range", tests, NULL, NULL);
}
