/* Names of tasks and requests: form, strict reading, an even choice of letters. */
#include "base/id.h"

#include "base/compiler.h"
#include "tests.h"

static void new_ids_are_read_back(void **state) {
    (void)state;
    static const int64_t times[] = { 0, 1, 1757165031, INT64_C(99999999999999999) };
    for (size_t i = 0; i < ARRAY_SIZE(times); i++) {
        for (int llm = 0; llm <= 1; llm++) {
            struct task_id id, parsed;
            char start[TASK_ID_SIZE];
            task_id_new(&id, llm, times[i]);
            snprintf(start, sizeof(start), "task-%s-%lld-", llm ? "llm" : "unified", (long long)times[i]);
            assert_true(text_starts(task_id_text(&id), text_of(start)));
            assert_int_equal(strlen(id.string), strlen(start) + 8);
            assert_true(task_id_parse(task_id_text(&id), &parsed));
            assert_string_equal(parsed.string, id.string);
        }
    }
    struct task_id one, two;
    task_id_new(&one, false, 5);
    task_id_new(&two, false, 5);
    assert_string_not_equal(one.string, two.string);
}

static void only_the_two_forms_are_accepted(void **state) {
    (void)state;
    static const char *const good[] = {
        "task-unified-1757165031-uyujaw3d",
        "task-llm-1757165031-abcd1234",
        "task-llm-0-00000000",
        "task-unified-99999999999999999-zzzzzzzz",
    };
    static const char *const bad[] = {
        "",
        "task",
        "task-",
        "task-unified",
        "task-unified-",
        "task-unified-1",
        "task-unified-1-",
        "task-unified-1757165031-uyujaw3",
        "task-unified-1757165031-uyujaw3dd",
        "task-unified-1757165031-uyujaw3D",
        "task-unified-1757165031-uyujaw3-",
        "task-unified-1757165031-uyuja w3",
        "task-unified--uyujaw3d",
        "task-unified--1-uyujaw3d",
        "task-unified-01-uyujaw3d",
        "task-unified-+1-uyujaw3d",
        "task-unified-1x-uyujaw3d",
        "task-unified-999999999999999999-uyujaw3d",
        "task-video-1757165031-uyujaw3d",
        "Task-unified-1757165031-uyujaw3d",
        " task-unified-1757165031-uyujaw3d",
        "task-unified-1757165031-uyujaw3d ",
        "task-llm-1757165031-abcd/../",
        "task-unified-17571650311757165031175716503117571650311757165031-uyujaw3d",
        "task-llm-1-2-abcdefgh",
    };
    for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
        struct task_id id;
        assert_true(task_id_parse(text_of(good[i]), &id));
        assert_string_equal(id.string, good[i]);
    }
    struct task_id untouched = { "untouched" };
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        assert_false(task_id_parse(text_of(bad[i]), &untouched));
    }
    assert_false(task_id_parse(TEXT_NONE, &untouched));
    assert_false(task_id_parse(TEXT("task-llm-1757165031-abc\0ef12"), &untouched));
    assert_string_equal(untouched.string, "untouched");
}

static void request_ids(void **state) {
    (void)state;
    char id[REQUEST_ID_SIZE];
    request_id_new(id);
    assert_true(text_starts(text_of(id), TEXT("req-")));
    assert_int_equal(strlen(id), 24);
}

/* 36 letters, 72,000 draws: 2,000 each, with a standard deviation of 44. Bytes taken modulo 36 without rejection would
 * favour the first four letters: 2,250 each. */
static void letters_are_drawn_evenly(void **state) {
    (void)state;
    static char letters[72001];
    int counts[256] = { 0 };
    id_random(letters, sizeof(letters) - 1);
    assert_int_equal(strlen(letters), sizeof(letters) - 1);
    for (size_t i = 0; i < sizeof(letters) - 1; i++) {
        counts[(unsigned char)letters[i]]++;
    }
    int first_four = counts['a'] + counts['b'] + counts['c'] + counts['d'];
    assert_in_range(first_four, 8000 - 560, 8000 + 560); /* 84 is one deviation: biased, it would be 9,000 */
    int total = 0;
    for (const char *letter = "abcdefghijklmnopqrstuvwxyz0123456789"; *letter != '\0'; letter++) {
        assert_in_range(counts[(unsigned char)*letter], 1560, 2440);
        total += counts[(unsigned char)*letter];
    }
    assert_int_equal(total, sizeof(letters) - 1);
    char none[1] = { 'x' };
    id_random(none, 0);
    assert_int_equal(none[0], '\0');
}

int test_id(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(new_ids_are_read_back),
        cmocka_unit_test(only_the_two_forms_are_accepted),
        cmocka_unit_test(request_ids),
        cmocka_unit_test(letters_are_drawn_evenly),
    };
    return cmocka_run_group_tests_name("base/id", tests, NULL, NULL);
}
