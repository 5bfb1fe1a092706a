/* The writer: one transaction for all that wait, failures kept apart, bounds, the end. */
#include "fixture.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "base/memory.h"
#include "tests.h"

/* A job that tells its outcome and its place among the outcomes. */
struct noted {
    struct acceptance acceptance;
    enum err err;
    unsigned turn;
    unsigned runs;
};
static atomic_uint turns;

static void run_noted(struct store_tx *tx, struct store_job *job) {
    container_of(job, struct noted, acceptance.job)->runs++;
    acceptance_run(tx, job);
}

static void note(struct store_job *job, enum err err) {
    struct noted *noted = container_of(job, struct noted, acceptance.job);
    noted->err = err;
    noted->turn = atomic_fetch_add(&turns, 1);
}

static struct noted noted_job(int64_t account, int64_t reserved) {
    return (struct noted){ .acceptance = { .job = { .run = run_noted, .done = note },
                                           .task = pending_task(account, reserved) },
                           .err = ERR_COUNT };
}

static void nothing(struct store_tx *tx, void *context) {
    (void)tx, (void)context;
}

/* All jobs posted before are done. */
static void drain(struct store *store) {
    assert_int_equal(call(store, nothing, NULL), OK);
}

static void test_a_failing_job_harms_no_neighbour(void **state) {
    struct fixture *fixture = *state;
    const struct {
        int64_t reserved;
        enum err err;
    } cases[] = {
        { 400, OK }, { 2000, ERR_INSUFFICIENT_QUOTA }, { 500, OK }, { 200, ERR_INSUFFICIENT_QUOTA }, { 100, OK }
    };
    struct noted jobs[ARRAY_SIZE(cases)];
    struct gate gate;

    gate_close(&gate, fixture->store);
    uint64_t commits = store_counts(fixture->store).commits;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        jobs[i] = noted_job(fixture->account, cases[i].reserved);
        assert_int_equal(store_post(fixture->store, &jobs[i].acceptance.job), OK);
    }
    assert_int_equal(store_counts(fixture->store).waiting, ARRAY_SIZE(cases));
    sem_post(&gate.open);
    drain(fixture->store);
    struct store_counts counts = store_counts(fixture->store);
    assert_in_range(counts.commits - commits, 2, 3); /* the gate's, the batch's, perhaps the drain's own */
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct task_row row;
        const struct task_row *task = &jobs[i].acceptance.task;
        assert_int_equal(jobs[i].err, cases[i].err);
        assert_int_equal(store_find_task(fixture->store, task->account, &task->id, &fixture->arena, &row),
                         cases[i].err == OK ? OK : ERR_NOT_FOUND);
        assert_true(i == 0 || jobs[i].turn == jobs[i - 1].turn + 1);
    }
    assert_int_equal(balance_of(fixture->store, fixture->account, BOOK_LIVE), 0);
    assert_sound(fixture->store);
}

/* Posts them behind a gate, so that they share a transaction, and waits until all are done. */
static void run_together(struct store *store, struct noted *jobs, size_t count) {
    struct gate gate;
    unsigned before = atomic_load(&turns);
    gate_close(&gate, store);
    for (size_t i = 0; i < count; i++) {
        jobs[i].acceptance.job.repeatable = true;
        assert_int_equal(store_post(store, &jobs[i].acceptance.job), OK);
    }
    sem_post(&gate.open);
    while (atomic_load(&turns) != before + count) {
        sched_yield();
    }
}

static void test_repeatable_jobs_run_again_when_one_fails(void **state) {
    struct fixture *fixture = *state;
    const int64_t account = fixture->account;
    struct noted sound[] = { noted_job(account, 10), noted_job(account, 20) };
    struct noted mixed[] = { noted_job(account, 400), noted_job(account, 2000), noted_job(account, 500) };
    struct noted wary[] = { noted_job(account, 30), noted_job(account, 41), noted_job(account, 40) };

    run_together(fixture->store, sound, ARRAY_SIZE(sound));
    run_together(fixture->store, mixed, ARRAY_SIZE(mixed));
    run_together(fixture->store, wary, ARRAY_SIZE(wary));
    assert_true(sound[0].err == OK && sound[0].runs == 1 && sound[1].err == OK && sound[1].runs == 1);
    assert_true(mixed[0].err == OK && mixed[0].runs == 2);
    assert_true(mixed[1].err == ERR_INSUFFICIENT_QUOTA && mixed[1].runs == 2);
    assert_true(mixed[2].err == OK && mixed[2].runs == 1); /* the first time it was not come to */
    assert_true(wary[0].err == OK && wary[0].runs == 1);
    assert_true(wary[1].err == ERR_INSUFFICIENT_QUOTA && wary[1].runs == 1);
    assert_true(wary[2].err == OK && wary[2].runs == 1);
    assert_int_equal(balance_of(fixture->store, account, BOOK_LIVE), 0);
    assert_sound(fixture->store);
}

/* More rows of each kind than are gathered in memory (SUMS_MAX), each of them moved several times. */
static void test_sums_of_a_transaction(void **state) {
    enum { ROWS = 40, TURNS = 3 };
    struct fixture *fixture = *state;
    struct noted jobs[ROWS * TURNS + 1];
    char names[ROWS][16];
    int64_t accounts[ROWS];

    for (size_t i = 0; i < ROWS; i++) {
        snprintf(names[i], sizeof(names[i]), "sums-%zu", i);
        accounts[i] = make_account(fixture->store, names[i], 1000);
    }
    for (size_t failing = 0; failing < 2; failing++) {
        for (size_t i = 0; i < ROWS * TURNS; i++) {
            jobs[i] = noted_job(accounts[i % ROWS], 3);
            jobs[i].acceptance.task.key = (int64_t)(i % 7) + 1;
            jobs[i].acceptance.task.created_ms += (int64_t)(i % 2) * DAY_MS;
            jobs[i].acceptance.task.model = text_of(names[i / ROWS]);
        }
        jobs[ROWS * TURNS] = noted_job(accounts[0], 5000);
        run_together(fixture->store, jobs, ROWS * TURNS + failing);
        for (size_t i = 0; i < ROWS * TURNS; i++) {
            assert_int_equal(jobs[i].err, OK);
        }
        for (size_t i = 0; i < ROWS; i++) {
            assert_int_equal(balance_of(fixture->store, accounts[i], BOOK_LIVE), 1000 - 3 * TURNS * (int64_t)(failing + 1));
        }
        assert_sound(fixture->store);
    }
    assert_int_equal(jobs[ROWS * TURNS].err, ERR_INSUFFICIENT_QUOTA);
}

static void read_what_was_moved(struct store_tx *tx, void *context) {
    const struct task_row *task = context;
    const struct key_row key = { .account = task->account, .id = task->key, .budget_total = 1000 };
    const struct spending none = { .spent = 0 };
    struct acceptance acceptance = { .task = *task };

    assert_int_equal(store_tx_balance(tx, task->account, BOOK_LIVE), 1000);
    acceptance_run(tx, &acceptance.job);
    assert_int_equal(store_tx_balance(tx, task->account, BOOK_LIVE), 400);
    store_tx_check_budget(tx, &key, &none, budget_day_of(task->created_ms), 400);
    assert_int_equal(store_tx_error(tx), OK);
    store_tx_check_budget(tx, &key, &none, budget_day_of(task->created_ms), 401);
    assert_int_equal(store_tx_error(tx), ERR_KEY_BUDGET);
}

static void test_sums_are_seen_before_they_are_written(void **state) {
    struct fixture *fixture = *state;
    struct task_row task = pending_task(fixture->account, 600);
    assert_int_equal(call(fixture->store, read_what_was_moved, &task), ERR_KEY_BUDGET);
    assert_int_equal(balance_of(fixture->store, fixture->account, BOOK_LIVE), 1000);
    assert_sound(fixture->store);
}

static void fail_in_the_middle(struct store_tx *tx, void *context) {
    struct task_row *tasks = context;
    int64_t id = -1;
    store_tx_add_task(tx, &tasks[0], TEXT("{}"));
    assert_int_equal(store_tx_error(tx), OK);
    store_tx_fail(tx, ERR_RATE_LIMITED);
    store_tx_fail(tx, ERR_TIMEOUT); /* the first stays */
    assert_int_equal(store_tx_error(tx), ERR_RATE_LIMITED);
    store_tx_add_task(tx, &tasks[1], TEXT("{}"));
    store_tx_add_task(tx, &tasks[0], TEXT("{}"));
    store_tx_ensure_account(tx, TEXT("late"), TEXT_NONE, NOW_MS, &id);
    store_tx_move_task(tx, &tasks[0], TASK_PENDING);
    store_tx_raise_progress(tx, tasks[0].account, &tasks[0].id, 1);
    assert_int_equal(store_tx_error(tx), ERR_RATE_LIMITED);
    assert_int_equal(id, -1);
}

static void test_the_error_is_sticky(void **state) {
    struct fixture *fixture = *state;
    struct task_row tasks[2] = { pending_task(fixture->account, 0), pending_task(fixture->account, 0) }, row;
    struct account_row account;
    assert_int_equal(call(fixture->store, fail_in_the_middle, tasks), ERR_RATE_LIMITED);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(store_find_task(fixture->store, fixture->account, &tasks[i].id, &fixture->arena, &row),
                         ERR_NOT_FOUND);
    }
    assert_int_equal(store_find_account(fixture->store, TEXT("late"), &account), ERR_NOT_FOUND);
}

static void add_monster(struct store_tx *tx, void *context) {
    static char byte = 'x';
    store_tx_add_task(tx, context, (struct text){ &byte, ((size_t)64 << 20) + 1 });
}

static void test_texts_have_a_bound(void **state) {
    struct fixture *fixture = *state;
    struct task_row task = pending_task(fixture->account, 0);
    assert_int_equal(call(fixture->store, add_monster, &task), ERR_REQUEST_TOO_LARGE);
}

static struct store *open_small(const struct fixture *fixture, unsigned queue_max, unsigned batch_max) {
    struct store_options options = { .directory = fixture->directory, .queue_max = queue_max, .batch_max = batch_max };
    struct store *store;
    assert_int_equal(store_open(&options, &store, NULL), OK);
    return store;
}

static void test_the_queue_has_a_bound(void **state) {
    struct fixture *fixture = *state;
    struct store *store = open_small(fixture, 2, 0);
    struct noted jobs[4];
    struct gate gate;
    for (size_t i = 0; i < ARRAY_SIZE(jobs); i++) {
        jobs[i] = noted_job(fixture->account, 0);
    }
    gate_close(&gate, store);
    assert_int_equal(store_post(store, &jobs[0].acceptance.job), OK);
    assert_int_equal(store_post(store, &jobs[1].acceptance.job), OK);
    assert_int_equal(store_post(store, &jobs[2].acceptance.job), ERR_OVERLOADED);
    assert_int_equal(store_call(store, &jobs[2].acceptance.job), ERR_OVERLOADED);
    store_post_always(store, &jobs[3].acceptance.job);
    sem_post(&gate.open);
    store_close(store);
    assert_int_equal(jobs[0].err, OK);
    assert_int_equal(jobs[1].err, OK);
    assert_int_equal(jobs[2].err, ERR_COUNT);
    assert_int_equal(jobs[3].err, OK);
}

static void test_a_transaction_has_a_bound(void **state) {
    struct fixture *fixture = *state;
    struct store *store = open_small(fixture, 0, 4);
    struct noted jobs[10];
    struct gate gate;
    gate_close(&gate, store);
    for (size_t i = 0; i < ARRAY_SIZE(jobs); i++) {
        jobs[i] = noted_job(fixture->account, 0);
        assert_int_equal(store_post(store, &jobs[i].acceptance.job), OK);
    }
    sem_post(&gate.open);
    drain(store);
    assert_in_range(store_counts(store).commits, 4, 5); /* 1 + 4 + 4 + 2, the drain's own with the last or after it */
    store_close(store);
}

/* ---- what jobs are told is gathered ---- */

static struct {
    unsigned begun, ended; /* on the writer's thread */
    unsigned inside;       /* jobs that were told between */
    bool open;
} gathering;

static void gather(bool begins) {
    gathering.begun += begins;
    gathering.ended += !begins;
    gathering.open = begins;
}

static void note_inside(struct store_job *job, enum err err) {
    gathering.inside += gathering.open;
    note(job, err);
}

static void test_jobs_of_a_transaction_are_told_between(void **state) {
    struct fixture *fixture = *state;
    struct store_options options = { .directory = fixture->directory, .gather = gather };
    struct store *store;
    struct noted jobs[128];
    struct gate gate;
    memset(&gathering, 0, sizeof(gathering));
    assert_int_equal(store_open(&options, &store, NULL), OK);
    gate_close(&gate, store);
    for (size_t i = 0; i < ARRAY_SIZE(jobs); i++) {
        jobs[i] = noted_job(fixture->account, 0);
        jobs[i].acceptance.job.done = note_inside;
        assert_int_equal(store_post(store, &jobs[i].acceptance.job), OK);
    }
    sem_post(&gate.open);
    store_close(store);
    assert_int_equal(gathering.inside, ARRAY_SIZE(jobs));
    assert_int_equal(gathering.begun, 3); /* the gate's transaction, and that of all others: 64 at a time */
    assert_int_equal(gathering.ended, 3);
    assert_false(gathering.open);
}

static void *close_it(void *store) {
    store_close(store);
    return NULL;
}

static void test_closing_finishes_what_waits_and_takes_no_more(void **state) {
    struct fixture *fixture = *state;
    struct store *store = open_small(fixture, 1, 0);
    struct noted filler = noted_job(fixture->account, 1), late = noted_job(fixture->account, 1);
    struct gate gate;
    pthread_t closer;
    enum err err;

    gate_close(&gate, store);
    assert_int_equal(store_post(store, &filler.acceptance.job), OK);
    assert_int_equal(pthread_create(&closer, NULL, close_it, store), 0);
    while ((err = store_post(store, &late.acceptance.job)) == ERR_OVERLOADED) { /* until the close began */
        sched_yield();
    }
    assert_int_equal(err, ERR_SHUTTING_DOWN);
    sem_post(&gate.open);
    pthread_join(closer, NULL);
    assert_int_equal(filler.err, OK);
    assert_int_equal(late.err, ERR_COUNT);
    assert_int_equal(stored_task(fixture, &filler.acceptance.task).state, TASK_PENDING);
}

/* ---- many threads ---- */

#define THREADS 4
#define JOBS 1500

struct crowd {
    struct fixture *fixture;
    pthread_t thread;
    sem_t done;
    atomic_uint committed, failed;
    struct crowd_job {
        struct acceptance acceptance;
        struct crowd *crowd;
    } * jobs;
};

static void count_done(struct store_job *job, enum err err) {
    struct crowd *crowd = container_of(job, struct crowd_job, acceptance.job)->crowd;
    atomic_fetch_add(err == OK ? &crowd->committed : &crowd->failed, 1);
    sem_post(&crowd->done);
}

/* Posts all, reads meanwhile, then waits for all. */
static void *crowd_in(void *context) {
    struct crowd *crowd = context;
    struct store *store = crowd->fixture->store;
    for (int i = 0; i < JOBS; i++) {
        struct crowd_job *job = &crowd->jobs[i];
        job->crowd = crowd;
        job->acceptance.job = (struct store_job){ .run = acceptance_run, .done = count_done, .repeatable = i % 256 != 0 };
        job->acceptance.task = pending_task(crowd->fixture->account, i % 10 == 0 ? 1 << 30 : 0);
        store_post_always(store, &job->acceptance.job);
        if (i % 16 == 0) {
            struct account_row account;
            enum err err = store_find_account_by_id(store, crowd->fixture->account, &account);
            atomic_fetch_add(&crowd->failed, err != OK);
        }
    }
    for (int i = 0; i < JOBS; i++) {
        sem_wait(&crowd->done);
    }
    return NULL;
}

static bool count_task(const struct task_row *row, void *context) {
    (void)row;
    ++*(unsigned *)context;
    return true;
}

static void test_many_threads_share_transactions(void **state) {
    struct fixture *fixture = *state;
    struct crowd crowds[THREADS];
    unsigned committed = 0, failed = 0, stored = 0;
    struct store_counts before = store_counts(fixture->store);
    for (int i = 0; i < THREADS; i++) {
        crowds[i] = (struct crowd){ .fixture = fixture, .jobs = mem_new_array(JOBS, sizeof(struct crowd_job)) };
        sem_init(&crowds[i].done, 0, 0);
        assert_int_equal(pthread_create(&crowds[i].thread, NULL, crowd_in, &crowds[i]), 0);
    }
    for (int i = 0; i < THREADS; i++) {
        pthread_join(crowds[i].thread, NULL);
        committed += crowds[i].committed;
        failed += crowds[i].failed;
        free(crowds[i].jobs);
    }
    struct store_counts after = store_counts(fixture->store);
    assert_int_equal(committed, THREADS * JOBS * 9 / 10);
    assert_int_equal(failed, THREADS * JOBS / 10);
    assert_int_equal(after.jobs - before.jobs, committed);
    assert_true(after.commits - before.commits < THREADS * JOBS / 4);
    assert_int_equal(after.waiting, 0);
    struct task_filter filter = { .account = fixture->account, .limit = THREADS * JOBS };
    assert_int_equal(store_list_tasks(fixture->store, &filter, count_task, &stored), OK);
    assert_int_equal(stored, committed);
    assert_sound(fixture->store);
}

int run_writer_tests(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_a_failing_job_harms_no_neighbour, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(test_repeatable_jobs_run_again_when_one_fails, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(test_sums_of_a_transaction, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(test_sums_are_seen_before_they_are_written, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(test_the_error_is_sticky, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(test_texts_have_a_bound, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(test_the_queue_has_a_bound, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(test_a_transaction_has_a_bound, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(test_jobs_of_a_transaction_are_told_between, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(test_closing_finishes_what_waits_and_takes_no_more, fixture_setup,
                                        fixture_teardown),
        cmocka_unit_test_setup_teardown(test_many_threads_share_transactions, fixture_setup, fixture_teardown),
    };
    return cmocka_run_group_tests_name("store writer", tests, NULL, NULL);
}
