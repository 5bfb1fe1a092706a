/* Ends that somebody wants: cancel, deadline, the server's stop. */
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

#include "fake_driver.h"
#include "house.h"
#include "tests.h"

#define HOLD "{\"do\":\"hold\",\"results\":[{\"voice_id\":\"v\"}]}"

#define FINISHES                                                                                                       \
    "{\"do\":\"hold\",\"finishes\":true,\"results\":[{\"url\":\"@0\"}],"                                               \
    "\"artifacts\":[{\"base64\":\"iVBORw0KGgoAAAANSUhEUg==\"}]}"

static struct house house;

static int open_house(void **state) {
    (void)state;
    fake_reset();
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

static void assert_ended(const struct task_id *id, const char *code, const char *events) {
    char text[1024], *body = house_query(&house, 0, id, HOUSE_BASE);
    house_await(&house, 0, id, TASK_FAILED);
    assert_non_null(strstr(body, code));
    free(body);
    house_events(&house, 0, id, text, sizeof(text));
    assert_string_equal(text, events);
    assert_int_equal(house_balance(&house, 0), HOUSE_CREDITS);
}

static bool none_runs(void *context) {
    (void)context;
    return engine_counts(house.engine).running == 0;
}

static void a_running_task_is_cancelled(void **state) {
    (void)state;
    struct task_id id = house_run(&house, 0, "image", HOLD);
    house_await_started(1);
    assert_int_equal(house_cancel(&house, 0, &id), OK);
    assert_ended(&id, "request_cancelled", "accepted dispatched cancelled");
    assert_int_equal(house_cancel(&house, 0, &id), ERR_TASK_FINAL);
    house_await_true(none_runs, NULL);
}

static void a_task_whose_driver_cannot_stop_ends_at_once(void **state) {
    (void)state;
    struct task_id id = house_run(&house, 0, "remote", HOLD);
    house_await_started(1);
    assert_int_equal(house_cancel(&house, 0, &id), OK);
    assert_ended(&id, "request_cancelled", "accepted dispatched cancelled");
    assert_int_equal(fake_running(), 1);
    assert_int_equal(engine_counts(house.engine).running, 1); /* its slot is taken as long as it goes on */
    fake_release(1);
    house_await_true(none_runs, NULL);
}

static void a_task_that_waits_is_cancelled(void **state) {
    (void)state;
    struct task_id first = house_run(&house, 0, "image", HOLD);
    house_await_started(1);
    struct task_id second = house_run(&house, 0, "image", HOLD);
    assert_int_equal(house_cancel(&house, 0, &second), OK);
    char text[256];
    house_events(&house, 0, &second, text, sizeof(text));
    assert_true(strcmp(text, "accepted cancelled") == 0 || strcmp(text, "accepted dispatched cancelled") == 0);
    assert_int_equal(house_cancel(&house, 0, &first), OK);
}

static void a_task_between_two_attempts_is_cancelled(void **state) {
    (void)state;
    house_stop(&house);
    house.seams.retry.first_delay_ms = house.seams.retry.max_delay_ms = 3600 * 1000;
    house_start(&house);
    struct task_id id = house_run(&house, 0, "image", "{\"do\":\"fail\",\"error\":\"service_error\",\"retryable\":true}");
    house_await_started(1);
    house_await(&house, 0, &id, TASK_PENDING);
    assert_int_equal(house_cancel(&house, 0, &id), OK);
    assert_ended(&id, "request_cancelled", "accepted dispatched retried cancelled");
}

static void a_task_that_does_not_exist_is_not_cancelled(void **state) {
    (void)state;
    struct task_id id;
    task_id_new(&id, false, 1);
    assert_int_equal(house_cancel(&house, 0, &id), ERR_TASK_NOT_FOUND);
}

static void the_deadline_ends_an_attempt(void **state) {
    (void)state;
    struct task_id id = house_run(&house, 0, "quick", HOLD);
    house_await(&house, 0, &id, TASK_FAILED);
    assert_ended(&id, "generation_timeout", "accepted dispatched failed");
    house_await_true(none_runs, NULL);
}

static void the_deadline_does_not_wait_for_a_driver_that_cannot_stop(void **state) {
    (void)state;
    struct task_id id = house_run(&house, 0, "quick-remote", HOLD);
    house_await(&house, 0, &id, TASK_FAILED);
    assert_ended(&id, "generation_timeout", "accepted dispatched failed");
    fake_release(1);
    house_await_true(none_runs, NULL);
}

static void a_stop_leaves_tasks_to_the_next_start(void **state) {
    (void)state;
    char text[256];
    struct task_id id = house_run(&house, 0, "image", HOLD);
    house_await_started(1);
    house_stop(&house);
    assert_int_equal(fake_running(), 0);
    house_start(&house);
    house_await_started(2);
    fake_release(1);
    house_await(&house, 0, &id, TASK_COMPLETED);
    house_events(&house, 0, &id, text, sizeof(text));
    assert_string_equal(text, "accepted dispatched recovered dispatched completed");
    house_attempts(&house, 0, &id, text, sizeof(text));
    assert_string_equal(text, "abandoned succeeded");
    assert_int_equal(engine_counts(house.engine).recovered, 1);
}

static void a_stop_waits_for_what_ends_in_time(void **state) {
    (void)state;
    struct task_id id = house_run(&house, 0, "image", HOLD);
    house_await_started(1);
    fake_release(1);
    engine_stop(house.engine, 60000);
    engine_free(house.engine);
    house.engine = NULL;
    house_start(&house);
    house_await(&house, 0, &id, TASK_COMPLETED);
    assert_int_equal(fake_started(), 1);
}

/* Nothing can be stored from here until the next start, as on a full disk. */
static void break_blobs(void) {
    char path[96];
    for (unsigned i = 0; i <= 0xff; i++) {
        snprintf(path, sizeof(path), "%s/blobs/%02x", house.directory, i);
        assert_int_equal(rmdir(path), 0);
    }
}

static void a_stop_does_not_wait_for_a_disk(void **state) {
    (void)state;
    struct task_id id = house_run(&house, 0, "image", FINISHES);
    house_await_started(1);
    break_blobs();
    house_stop(&house);
    house_start(&house);
    house_await_started(2); /* left to the next start */
    assert_int_equal(house_cancel(&house, 0, &id), OK);
}

static void the_deadline_does_not_wait_for_a_disk(void **state) {
    (void)state;
    break_blobs();
    struct task_id id = house_run(&house, 0, "quick", FINISHES);
    house_await(&house, 0, &id, TASK_FAILED);
    assert_ended(&id, "generation_timeout", "accepted dispatched failed");
    house_await_true(none_runs, NULL);
}

/* Its heart has not stopped; on a busy machine the next beat may be due. */
static bool is_alive(void *context) {
    (void)context;
    return engine_alive(house.engine);
}

static void a_closed_door_takes_nothing(void **state) {
    (void)state;
    struct task_id id = house_run(&house, 0, "image", HOLD);
    house_await_started(1);
    engine_close_door(house.engine);
    assert_int_equal(house_submit(&house, &(struct order){ .model = "image", .input = HOLD }, NULL), ERR_SHUTTING_DOWN);
    fake_release(1);
    house_await(&house, 0, &id, TASK_COMPLETED);
    house_await_true(is_alive, NULL);
}

static atomic_uint told;

static void count_settled(void *context) {
    (void)context;
    atomic_fetch_add(&told, 1);
}

static void count_renewed(struct renewal *renewal, enum err err) {
    (void)renewal;
    assert_int_equal(err, OK);
    atomic_fetch_add(&told, 1);
}

/* Whoever asked has been given up by then, and the stop does not wait for it. */
static void what_the_writer_still_has_comes_back_after_the_stop(void **state) {
    (void)state;
    struct task_id id = house_run(&house, 0, "image", FINISHES);
    struct renewal renewal = { .account = house.accounts[0].id, .id = id, .ttl_s = 1000000, .done = count_renewed };
    fake_release(1);
    house_await(&house, 0, &id, TASK_COMPLETED);
    atomic_store(&told, 0);
    house_hold_writer(&house);
    engine_renew(house.engine, &renewal);
    engine_settled(house.engine, count_settled, NULL);
    engine_stop(house.engine, 0);
    assert_int_equal(atomic_load(&told), 0);
    house_let_writer(&house);
    store_close(house.store);
    house.store = NULL;
    assert_int_equal(atomic_load(&told), 2);
    engine_free(house.engine);
    house.engine = NULL;
    house_close(&house);
}

int test_stopping(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_running_task_is_cancelled, open_house, close_house),
        cmocka_unit_test_setup_teardown(a_task_whose_driver_cannot_stop_ends_at_once, open_house, close_house),
        cmocka_unit_test_setup_teardown(a_task_that_waits_is_cancelled, open_house, close_house),
        cmocka_unit_test_setup_teardown(a_task_between_two_attempts_is_cancelled, open_house, close_house),
        cmocka_unit_test_setup_teardown(a_task_that_does_not_exist_is_not_cancelled, open_house, close_house),
        cmocka_unit_test_setup_teardown(the_deadline_ends_an_attempt, open_house, close_house),
        cmocka_unit_test_setup_teardown(the_deadline_does_not_wait_for_a_driver_that_cannot_stop, open_house, close_house),
        cmocka_unit_test_setup_teardown(a_stop_leaves_tasks_to_the_next_start, open_house, close_house),
        cmocka_unit_test_setup_teardown(a_stop_waits_for_what_ends_in_time, open_house, close_house),
        cmocka_unit_test_setup_teardown(a_stop_does_not_wait_for_a_disk, open_house, close_house),
        cmocka_unit_test_setup_teardown(the_deadline_does_not_wait_for_a_disk, open_house, close_house),
        cmocka_unit_test_setup_teardown(a_closed_door_takes_nothing, open_house, close_house),
        cmocka_unit_test_setup(what_the_writer_still_has_comes_back_after_the_stop, open_house),
    };
    return cmocka_run_group_tests_name("stopping", tests, NULL, NULL);
}
