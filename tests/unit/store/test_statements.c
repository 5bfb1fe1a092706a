/* The table of statements: each one compiles, and those that a request waits for never scan or sort. */
#include "fixture.h"

#include <sqlite3.h>

#include "store/statements.h"
#include "tests.h"

static const struct {
    const char *name, *text;
} statements[SQL_COUNT] = {
#define X(id, words) [id] = { #id, words },
    SQL_TABLE(X)
#undef X
};

/* For people and for the start, on tables that are small or read whole anyway; still in the order of an index. */
static const enum sql may_scan[] = {
    SQL_LIST_ACCOUNTS,     SQL_LIST_KEYS,           SQL_LIST_TASKS,       SQL_LIST_OPEN_TASKS,
    SQL_LIST_OPEN_TASKS_IN, SQL_FIND_TASK_OF_ANY,   SQL_AUDIT_BALANCE,    SQL_AUDIT_BOOK,
    SQL_AUDIT_OVERDRAWN,   SQL_AUDIT_RESERVATION,   SQL_AUDIT_SETTLEMENT, SQL_AUDIT_EARLY,
    SQL_AUDIT_STRAY,       SQL_AUDIT_STAMP,         SQL_AUDIT_INPUT,      SQL_AUDIT_CHARGED,
    SQL_AUDIT_USAGE,       SQL_AUDIT_SPENDING,      SQL_AUDIT_SPACE,      SQL_FIND_CALLBACK_OF_ANY,
    SQL_COUNT_DUE_CALLBACKS, SQL_LIST_ADMIN_KEYS,   SQL_LIST_PAUSES,      SQL_AUDIT_SMALL,
};

/* For people, of few rows: the newest of those tasks that are open. */
static const enum sql may_sort[] = { SQL_LIST_OPEN_TASKS_IN };

/* An account's results may be the same bytes any number of times: its inputs of a hash are found without these. */
#define WALKS_RESULTS "artifact_hash (hash=? AND account=?"

/* An account may have millions of entries: only these go by the account alone, for all of them or for the last. */
static const enum sql may_read_accounts[] = {
    SQL_ADD_LEDGER, SQL_LIST_LEDGER, SQL_LAST_ENTRY, SQL_AUDIT_BALANCE, SQL_AUDIT_CHARGED,
};

static bool is_among(enum sql id, const enum sql *ids, size_t count) {
    for (size_t i = 0; i < count; i++) {
        if (ids[i] == id) {
            return true;
        }
    }
    return false;
}

static void check_plan(sqlite3 *database, enum sql id) {
    char words[4096];
    sqlite3_stmt *plan;
    snprintf(words, sizeof(words), "EXPLAIN QUERY PLAN %s", statements[id].text);
    if (sqlite3_prepare_v2(database, words, -1, &plan, NULL) != SQLITE_OK) {
        fail_msg("%s: %s", statements[id].name, sqlite3_errmsg(database));
    }
    while (sqlite3_step(plan) == SQLITE_ROW) {
        const char *step = (const char *)sqlite3_column_text(plan, 3);
        bool sorts = strstr(step, "TEMP B-TREE FOR ORDER BY") != NULL && !is_among(id, may_sort, ARRAY_SIZE(may_sort));
        bool scans = strncmp(step, "SCAN", 4) == 0 && strncmp(step, "SCAN CONSTANT", 13) != 0;
        bool reads_account = strstr(step, "SEARCH ledger USING PRIMARY KEY (account=?)") != NULL;
        if (sorts || strstr(step, WALKS_RESULTS) != NULL || (scans && !is_among(id, may_scan, ARRAY_SIZE(may_scan))) ||
            (reads_account && !is_among(id, may_read_accounts, ARRAY_SIZE(may_read_accounts)))) {
            fail_msg("%s: %s", statements[id].name, step);
        }
    }
    sqlite3_finalize(plan);
}

static void test_plans(void **state) {
    struct fixture *fixture = *state;
    sqlite3 *database;
    assert_int_equal(sqlite3_open(path_in(fixture->directory, "fennec.db"), &database), SQLITE_OK);
    for (enum sql id = 0; id < SQL_COUNT; id++) {
        check_plan(database, id);
    }
    sqlite3_close(database);
}

/* $1, $2, … must first appear in this order, for SQLite numbers them by appearance. */
static void test_parameters_are_in_order(void **state) {
    struct fixture *fixture = *state;
    sqlite3 *database;
    assert_int_equal(sqlite3_open(path_in(fixture->directory, "fennec.db"), &database), SQLITE_OK);
    for (enum sql id = 0; id < SQL_COUNT; id++) {
        sqlite3_stmt *statement;
        assert_int_equal(sqlite3_prepare_v2(database, statements[id].text, -1, &statement, NULL), SQLITE_OK);
        for (int i = 1; i <= sqlite3_bind_parameter_count(statement); i++) {
            char expected[16];
            snprintf(expected, sizeof(expected), "$%d", i);
            assert_string_equal(sqlite3_bind_parameter_name(statement, i), expected);
        }
        sqlite3_finalize(statement);
    }
    sqlite3_close(database);
}

int run_statement_tests(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_plans, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(test_parameters_are_in_order, fixture_setup, fixture_teardown),
    };
    return cmocka_run_group_tests_name("store statements", tests, NULL, NULL);
}
