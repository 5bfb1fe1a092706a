/* Magic words are found wherever a client can write them, and nothing else is taken for one. */
#include "provider/simulator_magic.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <jansson.h>

#include "base/compiler.h"
#include "tests.h"

static const struct {
    const char *input;
    enum task_error error;
    const char *unknown;
    double slow_s;
    bool never, flaky;
} cases[] = {
    { "{}", TASK_ERROR_NONE, "", -1, false, false },
    { "{\"prompt\":\"a fennec: small fox\"}", TASK_ERROR_NONE, "", -1, false, false },
    { "{\"prompt\":\"fennec:\",\"n\":7}", TASK_ERROR_NONE, "", -1, false, false },
    { "{\"prompt\":\"fennec:nevermore fennec:slowly\"}", TASK_ERROR_NONE, "", -1, false, false },
    { "{\"prompt\":\"a dog fennec:error=content_policy_violation, please\"}", TASK_ERROR_CONTENT_POLICY, "", -1, false, false },
    { "{\"prompt\":\"fennec:error=generation_failed_no_content.\"}", TASK_ERROR_NO_CONTENT, "", -1, false, false },
    { "{\"prompt\":\"fennec:error\"}", TASK_ERROR_GENERATION_FAILED, "", -1, false, false },
    { "{\"prompt\":\"fennec:error=nonsense\"}", TASK_ERROR_INVALID_PARAMETERS, "nonsense", -1, false, false },
    { "{\"prompt\":\"fennec:error=quota_exceeded fennec:error=unknown_error\"}", TASK_ERROR_QUOTA, "", -1, false, false },
    { "{\"a\":{\"b\":[1,[\"x\",\"fennec:never\"]]}}", TASK_ERROR_NONE, "", -1, true, false },
    { "{\"url\":\"https://example.com/fennec:flaky\"}", TASK_ERROR_NONE, "", -1, false, true },
    { "{\"prompt\":\"fennec:slow\"}", TASK_ERROR_NONE, "", 30, false, false },
    { "{\"prompt\":\"fennec:slow=2.5.\"}", TASK_ERROR_NONE, "", 2.5, false, false },
    { "{\"prompt\":\"fennec:slow=0\"}", TASK_ERROR_NONE, "", 0, false, false },
    { "{\"prompt\":\"fennec:slow=99999999\"}", TASK_ERROR_NONE, "", 3600, false, false },
    { "{\"prompt\":\"fennec:slow=nan\"}", TASK_ERROR_NONE, "", 30, false, false },
    { "{\"prompt\":\"fennec:slow=-4\"}", TASK_ERROR_NONE, "", 30, false, false },
    { "{\"prompt\":\"fennec:slow=5fennec:error=service_error\"}", TASK_ERROR_SERVICE, "", 5, false, false },
    { "{\"a\":\"fennec:slow=3\",\"b\":\"fennec:slow=4 fennec:flaky\"}", TASK_ERROR_NONE, "", 3, false, true },
    { "{\"prompt\":\"fennec:error=aaaaaaaaaabbbbbbbbbbccccccccccddddddddddeeeeeeeeee\"}", TASK_ERROR_INVALID_PARAMETERS,
      "aaaaaaaaaabbbbbbbbbbccccccccccddddddddd", -1, false, false },
};

static void words_are_found_in_all_strings(void **state) {
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        json_t *input = json_loads(cases[i].input, 0, NULL);
        struct simulator_magic magic;
        simulator_magic_find(input, &magic);
        assert_int_equal(magic.error, cases[i].error);
        assert_string_equal(magic.unknown_code, cases[i].unknown);
        assert_true(magic.slow_s >= cases[i].slow_s && magic.slow_s <= cases[i].slow_s);
        assert_int_equal(magic.never, cases[i].never);
        assert_int_equal(magic.flaky, cases[i].flaky);
        json_decref(input);
    }
}

static const struct {
    const char *input;
    double rate;
    int64_t tokens;
    const char *tool;
    bool reasoning, breaks;
} chat_cases[] = {
    { "{\"a\":\"fennec:rate=100 fennec:tokens=500\"}", 100, 500, "", false, false },
    { "{\"a\":\"fennec:rate=0.5, fennec:rate=7\"}", 0.5, 0, "", false, false },
    { "{\"a\":\"fennec:rate=-1 fennec:rate=x fennec:tokens=-4 fennec:tokens=1.5\"}", 0, 0, "", false, false },
    { "{\"a\":\"fennec:rate=1e300 fennec:tokens=99999999999\"}", 1e6, 100000, "", false, false },
    { "{\"a\":\"fennec:tool=get_Weather-2.\"}", 0, 0, "get_Weather-2", false, false },
    { "{\"a\":\"fennec:reasoning fennec:break\"}", 0, 0, "", true, true },
    { "{\"a\":\"fennec:reasonings fennec:breaks fennec:tool\"}", 0, 0, "", false, false },
};

static void an_answer_can_be_asked_for(void **state) {
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(chat_cases); i++) {
        json_t *input = json_loads(chat_cases[i].input, 0, NULL);
        struct simulator_magic magic;
        simulator_magic_find(input, &magic);
        assert_true(magic.rate >= chat_cases[i].rate && magic.rate <= chat_cases[i].rate);
        assert_int_equal(magic.tokens, chat_cases[i].tokens);
        assert_string_equal(magic.tool, chat_cases[i].tool);
        assert_int_equal(magic.reasoning, chat_cases[i].reasoning);
        assert_int_equal(magic.breaks, chat_cases[i].breaks);
        json_decref(input);
    }
}

static void every_error_code_can_be_asked_for(void **state) {
    (void)state;
    for (int error = TASK_ERROR_NONE + 1; error < TASK_ERROR_COUNT; error++) {
        char prompt[100];
        snprintf(prompt, sizeof(prompt), "fennec:error=%s", task_error_code((enum task_error)error));
        json_t *input = json_pack("{s:s}", "prompt", prompt);
        struct simulator_magic magic;
        simulator_magic_find(input, &magic);
        assert_int_equal(magic.error, error);
        json_decref(input);
    }
}

int test_simulator_magic(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(words_are_found_in_all_strings),
        cmocka_unit_test(an_answer_can_be_asked_for),
        cmocka_unit_test(every_error_code_can_be_asked_for),
    };
    return cmocka_run_group_tests_name("simulator magic", tests, NULL, NULL);
}
