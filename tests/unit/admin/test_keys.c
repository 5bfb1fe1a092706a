/* Keys of accounts: made, changed, revoked by name, each with its line in the record. */
#include "admin/key.h"

#include <stdio.h>

#include "fixture.h"
#include "tests_admin.h"

#define ACTOR TEXT("cli:tester")

static struct key_row make_key(struct fixture *fixture, const char *account, const char *name) {
    struct admin_key_wish wish = { .account_name = text_of(account), .row = { .book = BOOK_TEST } };
    char key[API_KEY_SIZE];
    snprintf(wish.row.name, sizeof(wish.row.name), "%s", name);
    assert_int_equal(admin_key_create(fixture->store, ACTOR, &wish, key, NULL), OK);
    return wish.row;
}

static struct key_row stored(struct fixture *fixture, const struct key_row *key) {
    struct key_row found = { .id = 0 };
    assert_int_equal(store_find_key_by_id(fixture->store, key->account, key->id, &found), OK);
    return found;
}

struct line {
    const char *action;
    unsigned count;
};

static bool count_line(const struct change_row *change, void *context) {
    struct line *line = context;
    line->count += text_equal(change->action, text_of(line->action));
    return true;
}

static unsigned recorded(struct fixture *fixture, const char *action) {
    struct line line = { action, 0 };
    assert_int_equal(store_list_changes(fixture->store, 0, 0, 1000, count_line, &line), OK);
    return line.count;
}

static void names_and_prefixes_end_keys(void **state) {
    struct fixture *fixture = *state;
    struct key_row keys[] = {
        make_key(fixture, "one", "ci"), make_key(fixture, "one", "ci"),
        make_key(fixture, "two", "ci"), make_key(fixture, "two", ""),
    };
    const struct {
        int64_t account;
        const char *which;
        enum err err;
        int count;
    } cases[] = {
        { keys[0].account, keys[2].prefix, ERR_KEY_NOT_FOUND, -1 },
        { keys[0].account, "ci", OK, 2 },
        { keys[0].account, "ci", ERR_KEY_NOT_FOUND, -1 },
        { 0, "ci", OK, 1 },
        { 0, "", ERR_KEY_NOT_FOUND, -1 }, /* it would be every key without a name */
        { 0, keys[3].prefix, OK, 1 },
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        int count = -1;
        enum err err = admin_key_revoke_named(fixture->store, ACTOR, cases[i].account, text_of(cases[i].which), &count, NULL);
        assert_int_equal(err, cases[i].err);
        assert_int_equal(count, cases[i].count);
    }
    for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
        assert_true(stored(fixture, &keys[i]).revoked_ms > 0);
    }
    assert_int_equal(recorded(fixture, "key.revoked"), ARRAY_SIZE(keys));
}

static void a_key_gets_other_limits(void **state) {
    struct fixture *fixture = *state;
    struct key_row key = make_key(fixture, "one", "ci");
    const struct key_row wish = { .requests_per_minute = 7, .concurrency = 3, .budget_total = 5000000, .budget_day = 0 };
    assert_int_equal(admin_key_change(fixture->store, ACTOR, &wish, &key, NULL), OK);
    struct key_row found = stored(fixture, &key);
    assert_int_equal(found.requests_per_minute, 7);
    assert_int_equal(found.concurrency, 3);
    assert_int_equal(found.budget_total, 5000000);
    assert_int_equal(found.budget_day, 0);
    assert_int_equal(recorded(fixture, "key.changed"), 1);

    assert_int_equal(admin_key_revoke(fixture->store, ACTOR, &key, NULL), OK);
    assert_int_equal(admin_key_change(fixture->store, ACTOR, &wish, &key, NULL), ERR_KEY_NOT_FOUND);
    assert_int_equal(recorded(fixture, "key.changed"), 1);
}

/* Both have read the key before either is written. */
static void changes_that_meet_keep_what_they_do_not_speak_of(void **state) {
    struct fixture *fixture = *state;
    struct key_row one = make_key(fixture, "one", "ci"), other = one;
    struct key_row budget = ADMIN_KEY_UNCHANGED, rate = ADMIN_KEY_UNCHANGED;
    budget.budget_total = 5000000;
    rate.requests_per_minute = 7;
    snprintf(rate.name, sizeof(rate.name), "web");
    assert_int_equal(admin_key_change(fixture->store, ACTOR, &budget, &one, NULL), OK);
    assert_int_equal(one.budget_total, 5000000);
    assert_string_equal(one.name, "ci");
    assert_int_equal(admin_key_change(fixture->store, ACTOR, &rate, &other, NULL), OK);
    struct key_row found = stored(fixture, &one);
    assert_int_equal(found.budget_total, 5000000);
    assert_int_equal(found.requests_per_minute, 7);
    assert_string_equal(found.name, "web");
    assert_int_equal(other.budget_total, 5000000); /* so it is answered */
}

int run_key_tests(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(names_and_prefixes_end_keys, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(a_key_gets_other_limits, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(changes_that_meet_keep_what_they_do_not_speak_of, fixture_setup, fixture_teardown),
    };
    return cmocka_run_group_tests_name("keys of accounts", tests, NULL, NULL);
}
