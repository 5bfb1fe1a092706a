/* The embedded files are those below lua/, whole and sorted. */
#include "script/embedded.h"

#include <stdlib.h>

#include "tests.h"

static void sorted_by_path(void **state) {
    (void)state;
    assert_true(embedded_file_count > 0);
    for (size_t i = 1; i < embedded_file_count; i++) {
        assert_true(strcmp(embedded_files[i - 1].path, embedded_files[i].path) < 0);
    }
}

static void same_as_on_disk(void **state) {
    (void)state;
    for (size_t i = 0; i < embedded_file_count; i++) {
        char path[512];
        snprintf(path, sizeof(path), "%s/%s", LUA_DIRECTORY, embedded_files[i].path);
        FILE *file = fopen(path, "rb");
        assert_non_null(file);
        struct text source = embedded_files[i].source;
        char *bytes = malloc(source.len + 1);
        assert_non_null(bytes);
        assert_int_equal(fread(bytes, 1, source.len + 1, file), source.len);
        assert_memory_equal(bytes, source.ptr, source.len);
        free(bytes);
        fclose(file);
    }
}

int test_embedded(void) {
    const struct CMUnitTest tests[] = { cmocka_unit_test(sorted_by_path), cmocka_unit_test(same_as_on_disk) };
    return cmocka_run_group_tests_name("embedded", tests, NULL, NULL);
}
