/* Small files that lie elsewhere: given away by a writer, found by whoever asks the store. */
#include "tests.h"

#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/memory.h"
#include "blob/blob.h"

#define ABC_HASH "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
#define NO_LIMIT INT64_MAX

struct place {
    char directory[64];
    struct blob_store *store;
    enum err err; /* what the finder says */
    struct text bytes;
    unsigned asked;
};

static enum err find(void *context, struct text hash, struct buffer *ret) {
    struct place *place = context;
    place->asked++;
    if (place->err == OK && !text_equal(hash, TEXT(ABC_HASH))) {
        return ERR_NOT_FOUND;
    }
    buffer_put(ret, place->bytes);
    return place->err != OK ? place->err : buffer_ok(ret) ? OK : ERR_NO_MEMORY;
}

static int set_up(void **state) {
    struct place *place = mem_new(sizeof *place);
    snprintf(place->directory, sizeof place->directory, "/tmp/test-small-XXXXXX");
    assert_non_null(mkdtemp(place->directory));
    assert_int_equal(blob_open(place->directory, &place->store, NULL), OK);
    blob_set_small(place->store, find, place);
    place->bytes = TEXT("abc");
    *state = place;
    return 0;
}

static int remove_entry(const char *path, const struct stat *status, int kind, struct FTW *walk) {
    (void)status, (void)kind, (void)walk;
    return remove(path);
}

static int tear_down(void **state) {
    struct place *place = *state;
    blob_close(place->store);
    nftw(place->directory, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
    free(place);
    return 0;
}

static bool count_one(const char *hash, void *context) {
    (void)hash;
    ++*(int *)context;
    return true;
}

static int stored_count(struct blob_store *store) {
    int count = 0;
    assert_int_equal(blob_each(store, count_one, &count), OK);
    return count;
}

static struct blob_writer *writer_with(struct place *place, struct text bytes) {
    struct blob_writer *writer;
    assert_int_equal(blob_writer_new(place->store, NO_LIMIT, &writer, NULL), OK);
    assert_int_equal(blob_write(writer, bytes.ptr, bytes.len), OK);
    return writer;
}

static void what_is_small_is_given_away(void **state) {
    struct place *place = *state;
    struct blob blob;
    struct blob_writer *writer = writer_with(place, TEXT("abc"));
    assert_true(blob_is_small(writer, 3));
    assert_int_equal(blob_finish_small(writer, 3, &blob, NULL), OK);
    assert_string_equal(blob.hash, ABC_HASH);
    assert_string_equal(blob.media_type, "text/plain");
    assert_true(text_equal(blob_bytes(&blob), TEXT("abc")));
    assert_int_equal(stored_count(place->store), 0);
    blob_unpin(place->store, &blob);
    assert_null(blob.bytes);
}

static void what_is_larger_is_stored(void **state) {
    struct place *place = *state;
    struct blob blob;
    struct blob_writer *writer = writer_with(place, TEXT("abc"));
    assert_false(blob_is_small(writer, 2));
    assert_int_equal(blob_finish_small(writer, 2, &blob, NULL), OK);
    assert_null(blob.bytes);
    assert_null(blob_bytes(&blob).ptr);
    assert_int_equal(stored_count(place->store), 1);
    blob_unpin(place->store, &blob);
}

/* However large a small one may be: what a writer could not keep in memory is a file. */
static void what_has_left_memory_is_stored(void **state) {
    struct place *place = *state;
    struct blob blob;
    char *bytes = mem_new(BLOB_SMALL_MAX + 1);
    struct blob_writer *writer = writer_with(place, (struct text){ bytes, BLOB_SMALL_MAX + 1 });
    assert_false(blob_is_small(writer, NO_LIMIT));
    assert_int_equal(blob_finish_small(writer, NO_LIMIT, &blob, NULL), OK);
    assert_null(blob.bytes);
    blob_unpin(place->store, &blob);
    free(bytes);
}

static void nothing_is_no_small_file(void **state) {
    struct place *place = *state;
    struct blob blob;
    struct blob_writer *writer;
    assert_int_equal(blob_writer_new(place->store, NO_LIMIT, &writer, NULL), OK);
    assert_int_equal(blob_finish_small(writer, 100, &blob, NULL), ERR_FETCH);
}

static void it_reads_like_a_file(void **state) {
    struct place *place = *state;
    int fd;
    int64_t size;
    char bytes[8];
    assert_int_equal(blob_open_fd(place->store, TEXT(ABC_HASH), &fd, &size), OK);
    assert_int_equal(size, 3);
    assert_int_equal(read(fd, bytes, sizeof bytes), 3);
    assert_memory_equal(bytes, "abc", 3);
    assert_int_equal(pread(fd, bytes, sizeof bytes, 1), 2);
    assert_memory_equal(bytes, "bc", 2);
    assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
    close(fd);
}

static void a_pin_is_a_copy(void **state) {
    struct place *place = *state;
    struct blob blob;
    assert_int_equal(blob_pin(place->store, TEXT(ABC_HASH), &blob), OK);
    place->err = ERR_NOT_FOUND;
    assert_string_equal(blob.hash, ABC_HASH);
    assert_string_equal(blob.media_type, "text/plain");
    assert_true(text_equal(blob_bytes(&blob), TEXT("abc")));
    assert_int_equal(blob_remove(place->store, TEXT(ABC_HASH)), OK); /* nothing in the store is pinned */
    blob_unpin(place->store, &blob);
    assert_int_equal(blob_pin(place->store, TEXT(ABC_HASH), &blob), ERR_NOT_FOUND);
}

static void a_file_comes_first(void **state) {
    struct place *place = *state;
    struct blob stored, pinned;
    int fd;
    int64_t size;
    assert_int_equal(blob_put_bytes(place->store, TEXT("abc"), NO_LIMIT, &stored, NULL), OK);
    assert_int_equal(blob_open_fd(place->store, TEXT(ABC_HASH), &fd, &size), OK);
    close(fd);
    assert_int_equal(blob_pin(place->store, TEXT(ABC_HASH), &pinned), OK);
    assert_null(pinned.bytes);
    assert_int_equal(place->asked, 0);
    blob_unpin(place->store, &pinned);
    blob_unpin(place->store, &stored);
}

static void what_the_finder_says_is_passed_on(void **state) {
    struct place *place = *state;
    struct blob blob;
    int fd;
    int64_t size;
    static char large[BLOB_SMALL_MAX + 1];
    assert_int_equal(blob_open_fd(place->store, TEXT("not a hash"), &fd, &size), ERR_NOT_FOUND);
    assert_int_equal(place->asked, 0);
    place->err = ERR_IO;
    assert_int_equal(blob_open_fd(place->store, TEXT(ABC_HASH), &fd, &size), ERR_IO);
    assert_int_equal(blob_pin(place->store, TEXT(ABC_HASH), &blob), ERR_IO);
    place->err = OK;
    place->bytes = (struct text){ large, sizeof large };
    assert_int_equal(blob_open_fd(place->store, TEXT(ABC_HASH), &fd, &size), ERR_NO_MEMORY);
    blob_set_small(place->store, NULL, NULL);
    assert_int_equal(blob_open_fd(place->store, TEXT(ABC_HASH), &fd, &size), ERR_NOT_FOUND);
}

int run_small_tests(void) {
#define IN_PLACE(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        IN_PLACE(what_is_small_is_given_away),    IN_PLACE(what_is_larger_is_stored),
        IN_PLACE(what_has_left_memory_is_stored), IN_PLACE(nothing_is_no_small_file),
        IN_PLACE(it_reads_like_a_file),           IN_PLACE(a_pin_is_a_copy),
        IN_PLACE(a_file_comes_first),             IN_PLACE(what_the_finder_says_is_passed_on),
    };
    return cmocka_run_group_tests_name("small files", tests, NULL, NULL);
}
