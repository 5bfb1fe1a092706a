/* Small files that lie elsewhere: given away by a writer, found by whoever asks the store. */
#include "tests.h"

#include <fcntl.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/memory.h"
#include "place.h"

#define ABC_HASH "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
#define NO_LIMIT INT64_MAX

struct shelf {
    struct place place;
    enum err err; /* what the finder says */
    struct text bytes;
    unsigned asked;
};

static enum err find(void *context, struct text hash, struct buffer *ret) {
    struct shelf *shelf = context;
    shelf->asked++;
    if (shelf->err == OK && !text_equal(hash, TEXT(ABC_HASH))) {
        return ERR_NOT_FOUND;
    }
    buffer_put(ret, shelf->bytes);
    return shelf->err != OK ? shelf->err : buffer_ok(ret) ? OK : ERR_NO_MEMORY;
}

static int set_up(void **state) {
    struct shelf *shelf = mem_new(sizeof *shelf);
    place_open(&shelf->place);
    blob_set_small(shelf->place.store, find, shelf);
    shelf->bytes = TEXT("abc");
    *state = shelf;
    return 0;
}

static int tear_down(void **state) {
    struct shelf *shelf = *state;
    place_close(&shelf->place);
    free(shelf);
    return 0;
}

static struct blob_writer *writer_with(struct shelf *shelf, struct text bytes) {
    struct blob_writer *writer;
    assert_int_equal(blob_writer_new(shelf->place.store, NO_LIMIT, &writer, NULL), OK);
    assert_int_equal(blob_write(writer, bytes.ptr, bytes.len), OK);
    return writer;
}

static void what_is_small_is_given_away(void **state) {
    struct shelf *shelf = *state;
    struct blob blob;
    struct blob_writer *writer = writer_with(shelf, TEXT("abc"));
    assert_true(blob_is_small(writer, 3));
    assert_int_equal(blob_finish_small(writer, 3, &blob, NULL), OK);
    assert_string_equal(blob.hash, ABC_HASH);
    assert_string_equal(blob.media_type, "text/plain");
    assert_true(text_equal(blob_bytes(&blob), TEXT("abc")));
    assert_int_equal(stored_count(shelf->place.store), 0);
    blob_unpin(shelf->place.store, &blob);
    assert_null(blob.bytes);
}

static void what_is_larger_is_stored(void **state) {
    struct shelf *shelf = *state;
    struct blob blob;
    struct blob_writer *writer = writer_with(shelf, TEXT("abc"));
    assert_false(blob_is_small(writer, 2));
    assert_int_equal(blob_finish_small(writer, 2, &blob, NULL), OK);
    assert_null(blob.bytes);
    assert_null(blob_bytes(&blob).ptr);
    assert_int_equal(stored_count(shelf->place.store), 1);
    blob_unpin(shelf->place.store, &blob);
}

/* However large a small one may be: what a writer could not keep in memory is a file. */
static void what_has_left_memory_is_stored(void **state) {
    struct shelf *shelf = *state;
    struct blob blob;
    char *bytes = mem_new(BLOB_SMALL_MAX + 1);
    struct blob_writer *writer = writer_with(shelf, (struct text){ bytes, BLOB_SMALL_MAX + 1 });
    assert_false(blob_is_small(writer, NO_LIMIT));
    assert_int_equal(blob_finish_small(writer, NO_LIMIT, &blob, NULL), OK);
    assert_null(blob.bytes);
    blob_unpin(shelf->place.store, &blob);
    free(bytes);
}

static void nothing_is_no_small_file(void **state) {
    struct shelf *shelf = *state;
    struct blob blob;
    struct blob_writer *writer;
    assert_int_equal(blob_writer_new(shelf->place.store, NO_LIMIT, &writer, NULL), OK);
    assert_int_equal(blob_finish_small(writer, 100, &blob, NULL), ERR_FETCH);
}

static void it_reads_like_a_file(void **state) {
    struct shelf *shelf = *state;
    int fd;
    int64_t size;
    char bytes[8];
    assert_int_equal(blob_open_fd(shelf->place.store, TEXT(ABC_HASH), &fd, &size), OK);
    assert_int_equal(size, 3);
    assert_int_equal(read(fd, bytes, sizeof bytes), 3);
    assert_memory_equal(bytes, "abc", 3);
    assert_int_equal(pread(fd, bytes, sizeof bytes, 1), 2);
    assert_memory_equal(bytes, "bc", 2);
    assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
    close(fd);
}

static void a_pin_is_a_copy(void **state) {
    struct shelf *shelf = *state;
    struct blob blob;
    assert_int_equal(blob_pin(shelf->place.store, TEXT(ABC_HASH), &blob), OK);
    shelf->err = ERR_NOT_FOUND;
    assert_string_equal(blob.hash, ABC_HASH);
    assert_string_equal(blob.media_type, "text/plain");
    assert_true(text_equal(blob_bytes(&blob), TEXT("abc")));
    assert_int_equal(blob_remove(shelf->place.store, TEXT(ABC_HASH)), OK); /* nothing in the store is pinned */
    blob_unpin(shelf->place.store, &blob);
    assert_int_equal(blob_pin(shelf->place.store, TEXT(ABC_HASH), &blob), ERR_NOT_FOUND);
}

static void a_file_comes_first(void **state) {
    struct shelf *shelf = *state;
    struct blob stored, pinned;
    int fd;
    int64_t size;
    assert_int_equal(blob_put_bytes(shelf->place.store, TEXT("abc"), NO_LIMIT, &stored, NULL), OK);
    assert_int_equal(blob_open_fd(shelf->place.store, TEXT(ABC_HASH), &fd, &size), OK);
    close(fd);
    assert_int_equal(blob_pin(shelf->place.store, TEXT(ABC_HASH), &pinned), OK);
    assert_null(pinned.bytes);
    assert_int_equal(shelf->asked, 0);
    blob_unpin(shelf->place.store, &pinned);
    blob_unpin(shelf->place.store, &stored);
}

static void what_the_finder_says_is_passed_on(void **state) {
    struct shelf *shelf = *state;
    struct blob blob;
    int fd;
    int64_t size;
    static char large[BLOB_SMALL_MAX + 1];
    assert_int_equal(blob_open_fd(shelf->place.store, TEXT("not a hash"), &fd, &size), ERR_NOT_FOUND);
    assert_int_equal(shelf->asked, 0);
    shelf->err = ERR_IO;
    assert_int_equal(blob_open_fd(shelf->place.store, TEXT(ABC_HASH), &fd, &size), ERR_IO);
    assert_int_equal(blob_pin(shelf->place.store, TEXT(ABC_HASH), &blob), ERR_IO);
    shelf->err = OK;
    shelf->bytes = (struct text){ large, sizeof large };
    assert_int_equal(blob_open_fd(shelf->place.store, TEXT(ABC_HASH), &fd, &size), ERR_NO_MEMORY);
    blob_set_small(shelf->place.store, NULL, NULL);
    assert_int_equal(blob_open_fd(shelf->place.store, TEXT(ABC_HASH), &fd, &size), ERR_NOT_FOUND);
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
