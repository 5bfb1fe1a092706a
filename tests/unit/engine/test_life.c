/* The life of a task, from submission to its end. */
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "catalog/catalog.h"
#include "engine/commit.h"
#include "fake_catalog.h"
#include "fake_driver.h"
#include "house.h"
#include "tests.h"

/* 1 x 1 pixels. */
#define PNG "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
#define DONE "\"results\":[{\"url\":\"@0\",\"content_type\":null,\"seed\":7}],\"artifacts\":[{\"base64\":\"" PNG "\"}]"
#define SUCCEED "{\"do\":\"succeed\"," DONE "}"

/* The store is full: what is posted fails at once, as often as told. */
void __real_store_post_always(struct store *store, struct store_job *job);
void __wrap_store_post_always(struct store *store, struct store_job *job);
static atomic_int failures;

void fail_posts(int count) {
    atomic_store(&failures, count);
}

int posts_still_to_fail(void) {
    return atomic_load(&failures);
}

/* One job is refused, each time that it comes, until it is let. */
static atomic_int posts_to_refused;
static _Atomic(struct store_job *) refused;
static atomic_uint refusals;

static void refuse_post(int number) {
    atomic_store(&refusals, 0);
    atomic_store(&posts_to_refused, number);
}

static void let_refused(void) {
    atomic_store(&refused, NULL);
}

static bool was_refused(void *count) {
    return atomic_load(&refusals) >= *(unsigned *)count;
}

static bool is_refused(struct store_job *job) {
    if (atomic_load(&posts_to_refused) > 0 && atomic_fetch_sub(&posts_to_refused, 1) == 1)
        atomic_store(&refused, job);
    return atomic_load(&refused) == job;
}

void __wrap_store_post_always(struct store *store, struct store_job *job) {
    if (is_refused(job)) {
        atomic_fetch_add(&refusals, 1);
        job->done(job, ERR_NO_SPACE);
        return;
    }
    int left = atomic_load(&failures);
    while (left > 0)
        if (atomic_compare_exchange_weak(&failures, &left, left - 1)) {
            job->done(job, ERR_NO_SPACE);
            return;
        }
    __real_store_post_always(store, job);
}

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

static void assert_history(const struct task_id *id, const char *events, const char *attempts) {
    char text[1024];
    house_events(&house, 0, id, text, sizeof(text));
    assert_string_equal(text, events);
    house_attempts(&house, 0, id, text, sizeof(text));
    assert_string_equal(text, attempts);
}

static void assert_shows(const struct task_id *id, const char *words) {
    char *body = house_query(&house, 0, id, HOUSE_BASE);
    assert_non_null(body);
    if (strstr(body, words) == NULL)
        fail_msg("%s is not in %s", words, body);
    free(body);
}

static void a_task_completes_with_its_artifact(void **state) {
    (void)state;
    struct task_id id = house_run(&house, 0, "image", SUCCEED);
    house_await(&house, 0, &id, TASK_COMPLETED);
    assert_history(&id, "accepted dispatched completed", "succeeded");
    assert_shows(&id, "\"progress\":100");
    assert_shows(&id, "\"results\":[{\"url\":\"http://house/v1/artifacts/");
    assert_shows(&id, "-1.png?expires=");
    assert_shows(&id, "\"content_type\":\"image/png\",\"seed\":7}]");
    assert_shows(&id, "\"credits_reserved\":4,\"user_group\":\"default\",\"credits_charged\":4,\"credits_refunded\":0");
    assert_int_equal(house_balance(&house, 0), HOUSE_CREDITS - PRICE);
    assert_int_equal(house_blobs(&house), 1);
    struct engine_counts counts = engine_counts(house.engine);
    assert_int_equal(counts.accepted, 1);
    assert_int_equal(counts.completed, 1);
    assert_int_equal(counts.artifacts_stored, 1);
}

static void what_was_delivered_is_charged(void **state) {
    (void)state;
    struct task_id less = house_run(&house, 0, "image", "{\"do\":\"succeed\",\"units_milli\":1500," DONE "}");
    struct task_id more = house_run(&house, 0, "image", "{\"do\":\"succeed\",\"units_milli\":99000," DONE "}");
    house_await(&house, 0, &less, TASK_COMPLETED);
    house_await(&house, 0, &more, TASK_COMPLETED);
    assert_shows(&less, "\"credits_charged\":1.5,\"credits_refunded\":2.5");
    assert_shows(&more, "\"credits_charged\":4,\"credits_refunded\":0"); /* L3: never above what was reserved */
}

static void prices_of_today_do_not_touch_a_reservation_of_yesterday(void **state) {
    (void)state;
    struct order order = { .model = "image", .input = "{\"do\":\"succeed\",\"units_milli\":1500," DONE "}", .reserved = 1000000 };
    struct task_id id;
    assert_int_equal(house_submit(&house, &order, &id), OK);
    house_await(&house, 0, &id, TASK_COMPLETED);
    assert_shows(&id, "\"credits_charged\":0.375,\"credits_refunded\":0.625");
}

static void a_failure_is_refunded(void **state) {
    (void)state;
    struct task_id id = house_run(&house, 0, "image", "{\"do\":\"fail\",\"error\":\"content_policy_violation\",\"progress\":[20]}");
    house_await(&house, 0, &id, TASK_FAILED);
    assert_history(&id, "accepted dispatched failed", "failed");
    assert_shows(&id, "\"error\":{\"code\":\"content_policy_violation\"");
    assert_shows(&id, "\"progress\":20");
    assert_shows(&id, "\"credits_charged\":0,\"credits_refunded\":4");
    assert_int_equal(house_balance(&house, 0), HOUSE_CREDITS);
}

static void a_passing_failure_is_tried_again(void **state) {
    (void)state;
    struct task_id id = house_run(&house, 0, "image",
        "{\"do\":\"fail\",\"error\":\"service_error\",\"retryable\":true,\"fails\":2," DONE "}");
    house_await(&house, 0, &id, TASK_COMPLETED);
    assert_history(&id, "accepted dispatched retried dispatched retried dispatched completed", "failed failed succeeded");
    assert_int_equal(engine_counts(house.engine).retried, 2);
}

static void tries_have_an_end(void **state) {
    (void)state;
    struct task_id id = house_run(&house, 0, "image", "{\"do\":\"fail\",\"error\":\"service_error\",\"retryable\":true}");
    house_await(&house, 0, &id, TASK_FAILED);
    assert_history(&id, "accepted dispatched retried dispatched retried dispatched failed", "failed failed failed");
}

static void a_driver_that_does_not_start_is_tried_again(void **state) {
    (void)state;
    struct task_id id = house_run(&house, 0, "image", "{\"do\":\"refuse\"}");
    house_await(&house, 0, &id, TASK_FAILED);
    assert_shows(&id, "\"service_unavailable\"");
    assert_history(&id, "accepted dispatched retried dispatched retried dispatched failed", "failed failed failed");
}

static void a_test_keys_task_goes_to_the_simulator(void **state) {
    (void)state;
    struct task_id id;
    assert_int_equal(house_submit(&house, &(struct order){ .model = "routeless", .input = SUCCEED, .test = true }, &id), OK);
    house_await(&house, 0, &id, TASK_COMPLETED);
    assert_int_equal(house_balance(&house, 0), HOUSE_CREDITS); /* the other book */
}

static void a_model_that_nothing_can_run_fails(void **state) {
    (void)state;
    struct task_id id = house_run(&house, 0, "routeless", SUCCEED);
    house_await(&house, 0, &id, TASK_FAILED);
    assert_shows(&id, "\"service_unavailable\"");
    assert_history(&id, "accepted failed", "");
}

static void a_submission_over_the_balance_makes_no_task(void **state) {
    (void)state;
    struct order order = { .model = "image", .input = SUCCEED, .reserved = HOUSE_CREDITS + 1 };
    assert_int_equal(house_submit(&house, &order, NULL), ERR_INSUFFICIENT_QUOTA);
    assert_int_equal(engine_counts(house.engine).accepted, 0);
    assert_int_equal(fake_started(), 0);
}

static void another_accounts_task_is_not_there(void **state) {
    (void)state;
    struct task_id id = house_run(&house, 0, "image", SUCCEED);
    house_await(&house, 0, &id, TASK_COMPLETED);
    assert_null(house_query(&house, 1, &id, HOUSE_BASE)); /* S2 */
    assert_int_equal(house_cancel(&house, 1, &id), ERR_TASK_NOT_FOUND);
}

static void every_base_gets_its_own_urls(void **state) {
    (void)state;
    struct task_id id = house_run(&house, 0, "image", SUCCEED);
    house_await(&house, 0, &id, TASK_COMPLETED);
    const char *bases[] = { "http://one", "http://two", "http://one" };
    for (size_t i = 0; i < 3; i++) {
        char *body = house_query(&house, 0, &id, text_of(bases[i])), wanted[64];
        snprintf(wanted, sizeof(wanted), "\"url\":\"%s/v1/", bases[i]);
        assert_non_null(strstr(body, wanted));
        free(body);
    }
}

/* Progress as the store has it never goes down, whatever the driver says. */
static void progress_never_goes_down(void **state) {
    (void)state;
    struct task_id id = house_run(&house, 0, "image", "{\"do\":\"hold\",\"progress\":[10,60,30,250]," DONE "}");
    house_await_started(1);
    int last = -1;
    while (last < 99) {
        char *body = house_query(&house, 0, &id, HOUSE_BASE);
        int progress = atoi(strstr(body, "\"progress\":") + strlen("\"progress\":"));
        free(body);
        struct arena arena;
        struct task_row row;
        arena_init(&arena, 1 << 20);
        assert_int_equal(store_find_task(house.store, house.accounts[0].id, &id, &arena, &row), OK);
        arena_fini(&arena);
        assert_true(progress >= last && progress <= 99);
        assert_true(row.progress >= progress); /* shown only after it is durable */
        last = progress;
    }
    fake_release(1);
    house_await(&house, 0, &id, TASK_COMPLETED);
}

static void a_full_disk_loses_nothing(void **state) {
    (void)state;
    atomic_store(&failures, 3);
    struct task_id id = house_run(&house, 0, "image", "{\"do\":\"hold\"," DONE "}");
    house_await_started(1); /* T3: only once the attempt was written */
    assert_int_equal(atomic_load(&failures), 0);
    atomic_store(&failures, 2);
    fake_release(1);
    house_await(&house, 0, &id, TASK_COMPLETED);
    assert_int_equal(atomic_load(&failures), 0);
    assert_history(&id, "accepted dispatched completed", "succeeded");
}

static bool none_runs(void *context) {
    (void)context;
    return fake_started() == 1 && fake_running() == 0;
}

/* T4: else the next start would not know that the service had made the job. */
static void an_attempts_end_does_not_overtake_its_job(void **state) {
    (void)state;
    unsigned twice = 2;
    refuse_post(2); /* after the dispatch: what the service calls the job */
    struct task_id id = house_run(&house, 0, "service",
        "{\"do\":\"fail\",\"error\":\"service_error\",\"retryable\":true,\"fails\":1,\"remote\":\"job\","
        "\"results\":[{\"seed\":7}]}");
    house_await_true(none_runs, NULL);
    house_await_true(was_refused, &twice);
    struct task_id other = house_run(&house, 0, "image", SUCCEED);
    house_await(&house, 0, &other, TASK_COMPLETED); /* nobody else waits */
    assert_history(&id, "accepted dispatched", "started");
    let_refused();
    house_await(&house, 0, &id, TASK_COMPLETED);
    assert_history(&id, "accepted dispatched submitted retried dispatched submitted completed", "failed succeeded");
}

static bool read_job(const struct attempt_row *row, void *ret) {
    snprintf(ret, NAME_SIZE, "%.*s", TEXT_ARG(row->remote));
    return true;
}

static void what_stalls_is_written_at_the_stop_if_it_can_be(void **state) {
    (void)state;
    unsigned often = 3; /* so that the next time would be late */
    char job[NAME_SIZE] = "";
    refuse_post(2);
    struct task_id id = house_run(&house, 0, "service", "{\"do\":\"hold\",\"remote\":\"job\"}");
    house_await_true(was_refused, &often);
    let_refused();
    house_stop(&house);
    assert_history(&id, "accepted dispatched submitted", "started");
    assert_int_equal(store_list_attempts(house.store, house.accounts[0].id, &id, read_job, job), OK);
    assert_string_equal(job, "job");
}

static void a_stop_does_not_wait_for_a_full_disk(void **state) {
    (void)state;
    struct task_id id = house_run(&house, 0, "image", "{\"do\":\"hold\"," DONE "}");
    house_await_started(1);
    atomic_store(&failures, 1000000);
    fake_release(1);
    struct task_id second;
    struct order order = { .model = "image", .input = SUCCEED };
    assert_int_equal(house_submit(&house, &order, &second), OK);
    house_stop(&house); /* the one's end and the other's beginning were never written */
    atomic_store(&failures, 0);
    assert_int_equal(fake_started(), 1); /* T3 */
    house_start(&house);
    fake_release(1);
    house_await(&house, 0, &id, TASK_COMPLETED);
    house_await(&house, 0, &second, TASK_COMPLETED);
    assert_history(&id, "accepted dispatched recovered dispatched completed", "abandoned succeeded");
    assert_history(&second, "accepted dispatched completed", "succeeded");
}

/* Holds the engine's thread from the moment in which a task waits for its move to be written. */
struct detention {
    struct engine_order order;
    sem_t answered, go;
    bool held;
};

static void detain(struct engine_order *order) {
    struct detention *detention = container_of(order, struct detention, order);
    assert_int_equal(order->err, ERR_TASK_NOT_RETRYABLE);
    detention->held = strstr(order->words, "just changing") != NULL;
    sem_post(&detention->answered);
    while (detention->held && sem_wait(&detention->go) != 0)
        ;
}

static void detain_engine(struct detention *detention, const struct task_id *id) {
    *detention = (struct detention){
        .order = { .kind = ORDER_RETRY, .account = house.accounts[0].id, .id = *id, .done = detain },
    };
    sem_init(&detention->answered, 0, 0);
    sem_init(&detention->go, 0, 0);
    for (bool held = false; !held; held = detention->held) {
        engine_order(house.engine, &detention->order);
        while (sem_wait(&detention->answered) != 0)
            ;
    }
}

static bool is_final_in_store(void *id) {
    struct arena arena;
    struct task_row row;
    arena_init(&arena, 1 << 20);
    assert_int_equal(store_find_task(house.store, house.accounts[0].id, id, &arena, &row), OK);
    arena_fini(&arena);
    return task_state_final(row.state);
}

/* What a callback is made of: W1's body is final, however late the engine hears of its commit. */
static void an_end_is_known_before_the_board_shows_it(void **state) {
    (void)state;
    struct detention detention;
    struct buffer body;
    struct task_id id = house_run(&house, 0, "remote", "{\"do\":\"hold\",\"results\":[{\"voice_id\":\"v\"}]}");
    house_await_started(1);
    house_hold_writer(&house);
    fake_release(1);
    detain_engine(&detention, &id);
    house_let_writer(&house);
    house_await_true(is_final_in_store, &id);
    assert_shows(&id, "\"status\":\"processing\"");
    buffer_init(&body, 1 << 20);
    assert_int_equal(engine_query_ended(house.engine, house.accounts[0].id, &id, HOUSE_BASE, &body), OK);
    assert_non_null(strstr(body.data, "\"status\":\"completed\""));
    assert_non_null(strstr(body.data, "voice_id"));
    buffer_fini(&body);
    sem_post(&detention.go);
    house_await(&house, 0, &id, TASK_COMPLETED);
}

static bool is_estimated_shorter(void *model) {
    return engine_estimate_s(house.engine, model) == 1;
}

static void the_estimate_is_what_tasks_took(void **state) {
    (void)state;
    struct setup *setup = engine_setup(house.engine);
    const struct model *model = catalog_find(setup->catalog, TEXT("image"));
    assert_int_equal(engine_estimate_s(house.engine, model), 7);
    struct task_id id = house_run(&house, 0, "image", SUCCEED);
    house_await(&house, 0, &id, TASK_COMPLETED);
    house_await_true(is_estimated_shorter, (void *)(uintptr_t)model); /* its end is shown before it is counted */
    setup_unref(setup);
}

static void a_reload_takes_over_for_what_waits(void **state) {
    (void)state;
    struct config without_gone = { .public_url = "http://elsewhere" };
    struct task_id first = house_run(&house, 0, "gone", "{\"do\":\"hold\"," DONE "}");
    house_await_started(1);
    struct setup *setup = fake_setup(house.directory, &without_gone);
    engine_reload(house.engine, setup);
    setup_unref(setup);
    struct task_id second = house_run(&house, 0, "gone", SUCCEED);
    house_await(&house, 0, &second, TASK_FAILED);
    assert_shows(&second, "\"resource_not_found\"");
    fake_release(1); /* a running attempt keeps the setup it began with */
    house_await(&house, 0, &first, TASK_COMPLETED);
}

int test_life(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_task_completes_with_its_artifact, open_house, close_house),
        cmocka_unit_test_setup_teardown(what_was_delivered_is_charged, open_house, close_house),
        cmocka_unit_test_setup_teardown(prices_of_today_do_not_touch_a_reservation_of_yesterday, open_house, close_house),
        cmocka_unit_test_setup_teardown(a_failure_is_refunded, open_house, close_house),
        cmocka_unit_test_setup_teardown(a_passing_failure_is_tried_again, open_house, close_house),
        cmocka_unit_test_setup_teardown(tries_have_an_end, open_house, close_house),
        cmocka_unit_test_setup_teardown(a_driver_that_does_not_start_is_tried_again, open_house, close_house),
        cmocka_unit_test_setup_teardown(a_test_keys_task_goes_to_the_simulator, open_house, close_house),
        cmocka_unit_test_setup_teardown(a_model_that_nothing_can_run_fails, open_house, close_house),
        cmocka_unit_test_setup_teardown(a_submission_over_the_balance_makes_no_task, open_house, close_house),
        cmocka_unit_test_setup_teardown(another_accounts_task_is_not_there, open_house, close_house),
        cmocka_unit_test_setup_teardown(every_base_gets_its_own_urls, open_house, close_house),
        cmocka_unit_test_setup_teardown(progress_never_goes_down, open_house, close_house),
        cmocka_unit_test_setup_teardown(a_full_disk_loses_nothing, open_house, close_house),
        cmocka_unit_test_setup_teardown(an_attempts_end_does_not_overtake_its_job, open_house, close_house),
        cmocka_unit_test_setup_teardown(what_stalls_is_written_at_the_stop_if_it_can_be, open_house, close_house),
        cmocka_unit_test_setup_teardown(a_stop_does_not_wait_for_a_full_disk, open_house, close_house),
        cmocka_unit_test_setup_teardown(an_end_is_known_before_the_board_shows_it, open_house, close_house),
        cmocka_unit_test_setup_teardown(the_estimate_is_what_tasks_took, open_house, close_house),
        cmocka_unit_test_setup_teardown(a_reload_takes_over_for_what_waits, open_house, close_house),
    };
    return cmocka_run_group_tests_name("life", tests, NULL, NULL);
}
