/* Where attempts at services go, and where not: other keys, other routes, the same one, nowhere; and after a stop. */
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/memory.h"
#include "fake_service.h"
#include "house.h"
#include "tests.h"

#define RESULTS ",\"results\":[{\"voice_id\":\"v\"}]}"
#define OK_EVERYWHERE "{\"results\":[{\"voice_id\":\"v\"}]}"

static struct house house;

/* alpha has two keys, beta one. */
static const char *const alpha_keys[] = { "fake-a1", "fake-a2" };
static const char *const beta_keys[] = { "fake-b1" };
static struct provider_config providers[2];
static struct config limits;

static void open_with(const char *directory, unsigned alpha_key_count, unsigned key_concurrency) {
    providers[0] = (struct provider_config){ .name = "alpha", .keys = alpha_keys, .key_count = alpha_key_count,
                                             .key_concurrency = key_concurrency };
    providers[1] = (struct provider_config){ .name = "beta", .keys = beta_keys, .key_count = 1 };
    limits = (struct config){ .providers = providers, .provider_count = 2 };
    house_open(&house, directory, &limits);
    house_start(&house);
}

static int fresh(void **state) {
    (void)state;
    service_reset();
    open_with(NULL, 2, 0);
    return 0;
}

static int one_key(void **state) {
    (void)state;
    service_reset();
    open_with(NULL, 1, 0);
    return 0;
}

/* The clock's speed is set while there are no threads that read it. */
static int one_key_at_speed_100(void **state) {
    clock_set_speed(100, 0);
    return one_key(state);
}

static int one_key_at_speed_50(void **state) {
    clock_set_speed(50, 0);
    return one_key(state);
}

static int close_house(void **state) {
    (void)state;
    house_audit(&house);
    assert_int_equal(house_balance(&house, 1), HOUSE_CREDITS);
    house_close(&house);
    clock_set_speed(1, 0);
    return 0;
}

static struct task_id ends(const char *model, const char *input, enum task_state state) {
    struct task_id id = house_run(&house, 0, model, input);
    house_await(&house, 0, &id, state);
    return id;
}

static void expect_submissions(const char *expected) {
    char seen[4096];
    service_submissions(seen, sizeof(seen));
    assert_string_equal(seen, expected);
}

static void expect_events(const struct task_id *id, const char *expected) {
    char events[1024];
    house_events(&house, 0, id, events, sizeof(events));
    assert_string_equal(events, expected);
}

static void expect_error(const struct task_id *id, const char *code) {
    char *body scoped(mem_free_pointer) = house_query(&house, 0, id, HOUSE_BASE);
    char expected[80];
    snprintf(expected, sizeof(expected), "\"code\":\"%s\"", code);
    assert_non_null(body);
    if (strstr(body, expected) == NULL)
        fail_msg("%s is not in %s", expected, body);
    assert_int_equal(house_balance(&house, 0), HOUSE_CREDITS);
}

static void a_job_is_taken_and_paid(void **state) {
    (void)state;
    struct task_id id = ends("cloud", OK_EVERYWHERE, TASK_COMPLETED);
    expect_submissions("fake-a1");
    expect_events(&id, "accepted dispatched submitted completed");
    assert_int_equal(house_balance(&house, 0), HOUSE_CREDITS - PRICE);
}

static void what_is_out_of_reach_is_passed_over(void **state) {
    (void)state;
    struct task_id id = ends("cloud", "{\"alpha\":\"down\"" RESULTS, TASK_COMPLETED);
    expect_submissions("fake-a1 fake-b1");
    expect_events(&id, "accepted dispatched retried dispatched submitted completed");
}

static void a_refused_key_gives_way_to_another(void **state) {
    (void)state;
    struct task_id id = ends("cloud", "{\"fake-a1\":\"key\"" RESULTS, TASK_COMPLETED);
    expect_submissions("fake-a1 fake-a2");
    (void)ends("cloud", "{\"fake-a1\":\"key\"" RESULTS, TASK_COMPLETED);
    expect_submissions("fake-a1 fake-a2 fake-a2"); /* the first one is left alone */
    expect_events(&id, "accepted dispatched retried dispatched submitted completed");
}

static void an_empty_account_gives_way_to_another_provider(void **state) {
    (void)state;
    (void)ends("cloud", "{\"alpha\":\"account\"" RESULTS, TASK_COMPLETED);
    expect_submissions("fake-a1 fake-a2 fake-b1");
}

static void without_another_way_the_truth_is_told(void **state) {
    (void)state;
    struct task_id id = ends("cloud-alpha", "{\"alpha\":\"account\"" RESULTS, TASK_FAILED);
    expect_error(&id, "quota_exceeded");
    expect_submissions("fake-a1");
    id = ends("cloud-alpha", OK_EVERYWHERE, TASK_FAILED); /* it would find the same */
    expect_error(&id, "quota_exceeded");
    expect_submissions("fake-a1");
}

static void a_reload_tries_refused_keys_again(void **state) {
    (void)state;
    (void)ends("cloud-alpha", "{\"alpha\":\"key\"" RESULTS, TASK_FAILED);
    engine_reload(house.engine, house.setup);
    (void)ends("cloud-alpha", OK_EVERYWHERE, TASK_COMPLETED);
    expect_submissions("fake-a1 fake-a1");
}

static void too_much_at_a_time_is_waited_for(void **state) {
    (void)state;
    struct task_id id = ends("cloud-alpha", "{\"alpha\":\"busy\"" RESULTS, TASK_COMPLETED);
    expect_submissions("fake-a1 fake-a1");
    expect_events(&id, "accepted dispatched retried dispatched submitted completed");
}

static void what_was_asked_for_wrongly_is_wrong_everywhere(void **state) {
    (void)state;
    struct task_id id = ends("cloud", "{\"alpha\":\"bad\"" RESULTS, TASK_FAILED);
    expect_error(&id, "invalid_parameters");
    expect_submissions("fake-a1");
}

static void a_route_that_cannot_gives_way_to_another(void **state) {
    (void)state;
    struct task_id id = ends("cloud", "{\"alpha\":\"unable\"" RESULTS, TASK_COMPLETED);
    expect_submissions("fake-a1 fake-b1");
    expect_events(&id, "accepted dispatched retried dispatched submitted completed");
}

static void a_route_that_cannot_is_not_taken_in_anothers_place(void **state) {
    (void)state;
    (void)ends("cloud", "{\"alpha\":\"unable\",\"beta\":\"busy\"" RESULTS, TASK_COMPLETED);
    expect_submissions("fake-a1 fake-b1 fake-b1");
}

static void what_no_route_can_is_no_ones(void **state) {
    (void)state;
    struct task_id id = ends("cloud", "{\"alpha\":\"unable\",\"beta\":\"unable\"" RESULTS, TASK_FAILED);
    expect_error(&id, "invalid_parameters");
    expect_submissions("fake-a1 fake-b1");
}

/* T3 */
static void a_lost_submission_is_not_sent_again(void **state) {
    (void)state;
    struct task_id id = ends("cloud", "{\"alpha\":\"lost\"" RESULTS, TASK_FAILED);
    expect_error(&id, "submission_unknown");
    expect_submissions("fake-a1");
    expect_events(&id, "accepted dispatched failed");
}

/* T4 */
static void where_a_job_was_made_no_other_route_is_taken(void **state) {
    (void)state;
    struct task_id id = ends("cloud", "{\"alpha\":\"fail\"" RESULTS, TASK_FAILED);
    char seen[256];
    expect_error(&id, "generation_failed");
    service_submissions(seen, sizeof(seen));
    assert_null(strstr(seen, "fake-b1"));
    assert_int_equal(service_submission_count(), 3); /* attempts_max */
}

static void a_dead_provider_is_left_alone_and_looked_at_again(void **state) {
    (void)state;
    char seen[4096] = "";
    for (unsigned tries = 0; tries < 3 && strstr(seen, "fake-b1") == NULL; tries++) { /* again if the cool-down was missed */
        unsigned before = service_submission_count();
        int64_t balance = house_balance(&house, 0);
        struct task_id id = ends("cloud-alpha", "{\"alpha\":\"down\"" RESULTS, TASK_FAILED);
        char *body scoped(mem_free_pointer) = house_query(&house, 0, &id, HOUSE_BASE);
        assert_non_null(strstr(body, "\"code\":\"service_unavailable\""));
        assert_int_equal(house_balance(&house, 0), balance);
        assert_in_range(service_submission_count() - before, 5, 11);
        (void)ends("cloud", OK_EVERYWHERE, TASK_COMPLETED); /* alpha cools down */
        service_submissions(seen, sizeof(seen));
    }
    assert_non_null(strstr(seen, "fake-b1"));
    (void)ends("cloud-alpha", OK_EVERYWHERE, TASK_COMPLETED); /* waits for the end of the cool-down, then goes to see */
}

static bool were_submitted(void *context) {
    return service_submission_count() == *(unsigned *)context;
}

/* By the settings, or by the adapter. */
static void expect_one_task_a_key(unsigned configured, unsigned said) {
    unsigned two = 2;
    service_reset();
    service_set_key_concurrency(said);
    open_with(NULL, 2, configured);
    struct task_id ids[5];
    for (size_t i = 0; i < ARRAY_SIZE(ids); i++)
        ids[i] = house_run(&house, 0, "cloud-alpha", "{\"alpha\":\"hold\"" RESULTS);
    house_await_true(were_submitted, &two);
    house_await(&house, 0, &ids[4], TASK_PENDING);
    expect_submissions("fake-a1 fake-a2");
    service_release();
    for (size_t i = 0; i < ARRAY_SIZE(ids); i++)
        house_await(&house, 0, &ids[i], TASK_COMPLETED);
    assert_int_equal(service_submission_count(), 5);
}

static void each_key_has_slots_of_its_own(void **state) {
    (void)state;
    expect_one_task_a_key(1, 0);
}

static void an_adapter_may_say_how_many(void **state) {
    (void)state;
    expect_one_task_a_key(0, 1);
}

static void routes_are_drawn_by_weight(void **state) {
    (void)state;
    enum { TASKS = 200 };
    struct task_id ids[TASKS];
    for (int i = 0; i < TASKS; i++)
        ids[i] = house_run(&house, 0, "cloud-even", OK_EVERYWHERE);
    for (int i = 0; i < TASKS; i++)
        house_await(&house, 0, &ids[i], TASK_COMPLETED);
    char seen[4096];
    unsigned alpha = 0;
    service_submissions(seen, sizeof(seen));
    for (const char *at = seen; (at = strstr(at, "fake-a")) != NULL; at++)
        alpha++;
    assert_true(alpha > TASKS / 2 && alpha < TASKS - TASKS / 20); /* three to one: 150, give or take 6 */
    assert_int_equal(house_balance(&house, 0), HOUSE_CREDITS - TASKS * PRICE);
}

/* ---- lives ---- */

static char directory[64];

static void reopen(void) {
    snprintf(directory, sizeof(directory), "%s", house.directory);
    house.keep = true;
    house_close(&house);
    house_open(&house, directory, &limits);
    house.keep = false;
    house_start(&house);
}

static void a_job_goes_on_over_a_stop(void **state) {
    (void)state;
    struct task_id id = house_run(&house, 0, "cloud", "{\"alpha\":\"hold\"" RESULTS);
    house_await_event(&house, 0, &id, "submitted");
    reopen();
    service_release();
    house_await(&house, 0, &id, TASK_COMPLETED);
    assert_int_equal(service_resumed(), 1);
    expect_submissions("fake-a1");
    expect_events(&id, "accepted dispatched submitted completed");
    char *body scoped(mem_free_pointer) = house_query(&house, 0, &id, HOUSE_BASE);
    assert_non_null(strstr(body, "\"voice_id\":\"resumed\""));
    assert_int_equal(house_balance(&house, 0), HOUSE_CREDITS - PRICE);
}

/* T3 */
static void a_submission_nobody_heard_of_again_is_not_repeated(void **state) {
    (void)state;
    struct task_id id = house_run(&house, 0, "cloud", "{\"alpha\":\"silent\"" RESULTS);
    house_await(&house, 0, &id, TASK_PROCESSING);
    while (service_submission_count() == 0)
        usleep(1000);
    reopen();
    house_await(&house, 0, &id, TASK_FAILED);
    expect_error(&id, "submission_unknown");
    expect_submissions("fake-a1");
}

static void a_job_whose_provider_is_gone_is_given_back(void **state) {
    (void)state;
    struct task_id id = house_run(&house, 0, "cloud-alpha", "{\"alpha\":\"hold\"" RESULTS);
    house_await(&house, 0, &id, TASK_PROCESSING);
    while (service_submission_count() == 0)
        usleep(1000);
    limits.providers = &providers[1];
    limits.provider_count = 1;
    reopen();
    house_await(&house, 0, &id, TASK_FAILED);
    expect_error(&id, "submission_unknown");
}

int test_routing(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_job_is_taken_and_paid, fresh, close_house),
        cmocka_unit_test_setup_teardown(what_is_out_of_reach_is_passed_over, fresh, close_house),
        cmocka_unit_test_setup_teardown(a_refused_key_gives_way_to_another, fresh, close_house),
        cmocka_unit_test_setup_teardown(an_empty_account_gives_way_to_another_provider, fresh, close_house),
        cmocka_unit_test_setup_teardown(without_another_way_the_truth_is_told, one_key, close_house),
        cmocka_unit_test_setup_teardown(a_reload_tries_refused_keys_again, one_key, close_house),
        cmocka_unit_test_setup_teardown(too_much_at_a_time_is_waited_for, one_key_at_speed_100, close_house),
        cmocka_unit_test_setup_teardown(what_was_asked_for_wrongly_is_wrong_everywhere, fresh, close_house),
        cmocka_unit_test_setup_teardown(a_route_that_cannot_gives_way_to_another, fresh, close_house),
        cmocka_unit_test_setup_teardown(a_route_that_cannot_is_not_taken_in_anothers_place, one_key_at_speed_100,
                                        close_house),
        cmocka_unit_test_setup_teardown(what_no_route_can_is_no_ones, fresh, close_house),
        cmocka_unit_test_setup_teardown(a_lost_submission_is_not_sent_again, fresh, close_house),
        cmocka_unit_test_setup_teardown(where_a_job_was_made_no_other_route_is_taken, fresh, close_house),
        cmocka_unit_test_setup_teardown(a_dead_provider_is_left_alone_and_looked_at_again, one_key_at_speed_50,
                                        close_house),
        cmocka_unit_test_teardown(each_key_has_slots_of_its_own, close_house),
        cmocka_unit_test_teardown(an_adapter_may_say_how_many, close_house),
        cmocka_unit_test_setup_teardown(routes_are_drawn_by_weight, fresh, close_house),
        cmocka_unit_test_setup_teardown(a_job_goes_on_over_a_stop, fresh, close_house),
        cmocka_unit_test_setup_teardown(a_submission_nobody_heard_of_again_is_not_repeated, fresh, close_house),
        cmocka_unit_test_setup_teardown(a_job_whose_provider_is_gone_is_given_back, fresh, close_house),
    };
    return cmocka_run_group_tests_name("engine/routing", tests, NULL, NULL);
}
