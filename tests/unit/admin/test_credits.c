/* Orders of operators: what they move, that they are carried out once, what they refuse, that each is on record. */
#include "admin/credits.h"

#include "admin/key.h"
#include "core/money.h"
#include "fixture.h"
#include "tests_admin.h"

#define ACTOR TEXT("cli:tester")

static struct credit_order order_of(const struct fixture *fixture, int64_t microcredits, const char *reference) {
    return (struct credit_order){ .account = fixture->account,
                                  .microcredits = microcredits,
                                  .actor = ACTOR,
                                  .object = TEXT("acme"),
                                  .reason = TEXT("because"),
                                  .reference = text_of(reference) };
}

static bool count_change(const struct change_row *change, void *count) {
    assert_true(text_equal(change->actor, ACTOR));
    ++*(unsigned *)count;
    return true;
}

static unsigned changes(const struct fixture *fixture) {
    unsigned count = 0;
    assert_int_equal(store_list_changes(fixture->store, fixture->account, INT64_MAX, 1000, count_change, &count), OK);
    return count;
}

static enum err run(const struct fixture *fixture, struct credit_order *order) {
    return store_call(fixture->store, &order->job);
}

static enum err credit(const struct fixture *fixture, int64_t microcredits, const char *reference,
                       struct credit_order *ret) {
    *ret = order_of(fixture, microcredits, reference);
    admin_credit(ret);
    return run(fixture, ret);
}

static enum err debit(const struct fixture *fixture, int64_t microcredits, const char *reference,
                      struct credit_order *ret) {
    *ret = order_of(fixture, microcredits, reference);
    admin_debit(ret);
    return run(fixture, ret);
}

static enum err refund(struct fixture *fixture, const struct task_id *task, int64_t microcredits, const char *reference,
                       struct credit_order *ret) {
    struct fault fault = { .err = OK };
    *ret = order_of(fixture, microcredits, reference);
    enum err err = admin_refund_task(fixture->store, ret, task, &fixture->arena, &fault);
    return err == OK ? run(fixture, ret) : err;
}

/* One that was charged all that it reserved. */
static struct task_row charged_task(const struct fixture *fixture, enum book book, int64_t reserved) {
    struct task_row task = pending_task(fixture->account, reserved);
    task.book = book;
    accept_task(fixture->store, &task);
    assert_int_equal(finish_task(fixture->store, task, TASK_PENDING, TASK_COMPLETED), OK);
    return task;
}

/* ---- checks ---- */

static void what_an_order_must_be(void **state) {
    const struct fixture *fixture = *state;
    static char long_text[ADMIN_REASON_MAX + 2];
    struct fault fault = { .err = OK };
    struct credit_order order = order_of(fixture, 1, "");
    assert_int_equal(admin_order_check(&order, &fault), OK);
    order.microcredits = MONEY_MAX + 1;
    assert_int_equal(admin_order_check(&order, &fault), ERR_OUT_OF_RANGE);
    order.microcredits = -1;
    assert_int_equal(admin_order_check(&order, &fault), ERR_OUT_OF_RANGE);
    assert_string_equal(fault.param, "amount");
    order.microcredits = 1;
    order.reason = TEXT("  ");
    assert_int_equal(admin_order_check(&order, &fault), ERR_MISSING_FIELD);
    order.reason = TEXT("two\nlines");
    assert_int_equal(admin_order_check(&order, &fault), ERR_NOT_ALLOWED_VALUE);
    order.reason = TEXT("\xff");
    assert_int_equal(admin_order_check(&order, &fault), ERR_NOT_ALLOWED_VALUE);
    memset(long_text, 'x', sizeof(long_text) - 1);
    order.reason = text_of(long_text);
    assert_int_equal(admin_order_check(&order, &fault), ERR_TOO_LONG);
    assert_string_equal(fault.param, "reason");
    order.reason = TEXT("because");
    order.reference = text_of(long_text);
    assert_int_equal(admin_order_check(&order, &fault), ERR_TOO_LONG);
    assert_string_equal(fault.param, "reference");
}

/* ---- top-ups and corrections ---- */

static void orders_move_the_balance_and_are_recorded(void **state) {
    const struct fixture *fixture = *state;
    struct credit_order order;
    unsigned before = changes(fixture);
    assert_int_equal(credit(fixture, 500, "", &order), OK);
    assert_int_equal(order.given, 500);
    assert_int_equal(order.balance, 1500);
    assert_int_equal(debit(fixture, 1500, "", &order), OK);
    assert_int_equal(order.given, -1500);
    assert_int_equal(order.balance, 0);
    assert_int_equal(debit(fixture, 1, "", &order), ERR_INSUFFICIENT_QUOTA);
    assert_int_equal(credit(fixture, 0, "", &order), ERR_OUT_OF_RANGE);
    assert_int_equal(balance_of(fixture->store, fixture->account, BOOK_LIVE), 0);
    assert_int_equal(changes(fixture), before + 2);
    assert_sound(fixture->store);
}

static void a_reference_is_carried_out_once(void **state) {
    const struct fixture *fixture = *state;
    struct credit_order first, order;
    assert_int_equal(credit(fixture, 500, "INV-1", &first), OK);
    unsigned after = changes(fixture);
    assert_int_equal(credit(fixture, 500, "INV-1", &order), OK);
    assert_true(order.repeated);
    assert_int_equal(order.entry, first.entry);
    assert_int_equal(credit(fixture, 501, "INV-1", &order), ERR_IDEMPOTENCY_KEY_REUSED);
    assert_int_equal(debit(fixture, 500, "INV-1", &order), ERR_IDEMPOTENCY_KEY_REUSED);
    assert_int_equal(balance_of(fixture->store, fixture->account, BOOK_LIVE), 1500);
    assert_int_equal(changes(fixture), after);
    assert_sound(fixture->store);
}

/* A reference of an order that failed is free. */
static void what_failed_leaves_no_reference(void **state) {
    const struct fixture *fixture = *state;
    struct credit_order order;
    assert_int_equal(debit(fixture, 1001, "D-1", &order), ERR_INSUFFICIENT_QUOTA);
    assert_int_equal(debit(fixture, 1000, "D-1", &order), OK);
    assert_false(order.repeated);
}

static void an_account_that_is_not_there(void **state) {
    struct fixture *fixture = *state;
    struct credit_order order;
    struct task_id task = fresh_id();
    fixture->account += 1000;
    assert_int_equal(credit(fixture, 1, "", &order), ERR_NOT_FOUND);
    assert_int_equal(refund(fixture, &task, 1, "", &order), ERR_TASK_NOT_FOUND);
}

/* ---- refunds ---- */

static void a_charge_is_given_back_once_and_no_more(void **state) {
    struct fixture *fixture = *state;
    const struct task_row task = charged_task(fixture, BOOK_LIVE, 400);
    struct credit_order order;
    assert_int_equal(refund(fixture, &task.id, 401, "", &order), ERR_OUT_OF_RANGE);
    assert_int_equal(refund(fixture, &task.id, 150, "", &order), OK);
    assert_int_equal(refund(fixture, &task.id, 251, "", &order), ERR_OUT_OF_RANGE);
    assert_int_equal(refund(fixture, &task.id, 0, "", &order), OK);
    assert_int_equal(order.given, 250);
    assert_int_equal(refund(fixture, &task.id, 0, "", &order), ERR_OUT_OF_RANGE);
    assert_int_equal(balance_of(fixture->store, fixture->account, BOOK_LIVE), 1000);
    assert_int_equal(stored_task(fixture, &task).charged, 400); /* L3: its bill stays */
    assert_sound(fixture->store);
}

static void a_refund_with_a_reference_is_made_once(void **state) {
    struct fixture *fixture = *state;
    const struct task_row task = charged_task(fixture, BOOK_LIVE, 400), other = charged_task(fixture, BOOK_LIVE, 400);
    struct credit_order first, order;
    assert_int_equal(refund(fixture, &task.id, 100, "R-1", &first), OK);
    assert_int_equal(refund(fixture, &task.id, 100, "R-1", &order), OK);
    assert_true(order.repeated);
    assert_int_equal(order.entry, first.entry);
    assert_int_equal(refund(fixture, &task.id, 101, "R-1", &order), ERR_IDEMPOTENCY_KEY_REUSED);
    assert_int_equal(refund(fixture, &other.id, 100, "R-1", &order), ERR_IDEMPOTENCY_KEY_REUSED);
    assert_int_equal(credit(fixture, 100, "R-1", &order), ERR_IDEMPOTENCY_KEY_REUSED);
    assert_int_equal(balance_of(fixture->store, fixture->account, BOOK_LIVE), 300);
    assert_sound(fixture->store);
}

/* An order for all is another than the one for a part that has its reference. */
static void all_of_it_is_not_a_part_of_it(void **state) {
    struct fixture *fixture = *state;
    const struct task_row task = charged_task(fixture, BOOK_LIVE, 400);
    struct credit_order order;
    assert_int_equal(refund(fixture, &task.id, 100, "R-1", &order), OK);
    assert_int_equal(refund(fixture, &task.id, 0, "R-1", &order), ERR_IDEMPOTENCY_KEY_REUSED);
    assert_int_equal(refund(fixture, &task.id, 0, "R-2", &order), OK);
    assert_int_equal(order.given, 300);
    assert_int_equal(refund(fixture, &task.id, 0, "R-2", &order), OK);
    assert_true(order.repeated);
    assert_int_equal(balance_of(fixture->store, fixture->account, BOOK_LIVE), 1000);
}

static void play_credits_go_back_to_their_book(void **state) {
    struct fixture *fixture = *state;
    const struct task_row task = charged_task(fixture, BOOK_TEST, 400);
    struct credit_order order;
    assert_int_equal(balance_of(fixture->store, fixture->account, BOOK_TEST), -400);
    assert_int_equal(refund(fixture, &task.id, 0, "", &order), OK);
    assert_int_equal(balance_of(fixture->store, fixture->account, BOOK_TEST), 0);
    assert_int_equal(balance_of(fixture->store, fixture->account, BOOK_LIVE), 1000);
    assert_sound(fixture->store);
}

static void what_has_not_ended_or_cost_nothing_has_no_refund(void **state) {
    struct fixture *fixture = *state;
    struct task_row task = pending_task(fixture->account, 400);
    struct credit_order order;
    accept_task(fixture->store, &task);
    assert_int_equal(refund(fixture, &task.id, 0, "", &order), ERR_TASK_OPEN);
    assert_int_equal(finish_task(fixture->store, task, TASK_PENDING, TASK_FAILED), OK);
    assert_int_equal(refund(fixture, &task.id, 0, "", &order), ERR_OUT_OF_RANGE);
    assert_int_equal(refund(fixture, &task.id, 1, "", &order), ERR_OUT_OF_RANGE);
    assert_int_equal(balance_of(fixture->store, fixture->account, BOOK_LIVE), 1000);
    assert_sound(fixture->store);
}

/* ---- keys that come with credits ---- */

static bool keep_first(const struct change_row *change, void *detail) {
    if (text_equal(change->action, TEXT("account.credited")))
        snprintf(detail, 256, "%.*s", TEXT_ARG(change->detail));
    return true;
}

static void credits_of_a_new_key_are_an_order_as_any(void **state) {
    const struct fixture *fixture = *state;
    struct admin_key_wish wish = { .account_name = TEXT("acme"), .credits = 250, .row.book = BOOK_LIVE };
    char key[API_KEY_SIZE], detail[256] = "";
    struct fault fault = { .err = OK };
    assert_int_equal(admin_key_create(fixture->store, ACTOR, &wish, key, &fault), OK);
    assert_int_equal(balance_of(fixture->store, fixture->account, BOOK_LIVE), 1250);
    assert_int_equal(store_list_changes(fixture->store, fixture->account, INT64_MAX, 10, keep_first, detail), OK);
    assert_non_null(strstr(detail, "\"credits\":0.00025"));
    assert_non_null(strstr(detail, "\"reason\":\"key create --credits\""));
    assert_non_null(strstr(detail, "\"entry\":2"));
    assert_sound(fixture->store);
}

int run_credit_tests(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_an_order_must_be, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(orders_move_the_balance_and_are_recorded, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(a_reference_is_carried_out_once, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(what_failed_leaves_no_reference, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(an_account_that_is_not_there, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(a_charge_is_given_back_once_and_no_more, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(a_refund_with_a_reference_is_made_once, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(all_of_it_is_not_a_part_of_it, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(play_credits_go_back_to_their_book, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(what_has_not_ended_or_cost_nothing_has_no_refund, fixture_setup,
                                        fixture_teardown),
        cmocka_unit_test_setup_teardown(credits_of_a_new_key_are_an_order_as_any, fixture_setup, fixture_teardown),
    };
    return cmocka_run_group_tests_name("credits", tests, NULL, NULL);
}
