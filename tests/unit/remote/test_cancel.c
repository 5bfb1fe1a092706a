/* Cancelling: the four answers, and what is paid is delivered. */
#include <jansson.h>
#include <stdlib.h>

#include "adapters.h"
#include "base/compiler.h"
#include "base/memory.h"
#include "trial.h"

#define CANCEL "PUT /jobs/job-1/cancel "
#define CANCELLABLE QUEUE_SLOW "cancel = function(job) return { put = '/jobs/' .. job.id .. '/cancel' } end,\n"
#define TELLING                                                                                                        \
    CANCELLABLE                                                                                                        \
    "cancelled = function(reply, job)\n"                                                                               \
    "  if job.id ~= 'job-1' then error('another job') end\n"                                                           \
    "  if reply.status == 200 or reply.status == 404 then\n"                                                           \
    "    return { error = { code = 'request_cancelled' } } end\n"                                                      \
    "  if reply.status == 202 then return { status = 'RUNS', delay = 2 } end\n"                                        \
    "  if reply.status == 400 then return { status = 'completed', next = { get = '/results/job-1' } } end\n"           \
    "end,\n"

static struct scene *running(const char *adapter) {
    struct scene *scene = scene_open(adapter);
    scene_reply(scene, SUBMIT, 200, ACCEPTED);
    trial_start(&scene->trial);
    trial_await_taken(&scene->trial);
    return scene;
}

static void cancel(struct scene *scene) {
    remote_driver.cancel(scene->house.driver, &scene->trial.attempt);
}

static void the_adapter_tells_the_answers_apart(void **state) {
    (void)state;
    static const struct {
        int status;
        bool delivered;
        unsigned asked;
    } rows[] = { { 200, false, 0 }, { 404, false, 0 }, { 202, true, 1 }, { 400, true, 0 }, { 409, true, 1 } };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct scene *scene = running(TELLING);
        scene_reply(scene, CANCEL, rows[i].status, "{}");
        scene_reply(scene, POLL, 200, "{\"status\":\"DONE\"}");
        scene_reply(scene, RESULT, 200, "{\"n\":7}");
        cancel(scene);
        trial_await_done(&scene->trial);
        assert_int_equal(scene->trial.outcome.error, rows[i].delivered ? TASK_ERROR_NONE : TASK_ERROR_CANCELLED);
        assert_int_equal(scene->trial.outcome.despite_cancel, rows[i].delivered);
        assert_int_equal(scene->trial.outcome.fate, JOB_ENDED);
        assert_int_equal(scene_count(scene, POLL), rows[i].asked);
        assert_int_equal(scene_count(scene, CANCEL), 1);
        scene_close(scene);
    }
}

static void without_its_word_the_job_is_asked(void **state) {
    (void)state;
    static const int statuses[] = { 200, 204, 202, 400, 409, 404 };
    for (size_t i = 0; i < ARRAY_SIZE(statuses); i++) {
        struct scene *scene = running(CANCELLABLE);
        scene_reply(scene, CANCEL, statuses[i], statuses[i] == 204 ? "" : "{}");
        scene_reply(scene, POLL, i % 2 ? 404 : 200, i % 2 ? "{}" : "{\"status\":\"BROKE\"}");
        cancel(scene);
        trial_await_done(&scene->trial);
        assert_int_equal(scene->trial.outcome.error, TASK_ERROR_CANCELLED);
        assert_false(scene->trial.outcome.retryable);
        assert_int_equal(scene_count(scene, POLL), i % 2 ? 2 : 1);
        scene_close(scene);
    }
}

static void a_cancel_that_did_not_arrive_is_sent_again(void **state) {
    (void)state;
    struct scene *scene = running(TELLING);
    scene_reply(scene, CANCEL, 503, "{}");
    fake_bytes(scene->house.service, CANCEL, "", FAKE_CLOSE);
    scene_reply(scene, CANCEL, 200, "{}");
    cancel(scene);
    trial_await_done(&scene->trial);
    assert_int_equal(scene->trial.outcome.error, TASK_ERROR_CANCELLED);
    assert_in_range(scene_count(scene, CANCEL), 2, 3);
    scene_close(scene);
}

static void a_cancel_that_never_arrives_leaves_the_job_to_its_end(void **state) {
    (void)state;
    struct scene *scene = running(TELLING);
    scene_reply(scene, CANCEL, 503, "{}");
    scene_reply(scene, POLL, 200, "{\"status\":\"DONE\"}");
    scene_reply(scene, RESULT, 200, "{}");
    cancel(scene);
    trial_await_done(&scene->trial);
    assert_int_equal(scene->trial.outcome.error, TASK_ERROR_NONE);
    assert_true(scene->trial.outcome.despite_cancel);
    assert_in_range(scene_count(scene, CANCEL), 1, 3);
    scene_close(scene);
}

static void what_cannot_be_cancelled_is_delivered(void **state) {
    (void)state;
    static const char *const adapters[] = { QUEUE, QUEUE "cancel = function() return nil end,\n" };
    for (size_t i = 0; i < ARRAY_SIZE(adapters); i++) {
        struct scene *scene = running(adapters[i]);
        scene_reply(scene, POLL, 200, "{\"status\":\"RUNS\"}");
        scene_reply(scene, POLL, 200, "{\"status\":\"DONE\"}");
        scene_reply(scene, RESULT, 200, "{}");
        cancel(scene);
        trial_await_done(&scene->trial);
        assert_int_equal(scene->trial.outcome.error, TASK_ERROR_NONE);
        assert_true(scene->trial.outcome.despite_cancel);
        scene_close(scene);
    }
}

static void a_second_cancel_ends_it_now(void **state) {
    (void)state;
    struct scene *scene = running(QUEUE_SLOW);
    cancel(scene);
    assert_int_equal(scene->trial.done, 0);
    cancel(scene);
    assert_int_equal(scene->trial.done, 1);
    assert_int_equal(scene->trial.outcome.error, TASK_ERROR_CANCELLED);
    assert_int_equal(scene->trial.outcome.fate, JOB_ENDED);
    cancel(scene); /* it is gone, and nothing happens */
    scene_close(scene);
}

static void a_submission_under_way_is_waited_for_and_then_cancelled(void **state) {
    (void)state;
    struct scene *scene = scene_open(TELLING);
    fake_reply_held(scene->house.service, SUBMIT, 200, ACCEPTED);
    scene_reply(scene, CANCEL, 200, "{}");
    trial_start(&scene->trial);
    house_await_count(&scene->house, SUBMIT, 1);
    cancel(scene);
    house_linger(&scene->house, 20);
    assert_int_equal(scene->trial.done, 0);
    fake_release(scene->house.service);
    trial_await_done(&scene->trial);
    assert_int_equal(scene->trial.taken, 1);
    assert_int_equal(scene->trial.outcome.error, TASK_ERROR_CANCELLED);
    assert_int_equal(scene_count(scene, CANCEL), 1);
    assert_int_equal(scene_count(scene, POLL), 0);
    scene_close(scene);
}

static void a_submission_given_up_twice_is_of_unknown_fate(void **state) {
    (void)state;
    struct scene *scene = scene_open(TELLING);
    fake_reply_held(scene->house.service, SUBMIT, 200, ACCEPTED);
    trial_start(&scene->trial);
    house_await_count(&scene->house, SUBMIT, 1);
    cancel(scene);
    cancel(scene);
    assert_int_equal(scene->trial.done, 1);
    assert_int_equal(scene->trial.outcome.error, TASK_ERROR_CANCELLED);
    assert_int_equal(scene->trial.outcome.fate, JOB_UNKNOWN);
    scene_close(scene);
}

static void what_has_not_begun_is_gone_at_once(void **state) {
    (void)state;
    struct scene *scene = scene_open(TELLING);
    trial_start(&scene->trial);
    cancel(scene);
    assert_int_equal(scene->trial.done, 1);
    assert_int_equal(scene->trial.outcome.error, TASK_ERROR_CANCELLED);
    assert_int_equal(scene->trial.outcome.fate, JOB_NOT_MADE);
    house_linger(&scene->house, 20);
    assert_int_equal(scene_count(scene, ""), 0);
    scene_close(scene);
}

static void nothing_is_submitted_again_for_a_cancelled_task(void **state) {
    (void)state;
    struct scene *scene = scene_open(TELLING "idempotency = 'Idempotency-Key',\n");
    fake_bytes(scene->house.service, SUBMIT, "", FAKE_HOLD);
    trial_start(&scene->trial);
    house_await_count(&scene->house, SUBMIT, 1);
    cancel(scene);
    fake_release(scene->house.service); /* the connection closes without a reply */
    trial_await_done(&scene->trial);
    assert_int_equal(scene->trial.outcome.error, TASK_ERROR_CANCELLED);
    assert_int_equal(scene->trial.outcome.fate, JOB_UNKNOWN);
    assert_int_equal(scene_count(scene, SUBMIT), 1);
    scene_close(scene);
}

static bool has_a_file(void *context) {
    return house_reply_files(context) == 1;
}

static bool has_no_file(void *context) {
    return house_reply_files(context) == 0;
}

static void a_file_on_its_way_goes_with_its_job(void **state) {
    (void)state;
    struct scene *scene = scene_open("url = 'https://queue.example',\n"
                                     "submit = function() return { post = '/jobs' } end,\n"
                                     "accepted = function() return { id = 'job-1', next = { get = '/file', binary = true } } end,\n"
                                     "poll = function() return { get = '/poll' } end,\n"
                                     "polled = function() return { state = 'working' } end,\n"
                                     "output = function(reply) return { output = { file = reply.file } } end");
    scene_reply(scene, SUBMIT, 200, "{}");
    fake_bytes(scene->house.service, "GET /file", "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf", FAKE_HOLD);
    trial_start(&scene->trial);
    house_await(&scene->house, has_a_file, &scene->house);
    remote_driver.leave(scene->house.driver, &scene->trial.attempt);
    assert_int_equal(scene->trial.done, 1);
    house_await(&scene->house, has_no_file, &scene->house);
    assert_int_equal(scene->trial.directories, 0);
    scene_close(scene);
}

int test_cancel(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_adapter_tells_the_answers_apart),
        cmocka_unit_test(without_its_word_the_job_is_asked),
        cmocka_unit_test(a_cancel_that_did_not_arrive_is_sent_again),
        cmocka_unit_test(a_cancel_that_never_arrives_leaves_the_job_to_its_end),
        cmocka_unit_test(what_cannot_be_cancelled_is_delivered),
        cmocka_unit_test(a_second_cancel_ends_it_now),
        cmocka_unit_test(a_submission_under_way_is_waited_for_and_then_cancelled),
        cmocka_unit_test(a_submission_given_up_twice_is_of_unknown_fate),
        cmocka_unit_test(what_has_not_begun_is_gone_at_once),
        cmocka_unit_test(nothing_is_submitted_again_for_a_cancelled_task),
        cmocka_unit_test(a_file_on_its_way_goes_with_its_job),
    };
    return cmocka_run_group_tests_name("cancel", tests, NULL, NULL);
}
