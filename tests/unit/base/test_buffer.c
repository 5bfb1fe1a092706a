/* The growing buffer: contents, its maximum (S3), the sticky failure. */
#include "base/buffer.h"

#include <stdlib.h>

#include "tests.h"

static void puts_of_all_kinds(void **state) {
    (void)state;
    scoped(buffer_fini) struct buffer buf;
    buffer_init(&buf, 1000);
    assert_string_equal(buffer_text(&buf).ptr, "");
    buffer_put(&buf, TEXT("a"));
    buffer_put_char(&buf, ' ');
    buffer_put_i64(&buf, INT64_MIN);
    buffer_put_char(&buf, ' ');
    buffer_put_i64(&buf, INT64_MAX);
    buffer_put_char(&buf, ' ');
    buffer_put_i64(&buf, 0);
    buffer_printf(&buf, " %s-%d", "x", 5);
    buffer_put(&buf, TEXT_NONE);
    assert_true(buffer_ok(&buf));
    assert_string_equal(buf.data, "a -9223372036854775808 9223372036854775807 0 x-5");
    assert_int_equal(buf.len, strlen(buf.data));
}

/* For every maximum and every size of the pieces: never more than the maximum, and exactly as much is possible. */
static void the_maximum_holds(void **state) {
    (void)state;
    static const char letters[] = "abcdefghijklmnopqrstuvwxyz";
    for (size_t max = 0; max < 200; max++) {
        for (size_t piece = 1; piece <= 26; piece++) {
            scoped(buffer_fini) struct buffer buf;
            buffer_init(&buf, max);
            size_t expected = 0;
            while (buffer_ok(&buf)) {
                buffer_put(&buf, (struct text){ letters, piece });
                expected += buffer_ok(&buf) ? piece : 0;
                assert_int_equal(buf.len, expected);
            }
            assert_int_equal(expected, max / piece * piece);
            assert_true(buf.capacity <= max + 1);
        }
    }
}

static void failure_sticks_until_cleared(void **state) {
    (void)state;
    scoped(buffer_fini) struct buffer buf;
    buffer_init(&buf, 4);
    buffer_put(&buf, TEXT("abc"));
    buffer_put(&buf, TEXT("too long"));
    assert_false(buffer_ok(&buf));
    assert_int_equal(buffer_error(&buf, ERR_REQUEST_TOO_LARGE), ERR_REQUEST_TOO_LARGE); /* and not for want of memory */
    buffer_put_char(&buf, 'd'); /* would fit, but something is already missing */
    buffer_printf(&buf, "%c", 'd');
    buffer_put_i64(&buf, 1);
    assert_false(buffer_reserve(&buf, 0));
    assert_string_equal(buf.data, "abc");
    buffer_clear(&buf);
    assert_true(buffer_ok(&buf));
    assert_string_equal(buf.data, "");
    buffer_printf(&buf, "%s", "four");
    assert_true(buffer_ok(&buf));
    assert_string_equal(buf.data, "four");
    buffer_printf(&buf, "%s", "x");
    assert_false(buffer_ok(&buf));
    assert_string_equal(buf.data, "four");
}

static void sizes_do_not_wrap(void **state) {
    (void)state;
    scoped(buffer_fini) struct buffer buf;
    buffer_init(&buf, SIZE_MAX);
    buffer_put(&buf, TEXT("abc"));
    assert_false(buffer_reserve(&buf, SIZE_MAX));
    buffer_clear(&buf);
    buffer_put(&buf, TEXT("abc"));
    assert_false(buffer_reserve(&buf, SIZE_MAX - 3));
    assert_string_equal(buf.data, "abc");
}

static void consuming(void **state) {
    (void)state;
    scoped(buffer_fini) struct buffer buf;
    buffer_init(&buf, 10);
    buffer_consume(&buf, 0);
    buffer_put(&buf, TEXT("0123456789"));
    buffer_consume(&buf, 3);
    assert_string_equal(buf.data, "3456789");
    buffer_put(&buf, TEXT("abc"));
    assert_true(buffer_ok(&buf));
    assert_string_equal(buf.data, "3456789abc");
    buffer_consume(&buf, 10);
    assert_string_equal(buf.data, "");
}

static void filling_in_place(void **state) {
    (void)state;
    scoped(buffer_fini) struct buffer buf;
    buffer_init(&buf, 300);
    buffer_put(&buf, TEXT("ab"));
    assert_true(buffer_reserve(&buf, 298));
    memset(buf.data + buf.len, 'x', 298);
    buf.len += 298;
    assert_false(buffer_reserve(&buf, 1));
    assert_int_equal(buffer_text(&buf).len, 300);
}

static void taking(void **state) {
    (void)state;
    struct buffer buf;
    buffer_init(&buf, 10);
    char *empty = buffer_take(&buf);
    assert_string_equal(empty, "");
    free(empty);
    buffer_put(&buf, TEXT("mine"));
    char *taken = buffer_take(&buf);
    assert_string_equal(taken, "mine");
    free(taken);
    assert_int_equal(buf.len, 0);
    buffer_put(&buf, TEXT("more than ten bytes"));
    assert_null(buffer_take(&buf));
    assert_true(buffer_ok(&buf));
    buffer_put(&buf, TEXT("again"));
    assert_string_equal(buf.data, "again");
    buffer_fini(&buf);
    buffer_fini(&buf);
    buffer_fini(NULL);
}

int test_buffer(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(puts_of_all_kinds),
        cmocka_unit_test(the_maximum_holds),
        cmocka_unit_test(failure_sticks_until_cleared),
        cmocka_unit_test(sizes_do_not_wrap),
        cmocka_unit_test(consuming),
        cmocka_unit_test(filling_in_place),
        cmocka_unit_test(taking),
    };
    return cmocka_run_group_tests_name("base/buffer", tests, NULL, NULL);
}
