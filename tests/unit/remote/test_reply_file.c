/* Binary replies from their first byte to their place. */
#include "remote/reply_file.h"

#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "trial.h"

static char place[] = "/tmp/fennec-reply-XXXXXX", directory[64];

static int make_places(void **state) {
    (void)state;
    if (mkdtemp(place) == NULL)
        return -1;
    snprintf(directory, sizeof(directory), "%s/attempt", place);
    return mkdir(directory, 0700);
}

static int remove_places(void **state) {
    (void)state;
    char path[96];
    for (unsigned i = 1; i <= 2; i++) {
        snprintf(path, sizeof(path), "%s/reply-%u", directory, i);
        (void)unlink(path);
    }
    return rmdir(directory) == 0 && rmdir(place) == 0 ? 0 : -1;
}

static void assert_holds(const char *name, const char *bytes) {
    char path[96], got[64] = "";
    snprintf(path, sizeof(path), "%s/%s", directory, name);
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    assert_int_equal(fread(got, 1, sizeof(got) - 1, file), strlen(bytes));
    fclose(file);
    assert_string_equal(got, bytes);
}

static void each_gets_a_name_of_its_own(void **state) {
    (void)state;
    static const char *const names[] = { "reply-1", "reply-2" };
    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        struct reply_file file;
        char name[REPLY_FILE_NAME_SIZE];
        reply_file_init(&file, place);
        assert_int_equal(reply_file_write(&file, "ab", 2), OK);
        assert_int_equal(reply_file_write(&file, names[i], 7), OK);
        assert_int_equal(reply_file_hand_over(&file, directory, name), OK);
        assert_string_equal(name, names[i]);
        reply_file_fini(&file);
    }
    assert_holds("reply-1", "abreply-1");
    assert_holds("reply-2", "abreply-2");
}

static void what_is_nobodys_goes(void **state) {
    (void)state;
    struct reply_file file, none;
    char name[REPLY_FILE_NAME_SIZE];
    reply_file_init(&file, place);
    assert_int_equal(reply_file_write(&file, "x", 1), OK);
    assert_int_equal(reply_file_hand_over(&file, "/nowhere/at/all", name), ERR_IO);
    assert_int_equal(access(file.path, F_OK), 0); /* another directory could still have it */
    char path[96];
    snprintf(path, sizeof(path), "%s", file.path);
    reply_file_fini(&file);
    assert_int_not_equal(access(path, F_OK), 0);
    reply_file_init(&none, "/nowhere/at/all");
    assert_int_equal(reply_file_write(&none, "x", 1), ERR_IO);
    reply_file_fini(&none);
}

int test_reply_file(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_gets_a_name_of_its_own),
        cmocka_unit_test(what_is_nobodys_goes),
    };
    return cmocka_run_group_tests_name("reply_file", tests, make_places, remove_places);
}
