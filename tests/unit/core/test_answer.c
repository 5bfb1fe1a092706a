/* The wire's task object, byte for byte: key order, nulls, numbers, the base URL in results, error bodies. */
#include "core/answer.h"

#include <stdlib.h>

#include "base/json.h"
#include "tests.h"

#define BASE TEXT("https://media.example.com")
#define VIDEO_ID "task-unified-1757165031-uyujaw3d"
#define LLM_ID "task-llm-1757165031-abcd1234"

static struct answer video_answer(enum task_state state) {
    struct answer answer = {
        .type = TASK_VIDEO,
        .state = state,
        .billing = BILLING_PER_SECOND,
        .created_s = 1757165031,
        .reserved = 25500000,
        .model = TEXT("seedance-2.0-text-to-video"),
        .group = TEXT("default"),
        .estimated_s = 45,
    };
    assert_true(task_id_parse(TEXT(VIDEO_ID), &answer.id));
    return answer;
}

enum rendering { TASK_QUERY, SUBMISSION };

static void assert_rendered(enum rendering rendering, const struct answer *answer, struct text base,
    const char *golden) {
    struct buffer buf;
    buffer_init(&buf, 1 << 16);
    if (rendering == TASK_QUERY) {
        answer_put_task(&buf, answer, base);
    } else {
        answer_put_submission(&buf, answer);
    }
    assert_true(buffer_ok(&buf));
    assert_string_equal(buf.data, golden);
    buffer_fini(&buf);
}

static void pending_task_shows_nulls_and_task_info(void **state) {
    (void)state;
    struct answer answer = video_answer(TASK_PENDING);
    answer.can_cancel = true;
    answer.queue_position = 3;
    assert_rendered(TASK_QUERY, &answer, BASE,
        "{\"id\":\"" VIDEO_ID "\",\"object\":\"video.generation.task\",\"type\":\"video\","
        "\"model\":\"seedance-2.0-text-to-video\",\"status\":\"pending\",\"progress\":0,\"created\":1757165031,"
        "\"results\":null,\"error\":null,\"usage\":{\"credits_reserved\":25.5,\"user_group\":\"default\","
        "\"credits_charged\":0,\"credits_refunded\":0,\"billing_rule\":\"per_second\"},"
        "\"task_info\":{\"can_cancel\":true,\"estimated_time\":45,\"queue_position\":3}}");

    answer.queue_position = 0;
    assert_rendered(TASK_QUERY, &answer, BASE,
        "{\"id\":\"" VIDEO_ID "\",\"object\":\"video.generation.task\",\"type\":\"video\","
        "\"model\":\"seedance-2.0-text-to-video\",\"status\":\"pending\",\"progress\":0,\"created\":1757165031,"
        "\"results\":null,\"error\":null,\"usage\":{\"credits_reserved\":25.5,\"user_group\":\"default\","
        "\"credits_charged\":0,\"credits_refunded\":0,\"billing_rule\":\"per_second\"},"
        "\"task_info\":{\"can_cancel\":true,\"estimated_time\":45}}");
}

static void processing_task_hides_results_and_error(void **state) {
    (void)state;
    struct answer answer = video_answer(TASK_PROCESSING);
    answer.progress = 62;
    answer.results = TEXT("[{\"url\":\"too early\"}]");
    answer.error = TASK_ERROR_SERVICE;
    answer.error_message = TEXT("of an earlier attempt");
    assert_rendered(TASK_QUERY, &answer, BASE,
        "{\"id\":\"" VIDEO_ID "\",\"object\":\"video.generation.task\",\"type\":\"video\","
        "\"model\":\"seedance-2.0-text-to-video\",\"status\":\"processing\",\"progress\":62,\"created\":1757165031,"
        "\"results\":null,\"error\":null,\"usage\":{\"credits_reserved\":25.5,\"user_group\":\"default\","
        "\"credits_charged\":0,\"credits_refunded\":0,\"billing_rule\":\"per_second\"}}");
}

static void completed_task_shows_results_under_the_base(void **state) {
    (void)state;
    struct answer answer = video_answer(TASK_COMPLETED);
    answer.progress = 97;
    answer.charged = 25000001;
    answer.refunded = 499999;
    answer.results = TEXT("[{\"url\":\"\x01/v1/artifacts/aa/a.mp4?expires=1&signature=s\",\"seed\":7},"
                          "{\"url\":\"\x01/v1/artifacts/bb/b.mp4\"}]");
    assert_rendered(TASK_QUERY, &answer, BASE,
        "{\"id\":\"" VIDEO_ID "\",\"object\":\"video.generation.task\",\"type\":\"video\","
        "\"model\":\"seedance-2.0-text-to-video\",\"status\":\"completed\",\"progress\":100,\"created\":1757165031,"
        "\"results\":[{\"url\":\"https://media.example.com/v1/artifacts/aa/a.mp4?expires=1&signature=s\",\"seed\":7},"
        "{\"url\":\"https://media.example.com/v1/artifacts/bb/b.mp4\"}],"
        "\"error\":null,\"usage\":{\"credits_reserved\":25.5,\"user_group\":\"default\","
        "\"credits_charged\":25.000001,\"credits_refunded\":0.499999,\"billing_rule\":\"per_second\"}}");
}

static void failed_task_shows_its_error(void **state) {
    (void)state;
    struct answer answer = video_answer(TASK_FAILED);
    answer.progress = 40;
    answer.refunded = 25500000;
    answer.error = TASK_ERROR_CONTENT_POLICY;
    answer.error_message = TEXT("The \"prompt\" was refused.");
    assert_rendered(TASK_QUERY, &answer, BASE,
        "{\"id\":\"" VIDEO_ID "\",\"object\":\"video.generation.task\",\"type\":\"video\","
        "\"model\":\"seedance-2.0-text-to-video\",\"status\":\"failed\",\"progress\":40,\"created\":1757165031,"
        "\"results\":null,\"error\":{\"code\":\"content_policy_violation\","
        "\"message\":\"The \\\"prompt\\\" was refused.\",\"type\":\"task_error\"},"
        "\"usage\":{\"credits_reserved\":25.5,\"user_group\":\"default\","
        "\"credits_charged\":0,\"credits_refunded\":25.5,\"billing_rule\":\"per_second\"}}");

    answer.error = TASK_ERROR_CANCELLED;
    answer.error_message = TEXT("");
    assert_rendered(TASK_QUERY, &answer, BASE,
        "{\"id\":\"" VIDEO_ID "\",\"object\":\"video.generation.task\",\"type\":\"video\","
        "\"model\":\"seedance-2.0-text-to-video\",\"status\":\"failed\",\"progress\":40,\"created\":1757165031,"
        "\"results\":null,\"error\":{\"code\":\"request_cancelled\","
        "\"message\":\"The task was cancelled.\",\"type\":\"task_error\"},"
        "\"usage\":{\"credits_reserved\":25.5,\"user_group\":\"default\","
        "\"credits_charged\":0,\"credits_refunded\":25.5,\"billing_rule\":\"per_second\"}}");
}

static void llm_task_has_stream_and_keeps_its_shape_on_submission(void **state) {
    (void)state;
    struct answer answer = { .type = TASK_LLM, .state = TASK_PENDING, .billing = BILLING_PER_TOKEN, .reserved = 1,
        .created_s = 1757165031, .model = TEXT("gpt-\"x\""), .group = TEXT("vip"), .estimated_s = 3 };
    assert_true(task_id_parse(TEXT(LLM_ID), &answer.id));
    const char *golden =
        "{\"id\":\"" LLM_ID "\",\"object\":\"llm.generation.task\",\"type\":\"llm\",\"model\":\"gpt-\\\"x\\\"\","
        "\"status\":\"pending\",\"progress\":0,\"created\":1757165031,\"stream\":null,\"results\":null,\"error\":null,"
        "\"usage\":{\"credits_reserved\":0.000001,\"user_group\":\"vip\",\"credits_charged\":0,"
        "\"credits_refunded\":0,\"billing_rule\":\"per_token\"},"
        "\"task_info\":{\"can_cancel\":false,\"estimated_time\":3}}";
    assert_rendered(TASK_QUERY, &answer, BASE, golden);
    assert_rendered(SUBMISSION, &answer, BASE, golden);
}

static void a_stream_is_named_in_every_state(void **state) {
    (void)state;
    static const char named[] = "\"created\":1757165031,\"stream\":{\"url\":\"/v1/llm/generations/" LLM_ID "/stream\"},"
                                "\"results\":";
    struct answer answer = { .type = TASK_LLM, .billing = BILLING_PER_TOKEN, .created_s = 1757165031, .streams = true,
        .model = TEXT("m"), .group = TEXT("vip") };
    assert_true(task_id_parse(TEXT(LLM_ID), &answer.id));
    for (int each = 0; each < TASK_STATE_COUNT; each++) {
        struct buffer query, submission;
        answer.state = (enum task_state)each;
        buffer_init(&query, 1 << 16);
        buffer_init(&submission, 1 << 16);
        answer_put_task(&query, &answer, BASE);
        answer_put_submission(&submission, &answer);
        assert_non_null(strstr(query.data, named));
        assert_non_null(strstr(submission.data, named));
        buffer_fini(&query);
        buffer_fini(&submission);
    }
    answer.type = TASK_VIDEO; /* others have no such key */
    struct buffer buf;
    buffer_init(&buf, 1 << 16);
    answer_put_task(&buf, &answer, BASE);
    assert_null(strstr(buf.data, "\"stream\""));
    buffer_fini(&buf);
}

static void submission_has_its_own_order(void **state) {
    (void)state;
    struct answer answer = video_answer(TASK_PENDING);
    answer.can_cancel = true;
    answer.queue_position = 9;
    assert_rendered(SUBMISSION, &answer, BASE,
        "{\"created\":1757165031,\"id\":\"" VIDEO_ID "\",\"model\":\"seedance-2.0-text-to-video\","
        "\"object\":\"video.generation.task\",\"progress\":0,\"status\":\"pending\","
        "\"task_info\":{\"can_cancel\":true,\"estimated_time\":45},\"type\":\"video\","
        "\"usage\":{\"credits_reserved\":25.5,\"user_group\":\"default\",\"credits_charged\":0,"
        "\"credits_refunded\":0,\"billing_rule\":\"per_second\"}}");
}

/* Renders a completed task and returns its results and what follows up to `error`, to be freed by the caller. */
static char *rendered_results(struct text results, struct text base) {
    struct answer answer = video_answer(TASK_COMPLETED);
    struct buffer buf;
    answer.results = results;
    buffer_init(&buf, 1 << 16);
    answer_put_task(&buf, &answer, base);
    assert_true(buffer_ok(&buf));
    const char *start = strstr(buf.data, "\"results\":");
    const char *end = strstr(buf.data, ",\"error\":null");
    assert_non_null(start);
    assert_non_null(end);
    start += strlen("\"results\":");
    char *copy = text_dup((struct text){ start, (size_t)(end - start) });
    buffer_fini(&buf);
    return copy;
}

static void the_base_goes_wherever_its_mark_stands(void **state) {
    (void)state;
    static const struct {
        struct text stored, base;
        const char *shown;
    } cases[] = {
        { TEXT(""), TEXT("http://h"), "[]" },
        { TEXT("[]"), TEXT("http://h"), "[]" },
        { TEXT("[{\"a\":1}]"), TEXT("http://h"), "[{\"a\":1}]" },
        { TEXT("[\"\x01\"]"), TEXT("http://h"), "[\"http://h\"]" },
        { TEXT("[\"\x01/a\",\"\x01\x01\"]"), TEXT("http://h"), "[\"http://h/a\",\"http://hhttp://h\"]" },
        { TEXT("[\"\x01/a\"]"), TEXT(""), "[\"/a\"]" },
        { TEXT("[\"\x01/a\"]"), TEXT("http://h\"evil"), "[\"/a\"]" },
        { TEXT("[\"\x01/a\"]"), TEXT("http://h\\"), "[\"/a\"]" },
        { TEXT("[\"\x01/a\"]"), TEXT("http://h\n"), "[\"/a\"]" },
        { TEXT("[\"\x01/a\"]"), TEXT("http://h\xff"), "[\"/a\"]" },
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        char *shown = rendered_results(cases[i].stored, cases[i].base);
        assert_string_equal(shown, cases[i].shown);
        free(shown);
    }
}

static void a_mark_at_the_very_end_is_replaced(void **state) {
    (void)state;
    char *shown = rendered_results(TEXT("[1]\x01"), TEXT("x"));
    assert_string_equal(shown, "[1]x");
    free(shown);
}

static void every_state_and_type_has_the_same_keys(void **state) {
    (void)state;
    static const char *const keys[] = { "\"id\":", "\"object\":", "\"type\":", "\"model\":", "\"status\":",
        "\"progress\":", "\"created\":", "\"results\":", "\"error\":", "\"usage\":", "\"credits_reserved\":",
        "\"user_group\":", "\"credits_charged\":", "\"credits_refunded\":", "\"billing_rule\":" };
    for (int type = 0; type < TASK_TYPE_COUNT; type++) {
        for (int task_state = 0; task_state < TASK_STATE_COUNT; task_state++) {
            struct answer answer = video_answer((enum task_state)task_state);
            struct buffer buf;
            answer.type = (enum task_type)type;
            buffer_init(&buf, 1 << 16);
            answer_put_task(&buf, &answer, BASE);
            assert_true(buffer_ok(&buf));
            const char *at = buf.data;
            for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
                at = strstr(at, keys[i]);
                assert_non_null(at);
            }
            struct json_t *value = NULL;
            assert_int_equal(json_read_object(buffer_text(&buf), 8, &value, NULL), OK);
            json_release(&value);
            assert_int_equal(strstr(buf.data, "\"stream\":null") != NULL, type == TASK_LLM);
            assert_int_equal(strstr(buf.data, "\"task_info\":") != NULL, task_state == TASK_PENDING);
            assert_int_equal(strstr(buf.data, "\"type\":\"task_error\"") != NULL, task_state == TASK_FAILED);
            buffer_fini(&buf);
        }
    }
}

static void a_buffer_too_small_fails_and_says_so(void **state) {
    (void)state;
    struct answer answer = video_answer(TASK_PENDING);
    struct buffer buf;
    buffer_init(&buf, 40);
    answer_put_task(&buf, &answer, BASE);
    assert_false(buffer_ok(&buf));
    buffer_fini(&buf);
}

static void error_bodies(void **state) {
    (void)state;
    static const struct {
        struct fault fault;
        const char *golden;
    } cases[] = {
        { { ERR_TASK_NOT_FOUND, "", "No task has this id." },
          "{\"error\":{\"message\":\"No task has this id.\",\"type\":\"not_found\",\"code\":\"task_not_found\","
          "\"param\":null}}" },
        { { ERR_OUT_OF_RANGE, "voice_setting.speed", "The speed must be at most 2; \"9\" is not." },
          "{\"error\":{\"message\":\"The speed must be at most 2; \\\"9\\\" is not.\","
          "\"type\":\"invalid_request_error\",\"code\":\"out_of_range\",\"param\":\"voice_setting.speed\"}}" },
        { { ERR_BLOCKED_ADDRESS, "image_urls[2]", "The URL leads to a private address." },
          "{\"error\":{\"message\":\"The URL leads to a private address.\",\"type\":\"invalid_request_error\","
          "\"code\":\"invalid_url\",\"param\":\"image_urls[2]\"}}" },
        { { ERR_OVERLOADED, "", "Too much is queued; try again later." },
          "{\"error\":{\"message\":\"Too much is queued; try again later.\",\"type\":\"service_unavailable\","
          "\"code\":\"overloaded\",\"param\":null}}" },
        { { ERR_CORRUPT, "", "/srv/secret/path is damaged" },
          "{\"error\":{\"message\":\"The request failed because of an internal error; try again later.\","
          "\"type\":\"server_error\",\"code\":\"internal_error\",\"param\":null}}" },
        { { ERR_NO_SPACE, "", "/srv/secret/path is full" },
          "{\"error\":{\"message\":\"The service's storage is not available at the moment; try again later.\","
          "\"type\":\"service_unavailable\",\"code\":\"storage_unavailable\",\"param\":null}}" },
        { { OK, "", "" },
          "{\"error\":{\"message\":\"The request failed because of an internal error; try again later.\","
          "\"type\":\"server_error\",\"code\":\"internal_error\",\"param\":null}}" },
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct buffer buf;
        buffer_init(&buf, 4096);
        answer_put_error(&buf, &cases[i].fault);
        assert_true(buffer_ok(&buf));
        assert_string_equal(buf.data, cases[i].golden);
        buffer_fini(&buf);
    }
}

int test_answer(void) {
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(pending_task_shows_nulls_and_task_info),
        cmocka_unit_test(processing_task_hides_results_and_error),
        cmocka_unit_test(completed_task_shows_results_under_the_base),
        cmocka_unit_test(failed_task_shows_its_error),
        cmocka_unit_test(llm_task_has_stream_and_keeps_its_shape_on_submission),
        cmocka_unit_test(a_stream_is_named_in_every_state),
        cmocka_unit_test(submission_has_its_own_order),
        cmocka_unit_test(the_base_goes_wherever_its_mark_stands),
        cmocka_unit_test(a_mark_at_the_very_end_is_replaced),
        cmocka_unit_test(every_state_and_type_has_the_same_keys),
        cmocka_unit_test(a_buffer_too_small_fails_and_says_so),
        cmocka_unit_test(error_bodies),
    };
    return cmocka_run_group_tests_name("answer", tests, NULL, NULL);
}
