/* What operators do in the store: accounts, keys of their own, pauses, and pages over all tasks. */
#include "fixture.h"

#include "tests.h"

#define SEEN_SIZE 128

struct account_wish {
    const char *name;
    int64_t id, suspended_ms;
    bool changed, found;
};

static void add_account(struct store_tx *tx, void *context) {
    struct account_wish *wish = context;
    store_tx_add_account(tx, text_of(wish->name), TEXT("gold"), NOW_MS, &wish->id);
}

static void suspend(struct store_tx *tx, void *context) {
    struct account_wish *wish = context;
    wish->changed = store_tx_set_suspended(tx, wish->id, wish->suspended_ms);
    wish->found = store_tx_find_account(tx, TEXT("lab"), &wish->id);
}

static void accounts_are_made_once_and_suspended(void **state) {
    struct store *store = ((struct fixture *)*state)->store;
    struct account_wish wish = { .name = "lab" }, again = { .name = "lab", .id = -1 };
    struct account_row row;
    assert_int_equal(call(store, add_account, &wish), OK);
    assert_int_equal(call(store, add_account, &again), ERR_EXISTS);
    assert_int_equal(again.id, -1);
    uint64_t generation = store_generation(store);
    wish.suspended_ms = NOW_MS;
    assert_int_equal(call(store, suspend, &wish), OK);
    assert_true(wish.changed && wish.found);
    assert_int_equal(store_generation(store), generation + 1);
    assert_int_equal(call(store, suspend, &wish), OK);
    assert_false(wish.changed);
    assert_int_equal(store_generation(store), generation + 1);
    assert_int_equal(store_find_account_by_id(store, wish.id, &row), OK);
    assert_int_equal(row.suspended_ms, NOW_MS);
    assert_string_equal(row.group, "gold");
    assert_int_equal(row.balance[BOOK_LIVE], 0);
    wish.suspended_ms = 0;
    assert_int_equal(call(store, suspend, &wish), OK);
    assert_true(wish.changed);
    assert_int_equal(store_find_account_by_id(store, wish.id, &row), OK);
    assert_int_equal(row.suspended_ms, 0);
}

static bool note_name(const struct account_row *account, void *names) {
    const size_t length = strlen(names);
    snprintf((char *)names + length, SEEN_SIZE - length, "%s ", account->name);
    return true;
}

static void accounts_are_paged_by_prefix(void **state) {
    struct store *store = ((struct fixture *)*state)->store;
    static const char *const names[] = { "b-2", "b-1", "b_3", "B-4", "c" };
    for (unsigned i = 0; i < ARRAY_SIZE(names); i++)
        make_account(store, names[i], 0);
    char seen[SEEN_SIZE] = "";
    assert_int_equal(store_list_accounts_after(store, TEXT(""), TEXT("b-"), 10, note_name, seen), OK);
    assert_string_equal(seen, "b-1 b-2 ");
    seen[0] = '\0';
    assert_int_equal(store_list_accounts_after(store, TEXT("b-1"), TEXT(""), 2, note_name, seen), OK);
    assert_string_equal(seen, "b-2 b_3 ");
}

/* ---- keys ---- */

static void add_admin_key(struct store_tx *tx, void *key) {
    store_tx_add_admin_key(tx, key);
}

static void revoke_admin_key(struct store_tx *tx, void *id) {
    store_tx_revoke_admin_key(tx, *(int64_t *)id, NOW_MS + 1);
}

static void operators_keys_are_apart(void **state) {
    struct store *store = ((struct fixture *)*state)->store;
    struct key_row key = { .hash = { 7 }, .prefix = "sk-admin-abcdefg", .name = "web", .created_ms = NOW_MS }, found;
    struct key_row client;
    struct account_row account;
    assert_int_equal(call(store, add_admin_key, &key), OK);
    assert_int_equal(call(store, add_admin_key, &(struct key_row){ .hash = { 7 }, .prefix = "x" }), ERR_EXISTS);
    assert_int_equal(store_find_admin_key(store, key.hash, &found), OK);
    assert_int_equal(found.id, key.id);
    assert_int_equal(found.account, 0);
    assert_string_equal(found.prefix, "sk-admin-abcdefg");
    assert_int_equal(store_find_key(store, key.hash, &client, &account), ERR_NOT_FOUND);
    uint64_t generation = store_generation(store);
    assert_int_equal(call(store, revoke_admin_key, &key.id), OK);
    assert_int_equal(store_generation(store), generation + 1);
    assert_int_equal(call(store, revoke_admin_key, &key.id), ERR_NOT_FOUND);
    assert_int_equal(store_find_admin_key(store, key.hash, &found), OK);
    assert_int_equal(found.revoked_ms, NOW_MS + 1);
}

static void add_key(struct store_tx *tx, void *key) {
    store_tx_add_key(tx, key);
}

static void set_key(struct store_tx *tx, void *key) {
    store_tx_set_key(tx, key);
}

static void revoke_key(struct store_tx *tx, void *context) {
    const struct key_row *key = context;
    store_tx_revoke_key_by_id(tx, key->account, key->id, NOW_MS);
}

static void keys_are_changed_and_revoked_within_their_account(void **state) {
    struct fixture *fixture = *state;
    struct key_row key = { .account = fixture->account, .hash = { 1 }, .prefix = "sk-live-a" }, found;
    assert_int_equal(call(fixture->store, add_key, &key), OK);
    struct key_row foreign = key;
    foreign.account = make_account(fixture->store, "other", 0);
    assert_int_equal(call(fixture->store, set_key, &foreign), ERR_NOT_FOUND); /* S2 */
    assert_int_equal(call(fixture->store, revoke_key, &foreign), ERR_NOT_FOUND);
    key.concurrency = 3;
    key.budget_day = 5;
    snprintf(key.name, sizeof(key.name), "web");
    assert_int_equal(call(fixture->store, set_key, &key), OK);
    assert_int_equal(store_find_key_by_id(fixture->store, key.account, key.id, &found), OK);
    assert_int_equal(found.concurrency, 3);
    assert_int_equal(found.budget_day, 5);
    assert_string_equal(found.name, "web");
    assert_int_equal(call(fixture->store, revoke_key, &key), OK);
    assert_int_equal(call(fixture->store, revoke_key, &key), ERR_NOT_FOUND);
    assert_int_equal(call(fixture->store, set_key, &key), ERR_NOT_FOUND);
}

/* ---- pauses ---- */

struct pause_wish {
    enum pause_kind kind;
    struct text name;
    bool changed;
};

static void add_pause(struct store_tx *tx, void *context) {
    struct pause_wish *wish = context;
    wish->changed = store_tx_add_pause(
        tx, &(struct pause_row){ wish->kind, wish->name, NOW_MS, TEXT("cli:me"), TEXT("why") });
}

static void drop_pause(struct store_tx *tx, void *context) {
    struct pause_wish *wish = context;
    wish->changed = store_tx_drop_pause(tx, wish->kind, wish->name);
}

static bool note_pause(const struct pause_row *row, void *seen) {
    const size_t length = strlen(seen);
    snprintf((char *)seen + length, SEEN_SIZE - length, "%d:%.*s:%.*s ", row->kind, TEXT_ARG(row->name), TEXT_ARG(row->reason));
    return true;
}

static void pauses_are_rows_that_move_the_generation(void **state) {
    struct store *store = ((struct fixture *)*state)->store;
    struct pause_wish model = { PAUSE_MODEL, TEXT("fal"), false }, provider = { PAUSE_PROVIDER, TEXT("fal"), false };
    char seen[SEEN_SIZE] = "";
    assert_int_equal(call(store, add_pause, &model), OK);
    assert_true(model.changed);
    uint64_t generation = store_generation(store);
    assert_int_equal(call(store, add_pause, &model), OK);
    assert_false(model.changed);
    assert_int_equal(store_generation(store), generation);
    assert_int_equal(call(store, add_pause, &provider), OK);
    assert_int_equal(store_generation(store), generation + 1);
    assert_int_equal(store_list_pauses(store, note_pause, seen), OK);
    assert_string_equal(seen, "0:fal:why 1:fal:why ");
    assert_int_equal(call(store, drop_pause, &model), OK);
    assert_true(model.changed);
    assert_int_equal(call(store, drop_pause, &model), OK);
    assert_false(model.changed);
    seen[0] = '\0';
    assert_int_equal(store_list_pauses(store, note_pause, seen), OK);
    assert_string_equal(seen, "0:fal:why ");
}

/* ---- tasks ---- */

static void add_task(struct store_tx *tx, void *task) {
    const struct task_row *row = task;
    store_tx_add_ledger(tx, &(struct ledger_row){ .account = row->account, .book = row->book, .kind = LEDGER_RESERVE,
                                                  .microcredits = -row->reserved, .task = row->id, .at_ms = NOW_MS });
    store_tx_add_task(tx, row, TEXT("{}"));
}

static bool count_task(const struct task_row *task, void *count) {
    (void)task;
    ++*(int *)count;
    return true;
}

static int count(struct store *store, struct task_page page, int64_t *ret_next) {
    int found = 0;
    page.limit = page.limit != 0 ? page.limit : 100;
    assert_int_equal(store_list_task_page(store, &page, count_task, &found, ret_next), OK);
    return found;
}

static void tasks_of_all_accounts_are_paged(void **state) {
    struct fixture *fixture = *state;
    int64_t other = make_account(fixture->store, "other", 1000), next;
    const struct task_page all = { .state = -1, .type = -1, .model = TEXT(""), .provider = TEXT("") };
    for (int i = 0; i < 5; i++) {
        struct task_row task = pending_task(i < 2 ? other : fixture->account, 1);
        assert_int_equal(call(fixture->store, add_task, &task), OK);
    }
    struct task_page page = all;
    assert_int_equal(count(fixture->store, page, &next), 5);
    assert_int_equal(next, 0);
    page.limit = 3;
    assert_int_equal(count(fixture->store, page, &next), 3);
    assert_true(next > 0);
    page.before = next;
    assert_int_equal(count(fixture->store, page, &next), 2);
    assert_int_equal(next, 0);
    page = all;
    page.account = other;
    assert_int_equal(count(fixture->store, page, &next), 2);
    page = all;
    page.state = TASK_FAILED;
    assert_int_equal(count(fixture->store, page, &next), 0);
    page = all;
    page.provider = TEXT("fal");
    assert_int_equal(count(fixture->store, page, &next), 0);
    page = all;
    page.model = TEXT("no-such");
    assert_int_equal(count(fixture->store, page, &next), 0);
}

int run_operator_tests(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(accounts_are_made_once_and_suspended, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(accounts_are_paged_by_prefix, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(operators_keys_are_apart, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(keys_are_changed_and_revoked_within_their_account, fixture_setup,
                                        fixture_teardown),
        cmocka_unit_test_setup_teardown(pauses_are_rows_that_move_the_generation, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(tasks_of_all_accounts_are_paged, fixture_setup, fixture_teardown),
    };
    return cmocka_run_group_tests_name("store operator", tests, NULL, NULL);
}
