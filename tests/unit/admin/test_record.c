/* Neither change nor line: where the record cannot be written, what was changed before it in the same job is not kept. */
#include "admin/record.h"

#include <sqlite3.h>
#include <stdlib.h>

#include "admin/account.h"
#include "admin/callback.h"
#include "admin/credits.h"
#include "admin/key.h"
#include "admin/pause.h"
#include "base/buffer.h"
#include "fixture.h"
#include "store/callback.h"
#include "tests_admin.h"

#define ACTOR TEXT("cli:tester")
#define WHY TEXT("because")
#define DUMP_MAX ((size_t)1 << 20)

/* What the changes are about. */
struct ground {
    struct fixture *fixture;
    struct key_row key, operators;
    struct task_row task; /* charged */
    struct callback_row callback;
};

/* ---- all that is stored ---- */

static sqlite3 *open_behind(const struct fixture *fixture) {
    sqlite3 *db;
    assert_int_equal(sqlite3_open(path_in(fixture->directory, "fennec.db"), &db), SQLITE_OK);
    return db;
}

static void dump_table(sqlite3 *db, const char *name, struct buffer *dump) {
    sqlite3_stmt *rows;
    char sql[128];
    snprintf(sql, sizeof(sql), "SELECT * FROM \"%s\"", name);
    assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &rows, NULL), SQLITE_OK);
    buffer_printf(dump, "\n%s:", name);
    while (sqlite3_step(rows) == SQLITE_ROW) {
        for (int i = 0; i < sqlite3_column_count(rows); i++) {
            const char *bytes = sqlite3_column_blob(rows, i); /* before its length */
            buffer_put(dump, (struct text){ bytes, (size_t)sqlite3_column_bytes(rows, i) });
            buffer_put_char(dump, '|');
        }
        buffer_put_char(dump, '\n');
    }
    sqlite3_finalize(rows);
}

static void dump_store(const struct fixture *fixture, struct buffer *dump) {
    sqlite3 *db = open_behind(fixture);
    sqlite3_stmt *tables;
    buffer_init(dump, DUMP_MAX);
    assert_int_equal(sqlite3_prepare_v2(db, "SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name", -1, &tables,
                                        NULL), SQLITE_OK);
    while (sqlite3_step(tables) == SQLITE_ROW)
        dump_table(db, (const char *)sqlite3_column_text(tables, 0), dump);
    sqlite3_finalize(tables);
    sqlite3_close(db);
    assert_true(buffer_ok(dump));
}

/* ---- the changes ---- */

static enum err create_account(struct ground *ground) {
    struct account_row account;
    return admin_account_create(ground->fixture->store, ACTOR, TEXT("new"), TEXT("gold"), &account, NULL);
}

static enum err put_into_group(struct ground *ground) {
    struct admin_account_change change = { .group = TEXT("gold") };
    struct account_row account;
    return admin_account_change(ground->fixture->store, ACTOR, ground->fixture->account, &change, &account, NULL);
}

static enum err suspend(struct ground *ground) {
    struct admin_account_change change = { .has_suspended = true, .suspended = true };
    struct account_row account;
    return admin_account_change(ground->fixture->store, ACTOR, ground->fixture->account, &change, &account, NULL);
}

static struct credit_order order_of(const struct ground *ground) {
    return (struct credit_order){ .account = ground->fixture->account, .microcredits = 7, .actor = ACTOR,
                                  .object = TEXT("acme"), .reason = WHY, .reference = TEXT("") };
}

static enum err credit(struct ground *ground) {
    struct credit_order order = order_of(ground);
    admin_credit(&order);
    return store_call(ground->fixture->store, &order.job);
}

static enum err debit(struct ground *ground) {
    struct credit_order order = order_of(ground);
    admin_debit(&order);
    return store_call(ground->fixture->store, &order.job);
}

static enum err refund(struct ground *ground) {
    struct credit_order order = order_of(ground);
    struct fixture *fixture = ground->fixture;
    assert_int_equal(admin_refund_task(fixture->store, &order, &ground->task.id, &fixture->arena, NULL), OK);
    return store_call(fixture->store, &order.job);
}

static enum err create_key(struct ground *ground) {
    struct admin_key_wish wish = { .account_name = TEXT("newer"), .group = TEXT("gold"), .credits = 5 };
    char key[API_KEY_SIZE];
    return admin_key_create(ground->fixture->store, ACTOR, &wish, key, NULL);
}

static enum err change_key(struct ground *ground) {
    struct key_row wish = ADMIN_KEY_UNCHANGED;
    wish.concurrency = 3;
    struct key_row key = ground->key;
    return admin_key_change(ground->fixture->store, ACTOR, &wish, &key, NULL);
}

static enum err revoke_key(struct ground *ground) {
    return admin_key_revoke(ground->fixture->store, ACTOR, &ground->key, NULL);
}

static enum err revoke_keys(struct ground *ground) {
    int count;
    return admin_key_revoke_named(ground->fixture->store, ACTOR, 0, TEXT("laptop"), &count, NULL);
}

static enum err create_operators_key(struct ground *ground) {
    struct key_row row = { .name = "another" };
    char key[API_KEY_SIZE];
    return admin_operator_key_create(ground->fixture->store, ACTOR, &row, key, NULL);
}

static enum err revoke_operators_key(struct ground *ground) {
    return admin_operator_key_revoke(ground->fixture->store, ACTOR, &ground->operators, NULL);
}

static enum err replay_callback(struct ground *ground) {
    return admin_callback_replay(ground->fixture->store, ACTOR, &ground->callback, WHY, NOW_MS + 99000, false, NULL);
}

static enum err rotate_secret(struct ground *ground) {
    return admin_callback_secret_rotate(ground->fixture->store, ACTOR, ground->fixture->account,
                                        TEXT("whsec_ZmFrZS1zZWNyZXQ="), NOW_MS + 99000, NULL);
}

static enum err pause_model(struct ground *ground) {
    bool changed;
    return admin_pause(ground->fixture->store, ACTOR, PAUSE_MODEL, TEXT("film"), WHY, &changed, NULL);
}

static enum err resume_provider(struct ground *ground) {
    bool changed;
    return admin_resume(ground->fixture->store, ACTOR, PAUSE_PROVIDER, TEXT("fal"), WHY, &changed, NULL);
}

static const struct {
    const char *name;
    enum err (*make)(struct ground *ground);
} all_changes[] = {
    { "create account", create_account },
    { "put into a group", put_into_group },
    { "suspend", suspend },
    { "credit", credit },
    { "debit", debit },
    { "refund", refund },
    { "create key", create_key },
    { "change key", change_key },
    { "replay callback", replay_callback },
    { "rotate secret", rotate_secret },
    { "pause model", pause_model },
    { "resume provider", resume_provider },
    { "create operator's key", create_operators_key },
    { "revoke operator's key", revoke_operators_key },
    { "revoke keys by name", revoke_keys },
    { "revoke key", revoke_key }, /* of another name */
};

/* ---- the ground ---- */

static struct key_row make_key(struct fixture *fixture, const char *name) {
    struct admin_key_wish wish = { .account = fixture->account };
    char key[API_KEY_SIZE];
    snprintf(wish.row.name, sizeof(wish.row.name), "%s", name);
    assert_int_equal(admin_key_create(fixture->store, ACTOR, &wish, key, NULL), OK);
    return wish.row;
}

static void add_callback(struct store_tx *tx, void *context) {
    const struct callback_row *row = context;
    store_tx_add_callback(tx, row);
    store_tx_callbacks_due(tx, row->account, &row->task, NOW_MS + 1000, NOW_MS + 9000);
}

static void prepare(struct ground *ground, struct fixture *fixture) {
    char key[API_KEY_SIZE];
    bool changed;
    *ground = (struct ground){ .fixture = fixture, .key = make_key(fixture, "desk"), .operators.name = "one" };
    (void)make_key(fixture, "laptop");
    assert_int_equal(admin_operator_key_create(fixture->store, ACTOR, &ground->operators, key, NULL), OK);
    assert_int_equal(admin_pause(fixture->store, ACTOR, PAUSE_PROVIDER, TEXT("fal"), WHY, &changed, NULL), OK);
    ground->task = pending_task(fixture->account, 100);
    accept_task(fixture->store, &ground->task);
    assert_int_equal(finish_task(fixture->store, ground->task, TASK_PENDING, TASK_COMPLETED), OK);
    ground->callback = (struct callback_row){ .account = fixture->account,
                                              .task = ground->task.id,
                                              .created_ms = NOW_MS,
                                              .lane = TEXT("https://example.com:443"),
                                              .url = TEXT("https://example.com/hook"),
                                              .base = TEXT("http://here") };
    callback_id_new(ground->callback.id, NOW_MS);
    assert_int_equal(call(fixture->store, add_callback, &ground->callback), OK);
    ground->callback.state = CALLBACK_DUE;
}

static void what_cannot_be_recorded_is_not_changed(void **state) {
    struct fixture *fixture = *state;
    struct ground ground;
    prepare(&ground, fixture);
    tamper(fixture->directory,
           "CREATE TRIGGER no_line BEFORE INSERT ON change BEGIN SELECT RAISE(ABORT, 'the record is closed'); END");
    struct buffer before scoped(buffer_fini);
    dump_store(fixture, &before);
    for (size_t i = 0; i < ARRAY_SIZE(all_changes); i++) {
        struct buffer after;
        if (all_changes[i].make(&ground) == OK)
            fail_msg("%s: done, without a line", all_changes[i].name);
        dump_store(fixture, &after);
        if (!text_equal(buffer_text(&before), buffer_text(&after)))
            fail_msg("%s: something stayed", all_changes[i].name);
        buffer_fini(&after);
    }
    assert_sound(fixture->store);
}

static bool count_line(const struct change_row *change, void *count) {
    (void)change;
    ++*(unsigned *)count;
    return true;
}

static unsigned lines(const struct fixture *fixture) {
    unsigned count = 0;
    assert_int_equal(store_list_changes(fixture->store, 0, 0, 1000, count_line, &count), OK);
    return count;
}

/* The same changes, where nothing is in their way. */
static void what_is_changed_is_recorded(void **state) {
    struct fixture *fixture = *state;
    struct ground ground;
    prepare(&ground, fixture);
    for (size_t i = 0; i < ARRAY_SIZE(all_changes); i++) {
        struct buffer before, after;
        unsigned count = lines(fixture);
        dump_store(fixture, &before);
        if (all_changes[i].make(&ground) != OK || lines(fixture) == count)
            fail_msg("%s: not done, or without a line", all_changes[i].name);
        dump_store(fixture, &after);
        assert_false(text_equal(buffer_text(&before), buffer_text(&after)));
        buffer_fini(&before);
        buffer_fini(&after);
    }
    assert_sound(fixture->store);
}

int run_record_tests(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_cannot_be_recorded_is_not_changed, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(what_is_changed_is_recorded, fixture_setup, fixture_teardown),
    };
    return cmocka_run_group_tests_name("record", tests, NULL, NULL);
}
