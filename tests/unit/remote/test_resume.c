/* Leaving jobs alone and taking them up again. */
#include <jansson.h>
#include <stdlib.h>

#include "adapters.h"
#include "base/compiler.h"
#include "base/memory.h"
#include "trial.h"

#define FOUND                                                                                                          \
    "lookup = function(task) return { get = '/find/' .. task.external_id } end,\n"                                     \
    "found = function(reply) if reply.json.none then return nil end return { id = reply.json.id } end,\n"
#define FIND "GET /find/" TRIAL_SUBMISSION " "

#define A_DAY_MS 86400000

static enum err resume(struct scene *scene) {
    struct fault fault = { 0 };
    enum err err = remote_driver.resume(scene->house.driver, &scene->trial.attempt, &fault);
    assert_int_equal(scene->trial.done, 0);
    assert_true(err == OK || fault.message[0]);
    return err;
}

static void a_known_job_goes_on_with_what_was_kept(void **state) {
    (void)state;
    struct scene *scene = scene_open(
        "url = 'https://queue.example', poll_min = 0.1,\n"
        "submit = function() return { post = '/jobs' } end, accepted = function() return { id = 'x' } end,\n"
        "poll = function(job) return { get = '/at/' .. job.state.place .. '/' .. job.id, query = { step = job.step,\n"
        "  whole = job.task.input ~= nil, target = job.task.target } } end,\n"
        "polled = function(reply) return { output = reply.json } end");
    scene->trial.attempt.remote = "models/a/7";
    scene->trial.attempt.kept = "{\"state\":{\"place\":\"here\"},\"step\":\"second\"}";
    scene_reply(scene, "GET /at/here/models/a/7?", 200, "{\"n\":7}");
    assert_int_equal(resume(scene), OK);
    trial_await_done(&scene->trial);
    assert_int_equal(scene->trial.outcome.error, TASK_ERROR_NONE);
    char *request = fake_request(scene->house.service, "GET ", 0);
    assert_non_null(strstr(request, "step=second"));
    assert_non_null(strstr(request, "whole=false")); /* a resumed job has no input, so no job has */
    assert_non_null(strstr(request, "target=maker%2Fmodel"));
    assert_int_equal(scene->trial.taken, 0);
    free(request);
    scene_close(scene);
}

/* What is kept has the job's id and the service's address in it, and stays as it was when the id becomes another one. */
static void what_was_kept_comes_back_as_it_was(void **state) {
    (void)state;
    char kept[512], told[512];
    struct scene *scene = scene_open(
        "url = 'https://queue.example', poll_min = 0.1, statuses = { RUNS = 'processing' },\n"
        "submit = function() return { post = '/jobs' } end, accepted = function() return { id = 'x' } end,\n"
        "poll = function(job) return { get = '/at', query = { a = job.state.a, b = job.state.b, id = job.id } } end,\n"
        "polled = function(reply) if reply.json.id then return { id = reply.json.id, status = 'RUNS' } end\n"
        "  return { output = reply.json } end");
    snprintf(kept, sizeof(kept), "{\"state\":{\"a\":\"%s/jobs/req-77/req-7\",\"b\":\"req-7req-77req-99\"}}",
             scene->house.url);
    scene->trial.attempt.remote = "req-77";
    scene->trial.attempt.kept = kept;
    scene_reply(scene, "GET /at?", 200, "{\"id\":\"req-99\"}");
    scene_reply(scene, "GET /at?", 200, "{\"n\":7}");
    assert_int_equal(resume(scene), OK);
    snprintf(told, sizeof(told), "%s", kept);
    trial_await_done(&scene->trial);
    assert_int_equal(scene->trial.outcome.error, TASK_ERROR_NONE);
    for (unsigned i = 0; i < 2; i++) {
        char *request = fake_request(scene->house.service, "GET /at?", i);
        assert_non_null(strstr(request, "%2Fjobs%2Freq-77%2Freq-7"));
        assert_non_null(strstr(request, "b=req-7req-77req-99"));
        assert_non_null(strstr(request, i == 0 ? "id=req-77" : "id=req-99"));
        free(request);
    }
    assert_string_equal(scene->trial.remote, "req-99");
    assert_string_equal(scene->trial.kept, told);
    scene_close(scene);
}

static void a_job_whose_route_is_gone_goes_on(void **state) {
    (void)state;
    struct scene *scene = scene_open(QUEUE);
    scene->trial.attempt.remote = "job-1";
    scene->trial.attempt.route = NULL;
    scene->trial.attempt.input = NULL;
    scene_reply(scene, POLL, 200, "{\"status\":\"DONE\"}");
    scene_reply(scene, RESULT, 200, "{}");
    assert_int_equal(resume(scene), OK);
    trial_await_done(&scene->trial);
    assert_int_equal(scene->trial.outcome.error, TASK_ERROR_NONE);
    scene_close(scene);
}

/* The attempt that it wakes in: the same, without what comes with a start or a resume. Its service says that the job runs:
 * so one whose question is under way already, on a busy machine, sleeps after that. */
static void sleep_and_wake(struct scene *scene) {
    int64_t wait_ms = -1;
    struct attempt *attempt = &scene->trial.attempt;
    struct sleeper *sleeper = remote_driver.sleep(scene->house.driver, attempt, 0, &wait_ms);
    for (int tries = 0; sleeper == NULL && tries < 1000; tries++) {
        house_linger(&scene->house, 1);
        sleeper = remote_driver.sleep(scene->house.driver, attempt, 0, &wait_ms);
    }
    assert_non_null(sleeper);
    assert_true(wait_ms >= 0);
    assert_null(attempt->driver_data);
    attempt->input = NULL;
    attempt->remote = attempt->kept = NULL;
    unsigned asked = scene_count(scene, "GET ");
    house_linger(&scene->house, 150); /* its question would be due: nobody asks */
    assert_int_equal(scene_count(scene, "GET "), asked);
    remote_driver.wake(scene->house.driver, attempt, sleeper);
    assert_non_null(attempt->driver_data);
}

static void a_job_that_slept_goes_on_as_it_was(void **state) {
    (void)state;
    struct scene *scene = scene_open(
        "url = 'https://queue.example', poll_min = 0.1, statuses = { RUNS = 'processing' },\n"
        "submit = function() return { post = '/jobs' } end,\n"
        "accepted = function() return { id = 'job-1', state = { place = 'here' }, step = 'second' } end,\n"
        "poll = function(job) return { get = '/at/' .. job.state.place .. '/' .. job.id,\n"
        "  query = { step = job.step, key = job.task.external_id } } end,\n"
        "polled = function(reply) if reply.json.runs then return { status = 'RUNS' } end\n"
        "  return { output = reply.json } end");
    scene_reply(scene, SUBMIT, 200, "{}");
    scene_reply(scene, "GET /at/here/job-1?", 200, "{\"runs\":true}");
    trial_start(&scene->trial);
    trial_await_taken(&scene->trial);
    sleep_and_wake(scene);
    scene_reply(scene, "GET /at/here/job-1?", 200, "{\"n\":7}");
    trial_await_done(&scene->trial);
    assert_int_equal(scene->trial.outcome.error, TASK_ERROR_NONE);
    assert_int_equal(scene->trial.taken, 1); /* nothing has changed */
    for (unsigned i = 0; i < 2; i++) {
        char *request = fake_request(scene->house.service, "GET /at/", i);
        assert_non_null(strstr(request, "step=second"));
        assert_non_null(strstr(request, "key=" TRIAL_SUBMISSION));
        free(request);
    }
    assert_int_equal(scene_count(scene, SUBMIT), 1);
    scene_close(scene);
}

static void what_is_under_way_does_not_sleep(void **state) {
    (void)state;
    int64_t wait_ms;
    struct scene *scene = scene_open(QUEUE);
    struct attempt *attempt = &scene->trial.attempt;
    scene_reply(scene, SUBMIT, 200, ACCEPTED);
    trial_start(&scene->trial);
    assert_null(remote_driver.sleep(scene->house.driver, attempt, 0, &wait_ms)); /* T3: not before it has an id */
    trial_await_taken(&scene->trial);
    assert_null(remote_driver.sleep(scene->house.driver, attempt, 3600000, &wait_ms)); /* its question comes sooner */
    remote_driver.refresh(scene->house.driver, attempt);
    assert_null(remote_driver.sleep(scene->house.driver, attempt, 0, &wait_ms)); /* somebody waits for the answer */
    scene_reply(scene, POLL, 200, "{\"status\":\"DONE\"}");
    scene_reply(scene, RESULT, 200, "{}");
    trial_await_done(&scene->trial);
    assert_null(remote_driver.sleep(scene->house.driver, attempt, 0, &wait_ms)); /* it is over */
    scene_close(scene);
}

static void a_job_that_slept_is_left_as_one_that_is_known(void **state) {
    (void)state;
    struct scene *scene = scene_open(QUEUE);
    scene_reply(scene, SUBMIT, 200, ACCEPTED);
    scene_reply(scene, POLL, 200, "{\"status\":\"RUNS\"}");
    trial_start(&scene->trial);
    trial_await_taken(&scene->trial);
    sleep_and_wake(scene);
    remote_driver.leave(scene->house.driver, &scene->trial.attempt);
    assert_int_equal(scene->trial.done, 1);
    assert_int_equal(scene->trial.outcome.fate, JOB_ENDED); /* it is known that there is a job */
    scene_close(scene);
}

static void nobody_knows_what_cannot_be_found_out(void **state) {
    (void)state;
    struct scene *scene = scene_open(QUEUE);
    assert_int_equal(resume(scene), ERR_NOT_FOUND);
    scene_close(scene);
    scene = scene_open(QUEUE "idempotency = 'Idempotency-Key',\n");
    scene->trial.attempt.input = NULL; /* it would not be the same again */
    assert_int_equal(resume(scene), ERR_NOT_FOUND);
    house_linger(&scene->house, 20);
    assert_int_equal(scene_count(scene, ""), 0);
    scene_close(scene);
    scene = scene_open("url = 'https://queue.example', submit = function() return { post = '/x' } end,\n"
                       "accepted = function() return { output = {} } end");
    scene->trial.attempt.remote = "job-1"; /* and no way to ask */
    assert_int_equal(resume(scene), ERR_NOT_FOUND);
    scene_close(scene);
    scene = scene_open(QUEUE);
    scene->trial.attempt.provider = "nobody";
    assert_int_equal(resume(scene), ERR_NO_COMPATIBLE_CHANNEL);
    scene_close(scene);
}

static void after_a_crash_the_job_is_looked_up(void **state) {
    (void)state;
    struct scene *scene = scene_open(QUEUE FOUND);
    scene->trial.attempt.input = NULL;
    scene_reply(scene, FIND, 200, ACCEPTED);
    scene_reply(scene, POLL, 200, "{\"status\":\"DONE\"}");
    scene_reply(scene, RESULT, 200, "{}");
    assert_int_equal(resume(scene), OK);
    trial_await_done(&scene->trial);
    assert_int_equal(scene->trial.outcome.error, TASK_ERROR_NONE);
    assert_string_equal(scene->trial.remote, "job-1");
    assert_int_equal(scene_count(scene, SUBMIT), 0);
    scene_close(scene);
}

static void after_a_crash_a_job_that_was_not_made_is_said_so(void **state) {
    (void)state;
    struct scene *scene = scene_open(QUEUE FOUND);
    scene_reply(scene, FIND, 200, "{\"none\":true}");
    assert_int_equal(resume(scene), OK);
    trial_await_done(&scene->trial);
    assert_int_equal(scene->trial.outcome.fate, JOB_NOT_MADE);
    assert_true(scene->trial.outcome.retryable);
    assert_int_equal(scene_count(scene, SUBMIT), 0);
    scene_close(scene);
}

static void after_a_crash_the_same_is_sent_again_where_that_is_harmless(void **state) {
    (void)state;
    struct scene *scene = scene_open(QUEUE "idempotency = 'Idempotency-Key',\n");
    scene_reply(scene, SUBMIT, 200, ACCEPTED);
    scene_reply(scene, POLL, 200, "{\"status\":\"DONE\"}");
    scene_reply(scene, RESULT, 200, "{}");
    assert_int_equal(resume(scene), OK);
    trial_await_done(&scene->trial);
    assert_int_equal(scene->trial.outcome.error, TASK_ERROR_NONE);
    assert_int_equal(scene_count(scene, SUBMIT), 1);
    char *request = fake_request(scene->house.service, SUBMIT, 0);
    assert_non_null(strstr(request, "Idempotency-Key: " TRIAL_SUBMISSION "\r\n"));
    free(request);
    scene_close(scene);
}

static void after_a_crash_a_refusal_says_nothing_of_the_first(void **state) {
    (void)state;
    struct scene *scene = scene_open(QUEUE "idempotency = 'Idempotency-Key',\n");
    scene_reply(scene, SUBMIT, 422, "{}");
    assert_int_equal(resume(scene), OK);
    trial_await_done(&scene->trial);
    assert_int_equal(scene->trial.outcome.error, TASK_ERROR_SUBMISSION_UNKNOWN);
    assert_int_equal(scene->trial.outcome.fate, JOB_UNKNOWN);
    scene_close(scene);
}

/* T3: services forget names and lists of submissions. */
static void long_after_a_crash_nothing_is_made_again(void **state) {
    (void)state;
    struct scene *scene = scene_open(QUEUE "idempotency = 'Idempotency-Key',\n");
    scene->trial.attempt.age_ms = A_DAY_MS;
    assert_int_equal(resume(scene), ERR_NOT_FOUND);
    assert_int_equal(scene_count(scene, SUBMIT), 0);
    scene_close(scene);

    scene = scene_open(QUEUE FOUND);
    scene->trial.attempt.age_ms = A_DAY_MS;
    scene_reply(scene, FIND, 200, "{\"none\":true}");
    assert_int_equal(resume(scene), OK);
    trial_await_done(&scene->trial);
    assert_int_equal(scene->trial.outcome.error, TASK_ERROR_SUBMISSION_UNKNOWN);
    assert_int_equal(scene->trial.outcome.fate, JOB_UNKNOWN);
    assert_int_equal(scene_count(scene, SUBMIT), 0);
    scene_close(scene);
}

/* ---- leaving ---- */

static void leave(struct scene *scene) {
    remote_driver.leave(scene->house.driver, &scene->trial.attempt);
}

static void a_running_job_is_left_at_once_and_goes_on(void **state) {
    (void)state;
    struct scene *scene = scene_open(QUEUE "cancel = function() return { delete = '/jobs/job-1' } end,\n");
    scene_reply(scene, SUBMIT, 200, ACCEPTED);
    fake_bytes(scene->house.service, POLL, "", FAKE_HOLD);
    trial_start(&scene->trial);
    house_await_count(&scene->house, POLL, 1);
    leave(scene);
    assert_int_equal(scene->trial.done, 1);
    assert_int_equal(scene->trial.taken, 1);
    fake_release(scene->house.service);
    house_linger(&scene->house, 30);
    assert_int_equal(scene_count(scene, "DELETE "), 0); /* it goes on without us */
    assert_int_equal(scene_count(scene, POLL), 1);
    scene_close(scene);
}

static void a_submission_under_way_is_waited_for_when_leaving(void **state) {
    (void)state;
    struct scene *scene = scene_open(QUEUE);
    fake_reply_held(scene->house.service, SUBMIT, 200, ACCEPTED);
    trial_start(&scene->trial);
    house_await_count(&scene->house, SUBMIT, 1);
    leave(scene);
    house_linger(&scene->house, 20);
    assert_int_equal(scene->trial.done, 0);
    fake_release(scene->house.service);
    trial_await_done(&scene->trial);
    assert_int_equal(scene->trial.taken, 1);
    assert_string_equal(scene->trial.remote, "job-1");
    house_linger(&scene->house, 20);
    assert_int_equal(scene_count(scene, POLL), 0);
    scene_close(scene);
}

static void what_was_not_sent_is_left_as_not_made(void **state) {
    (void)state;
    struct scene *scene = scene_open(QUEUE);
    trial_start(&scene->trial);
    leave(scene);
    assert_int_equal(scene->trial.done, 1);
    assert_int_equal(scene->trial.outcome.fate, JOB_NOT_MADE);
    house_linger(&scene->house, 20);
    assert_int_equal(scene_count(scene, ""), 0);
    scene_close(scene);
}

int test_resume(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_known_job_goes_on_with_what_was_kept),
        cmocka_unit_test(a_job_that_slept_goes_on_as_it_was),
        cmocka_unit_test(what_is_under_way_does_not_sleep),
        cmocka_unit_test(a_job_that_slept_is_left_as_one_that_is_known),
        cmocka_unit_test(what_was_kept_comes_back_as_it_was),
        cmocka_unit_test(a_job_whose_route_is_gone_goes_on),
        cmocka_unit_test(nobody_knows_what_cannot_be_found_out),
        cmocka_unit_test(after_a_crash_the_job_is_looked_up),
        cmocka_unit_test(after_a_crash_a_job_that_was_not_made_is_said_so),
        cmocka_unit_test(after_a_crash_the_same_is_sent_again_where_that_is_harmless),
        cmocka_unit_test(long_after_a_crash_nothing_is_made_again),
        cmocka_unit_test(after_a_crash_a_refusal_says_nothing_of_the_first),
        cmocka_unit_test(a_running_job_is_left_at_once_and_goes_on),
        cmocka_unit_test(a_submission_under_way_is_waited_for_when_leaving),
        cmocka_unit_test(what_was_not_sent_is_left_as_not_made),
    };
    return cmocka_run_group_tests_name("resume", tests, NULL, NULL);
}
