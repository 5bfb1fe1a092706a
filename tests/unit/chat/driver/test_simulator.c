/* Test mode: answers that follow from the request alone, and what the magic words make of them. */
#include <jansson.h>
#include <stdlib.h>

#include "base/compiler.h"
#include "base/memory.h"
#include "trial.h"

struct scene {
    struct house house;
    struct trial trial;
};

/* A request that says `words` with `more` members, not started yet. All is said at once, unless words say else. */
static void scene_open(struct scene *scene, const char *words, const char *more, bool streams) {
    char body[2000];
    house_open_test_mode(&scene->house);
    snprintf(body, sizeof(body),
             "{\"model\":\"gpt-5.5\",\"messages\":[{\"role\":\"user\",\"content\":\"fennec:error in an old one\"},"
             "{\"role\":\"assistant\",\"content\":\"fennec:never\"},{\"role\":\"user\",\"content\":\"%s\"}]%s}",
             words, more);
    trial_init(&scene->trial, &scene->house, body, streams);
}

static void scene_close(struct scene *scene) {
    trial_fini(&scene->trial);
    house_close(&scene->house);
}

static const json_t *choice_of(const json_t *completion, size_t i) {
    return json_array_get(json_object_get(completion, "choices"), i);
}

static const char *content_of(const json_t *completion, size_t i) {
    return json_string_value(json_object_get(json_object_get(choice_of(completion, i), "message"), "content"));
}

static const char *reason_of(const json_t *completion, size_t i) {
    return json_string_value(json_object_get(choice_of(completion, i), "finish_reason"));
}

static int64_t usage_of(const json_t *completion, const char *member) {
    return json_integer_value(json_object_get(json_object_get(completion, "usage"), member));
}

static void an_answer_repeats_what_was_said(void **state) {
    (void)state;
    char *contents[2] = { NULL, NULL };
    for (unsigned streams = 0; streams < 2; streams++) {
        struct scene scene;
        scene_open(&scene, "What is a fennec?", "", streams);
        trial_run(&scene.trial, TASK_ERROR_NONE);
        json_t *completion = trial_completion(&scene.trial);
        contents[streams] = mem_string(content_of(completion, 0));
        assert_non_null(strstr(contents[streams], "What is a fennec?"));
        assert_string_equal(reason_of(completion, 0), "stop");
        assert_string_equal(json_string_value(json_object_get(completion, "model")), "gpt-5.5");
        assert_int_equal(usage_of(completion, "completion_tokens"), 50);
        assert_int_equal(scene.trial.outcome.tokens.output, 50);
        assert_true(scene.trial.outcome.tokens.input > 5);
        assert_false(scene.trial.outcome.tokens.estimated);
        assert_int_equal(chat_stream_count(scene.trial.attempt.stream), streams ? 51 : 0);
        json_decref(completion);
        scene_close(&scene);
    }
    assert_string_equal(contents[0], contents[1]);
    free(contents[0]);
    free(contents[1]);
}

static void chunks_are_openais(void **state) {
    (void)state;
    struct scene scene;
    scene_open(&scene, "Hi", "", true);
    trial_run(&scene.trial, TASK_ERROR_NONE);
    char *lines = trial_chunks(&scene.trial);
    struct text rest = text_of(lines);
    unsigned count = 0;
    while (rest.len > 0) {
        struct text line = text_cut(&rest, '\n');
        json_t *chunk = json_loadb(line.ptr, line.len, 0, NULL);
        assert_string_equal(json_string_value(json_object_get(chunk, "object")), "chat.completion.chunk");
        const json_t *delta = json_object_get(choice_of(chunk, 0), "delta");
        assert_true(json_is_object(delta));
        assert_int_equal(json_object_get(delta, "role") != NULL, count == 0);
        json_decref(chunk);
        count++;
    }
    assert_int_equal(count, 51);
    free(lines);
    scene_close(&scene);
}

static void limits_are_honoured(void **state) {
    (void)state;
    static const struct {
        const char *words, *more;
        int64_t tokens;
        const char *reason;
        unsigned choices;
    } cases[] = {
        { "fennec:tokens=500", "", 500, "stop", 1 },
        { "Hi", ",\"max_tokens\":7", 7, "length", 1 },
        { "Hi", ",\"max_tokens\":7,\"max_completion_tokens\":3", 3, "length", 1 },
        { "Hi", ",\"max_tokens\":50", 50, "stop", 1 },
        { "fennec:tokens=20", ",\"n\":3", 60, "stop", 3 },
        { "fennec:tokens=9000", "", 9000, "stop", 1 },
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct scene scene;
        scene_open(&scene, cases[i].words, cases[i].more, true);
        trial_run(&scene.trial, TASK_ERROR_NONE);
        json_t *completion = trial_completion(&scene.trial);
        assert_int_equal(usage_of(completion, "completion_tokens"), cases[i].tokens);
        assert_int_equal(json_array_size(json_object_get(completion, "choices")), cases[i].choices);
        for (unsigned k = 0; k < cases[i].choices; k++) {
            assert_string_equal(reason_of(completion, k), cases[i].reason);
            assert_string_equal(content_of(completion, k), content_of(completion, 0));
        }
        json_decref(completion);
        scene_close(&scene);
    }
}

static void a_tool_is_called(void **state) {
    (void)state;
    struct scene scene;
    scene_open(&scene, "fennec:tool=get_weather", "", true);
    trial_run(&scene.trial, TASK_ERROR_NONE);
    json_t *completion = trial_completion(&scene.trial);
    const json_t *message = json_object_get(choice_of(completion, 0), "message");
    const json_t *call = json_array_get(json_object_get(message, "tool_calls"), 0);
    const json_t *function = json_object_get(call, "function");
    assert_string_equal(json_string_value(json_object_get(function, "name")), "get_weather");
    assert_string_equal(json_string_value(json_object_get(function, "arguments")), "{}");
    assert_true(json_string_length(json_object_get(call, "id")) > 0);
    assert_string_equal(reason_of(completion, 0), "tool_calls");
    json_decref(completion);
    scene_close(&scene);
}

static void reasoning_is_in_the_chunks_alone(void **state) {
    (void)state;
    for (unsigned i = 0; i < 2; i++) {
        struct scene scene;
        scene_open(&scene, i ? "fennec:reasoning" : "Think.", "", true);
        scene.trial.attempt.reasons = !i;
        trial_run(&scene.trial, TASK_ERROR_NONE);
        char *chunks = trial_chunks(&scene.trial);
        assert_non_null(strstr(chunks, "\"reasoning_content\":"));
        free(chunks);
        json_t *completion = trial_completion(&scene.trial);
        assert_null(json_object_get(json_object_get(choice_of(completion, 0), "message"), "reasoning_content"));
        assert_int_equal(scene.trial.outcome.tokens.reasoning, 12);
        assert_int_equal(scene.trial.outcome.tokens.output, 62);
        json_decref(completion);
        scene_close(&scene);
    }
}

static void it_fails_as_it_is_asked_to(void **state) {
    (void)state;
    static const struct {
        const char *words;
        enum task_error error;
        bool some;
    } cases[] = {
        { "fennec:error=content_policy_violation", TASK_ERROR_CONTENT_POLICY, false },
        { "fennec:error=nonsense", TASK_ERROR_INVALID_PARAMETERS, false },
        { "fennec:break", TASK_ERROR_SERVICE, true },
        { "fennec:break fennec:error=resource_exhausted", TASK_ERROR_RESOURCE_EXHAUSTED, true },
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct scene scene;
        scene_open(&scene, cases[i].words, "", true);
        trial_run(&scene.trial, cases[i].error);
        assert_int_equal(chat_stream_count(scene.trial.attempt.stream) > 0, cases[i].some);
        assert_false(scene.trial.outcome.retryable);
        assert_int_equal(scene.trial.failure.error, cases[i].error);
        assert_true(scene.trial.message[0] != '\0');
        scene_close(&scene);
    }
}

static void a_flaky_one_succeeds_the_second_time(void **state) {
    (void)state;
    for (int number = 1; number <= 2; number++) {
        struct scene scene;
        scene_open(&scene, "fennec:flaky", "", true);
        scene.trial.attempt.number = number;
        trial_run(&scene.trial, number == 1 ? TASK_ERROR_UNAVAILABLE : TASK_ERROR_NONE);
        assert_int_equal(scene.trial.outcome.retryable, number == 1);
        assert_int_equal(chat_stream_count(scene.trial.attempt.stream) > 0, number == 2);
        scene_close(&scene);
    }
}

/* At a given pace the tokens come one after the other, so that there is a moment between two. */
static void a_pace_can_be_asked_for(void **state) {
    (void)state;
    struct scene scene;
    scene_open(&scene, "fennec:rate=100 fennec:tokens=20", "", true);
    trial_run(&scene.trial, TASK_ERROR_NONE);
    assert_int_equal(scene.trial.outcome.tokens.output, 20);
    scene_close(&scene);

    scene_open(&scene, "fennec:rate=10 fennec:tokens=9000", "", true); /* a quarter of an hour */
    trial_start(&scene.trial);
    trial_await_chunks(&scene.trial, 1);
    assert_true(chat_stream_count(scene.trial.attempt.stream) < 9001);
    chat_simulator.cancel(scene.house.driver, &scene.trial.attempt);
    assert_int_equal(scene.trial.done, 1);
    scene_close(&scene);
}

static void one_that_never_ends_can_be_stopped(void **state) {
    (void)state;
    for (unsigned keeps = 0; keeps < 2; keeps++) {
        struct scene scene;
        scene_open(&scene, "fennec:never", "", true);
        trial_start(&scene.trial);
        trial_await_chunks(&scene.trial, 25);
        scene.trial.attempt.keeps_partial = keeps;
        chat_simulator.cancel(scene.house.driver, &scene.trial.attempt);
        assert_int_equal(scene.trial.done, 1);
        chat_simulator.cancel(scene.house.driver, &scene.trial.attempt);
        assert_int_equal(scene.trial.done, 1);
        assert_int_equal(scene.trial.outcome.error, keeps ? TASK_ERROR_NONE : TASK_ERROR_CANCELLED);
        assert_int_equal(scene.trial.outcome.despite_cancel, keeps);
        if (keeps) {
            json_t *completion = trial_completion(&scene.trial);
            assert_int_equal(usage_of(completion, "completion_tokens"), 25);
            assert_null(reason_of(completion, 0));
            json_decref(completion);
        }
        scene_close(&scene);
    }
}

static void a_log_that_is_full_ends_it(void **state) {
    (void)state;
    struct scene scene;
    scene_open(&scene, "fennec:tokens=500", "", true);
    chat_stream_unref(scene.trial.attempt.stream);
    scene.trial.attempt.stream = chat_stream_new(&(struct chat_stream_options){ .bytes_max = 5000 });
    trial_run(&scene.trial, TASK_ERROR_SERVICE);
    assert_true(chat_stream_bytes(scene.trial.attempt.stream) <= 5000);
    scene_close(&scene);
}

int test_simulator(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_answer_repeats_what_was_said),
        cmocka_unit_test(chunks_are_openais),
        cmocka_unit_test(limits_are_honoured),
        cmocka_unit_test(a_tool_is_called),
        cmocka_unit_test(reasoning_is_in_the_chunks_alone),
        cmocka_unit_test(it_fails_as_it_is_asked_to),
        cmocka_unit_test(a_flaky_one_succeeds_the_second_time),
        cmocka_unit_test(a_pace_can_be_asked_for),
        cmocka_unit_test(one_that_never_ends_can_be_stopped),
        cmocka_unit_test(a_log_that_is_full_ends_it),
    };
    return cmocka_run_group_tests_name("simulator", tests, NULL, NULL);
}
