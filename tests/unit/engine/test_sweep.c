/* What the sweeper takes, and what it leaves. */
#include <stdatomic.h>
#include <stdlib.h>

#include "fake_driver.h"
#include "house.h"
#include "store/tx.h"
#include "tests.h"

#define PNG "iVBORw0KGgoAAAANSUhEUg=="
#define SUCCEED "{\"do\":\"succeed\",\"results\":[{\"url\":\"@0\"}],\"artifacts\":[{\"base64\":\"" PNG "\"}]}"

static struct house house;

static void open_house(void) {
    fake_reset();
    house_open(&house, NULL, NULL);
}

static void sweep_often(void) {
    house_stop(&house);
    house.seams.sweep_first_ms = house.seams.sweep_period_ms = 1;
    house_start(&house);
}

struct aging {
    struct store_job job;
    const struct task_id *id;
};

/* The task's artifact expires at once, as if its day were over. */
static bool remember(const struct artifact_row *row, void *context) {
    struct artifact_row *copy = context;
    *copy = *row;
    copy->media_type = TEXT("image/png");
    copy->name = TEXT("x");
    return false;
}

static struct artifact_row aged;

static void make_old(struct store_tx *tx, struct store_job *job) {
    (void)job;
    store_tx_remove_artifact(tx, &aged);
    aged.expires_ms = 1;
    store_tx_add_artifact(tx, &aged);
}

static void age(const struct task_id *id) {
    struct store_job job = { .run = make_old };
    assert_int_equal(store_list_artifacts(house.store, house.accounts[0].id, id, remember, &aged), OK);
    assert_int_equal(store_call(house.store, &job), OK);
}

static bool are_blobs(void *context) {
    return house_blobs(&house) == *(unsigned *)context;
}

static bool count_artifact(const struct artifact_row *row, void *context) {
    (void)row;
    ++*(unsigned *)context;
    return true;
}

static unsigned artifacts(const struct task_id *id) {
    unsigned count = 0;
    assert_int_equal(store_list_artifacts(house.store, house.accounts[0].id, id, count_artifact, &count), OK);
    return count;
}

static bool is_swept_of_rows(void *context) {
    return artifacts(context) == 0;
}

static bool has_swept(void *context) {
    return engine_counts(house.engine).swept >= *(unsigned *)context;
}

static void an_expired_artifact_goes_with_its_last_claim(void **state) {
    (void)state;
    unsigned one = 1, none = 0;
    open_house();
    house_start(&house);
    struct task_id first = house_run(&house, 0, "image", SUCCEED);
    struct task_id second = house_run(&house, 0, "image", SUCCEED);
    house_await(&house, 0, &first, TASK_COMPLETED);
    house_await(&house, 0, &second, TASK_COMPLETED);
    house_await_true(are_blobs, &one); /* the same bytes */
    age(&first);
    sweep_often();
    while (artifacts(&first) > 0)
        house_await_true(are_blobs, &one);
    assert_int_equal(artifacts(&second), 1);
    assert_int_equal(house_blobs(&house), 1); /* the other task claims it still */
    age(&second);
    house_await_true(are_blobs, &none);
    assert_int_equal(artifacts(&second), 0);
    house_await_true(has_swept, &one); /* it is counted when it has gone */
    assert_int_equal(engine_counts(house.engine).swept, 1);
    house_audit(&house);
    house_close(&house);
}

static void a_blob_that_nobody_claims_goes(void **state) {
    (void)state;
    struct blob orphan, pinned;
    struct fault fault;
    unsigned two = 2, one = 1;
    open_house();
    house_start(&house);
    struct task_id id = house_run(&house, 0, "image", SUCCEED);
    house_await(&house, 0, &id, TASK_COMPLETED);
    assert_int_equal(blob_put_bytes(house.blobs, TEXT("orphan"), 100, &orphan, &fault), OK);
    assert_int_equal(blob_put_bytes(house.blobs, TEXT("in use"), 100, &pinned, &fault), OK);
    blob_unpin(house.blobs, &orphan);
    sweep_often();
    house_await_true(are_blobs, &two); /* the task's, and the one that somebody still writes a claim for */
    blob_unpin(house.blobs, &pinned);
    sweep_often(); /* a start looks through all */
    house_await_true(are_blobs, &one);
    assert_int_equal(artifacts(&id), 1);
    house_close(&house);
}

static void a_failed_attempts_files_go(void **state) {
    (void)state;
    unsigned none = 0;
    open_house();
    house.seams.sweep_first_ms = house.seams.sweep_period_ms = 1;
    house_start(&house);
    struct task_id id = house_run(&house, 0, "image",
        "{\"do\":\"succeed\",\"results\":[{\"url\":\"@0\"}],\"artifacts\":[{\"base64\":\"" PNG "\"},{\"file\":\"missing\"}]}");
    house_await(&house, 0, &id, TASK_FAILED);
    house_await_true(are_blobs, &none);
    house_close(&house);
}

static bool has_no_input(void *context) {
    const struct task_id *id = context;
    struct arena arena;
    struct text input;
    arena_init(&arena, 1 << 20);
    enum err err = store_load_input(house.store, house.accounts[0].id, id, &arena, &input);
    arena_fini(&arena);
    assert_true(err == OK || err == ERR_NOT_FOUND);
    return err == ERR_NOT_FOUND;
}

static void inputs_go_with_the_end_of_their_task(void **state) {
    (void)state;
    static const enum task_state ends[] = { TASK_COMPLETED, TASK_FAILED };
    unsigned one = 1, none = 0;
    open_house();
    house.seams.sweep_first_ms = house.seams.sweep_period_ms = 1;
    house_start(&house);
    for (size_t i = 0; i < ARRAY_SIZE(ends); i++) {
        struct submission_input file = { .name = "a.txt" };
        struct fault fault;
        struct task_id id;
        assert_int_equal(blob_put_bytes(house.blobs, TEXT("an input"), 100, &file.blob, &fault), OK);
        struct order order = { .model = "image", .input = "{\"do\":\"hold\",\"results\":[{\"voice_id\":\"v\"}]}", .file = &file };
        assert_int_equal(house_submit(&house, &order, &id), OK);
        house_await_started((unsigned)i + 1);
        assert_false(has_no_input(&id));
        assert_int_equal(artifacts(&id), 1);
        house_await_true(are_blobs, &one);
        if (ends[i] == TASK_COMPLETED)
            fake_release(1);
        else
            assert_int_equal(house_cancel(&house, 0, &id), OK);
        house_await(&house, 0, &id, ends[i]);
        assert_true(has_no_input(&id));
        house_await_true(are_blobs, &none);
        house_await_true(is_swept_of_rows, &id);
    }
    house_audit(&house);
    house_close(&house);
}

/* The store's calls, failing as on a full disk while told to. */
static atomic_bool disk_full;
static atomic_uint refused;

enum err __real_store_call(struct store *store, struct store_job *job);
enum err __wrap_store_call(struct store *store, struct store_job *job);
enum err __wrap_store_call(struct store *store, struct store_job *job) {
    if (!atomic_load(&disk_full))
        return __real_store_call(store, job);
    atomic_fetch_add(&refused, 1);
    return ERR_NO_SPACE;
}

static bool were_refused(void *context) {
    return atomic_load(&refused) >= *(unsigned *)context;
}

static void a_full_disk_is_freed_before_its_rows_go(void **state) {
    (void)state;
    unsigned one = 1, two = 2, none = 0;
    open_house();
    house_start(&house);
    struct task_id first = house_run(&house, 0, "image", SUCCEED);
    struct task_id second = house_run(&house, 0, "image", SUCCEED);
    house_await(&house, 0, &first, TASK_COMPLETED);
    house_await(&house, 0, &second, TASK_COMPLETED);
    house_await_true(are_blobs, &one); /* the same bytes */
    age(&first);
    atomic_store(&disk_full, true);
    sweep_often();
    house_await_true(were_refused, &two); /* so one turn is over */
    house_stop(&house);
    assert_int_equal(house_blobs(&house), 1); /* the other task's claim lasts */
    atomic_store(&disk_full, false);
    age(&second);
    atomic_store(&disk_full, true);
    house_start(&house);
    house_await_true(are_blobs, &none);
    assert_int_equal(artifacts(&first) + artifacts(&second), 2); /* nothing could be written */
    atomic_store(&disk_full, false);
    house_await_true(is_swept_of_rows, &first);
    house_await_true(is_swept_of_rows, &second);
    house_audit(&house);
    house_close(&house);
}

/* As many files as one submission may bring, all of the same bytes. */
static void drop_submission(struct text bytes) {
    struct submission_input inputs[SUBMISSION_INPUTS_MAX] = { 0 };
    struct submission submission = { .inputs = inputs, .input_count = SUBMISSION_INPUTS_MAX };
    struct fault fault;
    for (unsigned i = 0; i < submission.input_count; i++)
        assert_int_equal(blob_put_bytes(house.blobs, bytes, 100, &submission.inputs[i].blob, &fault), OK);
    engine_drop_inputs(house.engine, &submission);
    assert_int_equal(submission.input_count, 0);
}

/* The look through all blobs comes at the start, and then not for hours. */
static void a_refused_submissions_files_go(void **state) {
    (void)state;
    struct blob orphan;
    struct fault fault;
    unsigned none = 0, one = 1, many = 40;
    open_house();
    house.seams.sweep_first_ms = house.seams.sweep_period_ms = 50;
    assert_int_equal(blob_put_bytes(house.blobs, TEXT("orphan"), 100, &orphan, &fault), OK);
    blob_unpin(house.blobs, &orphan);
    house_start(&house);
    house_await_true(has_swept, &one); /* that look is over, or near its end */
    drop_submission(TEXT("refused"));
    house_await_true(are_blobs, &none);
    while (many-- > 0) /* more than the list of suspects holds */
        drop_submission(TEXT("refused again and again"));
    drop_submission(TEXT("the last straw"));
    house_await_true(are_blobs, &none);
    house_close(&house);
}

int test_sweep(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_expired_artifact_goes_with_its_last_claim),
        cmocka_unit_test(a_blob_that_nobody_claims_goes),
        cmocka_unit_test(a_failed_attempts_files_go),
        cmocka_unit_test(inputs_go_with_the_end_of_their_task),
        cmocka_unit_test(a_full_disk_is_freed_before_its_rows_go),
        cmocka_unit_test(a_refused_submissions_files_go),
    };
    return cmocka_run_group_tests_name("sweep", tests, NULL, NULL);
}
