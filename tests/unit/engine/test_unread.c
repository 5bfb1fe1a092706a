/* A store that cannot be read for a moment, in the middle of an attempt: it is waited for, and no job is made twice. */
#include <stdatomic.h>
#include <stdlib.h>

#include "base/memory.h"
#include "fake_driver.h"
#include "fake_service.h"
#include "house.h"
#include "tests.h"

#define RESULTS ",\"results\":[{\"voice_id\":\"v\"}]}"
#define HELD "{\"alpha\":\"hold\"" RESULTS
#define MANY 1000
#define READINGS 61 /* in one attempt */

static struct house house;
static const char *const alpha_keys[] = { "fake-a1", "fake-a2" };
static const struct provider_config provider = { .name = "alpha", .keys = alpha_keys, .key_count = 2 };
static struct config limits;

/* Readings of inputs that are still to fail. */
static atomic_uint failures;

enum err __real_store_load_input(struct store *store, int64_t account, const struct task_id *id, struct arena *arena,
                                 struct text *ret);
enum err __wrap_store_load_input(struct store *store, int64_t account, const struct task_id *id, struct arena *arena,
                                 struct text *ret);
enum err __wrap_store_load_input(struct store *store, int64_t account, const struct task_id *id, struct arena *arena,
                                 struct text *ret) {
    if (atomic_load(&failures) == 0)
        return __real_store_load_input(store, account, id, arena, ret);
    atomic_fetch_sub(&failures, 1);
    return ERR_NO_MEMORY;
}

static int open_with(int64_t reread_ms) {
    fake_reset();
    service_reset();
    atomic_store(&failures, 0);
    limits = (struct config){ .providers = (struct provider_config *)(uintptr_t)&provider, .provider_count = 1,
                              .public_url = "http://house" };
    house_open(&house, NULL, &limits);
    house.seams.reread_ms = reread_ms;
    house_start(&house);
    return 0;
}

static int open_house(void **state) {
    (void)state;
    return open_with(1);
}

/* Where a test does something while an attempt waits. */
static int open_patient_house(void **state) {
    (void)state;
    return open_with(200);
}

static int close_house(void **state) {
    (void)state;
    house_audit(&house);
    house_close(&house);
    return 0;
}

static void expect_attempts(const struct task_id *id, const char *expected) {
    char attempts[1024];
    house_attempts(&house, 0, id, attempts, sizeof(attempts));
    assert_string_equal(attempts, expected);
}

static bool was_woken(void *context) {
    (void)context;
    return service_woken() > 0;
}

static bool has_failed(void *context) {
    (void)context;
    return atomic_load(&failures) < MANY;
}

static const char *const submissions[] = { "{\"alpha\":\"ok\"" RESULTS, "{\"do\":\"succeed\"" RESULTS };
static const char *const models[] = { "cloud-alpha", "image" };

/* More often than the retry policy lets a job fail. */
static void before_anything_was_sent_it_is_waited_for(void **state) {
    (void)state;
    for (unsigned i = 0; i < 2; i++) {
        atomic_store(&failures, 5);
        struct task_id id = house_run(&house, 0, models[i], submissions[i]);
        house_await(&house, 0, &id, TASK_COMPLETED);
        assert_int_equal(atomic_load(&failures), 0);
        expect_attempts(&id, "succeeded");
    }
    assert_int_equal(service_submission_count(), 1);
    assert_int_equal(fake_started(), 1);
    assert_int_equal(house_balance(&house, 0), HOUSE_CREDITS - 2 * PRICE);
}

/* Longer than the whole attempt may take. */
static void waiting_takes_none_of_its_time(void **state) {
    (void)state;
    atomic_store(&failures, 10);
    struct task_id id = house_run(&house, 0, "cloud-quick", submissions[0]);
    house_await(&house, 0, &id, TASK_COMPLETED);
    expect_attempts(&id, "succeeded");
}

/* All the waits in each of the attempts that the retry policy allows. */
static void one_that_stays_unread_fails_in_the_end(void **state) {
    (void)state;
    atomic_store(&failures, MANY);
    struct task_id id = house_run(&house, 0, "cloud-alpha", submissions[0]);
    house_await(&house, 0, &id, TASK_FAILED);
    char *body scoped(mem_free_pointer) = house_query(&house, 0, &id, HOUSE_BASE);
    assert_non_null(strstr(body, "\"code\":\"service_unavailable\""));
    expect_attempts(&id, "failed failed failed");
    assert_int_equal(MANY - atomic_load(&failures), 3 * READINGS);
    assert_int_equal(service_submission_count(), 0);
    assert_int_equal(house_balance(&house, 0), HOUSE_CREDITS);
}

static void a_task_that_waits_before_it_is_sent_can_be_cancelled(void **state) {
    (void)state;
    atomic_store(&failures, MANY);
    struct task_id id = house_run(&house, 0, "cloud-alpha", submissions[0]);
    house_await_true(has_failed, NULL);
    assert_int_equal(house_cancel(&house, 0, &id), OK);
    house_await(&house, 0, &id, TASK_FAILED);
    expect_attempts(&id, "failed");
    assert_int_equal(service_submission_count(), 0);
    assert_int_equal(house_balance(&house, 0), HOUSE_CREDITS);
}

static void one_that_waits_before_it_is_sent_waits_for_the_next_life(void **state) {
    (void)state;
    atomic_store(&failures, MANY);
    struct task_id id = house_run(&house, 0, "cloud-alpha", submissions[0]);
    house_await_true(has_failed, NULL);
    house_stop(&house);
    atomic_store(&failures, 0);
    house_start(&house);
    house_await(&house, 0, &id, TASK_COMPLETED);
    expect_attempts(&id, "abandoned succeeded");
    assert_int_equal(service_submission_count(), 1);
    assert_int_equal(house_balance(&house, 0), HOUSE_CREDITS - PRICE);
}

/* Whose input was dropped while it slept, and is wanted for its result. */
static struct task_id begin_and_sleep(void) {
    service_sleep_for(1);
    struct task_id id = house_run(&house, 0, "cloud-alpha", HELD);
    house_await_true(was_woken, NULL);
    return id;
}

static void a_result_is_kept_until_it_can_be_read(void **state) {
    (void)state;
    struct task_id id = begin_and_sleep();
    atomic_store(&failures, 4);
    service_release();
    house_await(&house, 0, &id, TASK_COMPLETED);
    assert_int_equal(atomic_load(&failures), 0);
    char *body scoped(mem_free_pointer) = house_query(&house, 0, &id, HOUSE_BASE);
    assert_non_null(strstr(body, "\"voice_id\":\"v\""));
    expect_attempts(&id, "succeeded");
    assert_int_equal(service_submission_count(), 1);
    assert_int_equal(service_resumed(), 0);
    assert_int_equal(house_balance(&house, 0), HOUSE_CREDITS - PRICE);
}

static void a_result_that_is_kept_can_be_cancelled(void **state) {
    (void)state;
    struct task_id id = begin_and_sleep();
    atomic_store(&failures, MANY);
    service_release();
    house_await_true(has_failed, NULL);
    assert_int_equal(house_cancel(&house, 0, &id), OK);
    house_await(&house, 0, &id, TASK_FAILED);
    expect_attempts(&id, "failed");
    assert_int_equal(service_submission_count(), 1);
    assert_int_equal(house_balance(&house, 0), HOUSE_CREDITS);
}

static void a_result_that_is_kept_too_long_is_given_up(void **state) {
    (void)state;
    struct task_id id = begin_and_sleep();
    atomic_store(&failures, MANY);
    service_release();
    house_await(&house, 0, &id, TASK_FAILED);
    assert_int_equal(MANY - atomic_load(&failures), READINGS);
    expect_attempts(&id, "failed");
    assert_int_equal(service_submission_count(), 1); /* T4: it was made, and not because of what it asked for */
    assert_int_equal(house_balance(&house, 0), HOUSE_CREDITS);
}

/* The next life asks the service for it. */
static void a_result_that_is_kept_outlives_the_server(void **state) {
    (void)state;
    struct task_id id = begin_and_sleep();
    atomic_store(&failures, MANY);
    service_release();
    house_await_true(has_failed, NULL);
    house_stop(&house);
    atomic_store(&failures, 0);
    house_start(&house);
    house_await(&house, 0, &id, TASK_COMPLETED);
    assert_int_equal(service_resumed(), 1);
    assert_int_equal(service_submission_count(), 1);
    assert_int_equal(house_balance(&house, 0), HOUSE_CREDITS - PRICE);
}

int test_unread(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(before_anything_was_sent_it_is_waited_for, open_house, close_house),
        cmocka_unit_test_setup_teardown(waiting_takes_none_of_its_time, open_patient_house, close_house),
        cmocka_unit_test_setup_teardown(one_that_stays_unread_fails_in_the_end, open_house, close_house),
        cmocka_unit_test_setup_teardown(a_task_that_waits_before_it_is_sent_can_be_cancelled, open_patient_house, close_house),
        cmocka_unit_test_setup_teardown(one_that_waits_before_it_is_sent_waits_for_the_next_life, open_patient_house, close_house),
        cmocka_unit_test_setup_teardown(a_result_is_kept_until_it_can_be_read, open_house, close_house),
        cmocka_unit_test_setup_teardown(a_result_that_is_kept_can_be_cancelled, open_patient_house, close_house),
        cmocka_unit_test_setup_teardown(a_result_that_is_kept_too_long_is_given_up, open_house, close_house),
        cmocka_unit_test_setup_teardown(a_result_that_is_kept_outlives_the_server, open_patient_house, close_house),
    };
    return cmocka_run_group_tests_name("unread", tests, NULL, NULL);
}
