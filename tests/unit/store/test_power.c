/* What a power loss leaves: all that was told durable, and of what is synced later a beginning. Below the store a file layer of
 * the tests knows what of the log a sync has brought to the disk, and forgets what a sync could not bring there, as systems do. */
#include "fixture.h"

#include <pthread.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/compiler.h"
#include "store/kept_map.h"
#include "store/log_file.h"
#include "tests.h"

#define LOG_MAX (4 << 20)

static struct {
    sqlite3_vfs *own;
    sqlite3_file *log; /* the writer's */
    sqlite3_io_methods methods, real;
    pthread_mutex_t mutex;
    char *durable; /* the log on the disk */
    char *changed; /* by byte: other than 0 where the file and the disk may differ */
    unsigned syncs;
    bool fails; /* each sync */
    sem_t failed, synced;
} disk;

static int write_log(sqlite3_file *file, const void *bytes, int count, sqlite3_int64 offset) {
    assert_true(offset + count <= LOG_MAX);
    pthread_mutex_lock(&disk.mutex);
    memset(disk.changed + offset, file == disk.log, (size_t)count);
    pthread_mutex_unlock(&disk.mutex);
    return disk.real.xWrite(file, bytes, count, offset);
}

static void keep_changed(sqlite3_file *file) {
    for (sqlite3_int64 at = 0; at < LOG_MAX; at++) {
        if (disk.changed[at] != 0) {
            assert_int_equal(disk.real.xRead(file, disk.durable + at, 1, at), SQLITE_OK);
        }
    }
}

static int sync_log(sqlite3_file *file, int flags) {
    pthread_mutex_lock(&disk.mutex);
    bool fails = disk.fails;
    if (!fails) {
        keep_changed(file);
        disk.syncs++;
    }
    memset(disk.changed, 0, LOG_MAX);
    pthread_mutex_unlock(&disk.mutex);
    sem_post(fails ? &disk.failed : &disk.synced);
    return fails ? SQLITE_IOERR_FSYNC : disk.real.xSync(file, flags);
}

static int open_file(sqlite3_vfs *vfs, const char *name, sqlite3_file *file, int flags, int *ret_flags) {
    (void)vfs;
    int code = disk.own->xOpen(disk.own, name, file, flags, ret_flags);
    if (code == SQLITE_OK && (flags & SQLITE_OPEN_WAL) != 0 && disk.log == NULL) {
        disk.real = disk.methods = *file->pMethods;
        disk.methods.xWrite = write_log;
        disk.methods.xSync = sync_log;
        disk.log = file;
        file->pMethods = &disk.methods;
    }
    return code;
}

static void layers_register(void) {
    (void)log_file_register();
    (void)kept_map_register();
}

static int power_setup(void **state) {
    static sqlite3_vfs layer;
    disk.own = sqlite3_vfs_find(NULL);
    disk.log = NULL;
    disk.fails = false;
    disk.durable = calloc(1, LOG_MAX);
    disk.changed = calloc(1, LOG_MAX);
    pthread_mutex_init(&disk.mutex, NULL);
    sem_init(&disk.failed, 0, 0);
    sem_init(&disk.synced, 0, 0);
    layer = *disk.own;
    layer.zName = "disk";
    layer.xOpen = open_file;
    assert_int_equal(sqlite3_vfs_register(&layer, 1), SQLITE_OK);
    layers_register();
    return fixture_setup(state);
}

static int power_teardown(void **state) {
    int failed = fixture_teardown(state);
    assert_int_equal(sqlite3_vfs_unregister(sqlite3_vfs_find("disk")), SQLITE_OK);
    assert_int_equal(sqlite3_vfs_register(disk.own, 1), SQLITE_OK);
    layers_register();
    free(disk.durable);
    free(disk.changed);
    return failed;
}

static void write_file(const char *directory, const char *name, const void *bytes, size_t count) {
    FILE *file = fopen(path_in(directory, name), "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, count, file), count);
    assert_int_equal(fclose(file), 0);
}

/* Of the directory's database, which no checkpoint has written to since it was made. */
static void copy_database(const char *from, const char *to) {
    static char bytes[1 << 20];
    FILE *file = fopen(path_in(from, "fennec.db"), "rb");
    assert_non_null(file);
    size_t count = fread(bytes, 1, sizeof(bytes), file);
    assert_true(count < sizeof(bytes));
    fclose(file);
    write_file(to, "fennec.db", bytes, count);
}

/* ---- jobs ---- */

struct record {
    struct acceptance acceptance;
    unsigned syncs; /* when it was told */
    enum err err;
    sem_t done;
};

static void end_record(struct store_job *job, enum err err) {
    struct record *record = container_of(job, struct record, acceptance.job);
    pthread_mutex_lock(&disk.mutex);
    record->syncs = disk.syncs;
    pthread_mutex_unlock(&disk.mutex);
    record->err = err;
    sem_post(&record->done);
}

static void post_record(struct fixture *fixture, struct record *record, bool synced_later) {
    *record = (struct record){ .acceptance = { .job = { .run = acceptance_run, .done = end_record, .repeatable = true,
                                                        .patience_ms = synced_later, .synced_later = synced_later },
                                               .task = pending_task(fixture->account, 1) } };
    sem_init(&record->done, 0, 0);
    store_post_always(fixture->store, &record->acceptance.job);
}

static void await_record(struct record *record) {
    sem_wait(&record->done);
    assert_int_equal(record->err, OK);
}

static unsigned syncs_so_far(void) {
    pthread_mutex_lock(&disk.mutex);
    unsigned syncs = disk.syncs;
    pthread_mutex_unlock(&disk.mutex);
    return syncs;
}

/* How many of the records, one after the other from the first, a store finds that starts on what the disk has now. */
static unsigned records_left(struct fixture *fixture, struct record *const records[], unsigned count) {
    char directory[64];
    struct task_row row;
    unsigned left = 0;
    directory_make(directory);
    pthread_mutex_lock(&disk.mutex);
    copy_database(fixture->directory, directory);
    write_file(directory, "fennec.db-wal", disk.durable, LOG_MAX);
    pthread_mutex_unlock(&disk.mutex);
    struct store *store = open_store(directory);
    assert_sound(store);
    for (unsigned i = 0; i < count; i++) {
        const struct task_row *task = &records[i]->acceptance.task;
        enum err err = store_find_task(store, task->account, &task->id, &fixture->arena, &row);
        assert_true(err == OK ? left == i : err == ERR_NOT_FOUND);
        left += err == OK;
    }
    store_close(store);
    directory_remove(directory);
    return left;
}

/* ---- tests ---- */

static void test_what_is_told_is_durable(void **state) {
    struct fixture *fixture = *state;
    struct record record;
    unsigned before = syncs_so_far();
    post_record(fixture, &record, false);
    await_record(&record);
    assert_int_equal(record.syncs, before + 1);
    assert_int_equal(records_left(fixture, (struct record *const[]){ &record }, 1), 1);
}

static void test_what_is_synced_later_waits_for_no_sync_and_gets_one(void **state) {
    struct fixture *fixture = *state;
    struct record record;
    unsigned before = syncs_so_far();
    while (sem_trywait(&disk.synced) == 0)
        ;
    post_record(fixture, &record, true);
    await_record(&record);
    assert_int_equal(record.syncs, before);
    sem_wait(&disk.synced);
    assert_int_equal(records_left(fixture, (struct record *const[]){ &record }, 1), 1);
}

static void test_what_is_told_is_durable_with_all_before_it(void **state) {
    struct fixture *fixture = *state;
    struct record records[3];
    post_record(fixture, &records[0], true);
    await_record(&records[0]);
    post_record(fixture, &records[1], true);
    await_record(&records[1]);
    post_record(fixture, &records[2], false);
    await_record(&records[2]);
    assert_int_equal(records_left(fixture, (struct record *const[]){ &records[0], &records[1], &records[2] }, 3), 3);
}

static void write_nothing(struct store_tx *tx, void *context) {
    (void)tx, (void)context;
}

/* SQLite syncs nothing for a transaction that wrote nothing. */
static void test_a_job_that_writes_nothing_is_told_like_any(void **state) {
    struct fixture *fixture = *state;
    struct record record;
    post_record(fixture, &record, true);
    await_record(&record);
    assert_int_equal(call(fixture->store, write_nothing, NULL), OK);
    assert_int_equal(records_left(fixture, (struct record *const[]){ &record }, 1), 1);
}

static void set_failing(bool fails) {
    pthread_mutex_lock(&disk.mutex);
    disk.fails = fails;
    pthread_mutex_unlock(&disk.mutex);
}

static void test_a_sync_that_fails_is_told(void **state) {
    struct fixture *fixture = *state;
    struct record records[2];
    set_failing(true);
    post_record(fixture, &records[0], false);
    sem_wait(&records[0].done);
    assert_int_equal(records[0].err, ERR_IO);
    set_failing(false);
    post_record(fixture, &records[1], false);
    await_record(&records[1]);
    assert_int_equal(records_left(fixture, (struct record *const[]){ &records[1] }, 1), 1);
}

/* The system says once that it could not sync, and has forgotten it at the next one. */
static void test_nothing_is_told_durable_behind_a_gap(void **state) {
    struct fixture *fixture = *state;
    struct record records[2];
    set_failing(true);
    post_record(fixture, &records[0], true);
    await_record(&records[0]);
    sem_wait(&disk.failed);
    assert_int_equal(records_left(fixture, (struct record *const[]){ &records[0] }, 1), 0);
    set_failing(false);
    post_record(fixture, &records[1], false);
    await_record(&records[1]);
    assert_int_equal(records_left(fixture, (struct record *const[]){ &records[0], &records[1] }, 2), 2);
}

static void test_what_is_synced_later_is_synced_at_the_end(void **state) {
    struct fixture *fixture = *state;
    struct record record;
    struct store *other = open_store(fixture->directory); /* so that the end copies nothing out of the log */
    post_record(fixture, &record, true);
    await_record(&record);
    store_close(fixture->store);
    assert_int_equal(records_left(fixture, (struct record *const[]){ &record }, 1), 1);
    fixture->store = other;
}

int run_power_tests(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_what_is_told_is_durable, power_setup, power_teardown),
        cmocka_unit_test_setup_teardown(test_what_is_synced_later_waits_for_no_sync_and_gets_one, power_setup, power_teardown),
        cmocka_unit_test_setup_teardown(test_what_is_told_is_durable_with_all_before_it, power_setup, power_teardown),
        cmocka_unit_test_setup_teardown(test_a_job_that_writes_nothing_is_told_like_any, power_setup, power_teardown),
        cmocka_unit_test_setup_teardown(test_a_sync_that_fails_is_told, power_setup, power_teardown),
        cmocka_unit_test_setup_teardown(test_nothing_is_told_durable_behind_a_gap, power_setup, power_teardown),
        cmocka_unit_test_setup_teardown(test_what_is_synced_later_is_synced_at_the_end, power_setup, power_teardown),
    };
    return cmocka_run_group_tests_name("store power", tests, NULL, NULL);
}
