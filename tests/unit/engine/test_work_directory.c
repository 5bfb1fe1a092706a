/* The places of attempts' files. */
#include "engine/work_directory.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests.h"

static void one_id_in_two_accounts_is_two_places(void **state) {
    (void)state;
    char work[] = "/tmp/work-XXXXXX";
    struct fault fault = { 0 };
    assert_non_null(mkdtemp(work));
    char *first = work_directory_make(work, 1, "task", 1, &fault);
    char *second = work_directory_make(work, 2, "task", 1, &fault);
    assert_non_null(first);
    assert_non_null(second);
    assert_string_not_equal(first, second);
    assert_null(work_directory_make(work, 1, "task", 1, &fault)); /* it is taken */
    assert_int_equal(rmdir(first), 0);
    assert_int_equal(rmdir(second), 0);
    assert_int_equal(rmdir(work), 0);
    free(first);
    free(second);
}

int test_work_directory(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_id_in_two_accounts_is_two_places),
    };
    return cmocka_run_group_tests_name("work directory", tests, NULL, NULL);
}
