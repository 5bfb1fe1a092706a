/* Attempts that sleep while their job is elsewhere: what wakes them, and that they go on as they were. */
#include <stdlib.h>

#include "base/memory.h"
#include "fake_service.h"
#include "house.h"
#include "tests.h"

#define RESULTS ",\"results\":[{\"voice_id\":\"v\"}]}"
#define HELD "{\"alpha\":\"hold\"" RESULTS
#define LONG_MS (INT64_C(3600) * 1000)

static struct house house;
static const char *const alpha_keys[] = { "fake-a1", "fake-a2" };
static const struct provider_config provider = { .name = "alpha", .keys = alpha_keys, .key_count = 2 };
static struct config limits;

static int open_house(void **state) {
    (void)state;
    service_reset();
    limits = (struct config){ .providers = (struct provider_config *)(uintptr_t)&provider, .provider_count = 1 };
    house_open(&house, NULL, &limits);
    house_start(&house);
    return 0;
}

static int close_house(void **state) {
    (void)state;
    house_audit(&house);
    house_close(&house);
    return 0;
}

static bool sleep_so_many(void *count) {
    return service_asleep() == *(unsigned *)count;
}

static bool were_woken(void *count) {
    return service_woken() >= *(unsigned *)count;
}

static struct task_id sleeps(const char *model) {
    unsigned more = service_asleep() + 1;
    struct task_id id = house_run(&house, 0, model, HELD);
    house_await_true(sleep_so_many, &more);
    return id;
}

static void expect_events(const struct task_id *id, const char *expected) {
    char events[1024];
    house_events(&house, 0, id, events, sizeof(events));
    assert_string_equal(events, expected);
}

static void it_wakes_for_its_question(void **state) {
    (void)state;
    unsigned twice = 2;
    service_sleep_for(1);
    struct task_id id = house_run(&house, 0, "cloud-alpha", HELD);
    house_await_true(were_woken, &twice);
    service_release();
    house_await(&house, 0, &id, TASK_COMPLETED);
    expect_events(&id, "accepted dispatched submitted completed");
    assert_int_equal(service_submission_count(), 1);
    assert_int_equal(house_balance(&house, 0), HOUSE_CREDITS - PRICE);
}

static void a_cancel_wakes_it(void **state) {
    (void)state;
    service_sleep_for(LONG_MS);
    struct task_id id = sleeps("cloud-alpha"), other = sleeps("cloud-alpha");
    assert_int_equal(house_cancel(&house, 0, &id), OK);
    house_await(&house, 0, &id, TASK_FAILED);
    assert_int_equal(service_woken(), 1);
    assert_int_equal(service_asleep(), 1);
    assert_int_equal(house_balance(&house, 0), HOUSE_CREDITS - PRICE);
    assert_int_equal(house_cancel(&house, 0, &other), OK);
    assert_int_equal(house_balance(&house, 0), HOUSE_CREDITS);
}

static void its_deadline_wakes_it(void **state) {
    (void)state;
    service_sleep_for(LONG_MS);
    for (unsigned tries = 0; tries < 5 && service_woken() == 0; tries++) { /* a busy machine may keep it from its sleep */
        struct task_id id = house_run(&house, 0, "cloud-quick", HELD);
        house_await(&house, 0, &id, TASK_FAILED);
        char *body scoped(mem_free_pointer) = house_query(&house, 0, &id, HOUSE_BASE);
        assert_non_null(strstr(body, "\"code\":\"generation_timeout\""));
    }
    assert_true(service_woken() > 0);
    assert_int_equal(house_balance(&house, 0), HOUSE_CREDITS);
}

/* What sleeps is left to the next life, and so is its slot: the next engine counts it anew. */
static void the_next_life_goes_on_with_it(void **state) {
    (void)state;
    service_sleep_for(LONG_MS);
    struct task_id id = sleeps("cloud-alpha");
    house_stop(&house);
    assert_int_equal(service_asleep(), 0);
    house_start(&house);
    unsigned one = 1;
    house_await_true(sleep_so_many, &one);
    assert_int_equal(service_resumed(), 1);
    assert_int_equal(engine_counts(house.engine).running, 1);
    assert_int_equal(house_cancel(&house, 0, &id), OK);
    house_await(&house, 0, &id, TASK_FAILED);
    assert_int_equal(service_submission_count(), 1);
    assert_int_equal(house_balance(&house, 0), HOUSE_CREDITS);
}

/* A setup that is no longer in force lives as long as somebody sleeps in it. */
static void it_keeps_its_setup(void **state) {
    (void)state;
    service_sleep_for(LONG_MS);
    struct task_id id = sleeps("cloud-alpha");
    struct setup *setup = engine_setup(house.engine);
    engine_reload(house.engine, setup);
    setup_unref(setup);
    struct task_id next = sleeps("cloud-alpha"); /* the reload is over */
    assert_int_equal(house_cancel(&house, 0, &id), OK);
    assert_int_equal(house_cancel(&house, 0, &next), OK);
    assert_int_equal(house_balance(&house, 0), HOUSE_CREDITS);
}

/* ---- what its service was asked for ---- */

/* Its service has the job, and the engine knows that it is written down. */
static struct task_id is_taken(const char *input) {
    struct task_id id = house_run(&house, 0, "cloud-alpha", input);
    house_await_event(&house, 0, &id, "submitted");
    house_settle(&house);
    return id;
}

static void a_small_input_stays_while_it_is_awake(void **state) {
    (void)state;
    struct task_id id = is_taken(HELD);
    house_spoil_input(&house, &id);
    service_release();
    house_await(&house, 0, &id, TASK_COMPLETED);
}

static void a_large_input_is_read_again(void **state) {
    (void)state;
    char input[8192];
    snprintf(input, sizeof(input), "{\"padding\":\"%05000d\",\"alpha\":\"hold\"" RESULTS, 7);
    struct task_id whole = is_taken(input), spoilt = is_taken(input);
    house_spoil_input(&house, &spoilt);
    service_release();
    house_await(&house, 0, &whole, TASK_COMPLETED);
    house_await(&house, 0, &spoilt, TASK_FAILED);
    assert_int_equal(house_balance(&house, 0), HOUSE_CREDITS - PRICE);
}

static void no_input_stays_while_it_sleeps(void **state) {
    (void)state;
    service_sleep_for(1);
    struct task_id id = sleeps("cloud-alpha");
    house_spoil_input(&house, &id);
    service_release();
    house_await(&house, 0, &id, TASK_FAILED);
    assert_int_equal(house_balance(&house, 0), HOUSE_CREDITS);
}

int test_nap(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(it_wakes_for_its_question, open_house, close_house),
        cmocka_unit_test_setup_teardown(a_cancel_wakes_it, open_house, close_house),
        cmocka_unit_test_setup_teardown(its_deadline_wakes_it, open_house, close_house),
        cmocka_unit_test_setup_teardown(the_next_life_goes_on_with_it, open_house, close_house),
        cmocka_unit_test_setup_teardown(it_keeps_its_setup, open_house, close_house),
        cmocka_unit_test_setup_teardown(a_small_input_stays_while_it_is_awake, open_house, close_house),
        cmocka_unit_test_setup_teardown(a_large_input_is_read_again, open_house, close_house),
        cmocka_unit_test_setup_teardown(no_input_stays_while_it_sleeps, open_house, close_house),
    };
    return cmocka_run_group_tests_name("engine/nap", tests, NULL, NULL);
}
