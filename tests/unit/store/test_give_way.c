/* When a thread gives way in a transaction, and when the writer does. */
#include "store/give_way.h"

#include <sched.h>
#include <stdatomic.h>

#include "base/compiler.h"
#include "fixture.h"
#include "tests.h"

#define JOBS 5

/* Who gives way is away for so long, and no other time goes by: on a core that is really busy it would be given up. */
int __real_sched_yield(void);
int __wrap_sched_yield(void);
int64_t __wrap_clock_real_ns(void);
static _Thread_local int64_t away_ms, now_ms;
static _Thread_local unsigned yields;

int __wrap_sched_yield(void) {
    yields++;
    now_ms += away_ms;
    return __real_sched_yield();
}

int64_t __wrap_clock_real_ns(void) {
    return now_ms * 1000000;
}

/* Yields of one job and two steps. */
static unsigned yields_of_a_job(void) {
    unsigned before = yields;
    give_way_after_step();
    give_way_after_step();
    give_way_after_job();
    return yields - before;
}

static void only_who_said_so_gives_way(void **state) {
    atomic_uint urgent = 0;
    (void)state;
    assert_int_equal(yields_of_a_job(), 0);
    give_way_begin(&urgent, false);
    assert_int_equal(yields_of_a_job(), 1);
    give_way_end();
    assert_int_equal(yields_of_a_job(), 0);
    give_way_begin(&urgent, true);
    assert_int_equal(yields_of_a_job(), 3);
    give_way_end();
    assert_int_equal(yields_of_a_job(), 0);
}

static void nobody_who_is_waited_for_gives_way(void **state) {
    atomic_uint urgent = 0;
    (void)state;
    give_way_begin(&urgent, true);
    atomic_store(&urgent, 1);
    assert_int_equal(yields_of_a_job(), 0);
    atomic_store(&urgent, 0);
    assert_int_equal(yields_of_a_job(), 3);
    give_way_end();
}

static void where_others_keep_the_core_it_is_given_up(void **state) {
    atomic_uint urgent = 0;
    (void)state;
    away_ms = 2;
    give_way_begin(&urgent, true);
    assert_int_equal(yields_of_a_job(), 1);
    assert_int_equal(yields_of_a_job(), 0);
    give_way_begin(&urgent, true); /* the next transaction's */
    assert_int_equal(yields_of_a_job(), 1);
    give_way_end();
    away_ms = 0;
}

static void in_all_it_has_a_bound(void **state) {
    atomic_uint urgent = 0;
    (void)state;
    away_ms = 1; /* just allowed at once */
    give_way_begin(&urgent, false);
    unsigned before = yields;
    for (int i = 0; i < 100; i++) {
        give_way_after_job();
    }
    give_way_end();
    away_ms = 0;
    assert_in_range(yields - before, 2, 99);
}

/* ---- the writer ---- */

struct counted {
    struct acceptance acceptance;
    bool begun;
    unsigned before, after; /* the writer's yields, when it first ran and when it was done */
    enum err err;
    sem_t done;
};

static void run_counted(struct store_tx *tx, struct store_job *job) {
    struct counted *counted = container_of(job, struct counted, acceptance.job);
    counted->before = counted->begun ? counted->before : yields;
    counted->begun = true;
    acceptance_run(tx, job);
}

static void end_counted(struct store_job *job, enum err err) {
    struct counted *counted = container_of(job, struct counted, acceptance.job);
    counted->after = yields;
    counted->err = err;
    sem_post(&counted->done);
}

/* What tells one transaction of JOBS jobs from another. */
struct traits {
    bool urgent, repeatable;
    enum err err; /* of the last job */
};

/* How often the writer gives way in it. */
static unsigned yields_of(struct fixture *fixture, struct traits traits) {
    struct counted jobs[JOBS];
    struct gate gate;
    gate_close(&gate, fixture->store);
    for (size_t i = 0; i < JOBS; i++) {
        bool fails = i == JOBS - 1 && traits.err != OK;
        jobs[i] = (struct counted){
            .acceptance = { .job = { .run = run_counted, .done = end_counted, .repeatable = traits.repeatable,
                                     .patience_ms = traits.urgent && i == 0 ? 0 : 1 },
                            .task = pending_task(fixture->account, fails ? 2000 : 1) },
        };
        sem_init(&jobs[i].done, 0, 0);
        store_post_always(fixture->store, &jobs[i].acceptance.job);
    }
    sem_post(&gate.open);
    for (size_t i = 0; i < JOBS; i++) {
        sem_wait(&jobs[i].done);
        assert_int_equal(jobs[i].err, i == JOBS - 1 ? traits.err : OK);
    }
    return jobs[JOBS - 1].after - jobs[0].before;
}

static void the_writer_gives_way_often_where_nobody_hurries(void **state) {
    const struct traits urgent = { .urgent = true, .repeatable = true }, patient = { .repeatable = true };
    assert_int_equal(yields_of(*state, urgent), JOBS);
    assert_true(yields_of(*state, patient) > 3 * JOBS); /* each writes task, ledger and more */
}

static void jobs_that_run_apart_do_not_give_way(void **state) {
    const struct traits apart = { .repeatable = false }, sound = { .repeatable = true },
                        failing = { .repeatable = true, .err = ERR_INSUFFICIENT_QUOTA };
    assert_int_equal(yields_of(*state, apart), 0);
    unsigned usual = yields_of(*state, sound);
    assert_in_range(yields_of(*state, failing), 1, usual - 1); /* not when they run again */
    assert_int_equal(yields_of(*state, sound), 0); /* nor in the wary time after it */
}

int run_give_way_tests(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_who_said_so_gives_way),
        cmocka_unit_test(nobody_who_is_waited_for_gives_way),
        cmocka_unit_test(where_others_keep_the_core_it_is_given_up),
        cmocka_unit_test(in_all_it_has_a_bound),
        cmocka_unit_test_setup_teardown(the_writer_gives_way_often_where_nobody_hurries, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(jobs_that_run_apart_do_not_give_way, fixture_setup, fixture_teardown),
    };
    return cmocka_run_group_tests_name("store give way", tests, NULL, NULL);
}
