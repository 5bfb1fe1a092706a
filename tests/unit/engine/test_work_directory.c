/* The places of attempts' files. */
#include "engine/attempt/work_directory.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
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

/* A chain of directories, longer than any path, with a file, a link and a closed directory at each twentieth step. */
static void make_deep(const char *work) {
    int at = open(work, O_RDONLY | O_DIRECTORY);
    assert_true(at >= 0);
    for (int depth = 0; depth < 1500; depth++) {
        assert_int_equal(mkdirat(at, "as-deep-as-a-well", 0700), 0);
        if (depth % 20 == 0) {
            close(openat(at, "..fennec-1", O_CREAT | O_WRONLY, 0600));
            assert_int_equal(symlinkat("/tmp", at, "link"), 0);
            assert_int_equal(mkdirat(at, "closed", 0), 0);
        }
        int next = openat(at, "as-deep-as-a-well", O_RDONLY | O_DIRECTORY);
        assert_true(next >= 0);
        close(at);
        at = next;
    }
    close(at);
}

static void what_a_command_left_is_cleared_however_deep(void **state) {
    (void)state;
    char parent[] = "/tmp/work-XXXXXX", work[64], beside[64];
    struct fault fault = { 0 };
    assert_non_null(mkdtemp(parent));
    snprintf(work, sizeof(work), "%s/work", parent);
    snprintf(beside, sizeof(beside), "%s/beside", parent);
    close(open(beside, O_CREAT | O_WRONLY, 0600));
    assert_int_equal(mkdir(work, 0700), 0);
    make_deep(work);
    assert_int_equal(work_directory_clear(work, &fault), OK);
    assert_int_equal(rmdir(work), 0); /* it is there, and empty */
    assert_int_equal(access(beside, F_OK), 0);
    /* one that is not there, or a link, is made anew; what the link leads to stays */
    assert_int_equal(symlink(parent, work), 0);
    assert_int_equal(work_directory_clear(work, &fault), OK);
    assert_int_equal(access(beside, F_OK), 0);
    assert_int_equal(rmdir(work), 0);
    assert_int_equal(work_directory_clear(work, &fault), OK);
    assert_int_equal(rmdir(work), 0);
    assert_int_equal(unlink(beside), 0);
    assert_int_equal(rmdir(parent), 0);
}

int test_work_directory(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_id_in_two_accounts_is_two_places),
        cmocka_unit_test(what_a_command_left_is_cleared_however_deep),
    };
    return cmocka_run_group_tests_name("work directory", tests, NULL, NULL);
}
