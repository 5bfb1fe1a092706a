/* What a command says, however it is cut into pieces. */
#include "provider/exec/reader.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <jansson.h>

#include "tests.h"

static const struct reading {
    const char *bytes;
    int progress;
    unsigned results;
    bool has_result;
    enum task_error error;
    const char *message;
    const char *tail;
} readings[] = {
    { "", -1, 0, false, TASK_ERROR_NONE, "", "" },
    { "progress 0\n", 0, 0, false, TASK_ERROR_NONE, "", "" },
    { "progress 30\nprogress 20\nprogress 101\n", 100, 0, false, TASK_ERROR_NONE, "", "" },
    { "progress -5\n", 0, 0, false, TASK_ERROR_NONE, "", "" },
    { "progress 12.9\r\n", 12, 0, false, TASK_ERROR_NONE, "", "" },
    { "progress 99999999999999999999\nprogress x\nprogress \n", -1, 0, false, TASK_ERROR_NONE, "", "" },
    { "progress 7", 7, 0, false, TASK_ERROR_NONE, "", "" },
    { "result {\"a\":1}\n", -1, 1, true, TASK_ERROR_NONE, "", "" },
    { "result {\"a\":1}", -1, 1, true, TASK_ERROR_NONE, "", "" },
    { "result [1]\n", -1, 1, false, TASK_ERROR_NONE, "", "" },
    { "result {\"a\":1} x\n", -1, 1, false, TASK_ERROR_NONE, "", "" },
    { "result {}\nresult {}\n", -1, 2, true, TASK_ERROR_NONE, "", "" },
    { "result\n progress 4\nhello\n", -1, 0, false, TASK_ERROR_NONE, "", "result\n progress 4\nhello\n" },
    { "error content_policy_violation  No.\nerror unknown_error Two\n", -1, 0, false, TASK_ERROR_CONTENT_POLICY, "No.",
      "" },
    { "error generation_failed\n", -1, 0, false, TASK_ERROR_GENERATION_FAILED, "", "" },
    { "error what is this\n", -1, 0, false, TASK_ERROR_GENERATION_FAILED, "is this", "what: unknown error code\n" },
    { "error unknown_error a\033[1mb\xff\xc3\xa9\n", -1, 0, false, TASK_ERROR_UNKNOWN, "a?[1mb?\xc3\xa9", "" },
};

static void check(const struct reading *reading, size_t piece) {
    struct exec_reader reader;
    exec_reader_init(&reader);
    size_t len = strlen(reading->bytes);
    for (size_t at = 0; at < len; at += piece) {
        exec_reader_feed(&reader, reading->bytes + at, len - at < piece ? len - at : piece);
    }
    exec_reader_end(&reader);
    assert_int_equal(reader.progress, reading->progress);
    assert_int_equal(reader.results, reading->results);
    assert_int_equal(reader.result != NULL, reading->has_result);
    assert_int_equal(reader.error, reading->error);
    assert_string_equal(reader.message, reading->message);
    assert_int_equal(reader.tail.len, strlen(reading->tail));
    assert_memory_equal(reader.tail.bytes, reading->tail, reader.tail.len);
    exec_reader_fini(&reader);
}

static void every_line_is_read_alike_in_pieces_of_any_size(void **state) {
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(readings); i++) {
        check(&readings[i], 1);
        check(&readings[i], 7);
        check(&readings[i], 1000);
    }
}

static void growth_of_progress_is_told_once(void **state) {
    (void)state;
    struct exec_reader reader;
    exec_reader_init(&reader);
    assert_true(exec_reader_feed(&reader, "progress 5\n", 11));
    assert_false(exec_reader_feed(&reader, "progress 5\n", 11));
    assert_false(exec_reader_feed(&reader, "progress 4\n", 11));
    assert_true(exec_reader_feed(&reader, "progress 6\n", 11));
    exec_reader_fini(&reader);
}

static void words_for_people_are_bounded_and_stay_whole(void **state) {
    (void)state;
    struct exec_reader reader;
    exec_reader_init(&reader);
    exec_reader_feed(&reader, "error unknown_error ", 20);
    for (int i = 0; i < 1000; i++) {
        exec_reader_feed(&reader, "\xe2\x82\xac", 3);
    }
    exec_reader_end(&reader);
    assert_true(strlen(reader.message) > 500);
    assert_true(text_is_utf8(text_of(reader.message)));
    exec_reader_fini(&reader);
}

static void a_tail_keeps_the_last_bytes(void **state) {
    (void)state;
    struct exec_tail tail = { 0 };
    char letters[EXEC_TAIL_SIZE * 2];
    memset(letters, 'a', sizeof(letters));
    exec_tail_add(&tail, "start", 5);
    exec_tail_add(&tail, letters, EXEC_TAIL_SIZE - 3);
    assert_int_equal(tail.len, EXEC_TAIL_SIZE);
    assert_memory_equal(tail.bytes, "artaaa", 3);
    exec_tail_add(&tail, letters, sizeof(letters));
    exec_tail_add(&tail, "end", 3);
    assert_int_equal(tail.len, EXEC_TAIL_SIZE);
    assert_memory_equal(tail.bytes + EXEC_TAIL_SIZE - 4, "aend", 4);
}

int test_exec_reader(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_line_is_read_alike_in_pieces_of_any_size),
        cmocka_unit_test(growth_of_progress_is_told_once),
        cmocka_unit_test(words_for_people_are_bounded_and_stay_whole),
        cmocka_unit_test(a_tail_keeps_the_last_bytes),
    };
    return cmocka_run_group_tests_name("exec reader", tests, NULL, NULL);
}
