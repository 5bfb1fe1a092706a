/* Callbacks in the store: their states, rounds and tries, the lanes that have some due, secrets, and the end of it all. */
#include "fixture.h"

#include "base/memory.h"
#include "store/callback.h"
#include "tests.h"

#define LANE "https://example.com:443"

struct change {
    struct callback_row row;
    struct callback_try_row log;
    int64_t now_ms, until_ms, count;
    const char *words;
};

static void add(struct store_tx *tx, void *context) {
    store_tx_add_callback(tx, &((struct change *)context)->row);
}

static void fall_due(struct store_tx *tx, void *context) {
    const struct change *change = context;
    store_tx_callbacks_due(tx, change->row.account, &change->row.task, change->now_ms, change->until_ms);
}

static void write_try(struct store_tx *tx, void *context) {
    const struct change *change = context;
    store_tx_add_callback_try(tx, &change->row, &change->log);
}

static void replay(struct store_tx *tx, void *context) {
    const struct change *change = context;
    store_tx_replay_callback(tx, change->row.account, text_of(change->row.id), change->now_ms, change->until_ms, false);
}

static struct change fresh(struct fixture *fixture, int64_t account, const char *lane) {
    struct change change = { .row = { .account = account,
                                      .task = fresh_id(),
                                      .created_ms = NOW_MS,
                                      .lane = text_of(lane),
                                      .url = TEXT("https://example.com/hook"),
                                      .base = TEXT("http://here") },
                             .now_ms = NOW_MS + 1000,
                             .until_ms = NOW_MS + 9000 };
    callback_id_new(change.row.id, NOW_MS);
    assert_int_equal(call(fixture->store, add, &change), OK);
    return change;
}

static struct callback_row stored(struct fixture *fixture, const struct change *change) {
    struct callback_row row;
    assert_int_equal(store_find_callback(fixture->store, change->row.account, text_of(change->row.id),
                                         &fixture->arena, &row), OK);
    return row;
}

/* What a try came to, by the row as the trier had read it. */
static void ends(struct fixture *fixture, struct change *change, enum callback_state state, const char *outcome) {
    change->row.state = state;
    change->row.rung++;
    change->row.ended_ms = state == CALLBACK_DUE ? 0 : NOW_MS + 2000;
    change->row.due_ms = NOW_MS + 3000;
    change->row.outcome = text_of(outcome);
    change->log = (struct callback_try_row){ .account = change->row.account, .at_ms = NOW_MS, .outcome = text_of(outcome),
                                             .excerpt = TEXT("") };
    memcpy(change->log.callback, change->row.id, sizeof(change->log.callback));
    assert_int_equal(call(fixture->store, write_try, change), OK);
}

static bool count_try(const struct callback_try_row *row, void *context) {
    int *last = context;
    assert_true(row->number > *last);
    *last = row->number;
    return true;
}

static void a_life_by_its_states(void **state) {
    struct fixture *fixture = *state;
    struct change change = fresh(fixture, fixture->account, LANE);
    assert_int_equal(stored(fixture, &change).state, CALLBACK_WAITING);
    assert_int_equal(call(fixture->store, replay, &change), ERR_NOT_FOUND); /* its task has not ended */
    assert_int_equal(call(fixture->store, fall_due, &change), OK);
    assert_int_equal(stored(fixture, &change).due_ms, NOW_MS + 1000);
    ends(fixture, &change, CALLBACK_DUE, "timeout");
    ends(fixture, &change, CALLBACK_DELIVERED, "delivered");
    struct callback_row row = stored(fixture, &change);
    assert_int_equal(row.state, CALLBACK_DELIVERED);
    assert_int_equal(row.tries, 2);
    assert_int_equal(row.ended_ms, NOW_MS + 2000);
    assert_int_equal(call(fixture->store, fall_due, &change), OK); /* nothing: it waits no more */
    assert_int_equal(stored(fixture, &change).state, CALLBACK_DELIVERED);
    int last = 0;
    assert_int_equal(store_list_callback_tries(fixture->store, fixture->account, text_of(change.row.id), count_try,
                                               &last), OK);
    assert_int_equal(last, 2);
}

static void an_end_of_an_earlier_round_changes_no_state(void **state) {
    struct fixture *fixture = *state;
    struct change change = fresh(fixture, fixture->account, LANE);
    assert_int_equal(call(fixture->store, fall_due, &change), OK);
    assert_int_equal(call(fixture->store, replay, &change), OK); /* while a try is out */
    ends(fixture, &change, CALLBACK_GIVEN_UP, "gone");
    struct callback_row row = stored(fixture, &change);
    assert_int_equal(row.state, CALLBACK_DUE);
    assert_int_equal(row.round, 1);
    assert_int_equal(row.tries, 1); /* but it is in the log */
    change.row.round = 1;
    ends(fixture, &change, CALLBACK_GIVEN_UP, "gone");
    ends(fixture, &change, CALLBACK_DUE, "timeout");
    assert_int_equal(stored(fixture, &change).state, CALLBACK_GIVEN_UP);
    ends(fixture, &change, CALLBACK_DELIVERED, "delivered"); /* one that was out when it was given up */
    assert_int_equal(stored(fixture, &change).state, CALLBACK_DELIVERED);
}

static void a_log_keeps_the_last_tries(void **state) {
    struct fixture *fixture = *state;
    struct change change = fresh(fixture, fixture->account, LANE);
    assert_int_equal(call(fixture->store, fall_due, &change), OK);
    for (int i = 0; i < CALLBACK_TRIES_KEPT + 7; i++)
        ends(fixture, &change, CALLBACK_DUE, "timeout");
    int last = 7; /* the first that is left is the eighth */
    assert_int_equal(store_list_callback_tries(fixture->store, fixture->account, text_of(change.row.id), count_try,
                                               &last), OK);
    assert_int_equal(last, CALLBACK_TRIES_KEPT + 7);
}

struct seen {
    unsigned count;
    char words[8][64];
};

static bool see_lane(int64_t account, struct text lane, int64_t due_ms, void *context) {
    struct seen *seen = context;
    (void)due_ms;
    snprintf(seen->words[seen->count++ % 8], 64, "%lld %.*s", (long long)account, TEXT_ARG(lane));
    return true;
}

static void lanes_are_found_one_by_one(void **state) {
    struct fixture *fixture = *state;
    int64_t other = make_account(fixture->store, "other", 0);
    struct seen seen = { 0 };
    char expected[64];
    static const char *const lanes[] = { "a", "b", "c" };
    for (unsigned i = 0; i < 9; i++) {
        struct change change = fresh(fixture, i < 6 ? fixture->account : other, lanes[i % 3]);
        if (i != 7)
            assert_int_equal(call(fixture->store, fall_due, &change), OK);
    }
    assert_int_equal(store_list_callback_lanes(fixture->store, 0, TEXT(""), 100, see_lane, &seen), OK);
    assert_int_equal(seen.count, 5); /* not the one that waits */
    snprintf(expected, sizeof(expected), "%lld c", (long long)fixture->account);
    assert_string_equal(seen.words[2], expected);
    seen.count = 0;
    assert_int_equal(store_list_callback_lanes(fixture->store, fixture->account, TEXT("b"), 2, see_lane, &seen), OK);
    assert_int_equal(seen.count, 2);
    assert_string_equal(seen.words[0], expected);
    int64_t due = 0;
    assert_int_equal(store_count_due_callbacks(fixture->store, &due), OK);
    assert_int_equal(due, 8);
}

static void another_account_has_none_of_it(void **state) {
    struct fixture *fixture = *state;
    int64_t other = make_account(fixture->store, "other", 0);
    struct change change = fresh(fixture, fixture->account, LANE), theirs = change;
    struct callback_row row;
    theirs.row.account = other;
    assert_int_equal(store_find_callback(fixture->store, other, text_of(change.row.id), &fixture->arena, &row),
                     ERR_NOT_FOUND);
    assert_int_equal(call(fixture->store, fall_due, &theirs), OK);
    assert_int_equal(stored(fixture, &change).state, CALLBACK_WAITING);
    assert_int_equal(call(fixture->store, fall_due, &change), OK);
    assert_int_equal(call(fixture->store, replay, &theirs), ERR_NOT_FOUND);
}

static void ensure(struct store_tx *tx, void *context) {
    const struct change *change = context;
    store_tx_ensure_callback_secret(tx, change->row.account, text_of(change->words), change->now_ms);
}

static void rotate(struct store_tx *tx, void *context) {
    const struct change *change = context;
    store_tx_rotate_callback_secret(tx, change->row.account, text_of(change->words), change->now_ms, change->until_ms);
}

static void revoke(struct store_tx *tx, void *context) {
    struct change *change = context;
    store_tx_revoke_callback_secrets(tx, change->row.account, change->now_ms, &change->count);
}

static void assert_secrets(struct fixture *fixture, int64_t now_ms, const char *first, const char *second) {
    struct callback_secret_row secrets[CALLBACK_SECRETS_MAX];
    unsigned count = 9;
    assert_int_equal(store_list_callback_secrets(fixture->store, fixture->account, now_ms, secrets, &count), OK);
    assert_int_equal(count, (first != NULL) + (second != NULL));
    if (first != NULL)
        assert_string_equal(secrets[0].secret, first);
    if (second != NULL)
        assert_string_equal(secrets[1].secret, second);
}

static void two_secrets_at_most_are_valid(void **state) {
    struct fixture *fixture = *state;
    struct change change = { .row.account = fixture->account, .now_ms = 1000, .until_ms = 5000, .words = "one" };
    assert_secrets(fixture, 1000, NULL, NULL);
    assert_int_equal(call(fixture->store, ensure, &change), OK);
    change.words = "none";
    assert_int_equal(call(fixture->store, ensure, &change), OK); /* there is one */
    assert_secrets(fixture, 1000, "one", NULL);
    change.words = "two";
    assert_int_equal(call(fixture->store, rotate, &change), OK);
    assert_secrets(fixture, 4999, "two", "one");
    assert_secrets(fixture, 5000, "two", NULL);
    change.words = "three";
    assert_int_equal(call(fixture->store, rotate, &change), OK); /* the first of all is over early */
    assert_secrets(fixture, 4999, "three", "two");
    assert_int_equal(call(fixture->store, revoke, &change), OK);
    assert_int_equal(change.count, 1);
    assert_secrets(fixture, 1000, "three", NULL);
    change.words = "four";
    change.until_ms = 0;
    assert_int_equal(call(fixture->store, rotate, &change), OK); /* without an overlap */
    assert_secrets(fixture, 1000, "four", NULL);
}

static void drop(struct store_tx *tx, void *context) {
    const struct change *change = context;
    store_tx_drop_callbacks(tx, change->until_ms, change->now_ms, 1);
}

static void gone(struct store_tx *tx, void *context) {
    const struct change *change = context;
    store_tx_set_callback_gone(tx, change->row.account, change->row.url, change->until_ms);
}

static void old_ones_go_with_their_tries(void **state) {
    struct fixture *fixture = *state;
    struct change ended = fresh(fixture, fixture->account, LANE), waiting = fresh(fixture, fixture->account, LANE);
    struct callback_row row;
    int64_t until_ms = 0;
    bool some = true;
    int last = 0;
    assert_int_equal(call(fixture->store, fall_due, &ended), OK);
    ends(fixture, &ended, CALLBACK_DELIVERED, "delivered");
    assert_int_equal(store_callbacks_old(fixture->store, NOW_MS + 2000, 0, &some), OK);
    assert_false(some);
    struct change until = { .row = ended.row, .until_ms = NOW_MS + 2001 };
    assert_int_equal(call(fixture->store, gone, &until), OK);
    assert_int_equal(store_find_callback_gone(fixture->store, fixture->account, until.row.url, 0, &until_ms), OK);
    assert_int_equal(until_ms, NOW_MS + 2001);
    assert_int_equal(store_callbacks_old(fixture->store, NOW_MS + 2001, 0, &some), OK);
    assert_true(some);
    until.now_ms = NOW_MS + 2001;
    assert_int_equal(call(fixture->store, drop, &until), OK);
    assert_int_equal(store_find_callback(fixture->store, fixture->account, text_of(ended.row.id), &fixture->arena, &row),
                     ERR_NOT_FOUND);
    assert_int_equal(store_list_callback_tries(fixture->store, fixture->account, text_of(ended.row.id), count_try,
                                               &last), OK);
    assert_int_equal(last, 0);
    assert_int_equal(store_find_callback_gone(fixture->store, fixture->account, until.row.url, 0, &until_ms), OK);
    assert_int_equal(until_ms, 0);
    assert_int_equal(stored(fixture, &waiting).state, CALLBACK_WAITING);
}

int run_callback_tests(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_life_by_its_states, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(an_end_of_an_earlier_round_changes_no_state, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(a_log_keeps_the_last_tries, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(lanes_are_found_one_by_one, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(another_account_has_none_of_it, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(two_secrets_at_most_are_valid, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(old_ones_go_with_their_tries, fixture_setup, fixture_teardown),
    };
    return cmocka_run_group_tests_name("store callbacks", tests, NULL, NULL);
}
