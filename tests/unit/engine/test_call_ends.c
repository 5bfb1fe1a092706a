/* How calls end otherwise: clients that go, services that fail, the server's stop, a store that cannot be written. */
#include <jansson.h>
#include <stdlib.h>

#include "caller.h"
#include "tests.h"

/* ---- clients that go ---- */

static void gone_before_it_began(void **state) {
    (void)state;
    struct called called = caller_call("chat", CALLER_HOLD);
    caller_leave(&called);
    caller_assert_failed_as(&called, TASK_ERROR_CANCELLED);
    house_settle(&caller_house);
    assert_int_equal(house_balance(&caller_house, 0), HOUSE_CREDITS);
    caller_done_with(&called);
}

static void gone_while_it_waits(void **state) {
    (void)state;
    struct called first = caller_call("chat", CALLER_HOLD);
    caller_await_started(1);
    struct called called = caller_call("chat", CALLER_HOLD);
    caller_await_queued(1);
    caller_leave(&called);
    caller_assert_failed_as(&called, TASK_ERROR_CANCELLED);
    caller_assert_written(&called, TASK_FAILED, "accepted cancelled", "", 0);
    assert_int_equal(talker_started(), 1);
    talker_finish(1);
    caller_await_end(&first, CHAT_DONE);
    house_settle(&caller_house);
    caller_done_with(&first);
    caller_done_with(&called);
}

static void gone_before_the_first_chunk(void **state) {
    (void)state;
    struct called called = caller_call("chat", CALLER_HOLD);
    caller_await_started(1);
    caller_leave(&called);
    caller_assert_failed_as(&called, TASK_ERROR_CANCELLED);
    caller_assert_written(&called, TASK_FAILED, "accepted dispatched cancelled", "failed", 0);
    assert_int_equal(house_balance(&caller_house, 0), HOUSE_CREDITS);
    caller_done_with(&called);
}

static void gone_after_some_chunks(void **state) {
    (void)state;
    struct called called = caller_call("chat", CALLER_HOLD);
    caller_await_three_chunks(&called);
    caller_leave(&called);
    caller_leave(&called); /* heard twice */
    caller_await_end(&called, CHAT_FAILED);
    caller_assert_written(&called, TASK_COMPLETED, "accepted dispatched completed", "succeeded", 3);
    caller_assert_event_says(&called, "completed",
                             "{\"attempt\":1,\"input_tokens\":0,\"output_tokens\":3,\"cached_tokens\":0,\"estimated\":false,"
                             "\"client_gone\":true}");
    assert_int_equal(house_balance(&caller_house, 0), HOUSE_CREDITS - 3);
    caller_done_with(&called);
}

/* The whole answer could be had for nothing otherwise: read, and cancelled just before its end. */
static void a_cancel_after_some_chunks_is_no_refund(void **state) {
    (void)state;
    struct called called = caller_call("chat", CALLER_HOLD);
    caller_await_three_chunks(&called);
    assert_int_equal(house_cancel(&caller_house, 0, &called.id), OK);
    caller_await_end(&called, CHAT_FAILED);
    caller_assert_written(&called, TASK_FAILED, "accepted dispatched cancelled", "failed", 3);
    caller_done_with(&called);
}

static void gone_after_the_end(void **state) {
    (void)state;
    struct called called = caller_call("chat", CALLER_HOLD);
    caller_await_three_chunks(&called);
    house_hold_writer(&caller_house);
    talker_finish(1);
    caller_await_end(&called, CHAT_DONE);
    caller_leave(&called); /* while it is written */
    house_let_writer(&caller_house);
    caller_assert_written(&called, TASK_COMPLETED, "accepted dispatched completed", "succeeded", 3);
    caller_leave(&called); /* and afterwards */
    engine_call_gone(caller_house.engine, caller_house.accounts[1].id, &called.id);
    caller_assert_written(&called, TASK_COMPLETED, "accepted dispatched completed", "succeeded", 3);
    caller_done_with(&called);
}

/* S2: and a task that is no call goes on. */
static void only_calls_have_clients_that_go(void **state) {
    (void)state;
    struct task_id id;
    struct order order = { .model = "chat", .input = CALLER_HOLD };
    assert_int_equal(house_submit(&caller_house, &order, &id), OK);
    struct called called = caller_call("chat", CALLER_HOLD);
    caller_await_started(2);
    engine_call_gone(caller_house.engine, caller_house.accounts[0].id, &id);
    engine_call_gone(caller_house.engine, caller_house.accounts[1].id, &called.id);
    talker_finish(2);
    house_await(&caller_house, 0, &id, TASK_COMPLETED);
    caller_await_end(&called, CHAT_DONE);
    house_settle(&caller_house);
    caller_done_with(&called);
}

/* ---- other ways, and no waiting ---- */

static void expect_keys(const char *expected) {
    char seen[4096];
    talker_keys(seen, sizeof(seen));
    assert_string_equal(seen, expected);
}

/* The names in the data of each dispatch, in their order. */
static bool keep_names(const struct event_row *row, void *context) {
    struct buffer *names = context;
    const char *name;
    json_t *value;
    if (!text_equal(row->kind, TEXT("dispatched")))
        return true;
    json_t *data = json_loadb(row->data.ptr, row->data.len, 0, NULL);
    assert_non_null(data);
    json_object_foreach (data, name, value)
        buffer_printf(names, "%s ", name);
    buffer_put(names, TEXT("; "));
    json_decref(data);
    return true;
}

/* The first one is told by its attempt's row, the next by a line of its own. */
static void assert_dispatches_look_alike(const struct called *called) {
    struct buffer names;
    buffer_init(&names, 1024);
    assert_int_equal(store_list_events(caller_house.store, caller_house.accounts[0].id, &called->id, keep_names, &names), OK);
    assert_true(buffer_ok(&names));
    assert_string_equal(names.data, "attempt provider target key ; attempt provider target key ; ");
    buffer_fini(&names);
}

static void another_key_is_tried_at_once(void **state) {
    (void)state;
    struct called called = caller_call("chat", "{\"g1\":\"key\"}");
    caller_await_end(&called, CHAT_DONE);
    expect_keys("g1 g2");
    caller_assert_written(&called, TASK_COMPLETED, "accepted dispatched retried dispatched completed",
                          "failed succeeded", 2);
    caller_assert_event_says(&called, "retried", "\"delay_ms\":0");
    assert_dispatches_look_alike(&called);
    caller_done_with(&called);
}

static void another_route_is_tried_at_once(void **state) {
    (void)state;
    struct called called = caller_call("chat-both", "{\"gamma\":\"down\"}");
    caller_await_end(&called, CHAT_DONE);
    expect_keys("g1 d1");
    caller_assert_written(&called, TASK_COMPLETED, "accepted dispatched retried dispatched completed",
                          "failed succeeded", 2);
    caller_done_with(&called);
}

static void a_call_does_not_wait_to_try_again(void **state) {
    (void)state;
    struct called called = caller_call("chat", "{\"gamma\":\"down\"}");
    caller_assert_failed_as(&called, TASK_ERROR_UNAVAILABLE);
    caller_assert_written(&called, TASK_FAILED, "accepted dispatched failed", "failed", 0);
    caller_done_with(&called);
    struct called busy = caller_call("chat", "{\"gamma\":\"busy\"}");
    caller_assert_failed_as(&busy, TASK_ERROR_RESOURCE_EXHAUSTED);
    assert_int_equal(chat_stream_failure(busy.stream)->delay_ms, 60000);
    caller_done_with(&busy);
    struct called next = caller_call("chat", "{}"); /* both keys have to cool down now */
    caller_assert_failed_as(&next, TASK_ERROR_UNAVAILABLE);
    int64_t delay_ms = chat_stream_failure(next.stream)->delay_ms;
    assert_true(delay_ms > 0 && delay_ms <= 60000);
    caller_assert_written(&next, TASK_FAILED, "accepted failed", "", 0);
    caller_done_with(&next);
}

/* The one that waits behind it hears of the pause as well. */
static void a_queued_call_does_not_wait_for_a_service_to_cool_down(void **state) {
    (void)state;
    struct called first = caller_call("chat", CALLER_HOLD);
    caller_await_started(1);
    struct called busy = caller_call("chat", "{\"gamma\":\"busy\"}");
    caller_await_queued(1);
    struct called next = caller_call("chat", CALLER_HOLD);
    caller_await_queued(2);
    talker_finish(1);
    caller_await_end(&first, CHAT_DONE);
    caller_assert_failed_as(&busy, TASK_ERROR_RESOURCE_EXHAUSTED);
    caller_assert_failed_as(&next, TASK_ERROR_UNAVAILABLE);
    assert_true(chat_stream_failure(next.stream)->delay_ms > 0);
    caller_assert_written(&next, TASK_FAILED, "accepted failed", "", 0);
    assert_int_equal(talker_started(), 2);
    caller_done_with(&first);
    caller_done_with(&busy);
    caller_done_with(&next);
}

/* ---- the server's stop ---- */

static void a_stop_tells_every_client(void **state) {
    (void)state;
    struct called running = caller_call("chat", CALLER_HOLD);
    caller_await_three_chunks(&running);
    struct called waiting = caller_call("chat", CALLER_HOLD);
    caller_await_queued(1);
    engine_stop(caller_house.engine, 0);
    caller_assert_failed_as(&running, TASK_ERROR_UNAVAILABLE);
    caller_assert_failed_as(&waiting, TASK_ERROR_UNAVAILABLE);
    assert_int_equal(caller_held(), 0);
    engine_free(caller_house.engine);
    caller_house.engine = NULL;
    assert_int_equal(caller_stored_tasks(), 2);
    assert_int_equal(house_balance(&caller_house, 0), HOUSE_CREDITS);
    house_start(&caller_house); /* nothing is taken up again */
    assert_int_equal(engine_counts(caller_house.engine).recovered, 0);
    assert_int_equal(talker_started(), 1);
    caller_done_with(&running);
    caller_done_with(&waiting);
}

static void a_stop_lets_answers_end_in_time(void **state) {
    (void)state;
    struct called running = caller_call("chat", CALLER_HOLD);
    caller_await_started(1);
    struct called waiting = caller_call("chat", CALLER_HOLD);
    caller_await_queued(1);
    talker_finish(1);
    engine_stop(caller_house.engine, 60000);
    assert_int_equal(chat_stream_state(running.stream), CHAT_DONE);
    caller_assert_failed_as(&waiting, TASK_ERROR_UNAVAILABLE); /* nothing begins any more */
    engine_free(caller_house.engine);
    caller_house.engine = NULL;
    assert_int_equal(caller_stored_tasks(), 2);
    house_start(&caller_house);
    caller_done_with(&running);
    caller_done_with(&waiting);
}

/* Calls in all phases at once, a retry among them, meet a stop at any moment. */
static void a_stop_in_the_middle_of_everything(void **state) {
    (void)state;
    static const char *const inputs[] = { "{\"gamma\":\"down\"}", CALLER_HOLD, "{}", "{\"g1\":\"key\"}",
                                          "{\"gamma\":\"bad\"}" };
    enum { ROUNDS = 20, CALLS = 30 };
    static struct called calls[CALLS];
    unsigned begun = 0;
    for (int round = 0; round < ROUNDS; round++) {
        unsigned count = 0;
        for (int i = 0; i < CALLS; i++) {
            struct order order = { .model = "chat-both", .input = inputs[i % 5], .streams = true };
            assert_int_equal(caller_try(&order, &calls[count]), OK);
            count++;
            if (i % 7 == round % 7)
                caller_leave(&calls[count - 1]);
        }
        begun += count;
        engine_stop(caller_house.engine, 0);
        for (unsigned i = 0; i < count; i++) {
            assert_int_not_equal(chat_stream_state(calls[i].stream), CHAT_OPEN);
            caller_done_with(&calls[i]);
        }
        assert_int_equal(caller_held(), 0);
        engine_free(caller_house.engine);
        caller_house.engine = NULL;
        house_audit(&caller_house);
        house_start(&caller_house);
    }
    unsigned written = 0;
    const struct task_filter all = { .limit = begun + 1 };
    assert_int_equal(store_list_tasks(caller_house.store, &all, caller_count_task, &written), OK);
    assert_int_equal(written, begun);
}

/* ---- a store that cannot be written ---- */

static bool is_written(void *context) {
    (void)context;
    return caller_stored_tasks() == 1;
}

static void a_full_disk_keeps_no_answer_back(void **state) {
    (void)state;
    struct called called = caller_call("chat", CALLER_HOLD);
    caller_await_three_chunks(&called);
    fail_posts(2);
    talker_finish(1);
    caller_await_end(&called, CHAT_DONE);
    house_await_true(is_written, NULL);
    assert_int_equal(posts_still_to_fail(), 0);
    caller_assert_written(&called, TASK_COMPLETED, "accepted dispatched completed", "succeeded", 3);
    caller_done_with(&called);
}

static void a_stop_does_not_wait_for_the_record(void **state) {
    (void)state;
    struct called called = caller_call("chat", CALLER_HOLD);
    caller_await_started(1);
    fail_posts(1000000);
    talker_finish(1);
    caller_await_end(&called, CHAT_DONE);
    house_stop(&caller_house);
    fail_posts(0);
    assert_int_equal(caller_stored_tasks(), 0);
    house_start(&caller_house);
    assert_int_equal(house_balance(&caller_house, 0), HOUSE_CREDITS);
    assert_int_equal(caller_held(), 0);
    caller_done_with(&called);
}

int test_call_ends(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(gone_before_it_began, caller_open, caller_close),
        cmocka_unit_test_setup_teardown(gone_while_it_waits, caller_open_narrow, caller_close),
        cmocka_unit_test_setup_teardown(gone_before_the_first_chunk, caller_open, caller_close),
        cmocka_unit_test_setup_teardown(gone_after_some_chunks, caller_open, caller_close),
        cmocka_unit_test_setup_teardown(a_cancel_after_some_chunks_is_no_refund, caller_open, caller_close),
        cmocka_unit_test_setup_teardown(gone_after_the_end, caller_open, caller_close),
        cmocka_unit_test_setup_teardown(only_calls_have_clients_that_go, caller_open, caller_close),
        cmocka_unit_test_setup_teardown(another_key_is_tried_at_once, caller_open, caller_close),
        cmocka_unit_test_setup_teardown(another_route_is_tried_at_once, caller_open, caller_close),
        cmocka_unit_test_setup_teardown(a_call_does_not_wait_to_try_again, caller_open_narrow, caller_close),
        cmocka_unit_test_setup_teardown(a_queued_call_does_not_wait_for_a_service_to_cool_down, caller_open_narrow,
                                        caller_close),
        cmocka_unit_test_setup_teardown(a_stop_tells_every_client, caller_open_narrow, caller_close),
        cmocka_unit_test_setup_teardown(a_stop_lets_answers_end_in_time, caller_open_narrow, caller_close),
        cmocka_unit_test_setup_teardown(a_stop_in_the_middle_of_everything, caller_open, caller_close),
        cmocka_unit_test_setup_teardown(a_full_disk_keeps_no_answer_back, caller_open, caller_close),
        cmocka_unit_test_setup_teardown(a_stop_does_not_wait_for_the_record, caller_open, caller_close),
    };
    return cmocka_run_group_tests_name("call ends", tests, NULL, NULL);
}
