/* Asking: what a question may come to, and what ends a job. */
#include <jansson.h>
#include <stdlib.h>

#include "adapters.h"
#include "base/compiler.h"
#include "base/memory.h"
#include "remote/job.h"
#include "trial.h"

static struct scene *accepted_scene(const char *adapter) {
    struct scene *scene = scene_open(adapter);
    scene_reply(scene, SUBMIT, 200, ACCEPTED);
    return scene;
}

static void no_failing_question_is_the_jobs_end(void **state) {
    (void)state;
    static const struct {
        const char *bytes;
        enum fake_end end;
    } rows[] = {
        { "", FAKE_RESET },
        { "", FAKE_CLOSE },
        { "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\n{\"status\"", FAKE_KEEP },
        { "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 99\r\n\r\n{\"status\"", FAKE_CLOSE },
        { "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 6\r\n\r\n<html>", FAKE_KEEP },
        { "HTTP/1.1 429 X\r\nRetry-After: 1\r\nContent-Length: 0\r\n\r\n", FAKE_KEEP },
        { "HTTP/1.1 500 X\r\nContent-Length: 0\r\n\r\n", FAKE_KEEP },
        { "HTTP/1.1 502 X\r\nContent-Length: 6\r\n\r\n<html>", FAKE_KEEP },
        { "HTTP/1.1 408 X\r\nContent-Length: 0\r\n\r\n", FAKE_KEEP },
        { "HTTP/1.1 404 X\r\nContent-Length: 0\r\n\r\n", FAKE_KEEP },
        { "HTTP/1.1 401 X\r\nContent-Length: 0\r\n\r\n", FAKE_KEEP },
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        for (int at_result = 0; at_result < 2; at_result++) {
            struct scene *scene = accepted_scene(QUEUE);
            fake_bytes(scene->house.service, at_result ? RESULT : POLL, rows[i].bytes, rows[i].end);
            scene_reply(scene, POLL, 200, "{\"status\":\"DONE\"}");
            scene_reply(scene, RESULT, 200, "{\"n\":7}");
            trial_run(&scene->trial, TASK_ERROR_NONE);
            assert_int_equal(scene_count(scene, SUBMIT), 1);
            if (rows[i].bytes[0]) { /* else the HTTP client has asked again by itself, which is as good */
                assert_int_equal(scene_count(scene, POLL), 2); /* a result that failed is asked for from the start */
            }
            assert_int_equal(scene_count(scene, RESULT), at_result ? 2 : 1);
            scene_close(scene);
        }
    }
}

static void a_storm_of_errors_is_sat_out(void **state) {
    (void)state;
    struct scene *scene = accepted_scene(QUEUE);
    for (int i = 0; i < 7; i++) {
        scene_reply(scene, POLL, 503, "{}");
    }
    scene_reply(scene, POLL, 200, "{\"status\":\"DONE\"}");
    scene_reply(scene, RESULT, 200, "{}");
    trial_run(&scene->trial, TASK_ERROR_NONE);
    assert_int_equal(scene_count(scene, POLL), 8);
    scene_close(scene);
}

#define JUDGING                                                                                                        \
    QUEUE "failure = function(reply, job)\n"                                                                           \
          "  if job and job.id ~= 'job-1' then error('another job') end\n"                                             \
          "  local body = reply.json or {}\n"                                                                          \
          "  if body.over then return { code = 'content_policy_violation', again = false } end\n"                      \
          "  if body.early then return { code = 'service_error', again = true } end\n"                                 \
          "end,\n"

static void some_answers_end_a_job(void **state) {
    (void)state;
    static const struct {
        const char *place;
        int status;
        const char *body;
        enum task_error error;
        unsigned asked;
    } rows[] = {
        { POLL, 404, "{}", TASK_ERROR_SERVICE, 2 },
        { POLL, 410, "{}", TASK_ERROR_SERVICE, 1 },
        { POLL, 200, "{\"error\":\"generation_failed\"}", TASK_ERROR_GENERATION_FAILED, 1 },
        { POLL, 200, "{\"status\":\"BROKE\"}", TASK_ERROR_GENERATION_FAILED, 1 },
        { POLL, 500, "{\"over\":true}", TASK_ERROR_CONTENT_POLICY, 1 },
        { RESULT, 422, "{}", TASK_ERROR_INVALID_PARAMETERS, 1 },
        { RESULT, 500, "{\"over\":true}", TASK_ERROR_CONTENT_POLICY, 1 },
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct scene *scene = accepted_scene(JUDGING);
        scene_reply(scene, rows[i].place, rows[i].status, rows[i].body);
        scene_reply(scene, POLL, 200, "{\"status\":\"DONE\"}");
        if (rows[i].status == 404) {
            scene_reply(scene, RESULT, 404, "{}"); /* not twice the same question, but twice in a row */
        }
        trial_run(&scene->trial, rows[i].error);
        assert_int_equal(scene->trial.outcome.fate, JOB_ENDED);
        assert_true(rows[i].status != 404 || !scene->trial.outcome.retryable); /* what is forgotten may be paid */
        assert_int_equal(scene_count(scene, SUBMIT), 1);
        scene_close(scene);
    }
}

static void a_result_asked_too_early_is_asked_again(void **state) {
    (void)state;
    struct scene *scene = accepted_scene(JUDGING);
    scene_reply(scene, POLL, 200, "{\"status\":\"DONE\"}");
    scene_reply(scene, RESULT, 400, "{\"early\":true}");
    scene_reply(scene, RESULT, 400, "{\"early\":true}");
    scene_reply(scene, RESULT, 200, "{}");
    trial_run(&scene->trial, TASK_ERROR_NONE);
    assert_int_equal(scene_count(scene, RESULT), 3);
    scene_close(scene);
}

#define NAMED                                                                                                          \
    "url = 'https://queue.example', poll_min = 0.1, poll_max = 0.2,\n"                                                 \
    "submit = function() return { post = '/jobs' } end,\n"                                                             \
    "accepted = function(reply) return { id = reply.json.id } end,\n"                                                  \
    "poll = function(job) return { get = '/jobs/' .. job.id .. (job.step and '?after=' .. job.step or '') } end,\n"     \
    "polled = function() return { next = { get = '/results/job-1' }, step = 'result' } end,\n"                         \
    "output = function(reply) return { output = reply.json } end,\n"                                                   \
    "failure = function(reply, job)\n"                                                                                 \
    "  return { code = 'service_error', again = job.step == 'result' } end,\n"

/* A request's name is seen with the answer to it, and with no other. */
static void a_request_that_came_to_nothing_takes_its_name_along(void **state) {
    (void)state;
    struct scene *scene = accepted_scene(NAMED);
    scene_reply(scene, POLL, 200, "{}");
    scene_reply(scene, RESULT, 500, "{}");
    scene_reply(scene, POLL, 500, "{}");
    trial_run(&scene->trial, TASK_ERROR_SERVICE);
    assert_int_equal(scene_count(scene, POLL), 2);
    assert_int_equal(scene_count(scene, "GET /jobs/job-1?"), 0);
    scene_close(scene);
}

static bool has_erred_often(void *context) {
    const struct job *job = ((struct trial *)context)->attempt.driver_data;
    return job->errors >= 3;
}

/* The status is good each time, and so no reason to ask for the result as often as for a status. */
static void results_that_fail_are_asked_for_ever_less_often(void **state) {
    (void)state;
    struct scene *scene = accepted_scene(QUEUE);
    scene_reply(scene, POLL, 200, "{\"status\":\"DONE\"}");
    scene_reply(scene, RESULT, 503, "{}");
    trial_start(&scene->trial);
    house_await(&scene->house, has_erred_often, &scene->trial);
    remote_driver.leave(scene->house.driver, &scene->trial.attempt);
    scene_close(scene);
}

static void an_unknown_status_is_work_and_one_warning(void **state) {
    (void)state;
    struct scene *scene = accepted_scene(QUEUE);
    scene_reply(scene, POLL, 200, "{\"status\":\"WARMING\"}");
    scene_reply(scene, POLL, 200, "{\"status\":\"COOLING\"}");
    scene_reply(scene, POLL, 200, "{}");
    scene_reply(scene, POLL, 200, "{\"status\":\"DONE\"}");
    scene_reply(scene, RESULT, 200, "{}");
    trial_start(&scene->trial);
    trial_await_done(&scene->trial);
    assert_int_equal(scene->trial.outcome.error, TASK_ERROR_NONE);
    assert_int_equal(scene->trial.notes, 2); /* the status, and the answer without one */
    scene_close(scene);
}

static void a_result_over_the_bound_ends_the_job(void **state) {
    (void)state;
    struct scene *scene = accepted_scene(QUEUE);
    scene_reply(scene, POLL, 200, "{\"status\":\"DONE\"}");
    fake_bytes(scene->house.service, RESULT, "HTTP/1.1 200 OK\r\nContent-Length: 99999999\r\n\r\n{", FAKE_HOLD);
    trial_run(&scene->trial, TASK_ERROR_SERVICE);
    assert_int_equal(scene->trial.outcome.fate, JOB_ENDED);
    assert_false(scene->trial.outcome.retryable);
    scene_close(scene);
}

static void a_file_that_was_cut_is_fetched_again_and_leaves_nothing(void **state) {
    (void)state;
    struct scene *scene = scene_open("url = 'https://queue.example', poll_min = 0.1, poll_max = 0.1,\n"
                                     "submit = function() return { post = '/jobs' } end,\n"
                                     "accepted = function() return { id = 'job-1' } end,\n"
                                     "poll = function() return { get = '/poll' } end,\n"
                                     "polled = function() return { next = { get = '/file', binary = true } } end,\n"
                                     "output = function(reply) return { output = { file = reply.file } } end");
    scene_reply(scene, SUBMIT, 200, "{}");
    scene_reply(scene, "GET /poll", 200, "{}");
    fake_bytes(scene->house.service, "GET /file", "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf", FAKE_CLOSE);
    scene_reply(scene, "GET /file", 404, "{}"); /* not there yet, it says */
    fake_reply_typed(scene->house.service, "GET /file", 200, "video/mp4", "whole", 5);
    trial_run(&scene->trial, TASK_ERROR_NONE);
    assert_string_equal(json_string_value(json_object_get(scene->trial.output, "file")), "reply-1");
    assert_int_equal(scene_count(scene, "GET /file"), 3);
    assert_int_equal(house_reply_files(&scene->house), 1);
    assert_int_equal(scene->trial.directories, 1); /* none for those that brought nothing: such a job would never sleep */
    scene_close(scene);
}

static void a_file_without_a_place_is_not_a_result(void **state) {
    (void)state;
    struct scene *scene = scene_open("url = 'https://queue.example',\n"
                                     "submit = function() return { post = '/speech', binary = true } end,\n"
                                     "accepted = function(reply) return { output = { file = reply.file } } end");
    fake_reply_typed(scene->house.service, "POST /speech", 200, "audio/mpeg", "whole", 5);
    scene->trial.no_directory = 1;
    trial_run(&scene->trial, TASK_ERROR_SUBMISSION_UNKNOWN);
    assert_non_null(strstr(scene->trial.detail, "HTTP 200, and its file could not be kept"));
    assert_int_equal(house_reply_files(&scene->house), 0);
    scene_close(scene);
}

static void a_chain_of_requests_for_one_answer_is_bounded(void **state) {
    (void)state;
    struct scene *scene = scene_open("url = 'https://queue.example', poll_min = 0.1, poll_max = 0.1,\n"
                                     "submit = function() return { post = '/jobs' } end,\n"
                                     "accepted = function() return { id = 'job-1' } end,\n"
                                     "poll = function() return { get = '/poll' } end,\n"
                                     "polled = function() return { next = { get = '/hop' }, step = 'hop' } end,\n"
                                     "output = function(reply, job) if job.step ~= 'hop' then error('step') end\n"
                                     "  if reply.json.last then return { output = {} } end\n"
                                     "  return { next = { get = '/hop' } } end");
    scene_reply(scene, "POST /jobs", 200, "{}");
    scene_reply(scene, "GET /poll", 200, "{}");
    scene_reply(scene, "GET /hop", 200, "{}");
    trial_start(&scene->trial);
    house_await_count(&scene->house, "GET /poll", 3);
    unsigned hops = (unsigned)scene_count(scene, "GET /hop"), polls = (unsigned)scene_count(scene, "GET /poll");
    assert_in_range(hops, 16, 8 * polls); /* eight at a time */
    assert_int_equal(scene->trial.done, 0);
    remote_driver.leave(scene->house.driver, &scene->trial.attempt);
    scene_close(scene);
}

/* ---- many ---- */

#define JOBS 200

static bool all_done(void *context) {
    const struct trial *trials = context;
    for (unsigned i = 0; i < JOBS; i++) {
        if (trials[i].done == 0) {
            return false;
        }
    }
    return true;
}

static void many_jobs_ask_few_at_a_time(void **state) {
    (void)state;
    struct scene *scene = scene_open(QUEUE);
    struct trial *trials = calloc(JOBS, sizeof(*trials));
    scene_reply(scene, "GET /jobs/", 200, "{\"status\":\"RUNS\"}");
    scene_reply(scene, "GET /jobs/", 200, "{\"status\":\"DONE\"}");
    scene_reply(scene, "GET /results/", 200, "{}");
    for (unsigned i = 0; i < JOBS; i++) {
        char id[16];
        trial_init(&trials[i], &scene->house);
        snprintf(id, sizeof(id), "job-%u", i);
        trials[i].attempt.remote = mem_string(id);
        assert_int_equal(remote_driver.resume(scene->house.driver, &trials[i].attempt, NULL), OK);
    }
    house_await(&scene->house, all_done, trials);
    for (unsigned i = 0; i < JOBS; i++) {
        assert_int_equal(trials[i].outcome.error, TASK_ERROR_NONE);
        free((char *)(uintptr_t)trials[i].attempt.remote);
        trial_fini(&trials[i]);
    }
    assert_in_range(fake_most(scene->house.service), 1, 64);
    assert_int_equal(scene_count(scene, SUBMIT), 0);
    free(trials);
    scene_close(scene);
}

/* ---- asked for by the engine ---- */

static bool is_refreshed(void *context) {
    return ((struct trial *)context)->refreshed > 0;
}

static void a_refresh_asks_now_unless_it_was_asked_just_now(void **state) {
    (void)state;
    struct scene *scene = accepted_scene(QUEUE_RARE);
    struct trial *trial = &scene->trial;
    scene_reply(scene, POLL, 200, "{\"status\":\"RUNS\",\"progress\":20}");
    scene_reply(scene, POLL, 200, "{\"status\":\"RUNS\",\"progress\":60}");
    trial_start(trial);
    trial_await_taken(trial);
    assert_int_equal(scene_count(scene, POLL), 0); /* the plan's first is in an hour */
    remote_driver.refresh(scene->house.driver, &trial->attempt);
    house_await(&scene->house, is_refreshed, trial);
    assert_int_equal(trial->refreshed, 1);
    assert_int_equal(trial->progress, 20); /* told before */
    assert_int_equal(scene_count(scene, POLL), 1);
    remote_driver.refresh(scene->house.driver, &trial->attempt);
    assert_int_equal(trial->refreshed, 2); /* at once */
    house_linger(&scene->house, 20);
    assert_int_equal(scene_count(scene, POLL), 1);
    remote_driver.leave(scene->house.driver, &trial->attempt);
    assert_int_equal(trial->done, 1);
    scene_close(scene);
}

static void a_refresh_that_ends_the_job_is_its_end(void **state) {
    (void)state;
    struct scene *scene = accepted_scene(QUEUE_SLOW);
    scene_reply(scene, POLL, 200, "{\"status\":\"DONE\"}");
    scene_reply(scene, RESULT, 200, "{}");
    trial_start(&scene->trial);
    trial_await_taken(&scene->trial);
    remote_driver.refresh(scene->house.driver, &scene->trial.attempt);
    trial_await_done(&scene->trial);
    assert_int_equal(scene->trial.outcome.error, TASK_ERROR_NONE);
    assert_int_equal(scene->trial.refreshed, 0);
    scene_close(scene);
}

static void a_refresh_that_comes_to_nothing_is_answered(void **state) {
    (void)state;
    struct scene *scene = accepted_scene(QUEUE_SLOW);
    fake_reply(scene->house.service, POLL, 429, "Retry-After: 3600\r\n", "{}");
    trial_start(&scene->trial);
    trial_await_taken(&scene->trial);
    remote_driver.refresh(scene->house.driver, &scene->trial.attempt);
    house_await(&scene->house, is_refreshed, &scene->trial);
    house_linger(&scene->house, 60); /* past the floor, not past what the service wants */
    remote_driver.refresh(scene->house.driver, &scene->trial.attempt);
    assert_int_equal(scene->trial.refreshed, 2);
    assert_int_equal(scene_count(scene, POLL), 1);
    remote_driver.leave(scene->house.driver, &scene->trial.attempt);
    scene_close(scene);
}

int test_poll(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_failing_question_is_the_jobs_end),
        cmocka_unit_test(a_storm_of_errors_is_sat_out),
        cmocka_unit_test(some_answers_end_a_job),
        cmocka_unit_test(a_result_asked_too_early_is_asked_again),
        cmocka_unit_test(a_request_that_came_to_nothing_takes_its_name_along),
        cmocka_unit_test(results_that_fail_are_asked_for_ever_less_often),
        cmocka_unit_test(an_unknown_status_is_work_and_one_warning),
        cmocka_unit_test(a_result_over_the_bound_ends_the_job),
        cmocka_unit_test(a_file_that_was_cut_is_fetched_again_and_leaves_nothing),
        cmocka_unit_test(a_file_without_a_place_is_not_a_result),
        cmocka_unit_test(a_chain_of_requests_for_one_answer_is_bounded),
        cmocka_unit_test(many_jobs_ask_few_at_a_time),
        cmocka_unit_test(a_refresh_asks_now_unless_it_was_asked_just_now),
        cmocka_unit_test(a_refresh_that_ends_the_job_is_its_end),
        cmocka_unit_test(a_refresh_that_comes_to_nothing_is_answered),
    };
    return cmocka_run_group_tests_name("poll", tests, NULL, NULL);
}
