/* Submissions: what is sent, what is made of the answer, and that nothing is ever sent twice that may be there once. */
#include <jansson.h>
#include <stdlib.h>

#include "adapters.h"
#include "base/compiler.h"
#include "trial.h"

#define SUBMIT "POST /jobs "
#define POLL "GET /jobs/job-1 "
#define RESULT "GET /results/job-1 "

static void a_job_is_submitted_asked_and_fetched(void **state) {
    (void)state;
    struct house house;
    struct trial trial;
    house_open(&house, QUEUE);
    trial_init(&trial, &house);
    fake_reply(house.service, SUBMIT, 200, NULL, "{\"id\":\"job-1\",\"keep\":{\"place\":\"x\"}}");
    fake_reply(house.service, POLL, 202, NULL, "{\"status\":\"WAITS\"}");
    fake_reply(house.service, POLL, 200, NULL, "{\"status\":\"RUNS\",\"progress\":37}");
    fake_reply(house.service, POLL, 200, NULL, "{\"status\":\"DONE\"}");
    fake_reply(house.service, RESULT, 200, NULL, "{\"video\":{\"url\":\"https://cdn.queue.example/v.mp4\"}}");
    trial_run(&trial, TASK_ERROR_NONE);
    char *output = trial_output(&trial);
    assert_string_equal(output, "{\"video\":{\"url\":\"https://cdn.queue.example/v.mp4\"}}");
    assert_int_equal(trial.taken, 1);
    assert_string_equal(trial.remote, "job-1");
    assert_string_equal(trial.kept, "{\"state\":{\"place\":\"x\"}}");
    assert_int_equal(trial.progress, 37);
    assert_false(trial.outcome.despite_cancel);
    assert_int_equal(fake_count(house.service, SUBMIT), 1);
    assert_int_equal(fake_count(house.service, POLL), 3);
    assert_int_equal(fake_count(house.service, RESULT), 1);
    char *request = fake_request(house.service, SUBMIT, 0);
    assert_non_null(strstr(request, "Authorization: Key " TRIAL_KEY "\r\n"));
    assert_non_null(strstr(request, "Content-Type: application/json\r\n"));
    assert_non_null(strstr(request, "\"target\":\"maker/model\""));
    assert_non_null(strstr(request, "\"prompt\":\"a cat\""));
    assert_null(strstr(request, "seed"));
    free(request);
    free(output);
    trial_fini(&trial);
    house_close(&house);
}

int test_submit(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_job_is_submitted_asked_and_fetched),
    };
    return cmocka_run_group_tests_name("submit", tests, NULL, NULL);
}
