/* The file layers over SQLite's own. The log's: what it gathers is what SQLite's own layer finds, and how often it writes.
 * The kept map: what is read through it is what was written, however long the file is, and how often it is dropped. Both: an
 * unlock that fails. */
#include "fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "store/kept_map.h"
#include "store/log_file.h"
#include "tests.h"

static void run(sqlite3 *database, const char *sql) {
    if (sqlite3_exec(database, sql, NULL, NULL, NULL) != SQLITE_OK) {
        fail_msg("%s: %s", sql, sqlite3_errmsg(database));
    }
}

static sqlite3_int64 number(sqlite3 *database, const char *sql) {
    sqlite3_stmt *statement;
    assert_int_equal(sqlite3_prepare_v2(database, sql, -1, &statement, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_step(statement), SQLITE_ROW);
    sqlite3_int64 ret = sqlite3_column_int64(statement, 0);
    sqlite3_finalize(statement);
    return ret;
}

static sqlite3 *open_with(const char *directory, const char *layer) {
    sqlite3 *database;
    assert_int_equal(sqlite3_open_v2(path_in(directory, "log.db"), &database, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE,
                                     layer),
                     SQLITE_OK);
    run(database, "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA cache_size = 16");
    return database;
}

static void assert_whole(sqlite3 *database) {
    assert_int_equal(number(database, "SELECT integrity_check = 'ok' FROM pragma_integrity_check"), 1);
}

#define FILL(count)                                                                                                    \
    "INSERT INTO t (words) WITH RECURSIVE n (i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM n WHERE i < " #count ")"    \
    " SELECT hex(randomblob(400)) FROM n"

/* Another connection, by SQLite's own layer, sees each transaction when it is committed, synced or not, and nothing of others;
 * small ones, one that is longer than what is gathered and spills out of the cache, one that is taken back, and checkpoints. */
static void test_others_see_what_is_committed(void **state) {
    char directory[64];
    (void)state;
    directory_make(directory);
    sqlite3 *writer = open_with(directory, log_file_register());
    run(writer, "CREATE TABLE t (id INTEGER PRIMARY KEY, words TEXT); CREATE INDEX t_words ON t (words)");
    sqlite3 *reader = open_with(directory, NULL);
    sqlite3_int64 rows = 0;
    for (int round = 0; round < 20; round++) {
        run(writer, round % 2 == 0 ? "PRAGMA synchronous = NORMAL" : "PRAGMA synchronous = FULL");
        run(writer, round % 4 == 3 ? FILL(3000) : FILL(3));
        rows += round % 4 == 3 ? 3000 : 3;
        assert_int_equal(number(reader, "SELECT count(*) FROM t"), rows);
        run(writer, "BEGIN; " FILL(2000));
        assert_int_equal(number(writer, "SELECT count(*) FROM t"), rows + 2000); /* its own, what was spilled as well */
        assert_int_equal(number(reader, "SELECT count(*) FROM t"), rows);
        run(writer, "ROLLBACK");
        if (round % 5 == 4) {
            run(writer, "PRAGMA wal_checkpoint(TRUNCATE)");
        }
        assert_whole(reader);
    }
    assert_whole(writer);
    sqlite3_close(writer);
    assert_int_equal(number(reader, "SELECT count(*) FROM t"), rows);
    assert_whole(reader);
    sqlite3_close(reader);
    directory_remove(directory);
}

static void copy(const char *directory, const char *from, const char *to) {
    char bytes[1 << 16], name[256];
    size_t count;
    FILE *source = fopen(path_in(directory, from), "rb");
    snprintf(name, sizeof name, "%s", path_in(directory, to));
    FILE *target = fopen(name, "wb");
    assert_true(source != NULL && target != NULL);
    while ((count = fread(bytes, 1, sizeof bytes, source)) > 0) {
        assert_int_equal(fwrite(bytes, 1, count, target), count);
    }
    fclose(source);
    assert_int_equal(fclose(target), 0);
}

/* Not synced, and of pages that came out of the cache early, whose heads are written anew at the end: what is in the files
 * after the commit is what a process leaves that is killed. */
static void test_what_is_committed_is_in_the_file(void **state) {
    char directory[64];
    (void)state;
    directory_make(directory);
    sqlite3 *writer = open_with(directory, log_file_register()), *after;
    run(writer, "CREATE TABLE t (id INTEGER PRIMARY KEY, words TEXT); CREATE INDEX t_words ON t (words)");
    run(writer, "PRAGMA synchronous = NORMAL; PRAGMA wal_autocheckpoint = 0");
    run(writer, "BEGIN; " FILL(2000) "; " FILL(2000) "; COMMIT");
    copy(directory, "log.db", "copy.db");
    copy(directory, "log.db-wal", "copy.db-wal");
    assert_int_equal(sqlite3_open(path_in(directory, "copy.db"), &after), SQLITE_OK);
    assert_int_equal(number(after, "SELECT count(*) FROM t"), 4000);
    sqlite3_close(after);
    sqlite3_close(writer);
    directory_remove(directory);
}

/* A file may not grow beyond the limit: the write that fails late is the transaction's failure, and it leaves nothing. */
static void test_a_late_failure_is_the_transactions(void **state) {
    char directory[64];
    struct rlimit before, narrow;
    (void)state;
    directory_make(directory);
    sqlite3 *writer = open_with(directory, log_file_register());
    run(writer, "CREATE TABLE t (id INTEGER PRIMARY KEY, words TEXT); CREATE INDEX t_words ON t (words); " FILL(3));
    struct stat status;
    assert_int_equal(stat(path_in(directory, "log.db-wal"), &status), 0);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    void (*handler)(int) = signal(SIGXFSZ, SIG_IGN);
    narrow = (struct rlimit){ .rlim_cur = (rlim_t)status.st_size + 6000, .rlim_max = before.rlim_max };
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &narrow), 0);
    int code = sqlite3_exec(writer, FILL(9), NULL, NULL, NULL);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    signal(SIGXFSZ, handler);
    assert_true(code == SQLITE_FULL || code == SQLITE_IOERR);
    assert_true(sqlite3_get_autocommit(writer));
    assert_int_equal(number(writer, "SELECT count(*) FROM t"), 3);
    run(writer, FILL(9));
    sqlite3 *reader = open_with(directory, NULL);
    assert_int_equal(number(reader, "SELECT count(*) FROM t"), 12);
    assert_whole(reader);
    sqlite3_close(reader);
    sqlite3_close(writer);
    directory_remove(directory);
}

/* ---- how often it writes ---- */

static sqlite3_vfs *own;
static unsigned writes, drops;
static int (*write_own)(sqlite3_file *, const void *, int, sqlite3_int64);
static int (*unfetch_own)(sqlite3_file *, sqlite3_int64, void *);

static int count_write(sqlite3_file *file, const void *bytes, int count, sqlite3_int64 offset) {
    writes++;
    return write_own(file, bytes, count, offset);
}

static int count_drop(sqlite3_file *file, sqlite3_int64 offset, void *page) {
    drops += page == NULL ? 1 : 0;
    return unfetch_own(file, offset, page);
}

static int open_counted(sqlite3_vfs *vfs, const char *name, sqlite3_file *file, int flags, int *ret_flags) {
    static sqlite3_io_methods counted, counted_database;
    (void)vfs;
    int code = own->xOpen(own, name, file, flags, ret_flags);
    if (code == SQLITE_OK && (flags & SQLITE_OPEN_WAL) != 0) {
        counted = *file->pMethods;
        write_own = counted.xWrite;
        counted.xWrite = count_write;
        file->pMethods = &counted;
    } else if (code == SQLITE_OK && (flags & SQLITE_OPEN_MAIN_DB) != 0) {
        counted_database = *file->pMethods;
        unfetch_own = counted_database.xUnfetch;
        counted_database.xUnfetch = count_drop;
        file->pMethods = &counted_database;
    }
    return code;
}

/* Until stop_counting, SQLite's own layer counts. */
static void start_counting(void) {
    static sqlite3_vfs below;
    own = sqlite3_vfs_find(NULL);
    below = *own;
    below.zName = "counted";
    below.xOpen = open_counted;
    assert_int_equal(sqlite3_vfs_register(&below, 1), SQLITE_OK);
}

static void stop_counting(void) {
    assert_int_equal(sqlite3_vfs_unregister(sqlite3_vfs_find("counted")), SQLITE_OK);
    assert_int_equal(sqlite3_vfs_register(own, 1), SQLITE_OK);
    (void)log_file_register();
    (void)kept_map_register();
}

static void test_a_transaction_is_one_write(void **state) {
    char directory[64];
    (void)state;
    start_counting();
    directory_make(directory);
    sqlite3 *writer = open_with(directory, log_file_register());
    run(writer, "PRAGMA cache_size = 1000"); /* nothing spills */
    run(writer, "CREATE TABLE t (id INTEGER PRIMARY KEY, words TEXT); CREATE INDEX t_words ON t (words); " FILL(100));
    for (int round = 0; round < 10; round++) {
        writes = 0;
        run(writer, FILL(4));
        assert_int_equal(writes, 1);
    }
    assert_whole(writer);
    sqlite3_close(writer);
    stop_counting();
    directory_remove(directory);
}

/* ---- the kept map ---- */

static sqlite3 *open_reader(const char *directory) {
    sqlite3 *reader = open_with(directory, kept_map_register());
    run(reader, "PRAGMA query_only = ON; PRAGMA mmap_size = 1073741824");
    return reader;
}

static void assert_sees(sqlite3 *reader, sqlite3 *writer) {
    static const char sums[] = "SELECT coalesce(sum(length(words) + instr(words, '7') * id), 0) FROM t";
    assert_int_equal(number(reader, sums), number(writer, sums));
}

/* The file grows past what is mapped, is cut to a few pages, and grows again, between reads and without any. */
static void test_a_kept_map_is_the_file(void **state) {
    char directory[64];
    (void)state;
    directory_make(directory);
    sqlite3 *writer = open_with(directory, NULL);
    run(writer, "CREATE TABLE t (id INTEGER PRIMARY KEY, words TEXT); CREATE INDEX t_words ON t (words); " FILL(5)
                "; PRAGMA wal_checkpoint(TRUNCATE)");
    sqlite3 *reader = open_reader(directory), *rare = open_reader(directory);
    for (int round = 0; round < 24; round++) {
        if (round % 6 == 5) {
            run(writer, "DELETE FROM t WHERE id > 3; PRAGMA wal_checkpoint(TRUNCATE); VACUUM");
        } else {
            run(writer, round % 6 < 3 ? FILL(5) : FILL(4000));
            run(writer, "UPDATE t SET words = hex(randomblob(400)) WHERE id % 5 = 0");
        }
        assert_sees(reader, writer);
        run(writer, "PRAGMA wal_checkpoint(TRUNCATE)");
        assert_sees(reader, writer);
        if (round % 7 == 6) {
            assert_sees(rare, writer);
            assert_whole(rare);
        }
        assert_whole(reader);
    }
    sqlite3_close(rare);
    sqlite3_close(reader);
    sqlite3_close(writer);
    directory_remove(directory);
}

static void test_a_map_is_kept_beside_a_writer(void **state) {
    char directory[64];
    (void)state;
    start_counting();
    directory_make(directory);
    sqlite3 *writer = open_with(directory, NULL), *reader = open_reader(directory);
    run(writer, "CREATE TABLE t (id INTEGER PRIMARY KEY, words TEXT); " FILL(100) "; PRAGMA wal_checkpoint(TRUNCATE)");
    assert_sees(reader, writer);
    drops = 0;
    for (int round = 0; round < 10; round++) {
        run(writer, FILL(1));
        assert_sees(reader, writer);
    }
    assert_int_equal(drops, 0);
    run(writer, FILL(9000) "; PRAGMA wal_checkpoint(TRUNCATE)"); /* seven megabytes more */
    assert_sees(reader, writer);
    assert_int_equal(drops, 1);
    run(writer, "DELETE FROM t WHERE id > 50; VACUUM; PRAGMA wal_checkpoint(TRUNCATE)");
    assert_sees(reader, writer);
    assert_int_equal(drops, 2);
    sqlite3_close(reader);
    sqlite3_close(writer);
    stop_counting();
    directory_remove(directory);
}

/* ---- unlocks that fail ---- */

static int (*real_fcntl)(int file, int command, ...);
static int unlocks, failing; /* made since the count began, and which of them fails; 0: none */

static int failing_fcntl(int file, int command, ...) {
    va_list rest;
    va_start(rest, command);
    void *argument = va_arg(rest, void *);
    va_end(rest);
    const struct flock *lock = argument;
    if (command == F_SETLK && lock->l_type == F_UNLCK && ++unlocks == failing) {
        errno = ENOLCK;
        return -1;
    }
    return real_fcntl(file, command, argument);
}

static void write_and_read(sqlite3 *writer, sqlite3 *reader, sqlite3 *outside, sqlite3_int64 *rows) {
    run(writer, FILL(3));
    *rows += 3;
    assert_int_equal(number(reader, "SELECT count(*) FROM t"), *rows);
    assert_int_equal(number(outside, "SELECT count(*) FROM t"), *rows);
    run(writer, "PRAGMA wal_checkpoint(PASSIVE)");
}

/* Whichever it is: the same and the other connections go on. */
static void test_an_unlock_that_fails_is_made_again(void **state) {
    char directory[64];
    sqlite3_int64 rows = 0;
    sqlite3_vfs *layer = sqlite3_vfs_find(NULL);
    (void)state;
    directory_make(directory);
    const char *log = log_file_register();
    sqlite3 *writer = open_with(directory, log);
    run(writer, "CREATE TABLE t (id INTEGER PRIMARY KEY, words TEXT)");
    sqlite3 *reader = open_reader(directory), *outside = open_with(directory, log);
    real_fcntl = (int (*)(int, int, ...))layer->xGetSystemCall(layer, "fcntl");
    layer->xSetSystemCall(layer, "fcntl", (sqlite3_syscall_ptr)failing_fcntl);
    failing = 0;
    unlocks = 0;
    write_and_read(writer, reader, outside, &rows);
    int most = unlocks;
    assert_true(most > 5);
    for (int which = 1; which <= most; which++) {
        unlocks = 0;
        failing = which;
        write_and_read(writer, reader, outside, &rows);
        failing = 0;
        write_and_read(writer, reader, outside, &rows);
    }
    layer->xSetSystemCall(layer, "fcntl", NULL);
    sqlite3_close(outside);
    sqlite3_close(reader);
    sqlite3_close(writer);
    directory_remove(directory);
}

int run_file_layer_tests(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_others_see_what_is_committed),
        cmocka_unit_test(test_what_is_committed_is_in_the_file),
        cmocka_unit_test(test_a_late_failure_is_the_transactions),
        cmocka_unit_test(test_a_transaction_is_one_write),
        cmocka_unit_test(test_a_kept_map_is_the_file),
        cmocka_unit_test(test_a_map_is_kept_beside_a_writer),
        cmocka_unit_test(test_an_unlock_that_fails_is_made_again),
    };
    return cmocka_run_group_tests_name("store file layers", tests, NULL, NULL);
}
