/* The error table and the words of a failure. */
#include "base/errors.h"

#include "tests.h"

static void every_row_is_filled(void **state) {
    (void)state;
    for (unsigned err = 0; err < ERR_COUNT; err++) {
        const struct err_info *info = err_info(err);
        assert_true(strlen(info->name) >= 2);
        if (err == OK) {
            assert_int_equal(info->http_status, 200);
            continue;
        }
        assert_true(info->http_status >= 400 && info->http_status < 600);
        assert_true(strlen(info->type) > 0);
        /* What is the client's fault is not mended by sending it again; being too early is. */
        if (info->retryable) {
            assert_true(info->http_status >= 500 || info->http_status == 429);
        }
    }
    assert_string_equal(err_info(ERR_UNKNOWN_FIELD)->code, "unknown_field");
    assert_int_equal(err_info(ERR_UNKNOWN_FIELD)->http_status, 422);
    assert_ptr_equal(err_info(ERR_COUNT), err_info(ERR_INTERNAL));
    assert_ptr_equal(err_info((enum err) - 1), err_info(ERR_INTERNAL));
}

static void a_failure_is_one_statement(void **state) {
    (void)state;
    struct fault fault = { .param = "old" };
    assert_int_equal(fault_set(&fault, ERR_IO, "cannot open %s", "x.db"), ERR_IO);
    assert_int_equal(fault.err, ERR_IO);
    assert_string_equal(fault.message, "cannot open x.db");
    assert_string_equal(fault.param, "");
    assert_int_equal(fault_set_param(&fault, ERR_TOO_LONG, "prompt", "%d is too long", 9), ERR_TOO_LONG);
    assert_string_equal(fault.param, "prompt");
    assert_string_equal(fault.message, "9 is too long");
    assert_int_equal(fault_set_param(&fault, ERR_TOO_LONG, NULL, "no field"), ERR_TOO_LONG);
    assert_string_equal(fault.param, "");
    assert_int_equal(fault_set(NULL, ERR_IO, "%s", "dropped"), ERR_IO);
    assert_int_equal(fault_set_param(NULL, ERR_IO, "p", "%s", "dropped"), ERR_IO);
}

static void a_failure_may_quote_itself(void **state) {
    (void)state;
    struct fault fault;
    assert_int_equal(fault_set_param(&fault, ERR_IO, "inner", "disk is full"), ERR_IO);
    assert_int_equal(fault_set_param(&fault, ERR_IO, fault.param, "while saving: %s", fault.message), ERR_IO);
    assert_string_equal(fault.message, "while saving: disk is full");
    assert_string_equal(fault.param, "inner");
}

/* Whatever the cut falls upon, what is left is valid UTF-8 and as long as can be. */
static void long_words_are_cut_between_characters(void **state) {
    (void)state;
    char words[2000];
    for (size_t shift = 0; shift < 4; shift++) {
        memset(words, 'x', shift);
        size_t len = shift;
        while (len + 5 < sizeof(words)) {
            memcpy(words + len, "😀", 4);
            len += 4;
        }
        words[len] = '\0';
        struct fault fault;
        assert_int_equal(fault_set_param(&fault, ERR_IO, words, "%s", words), ERR_IO);
        assert_true(text_is_utf8(text_of(fault.message)));
        assert_true(text_is_utf8(text_of(fault.param)));
        assert_true(strlen(fault.message) > sizeof(fault.message) - 5);
        assert_true(strlen(fault.param) > sizeof(fault.param) - 5);
    }
}

/* Some quote what they have not read as text. */
static void what_is_no_utf8_is_said_all_the_same(void **state) {
    (void)state;
    struct fault fault;
    assert_int_equal(fault_set_param(&fault, ERR_IO, "a\xff", "near '\xff\xc3é\xed\xa0\x80' \xf0\x9f"), ERR_IO);
    assert_string_equal(fault.param, "a?");
    assert_string_equal(fault.message, "near '\?\?é\?\?\?' \?\?");
}

int test_errors(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_row_is_filled),
        cmocka_unit_test(a_failure_is_one_statement),
        cmocka_unit_test(a_failure_may_quote_itself),
        cmocka_unit_test(long_words_are_cut_between_characters),
        cmocka_unit_test(what_is_no_utf8_is_said_all_the_same),
    };
    return cmocka_run_group_tests_name("base/errors", tests, NULL, NULL);
}
