/* Opening what cannot be opened: each case its own error, a sentence that helps, and nothing changed. */
#include "fixture.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/crypto.h"
#include "base/memory.h"
#include "tests.h"

static enum err try_open(const char *directory, bool serve, struct fault *fault) {
    struct store_options options = { .directory = directory, .serve = serve };
    struct store *store = NULL;
    enum err err = store_open(&options, &store, fault);
    store_close(store);
    return err;
}

static void assert_refused(const char *directory, enum err err, const char *words) {
    struct fault fault = { 0 };
    assert_int_equal(try_open(directory, false, &fault), err);
    assert_int_equal(fault.err, err);
    if (strstr(fault.message, words) == NULL) {
        fail_msg("'%s' is not in: %s", words, fault.message);
    }
}

static void write_file(const char *path, const char *bytes, size_t count) {
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, count, file), count);
    assert_int_equal(fclose(file), 0);
}

static void hash_file(const char *path, uint8_t ret[SHA256_SIZE]) {
    static char bytes[1 << 20];
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    size_t count = fread(bytes, 1, sizeof(bytes), file);
    assert_true(count > 0 && count < sizeof(bytes));
    fclose(file);
    crypto_sha256((struct text){ bytes, count }, ret);
}

static int directory_setup(void **state) {
    *state = mem_new(64);
    directory_make(*state);
    return 0;
}

static int directory_teardown(void **state) {
    directory_remove(*state);
    free(*state);
    return 0;
}

static void test_a_newer_version_is_left_alone(void **state) {
    const char *directory = *state;
    uint8_t before[SHA256_SIZE], after[SHA256_SIZE];
    store_close(open_store(directory));
    tamper(directory, "PRAGMA user_version = 99; UPDATE meta SET value = CAST('9.8.7' AS BLOB) WHERE name = 'fennec'");
    hash_file(path_in(directory, "fennec.db"), before);
    assert_refused(directory, ERR_VERSION, "Fennec 9.8.7 (schema 99)");
    assert_refused(directory, ERR_VERSION, "fennec.db");
    hash_file(path_in(directory, "fennec.db"), after);
    assert_memory_equal(before, after, sizeof(before));
}

static void test_a_version_that_nobody_wrote(void **state) {
    const char *directory = *state;
    store_close(open_store(directory));
    tamper(directory, "PRAGMA user_version = -1");
    assert_refused(directory, ERR_CORRUPT, "not a database of Fennec's");
}

static void test_a_file_that_is_no_database(void **state) {
    const char *directory = *state;
    static const char garbage[] =
        "This is a text of more than a hundred bytes, so that it could be the head of a database "
        "if it only began with the right words, which it does not.";
    char kept[sizeof(garbage)];
    write_file(path_in(directory, "fennec.db"), garbage, sizeof(garbage));
    assert_refused(directory, ERR_CORRUPT, "restore it from a backup");
    FILE *file = fopen(path_in(directory, "fennec.db"), "r");
    assert_int_equal(fread(kept, 1, sizeof(kept), file), sizeof(kept));
    fclose(file);
    assert_memory_equal(kept, garbage, sizeof(kept));
}

static void test_a_database_of_another_program(void **state) {
    const char *directory = *state;
    tamper(directory, "CREATE TABLE recipe (name TEXT)");
    assert_refused(directory, ERR_CORRUPT, "not a database of Fennec's");
    assert_refused(directory, ERR_CORRUPT, "start with an empty one."); /* and no words of SQLite's, which saw no error */
    tamper(directory, "INSERT INTO recipe VALUES ('soup')");
}

static void test_a_damaged_page_is_told(void **state) {
    const char *directory = *state;
    struct store *store = open_store(directory);
    struct account_row row;
    make_account(store, "acme", 1);
    store_close(store);
    int fd = open(path_in(directory, "fennec.db"), O_RDWR);
    char junk[4096];
    memset(junk, 0x5a, sizeof(junk));
    for (off_t page = 1; page < 8; page++) {
        assert_int_equal(pwrite(fd, junk, sizeof(junk), page * (off_t)sizeof(junk)), sizeof(junk));
    }
    close(fd);
    struct store_options options = { .directory = directory };
    struct fault fault = { 0 };
    enum err err = store_open(&options, &store, &fault);
    if (err == OK) {
        err = store_find_account(store, TEXT("acme"), &row);
        store_close(store);
    }
    assert_int_equal(err, ERR_CORRUPT);
}

static void test_a_lost_secret_is_told(void **state) {
    const char *directory = *state;
    store_close(open_store(directory));
    tamper(directory, "DELETE FROM meta WHERE name = 'secret'");
    assert_refused(directory, ERR_CORRUPT, "secret");
}

static void test_a_directory_that_is_a_file(void **state) {
    char path[128];
    snprintf(path, sizeof(path), "%s", path_in(*state, "file"));
    write_file(path, "x", 1);
    assert_refused(path, ERR_CONFIG, "not a directory");
    assert_refused(path_in(path, "below"), ERR_CONFIG, "not a directory");
}

static void test_a_directory_without_a_name(void **state) {
    (void)state;
    assert_refused("", ERR_IO, "cannot use");
}

static void test_a_database_that_is_a_directory(void **state) {
    assert_int_equal(mkdir(path_in(*state, "fennec.db"), 0700), 0);
    assert_refused(*state, ERR_IO, "fennec.db");
}

/* Opens as a user who may not write there; the exit status is the error. */
static int open_as_nobody(const char *directory, const char *words) {
    pid_t child = fork();
    if (child == 0) {
        struct fault fault = { 0 };
        if (geteuid() == 0 && setresuid(65534, 65534, 65534) != 0) {
            _exit(255);
        }
        enum err err = try_open(directory, false, &fault);
        _exit(strstr(fault.message, words) != NULL ? (int)err : 254);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static void test_what_may_not_be_written(void **state) {
    const char *directory = *state;
    store_close(open_store(directory));
    assert_int_equal(chmod(directory, 0555), 0);
    assert_int_equal(open_as_nobody(directory, "may not use"), ERR_READ_ONLY);
    assert_int_equal(open_as_nobody(path_in(directory, "new"), "let its user write there"), ERR_READ_ONLY);
    assert_int_equal(chmod(directory, 0777), 0);
    assert_int_equal(chmod(path_in(directory, "turn.lock"), geteuid() == 0 ? 0666 : 0600), 0);
    assert_int_equal(chmod(path_in(directory, "generation"), geteuid() == 0 ? 0666 : 0600), 0);
    assert_int_equal(chmod(path_in(directory, "fennec.db"), 0444), 0);
    assert_int_equal(open_as_nobody(directory, "fennec.db"), ERR_READ_ONLY);
    assert_int_equal(chmod(path_in(directory, "fennec.db"), 0600), 0);
    store_close(open_store(directory));
}

static void test_one_server_at_a_time(void **state) {
    const char *directory = *state;
    struct store_options options = { .directory = directory, .serve = true };
    struct store *server;
    struct fault fault = { 0 };
    char words[32];
    assert_int_equal(store_open(&options, &server, &fault), OK);
    snprintf(words, sizeof(words), "(process %ld)", (long)getpid());
    assert_int_equal(try_open(directory, true, &fault), ERR_BUSY);
    assert_non_null(strstr(fault.message, words));
    assert_int_equal(try_open(directory, false, &fault), OK);
    store_close(server);
    assert_int_equal(try_open(directory, true, &fault), OK);
}

static void test_opening_again_changes_nothing(void **state) {
    const char *directory = path_in(*state, "deep/er");
    char path[128];
    uint8_t secret[32];
    snprintf(path, sizeof(path), "%s", directory);
    struct store *store = open_store(path);
    memcpy(secret, store_secret(store), sizeof(secret));
    int64_t account = make_account(store, "acme", 12);
    store_close(store);
    for (int i = 0; i < 2; i++) {
        store = open_store(path);
        assert_memory_equal(store_secret(store), secret, sizeof(secret));
        assert_int_equal(balance_of(store, account, BOOK_LIVE), 12);
        assert_int_equal(store_ping(store, NULL), OK);
        store_close(store);
    }
}

static void test_files_are_private(void **state) {
    static const char *const names[] = { "fennec.db",  "fennec.db-wal", "fennec.db-shm",
                                         "generation", "turn.lock",     "server.lock" };
    const char *directory = path_in(*state, "fresh");
    char path[128];
    struct stat status;
    struct store *store;
    snprintf(path, sizeof(path), "%s", directory);
    assert_int_equal(store_open(&(struct store_options){ .directory = path, .serve = true }, &store, NULL), OK);
    make_account(store, "acme", 1);
    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        assert_int_equal(stat(path_in(path, names[i]), &status), 0);
        assert_int_equal(status.st_mode & 0777, 0600);
    }
    assert_int_equal(stat(path, &status), 0);
    assert_int_equal(status.st_mode & 0777, 0700);
    store_close(store);
}

int run_damage_tests(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_a_newer_version_is_left_alone, directory_setup, directory_teardown),
        cmocka_unit_test_setup_teardown(test_a_version_that_nobody_wrote, directory_setup, directory_teardown),
        cmocka_unit_test_setup_teardown(test_a_file_that_is_no_database, directory_setup, directory_teardown),
        cmocka_unit_test_setup_teardown(test_a_database_of_another_program, directory_setup, directory_teardown),
        cmocka_unit_test_setup_teardown(test_a_damaged_page_is_told, directory_setup, directory_teardown),
        cmocka_unit_test_setup_teardown(test_a_lost_secret_is_told, directory_setup, directory_teardown),
        cmocka_unit_test_setup_teardown(test_a_directory_that_is_a_file, directory_setup, directory_teardown),
        cmocka_unit_test_setup_teardown(test_a_directory_without_a_name, directory_setup, directory_teardown),
        cmocka_unit_test_setup_teardown(test_a_database_that_is_a_directory, directory_setup, directory_teardown),
        cmocka_unit_test_setup_teardown(test_what_may_not_be_written, directory_setup, directory_teardown),
        cmocka_unit_test_setup_teardown(test_one_server_at_a_time, directory_setup, directory_teardown),
        cmocka_unit_test_setup_teardown(test_opening_again_changes_nothing, directory_setup, directory_teardown),
        cmocka_unit_test_setup_teardown(test_files_are_private, directory_setup, directory_teardown),
    };
    return cmocka_run_group_tests_name("store damage", tests, NULL, NULL);
}
