/* The directory store: bytes come back, nothing half-written stays, pins hold, failures name their cause. */
#include "tests.h"

#include <fcntl.h>
#include <ftw.h>
#include <pthread.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/memory.h"
#include "blob/blob.h"
#include "blob/directory.h"
#include "place.h"

#define ABC_HASH "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
#define NO_LIMIT INT64_MAX

static int set_up(void **state) {
    *state = mem_new(sizeof(struct place));
    place_open(*state);
    return 0;
}

static int tear_down(void **state) {
    place_close(*state);
    free(*state);
    return 0;
}

static char *path_in(const struct place *place, const char *name) {
    char path[256];
    snprintf(path, sizeof path, "%s/%s", place->directory, name);
    return mem_string(path);
}

static void write_file(const char *path, struct text bytes) {
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, bytes.ptr, bytes.len), bytes.len);
    close(fd);
}

/* Number of files in DIR/tmp. */
static int temporary_count(const struct place *place) {
    char command[128];
    int count = -1;
    snprintf(command, sizeof command, "ls -A %s/tmp | wc -l", place->directory);
    FILE *pipe = popen(command, "r");
    assert_non_null(pipe);
    assert_int_equal(fscanf(pipe, "%d", &count), 1);
    pclose(pipe);
    return count;
}

static void assert_stored(struct blob_store *store, const char *hash, struct text bytes) {
    int fd;
    int64_t size;
    assert_int_equal(blob_open_fd(store, text_of(hash), &fd, &size), OK);
    assert_int_equal(size, bytes.len);
    char *read_back = mem_new(bytes.len + 1);
    assert_int_equal(read(fd, read_back, bytes.len + 1), bytes.len);
    assert_memory_equal(read_back, bytes.ptr, bytes.len);
    free(read_back);
    close(fd);
}

static void bytes_come_back_under_their_hash(void **state) {
    struct place *place = *state;
    struct blob blob;
    assert_int_equal(blob_put_bytes(place->store, TEXT("abc"), NO_LIMIT, &blob, NULL), OK);
    assert_string_equal(blob.hash, ABC_HASH);
    assert_int_equal(blob.size, 3);
    assert_string_equal(blob.media_type, "text/plain");
    assert_stored(place->store, ABC_HASH, TEXT("abc"));
    assert_int_equal(stored_count(place->store), 1);
    assert_int_equal(temporary_count(place), 0);

    struct stat status;
    char *path = path_in(place, "ba/7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    assert_int_equal(stat(path, &status), 0);
    assert_int_equal(status.st_mode & 0777, 0600);
    free(path);
    blob_unpin(place->store, &blob);
}

static char *pattern(size_t size) {
    char *bytes = mem_new(size);
    for (size_t i = 0; i < size; i++) {
        bytes[i] = (char)(i * 2654435761u >> 13);
    }
    return bytes;
}

/* Around the writer's buffer, in pieces of every awkward size: the same blob each time. */
static void streaming_in_pieces_makes_the_same_blob(void **state) {
    struct place *place = *state;
    static const size_t sizes[] = { 1, 511, 512, 513, 65535, 65536, 65537, 200000 };
    static const size_t pieces[] = { 1009, 4096, 65535, 65536, 65537, 1 << 20 };
    for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
        char *bytes = pattern(sizes[i]);
        uint8_t digest[SHA256_SIZE];
        char hash[SHA256_HEX_SIZE];
        crypto_sha256((struct text){ bytes, sizes[i] }, digest);
        hex_encode(digest, sizeof digest, hash);
        for (size_t j = 0; j < ARRAY_SIZE(pieces); j++) {
            struct blob_writer *writer;
            struct blob blob;
            assert_int_equal(blob_writer_new(place->store, (int64_t)sizes[i], &writer, NULL), OK);
            for (size_t at = 0; at < sizes[i]; at += pieces[j]) {
                size_t count = sizes[i] - at < pieces[j] ? sizes[i] - at : pieces[j];
                assert_int_equal(blob_write(writer, bytes + at, count), OK);
            }
            assert_int_equal(blob_finish(writer, &blob, NULL), OK);
            assert_string_equal(blob.hash, hash);
            assert_stored(place->store, hash, (struct text){ bytes, sizes[i] });
            blob_unpin(place->store, &blob);
            if (j % 2 == 0) {
                assert_int_equal(blob_remove(place->store, text_of(hash)), OK);
            }
        }
        free(bytes);
    }
    assert_int_equal(temporary_count(place), 0);
}

static void too_large_and_empty_are_refused_and_leave_nothing(void **state) {
    struct place *place = *state;
    struct blob blob = { .size = -1 };
    struct fault fault = { 0 };
    char *bytes = pattern(200000);

    assert_int_equal(blob_put_bytes(place->store, TEXT("abcd"), 3, &blob, &fault), ERR_FILE_TOO_LARGE);
    assert_non_null(strstr(fault.message, "3 bytes"));
    struct text large = { bytes, 200000 };
    assert_int_equal(blob_put_bytes(place->store, large, 199999, &blob, NULL), ERR_FILE_TOO_LARGE);
    assert_int_equal(blob_put_bytes(place->store, TEXT(""), 3, &blob, &fault), ERR_FETCH);
    assert_int_equal(blob_put_bytes(place->store, TEXT("x"), 0, &blob, NULL), ERR_FILE_TOO_LARGE);

    struct blob_writer *writer;
    assert_int_equal(blob_writer_new(place->store, 100000, &writer, NULL), OK);
    assert_int_equal(blob_write(writer, bytes, 70000), OK);
    assert_int_equal(blob_write(writer, bytes, 70000), ERR_FILE_TOO_LARGE);
    assert_int_equal(blob_write(writer, bytes, 1), ERR_FILE_TOO_LARGE); /* sticky */
    assert_int_equal(blob_finish(writer, &blob, &fault), ERR_FILE_TOO_LARGE);
    assert_int_equal(fault.err, ERR_FILE_TOO_LARGE);

    assert_int_equal(blob.size, -1);
    assert_int_equal(stored_count(place->store), 0);
    assert_int_equal(temporary_count(place), 0);
    free(bytes);
}

static void an_aborted_writer_leaves_nothing(void **state) {
    struct place *place = *state;
    char *bytes = pattern(200000);
    struct blob_writer *writer;
    assert_int_equal(blob_writer_new(place->store, NO_LIMIT, &writer, NULL), OK);
    assert_int_equal(blob_write(writer, bytes, 200000), OK);
    assert_int_equal(temporary_count(place), 1);
    blob_abort(writer);
    blob_abort(NULL);
    assert_int_equal(temporary_count(place), 0);
    assert_int_equal(stored_count(place->store), 0);
    free(bytes);
}

static void pins_are_counted(void **state) {
    struct place *place = *state;
    struct blob first, second;
    assert_int_equal(blob_put_bytes(place->store, TEXT("abc"), NO_LIMIT, &first, NULL), OK);
    assert_int_equal(blob_put_bytes(place->store, TEXT("abc"), NO_LIMIT, &second, NULL), OK);
    assert_int_equal(stored_count(place->store), 1);
    assert_int_equal(blob_remove(place->store, TEXT(ABC_HASH)), ERR_BUSY);
    blob_unpin(place->store, &first);
    assert_int_equal(blob_remove(place->store, TEXT(ABC_HASH)), ERR_BUSY);
    blob_unpin(place->store, &second);
    assert_int_equal(blob_remove(place->store, TEXT(ABC_HASH)), OK);
    assert_int_equal(blob_remove(place->store, TEXT(ABC_HASH)), OK);
    int fd;
    int64_t size;
    assert_int_equal(blob_open_fd(place->store, TEXT(ABC_HASH), &fd, &size), ERR_NOT_FOUND);
    assert_int_equal(stored_count(place->store), 0);
}

static void what_is_there_can_be_pinned(void **state) {
    struct place *place = *state;
    struct blob first, second;
    assert_int_equal(blob_pin(place->store, TEXT(ABC_HASH), &second), ERR_NOT_FOUND);
    assert_int_equal(blob_put_bytes(place->store, TEXT("abc"), NO_LIMIT, &first, NULL), OK);
    blob_unpin(place->store, &first);
    assert_int_equal(blob_pin(place->store, TEXT(ABC_HASH), &second), OK);
    assert_int_equal(second.size, 3);
    assert_string_equal(second.hash, ABC_HASH);
    assert_string_equal(second.media_type, "text/plain");
    assert_int_equal(blob_remove(place->store, TEXT(ABC_HASH)), ERR_BUSY);
    blob_unpin(place->store, &second);
    assert_int_equal(blob_remove(place->store, TEXT(ABC_HASH)), OK);
    assert_int_equal(blob_pin(place->store, TEXT(ABC_HASH), &second), ERR_NOT_FOUND);
}

static void a_second_put_touches_and_mends(void **state) {
    struct place *place = *state;
    struct blob blob;
    struct stat status;
    char *path = path_in(place, "ba/7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    assert_int_equal(blob_put_bytes(place->store, TEXT("abc"), NO_LIMIT, &blob, NULL), OK);
    blob_unpin(place->store, &blob);
    assert_int_equal(stat(path, &status), 0);
    ino_t file = status.st_ino;
    const struct timespec old[2] = { { .tv_sec = 1000 }, { .tv_sec = 1000 } };
    assert_int_equal(utimensat(AT_FDCWD, path, old, 0), 0);

    assert_int_equal(blob_put_bytes(place->store, TEXT("abc"), NO_LIMIT, &blob, NULL), OK);
    blob_unpin(place->store, &blob);
    assert_int_equal(stat(path, &status), 0);
    assert_int_equal(status.st_ino, file);
    assert_true(status.st_mtime > 1000);

    write_file(path, TEXT("a"));
    assert_int_equal(blob_put_bytes(place->store, TEXT("abc"), NO_LIMIT, &blob, NULL), OK);
    blob_unpin(place->store, &blob);
    assert_stored(place->store, ABC_HASH, TEXT("abc"));
    free(path);
}

/* A file of the right length under the right name is not believed: neither one that fits into memory nor a longer one, with
 * a wrong byte anywhere. */
static void a_second_put_looks_at_the_bytes(void **state) {
    struct place *place = *state;
    static const size_t sizes[] = { 100, 4097, 65536, 300000 };
    for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
        char *bytes = pattern(sizes[i]), name[80];
        const struct text whole = { bytes, sizes[i] };
        struct blob blob;
        struct stat before, after;
        assert_int_equal(blob_put_bytes(place->store, whole, NO_LIMIT, &blob, NULL), OK);
        blob_unpin(place->store, &blob);
        snprintf(name, sizeof name, "%.2s/%.62s", blob.hash, blob.hash + 2);
        char *path = path_in(place, name);
        assert_int_equal(stat(path, &before), 0);
        assert_int_equal(blob_put_bytes(place->store, whole, NO_LIMIT, &blob, NULL), OK);
        blob_unpin(place->store, &blob);
        assert_int_equal(stat(path, &after), 0);
        assert_int_equal(before.st_ino, after.st_ino);
        const size_t wrong[] = { 0, sizes[i] / 2, sizes[i] - 1 };
        for (size_t j = 0; j < ARRAY_SIZE(wrong); j++) {
            bytes[wrong[j]] ^= 1;
            write_file(path, whole);
            bytes[wrong[j]] ^= 1;
            assert_int_equal(blob_put_bytes(place->store, whole, NO_LIMIT, &blob, NULL), OK);
            blob_unpin(place->store, &blob);
            assert_stored(place->store, blob.hash, whole);
        }
        assert_int_equal(temporary_count(place), 0);
        free(path);
        free(bytes);
    }
}

struct question {
    bool claimed;
    enum err err;
    int asked;
};

static enum err answer_question(struct text hash, bool *ret, void *context) {
    struct question *question = context;
    assert_true(text_equal(hash, TEXT(ABC_HASH)));
    question->asked++;
    *ret = question->claimed;
    return question->err;
}

static void the_sweepers_removal_asks_first(void **state) {
    struct place *place = *state;
    struct blob blob;
    struct question question = { .claimed = false };
    assert_int_equal(blob_put_bytes(place->store, TEXT("abc"), NO_LIMIT, &blob, NULL), OK);
    assert_int_equal(blob_remove_unless(place->store, TEXT(ABC_HASH), answer_question, &question), ERR_BUSY);
    assert_int_equal(question.asked, 0);
    blob_unpin(place->store, &blob);
    question.claimed = true;
    assert_int_equal(blob_remove_unless(place->store, TEXT(ABC_HASH), answer_question, &question), ERR_BUSY);
    question.err = ERR_IO;
    question.claimed = false;
    assert_int_equal(blob_remove_unless(place->store, TEXT(ABC_HASH), answer_question, &question), ERR_IO);
    assert_int_equal(stored_count(place->store), 1);
    question.err = OK;
    assert_int_equal(blob_remove_unless(place->store, TEXT(ABC_HASH), answer_question, &question), OK);
    assert_int_equal(stored_count(place->store), 0);
    assert_int_equal(question.asked, 3);
}

static void strange_hashes_are_not_found(void **state) {
    struct place *place = *state;
    static const char *const hashes[] = { "", "ab", "../../../etc/passwd",
        "BA7816BF8F01CFEA414140DE5DAE2223B00361A396177A9CB410FF61F20015AD", ABC_HASH "0",
        "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015a",
        "../6bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad00" };
    for (size_t i = 0; i < ARRAY_SIZE(hashes); i++) {
        int fd;
        int64_t size;
        assert_int_equal(blob_open_fd(place->store, text_of(hashes[i]), &fd, &size), ERR_NOT_FOUND);
        assert_int_equal(blob_remove(place->store, text_of(hashes[i])), ERR_NOT_FOUND);
    }
}

static void opening_clears_half_written_files_but_not_a_neighbours(void **state) {
    struct place *place = *state;
    struct blob_store *neighbour;
    char *stale = path_in(place, "tmp/stale");
    write_file(stale, TEXT("half"));
    assert_int_equal(blob_open(place->directory, &neighbour, NULL), OK); /* the first one is open: hands off */
    assert_int_equal(temporary_count(place), 1);
    blob_close(neighbour);
    blob_close(place->store);
    assert_int_equal(blob_open(place->directory, &place->store, NULL), OK);
    assert_int_equal(temporary_count(place), 0);
    free(stale);
}

static void opening_makes_parents_and_names_what_fails(void **state) {
    struct place *place = *state;
    struct blob_store *store = NULL;
    struct fault fault = { 0 };
    char *deep = path_in(place, "x/y/z"), *file = path_in(place, "file"), *below = path_in(place, "file/blobs");
    assert_int_equal(blob_open(deep, &store, &fault), OK);
    blob_close(store);
    store = NULL;
    write_file(file, TEXT("not a directory"));
    assert_int_equal(blob_open(file, &store, &fault), ERR_IO);
    assert_non_null(strstr(fault.message, file));
    assert_int_equal(blob_open(below, &store, &fault), ERR_IO);
    assert_int_equal(blob_open("", &store, &fault), ERR_CONFIG);
    assert_null(store);
    blob_close(NULL);
    free(deep), free(file), free(below);
}

static bool stop_at_once(const char *hash, void *context) {
    (void)hash;
    ++*(int *)context;
    return false;
}

static void the_walk_sees_blobs_only_and_can_stop(void **state) {
    struct place *place = *state;
    int seen = 0;
    for (int i = 0; i < 50; i++) {
        char bytes[32];
        struct blob blob;
        snprintf(bytes, sizeof bytes, "blob %d", i);
        assert_int_equal(blob_put_bytes(place->store, text_of(bytes), NO_LIMIT, &blob, NULL), OK);
        blob_unpin(place->store, &blob);
    }
    char *stray = path_in(place, "ab/stray");
    write_file(stray, TEXT("x"));
    assert_int_equal(stored_count(place->store), 50);
    assert_int_equal(blob_each(place->store, stop_at_once, &seen), OK);
    assert_int_equal(seen, 1);
    free(stray);
}

/* The limit on a file's size stands in for a disk that fills up while a blob is written. */
static void assert_write_fails(struct place *place, size_t size, rlim_t limit) {
    struct rlimit before, small;
    struct blob blob;
    struct fault fault = { 0 };
    char *bytes = pattern(size);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    small = before;
    small.rlim_cur = limit;
    void (*old)(int) = signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    enum err err = blob_put_bytes(place->store, (struct text){ bytes, size }, NO_LIMIT, &blob, &fault);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    signal(SIGXFSZ, old);
    assert_int_equal(err, ERR_IO);
    assert_non_null(strstr(fault.message, "write"));
    assert_int_equal(temporary_count(place), 0);
    assert_int_equal(stored_count(place->store), 0);
    free(bytes);
}

static void a_write_that_fails_is_told_and_leaves_nothing(void **state) {
    struct place *place = *state;
    assert_write_fails(place, 300000, 100000);
    assert_write_fails(place, 3000, 1000);
}

/* While one writer's landing fails, another brought the same blob, and its row is committed: its file must stay. */
static void a_late_failure_takes_no_file_that_others_brought(void **state) {
    struct place *place = *state;
    struct blob blob;
    bool alone;
    blob_pin_landing(place->store, ABC_HASH, &alone);
    assert_true(alone);
    assert_int_equal(blob_put_bytes(place->store, TEXT("abc"), NO_LIMIT, &blob, NULL), OK);
    blob_unpin(place->store, &blob);
    blob_landed(place->store, ABC_HASH, false, true);
    assert_stored(place->store, ABC_HASH, TEXT("abc"));
}

#define THREADS 6
#define ROUNDS 60

/* Puts the same few blobs over and over; each must be there as long as it is pinned, whatever the others sweep. */
static void *put_and_sweep(void *context) {
    struct blob_store *store = context;
    for (int i = 0; i < ROUNDS; i++) {
        char bytes[16];
        struct blob blob;
        int fd;
        int64_t size;
        snprintf(bytes, sizeof bytes, "shared %d", i % 3);
        if (blob_put_bytes(store, text_of(bytes), NO_LIMIT, &blob, NULL) != OK) {
            return "put failed";
        }
        enum err removed = blob_remove(store, text_of(blob.hash));
        if (removed != ERR_BUSY) {
            return "a pinned blob was removed";
        }
        if (blob_open_fd(store, text_of(blob.hash), &fd, &size) != OK) {
            return "a pinned blob is gone";
        }
        close(fd);
        blob_unpin(store, &blob);
        removed = blob_remove(store, text_of(blob.hash));
        if (removed != OK && removed != ERR_BUSY) {
            return "a removal failed";
        }
    }
    return NULL;
}

static void threads_share_blobs_and_pins(void **state) {
    struct place *place = *state;
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, put_and_sweep, place->store), 0);
    }
    for (int i = 0; i < THREADS; i++) {
        void *complaint = NULL;
        pthread_join(threads[i], &complaint);
        if (complaint != NULL) {
            fail_msg("%s", (char *)complaint);
        }
    }
    assert_int_equal(temporary_count(place), 0);
    assert_int_equal(stored_count(place->store), 0);
}

int run_blob_tests(void) {
#define IN_A_DIRECTORY(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        IN_A_DIRECTORY(bytes_come_back_under_their_hash),
        IN_A_DIRECTORY(streaming_in_pieces_makes_the_same_blob),
        IN_A_DIRECTORY(too_large_and_empty_are_refused_and_leave_nothing),
        IN_A_DIRECTORY(an_aborted_writer_leaves_nothing),
        IN_A_DIRECTORY(pins_are_counted),
        IN_A_DIRECTORY(what_is_there_can_be_pinned),
        IN_A_DIRECTORY(a_second_put_touches_and_mends),
        IN_A_DIRECTORY(a_second_put_looks_at_the_bytes),
        IN_A_DIRECTORY(the_sweepers_removal_asks_first),
        IN_A_DIRECTORY(strange_hashes_are_not_found),
        IN_A_DIRECTORY(opening_clears_half_written_files_but_not_a_neighbours),
        IN_A_DIRECTORY(opening_makes_parents_and_names_what_fails),
        IN_A_DIRECTORY(the_walk_sees_blobs_only_and_can_stop),
        IN_A_DIRECTORY(a_write_that_fails_is_told_and_leaves_nothing),
        IN_A_DIRECTORY(a_late_failure_takes_no_file_that_others_brought),
        IN_A_DIRECTORY(threads_share_blobs_and_pins),
    };
    return cmocka_run_group_tests_name("blob", tests, NULL, NULL);
}
