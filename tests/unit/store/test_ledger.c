/* Money: balances move with entries (L1), reservations and settlements come once and add up (L3). */
#include "fixture.h"

#include "tests.h"

static void add_entry(struct store_tx *tx, void *context) {
    store_tx_add_ledger(tx, context);
}

static enum err add(struct store *store, struct ledger_row entry) {
    entry.at_ms = NOW_MS;
    return call(store, add_entry, &entry);
}

static void test_entries_move_the_balance(void **state) {
    struct fixture *fixture = *state;
    int64_t account = fixture->account;
    const struct {
        struct ledger_row entry;
        enum err err;
        int64_t live, test;
    } cases[] = {
        { { .kind = LEDGER_CREDIT, .microcredits = 500 }, OK, 1500, 0 },
        { { .kind = LEDGER_ADJUST, .microcredits = -1501 }, ERR_INSUFFICIENT_QUOTA, 1500, 0 },
        { { .kind = LEDGER_ADJUST, .microcredits = -1500 }, OK, 0, 0 },
        { { .kind = LEDGER_ADJUST, .microcredits = 0 }, OK, 0, 0 },
        { { .kind = LEDGER_CREDIT, .microcredits = MONEY_MAX }, OK, MONEY_MAX, 0 },
        { { .kind = LEDGER_CREDIT, .microcredits = 1 }, ERR_OUT_OF_RANGE, MONEY_MAX, 0 },
        { { .kind = LEDGER_CREDIT, .microcredits = MONEY_MAX + 1 }, ERR_OUT_OF_RANGE, MONEY_MAX, 0 },
        { { .kind = LEDGER_ADJUST, .microcredits = INT64_MIN }, ERR_OUT_OF_RANGE, MONEY_MAX, 0 },
        { { .kind = LEDGER_ADJUST, .book = BOOK_TEST, .microcredits = -700 }, OK, MONEY_MAX, -700 },
        { { .kind = LEDGER_ADJUST, .book = BOOK_TEST, .microcredits = -MONEY_MAX }, ERR_OUT_OF_RANGE, MONEY_MAX, -700 },
        { { .kind = LEDGER_RESERVE, .microcredits = -1 }, ERR_OUT_OF_RANGE, MONEY_MAX, -700 }, /* of no task */
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct ledger_row entry = cases[i].entry;
        entry.account = account;
        assert_int_equal(add(fixture->store, entry), cases[i].err);
        assert_int_equal(balance_of(fixture->store, account, BOOK_LIVE), cases[i].live);
        assert_int_equal(balance_of(fixture->store, account, BOOK_TEST), cases[i].test);
    }
    assert_int_equal(add(fixture->store, (struct ledger_row){ .account = account + 1, .microcredits = 1 }),
                     ERR_NOT_FOUND);
    assert_sound(fixture->store);
}

static void test_a_submission_over_the_balance_leaves_nothing(void **state) {
    struct fixture *fixture = *state;
    struct acceptance acceptance = { .job = { .run = acceptance_run }, .task = pending_task(fixture->account, 1001) };
    struct task_row row;
    assert_int_equal(store_call(fixture->store, &acceptance.job), ERR_INSUFFICIENT_QUOTA);
    assert_int_equal(store_find_task(fixture->store, fixture->account, &acceptance.task.id, &fixture->arena, &row),
                     ERR_NOT_FOUND);
    assert_int_equal(balance_of(fixture->store, fixture->account, BOOK_LIVE), 1000);
    assert_sound(fixture->store);
}

static void test_the_test_book_may_go_below_zero(void **state) {
    struct fixture *fixture = *state;
    struct task_row task = pending_task(fixture->account, 5000);
    task.book = BOOK_TEST;
    accept_task(fixture->store, &task);
    assert_int_equal(balance_of(fixture->store, fixture->account, BOOK_TEST), -5000);
    assert_int_equal(balance_of(fixture->store, fixture->account, BOOK_LIVE), 1000);
    assert_int_equal(finish_task(fixture->store, task, TASK_PENDING, TASK_FAILED), OK);
    assert_int_equal(balance_of(fixture->store, fixture->account, BOOK_TEST), 0);
    assert_sound(fixture->store);
}

static void test_once_reserved_once_settled(void **state) {
    struct fixture *fixture = *state;
    struct task_row task = pending_task(fixture->account, 300);
    struct ledger_row reserve = {
        .account = task.account, .kind = LEDGER_RESERVE, .microcredits = -300, .task = task.id
    };
    struct ledger_row settle = {
        .account = task.account, .kind = LEDGER_SETTLE, .microcredits = 100, .charged = 200, .task = task.id
    };
    struct ledger_row wrong = settle, other_book = settle, early = settle;

    early.task = fresh_id();
    assert_int_equal(add(fixture->store, early), ERR_NOT_FOUND);
    accept_task(fixture->store, &task);
    assert_int_equal(add(fixture->store, reserve), ERR_EXISTS);
    wrong.charged = 201;
    assert_int_equal(add(fixture->store, wrong), ERR_CONFLICT);
    other_book.book = BOOK_TEST;
    assert_int_equal(add(fixture->store, other_book), ERR_NOT_FOUND);
    assert_int_equal(balance_of(fixture->store, task.account, BOOK_LIVE), 700);
    assert_int_equal(add(fixture->store, settle), OK);
    assert_int_equal(add(fixture->store, settle), ERR_EXISTS);
    assert_int_equal(add(fixture->store, wrong), ERR_EXISTS);
    assert_int_equal(balance_of(fixture->store, task.account, BOOK_LIVE), 800);
}

static void test_a_full_book_takes_a_settlement(void **state) {
    struct fixture *fixture = *state;
    struct task_row task = pending_task(fixture->account, 300);
    struct ledger_row credit = { .account = task.account, .kind = LEDGER_CREDIT, .microcredits = MONEY_MAX - 700 };
    accept_task(fixture->store, &task);
    assert_int_equal(add(fixture->store, credit), OK);
    assert_int_equal(finish_task(fixture->store, task, TASK_PENDING, TASK_FAILED), OK);
    assert_int_equal(balance_of(fixture->store, task.account, BOOK_LIVE), MONEY_MAX + 300);
    credit.microcredits = 1;
    assert_int_equal(add(fixture->store, credit), ERR_OUT_OF_RANGE);
    assert_sound(fixture->store);
}

static void test_a_second_settlement_takes_its_move_back(void **state) {
    struct fixture *fixture = *state;
    struct task_row task = pending_task(fixture->account, 300);
    accept_task(fixture->store, &task);
    assert_int_equal(finish_task(fixture->store, task, TASK_PENDING, TASK_COMPLETED), OK);
    assert_int_equal(finish_task(fixture->store, task, TASK_PENDING, TASK_FAILED), ERR_TASK_FINAL);
    assert_int_equal(stored_task(fixture, &task).state, TASK_COMPLETED);
    assert_int_equal(balance_of(fixture->store, task.account, BOOK_LIVE), 700);
    assert_sound(fixture->store);
}

struct seen {
    unsigned count;
    struct ledger_row rows[8];
};

static bool see(const struct ledger_row *row, void *context) {
    struct seen *seen = context;
    assert_true(seen->count < ARRAY_SIZE(seen->rows));
    if (row->kind == LEDGER_CREDIT) {
        assert_true(text_equal(row->note, TEXT("start")));
    }
    seen->rows[seen->count++] = *row;
    return true;
}

static void test_the_ledger_is_listed_in_order(void **state) {
    struct fixture *fixture = *state;
    int64_t other = make_account(fixture->store, "other", 77);
    struct task_row task = pending_task(fixture->account, 300);
    struct seen seen = { 0 }, of_other = { 0 };
    accept_task(fixture->store, &task);
    assert_int_equal(finish_task(fixture->store, task, TASK_PENDING, TASK_FAILED), OK);
    assert_int_equal(store_list_ledger(fixture->store, fixture->account, see, &seen), OK);
    assert_int_equal(store_list_ledger(fixture->store, other, see, &of_other), OK);
    const enum ledger_kind kinds[] = { LEDGER_CREDIT, LEDGER_RESERVE, LEDGER_SETTLE };
    assert_int_equal(seen.count, ARRAY_SIZE(kinds));
    for (unsigned i = 0; i < seen.count; i++) {
        assert_int_equal(seen.rows[i].kind, kinds[i]);
        assert_int_equal(seen.rows[i].sequence, i + 1);
    }
    assert_string_equal(seen.rows[2].task.string, task.id.string);
    assert_int_equal(seen.rows[2].microcredits, 300);
    assert_int_equal(of_other.count, 1);
    assert_int_equal(of_other.rows[0].sequence, 1);
}

static void test_kinds_have_names(void **state) {
    (void)state;
    assert_string_equal(ledger_kind_name(LEDGER_CREDIT), "credit");
    assert_string_equal(ledger_kind_name(LEDGER_RESERVE), "reserve");
    assert_string_equal(ledger_kind_name(LEDGER_SETTLE), "settle");
    assert_string_equal(ledger_kind_name(LEDGER_ADJUST), "adjust");
    assert_string_equal(ledger_kind_name(LEDGER_KIND_COUNT), "unknown");
}

int run_ledger_tests(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_entries_move_the_balance, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(test_a_submission_over_the_balance_leaves_nothing, fixture_setup,
                                        fixture_teardown),
        cmocka_unit_test_setup_teardown(test_the_test_book_may_go_below_zero, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(test_once_reserved_once_settled, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(test_a_full_book_takes_a_settlement, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(test_a_second_settlement_takes_its_move_back, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(test_the_ledger_is_listed_in_order, fixture_setup, fixture_teardown),
        cmocka_unit_test(test_kinds_have_names),
    };
    return cmocka_run_group_tests_name("store ledger", tests, NULL, NULL);
}
