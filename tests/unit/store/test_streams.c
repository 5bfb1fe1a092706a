/* Chunks of answers that have ended, tasks that are written at their end, and the schema before there were any. */
#include "fixture.h"

#include <sqlite3.h>

#include "store/inside.h"
#include "tests.h"

#define LATER_MS (NOW_MS + 900000)

struct chunks {
    int64_t account;
    struct task_id id;
    int64_t expires_ms;
    struct text text;
};

static void add_stream(struct store_tx *tx, void *context) {
    const struct chunks *chunks = context;
    store_tx_add_stream(tx, chunks->account, &chunks->id, chunks->expires_ms, chunks->text);
}

static enum err find(struct fixture *fixture, const struct chunks *chunks, int64_t now_ms, struct text *ret) {
    return store_find_stream(fixture->store, chunks->account, &chunks->id, now_ms, &fixture->arena, ret);
}

static void test_chunks_have_their_time(void **state) {
    struct fixture *fixture = *state;
    struct text found = TEXT("untouched");
    struct chunks chunks = { fixture->account, fresh_id(), LATER_MS, TEXT("{\"n\":0}\n{\"n\":\"é\"}\n") };
    assert_int_equal(call(fixture->store, add_stream, &chunks), OK);
    assert_int_equal(find(fixture, &chunks, LATER_MS, &found), ERR_NOT_FOUND);
    assert_true(text_equal(found, TEXT("untouched")));
    assert_int_equal(find(fixture, &chunks, LATER_MS - 1, &found), OK);
    assert_true(text_equal(found, chunks.text));
    assert_int_equal(call(fixture->store, add_stream, &chunks), ERR_EXISTS);
    struct chunks of_another = chunks;
    of_another.account++;
    assert_int_equal(find(fixture, &of_another, NOW_MS, &found), ERR_NOT_FOUND); /* S2 */
}

static void test_no_chunks_are_chunks_too(void **state) {
    struct fixture *fixture = *state;
    struct text found = TEXT("untouched");
    struct chunks chunks = { fixture->account, fresh_id(), LATER_MS, TEXT_NONE };
    assert_int_equal(call(fixture->store, add_stream, &chunks), OK);
    assert_int_equal(find(fixture, &chunks, NOW_MS, &found), OK);
    assert_int_equal(found.len, 0);
}

struct dropping {
    int64_t now_ms;
    unsigned limit;
};

static void drop_streams(struct store_tx *tx, void *context) {
    const struct dropping *dropping = context;
    store_tx_drop_streams(tx, dropping->now_ms, dropping->limit);
}

static unsigned left_of(struct fixture *fixture, const struct chunks *chunks, unsigned count) {
    unsigned left = 0;
    struct text found;
    for (unsigned i = 0; i < count; i++) {
        left += find(fixture, &chunks[i], 0, &found) == OK;
    }
    return left;
}

static void test_expired_chunks_are_dropped_oldest_first(void **state) {
    enum { COUNT = 5 };
    struct fixture *fixture = *state;
    struct chunks chunks[COUNT];
    bool some = true;
    assert_int_equal(store_streams_expired(fixture->store, INT64_MAX, &some), OK);
    assert_false(some);
    for (int i = 0; i < COUNT; i++) { /* the first is the last to expire */
        chunks[i] = (struct chunks){ fixture->account, fresh_id(), LATER_MS - i, TEXT("{}\n") };
        assert_int_equal(call(fixture->store, add_stream, &chunks[i]), OK);
    }
    struct dropping dropping = { .now_ms = LATER_MS - COUNT, .limit = 10 };
    assert_int_equal(store_streams_expired(fixture->store, dropping.now_ms, &some), OK);
    assert_false(some);
    assert_int_equal(call(fixture->store, drop_streams, &dropping), OK);
    assert_int_equal(left_of(fixture, chunks, COUNT), COUNT);

    dropping = (struct dropping){ .now_ms = LATER_MS - 1, .limit = 3 };
    assert_int_equal(store_streams_expired(fixture->store, dropping.now_ms, &some), OK);
    assert_true(some);
    assert_int_equal(call(fixture->store, drop_streams, &dropping), OK);
    assert_int_equal(left_of(fixture, chunks, COUNT), 2);
    assert_int_equal(left_of(fixture, chunks, 2), 2);
    assert_int_equal(call(fixture->store, drop_streams, &dropping), OK);
    assert_int_equal(left_of(fixture, chunks, COUNT), 1);
    assert_int_equal(store_streams_expired(fixture->store, dropping.now_ms, &some), OK);
    assert_false(some);
}

/* ---- tasks that are written at their end ---- */

static void add_final(struct store_tx *tx, void *context) {
    store_tx_add_final_task(tx, context);
}

static struct task_row ended_task(int64_t account) {
    struct task_row task = pending_task(account, 300);
    task.type = TASK_LLM;
    task.billing = BILLING_PER_TOKEN;
    task.state = TASK_COMPLETED;
    task.progress = 100;
    task.started_ms = NOW_MS + 10;
    task.finished_ms = NOW_MS + 20;
    task.charged = 100;
    task.refunded = 200;
    task.results = TEXT("[{}]");
    return task;
}

static void add_whole(struct store_tx *tx, void *context) {
    const struct task_row *task = context;
    store_tx_add_final_task(tx, task);
    struct ledger_row entry = { .account = task->account, .kind = LEDGER_RESERVE, .microcredits = -task->reserved,
                                .task = task->id, .at_ms = NOW_MS };
    store_tx_add_ledger(tx, &entry);
    entry.kind = LEDGER_SETTLE;
    entry.microcredits = task->refunded;
    entry.charged = task->charged;
    store_tx_add_ledger(tx, &entry);
}

static bool count_open(const struct task_row *row, void *context) {
    (void)row;
    ++*(unsigned *)context;
    return true;
}

static void test_a_task_is_written_at_its_end(void **state) {
    struct fixture *fixture = *state;
    struct task_row task = ended_task(fixture->account);
    struct text input;
    unsigned open = 0;
    assert_int_equal(call(fixture->store, add_whole, &task), OK);
    struct task_row row = stored_task(fixture, &task);
    assert_int_equal(row.state, TASK_COMPLETED);
    assert_int_equal(row.finished_ms, task.finished_ms);
    assert_int_equal(row.started_ms, task.started_ms);
    assert_int_equal(row.charged, 100);
    assert_int_equal(row.refunded, 200);
    assert_false(row.streams);
    assert_true(text_equal(row.results, task.results));
    assert_int_equal(balance_of(fixture->store, fixture->account, BOOK_LIVE), 900);
    assert_int_equal(store_load_input(fixture->store, task.account, &task.id, &fixture->arena, &input), ERR_NOT_FOUND);
    assert_int_equal(store_list_open_tasks(fixture->store, count_open, &open), OK);
    assert_int_equal(open, 0);
    assert_sound(fixture->store);
    assert_int_equal(call(fixture->store, add_whole, &task), ERR_EXISTS);
    assert_int_equal(balance_of(fixture->store, fixture->account, BOOK_LIVE), 900); /* all of it or nothing */
}

static void test_what_has_not_ended_is_no_final_task(void **state) {
    struct fixture *fixture = *state;
    struct task_row open = ended_task(fixture->account), unstamped = open, unsettled = open, row;
    open.state = TASK_PROCESSING;
    unstamped.finished_ms = 0;
    unsettled.refunded = 199;
    struct task_row *wrong[] = { &open, &unstamped, &unsettled };
    for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
        assert_int_equal(call(fixture->store, add_final, wrong[i]), ERR_CONFLICT);
        assert_int_equal(store_find_task(fixture->store, wrong[i]->account, &wrong[i]->id, &fixture->arena, &row),
                         ERR_NOT_FOUND);
    }
}

static void test_a_task_says_whether_it_streams(void **state) {
    struct fixture *fixture = *state;
    struct task_row task = pending_task(fixture->account, 0), other = pending_task(fixture->account, 0);
    task.streams = true;
    accept_task(fixture->store, &task);
    accept_task(fixture->store, &other);
    assert_true(stored_task(fixture, &task).streams);
    assert_false(stored_task(fixture, &other).streams);
    assert_int_equal(finish_task(fixture->store, task, TASK_PENDING, TASK_FAILED), OK);
    assert_true(stored_task(fixture, &task).streams);
}

struct asked {
    int64_t account, before, after, of_nobody, after_failure;
};

static void ask_balance(struct store_tx *tx, void *context) {
    struct asked *asked = context;
    asked->before = store_tx_balance(tx, asked->account, BOOK_LIVE);
    store_tx_add_ledger(tx, &(struct ledger_row){ .account = asked->account, .kind = LEDGER_ADJUST,
                                                  .microcredits = -1, .at_ms = NOW_MS });
    asked->after = store_tx_balance(tx, asked->account, BOOK_LIVE);
    asked->of_nobody = store_tx_balance(tx, asked->account + 1000, BOOK_LIVE);
    assert_int_equal(store_tx_error(tx), OK);
    store_tx_fail(tx, ERR_CONFLICT);
    asked->after_failure = store_tx_balance(tx, asked->account, BOOK_LIVE);
}

static void test_the_balance_can_be_asked_in_a_job(void **state) {
    struct fixture *fixture = *state;
    struct asked asked = { .account = fixture->account };
    assert_int_equal(call(fixture->store, ask_balance, &asked), ERR_CONFLICT);
    assert_int_equal(asked.before, 1000);
    assert_int_equal(asked.after, 999);
    assert_int_equal(asked.of_nobody, 0);
    assert_int_equal(asked.after_failure, 0);
    assert_int_equal(balance_of(fixture->store, fixture->account, BOOK_LIVE), 1000);
}

/* ---- a database of an earlier version ---- */

extern const char store_migration_0001[], store_migration_0002[];

static const char old_rows[] =
    "INSERT INTO account VALUES (1, 'old', 'default', 1);"
    "INSERT INTO balance VALUES (1, 0, 70, 30), (1, 1, 0, 0);"
    "INSERT INTO ledger VALUES (1, 1, 0, 0, 200, 0, '', 1, ''), (1, 2, 0, 1, -100, 0, 'task-unified-1757165031-aaaaaaaa', 1, ''),"
    " (1, 3, 0, 2, 70, 30, 'task-unified-1757165031-aaaaaaaa', 2, ''),"
    " (1, 4, 0, 1, -100, 0, 'task-unified-1757165031-bbbbbbbb', 1, '');"
    "INSERT INTO task VALUES"
    " (1, 1, 'task-unified-1757165031-aaaaaaaa', 7, 0, 0, 2, 100, 0, 1, 1, 2, 100, 30, 70, 'm', 'default', '', '', '[]'),"
    " (2, 1, 'task-unified-1757165031-bbbbbbbb', 7, 0, 0, 1, 50, 0, 1, 1, 0, 100, 0, 0, 'm', 'default', '', '', '');"
    "INSERT INTO event VALUES (1, 'task-unified-1757165031-bbbbbbbb', 1, 1, 'accepted', '{\"old\":true}');"
    "INSERT INTO task_input VALUES (1, 'task-unified-1757165031-bbbbbbbb', '{\"prompt\":\"x\"}');"
    "PRAGMA application_id = 0x464e4e43; PRAGMA user_version = 2;"
    "INSERT INTO meta VALUES ('secret', randomblob(32)), ('fennec', CAST('0.2.0' AS BLOB));";

static void make_version_two(const char *directory) {
    sqlite3 *database;
    const char *const scripts[] = { store_migration_0001, store_migration_0002, old_rows };
    assert_int_equal(sqlite3_open(path_in(directory, "fennec.db"), &database), SQLITE_OK);
    for (size_t i = 0; i < ARRAY_SIZE(scripts); i++) {
        if (sqlite3_exec(database, scripts[i], NULL, NULL, NULL) != SQLITE_OK) {
            fail_msg("%s", sqlite3_errmsg(database));
        }
    }
    sqlite3_close(database);
}

static bool only_event(const struct event_row *row, void *context) {
    static char data[32];
    struct text *seen = context;
    assert_int_equal(seen->len, 0);
    assert_int_equal(row->sequence, 1);
    snprintf(data, sizeof(data), "%.*s", TEXT_ARG(row->data));
    *seen = text_of(data);
    return true;
}

static void test_a_database_of_version_two_goes_on(void **state) {
    char directory[64];
    (void)state;
    directory_make(directory);
    make_version_two(directory);
    struct store *store = open_store(directory);
    struct fixture fixture = { .store = store, .account = 1 };
    arena_init(&fixture.arena, 1 << 20);
    struct task_row task = { .account = 1 };
    static const char *const ids[] = { "task-unified-1757165031-aaaaaaaa", "task-unified-1757165031-bbbbbbbb" };
    for (size_t i = 0; i < ARRAY_SIZE(ids); i++) {
        assert_true(task_id_parse(text_of(ids[i]), &task.id));
        struct task_row row = stored_task(&fixture, &task);
        assert_int_equal(row.state, i == 0 ? TASK_COMPLETED : TASK_PROCESSING);
        assert_false(row.streams);
    }
    struct task_row open = stored_task(&fixture, &task);
    struct text input;
    assert_int_equal(store_load_input(store, 1, &task.id, &fixture.arena, &input), OK);
    assert_true(text_equal(input, TEXT("{\"prompt\":\"x\"}")));
    struct text timeline = TEXT_NONE;
    assert_int_equal(store_list_events(store, 1, &task.id, only_event, &timeline), OK);
    assert_true(text_equal(timeline, TEXT("{\"old\":true}"))); /* its row, and no second acceptance */
    assert_int_equal(finish_task(store, open, TASK_PROCESSING, TASK_FAILED), OK);
    assert_int_equal(balance_of(store, 1, BOOK_LIVE), 170);
    struct chunks chunks = { 1, task.id, LATER_MS, TEXT("{}\n") };
    assert_int_equal(call(store, add_stream, &chunks), OK);
    assert_sound(store);
    store_close(store);
    store = fixture.store = open_store(directory); /* once is enough */
    struct text found;
    assert_int_equal(find(&fixture, &chunks, NOW_MS, &found), OK);
    store_close(store);
    arena_fini(&fixture.arena);
    directory_remove(directory);
}

int run_stream_tests(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_chunks_have_their_time, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(test_no_chunks_are_chunks_too, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(test_expired_chunks_are_dropped_oldest_first, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(test_a_task_is_written_at_its_end, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(test_what_has_not_ended_is_no_final_task, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(test_a_task_says_whether_it_streams, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(test_the_balance_can_be_asked_in_a_job, fixture_setup, fixture_teardown),
        cmocka_unit_test(test_a_database_of_version_two_goes_on),
    };
    return cmocka_run_group_tests_name("store streams", tests, NULL, NULL);
}
