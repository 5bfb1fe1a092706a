/* The estimate: what is read from the store, and what takes its place. */
#include "engine/queue/estimate.h"

#include "base/clock.h"
#include "base/memory.h"
#include "house.h"
#include "store/tx.h"
#include "tests.h"

#define DURATIONS 32 /* as many as an estimate remembers */
#define SHORT_MS 10000
#define LONG_MS 100000

struct past {
    struct store_job job;
    int64_t account;
};

/* The older half was short, the newer half long. */
static void write_past(struct store_tx *tx, struct store_job *job) {
    struct past *past = container_of(job, struct past, job);
    for (int i = 0; i < DURATIONS; i++) {
        int64_t ended_ms = 1000000000 + i * 1000;
        struct task_row row = { .account = past->account, .type = TASK_IMAGE, .state = TASK_PENDING, .model = TEXT("m"),
                                .created_ms = ended_ms - LONG_MS };
        task_id_new(&row.id, false, row.created_ms / 1000);
        store_tx_add_task(tx, &row, TEXT("{}"));
        row.state = TASK_COMPLETED;
        row.started_ms = ended_ms - (i < DURATIONS / 2 ? SHORT_MS : LONG_MS);
        row.finished_ms = ended_ms;
        row.results = TEXT("[]");
        store_tx_move_task(tx, &row, TASK_PENDING);
    }
}

static void the_oldest_duration_is_forgotten_first(void **state) {
    (void)state;
    struct house house;
    house_open(&house, NULL, NULL);
    house_start(&house);
    struct past past = { .job = { .run = write_past }, .account = house.accounts[0].id };
    assert_int_equal(store_call(house.store, &past.job), OK);

    struct estimates *estimates = estimates_new(house.store);
    int64_t before_s = estimates_get(estimates, TEXT("m"), 1);
    assert_in_range(before_s, LONG_MS / 1000, LONG_MS / 1000 + 1);
    estimates_add(estimates, TEXT("m"), SHORT_MS); /* for a short one */
    assert_int_equal(estimates_get(estimates, TEXT("m"), 1), before_s);
    estimates_free(estimates);
    house_close(&house);
}

int test_estimate(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_oldest_duration_is_forgotten_first),
    };
    return cmocka_run_group_tests_name("estimate", tests, NULL, NULL);
}
