/* What keys have spent and what was used: kept up with the tasks, whatever becomes of them. */
#include "fixture.h"

#include "tests.h"

#define DAY_ONE (NOW_MS / DAY_MS)
#define TASKS 400

static struct spending spending_of(struct store *store, int64_t account, int64_t key, int64_t *ret_charged) {
    struct spending spending;
    assert_int_equal(store_find_spending(store, account, key, &spending, ret_charged), OK);
    return spending;
}

struct give_back {
    struct task_row task;
    int64_t microcredits;
};

static void return_charge(struct store_tx *tx, void *context) {
    const struct give_back *back = context;
    store_tx_return_charge(tx, &back->task, &(struct ledger_row){ .account = back->task.account,
                                                                 .book = back->task.book,
                                                                 .kind = LEDGER_ADJUST,
                                                                 .microcredits = back->microcredits,
                                                                 .task = back->task.id,
                                                                 .at_ms = NOW_MS,
                                                                 .note = TEXT("sorry") });
}

static enum err give(struct fixture *fixture, const struct task_row *task, int64_t microcredits) {
    struct give_back back = { stored_task(fixture, task), microcredits };
    return call(fixture->store, return_charge, &back);
}

static void test_what_a_key_has_spent(void **state) {
    struct fixture *fixture = *state;
    struct store *store = fixture->store;
    struct task_row first = pending_task(fixture->account, 100), later = pending_task(fixture->account, 30);
    int64_t charged;
    later.created_ms += DAY_MS;

    assert_int_equal(spending_of(store, fixture->account, 7, &charged).spent, 0);
    accept_task(store, &first);
    struct spending spending = spending_of(store, fixture->account, 7, &charged);
    assert_true(spending.spent == 100 && spending.day == DAY_ONE && spending.day_spent == 100 && charged == 0);
    accept_task(store, &later);
    spending = spending_of(store, fixture->account, 7, &charged);
    assert_true(spending.spent == 130 && spending.day == DAY_ONE + 1 && spending.day_spent == 30);
    assert_int_equal(finish_task(store, first, TASK_PENDING, TASK_COMPLETED), OK);
    assert_int_equal(finish_task(store, later, TASK_PENDING, TASK_FAILED), OK);
    spending = spending_of(store, fixture->account, 7, &charged);
    assert_true(spending.spent == 100 && spending.day_spent == 0 && charged == 100);
    assert_int_equal(give(fixture, &first, 60), OK); /* of the day before */
    spending = spending_of(store, fixture->account, 7, &charged);
    assert_true(spending.spent == 40 && spending.day_spent == 0 && charged == 100);
    assert_int_equal(spending_of(store, fixture->account, 8, &charged).spent, 0);
    assert_int_equal(spending_of(store, fixture->account + 1, 7, &charged).spent, 0);
    assert_sound(store);
}

static void test_never_more_is_given_back_than_was_charged(void **state) {
    struct fixture *fixture = *state;
    struct store *store = fixture->store;
    struct task_row done = pending_task(fixture->account, 100), open = pending_task(fixture->account, 10);
    struct task_row failed = pending_task(fixture->account, 10);
    accept_task(store, &done);
    accept_task(store, &open);
    accept_task(store, &failed);
    assert_int_equal(finish_task(store, done, TASK_PENDING, TASK_COMPLETED), OK);
    assert_int_equal(finish_task(store, failed, TASK_PENDING, TASK_FAILED), OK);
    assert_int_equal(give(fixture, &done, 101), ERR_OUT_OF_RANGE);
    assert_int_equal(give(fixture, &done, -1), ERR_OUT_OF_RANGE);
    assert_int_equal(give(fixture, &done, 40), OK);
    assert_int_equal(give(fixture, &done, 61), ERR_OUT_OF_RANGE);
    assert_int_equal(give(fixture, &done, 60), OK);
    assert_int_equal(give(fixture, &done, 1), ERR_OUT_OF_RANGE);
    assert_int_equal(give(fixture, &open, 1), ERR_TASK_OPEN);
    assert_int_equal(give(fixture, &failed, 1), ERR_OUT_OF_RANGE);
    assert_int_equal(balance_of(store, fixture->account, BOOK_LIVE), 990);
    struct task_row row = stored_task(fixture, &done);
    assert_true(row.charged == 100 && row.refunded == 0); /* L3 */
    assert_sound(store);
}

struct wish {
    struct key_row key;
    int64_t day, microcredits;
};

static void check_budget(struct store_tx *tx, void *context) {
    const struct wish *wish = context;
    store_tx_check_budget(tx, &wish->key, &(struct spending){ .spent = 0 }, wish->day, wish->microcredits);
}

static void test_a_budget_is_checked_in_the_job(void **state) {
    struct fixture *fixture = *state;
    struct task_row task = pending_task(fixture->account, 100);
    struct wish wish = { { .id = 7, .account = fixture->account, .budget_total = 150, .budget_day = 120 }, DAY_ONE, 20 };
    accept_task(fixture->store, &task);
    assert_int_equal(call(fixture->store, check_budget, &wish), OK);
    wish.microcredits = 21;
    assert_int_equal(call(fixture->store, check_budget, &wish), ERR_KEY_BUDGET_DAY);
    wish.day++;
    assert_int_equal(call(fixture->store, check_budget, &wish), OK);
    wish.microcredits = 51;
    assert_int_equal(call(fixture->store, check_budget, &wish), ERR_KEY_BUDGET);
    wish.key.budget_total = wish.key.budget_day = 0;
    wish.microcredits = MONEY_MAX;
    assert_int_equal(call(fixture->store, check_budget, &wish), OK);
}

/* ---- reports ---- */

struct rows {
    struct usage_row sums[64];
    char models[64][16];
    unsigned count;
};

static bool keep_row(const struct usage_row *row, void *context) {
    struct rows *rows = context;
    assert_true(rows->count < 64);
    snprintf(rows->models[rows->count], 16, "%.*s", TEXT_ARG(row->model));
    rows->sums[rows->count++] = *row;
    return true;
}

static struct rows report(struct store *store, struct usage_filter filter) {
    struct rows rows = { .count = 0 };
    if (filter.model.ptr == NULL) {
        filter.model = TEXT("");
    }
    if (filter.after.model.ptr == NULL) {
        filter.after.day = -1;
        filter.after.model = TEXT("");
    }
    filter.limit = filter.limit != 0 ? filter.limit : 64;
    assert_int_equal(store_list_usage(store, &filter, keep_row, &rows), OK);
    return rows;
}

/* Deterministic: the sums that follow from what was done are compared with what is stored. */
static uint32_t next_number(uint32_t *seed, uint32_t below) {
    *seed = *seed * 1664525u + 1013904223u;
    return (*seed >> 8) % below;
}

static void end_somehow(struct fixture *fixture, const struct task_row *task, uint32_t *seed, struct usage_row *expected) {
    uint32_t what = next_number(seed, 5);
    if (what == 0) {
        return; /* it stays open */
    }
    bool completed = what > 2;
    assert_int_equal(finish_task(fixture->store, *task, TASK_PENDING, completed ? TASK_COMPLETED : TASK_FAILED), OK);
    assert_int_not_equal(finish_task(fixture->store, *task, TASK_PENDING, TASK_COMPLETED), OK); /* T1, and no sum moves */
    expected->completed += completed;
    expected->failed += !completed;
    expected->charged += completed ? task->reserved : 0;
    expected->refunded += completed ? 0 : task->reserved;
    int64_t back = next_number(seed, 7);
    if (completed && what == 4 && give(fixture, task, back) == OK) {
        expected->returned += back;
    }
}

static void test_sums_are_those_of_the_tasks(void **state) {
    static const char *const models[] = { "a", "b", "c" };
    struct fixture *fixture = *state;
    struct usage_row expected[3] = { { .tasks = 0 } }, all = { .tasks = 0 };
    uint32_t seed = 7;
    for (int i = 0; i < TASKS; i++) {
        uint32_t model = next_number(&seed, 3);
        struct task_row task = pending_task(fixture->account, next_number(&seed, 5));
        task.key = 1 + next_number(&seed, 4);
        task.created_ms += (int64_t)next_number(&seed, 3) * DAY_MS;
        task.model = text_of(models[model]);
        task.book = BOOK_TEST;
        accept_task(fixture->store, &task);
        expected[model].tasks++;
        end_somehow(fixture, &task, &seed, &expected[model]);
    }
    assert_sound(fixture->store);
    struct usage_filter filter = { .account = fixture->account, .book = BOOK_TEST, .from_day = DAY_ONE,
                                   .to_day = DAY_ONE + 2, .by_model = true };
    struct rows rows = report(fixture->store, filter);
    assert_int_equal(rows.count, 3);
    for (unsigned i = 0; i < rows.count; i++) {
        const struct usage_row *row = &rows.sums[i];
        assert_string_equal(rows.models[i], models[i]);
        assert_true(row->tasks == expected[i].tasks && row->completed == expected[i].completed &&
                    row->failed == expected[i].failed && row->charged == expected[i].charged &&
                    row->refunded == expected[i].refunded && row->returned == expected[i].returned);
        all.tasks += row->tasks;
    }
    assert_int_equal(all.tasks, TASKS);
    filter.by_model = false;
    rows = report(fixture->store, filter);
    assert_true(rows.count == 1 && rows.sums[0].tasks == TASKS);
    filter.by_day = filter.by_key = filter.by_model = true;
    assert_int_equal(report(fixture->store, filter).count, 36);
    filter.account++; /* S2 */
    assert_int_equal(report(fixture->store, filter).count, 0);
}

static void test_rows_go_on_after_a_row(void **state) {
    struct fixture *fixture = *state;
    for (int i = 0; i < 12; i++) {
        struct task_row task = pending_task(fixture->account, 1);
        task.key = 1 + i % 2;
        task.created_ms += (int64_t)(i / 6) * DAY_MS;
        task.model = text_of(i % 3 == 0 ? "a" : i % 3 == 1 ? "b" : "c");
        accept_task(fixture->store, &task);
    }
    struct usage_filter filter = { .account = fixture->account, .from_day = DAY_ONE, .to_day = DAY_ONE + 5,
                                   .by_day = true, .by_model = true, .by_key = true };
    struct rows whole = report(fixture->store, filter);
    assert_int_equal(whole.count, 12);
    filter.limit = 1;
    for (unsigned i = 0; i < whole.count; i++) {
        struct rows one = report(fixture->store, filter);
        assert_int_equal(one.count, 1);
        assert_true(one.sums[0].day == whole.sums[i].day && one.sums[0].key == whole.sums[i].key);
        assert_string_equal(one.models[0], whole.models[i]);
        filter.after.day = one.sums[0].day;
        filter.after.key = one.sums[0].key;
        filter.after.model = text_of(whole.models[i]);
    }
    assert_int_equal(report(fixture->store, filter).count, 0);
    struct usage_filter narrow = { .account = fixture->account, .from_day = DAY_ONE, .to_day = DAY_ONE, .key = 2,
                                   .model = TEXT("b") };
    struct rows rows = report(fixture->store, narrow);
    assert_true(rows.count == 1 && rows.sums[0].tasks == 1);
}

/* ---- parts of a ledger ---- */

static bool count_entry(const struct ledger_row *entry, void *context) {
    int64_t *sum = context;
    *sum = *sum * 10 + entry->sequence;
    return true;
}

static void test_a_part_of_the_ledger(void **state) {
    struct fixture *fixture = *state;
    int64_t before = 0;
    for (int i = 1; i <= 4; i++) { /* entries 2 to 5, a day apart */
        struct task_row task = pending_task(fixture->account, 1);
        task.created_ms += i * DAY_MS;
        accept_task(fixture->store, &task);
    }
    const struct {
        int64_t at_ms, before;
    } cases[] = { { 0, 0 }, { NOW_MS, 0 }, { NOW_MS + 1, 1 }, { NOW_MS + DAY_MS, 1 }, { NOW_MS + 2 * DAY_MS, 2 },
                  { NOW_MS + 4 * DAY_MS + 1, 5 }, { INT64_MAX, 5 } };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        assert_int_equal(store_find_entry_before(fixture->store, fixture->account, cases[i].at_ms, &before), OK);
        assert_int_equal(before, cases[i].before);
    }
    assert_int_equal(store_find_entry_before(fixture->store, fixture->account + 1, NOW_MS, &before), OK);
    assert_int_equal(before, 0);
    struct ledger_filter filter = { .account = fixture->account, .after = 1, .last = 5, .from_ms = 0,
                                    .to_ms = INT64_MAX, .limit = 3 };
    int64_t seen = 0;
    assert_int_equal(store_list_ledger_part(fixture->store, &filter, count_entry, &seen), OK);
    assert_int_equal(seen, 234);
    filter.after = 0;
    filter.from_ms = NOW_MS + DAY_MS;
    filter.to_ms = NOW_MS + 3 * DAY_MS;
    seen = 0;
    assert_int_equal(store_list_ledger_part(fixture->store, &filter, count_entry, &seen), OK);
    assert_int_equal(seen, 23);
    filter.last = 2;
    seen = 0;
    assert_int_equal(store_list_ledger_part(fixture->store, &filter, count_entry, &seen), OK);
    assert_int_equal(seen, 2);
}

int run_usage_tests(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_what_a_key_has_spent, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(test_never_more_is_given_back_than_was_charged, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(test_a_budget_is_checked_in_the_job, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(test_sums_are_those_of_the_tasks, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(test_rows_go_on_after_a_row, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(test_a_part_of_the_ledger, fixture_setup, fixture_teardown),
    };
    return cmocka_run_group_tests_name("store usage", tests, NULL, NULL);
}
