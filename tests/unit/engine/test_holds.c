/* What running calls hold, in the table itself: credits, places, readers, by account and book. */
#include "engine/task/holds.h"

#include <pthread.h>

#include "admin/credits.h"
#include "base/id.h"
#include "house.h"
#include "store/tx.h"
#include "tests.h"

#define MOST 100

static struct house house;
static struct holds *holds;
static int64_t one, two;

static int open_table(void **state) {
    (void)state;
    house_open(&house, NULL, NULL);
    holds = holds_new();
    one = house.accounts[0].id;
    two = house.accounts[1].id;
    return 0;
}

/* holds_free asserts that nothing is held any more. */
static int close_table(void **state) {
    (void)state;
    holds_free(holds);
    house_close(&house);
    return 0;
}

static struct hold_owner of(int64_t account, enum book book) {
    return (struct hold_owner){ .account = account, .key = 1, .book = book, .day = 20000 };
}

static enum err take(int64_t account, enum book book, int64_t microcredits, unsigned most) {
    const struct hold_owner owner = of(account, book);
    const struct call_limits limits = { .account = most };
    return holds_take(holds, house.store, &owner, &(struct budget){ .total = 0 }, microcredits, &limits);
}

static void a_keys_limit_leaves_places_to_the_others(void **state) {
    (void)state;
    const struct call_limits limits = { .account = 3, .key = 1 }, wide = { .account = 3 };
    const struct budget none = { .total = 0 };
    struct hold_owner narrow = of(one, BOOK_LIVE), tests = of(one, BOOK_TEST), other = of(one, BOOK_LIVE);
    other.key = 2;
    assert_int_equal(holds_take(holds, house.store, &narrow, &none, 0, &limits), OK);
    assert_int_equal(holds_take(holds, house.store, &narrow, &none, 0, &limits), ERR_TOO_MANY_STREAMS);
    assert_int_equal(holds_take(holds, house.store, &tests, &none, 0, &limits), OK); /* test mode has its own */
    assert_int_equal(holds_take(holds, house.store, &other, &none, 0, &wide), OK);
    holds_end(holds, &narrow, 0); /* its place is free although it is not written yet */
    assert_int_equal(holds_take(holds, house.store, &narrow, &none, 0, &limits), OK);
    assert_int_equal(holds_take(holds, house.store, &other, &none, 0, &wide), OK);
    assert_int_equal(holds_take(holds, house.store, &other, &none, 0, &wide), ERR_TOO_MANY_STREAMS);
    holds_give(holds, &narrow, 0);
    holds_end(holds, &narrow, 0);
    holds_give(holds, &narrow, 0);
    holds_end(holds, &tests, 0);
    holds_give(holds, &tests, 0);
    for (int i = 0; i < 2; i++) {
        holds_end(holds, &other, 0);
        holds_give(holds, &other, 0);
    }
}

static void end_and_give(int64_t account, enum book book, int64_t microcredits) {
    const struct hold_owner owner = of(account, book);
    holds_end(holds, &owner, 0);
    holds_give(holds, &owner, microcredits);
}

static void what_has_ended_is_settled_when_it_is_written(void **state) {
    (void)state;
    const struct hold_owner first = of(one, BOOK_LIVE), second = of(one, BOOK_TEST);
    assert_true(holds_settled(holds, one));
    assert_int_equal(take(one, BOOK_LIVE, 0, MOST), OK);
    assert_int_equal(take(one, BOOK_TEST, 0, MOST), OK);
    assert_true(holds_settled(holds, one)); /* they run */
    holds_end(holds, &first, 0);
    assert_false(holds_settled(holds, one));
    assert_true(holds_settled(holds, two));
    holds_end(holds, &second, 0);
    holds_give(holds, &first, 0);
    assert_false(holds_settled(holds, one));
    holds_give(holds, &second, 0);
    assert_true(holds_settled(holds, one));
}

static void credits_are_held_up_to_the_balance(void **state) {
    (void)state;
    assert_int_equal(take(one, BOOK_LIVE, HOUSE_CREDITS - 1, MOST), OK);
    assert_int_equal(holds_of(holds, one, BOOK_LIVE), HOUSE_CREDITS - 1);
    assert_int_equal(take(one, BOOK_LIVE, 2, MOST), ERR_INSUFFICIENT_QUOTA);
    assert_int_equal(take(one, BOOK_LIVE, 1, MOST), OK);
    assert_int_equal(take(one, BOOK_LIVE, 1, MOST), ERR_INSUFFICIENT_QUOTA);
    assert_int_equal(take(two, BOOK_LIVE, HOUSE_CREDITS, MOST), OK); /* S2: another account's are its own */
    assert_int_equal(holds_of(holds, one, BOOK_LIVE), HOUSE_CREDITS);
    end_and_give(one, BOOK_LIVE, HOUSE_CREDITS - 1);
    assert_int_equal(holds_of(holds, one, BOOK_LIVE), 1);
    assert_int_equal(take(one, BOOK_LIVE, HOUSE_CREDITS - 1, MOST), OK);
    end_and_give(one, BOOK_LIVE, 1);
    end_and_give(one, BOOK_LIVE, HOUSE_CREDITS - 1);
    end_and_give(two, BOOK_LIVE, HOUSE_CREDITS);
    assert_int_equal(holds_of(holds, one, BOOK_LIVE), 0);
}

/* Each key by itself, with its balance or without: play credits have budgets too. */
static void a_keys_budget_bounds_its_calls(void **state) {
    (void)state;
    const struct budget budget = { .total = 120, .day = 60 };
    const struct call_limits limits = { .account = MOST };
    struct hold_owner owner = of(one, BOOK_TEST), other = of(one, BOOK_TEST);
    owner.key = 11;
    other.key = 12;
    assert_int_equal(holds_take(holds, house.store, &owner, &budget, 40, &limits), OK);
    assert_int_equal(holds_take(holds, house.store, &owner, &budget, 21, &limits), ERR_KEY_BUDGET_DAY);
    assert_int_equal(holds_take(holds, house.store, &other, &budget, 60, &limits), OK);
    owner.day++;
    assert_int_equal(holds_take(holds, house.store, &owner, &budget, 61, &limits), ERR_KEY_BUDGET_DAY);
    assert_int_equal(holds_take(holds, house.store, &owner, &budget, 60, &limits), OK);
    owner.day++;
    assert_int_equal(holds_take(holds, house.store, &owner, &budget, 21, &limits), ERR_KEY_BUDGET);
    assert_int_equal(holds_of_key(holds, one, 11).spent, 100);
    owner.day -= 2; /* the first one ends, days later */
    holds_end(holds, &owner, 30);
    assert_int_equal(holds_of_key(holds, one, 11).spent, 70);
    assert_int_equal(holds_of_key(holds, one, 11).day_spent, 60);
    holds_give(holds, &owner, 10);
    owner.day++;
    holds_end(holds, &owner, 60);
    holds_give(holds, &owner, 0);
    assert_int_equal(holds_of_key(holds, one, 11).spent, 0);
    holds_end(holds, &other, 0);
    holds_give(holds, &other, 60);
}

/* A task counts for calls from before it is written, and for nobody else: the writer sees its own. */
static void no_call_begins_on_a_tasks_credits_while_it_is_stored(void **state) {
    (void)state;
    const struct hold_owner owner = of(one, BOOK_LIVE);
    holds_store_begin(holds, &owner, HOUSE_CREDITS - 10);
    assert_int_equal(holds_of(holds, one, BOOK_LIVE), 0);
    assert_int_equal(holds_of_key(holds, one, owner.key).spent, 0);
    assert_int_equal(take(one, BOOK_LIVE, 11, MOST), ERR_INSUFFICIENT_QUOTA);
    assert_int_equal(take(one, BOOK_LIVE, 10, MOST), OK);
    assert_int_equal(take(two, BOOK_LIVE, HOUSE_CREDITS, MOST), OK);
    holds_store_end(holds, &owner, HOUSE_CREDITS - 10);
    assert_int_equal(take(one, BOOK_LIVE, HOUSE_CREDITS - 10, MOST), OK);
    end_and_give(one, BOOK_LIVE, 10);
    end_and_give(one, BOOK_LIVE, HOUSE_CREDITS - 10);
    end_and_give(two, BOOK_LIVE, HOUSE_CREDITS);
}

static void nor_on_its_keys_budget(void **state) {
    (void)state;
    const struct budget budget = { .total = 100, .day = 60 };
    const struct call_limits limits = { .account = MOST };
    struct hold_owner owner = of(one, BOOK_TEST), yesterday = owner;
    yesterday.day--;
    holds_store_begin(holds, &yesterday, 20);
    holds_store_begin(holds, &owner, 40);
    assert_int_equal(holds_take(holds, house.store, &owner, &budget, 21, &limits), ERR_KEY_BUDGET_DAY);
    assert_int_equal(holds_take(holds, house.store, &owner, &budget, 20, &limits), OK);
    owner.day++;
    assert_int_equal(holds_take(holds, house.store, &owner, &budget, 21, &limits), ERR_KEY_BUDGET);
    owner.day--;
    holds_store_end(holds, &owner, 40);
    holds_store_end(holds, &yesterday, 20);
    assert_int_equal(holds_take(holds, house.store, &owner, &budget, 40, &limits), OK);
    end_and_give(one, BOOK_TEST, 20);
    end_and_give(one, BOOK_TEST, 40);
}

/* ---- what is known of the balance from an earlier call ---- */

static void move_credits(struct credit_order *order, void (*make)(struct credit_order *order), int64_t microcredits) {
    *order = (struct credit_order){
        .account = one, .microcredits = microcredits, .reason = TEXT("test"), .actor = TEXT("tests"),
        .object = TEXT("one"),
    };
    make(order);
    assert_int_equal(store_call(house.store, &order->job), OK);
}

static void an_operators_debit_counts_from_the_next_call_on(void **state) {
    (void)state;
    struct credit_order order;
    assert_int_equal(take(one, BOOK_LIVE, 1, MOST), OK);
    move_credits(&order, admin_debit, HOUSE_CREDITS - 10);
    assert_int_equal(take(one, BOOK_LIVE, 10, MOST), ERR_INSUFFICIENT_QUOTA);
    assert_int_equal(take(one, BOOK_LIVE, 9, MOST), OK);
    end_and_give(one, BOOK_LIVE, 1);
    end_and_give(one, BOOK_LIVE, 9);
}

static void credits_that_come_in_are_found_when_they_are_needed(void **state) {
    (void)state;
    struct credit_order order;
    assert_int_equal(take(one, BOOK_LIVE, HOUSE_CREDITS, MOST), OK);
    assert_int_equal(take(one, BOOK_LIVE, 10, MOST), ERR_INSUFFICIENT_QUOTA);
    move_credits(&order, admin_credit, 10);
    assert_int_equal(take(one, BOOK_LIVE, 10, MOST), OK);
    assert_int_equal(take(one, BOOK_LIVE, 1, MOST), ERR_INSUFFICIENT_QUOTA);
    end_and_give(one, BOOK_LIVE, HOUSE_CREDITS);
    end_and_give(one, BOOK_LIVE, 10);
}

static void a_task_takes_of_what_was_free_before(void **state) {
    (void)state;
    const struct hold_owner owner = of(one, BOOK_LIVE);
    assert_int_equal(take(one, BOOK_LIVE, 1, MOST), OK);
    holds_store_begin(holds, &owner, HOUSE_CREDITS - 10);
    assert_int_equal(take(one, BOOK_LIVE, 10, MOST), ERR_INSUFFICIENT_QUOTA);
    assert_int_equal(take(one, BOOK_LIVE, 9, MOST), OK);
    holds_store_end(holds, &owner, HOUSE_CREDITS - 10); /* refused: nothing was taken */
    assert_int_equal(take(one, BOOK_LIVE, HOUSE_CREDITS - 10, MOST), OK);
    end_and_give(one, BOOK_LIVE, 1);
    end_and_give(one, BOOK_LIVE, 9);
    end_and_give(one, BOOK_LIVE, HOUSE_CREDITS - 10);
}

/* ---- all of it at once: L1, what is let in is covered when it is written ---- */

#define CALLERS 4
#define CALL_CREDITS (HOUSE_CREDITS / 64)
#define ROUNDS 200

struct bill {
    struct store_job job;
    int64_t microcredits;
    bool is_task;
};

static void write_bill(struct store_tx *tx, struct store_job *job) {
    const struct bill *bill = container_of(job, struct bill, job);
    struct ledger_row entry = {
        .account = one, .book = BOOK_LIVE, .kind = LEDGER_RESERVE, .microcredits = -bill->microcredits, .at_ms = 1
    };
    id_random(entry.task.string, 16);
    if (bill->is_task && store_tx_balance(tx, one, BOOK_LIVE) - holds_of(holds, one, BOOK_LIVE) < bill->microcredits)
        store_tx_fail(tx, ERR_OVERLOADED); /* no error of the ledger's */
    store_tx_add_ledger(tx, &entry);
}

static enum err write_now(int64_t microcredits, bool is_task) {
    struct bill bill = { .job.run = write_bill, .microcredits = microcredits, .is_task = is_task };
    return store_call(house.store, &bill.job);
}

/* As many calls as there are credits for, each for less than it might have cost; what fails is counted. */
static void *call_until_nothing_is_left(void *context) {
    unsigned *uncovered = context;
    const struct hold_owner owner = of(one, BOOK_LIVE);
    for (int i = 0; i < ROUNDS; i++) {
        if (take(one, BOOK_LIVE, CALL_CREDITS, MOST) != OK)
            continue;
        holds_end(holds, &owner, CALL_CREDITS / 4);
        *uncovered += write_now(CALL_CREDITS - CALL_CREDITS / 4, false) != OK;
        holds_give(holds, &owner, CALL_CREDITS - CALL_CREDITS / 4);
    }
    return NULL;
}

static void *store_tasks(void *context) {
    unsigned *uncovered = context;
    const struct hold_owner owner = of(one, BOOK_LIVE);
    for (int i = 0; i < ROUNDS; i++) {
        holds_store_begin(holds, &owner, CALL_CREDITS);
        *uncovered += write_now(CALL_CREDITS, true) == ERR_INSUFFICIENT_QUOTA;
        holds_store_end(holds, &owner, CALL_CREDITS);
    }
    return NULL;
}

static void calls_and_tasks_at_once_are_all_covered(void **state) {
    (void)state;
    pthread_t threads[CALLERS + 1];
    unsigned uncovered[CALLERS + 1] = { 0 };
    for (int i = 0; i <= CALLERS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, i < CALLERS ? call_until_nothing_is_left : store_tasks,
                                        &uncovered[i]), 0);
    for (int i = 0; i <= CALLERS; i++) {
        pthread_join(threads[i], NULL);
        assert_int_equal(uncovered[i], 0);
    }
    assert_true(house_balance(&house, 0) < CALL_CREDITS); /* it came to the point */
    assert_int_equal(holds_of(holds, one, BOOK_LIVE), 0);
}

static void play_credits_always_do(void **state) {
    (void)state;
    assert_int_equal(take(one, BOOK_TEST, HOUSE_CREDITS * 5, MOST), OK);
    assert_int_equal(holds_of(holds, one, BOOK_TEST), HOUSE_CREDITS * 5);
    assert_int_equal(holds_of(holds, one, BOOK_LIVE), 0);
    assert_int_equal(take(one, BOOK_LIVE, HOUSE_CREDITS, MOST), OK); /* the real ones are not touched */
    end_and_give(one, BOOK_TEST, HOUSE_CREDITS * 5);
    end_and_give(one, BOOK_LIVE, HOUSE_CREDITS);
}

static void each_book_has_its_places(void **state) {
    (void)state;
    assert_int_equal(take(one, BOOK_LIVE, 0, 2), OK);
    assert_int_equal(take(one, BOOK_LIVE, 0, 2), OK);
    assert_int_equal(take(one, BOOK_LIVE, 0, 2), ERR_TOO_MANY_STREAMS);
    assert_int_equal(take(one, BOOK_TEST, 0, 2), OK);
    assert_int_equal(take(one, BOOK_TEST, 0, 2), OK);
    assert_int_equal(take(one, BOOK_TEST, 0, 2), ERR_TOO_MANY_STREAMS);
    assert_int_equal(take(two, BOOK_LIVE, 0, 2), OK);
    for (int i = 0; i < 2; i++) {
        end_and_give(one, BOOK_LIVE, 0);
        end_and_give(one, BOOK_TEST, 0);
    }
    end_and_give(two, BOOK_LIVE, 0);
}

static void an_ended_call_holds_what_it_costs_and_no_place(void **state) {
    (void)state;
    assert_int_equal(take(one, BOOK_LIVE, HOUSE_CREDITS, 1), OK);
    const struct hold_owner owner = of(one, BOOK_LIVE);
    holds_end(holds, &owner, HOUSE_CREDITS - 10);
    assert_int_equal(holds_of(holds, one, BOOK_LIVE), 10);
    assert_int_equal(take(one, BOOK_LIVE, HOUSE_CREDITS - 9, 1), ERR_INSUFFICIENT_QUOTA);
    assert_int_equal(take(one, BOOK_LIVE, HOUSE_CREDITS - 10, 1), OK);
    holds_give(holds, &owner, 10);
    end_and_give(one, BOOK_LIVE, HOUSE_CREDITS - 10);
}

static void readers_have_places_of_their_own(void **state) {
    (void)state;
    assert_int_equal(take(one, BOOK_LIVE, 5, 1), OK);
    assert_int_equal(holds_take_reader(holds, one, 2), OK);
    assert_int_equal(holds_take_reader(holds, one, 2), OK);
    assert_int_equal(holds_take_reader(holds, one, 2), ERR_TOO_MANY_STREAMS);
    assert_int_equal(holds_take_reader(holds, two, 2), OK);
    holds_give_reader(holds, one);
    assert_int_equal(holds_take_reader(holds, one, 2), OK);
    end_and_give(one, BOOK_LIVE, 5);
    holds_give_reader(holds, one);
    holds_give_reader(holds, one);
    holds_give_reader(holds, two);
}

static void those_who_wait_have_places_of_their_own(void **state) {
    (void)state;
    assert_int_equal(holds_take_reader(holds, one, 1), OK);
    assert_int_equal(holds_take_waiter(holds, one, 2), OK);
    assert_int_equal(holds_take_waiter(holds, one, 2), OK);
    assert_int_equal(holds_take_waiter(holds, one, 2), ERR_TOO_MANY_STREAMS);
    assert_int_equal(holds_take_waiter(holds, two, 2), OK);
    holds_give_reader(holds, one);
    holds_give_waiter(holds, one);
    assert_int_equal(holds_take_waiter(holds, one, 2), OK);
    holds_give_waiter(holds, one);
    holds_give_waiter(holds, one);
    holds_give_waiter(holds, two);
}

static void an_account_that_is_not_there_gets_nothing(void **state) {
    (void)state;
    assert_int_equal(take(one + two + 1000, BOOK_LIVE, 1, MOST), ERR_NOT_FOUND);
    assert_int_equal(holds_of(holds, one + two + 1000, BOOK_LIVE), 0);
}

int test_holds(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_has_ended_is_settled_when_it_is_written, open_table, close_table),
        cmocka_unit_test_setup_teardown(credits_are_held_up_to_the_balance, open_table, close_table),
        cmocka_unit_test_setup_teardown(a_keys_budget_bounds_its_calls, open_table, close_table),
        cmocka_unit_test_setup_teardown(no_call_begins_on_a_tasks_credits_while_it_is_stored, open_table, close_table),
        cmocka_unit_test_setup_teardown(nor_on_its_keys_budget, open_table, close_table),
        cmocka_unit_test_setup_teardown(an_operators_debit_counts_from_the_next_call_on, open_table, close_table),
        cmocka_unit_test_setup_teardown(credits_that_come_in_are_found_when_they_are_needed, open_table, close_table),
        cmocka_unit_test_setup_teardown(a_task_takes_of_what_was_free_before, open_table, close_table),
        cmocka_unit_test_setup_teardown(calls_and_tasks_at_once_are_all_covered, open_table, close_table),
        cmocka_unit_test_setup_teardown(play_credits_always_do, open_table, close_table),
        cmocka_unit_test_setup_teardown(each_book_has_its_places, open_table, close_table),
        cmocka_unit_test_setup_teardown(a_keys_limit_leaves_places_to_the_others, open_table, close_table),
        cmocka_unit_test_setup_teardown(an_ended_call_holds_what_it_costs_and_no_place, open_table, close_table),
        cmocka_unit_test_setup_teardown(readers_have_places_of_their_own, open_table, close_table),
        cmocka_unit_test_setup_teardown(those_who_wait_have_places_of_their_own, open_table, close_table),
        cmocka_unit_test_setup_teardown(an_account_that_is_not_there_gets_nothing, open_table, close_table),
    };
    return cmocka_run_group_tests_name("holds", tests, NULL, NULL);
}
