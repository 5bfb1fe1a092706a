/* One question about many jobs. */
#include <jansson.h>
#include <stdlib.h>

#include "adapters.h"
#include "base/compiler.h"
#include "base/memory.h"
#include "remote/job.h"
#include "trial.h"

#define MANY                                                                                                           \
    QUEUE "poll_many_max = 10,\n"                                                                                      \
          "poll_many = function(jobs) local ids = {} for i, job in ipairs(jobs) do ids[i] = job.id end\n"              \
          "  return { get = '/many', query = { ids = table.concat(ids, ',') } } end,\n"                                \
          "polled_many = function(reply, jobs) local steps = {}\n"                                                     \
          "  for _, job in ipairs(jobs) do\n"                                                                          \
          "    if job.id ~= reply.json.without then steps[job.id] = { output = { of = job.id } } end end\n"            \
          "  return steps end,\n"
#define JOBS 25

struct many {
    struct scene *scene;
    struct trial trials[JOBS];
    char ids[JOBS][16];
};

static struct many *resume_many(const char *adapter) {
    struct many *many = mem_new(sizeof(*many));
    many->scene = scene_open(adapter);
    for (unsigned i = 0; i < JOBS; i++) {
        struct trial *trial = &many->trials[i];
        trial_init(trial, &many->scene->house);
        snprintf(many->ids[i], sizeof(many->ids[i]), "job-%u", i);
        trial->attempt.remote = many->ids[i];
        assert_int_equal(remote_driver.resume(many->scene->house.driver, &trial->attempt, NULL), OK);
    }
    return many;
}

static bool all_done(void *context) {
    struct many *many = context;
    for (unsigned i = 0; i < JOBS; i++) {
        if (many->trials[i].done == 0) {
            return false;
        }
    }
    return true;
}

static void close_many(struct many *many) {
    for (unsigned i = 0; i < JOBS; i++) {
        assert_int_equal(many->trials[i].done, 1);
        trial_fini(&many->trials[i]);
    }
    scene_close(many->scene);
    free(many);
}

static void each_gets_its_part(const struct many *many) {
    for (unsigned i = 0; i < JOBS; i++) {
        assert_int_equal(many->trials[i].outcome.error, TASK_ERROR_NONE);
        assert_string_equal(json_string_value(json_object_get(many->trials[i].output, "of")), many->ids[i]);
    }
}

static void jobs_share_a_question(void **state) {
    (void)state;
    struct many *many = resume_many(MANY);
    scene_reply(many->scene, "GET /many", 200, "{}");
    house_await(&many->scene->house, all_done, many);
    each_gets_its_part(many);
    assert_in_range(scene_count(many->scene, "GET /many"), 3, 10);
    assert_int_equal(scene_count(many->scene, "GET /jobs"), 0);
    close_many(many);
}

static void keys_share_no_question(void **state) {
    (void)state;
    struct scene *scene = scene_open(MANY);
    struct trial other;
    trial_init(&other, &scene->house);
    other.attempt.key = "another-fake-key";
    scene->trial.attempt.remote = "job-a";
    other.attempt.remote = "job-b";
    scene_reply(scene, "GET /many", 200, "{}");
    assert_int_equal(remote_driver.resume(scene->house.driver, &scene->trial.attempt, NULL), OK);
    assert_int_equal(remote_driver.resume(scene->house.driver, &other.attempt, NULL), OK);
    trial_await_done(&scene->trial);
    trial_await_done(&other);
    char *first = fake_request(scene->house.service, "GET /many?ids=job-a ", 0);
    char *second = fake_request(scene->house.service, "GET /many?ids=job-b ", 0);
    assert_non_null(strstr(first, TRIAL_KEY));
    assert_non_null(strstr(second, "another-fake-key"));
    free(first);
    free(second);
    trial_fini(&other);
    scene_close(scene);
}

static void who_is_left_out_is_asked_singly(void **state) {
    (void)state;
    struct many *many = resume_many(MANY);
    scene_reply(many->scene, "GET /many", 200, "{\"without\":\"job-7\"}");
    scene_reply(many->scene, "GET /jobs/job-7 ", 200, "{\"status\":\"DONE\"}");
    scene_reply(many->scene, "GET /results/job-7 ", 200, "{\"of\":\"job-7\"}");
    house_await(&many->scene->house, all_done, many);
    each_gets_its_part(many);
    assert_int_equal(scene_count(many->scene, "GET /jobs/job-7 "), 1);
    assert_int_equal(scene_count(many->scene, "GET /jobs"), 1);
    close_many(many);
}

static void a_shared_question_that_fails_ends_nobody(void **state) {
    (void)state;
    static const char *const failures[] = { "HTTP/1.1 503 X\r\nContent-Length: 0\r\n\r\n", "" };
    for (size_t i = 0; i < ARRAY_SIZE(failures); i++) {
        struct many *many = resume_many(MANY);
        fake_bytes(many->scene->house.service, "GET /many", failures[i], FAKE_CLOSE);
        scene_reply(many->scene, "GET /many", 200, "{}");
        house_await(&many->scene->house, all_done, many);
        each_gets_its_part(many);
        close_many(many);
    }
}

static void a_shared_question_that_is_refused_is_asked_singly(void **state) {
    (void)state;
    struct many *many = resume_many(MANY);
    scene_reply(many->scene, "GET /many", 400, "{}");
    scene_reply(many->scene, "GET /jobs/", 200, "{\"status\":\"BROKE\"}");
    house_await(&many->scene->house, all_done, many);
    assert_int_equal(scene_count(many->scene, "GET /jobs/"), JOBS);
    close_many(many);
}

static void a_shared_question_for_a_file_is_asked_singly(void **state) {
    (void)state;
    struct many *many = resume_many(QUEUE "poll_many_max = 10,\n"
                                          "poll_many = function(jobs) return { get = '/many', binary = true } end,\n"
                                          "polled_many = function(reply, jobs) return {} end,\n");
    scene_reply(many->scene, "GET /jobs/", 200, "{\"status\":\"BROKE\"}");
    house_await(&many->scene->house, all_done, many);
    assert_int_equal(scene_count(many->scene, "GET /many"), 0);
    assert_int_equal(scene_count(many->scene, "GET /jobs/"), JOBS);
    close_many(many);
}

static void jobs_may_leave_while_it_is_under_way(void **state) {
    (void)state;
    struct many *many = resume_many(MANY);
    fake_bytes(many->scene->house.service, "GET /many", "", FAKE_HOLD);
    house_await_count(&many->scene->house, "GET /many", 1);
    for (unsigned i = 0; i < JOBS; i++) {
        remote_driver.leave(many->scene->house.driver, &many->trials[i].attempt);
    }
    close_many(many); /* and the question with them */
}

static struct scene *led_on_to(int status) {
    struct scene *scene = scene_open(QUEUE "poll_many_max = 10,\n"
                                           "poll_many = function(jobs) return { get = '/many' } end,\n"
                                           "polled_many = function(reply, jobs) local steps = {}\n"
                                           "  for _, job in ipairs(jobs) do steps[job.id] =\n"
                                           "    { status = 'DONE', next = { get = '/results/' .. job.id } } end\n"
                                           "  return steps end,\n");
    scene_reply(scene, "GET /many", 200, "{}");
    scene_reply(scene, RESULT, status, "{}");
    scene->trial.attempt.remote = "job-1";
    assert_int_equal(remote_driver.resume(scene->house.driver, &scene->trial.attempt, NULL), OK);
    return scene;
}

static bool has_erred_often(void *context) {
    const struct job *job = ((struct trial *)context)->attempt.driver_data;
    return job->errors >= 3;
}

/* The shared status is good each time, and says nothing of the result that it leads to. */
static void results_that_fail_after_it_are_asked_for_ever_less_often(void **state) {
    (void)state;
    struct scene *scene = led_on_to(503);
    house_await(&scene->house, has_erred_often, &scene->trial);
    remote_driver.leave(scene->house.driver, &scene->trial.attempt);
    scene_close(scene);
}

static void a_result_that_is_gone_after_it_ends_the_job(void **state) {
    (void)state;
    struct scene *scene = led_on_to(404);
    trial_await_done(&scene->trial);
    assert_int_equal(scene->trial.outcome.error, TASK_ERROR_SERVICE);
    assert_int_equal(scene_count(scene, RESULT), 2);
    scene_close(scene);
}

int test_batch(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(jobs_share_a_question),
        cmocka_unit_test(keys_share_no_question),
        cmocka_unit_test(who_is_left_out_is_asked_singly),
        cmocka_unit_test(a_shared_question_that_fails_ends_nobody),
        cmocka_unit_test(a_shared_question_that_is_refused_is_asked_singly),
        cmocka_unit_test(a_shared_question_for_a_file_is_asked_singly),
        cmocka_unit_test(jobs_may_leave_while_it_is_under_way),
        cmocka_unit_test(results_that_fail_after_it_are_asked_for_ever_less_often),
        cmocka_unit_test(a_result_that_is_gone_after_it_ends_the_job),
    };
    return cmocka_run_group_tests_name("batch", tests, NULL, NULL);
}
