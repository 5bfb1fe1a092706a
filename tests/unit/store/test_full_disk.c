/* A full disk: said as such, nothing acknowledged that is not kept, and all works again when there is space. */
#include "fixture.h"

#include <sched.h>
#include <semaphore.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <unistd.h>

#include "base/memory.h"
#include "store/inside.h"
#include "tests.h"

#define PADDING (64 << 10)

struct padded {
    struct store_job job;
    struct task_row task;
    char *input;
    enum err err;
};

static void add_padded(struct store_tx *tx, struct store_job *job) {
    const struct padded *padded = container_of(job, struct padded, job);
    store_tx_add_task(tx, &padded->task, (struct text){ padded->input, PADDING });
    store_tx_add_ledger(
        tx, &(struct ledger_row){ .account = padded->task.account, .kind = LEDGER_RESERVE, .task = padded->task.id });
}

static void keep_outcome(struct store_job *job, enum err err) {
    container_of(job, struct padded, job)->err = err;
}

static struct padded padded_job(int64_t account, char *input) {
    return (struct padded){ .job = { .run = add_padded, .done = keep_outcome },
                            .task = pending_task(account, 0),
                            .input = input,
                            .err = ERR_COUNT };
}

static void assert_intact(const char *directory) {
    tamper(directory, "CREATE TEMP TABLE sound (words TEXT CHECK (words = 'ok'));"
                      "PRAGMA ignore_check_constraints = OFF;"
                      "INSERT INTO sound SELECT integrity_check FROM pragma_integrity_check");
}

/* A disk of its own, so small that it fills up at once. */
struct disk {
    char directory[64];
    bool mounted;
};

static int disk_setup(void **state) {
    struct disk *disk = mem_new(sizeof(*disk));
    directory_make(disk->directory);
    disk->mounted = mount("tmpfs", disk->directory, "tmpfs", 0, "size=3m,mode=0700") == 0;
    *state = disk;
    return 0;
}

static int disk_teardown(void **state) {
    struct disk *disk = *state;
    if (disk->mounted) {
        umount2(disk->directory, MNT_DETACH); /* a failed test has it open still */
    }
    directory_remove(disk->directory);
    free(disk);
    return 0;
}

#define TRIES 200
static void test_a_disk_that_fills_up(void **state) {
    struct disk *disk = *state;
    if (!disk->mounted) {
        skip();
    }
    struct store *store = open_store(disk->directory);
    int64_t account = make_account(store, "acme", 0);
    char *input = mem_new(PADDING);
    memset(input, 'x', PADDING);
    struct task_id kept[TRIES];
    unsigned count = 0, refused = 0;
    for (int i = 0; i < TRIES && refused < 5; i++) {
        struct padded padded = padded_job(account, input);
        enum err err = store_call(store, &padded.job);
        assert_true(err == OK || err == ERR_NO_SPACE);
        refused += err == ERR_NO_SPACE;
        if (err == OK) {
            kept[count++] = padded.task.id;
        }
    }
    assert_int_equal(refused, 5);
    assert_true(count > 0);
    assert_int_equal(store_ping(store, NULL), OK); /* reading goes on */
    assert_int_equal(store_writable(store), ERR_NO_SPACE);
    assert_sound(store);

    assert_int_equal(mount("tmpfs", disk->directory, "tmpfs", MS_REMOUNT, "size=16m"), 0);
    while (store_writable(store) != OK) { /* asking is enough: it has the writer try again */
        sched_yield();
    }
    for (int i = 0; i < 10; i++) {
        struct padded padded = padded_job(account, input);
        assert_int_equal(store_call(store, &padded.job), OK);
        kept[count++] = padded.task.id;
    }
    store_close(store);
    assert_intact(disk->directory);

    store = open_store(disk->directory);
    for (unsigned i = 0; i < count; i++) {
        struct arena arena;
        struct text found;
        arena_init(&arena, 2 * PADDING);
        assert_int_equal(store_load_input(store, account, &kept[i], &arena, &found), OK);
        assert_int_equal(found.len, PADDING);
        arena_fini(&arena);
    }
    assert_sound(store);
    store_close(store);
    free(input);
}

static void test_a_disk_that_is_full_from_the_start(void **state) {
    struct disk *disk = *state;
    struct store *store = NULL;
    struct fault fault = { 0 };
    if (!disk->mounted) {
        skip();
    }
    FILE *ballast = fopen(path_in(disk->directory, "ballast"), "w");
    static const char block[4096];
    setvbuf(ballast, NULL, _IONBF, 0);
    while (fwrite(block, 1, sizeof(block), ballast) == sizeof(block)) {
    }
    fclose(ballast);
    assert_int_equal(store_open(&(struct store_options){ .directory = disk->directory }, &store, &fault), ERR_NO_SPACE);
    assert_non_null(strstr(fault.message, "free some space"));
    unlink(path_in(disk->directory, "ballast"));
    store = open_store(disk->directory);
    make_account(store, "acme", 1);
    store_close(store);
}

/* ---- the same inside a transaction that others share: the database may grow no more, and SQLite ends it all ---- */

struct limit {
    struct store_job job;
    const char *sql;
    sem_t *entered, *open;
};

static void set_limit(struct store_tx *tx, struct store_job *job) {
    struct limit *limit = container_of(job, struct limit, job);
    store_tx_fail(tx, tx->database->engine->script(tx->database, limit->sql));
    if (limit->entered != NULL) {
        sem_post(limit->entered);
        sem_wait(limit->open);
    }
}

static void ignore(struct store_job *job, enum err err) {
    (void)job;
    assert_int_equal(err, OK);
}

static void test_all_of_a_lost_transaction_are_told(void **state) {
    struct fixture *fixture = *state;
    sem_t entered, open;
    char *input = mem_new(PADDING);
    memset(input, 'x', PADDING);
    struct padded jobs[3];
    sem_init(&entered, 0, 0);
    sem_init(&open, 0, 0);
    struct limit shut = { .job = { .run = set_limit, .done = ignore },
                          .sql = "PRAGMA max_page_count = 1",
                          .entered = &entered,
                          .open = &open };
    assert_int_equal(store_post(fixture->store, &shut.job), OK);
    sem_wait(&entered);
    for (size_t i = 0; i < ARRAY_SIZE(jobs); i++) {
        jobs[i] = padded_job(fixture->account, input);
        assert_int_equal(store_post(fixture->store, &jobs[i].job), OK);
    }
    sem_post(&open);
    struct padded last = padded_job(fixture->account, input);
    assert_int_equal(store_call(fixture->store, &last.job), ERR_NO_SPACE);
    struct limit wide = { .job = { .run = set_limit }, .sql = "PRAGMA max_page_count = 1000000" };
    assert_int_equal(store_call(fixture->store, &wide.job), OK);
    for (size_t i = 0; i < ARRAY_SIZE(jobs); i++) {
        assert_int_equal(jobs[i].err, ERR_NO_SPACE);
        jobs[i] = padded_job(fixture->account, input);
        assert_int_equal(store_call(fixture->store, &jobs[i].job), OK);
    }
    assert_sound(fixture->store);
    free(input);
}

int run_full_disk_tests(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_a_disk_that_fills_up, disk_setup, disk_teardown),
        cmocka_unit_test_setup_teardown(test_a_disk_that_is_full_from_the_start, disk_setup, disk_teardown),
        cmocka_unit_test_setup_teardown(test_all_of_a_lost_transaction_are_told, fixture_setup, fixture_teardown),
    };
    return cmocka_run_group_tests_name("store full disk", tests, NULL, NULL);
}
