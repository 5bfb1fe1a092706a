/* File names of strangers made harmless. */
#include "tests.h"

#include <string.h>

#include "blob/file_name.h"

static void names(void **state) {
    (void)state;
    static const struct {
        struct text name;
        const char *clean;
    } cases[] = {
        { TEXT("a.png"), "a.png" },
        { TEXT("my file (1).png"), "my file (1).png" },
        { TEXT("/etc/passwd"), "passwd" },
        { TEXT("../../x"), "x" },
        { TEXT("C:\\dir\\x.png"), "x.png" },
        { TEXT("dir/"), "" },
        { TEXT("."), "" },
        { TEXT(".."), "" },
        { TEXT(".hidden"), "hidden" },
        { TEXT(" a. "), "a" },
        { TEXT("a\r\nb\0c\x7f.png"), "abc.png" },
        { TEXT("\xc2\x85"
               "a\xc2\xa0\xe2\x80\xae"
               "b\xe2\x81\xa6"), "a\xc2\xa0"
                                 "b" },
        { TEXT("\xe2\x80\x93.txt"), "\xe2\x80\x93.txt" },
        { TEXT("\xff.png"), "" },
        { TEXT("\xf0\x9f\xa6\x8a.png"), "\xf0\x9f\xa6\x8a.png" },
        { TEXT(""), "" },
        { TEXT_NONE, "" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char clean[FILE_NAME_SIZE];
        file_name_clean(cases[i].name, clean);
        assert_string_equal(clean, cases[i].clean);
    }
}

/* Of every length and with characters of every size, so that each cut falls inside of one. */
static void long_names_keep_their_ending(void **state) {
    static const char *const characters[] = { "x", "\xc3\xa9", "\xe2\x82\xac", "\xf0\x9f\xa6\x8a" };
    (void)state;
    for (size_t kind = 0; kind < 4; kind++) {
        for (size_t count = 1; count < 600; count++) {
            char name[4096], clean[FILE_NAME_SIZE];
            size_t size = strlen(characters[kind]), length = count * size;
            for (size_t i = 0; i < count; i++)
                memcpy(name + i * size, characters[kind], size);
            memcpy(name + length, ".jpeg", 5);
            file_name_clean((struct text){ name, length + 5 }, clean);
            size_t kept = strlen(clean);
            assert_true(kept < FILE_NAME_SIZE);
            assert_true(text_is_utf8(text_of(clean)));
            if (length + 5 < FILE_NAME_SIZE)
                assert_int_equal(kept, length + 5);
            else
                assert_true(kept > FILE_NAME_SIZE - 1 - 4);
            if (length + 5 < 4 * FILE_NAME_SIZE)
                assert_true(text_ends(text_of(clean), TEXT(".jpeg")));
        }
    }
}

/* Wherever the cut falls, what is left ends as names do. */
static void cut_names_end_well(void **state) {
    (void)state;
    for (size_t at = 1; at < FILE_NAME_SIZE; at++) {
        char name[2 * FILE_NAME_SIZE], clean[FILE_NAME_SIZE], again[FILE_NAME_SIZE];
        memset(name, 'x', sizeof(name));
        name[at] = at % 2 == 0 ? '.' : ' ';
        name[at - 1] = at % 3 == 0 ? '.' : 'x';
        file_name_clean((struct text){ name, sizeof(name) }, clean);
        assert_true(strlen(clean) > 0 && strchr(". ", clean[strlen(clean) - 1]) == NULL);
        file_name_clean(text_of(clean), again);
        assert_string_equal(again, clean);
    }
}

int run_file_name_tests(void) {
    const struct CMUnitTest tests[] = { cmocka_unit_test(names), cmocka_unit_test(long_names_keep_their_ending),
                                        cmocka_unit_test(cut_names_end_well) };
    return cmocka_run_group_tests_name("file name", tests, NULL, NULL);
}
