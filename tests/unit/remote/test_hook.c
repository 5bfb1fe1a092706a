/* Webhooks: early, late, forged, and for somebody else. */
#include <jansson.h>
#include <stdlib.h>

#include "adapters.h"
#include "base/clock.h"
#include "base/compiler.h"
#include "base/memory.h"
#include "trial.h"

#define HOOKED                                                                                                         \
    QUEUE_SLOW                                                                                                         \
    "hook = function(event)\n"                                                                                         \
    "  if event.json.challenge then return { reply = { challenge = event.json.challenge } } end\n"                     \
    "  if event.json.odd then error('odd') end\n"                                                                      \
    "  if event.json.failed then return { id = event.json.id, error = { code = 'generation_failed' } } end\n"          \
    "  return { id = event.json.id, status = event.json.status, output = event.json.output,\n"                         \
    "    progress = event.json.progress } end,\n"

static struct scene *waiting(const char *adapter) {
    struct scene *scene = scene_open(adapter);
    scene_reply(scene, SUBMIT, 200, ACCEPTED);
    scene_reply(scene, POLL, 200, "{\"status\":\"DONE\"}");
    scene_reply(scene, RESULT, 200, "{\"from\":\"question\"}");
    trial_start(&scene->trial);
    trial_await_taken(&scene->trial);
    return scene;
}

static json_t *call(struct scene *scene, const char *body, bool verified) {
    json_t *event = json_pack("{s:{}, s:o}", "headers", "json", json_loads(body, 0, NULL));
    json_t *reply = remote_driver.hook(scene->house.driver, &scene->trial.attempt,
                                       &(struct hook_event){ .event = event, .verified = verified });
    assert_null(json_object_get(event, "verified")); /* the engine's own is not changed */
    json_decref(event);
    return reply;
}

#define COMPLETED "{\"id\":\"job-1\",\"status\":\"DONE\",\"output\":{\"from\":\"event\"}}"

static void an_event_that_is_surely_theirs_is_an_answer(void **state) {
    (void)state;
    struct scene *scene = waiting(HOOKED);
    assert_null(call(scene, COMPLETED, true));
    assert_int_equal(scene->trial.done, 1);
    assert_string_equal(json_string_value(json_object_get(scene->trial.output, "from")), "event");
    assert_int_equal(scene_count(scene, POLL), 0);
    assert_null(call(scene, COMPLETED, true)); /* once more: nobody is there */
    scene_close(scene);
}

static void any_other_event_is_a_reason_to_ask(void **state) {
    (void)state;
    static const struct {
        const char *body;
        bool verified;
    } rows[] = {
        { COMPLETED, false },
        { "{\"id\":\"job-1\",\"failed\":true}", false },
        { "{\"id\":\"job-2\",\"status\":\"DONE\",\"output\":{\"from\":\"event\"}}", true }, /* replayed from another */
        { "{\"id\":\"job-2\",\"failed\":true}", true },
        { "{\"id\":\"job-1\",\"status\":\"DONE\"}", true },
        { "{\"id\":\"job-1\",\"status\":\"RUNS\",\"progress\":70}", true },
        { "{\"odd\":true}", true },
        { "{}", true },
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct scene *scene = waiting(HOOKED);
        json_decref(call(scene, rows[i].body, rows[i].verified));
        assert_int_equal(scene->trial.done, 0);
        trial_await_done(&scene->trial);
        assert_int_equal(scene->trial.outcome.error, TASK_ERROR_NONE);
        assert_string_equal(json_string_value(json_object_get(scene->trial.output, "from")), "question");
        assert_int_equal(scene_count(scene, POLL), 1);
        scene_close(scene);
    }
}

static void a_failure_that_is_surely_theirs_ends_it(void **state) {
    (void)state;
    struct scene *scene = waiting(HOOKED);
    assert_null(call(scene, "{\"id\":\"job-1\",\"failed\":true}", true));
    assert_int_equal(scene->trial.done, 1);
    assert_int_equal(scene->trial.outcome.error, TASK_ERROR_GENERATION_FAILED);
    assert_int_equal(scene->trial.outcome.fate, JOB_ENDED);
    scene_close(scene);
}

static void an_adapter_without_hook_is_asked_as_well(void **state) {
    (void)state;
    struct scene *scene = waiting(QUEUE_SLOW);
    assert_null(call(scene, COMPLETED, true));
    trial_await_done(&scene->trial);
    assert_int_equal(scene_count(scene, POLL), 1);
    scene_close(scene);
}

static void a_challenge_is_answered(void **state) {
    (void)state;
    struct scene *scene = waiting(HOOKED);
    json_t *reply = call(scene, "{\"challenge\":\"abc\"}", false);
    assert_string_equal(json_string_value(json_object_get(reply, "challenge")), "abc");
    json_decref(reply);
    trial_await_done(&scene->trial);
    scene_close(scene);
}

static void an_event_before_the_id_is_remembered(void **state) {
    (void)state;
    struct scene *scene = scene_open(HOOKED);
    fake_reply_held(scene->house.service, SUBMIT, 200, ACCEPTED);
    scene_reply(scene, POLL, 200, "{\"status\":\"DONE\"}");
    scene_reply(scene, RESULT, 200, "{}");
    trial_start(&scene->trial);
    house_await_count(&scene->house, SUBMIT, 1);
    assert_null(call(scene, COMPLETED, true)); /* whose id it is nobody can tell yet */
    assert_int_equal(scene->trial.done, 0);
    fake_release(scene->house.service);
    trial_await_done(&scene->trial); /* and not in an hour */
    assert_int_equal(scene->trial.outcome.error, TASK_ERROR_NONE);
    assert_int_equal(scene_count(scene, POLL), 1);
    scene_close(scene);
}

static void events_do_not_make_questions_denser_than_the_floor(void **state) {
    (void)state;
    struct scene *scene = scene_open(HOOKED);
    scene_reply(scene, SUBMIT, 200, ACCEPTED);
    scene_reply(scene, POLL, 200, "{\"status\":\"RUNS\"}");
    trial_start(&scene->trial);
    trial_await_taken(&scene->trial);
    int64_t begun_ms = clock_monotonic_ms();
    for (int i = 0; i < 200; i++) {
        assert_null(call(scene, "{\"id\":\"job-1\",\"status\":\"RUNS\"}", false));
        house_linger(&scene->house, 1);
    }
    /* a second of the fast clock between two, less a twentieth for whole milliseconds */
    assert_true(scene_count(scene, POLL) >= 1);
    assert_true(scene_count(scene, POLL) <= 1 + (clock_monotonic_ms() - begun_ms) / 950);
    remote_driver.leave(scene->house.driver, &scene->trial.attempt);
    scene_close(scene);
}

int test_hook(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_event_that_is_surely_theirs_is_an_answer),
        cmocka_unit_test(any_other_event_is_a_reason_to_ask),
        cmocka_unit_test(a_failure_that_is_surely_theirs_ends_it),
        cmocka_unit_test(an_adapter_without_hook_is_asked_as_well),
        cmocka_unit_test(a_challenge_is_answered),
        cmocka_unit_test(an_event_before_the_id_is_remembered),
        cmocka_unit_test(events_do_not_make_questions_denser_than_the_floor),
    };
    return cmocka_run_group_tests_name("hook", tests, NULL, NULL);
}
