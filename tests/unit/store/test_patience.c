/* Jobs that nobody waits for: they let others gather between two transactions, and go at once after a quiet time. */
#include "fixture.h"

#include <semaphore.h>

#include "tests.h"

#define LONG_MS 3600000 /* no test waits so long */

struct patient {
    struct acceptance acceptance;
    sem_t done;
    enum err err;
};

static void end_patient(struct store_job *job, enum err err) {
    struct patient *patient = container_of(job, struct patient, acceptance.job);
    patient->err = err;
    sem_post(&patient->done);
}

static void post_patient(struct store *store, struct patient *patient, int64_t account, unsigned patience_ms) {
    *patient = (struct patient){
        .acceptance = { .job = { .run = acceptance_run, .done = end_patient, .patience_ms = patience_ms },
                        .task = pending_task(account, 0) },
        .err = ERR_COUNT,
    };
    sem_init(&patient->done, 0, 0);
    store_post_always(store, &patient->acceptance.job);
}

static void await(struct patient *patient) {
    sem_wait(&patient->done);
    assert_int_equal(patient->err, OK);
}

static void nothing(struct store_tx *tx, void *context) {
    (void)tx, (void)context;
}

/* The fixture's account was written just now. */
static void test_patient_jobs_go_with_one_in_a_hurry(void **state) {
    struct fixture *fixture = *state;
    struct patient patients[3];
    struct store_counts before = store_counts(fixture->store);

    for (size_t i = 0; i < ARRAY_SIZE(patients); i++) {
        post_patient(fixture->store, &patients[i], fixture->account, LONG_MS);
    }
    assert_int_equal(call(fixture->store, nothing, NULL), OK);
    for (size_t i = 0; i < ARRAY_SIZE(patients); i++) {
        await(&patients[i]);
    }
    struct store_counts after = store_counts(fixture->store);
    assert_int_equal(after.commits - before.commits, 1);
    assert_int_equal(after.jobs - before.jobs, ARRAY_SIZE(patients) + 1);
}

static void test_the_least_patient_one_says_when(void **state) {
    struct fixture *fixture = *state;
    struct patient patients[3];
    uint64_t before = store_counts(fixture->store).commits;

    post_patient(fixture->store, &patients[0], fixture->account, LONG_MS);
    post_patient(fixture->store, &patients[1], fixture->account, 1);
    post_patient(fixture->store, &patients[2], fixture->account, LONG_MS);
    await(&patients[0]);
    await(&patients[1]);
    call(fixture->store, nothing, NULL);
    await(&patients[2]); /* with the two, or with the call if it came too late for them */
    assert_in_range(store_counts(fixture->store).commits - before, 1, 2);
}

/* It counts from the transaction before, and a store that was just opened has made none. */
static void test_patience_is_kept_from_the_transaction_before(void **state) {
    struct fixture *fixture = *state;
    struct store *store = open_store(fixture->directory);
    struct patient first, second;

    post_patient(store, &first, fixture->account, LONG_MS);
    await(&first);
    post_patient(store, &second, fixture->account, LONG_MS);
    assert_int_equal(sem_trywait(&second.done), -1);
    store_close(store);
    await(&second);
}

int run_patience_tests(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_patient_jobs_go_with_one_in_a_hurry, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(test_the_least_patient_one_says_when, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(test_patience_is_kept_from_the_transaction_before, fixture_setup, fixture_teardown),
    };
    return cmocka_run_group_tests_name("store patience", tests, NULL, NULL);
}
