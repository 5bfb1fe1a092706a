/* Calls: answered before they are written, written once and whole; what they hold meanwhile, and cost afterwards. */
#include <stdatomic.h>
#include <stdlib.h>

#include "caller.h"
#include "store/tx.h"
#include "tests.h"

/* ---- the record ---- */

static void nothing_is_written_while_it_runs(void **state) {
    (void)state;
    uint64_t jobs = store_counts(caller_house.store).jobs;
    struct called called = caller_call("chat", CALLER_HOLD);
    caller_await_three_chunks(&called);
    assert_int_equal(caller_stored_tasks(), 0);
    assert_int_equal(store_counts(caller_house.store).jobs, jobs);
    assert_int_equal(house_balance(&caller_house, 0), HOUSE_CREDITS);
    assert_int_equal(caller_held(), PRICE);
    char *body = house_query(&caller_house, 0, &called.id, HOUSE_BASE); /* but it can be asked after */
    assert_non_null(strstr(body, "\"processing\""));
    assert_non_null(strstr(body, "\"stream\":null"));
    free(body);
    talker_finish(1);
    caller_await_end(&called, CHAT_DONE);
    caller_assert_written(&called, TASK_COMPLETED, "accepted dispatched completed", "succeeded", 3);
    assert_int_equal(store_counts(caller_house.store).jobs, jobs + 2); /* its record, and our own question's */
    assert_int_equal(house_balance(&caller_house, 0), HOUSE_CREDITS - 3);
    caller_done_with(&called);
}

static void the_answer_comes_before_the_record(void **state) {
    (void)state;
    struct called called = caller_call("chat", "{\"gamma\":\"hold\",\"message\":\"hello\"}");
    caller_await_started(1);
    house_hold_writer(&caller_house);
    talker_finish(1);
    caller_await_end(&called, CHAT_DONE);
    assert_true(text_equal(chat_stream_completion(called.stream),
                           TEXT("{\"object\":\"chat.completion\",\"choices\":[{\"message\":\"hello\"}]}")));
    assert_int_equal(caller_stored_tasks(), 0);
    house_let_writer(&caller_house);
    caller_assert_written(&called, TASK_COMPLETED, "accepted dispatched completed", "succeeded", 0);
    char *body = house_query(&caller_house, 0, &called.id, HOUSE_BASE);
    assert_non_null(strstr(body, "\"results\":[{\"object\":\"chat.completion\""));
    free(body);
    caller_done_with(&called);
}

struct settlement_seen {
    struct task_id id;
    enum err found;
    int64_t held;
    atomic_bool seen;
};

static void see_settlement(void *context) {
    struct settlement_seen *settlement = context;
    struct arena arena;
    struct task_row row;
    arena_init(&arena, 1 << 20);
    settlement->found = store_find_task(caller_house.store, caller_house.accounts[0].id, &settlement->id, &arena, &row);
    settlement->held = caller_held();
    arena_fini(&arena);
    atomic_store(&settlement->seen, true);
}

static bool is_seen(void *context) {
    return atomic_load(&((struct settlement_seen *)context)->seen);
}

static void settled_is_told_after_the_record(void **state) {
    (void)state;
    struct settlement_seen settlement = { .found = ERR_COUNT };
    struct called called = caller_call("chat", "{\"gamma\":\"hold\",\"tokens\":7}");
    caller_await_started(1);
    house_hold_writer(&caller_house);
    talker_finish(1);
    caller_await_end(&called, CHAT_DONE);
    settlement.id = called.id;
    engine_settled(caller_house.engine, see_settlement, &settlement);
    assert_int_equal(caller_held(), 7);
    assert_false(atomic_load(&settlement.seen));
    house_let_writer(&caller_house);
    house_await_true(is_seen, &settlement);
    assert_int_equal(settlement.found, OK);
    assert_int_equal(settlement.held, 0);
    caller_done_with(&called);
}

/* Who has the answer may call again at once, with the place and the credits that the first call did not use. */
static void a_client_with_one_place_calls_again_at_once(void **state) {
    (void)state;
    struct called again;
    caller_group.streams = 1;
    struct order order = { .model = "chat", .input = "{\"tokens\":10}", .streams = true };
    order.reserved = HOUSE_CREDITS - 10;
    struct called called = caller_call_with("chat", "{\"gamma\":\"hold\",\"tokens\":10}", HOUSE_CREDITS);
    caller_await_started(1);
    assert_int_equal(caller_try(&order, &again), ERR_TOO_MANY_STREAMS);
    house_hold_writer(&caller_house);
    talker_finish(1);
    caller_await_end(&called, CHAT_DONE);
    assert_int_equal(caller_try(&order, &again), OK);
    house_let_writer(&caller_house);
    caller_await_end(&again, CHAT_DONE);
    caller_assert_written(&called, TASK_COMPLETED, "accepted dispatched completed", "succeeded", 10);
    caller_assert_written(&again, TASK_COMPLETED, "accepted dispatched completed", "succeeded", 10);
    assert_int_equal(house_balance(&caller_house, 0), HOUSE_CREDITS - 20);
    caller_done_with(&called);
    caller_done_with(&again);
}

/* The service has one place, which is free with the first answer. */
static void the_next_call_does_not_wait_for_the_record(void **state) {
    (void)state;
    struct called first = caller_call("chat", "{\"gamma\":\"hold\",\"tokens\":7}");
    caller_await_started(1);
    struct called next = caller_call("chat", "{\"tokens\":5}");
    caller_await_queued(1);
    house_hold_writer(&caller_house);
    talker_finish(1);
    caller_await_end(&first, CHAT_DONE);
    caller_await_end(&next, CHAT_DONE);
    assert_int_equal(caller_stored_tasks(), 0);
    house_let_writer(&caller_house);
    caller_assert_written(&first, TASK_COMPLETED, "accepted dispatched completed", "succeeded", 7);
    caller_assert_written(&next, TASK_COMPLETED, "accepted dispatched completed", "succeeded", 5);
    caller_done_with(&first);
    caller_done_with(&next);
}

/* ---- what is held ---- */

static void holds_count_against_calls_and_tasks(void **state) {
    (void)state;
    struct called other, small;
    struct called called = caller_call_with("chat", CALLER_HOLD, HOUSE_CREDITS - 2 * PRICE);
    struct order order = { .model = "chat", .input = CALLER_HOLD, .reserved = 2 * PRICE + 1, .streams = true };
    assert_int_equal(caller_try(&order, &other), ERR_INSUFFICIENT_QUOTA);
    order.model = "image";
    order.input = "{\"do\":\"succeed\",\"results\":[{\"voice_id\":\"v\"}]}";
    order.streams = false;
    assert_int_equal(house_submit(&caller_house, &order, NULL), ERR_INSUFFICIENT_QUOTA);
    order.account = 1; /* S2 */
    assert_int_equal(house_submit(&caller_house, &order, NULL), OK);
    order.account = 0;
    order.reserved = PRICE;
    assert_int_equal(house_submit(&caller_house, &order, NULL), OK);
    order = (struct order){ .model = "chat", .input = CALLER_HOLD, .reserved = PRICE, .streams = true };
    assert_int_equal(caller_try(&order, &small), OK);
    struct order test = { .model = "chat", .input = "{}", .test = true, .streams = true };
    assert_int_equal(caller_try(&test, &other), OK); /* the other book */
    caller_await_end(&other, CHAT_DONE);
    talker_finish(2);
    caller_await_end(&called, CHAT_DONE);
    caller_await_end(&small, CHAT_DONE);
    house_settle(&caller_house);
    assert_int_equal(caller_held(), 0);
    caller_done_with(&called);
    caller_done_with(&small);
    caller_done_with(&other);
}

static void an_account_has_so_many_streams(void **state) {
    (void)state;
    struct called calls[3], other;
    caller_group.streams = 2;
    struct order order = { .model = "chat", .input = CALLER_HOLD, .streams = true };
    struct order test = { .model = "chat", .input = "{\"chat-simulator\":\"hold\"}", .test = true };
    for (int i = 0; i < 2; i++)
        assert_int_equal(caller_try(&order, &calls[i]), OK);
    assert_int_equal(caller_try(&order, &other), ERR_TOO_MANY_STREAMS);
    assert_int_equal(caller_try(&test, &calls[2]), OK); /* each book has its own */
    order.account = 1;
    struct called others;
    assert_int_equal(caller_try(&order, &others), OK);
    caller_await_started(4);
    talker_finish(4);
    for (int i = 0; i < 3; i++) {
        caller_await_end(&calls[i], CHAT_DONE);
        caller_done_with(&calls[i]);
    }
    caller_await_end(&others, CHAT_DONE);
    caller_done_with(&others);
    order.account = 0;
    order.input = "{}";
    assert_int_equal(caller_try(&order, &other), OK);
    caller_await_end(&other, CHAT_DONE);
    caller_done_with(&other);
    house_settle(&caller_house);
}

/* However it ends, nothing is held afterwards, and a place is free. */
static void every_end_frees_what_was_held(void **state) {
    (void)state;
    static const char *const ends[] = { "{}", "{\"gamma\":\"bad\"}", "{\"gamma\":\"lost\"}", "{\"gamma\":\"broken\"}" };
    caller_group.streams = 1;
    for (size_t i = 0; i < ARRAY_SIZE(ends); i++) {
        struct called called = caller_call("chat", ends[i]);
        house_await_true(caller_has_ended, called.stream);
        house_settle(&caller_house);
        assert_int_equal(caller_held(), 0);
        caller_done_with(&called);
    }
    struct called cancelled = caller_call("chat", CALLER_HOLD);
    caller_await_started(ARRAY_SIZE(ends) + 1);
    assert_int_equal(house_cancel(&caller_house, 0, &cancelled.id), OK);
    caller_assert_failed_as(&cancelled, TASK_ERROR_CANCELLED);
    assert_int_equal(caller_held(), 0);
    struct called gone = caller_call("chat", CALLER_HOLD);
    caller_leave(&gone);
    caller_assert_failed_as(&gone, TASK_ERROR_CANCELLED);
    house_settle(&caller_house);
    assert_int_equal(caller_held(), 0);
    struct called refused;
    struct order order = { .model = "chat", .input = CALLER_HOLD, .reserved = HOUSE_CREDITS + 1 };
    assert_int_equal(caller_try(&order, &refused), ERR_INSUFFICIENT_QUOTA);
    assert_int_equal(caller_held(), 0);
    engine_close_door(caller_house.engine);
    order.reserved = 1;
    assert_int_equal(caller_try(&order, &refused), ERR_SHUTTING_DOWN);
    assert_int_equal(caller_held(), 0);
    assert_int_equal(house_balance(&caller_house, 0), HOUSE_CREDITS - 2); /* the one that succeeded */
    caller_done_with(&cancelled);
    caller_done_with(&gone);
}

/* ---- what is charged ---- */

static void never_more_than_was_reserved(void **state) {
    (void)state;
    struct called called = caller_call_with("chat", "{\"tokens\":100000}", 500);
    caller_await_end(&called, CHAT_DONE);
    caller_assert_written(&called, TASK_COMPLETED, "accepted dispatched completed", "succeeded", 500);
    assert_int_equal(house_balance(&caller_house, 0), HOUSE_CREDITS - 500);
    caller_done_with(&called);
}

struct spend_job {
    struct store_job job;
    int64_t microcredits;
};

static void spend(struct store_tx *tx, struct store_job *job) {
    store_tx_add_ledger(tx, &(struct ledger_row){
        .account = caller_house.accounts[0].id, .book = BOOK_LIVE, .kind = LEDGER_ADJUST,
        .microcredits = -container_of(job, struct spend_job, job)->microcredits, .at_ms = 1, .note = TEXT("spent") });
}

static void never_below_zero(void **state) {
    (void)state;
    static const struct {
        int64_t left, tokens, charged;
    } cases[] = { { 300, 400, 300 }, { 300, 100, 100 }, { 0, 400, 0 } };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        char input[64];
        snprintf(input, sizeof(input), "{\"gamma\":\"hold\",\"tokens\":%d}", (int)cases[i].tokens);
        int64_t balance = house_balance(&caller_house, 0);
        struct called called = caller_call_with("chat", input, 500);
        caller_await_started((unsigned)i + 1);
        struct spend_job spending = { .job = { .run = spend }, .microcredits = balance - cases[i].left };
        assert_int_equal(store_call(caller_house.store, &spending.job), OK);
        talker_finish(1);
        caller_await_end(&called, CHAT_DONE);
        caller_assert_written(&called, TASK_COMPLETED, "accepted dispatched completed", "succeeded", cases[i].charged);
        assert_int_equal(house_balance(&caller_house, 0), cases[i].left - cases[i].charged);
        house_audit(&caller_house);
        caller_done_with(&called);
        spending.microcredits = -(HOUSE_CREDITS - cases[i].left + cases[i].charged);
        assert_int_equal(store_call(caller_house.store, &spending.job), OK);
    }
}

static void a_failure_costs_nothing_and_is_written(void **state) {
    (void)state;
    struct called called = caller_call("chat", "{\"gamma\":\"bad\"}");
    caller_assert_failed_as(&called, TASK_ERROR_INVALID_PARAMETERS);
    assert_string_equal(chat_stream_failure(called.stream)->message, "words of the service");
    caller_assert_written(&called, TASK_FAILED, "accepted dispatched failed", "failed", 0);
    char *body = house_query(&caller_house, 0, &called.id, HOUSE_BASE);
    assert_non_null(strstr(body, "words of the service"));
    assert_non_null(strstr(body, "\"credits_charged\":0,\"credits_refunded\":4"));
    free(body);
    assert_int_equal(house_balance(&caller_house, 0), HOUSE_CREDITS);
    caller_done_with(&called);
    struct called broken = caller_call("chat", "{\"gamma\":\"broken\"}"); /* what was said is: no second attempt */
    caller_assert_failed_as(&broken, TASK_ERROR_SERVICE);
    assert_int_equal(chat_stream_count(broken.stream), 1);
    caller_assert_written(&broken, TASK_FAILED, "accepted dispatched failed", "failed", 0);
    caller_done_with(&broken);
}

int test_calls(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(nothing_is_written_while_it_runs, caller_open, caller_close),
        cmocka_unit_test_setup_teardown(the_answer_comes_before_the_record, caller_open, caller_close),
        cmocka_unit_test_setup_teardown(settled_is_told_after_the_record, caller_open, caller_close),
        cmocka_unit_test_setup_teardown(a_client_with_one_place_calls_again_at_once, caller_open, caller_close),
        cmocka_unit_test_setup_teardown(the_next_call_does_not_wait_for_the_record, caller_open_narrow, caller_close),
        cmocka_unit_test_setup_teardown(holds_count_against_calls_and_tasks, caller_open, caller_close),
        cmocka_unit_test_setup_teardown(an_account_has_so_many_streams, caller_open, caller_close),
        cmocka_unit_test_setup_teardown(every_end_frees_what_was_held, caller_open, caller_close),
        cmocka_unit_test_setup_teardown(never_more_than_was_reserved, caller_open, caller_close),
        cmocka_unit_test_setup_teardown(never_below_zero, caller_open, caller_close),
        cmocka_unit_test_setup_teardown(a_failure_costs_nothing_and_is_written, caller_open, caller_close),
    };
    return cmocka_run_group_tests_name("calls", tests, NULL, NULL);
}
