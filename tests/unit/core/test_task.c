/* T1: every state against every event, and every name there and back. */
#include "core/task.h"

#include "tests.h"

#define FINISH (TASK_EFFECT_SETTLE | TASK_EFFECT_ANNOUNCE)

static void every_state_and_event(void **state) {
    (void)state;
    static const struct {
        enum err err;
        enum task_state to;
        unsigned effects;
    } expected[TASK_STATE_COUNT][TASK_EVENT_COUNT] = {
        [TASK_PENDING] = {
            [TASK_DISPATCH] = { OK, TASK_PROCESSING, TASK_EFFECT_ANNOUNCE },
            [TASK_RETRY] = { ERR_CONFLICT },
            [TASK_COMPLETE] = { ERR_CONFLICT },
            [TASK_FAIL] = { OK, TASK_FAILED, FINISH | TASK_EFFECT_ERROR },
            [TASK_CANCEL] = { OK, TASK_FAILED, FINISH | TASK_EFFECT_ERROR },
        },
        [TASK_PROCESSING] = {
            [TASK_DISPATCH] = { ERR_CONFLICT },
            [TASK_RETRY] = { OK, TASK_PENDING, TASK_EFFECT_ANNOUNCE },
            [TASK_COMPLETE] = { OK, TASK_COMPLETED, FINISH | TASK_EFFECT_RESULTS },
            [TASK_FAIL] = { OK, TASK_FAILED, FINISH | TASK_EFFECT_ERROR },
            [TASK_CANCEL] = { OK, TASK_FAILED, FINISH | TASK_EFFECT_ERROR },
        },
        [TASK_COMPLETED] = { { ERR_TASK_FINAL }, { ERR_TASK_FINAL }, { ERR_TASK_FINAL }, { ERR_TASK_FINAL }, { ERR_TASK_FINAL } },
        [TASK_FAILED] = { { ERR_TASK_FINAL }, { ERR_TASK_FINAL }, { ERR_TASK_FINAL }, { ERR_TASK_FINAL }, { ERR_TASK_FINAL } },
    };
    for (unsigned from = 0; from < TASK_STATE_COUNT; from++) {
        for (unsigned event = 0; event < TASK_EVENT_COUNT; event++) {
            enum task_state to = TASK_STATE_COUNT;
            unsigned effects = 12345;
            assert_int_equal(task_step(from, event, &to, &effects), expected[from][event].err);
            if (expected[from][event].err == OK) {
                assert_int_equal(to, expected[from][event].to);
                assert_int_equal(effects, expected[from][event].effects);
            } else {
                assert_int_equal(to, TASK_STATE_COUNT);
                assert_int_equal(effects, 12345);
            }
        }
    }
}

/* Rules that hold for every move, whatever the table says. */
static void effects_follow_from_the_state_entered(void **state) {
    (void)state;
    for (unsigned from = 0; from < TASK_STATE_COUNT; from++) {
        for (unsigned event = 0; event < TASK_EVENT_COUNT; event++) {
            enum task_state to;
            unsigned effects;
            if (task_step(from, event, &to, &effects) != OK) {
                continue;
            }
            assert_false(task_state_final(from));
            assert_true(from != to);
            assert_true(effects & TASK_EFFECT_ANNOUNCE);
            assert_int_equal((effects & TASK_EFFECT_SETTLE) != 0, task_state_final(to)); /* L2, L3 */
            assert_int_equal((effects & TASK_EFFECT_RESULTS) != 0, to == TASK_COMPLETED);
            assert_int_equal((effects & TASK_EFFECT_ERROR) != 0, to == TASK_FAILED);
        }
    }
}

static void final_states(void **state) {
    (void)state;
    assert_false(task_state_final(TASK_PENDING));
    assert_false(task_state_final(TASK_PROCESSING));
    assert_true(task_state_final(TASK_COMPLETED));
    assert_true(task_state_final(TASK_FAILED));
}

static void state_names(void **state) {
    (void)state;
    static const char *const names[TASK_STATE_COUNT] = { "pending", "processing", "completed", "failed" };
    for (unsigned i = 0; i < TASK_STATE_COUNT; i++) {
        enum task_state parsed = TASK_STATE_COUNT;
        assert_string_equal(task_state_name(i), names[i]);
        assert_true(task_state_parse(text_of(names[i]), &parsed));
        assert_int_equal(parsed, i);
    }
    enum task_state untouched = TASK_STATE_COUNT;
    static const char *const others[] = { "", "Pending", "pending ", "pendin", "done", "queued", NULL };
    for (size_t i = 0; i < ARRAY_SIZE(others); i++) {
        assert_false(task_state_parse(text_of(others[i]), &untouched));
    }
    assert_int_equal(untouched, TASK_STATE_COUNT);
}

static void type_names(void **state) {
    (void)state;
    static const char *const names[TASK_TYPE_COUNT] = { "image", "video", "audio", "llm", "document" };
    for (unsigned i = 0; i < TASK_TYPE_COUNT; i++) {
        enum task_type parsed = TASK_TYPE_COUNT;
        char object[64];
        snprintf(object, sizeof(object), "%s.generation.task", names[i]);
        assert_string_equal(task_type_name(i), names[i]);
        assert_string_equal(task_type_object(i), object);
        assert_true(task_type_parse(text_of(names[i]), &parsed));
        assert_int_equal(parsed, i);
    }
    enum task_type untouched = TASK_TYPE_COUNT;
    assert_false(task_type_parse(TEXT("images"), &untouched));
    assert_false(task_type_parse(TEXT(""), &untouched));
    assert_false(task_type_parse(TEXT("image.generation.task"), &untouched));
    assert_int_equal(untouched, TASK_TYPE_COUNT);
}

/* The contract's codes, and which of them a fresh attempt may mend. */
static void error_codes(void **state) {
    (void)state;
    static const struct {
        enum task_error error;
        const char *code;
        bool retryable;
    } expected[] = {
        { TASK_ERROR_CONTENT_POLICY, "content_policy_violation", false },
        { TASK_ERROR_INVALID_PARAMETERS, "invalid_parameters", false },
        { TASK_ERROR_IMAGE_PROCESSING, "image_processing_error", false },
        { TASK_ERROR_IMAGE_DIMENSION, "image_dimension_mismatch", false },
        { TASK_ERROR_CANCELLED, "request_cancelled", false },
        { TASK_ERROR_GENERATION_FAILED, "generation_failed", true },
        { TASK_ERROR_NO_CONTENT, "generation_failed_no_content", false },
        { TASK_ERROR_SERVICE, "service_error", true },
        { TASK_ERROR_TIMEOUT, "generation_timeout", false },
        { TASK_ERROR_RESOURCE_EXHAUSTED, "resource_exhausted", true },
        { TASK_ERROR_QUOTA, "quota_exceeded", false },
        { TASK_ERROR_UNAVAILABLE, "service_unavailable", true },
        { TASK_ERROR_RESOURCE_NOT_FOUND, "resource_not_found", false },
        { TASK_ERROR_SUBMISSION_UNKNOWN, "submission_unknown", false },
        { TASK_ERROR_UNKNOWN, "unknown_error", false },
    };
    assert_int_equal(ARRAY_SIZE(expected), TASK_ERROR_COUNT - 1);
    for (size_t i = 0; i < ARRAY_SIZE(expected); i++) {
        enum task_error parsed = TASK_ERROR_NONE;
        assert_string_equal(task_error_code(expected[i].error), expected[i].code);
        assert_int_equal(task_error_retryable(expected[i].error), expected[i].retryable);
        assert_true(strlen(task_error_message(expected[i].error)) > 10);
        assert_true(text_ends(text_of(task_error_message(expected[i].error)), TEXT(".")));
        assert_true(task_error_parse(text_of(expected[i].code), &parsed));
        assert_int_equal(parsed, expected[i].error);
    }
    assert_null(task_error_code(TASK_ERROR_NONE));
    assert_string_equal(task_error_message(TASK_ERROR_NONE), "");
    assert_false(task_error_retryable(TASK_ERROR_NONE));
    enum task_error untouched = TASK_ERROR_COUNT;
    assert_false(task_error_parse(TEXT(""), &untouched));
    assert_false(task_error_parse(TEXT_NONE, &untouched));
    assert_false(task_error_parse(TEXT("generation_fail"), &untouched));
    assert_int_equal(untouched, TASK_ERROR_COUNT);
}

int test_task(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_state_and_event),
        cmocka_unit_test(effects_follow_from_the_state_entered),
        cmocka_unit_test(final_states),
        cmocka_unit_test(state_names),
        cmocka_unit_test(type_names),
        cmocka_unit_test(error_codes),
    };
    return cmocka_run_group_tests_name("core/task", tests, NULL, NULL);
}
