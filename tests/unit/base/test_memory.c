/* Small allocations: zeroed, never NULL, grown with their contents. */
#include "base/memory.h"

#include <stdlib.h>

#include "tests.h"

static void new_memory_is_zeroed(void **state) {
    (void)state;
    unsigned char *bytes = mem_new(1000), *array = mem_new_array(10, 100);
    for (int i = 0; i < 1000; i++) {
        assert_int_equal(bytes[i], 0);
        assert_int_equal(array[i], 0);
    }
    free(bytes);
    free(array);
}

static void nothing_is_still_something(void **state) {
    (void)state;
    void *none = mem_new(0), *no_array = mem_new_array(0, 8), *no_size = mem_new_array(8, 0);
    assert_non_null(none);
    assert_non_null(no_array);
    assert_non_null(no_size);
    none = mem_grow(none, 0);
    assert_non_null(none);
    free(none);
    free(no_array);
    free(no_size);
}

static void a_table_is_zeroed_and_writable_to_its_end(void **state) {
    (void)state;
    const size_t size = 1000001;
    unsigned char *table = mem_table(size);
    for (size_t i = 0; i < size; i++) {
        assert_int_equal(table[i], 0);
    }
    table[0] = table[size - 1] = 1;
    mem_table_free(table, size);
    mem_table_free(NULL, size);
}

static void lines_are_whole_and_zeroed(void **state) {
    (void)state;
    for (size_t size = 0; size < 3 * CACHE_LINE; size++) {
        unsigned char *lines = mem_new_lines(1, size);
        size_t whole = (size + CACHE_LINE - 1) / CACHE_LINE * CACHE_LINE;
        assert_int_equal((uintptr_t)lines % CACHE_LINE, 0);
        for (size_t i = 0; i < whole; i++) {
            assert_int_equal(lines[i], 0);
            lines[i] = 1; /* to the end of the last line */
        }
        free(lines);
    }
}

static bool thrifty;

static void be_thrifty(bool thrift) {
    thrifty = thrift;
}

static void thrift_is_the_allocators_affair(void **state) {
    (void)state;
    mem_thrift(true); /* nobody has said how: no effect */
    mem_set_thrift(be_thrifty);
    mem_thrift(true);
    assert_true(thrifty);
    mem_thrift(false);
    assert_false(thrifty);
    mem_set_thrift(NULL);
}

static void growing_keeps_the_contents(void **state) {
    (void)state;
    char *string = mem_string("kept");
    string = mem_grow(string, 100000);
    assert_string_equal(string, "kept");
    free(string);
}

static void what_a_library_grows_keeps_its_contents(void **state) {
    (void)state;
    char *string = mem_grow_library(mem_string("kept"), MEM_SMALL_MAX);
    assert_string_equal(string, "kept");
    string = mem_grow_library(string, MEM_SMALL_MAX + 1);
    assert_string_equal(string, "kept");
    free(string);
}

static void scoped_memory_is_freed(void **state) {
    (void)state;
    scoped(mem_free_pointer) char *string = mem_string("the leak checker watches this");
    scoped(mem_free_pointer) int *nothing = NULL;
    assert_non_null(string);
    assert_null(nothing);
}

int test_memory(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(new_memory_is_zeroed),
        cmocka_unit_test(nothing_is_still_something),
        cmocka_unit_test(a_table_is_zeroed_and_writable_to_its_end),
        cmocka_unit_test(lines_are_whole_and_zeroed),
        cmocka_unit_test(thrift_is_the_allocators_affair),
        cmocka_unit_test(growing_keeps_the_contents),
        cmocka_unit_test(what_a_library_grows_keeps_its_contents),
        cmocka_unit_test(scoped_memory_is_freed),
    };
    return cmocka_run_group_tests_name("base/memory", tests, NULL, NULL);
}
