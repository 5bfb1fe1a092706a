/* Accounts and keys: made once, found by name, number and hash, revoked; the generation tells of changes. */
#include "fixture.h"

#include "tests.h"

struct ensure {
    const char *name, *group;
    int64_t id;
};

static void ensure(struct store_tx *tx, void *context) {
    struct ensure *account = context;
    store_tx_ensure_account(tx, text_of(account->name), text_of(account->group), NOW_MS, &account->id);
}

static void test_ensure_makes_and_finds(void **state) {
    struct store *store = ((struct fixture *)*state)->store;
    struct ensure first = { .name = "lab", .group = "" }, again = { .name = "lab", .group = "" };
    struct account_row row;
    assert_int_equal(call(store, ensure, &first), OK);
    assert_int_equal(call(store, ensure, &again), OK);
    assert_int_equal(first.id, again.id);
    assert_int_equal(store_find_account(store, TEXT("lab"), &row), OK);
    assert_int_equal(row.id, first.id);
    assert_string_equal(row.group, "default");
    assert_int_equal(row.created_ms, NOW_MS);
    assert_int_equal(row.balance[BOOK_LIVE], 0);
    assert_int_equal(store_find_account(store, TEXT("nobody"), &row), ERR_NOT_FOUND);
    assert_int_equal(store_find_account_by_id(store, 4711, &row), ERR_NOT_FOUND);
}

static void test_ensure_sets_the_group_only_when_named(void **state) {
    struct store *store = ((struct fixture *)*state)->store;
    struct ensure account = { .name = "acme", .group = "gold" };
    struct account_row row;
    assert_int_equal(call(store, ensure, &account), OK);
    account.group = "";
    assert_int_equal(call(store, ensure, &account), OK);
    assert_int_equal(store_find_account_by_id(store, account.id, &row), OK);
    assert_string_equal(row.group, "gold");
}

static void test_names_have_bounds(void **state) {
    struct store *store = ((struct fixture *)*state)->store;
    char longest[NAME_SIZE + 1];
    memset(longest, 'x', sizeof(longest));
    longest[NAME_SIZE] = '\0';
    struct ensure account = { .name = longest, .group = "", .id = -1 };
    assert_int_equal(call(store, ensure, &account), ERR_TOO_LONG);
    account.name = "";
    assert_int_equal(call(store, ensure, &account), ERR_TOO_LONG);
    assert_int_equal(account.id, -1);
    longest[NAME_SIZE - 1] = '\0';
    account.name = longest;
    assert_int_equal(call(store, ensure, &account), OK);
}

static void add_key(struct store_tx *tx, void *context) {
    store_tx_add_key(tx, context);
}

static struct key_row key_like(int64_t account, uint8_t first, const char *prefix, const char *name) {
    struct key_row key = {
        .account = account, .book = BOOK_TEST, .hash = { first, 0, 2 }, .created_ms = NOW_MS, .expires_ms = NOW_MS + 1
    };
    snprintf(key.prefix, sizeof(key.prefix), "%s", prefix);
    snprintf(key.name, sizeof(key.name), "%s", name);
    return key;
}

static void test_keys_are_found_by_hash(void **state) {
    struct fixture *fixture = *state;
    struct key_row key = key_like(fixture->account, 1, "sk-test-aaaaaaaa", "ci"), found;
    struct account_row account;
    assert_int_equal(call(fixture->store, add_key, &key), OK);
    assert_int_equal(store_find_key(fixture->store, key.hash, &found, &account), OK);
    assert_memory_equal(&found, &key, sizeof(key));
    assert_string_equal(account.name, "acme");
    assert_int_equal(account.balance[BOOK_LIVE], 1000);
    key.hash[5]++;
    assert_int_equal(store_find_key(fixture->store, key.hash, &found, &account), ERR_NOT_FOUND);
}

static void test_a_hash_is_taken_once_and_needs_an_account(void **state) {
    struct fixture *fixture = *state;
    struct key_row key = key_like(fixture->account, 1, "sk-test-aaaaaaaa", ""), same = key;
    struct key_row stray = key_like(fixture->account + 1, 2, "sk-test-bbbbbbbb", "");
    assert_int_equal(call(fixture->store, add_key, &key), OK);
    assert_int_equal(call(fixture->store, add_key, &same), ERR_EXISTS);
    assert_int_equal(call(fixture->store, add_key, &stray), ERR_NOT_FOUND);
}

struct names {
    unsigned count, most;
    char last[NAME_SIZE];
};

static bool count_account(const struct account_row *row, void *context) {
    struct names *names = context;
    assert_true(strcmp(names->last, row->name) < 0);
    snprintf(names->last, sizeof(names->last), "%s", row->name);
    return ++names->count < names->most;
}

static bool count_key(const struct key_row *row, void *context) {
    (void)row;
    ++*(unsigned *)context;
    return true;
}

static void test_lists(void **state) {
    struct fixture *fixture = *state;
    int64_t other = make_account(fixture->store, "aaa", 5);
    struct key_row keys[] = { key_like(fixture->account, 1, "a", ""), key_like(other, 2, "b", "") };
    struct names names = { .most = 10 }, one = { .most = 1 };
    unsigned all = 0, of_one = 0;
    for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
        assert_int_equal(call(fixture->store, add_key, &keys[i]), OK);
    }
    assert_int_equal(store_list_accounts(fixture->store, count_account, &names), OK);
    assert_int_equal(names.count, 2);
    assert_int_equal(store_list_accounts(fixture->store, count_account, &one), OK);
    assert_int_equal(one.count, 1);
    assert_int_equal(store_list_keys(fixture->store, 0, count_key, &all), OK);
    assert_int_equal(store_list_keys(fixture->store, other, count_key, &of_one), OK);
    assert_int_equal(all, 2);
    assert_int_equal(of_one, 1);
}

static void test_the_generation_moves_with_keys_and_groups_only(void **state) {
    struct fixture *fixture = *state;
    uint64_t generation = store_generation(fixture->store);
    struct ensure same = { .name = "acme", .group = "default" }, moved = { .name = "acme", .group = "gold" };
    struct key_row key = key_like(fixture->account, 1, "a", ""), twice = key;
    struct task_row task = pending_task(fixture->account, 10);

    accept_task(fixture->store, &task);
    assert_int_equal(call(fixture->store, ensure, &same), OK);
    assert_int_equal(store_generation(fixture->store), generation);
    assert_int_equal(call(fixture->store, ensure, &moved), OK);
    assert_int_equal(store_generation(fixture->store), generation + 1);
    assert_int_equal(call(fixture->store, add_key, &key), OK);
    assert_int_equal(store_generation(fixture->store), generation + 2);
    assert_int_equal(call(fixture->store, add_key, &twice), ERR_EXISTS);
    assert_int_equal(store_generation(fixture->store), generation + 2);
}

int run_account_tests(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_ensure_makes_and_finds, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(test_ensure_sets_the_group_only_when_named, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(test_names_have_bounds, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(test_keys_are_found_by_hash, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(test_a_hash_is_taken_once_and_needs_an_account, fixture_setup,
                                        fixture_teardown),
        cmocka_unit_test_setup_teardown(test_lists, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(test_the_generation_moves_with_keys_and_groups_only, fixture_setup,
                                        fixture_teardown),
    };
    return cmocka_run_group_tests_name("store accounts", tests, NULL, NULL);
}
