/* Those who want to know what the service says now: one question for all of them, and an answer that is shown. */
#include <stdatomic.h>
#include <stdlib.h>

#include "fake_driver.h"
#include "fake_upstream.h"
#include "house.h"
#include "tests.h"

#define RESULTS "\"results\":[{\"voice_id\":\"v\"}]}"

static struct house house;

static int open_house(void **state) {
    (void)state;
    fake_reset();
    upstream_reset();
    house_open(&house, NULL, NULL);
    house_start(&house);
    return 0;
}

static int close_house(void **state) {
    (void)state;
    house_audit(&house);
    house_close(&house);
    return 0;
}

static bool is_done(void *context) {
    return atomic_load((atomic_bool *)context);
}

static void done(void *context) {
    atomic_store((atomic_bool *)context, true);
}

static void ask(unsigned account, const struct task_id *id, atomic_bool *ret_done) {
    atomic_store(ret_done, false);
    engine_refresh(house.engine, house.accounts[account].id, id, REFRESH_MAX_MS, done, ret_done);
}

static void refresh(unsigned account, const struct task_id *id) {
    atomic_bool answered;
    ask(account, id, &answered);
    house_await_true(is_done, &answered);
}

static bool runs(void *context) {
    return upstream_attempts() == *(unsigned *)context;
}

static bool were_asked(void *context) {
    return upstream_questions() == *(unsigned *)context;
}

static struct task_id run_upstream(const char *input) {
    unsigned more = upstream_attempts() + 1;
    struct task_id id = house_run(&house, 0, "upstream", input);
    house_await_true(runs, &more);
    return id;
}

static void assert_shows(const struct task_id *id, const char *words) {
    char *body = house_query(&house, 0, id, HOUSE_BASE);
    if (strstr(body, words) == NULL)
        fail_msg("%s does not have %s", body, words);
    free(body);
}

static void what_the_service_says_is_shown(void **state) {
    (void)state;
    struct task_id id = run_upstream("{\"says\":40," RESULTS);
    assert_shows(&id, "\"progress\":0");
    refresh(0, &id);
    assert_shows(&id, "\"progress\":40"); /* no waiting: it was shown before the answer */
    refresh(0, &id);
    assert_int_equal(upstream_questions(), 2);
    assert_shows(&id, "\"progress\":40");
}

static void its_end_is_shown(void **state) {
    (void)state;
    struct task_id id = run_upstream("{\"refresh\":\"end\",\"results\":[{\"url\":\"@0\"}],"
                                    "\"artifacts\":[{\"base64\":\"iVBORw0KGgoAAAANSUhEUg==\"}]}");
    refresh(0, &id);
    assert_shows(&id, "\"status\":\"completed\"");
}

static void a_failure_that_is_tried_again_is_shown(void **state) {
    (void)state;
    struct task_id id = run_upstream("{\"refresh\":\"fail\"," RESULTS);
    unsigned one = 1;
    refresh(0, &id);
    house_await_true(runs, &one);
    refresh(0, &id);
    house_await_true(runs, &one);
    refresh(0, &id);
    assert_shows(&id, "\"status\":\"failed\"");
}

static void one_question_is_enough_for_all(void **state) {
    (void)state;
    enum { ASKERS = 20 };
    atomic_bool answered[ASKERS];
    unsigned one = 1, two = 2;
    struct task_id id = run_upstream("{\"refresh\":\"held\",\"says\":50," RESULTS);
    for (int i = 0; i < ASKERS - 1; i++)
        ask(0, &id, &answered[i]);
    house_await_true(were_asked, &one);
    ask(0, &id, &answered[ASKERS - 1]);
    for (int i = 0; i < ASKERS; i++)
        assert_false(atomic_load(&answered[i]));
    struct task_id other = house_run(&house, 0, "image", "{\"do\":\"succeed\"," RESULTS);
    house_await(&house, 0, &other, TASK_COMPLETED); /* all have been taken in by now */
    assert_int_equal(upstream_questions(), 1);
    upstream_answer();
    for (int i = 0; i < ASKERS; i++)
        house_await_true(is_done, &answered[i]);
    assert_shows(&id, "\"progress\":50");
    ask(0, &id, &answered[0]);
    house_await_true(were_asked, &two);
    upstream_answer();
    house_await_true(is_done, &answered[0]);
}

static bool is_queued(void *context) {
    (void)context;
    return engine_counts(house.engine).queued == 1;
}

static void with_nobody_to_ask_the_answer_comes_at_once(void **state) {
    (void)state;
    const struct task_id unknown = { "task-unified-1757165031-uyujaw3d" };
    struct task_id service = run_upstream("{\"refresh\":\"never\"," RESULTS);
    struct task_id local = house_run(&house, 0, "image", "{\"do\":\"hold\"," RESULTS);
    struct task_id ended = house_run(&house, 0, "image", "{\"do\":\"fail\",\"error\":\"service_error\"}");
    house_await(&house, 0, &ended, TASK_FAILED);
    house_await(&house, 0, &local, TASK_PROCESSING);
    refresh(0, &unknown);
    refresh(1, &service); /* S2 */
    refresh(0, &local);
    refresh(0, &ended);
    assert_int_equal(upstream_questions(), 0);
}

static void one_that_waits_for_its_turn_is_not_asked_for(void **state) {
    (void)state;
    static const struct provider_config provider = { .name = "upstream", .concurrency = 1 };
    struct config limits = { .providers = &provider, .provider_count = 1 };
    house_close(&house);
    house_open(&house, NULL, &limits);
    house_start(&house);
    (void)run_upstream("{\"refresh\":\"never\"," RESULTS);
    struct task_id queued = house_run(&house, 0, "upstream", "{\"refresh\":\"never\"," RESULTS);
    house_await_true(is_queued, NULL);
    refresh(0, &queued);
    assert_int_equal(upstream_questions(), 0);
}

static void a_service_that_does_not_answer_is_not_waited_for(void **state) {
    (void)state;
    house_stop(&house);
    house.seams.refresh_ms = 1;
    house_start(&house);
    struct task_id id = run_upstream("{\"refresh\":\"never\"," RESULTS);
    refresh(0, &id);
    refresh(0, &id);
    assert_int_equal(upstream_questions(), 1); /* the first one is still open */
    assert_shows(&id, "\"status\":\"processing\"");
}

static void who_has_less_time_waits_less(void **state) {
    (void)state;
    atomic_bool patient, hurried;
    struct task_id id = run_upstream("{\"refresh\":\"held\",\"says\":50," RESULTS);
    ask(0, &id, &patient);
    atomic_store(&hurried, false);
    engine_refresh(house.engine, house.accounts[0].id, &id, 1, done, &hurried);
    house_await_true(is_done, &hurried);
    assert_false(atomic_load(&patient));
    upstream_answer();
    house_await_true(is_done, &patient);
    assert_int_equal(upstream_questions(), 1);
    assert_shows(&id, "\"progress\":50");
}

static void the_end_of_the_task_is_an_answer(void **state) {
    (void)state;
    atomic_bool answered;
    unsigned one = 1;
    struct task_id id = run_upstream("{\"refresh\":\"never\"," RESULTS);
    ask(0, &id, &answered);
    house_await_true(were_asked, &one);
    assert_int_equal(house_cancel(&house, 0, &id), OK);
    house_await_true(is_done, &answered);
    assert_shows(&id, "\"status\":\"failed\"");
}

static void a_stop_is_an_answer(void **state) {
    (void)state;
    atomic_bool answered;
    unsigned one = 1;
    struct task_id id = run_upstream("{\"refresh\":\"never\"," RESULTS);
    ask(0, &id, &answered);
    house_await_true(were_asked, &one);
    engine_stop(house.engine, 0);
    assert_true(atomic_load(&answered));
    ask(0, &id, &answered);
    assert_true(atomic_load(&answered));
    engine_free(house.engine);
    house.engine = NULL;
}

int test_refresh(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_the_service_says_is_shown, open_house, close_house),
        cmocka_unit_test_setup_teardown(its_end_is_shown, open_house, close_house),
        cmocka_unit_test_setup_teardown(a_failure_that_is_tried_again_is_shown, open_house, close_house),
        cmocka_unit_test_setup_teardown(one_question_is_enough_for_all, open_house, close_house),
        cmocka_unit_test_setup_teardown(with_nobody_to_ask_the_answer_comes_at_once, open_house, close_house),
        cmocka_unit_test_setup_teardown(one_that_waits_for_its_turn_is_not_asked_for, open_house, close_house),
        cmocka_unit_test_setup_teardown(a_service_that_does_not_answer_is_not_waited_for, open_house, close_house),
        cmocka_unit_test_setup_teardown(who_has_less_time_waits_less, open_house, close_house),
        cmocka_unit_test_setup_teardown(the_end_of_the_task_is_an_answer, open_house, close_house),
        cmocka_unit_test_setup_teardown(a_stop_is_an_answer, open_house, close_house),
    };
    return cmocka_run_group_tests_name("refresh", tests, NULL, NULL);
}
