/* Limits and turns as tasks meet them: by the order in which attempts begin, never by time. */
#include <sched.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/memory.h"
#include "fake_catalog.h"
#include "fake_driver.h"
#include "house.h"
#include "tests.h"

#define HOLD "{\"do\":\"hold\",\"results\":[{\"voice_id\":\"v\"}]}"

static struct house house;

static void open_house(unsigned provider_limit, unsigned account_limit, unsigned open_max) {
    static struct provider_config provider;
    static struct group_config group;
    provider = (struct provider_config){ .name = "local", .concurrency = provider_limit };
    group = (struct group_config){ .name = "default", .price_ppm = 1000000, .concurrency = account_limit };
    struct config limits = { .providers = &provider, .provider_count = 1, .groups = &group, .group_count = 1,
                             .open_tasks_max = open_max };
    fake_reset();
    house_open(&house, NULL, &limits);
    house_start(&house);
}

static void close_house(void) {
    house_audit(&house);
    house_close(&house);
}

static int64_t place(unsigned account, const struct task_id *id) {
    char *body = house_query(&house, account, id, HOUSE_BASE);
    const char *at = strstr(body, "\"queue_position\":");
    int64_t position = at != NULL ? atoll(at + strlen("\"queue_position\":")) : 0;
    free(body);
    return position;
}

static bool is_queued(void *context) {
    return engine_counts(house.engine).queued == *(unsigned *)context;
}

static void a_burst_of_one_account_leaves_turns_to_the_other(void **state) {
    (void)state;
    enum { BURST = 200, OTHERS = 4 };
    struct task_id others[OTHERS];
    char first[64];
    open_house(2, 1000, 0);
    for (int i = 0; i < BURST; i++)
        (void)house_run(&house, 0, "image", HOLD);
    house_await_started(2);
    for (int i = 0; i < OTHERS; i++)
        others[i] = house_run(&house, 1, "image", HOLD);
    unsigned waiting = BURST - 2 + OTHERS;
    house_await_true(is_queued, &waiting);
    for (int i = 0; i < OTHERS; i++)
        assert_int_equal(place(1, &others[i]), i + 1);

    for (unsigned turn = 0; turn < 2 * OTHERS; turn++) { /* one ends, one begins */
        fake_release(1);
        house_await_started(3 + turn);
    }
    int found = 0;
    for (unsigned at = 2; at < 2 + 2 * OTHERS; at++) {
        fake_started_task(at, first, sizeof(first));
        for (int i = 0; i < OTHERS; i++)
            found += strcmp(first, others[i].string) == 0;
    }
    assert_int_equal(found, OTHERS); /* every other turn was theirs */
    assert_true(fake_running_most() <= 2);
    close_house();
}

static void an_account_runs_as_many_as_its_group_may(void **state) {
    (void)state;
    enum { TASKS = 7 };
    struct task_id ids[TASKS];
    open_house(1000, 3, 0);
    for (int i = 0; i < TASKS; i++)
        ids[i] = house_run(&house, 0, "image", HOLD);
    unsigned waiting = TASKS - 3;
    house_await_true(is_queued, &waiting);
    house_await_started(3);
    assert_int_equal(place(0, &ids[3]), 1);
    assert_int_equal(place(0, &ids[6]), 4);
    struct task_id other = house_run(&house, 1, "image", HOLD); /* is not held up by that */
    house_await_started(4);
    fake_release(1);
    house_await_started(5);
    house_await(&house, 0, &ids[0], TASK_COMPLETED);
    assert_int_equal(place(0, &ids[6]), 3);
    assert_int_equal(house_cancel(&house, 0, &ids[4]), OK);
    fake_release(TASKS);
    house_await(&house, 0, &ids[6], TASK_COMPLETED);
    house_await(&house, 1, &other, TASK_COMPLETED);
    assert_int_equal(fake_running_most(), 4);
    close_house();
}

static void a_server_that_is_full_says_so(void **state) {
    (void)state;
    struct order order = { .model = "image", .input = HOLD };
    struct task_id first;
    open_house(1000, 1000, 2);
    assert_int_equal(house_submit(&house, &order, &first), OK);
    assert_int_equal(house_submit(&house, &order, NULL), OK);
    assert_int_equal(house_submit(&house, &order, NULL), ERR_OVERLOADED);
    house_await_started(2);
    fake_release(1);
    house_await(&house, 0, &first, TASK_COMPLETED);
    assert_int_equal(house_submit(&house, &order, NULL), OK);
    assert_int_equal(house_balance(&house, 0), HOUSE_CREDITS - 3 * PRICE);
    close_house();
}

static void places_survive_a_stop(void **state) {
    (void)state;
    struct task_id ids[4];
    open_house(1, 1000, 0);
    for (int i = 0; i < 4; i++)
        ids[i] = house_run(&house, 0, "image", HOLD);
    house_await_started(1);
    house_stop(&house);
    house_start(&house);
    house_await_started(2);
    char again[64];
    fake_started_task(1, again, sizeof(again));
    assert_string_not_equal(again, ids[3].string);
    fake_release(4);
    for (int i = 0; i < 4; i++)
        house_await(&house, 0, &ids[i], TASK_COMPLETED);
    close_house();
}

static void a_task_does_not_wait_for_ever(void **state) {
    (void)state;
    open_house(1, 1000, 0);
    house_stop(&house);
    house.seams.expire_period_ms = 1;
    house_start(&house);
    struct task_id first = house_run(&house, 0, "image", HOLD);
    house_await_started(1);
    struct task_id second = house_run(&house, 0, "image", HOLD);
    unsigned waiting = 1;
    house_await_true(is_queued, &waiting);
    assert_int_equal(place(0, &second), 1);
    clock_freeze(clock_wall_ms() + (int64_t)25 * 3600 * 1000); /* a day later */
    waiting = 0;
    while (!is_queued(&waiting))
        sched_yield();
    clock_unfreeze();
    house_await(&house, 0, &second, TASK_FAILED);
    char *body = house_query(&house, 0, &second, HOUSE_BASE);
    assert_non_null(strstr(body, "resource_exhausted"));
    free(body);
    fake_release(1);
    house_await(&house, 0, &first, TASK_COMPLETED); /* what runs is not what waits */
    close_house();
}

static void an_engine_that_has_stopped_still_answers(void **state) {
    (void)state;
    struct order order = { .model = "image", .input = HOLD };
    open_house(1000, 1000, 0);
    struct task_id id = house_run(&house, 0, "image", HOLD);
    house_await_started(1);
    engine_stop(house.engine, 0);
    char *body = house_query(&house, 0, &id, HOUSE_BASE);
    assert_non_null(strstr(body, "\"processing\""));
    free(body);
    assert_int_equal(house_submit(&house, &order, NULL), ERR_SHUTTING_DOWN);
    assert_int_equal(house_cancel(&house, 0, &id), ERR_SHUTTING_DOWN);
    engine_reload(house.engine, house.setup);
    engine_free(house.engine);
    house_start(&house);
    house_await_started(2);
    fake_release(1);
    house_await(&house, 0, &id, TASK_COMPLETED);
    close_house();
}

int test_limits(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_burst_of_one_account_leaves_turns_to_the_other),
        cmocka_unit_test(an_account_runs_as_many_as_its_group_may),
        cmocka_unit_test(a_server_that_is_full_says_so),
        cmocka_unit_test(places_survive_a_stop),
        cmocka_unit_test(a_task_does_not_wait_for_ever),
        cmocka_unit_test(an_engine_that_has_stopped_still_answers),
    };
    return cmocka_run_group_tests_name("limits", tests, NULL, NULL);
}
