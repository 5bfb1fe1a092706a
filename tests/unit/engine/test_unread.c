/* A store that cannot be read for a moment, in the middle of an attempt: no task fails for it, and no job is made twice. */
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

static int open_house(void **state) {
    (void)state;
    fake_reset();
    service_reset();
    atomic_store(&failures, 0);
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

static void expect_attempts(const struct task_id *id, const char *expected) {
    char attempts[1024];
    house_attempts(&house, 0, id, attempts, sizeof(attempts));
    assert_string_equal(attempts, expected);
}

static bool was_woken(void *context) {
    (void)context;
    return service_woken() > 0;
}

static bool failed_often(void *context) {
    (void)context;
    return atomic_load(&failures) < MANY - 3;
}

/* More often than the retry policy lets a job fail. */
static void before_anything_was_sent_another_attempt_follows(void **state) {
    (void)state;
    atomic_store(&failures, 5);
    struct task_id id = house_run(&house, 0, "cloud-alpha", "{\"alpha\":\"ok\"" RESULTS);
    house_await(&house, 0, &id, TASK_COMPLETED);
    expect_attempts(&id, "failed failed failed failed failed succeeded");
    assert_int_equal(service_submission_count(), 1);
    assert_int_equal(house_balance(&house, 0), HOUSE_CREDITS - PRICE);
}

static void so_it_does_for_a_command(void **state) {
    (void)state;
    atomic_store(&failures, 5);
    struct task_id id = house_run(&house, 0, "image", "{\"do\":\"succeed\"" RESULTS);
    house_await(&house, 0, &id, TASK_COMPLETED);
    assert_int_equal(fake_started(), 1);
    assert_int_equal(house_balance(&house, 0), HOUSE_CREDITS - PRICE);
}

static void one_that_stays_unread_fails_in_the_end(void **state) {
    (void)state;
    atomic_store(&failures, MANY);
    struct task_id id = house_run(&house, 0, "cloud-alpha", "{\"alpha\":\"ok\"" RESULTS);
    house_await(&house, 0, &id, TASK_FAILED);
    char *body scoped(mem_free_pointer) = house_query(&house, 0, &id, HOUSE_BASE);
    assert_non_null(strstr(body, "\"code\":\"service_unavailable\""));
    assert_int_equal(service_submission_count(), 0);
    assert_int_equal(house_balance(&house, 0), HOUSE_CREDITS);
}

/* Whose input was dropped while it slept, and is wanted for its result. */
static struct task_id begin_and_sleep(void) {
    service_sleep_for(1);
    struct task_id id = house_run(&house, 0, "cloud-alpha", HELD);
    house_await_true(was_woken, NULL);
    return id;
}

static void a_result_is_asked_for_again(void **state) {
    (void)state;
    struct task_id id = begin_and_sleep();
    atomic_store(&failures, 4);
    service_release();
    house_await(&house, 0, &id, TASK_COMPLETED);
    assert_int_equal(atomic_load(&failures), 0);
    expect_attempts(&id, "succeeded");
    assert_int_equal(service_submission_count(), 1);
    assert_int_equal(service_resumed(), 4);
    assert_int_equal(house_balance(&house, 0), HOUSE_CREDITS - PRICE);
}

static void it_can_be_cancelled_meanwhile(void **state) {
    (void)state;
    struct task_id id = begin_and_sleep();
    atomic_store(&failures, MANY);
    service_release();
    house_await_true(failed_often, NULL);
    enum err err = house_cancel(&house, 0, &id);
    atomic_store(&failures, 0); /* its answer came before the cancel, perhaps */
    house_await(&house, 0, &id, err == OK ? TASK_FAILED : TASK_COMPLETED);
    assert_int_equal(service_submission_count(), 1);
    assert_int_equal(house_balance(&house, 0), HOUSE_CREDITS - (err == OK ? 0 : PRICE));
}

int test_unread(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(before_anything_was_sent_another_attempt_follows, open_house, close_house),
        cmocka_unit_test_setup_teardown(so_it_does_for_a_command, open_house, close_house),
        cmocka_unit_test_setup_teardown(one_that_stays_unread_fails_in_the_end, open_house, close_house),
        cmocka_unit_test_setup_teardown(a_result_is_asked_for_again, open_house, close_house),
        cmocka_unit_test_setup_teardown(it_can_be_cancelled_meanwhile, open_house, close_house),
    };
    return cmocka_run_group_tests_name("unread", tests, NULL, NULL);
}
