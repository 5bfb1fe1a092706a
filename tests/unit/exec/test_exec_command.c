/* Where commands are found, and that a name leads nowhere else. */
#include "provider/exec/command.h"

#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "config/config.h"
#include "tests.h"

static void names_are_found_or_refused(void **state) {
    (void)state;
    static const struct {
        const char *name;
        bool found;
    } cases[] = {
        { "success", true },  { "not-there", false },         { "", false },         { ".", false },    { "..", false },
        { "../commands/success", false }, { "./success", false }, { "/bin/sh", true }, { "/bin", false }, { "/etc/passwd", false },
    };
    struct config config = { .libexec = TEST_COMMANDS };
    struct buffer scoped(buffer_fini) path;
    buffer_init(&path, PATH_MAX);
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        assert_int_equal(exec_find_command(&config, cases[i].name, &path), cases[i].found);
        if (cases[i].found) {
            assert_int_equal(path.data[0], '/');
        }
    }
}

static void without_a_setting_the_binary_s_neighbourhood_is_searched(void **state) {
    (void)state;
    struct config config = { .libexec = NULL };
    struct buffer scoped(buffer_fini) path;
    buffer_init(&path, PATH_MAX);
    assert_false(exec_find_command(&config, "surely-not-there", &path));
    assert_true(text_ends(buffer_text(&path), TEXT("../libexec/surely-not-there")));
}

int test_exec_command(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_are_found_or_refused),
        cmocka_unit_test(without_a_setting_the_binary_s_neighbourhood_is_searched),
    };
    return cmocka_run_group_tests_name("exec command", tests, NULL, NULL);
}
