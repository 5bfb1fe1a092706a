/* The audit finds nothing in a sound store, and each kind of damage under its rule's name. */
#include "fixture.h"

#include "tests.h"

/* One completed, one failed and one pending task. */
static void populate(struct fixture *fixture) {
    struct task_row done = pending_task(fixture->account, 100), lost = pending_task(fixture->account, 200);
    struct task_row open = pending_task(fixture->account, 300);
    accept_task(fixture->store, &done);
    accept_task(fixture->store, &lost);
    accept_task(fixture->store, &open);
    assert_int_equal(finish_task(fixture->store, done, TASK_PENDING, TASK_COMPLETED), OK);
    assert_int_equal(finish_task(fixture->store, lost, TASK_PENDING, TASK_FAILED), OK);
}

static void test_each_damage_is_found(void **state) {
    struct fixture *fixture = *state;
    const struct {
        const char *damage, *words, *repair;
    } cases[] = {
        { "UPDATE balance SET microcredits = microcredits + 1 WHERE book = 0",
          "L1: the live balance of account 1 is 601 microcredits, but its entries sum up to 600",
          "UPDATE balance SET microcredits = microcredits - 1 WHERE book = 0" },
        { "UPDATE balance SET charged = charged + 7 WHERE book = 0",
          "L1: account 1 was charged 107 in its live book, but its settlements say 100",
          "UPDATE balance SET charged = charged - 7 WHERE book = 0" },
        { "INSERT INTO ledger VALUES (1, 99, 1, 0, 5, 0, '', 0, '')", "L1: the test balance of account 1",
          "DELETE FROM ledger WHERE sequence = 99" },
        { "INSERT INTO ledger VALUES (9, 1, 1, 0, 5, 0, '', 0, '')", "L1: account 9 has entries in its test book",
          "DELETE FROM ledger WHERE account = 9" },
        { "UPDATE balance SET microcredits = -1 WHERE book = 0; UPDATE ledger SET microcredits = microcredits - 601 "
          "WHERE sequence = 1",
          "L1: the live balance of account 1 is negative: -1",
          "UPDATE balance SET microcredits = 600 WHERE book = 0; UPDATE ledger SET microcredits = microcredits + 601 "
          "WHERE sequence = 1" },
        { "UPDATE task SET reserved = 301 WHERE state = 0", "reserved 301, its entry in the live book reserves 300",
          "UPDATE task SET reserved = 300 WHERE state = 0" },
        { "UPDATE task SET book = 1 WHERE state = 0", "in the test book reserves nothing",
          "UPDATE task SET book = 0 WHERE state = 0" },
        { "UPDATE task SET charged = 99 WHERE state = 2",
          "it was charged 99 and refunded 0; its settlement in the ledger says 100 and 0",
          "UPDATE task SET charged = 100 WHERE state = 2" },
        { "UPDATE task SET state = 3, finished_ms = 1 WHERE state = 0", "its settlement in the ledger says nothing",
          "UPDATE task SET state = 0, finished_ms = 0 WHERE finished_ms = 1" },
        { "UPDATE task SET state = 1, finished_ms = 0, input = '{}' WHERE state = 3", "is open, but was settled already",
          "UPDATE task SET state = 3, finished_ms = 5, input = '' WHERE state = 1" },
        { "UPDATE task SET finished_ms = 0 WHERE state = 3", "T1: task ",
          "UPDATE task SET finished_ms = 5 WHERE state = 3" },
        { "UPDATE task SET finished_ms = 5 WHERE state = 0", "is in state 0 and its end is stamped 5",
          "UPDATE task SET finished_ms = 0 WHERE state = 0" },
        { "UPDATE task SET input = '' WHERE state = 0", "has lost its input",
          "UPDATE task SET input = '{}' WHERE state = 0" },
        { "UPDATE task SET input = '' WHERE state = 0; INSERT INTO task_input SELECT 8, id, '{}' FROM task WHERE state = 0",
          "has lost its input", "UPDATE task_input SET account = 1" },
        { "INSERT INTO ledger VALUES (1, 99, 0, 1, 0, 0, 'task-unified-1-aaaaaaaa', 0, '')",
          "L3: entry 99 of account 1 is of task task-unified-1-aaaaaaaa", "DELETE FROM ledger WHERE sequence = 99" },
        { "UPDATE usage SET failed = failed + 1", "L1: usage of account 1, key 7, model local-speech, day 20337 is not",
          "UPDATE usage SET failed = failed - 1" },
        { "UPDATE usage SET tasks = tasks + 1", "is not the sum over its tasks", "UPDATE usage SET tasks = tasks - 1" },
        { "UPDATE usage SET charged = charged - 1", "is not the sum over its tasks",
          "UPDATE usage SET charged = charged + 1" },
        { "UPDATE usage SET refunded = refunded - 1", "is not the sum over its tasks",
          "UPDATE usage SET refunded = refunded + 1" },
        { "UPDATE usage SET returned = 1", "is not the sum over its tasks", "UPDATE usage SET returned = 0" },
        { "UPDATE usage SET day = day + 1", "is not the sum over its tasks", "UPDATE usage SET day = day - 1" },
        { "UPDATE key_spending SET spent = spent - 1",
          "L1: key 7 of account 1 was charged 100 and has spent 400, 400 of it on its last day; its row says 100, 399, 400",
          "UPDATE key_spending SET spent = spent + 1" },
        { "UPDATE key_spending SET day_spent = 0", "its row says 100, 400, 0", "UPDATE key_spending SET day_spent = 400" },
        { "UPDATE key_spending SET charged = 99", "its row says 99, 400, 400", "UPDATE key_spending SET charged = 100" },
        { "UPDATE key_spending SET api_key = 8", "its row says nothing", "UPDATE key_spending SET api_key = 7" },
    };
    char words[512];
    populate(fixture);
    assert_sound(fixture->store);
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        tamper(fixture->directory, cases[i].damage);
        assert_int_not_equal(audit(fixture->store, words), 0);
        if (strstr(words, cases[i].words) == NULL) {
            fail_msg("'%s' is told as '%s'", cases[i].damage, words);
        }
        tamper(fixture->directory, cases[i].repair);
        assert_sound(fixture->store);
    }
}

int run_audit_tests(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_each_damage_is_found, fixture_setup, fixture_teardown),
    };
    return cmocka_run_group_tests_name("store audit", tests, NULL, NULL);
}
