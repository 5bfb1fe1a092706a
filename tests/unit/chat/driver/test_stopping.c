/* Calls that are stopped: by their client, by time, by the server's end. */
#include <jansson.h>
#include <stdlib.h>

#include "base/compiler.h"
#include "events.h"
#include "trial.h"

struct scene {
    struct house house;
    struct trial trial;
};

/* A call whose service has said `events` and says nothing more. */
static void scene_open(struct scene *scene, bool streams, const char *events, unsigned chunks) {
    house_open(&scene->house, "openai");
    trial_init(&scene->trial, &scene->house, HELLO, streams);
    house_stream(&scene->house, CHAT, events, FAKE_HOLD);
    trial_start(&scene->trial);
    house_await_count(&scene->house, CHAT, 1);
    trial_await_chunks(&scene->trial, chunks);
}

static void scene_close(struct scene *scene) {
    trial_fini(&scene->trial);
    house_close(&scene->house);
}

static void before_the_first_chunk_nothing_is_left(void **state) {
    (void)state;
    for (unsigned i = 0; i < 4; i++) {
        struct scene scene;
        scene_open(&scene, i % 2, "", 0);
        scene.trial.attempt.keeps_partial = i / 2;
        chat_driver.cancel(scene.house.driver, &scene.trial.attempt);
        assert_int_equal(scene.trial.done, 1);
        assert_int_equal(scene.trial.outcome.error, TASK_ERROR_CANCELLED);
        assert_false(scene.trial.outcome.retryable);
        chat_driver.cancel(scene.house.driver, &scene.trial.attempt); /* too late */
        assert_int_equal(scene.trial.done, 1);
        scene_close(&scene);
    }
}

/* Though its connection is still waited for. */
static void a_whole_answer_is_not_thrown_away(void **state) {
    (void)state;
    for (unsigned i = 0; i < 2; i++) {
        struct scene scene;
        scene_open(&scene, true, EVENT(FIRST) EVENT(LAST) "data: [DONE]\n\n", 2);
        (i == 0 ? chat_driver.leave : chat_driver.cancel)(scene.house.driver, &scene.trial.attempt);
        assert_int_equal(scene.trial.done, 1);
        assert_int_equal(scene.trial.outcome.error, TASK_ERROR_NONE);
        assert_false(scene.trial.outcome.despite_cancel);
        scene_close(&scene);
    }
}

static void what_was_written_is_kept_where_that_is_wanted(void **state) {
    (void)state;
    struct scene scene;
    scene_open(&scene, true, EVENT(FIRST) EVENT(SECOND), 2);
    scene.trial.attempt.keeps_partial = true;
    chat_driver.cancel(scene.house.driver, &scene.trial.attempt);
    assert_int_equal(scene.trial.done, 1);
    assert_int_equal(scene.trial.outcome.error, TASK_ERROR_NONE);
    assert_true(scene.trial.outcome.despite_cancel);
    json_t *completion = trial_completion(&scene.trial);
    const json_t *choice = json_array_get(json_object_get(completion, "choices"), 0);
    assert_string_equal(json_string_value(json_object_get(json_object_get(choice, "message"), "content")),
                        "Hello, desert.");
    assert_true(json_is_null(json_object_get(choice, "finish_reason")));
    assert_true(json_is_true(json_object_get(json_object_get(completion, "usage"), "estimated")));
    assert_true(scene.trial.outcome.tokens.estimated && scene.trial.outcome.tokens.output > 0 &&
                scene.trial.outcome.tokens.input > 0);
    json_decref(completion);
    scene_close(&scene);
}

static bool has_all_chunks(void *context) {
    struct scene *scene = context;
    return chat_stream_count(scene->trial.attempt.stream) == 3;
}

/* All was said, and counted by the service: that its connection is still open for a moment changes nothing. */
static void what_was_said_whole_is_kept_whole(void **state) {
    (void)state;
    struct scene scene;
    house_open(&scene.house, "openai");
    trial_init(&scene.trial, &scene.house, HELLO, true);
    scene.trial.attempt.keeps_partial = true;
    house_stream(&scene.house, CHAT, EVENT(FIRST) EVENT(SECOND) EVENT(USAGE) EVENT(LAST) "data: [DONE]\n\n", FAKE_HOLD);
    trial_start(&scene.trial);
    house_await(&scene.house, has_all_chunks, &scene);
    chat_driver.cancel(scene.house.driver, &scene.trial.attempt); /* or it has ended by itself */
    assert_int_equal(scene.trial.done, 1);
    assert_int_equal(scene.trial.outcome.error, TASK_ERROR_NONE);
    assert_false(scene.trial.outcome.tokens.estimated);
    assert_int_equal(scene.trial.outcome.tokens.output, 4);
    scene_close(&scene);
}

static void what_was_written_goes_where_it_is_not(void **state) {
    (void)state;
    struct scene scene;
    scene_open(&scene, true, EVENT(FIRST), 1);
    chat_driver.cancel(scene.house.driver, &scene.trial.attempt);
    assert_int_equal(scene.trial.done, 1);
    assert_int_equal(scene.trial.outcome.error, TASK_ERROR_CANCELLED);
    scene_close(&scene);
}

static void at_the_servers_stop_the_call_ends(void **state) {
    (void)state;
    struct scene scene;
    scene_open(&scene, true, EVENT(FIRST), 1);
    chat_driver.leave(scene.house.driver, &scene.trial.attempt);
    assert_int_equal(scene.trial.done, 1);
    assert_int_equal(scene.trial.outcome.error, TASK_ERROR_UNAVAILABLE);
    assert_int_equal(scene.trial.outcome.fate, JOB_ENDED);
    scene_close(&scene);
}

/* So many times as long is waited where a busy machine kept the request, or what follows it, from its time. */
#define MUCH 40

static void silence_in_a_stream_ends_it(void **state) {
    (void)state;
    static const struct {
        const char *events;
        enum job_fate fate;
    } cases[] = { { EVENT(FIRST), JOB_ENDED }, { ": wait\n\n", JOB_UNKNOWN } };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        bool came = false;
        for (unsigned idle_s = 1; idle_s <= MUCH && !came; idle_s *= MUCH) {
            struct scene scene;
            house_open(&scene.house, "openai");
            scene.house.config.llm_idle_s = idle_s;
            trial_init(&scene.trial, &scene.house, HELLO, true);
            house_stream(&scene.house, CHAT, cases[i].events, FAKE_HOLD);
            trial_run(&scene.trial, TASK_ERROR_TIMEOUT);
            came = cases[i].fate == JOB_ENDED ? chat_stream_count(scene.trial.attempt.stream) > 0
                                              : fake_count(scene.house.service, CHAT) > 0;
            assert_true(!came || scene.trial.outcome.fate == cases[i].fate);
            assert_true(!came || !scene.trial.outcome.retryable);
            scene_close(&scene);
        }
        assert_true(came);
    }
}

static void an_answer_may_take_so_long_and_no_longer(void **state) {
    (void)state;
    for (unsigned i = 0; i < 3; i++) {
        unsigned asked = 0;
        for (unsigned seconds = 1; seconds <= MUCH && asked == 0; seconds *= MUCH) {
            struct scene scene;
            house_open(&scene.house, "openai");
            scene.house.config.llm_duration_s = i == 2 ? 600 : seconds;
            trial_init(&scene.trial, &scene.house, HELLO, i == 1);
            scene.trial.attempt.timeout_ms = i == 2 ? 500 * (int64_t)seconds : 600000;
            house_stream(&scene.house, CHAT, "", FAKE_HOLD);
            trial_run(&scene.trial, TASK_ERROR_TIMEOUT);
            asked = fake_count(scene.house.service, CHAT);
            assert_true(asked == 0 || scene.trial.outcome.fate == JOB_UNKNOWN);
            assert_true(asked == 0 || !scene.trial.outcome.retryable);
            scene_close(&scene);
        }
        assert_int_equal(asked, 1);
    }
}

int test_stopping(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(before_the_first_chunk_nothing_is_left),
        cmocka_unit_test(a_whole_answer_is_not_thrown_away),
        cmocka_unit_test(what_was_written_is_kept_where_that_is_wanted),
        cmocka_unit_test(what_was_said_whole_is_kept_whole),
        cmocka_unit_test(what_was_written_goes_where_it_is_not),
        cmocka_unit_test(at_the_servers_stop_the_call_ends),
        cmocka_unit_test(silence_in_a_stream_ends_it),
        cmocka_unit_test(an_answer_may_take_so_long_and_no_longer),
    };
    return cmocka_run_group_tests_name("stopping", tests, NULL, NULL);
}
