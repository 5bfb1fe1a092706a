/* Signed links: what we sign is accepted until its time, everything else is not ours. */
#include "tests.h"

#include "blob/link.h"

#define HASH "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
#define EXPIRES 1757251431

static const uint8_t secret[32] = { 1, 2, 3, 4, 5, 6, 7, 8 };
static const uint8_t other_secret[32] = { 1, 2, 3, 4, 5, 6, 7, 9 };

/* A fresh link, to be freed by the caller. */
static char *made(struct text name, int64_t expires_s) {
    struct buffer buf;
    buffer_init(&buf, 4096);
    link_put(&buf, secret, HASH, name, expires_s);
    char *made_link = buffer_take(&buf);
    assert_non_null(made_link);
    return made_link;
}

static enum err checked(struct text link, const uint8_t key[32], int64_t now_s, struct link *ret) {
    struct text query = link;
    struct text path = text_cut(&query, '?');
    return link_check(path, query, key, now_s, ret);
}

static void a_fresh_link_is_accepted_until_it_expires(void **state) {
    (void)state;
    char *string = made(TEXT("clip.mp4"), EXPIRES);
    struct link link;
    assert_true(text_starts(text_of(string), TEXT("/v1/artifacts/" HASH "/clip.mp4?expires=1757251431&signature=")));
    assert_int_equal(checked(text_of(string), secret, EXPIRES - 1, &link), OK);
    assert_string_equal(link.hash, HASH);
    assert_string_equal(link.name, "clip.mp4");
    assert_int_equal(link.expires_s, EXPIRES);

    memset(&link, 0, sizeof link);
    assert_int_equal(checked(text_of(string), secret, EXPIRES, &link), ERR_RESULT_EXPIRED);
    assert_string_equal(link.hash, HASH);
    assert_int_equal(checked(text_of(string), secret, EXPIRES + 1000000, &link), ERR_RESULT_EXPIRED);
    assert_int_equal(checked(text_of(string), other_secret, EXPIRES - 1, &link), ERR_FILE_NOT_FOUND);
    free(string);
}

static void no_link_ends_early(void **state) {
    (void)state;
    assert_int_equal(link_ends_s(5000, 1), 6);
    assert_int_equal(link_ends_s(5001, 1), 7);
    assert_int_equal(link_ends_s(5999, 1), 7);
}

static void every_single_bit_counts(void **state) {
    (void)state;
    char *string = made(TEXT("clip.mp4"), EXPIRES);
    size_t len = strlen(string);
    for (size_t bit = 0; bit < len * 8; bit++) {
        struct link link = { .expires_s = -1 };
        string[bit / 8] = (char)(string[bit / 8] ^ (1 << bit % 8));
        assert_int_equal(checked((struct text){ string, len }, secret, 0, &link), ERR_FILE_NOT_FOUND);
        assert_int_equal(link.expires_s, -1);
        string[bit / 8] = (char)(string[bit / 8] ^ (1 << bit % 8));
    }
    struct link link;
    assert_int_equal(checked((struct text){ string, len }, secret, 0, &link), OK);
    free(string);
}

static void every_truncation_and_addition_is_refused(void **state) {
    (void)state;
    char *string = made(TEXT("clip.mp4"), EXPIRES);
    size_t len = strlen(string);
    struct link link;
    for (size_t cut = 0; cut < len; cut++) {
        char *exact = text_dup((struct text){ string, cut });
        assert_int_equal(checked((struct text){ exact, cut }, secret, 0, &link), ERR_FILE_NOT_FOUND);
        free(exact);
    }
    for (int c = 0; c < 256; c++) {
        char longer[512];
        int size = snprintf(longer, sizeof longer, "%s%c", string, c);
        assert_int_equal(checked((struct text){ longer, (size_t)size }, secret, 0, &link), ERR_FILE_NOT_FOUND);
    }
    free(string);
}

static void the_query_has_one_form_only(void **state) {
    (void)state;
    char *string = made(TEXT("clip.mp4"), EXPIRES);
    struct text query = text_of(string);
    struct text path = text_cut(&query, '?');
    struct text signature = query;
    text_cut(&signature, '=');
    text_cut(&signature, '=');
    static const char *const forms[] = {
        "signature=%s&expires=1757251431",
        "expires=1757251431&expires=1757251431&signature=%s",
        "expires=1757251431&signature=%1$s&signature=%1$s",
        "expires=1757251431&signature=%s&x=1",
        "x=1&expires=1757251431&signature=%s",
        "expires=01757251431&signature=%s",
        "expires=+1757251431&signature=%s",
        "expires=1757251431 &signature=%s",
        "expires=%%31757251431&signature=%s",
        "expires=1757251432&signature=%s",
        "expires=99999999999999999999999&signature=%s",
        "expires=&signature=%s",
        "expires=1757251431&&signature=%s",
        "&expires=1757251431&signature=%s",
        "Expires=1757251431&signature=%s",
        "expires=1757251431;signature=%s",
        "expires=1757251431&signature=%s=",
        "expires=1757251431&signature=",
        "expires=1757251431",
        "",
    };
    for (size_t i = 0; i < ARRAY_SIZE(forms); i++) {
        char other[512];
        struct link link;
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
#pragma GCC diagnostic ignored "-Wformat-extra-args"
        snprintf(other, sizeof other, forms[i], signature.ptr);
#pragma GCC diagnostic pop
        assert_int_equal(link_check(path, text_of(other), secret, 0, &link), ERR_FILE_NOT_FOUND);
    }
    free(string);
}

static void foreign_paths_are_not_ours(void **state) {
    (void)state;
    static const char *const links[] = {
        "", "/", "/v1/artifacts/", "/v1/artifacts/" HASH, "/v1/artifacts/" HASH "/", "/v1/artifacts/../../etc/passwd",
        "/v1/artifacts/" HASH "/../x?expires=9&signature=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
        "/v1/artifacts/" HASH "/a/b?expires=9&signature=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
        "/v1/artifacts/" HASH "/a?expires=9&signature=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
        "/v1/tasks/" HASH "/a?expires=9&signature=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
    };
    struct link link;
    for (size_t i = 0; i < ARRAY_SIZE(links); i++) {
        assert_int_equal(checked(text_of(links[i]), secret, 0, &link), ERR_FILE_NOT_FOUND);
    }
}

static void names_become_harmless_and_still_work(void **state) {
    (void)state;
    char longest[400];
    memset(longest, 'n', sizeof longest);
    memcpy(longest + sizeof longest - 4, ".png", 4);
    static const struct {
        struct text name;
        const char *kept;
    } cases[] = {
        { TEXT("a-b_c.D9"), "a-b_c.D9" },
        { TEXT(""), "file" },
        { TEXT("."), "_" },
        { TEXT(".."), "_." },
        { TEXT("../../x"), "_._.._x" },
        { TEXT("a b?c&d=e#f%g\"h\\i\n\0j"), "a_b_c_d_e_f_g_h_i__j" },
        { TEXT("\xc3\xa4.png"), "__.png" },
    };
    struct link link;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        char *string = made(cases[i].name, EXPIRES);
        assert_int_equal(checked(text_of(string), secret, 0, &link), OK);
        assert_string_equal(link.name, cases[i].kept);
        free(string);
    }
    char *string = made((struct text){ longest, sizeof longest }, EXPIRES);
    assert_int_equal(checked(text_of(string), secret, 0, &link), OK);
    assert_int_equal(strlen(link.name), sizeof link.name - 1);
    assert_true(text_ends(text_of(link.name), TEXT("n.png")));
    free(string);
}

static void whole_urls_are_recognised_on_any_host(void **state) {
    (void)state;
    char *string = made(TEXT("clip.mp4"), EXPIRES);
    static const struct {
        const char *before, *after;
        enum err err;
    } cases[] = {
        { "https://media.example.com", "", OK },
        { "http://127.0.0.1:8080", "", OK },
        { "http://[::1]:8080", "", OK },
        { "", "", ERR_FILE_NOT_FOUND },
        { "ftp://h", "", ERR_FILE_NOT_FOUND },
        { "https://", "", ERR_FILE_NOT_FOUND },
        { "https://h/prefix", "", ERR_FILE_NOT_FOUND },
        { "https://h", "#fragment", ERR_FILE_NOT_FOUND },
        { "https://h", "&x=1", ERR_FILE_NOT_FOUND },
        { "https://h?", "", ERR_FILE_NOT_FOUND },
        { "https://h#", "", ERR_FILE_NOT_FOUND },
        { "https://user@h", "", ERR_FILE_NOT_FOUND },
        { "https://h\\", "", ERR_FILE_NOT_FOUND },
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        char url[512];
        struct link link;
        snprintf(url, sizeof url, "%s%s%s", cases[i].before, string, cases[i].after);
        assert_int_equal(link_check_url(text_of(url), secret, 0, &link), cases[i].err);
        if (cases[i].err == OK) {
            assert_int_equal(link_check_url(text_of(url), secret, EXPIRES, &link), ERR_RESULT_EXPIRED);
        }
    }
    free(string);
}

/* ---- uploaded files ---- */

static char *made_file_link(int64_t account, const struct file_id *id, struct text name) {
    struct buffer buf;
    buffer_init(&buf, 4096);
    file_link_put(&buf, secret, account, id, name, EXPIRES);
    char *link = buffer_take(&buf);
    assert_non_null(link);
    return link;
}

static enum err file_checked(const char *link, const uint8_t key[32], int64_t now_s, struct file_link *ret) {
    struct text query = text_of(link);
    struct text path = text_cut(&query, '?');
    return file_link_check(path, query, key, now_s, ret);
}

static void a_files_link_names_its_row(void **state) {
    (void)state;
    static const int64_t accounts[] = { 1, 2, 77, INT64_MAX };
    for (size_t i = 0; i < sizeof accounts / sizeof accounts[0]; i++) {
        struct file_id id;
        struct file_link link;
        file_id_new(&id, 1757165031);
        char *string = made_file_link(accounts[i], &id, TEXT("../my film.mp4"));
        char start[128];
        snprintf(start, sizeof start, "/v1/files/%s/content/_._my_film.mp4?owner=", id.string);
        assert_true(text_starts(text_of(string), text_of(start)));
        assert_int_equal(file_checked(string, secret, EXPIRES - 1, &link), OK);
        assert_int_equal(link.account, accounts[i]);
        assert_string_equal(link.id.string, id.string);
        assert_int_equal(link.expires_s, EXPIRES);
        assert_int_equal(file_checked(string, secret, EXPIRES, &link), ERR_RESULT_EXPIRED);
        assert_int_equal(file_checked(string, other_secret, 0, &link), ERR_FILE_NOT_FOUND);

        char url[1024];
        snprintf(url, sizeof url, "https://files.example.com:8443%s", string);
        assert_int_equal(file_link_check_url(text_of(url), secret, 0, &link), OK);
        assert_int_equal(link.account, accounts[i]);
        assert_int_equal(file_link_check_url(text_of(string), secret, 0, &link), ERR_FILE_NOT_FOUND);
        free(string);
    }
}

static void a_changed_files_link_is_none(void **state) {
    (void)state;
    struct file_id id;
    struct file_link link;
    file_id_new(&id, 1757165031);
    char *string = made_file_link(3, &id, TEXT("a.png"));
    for (size_t i = 0; i < strlen(string); i++) {
        char kept = string[i];
        for (int change = 1; change < 256; change <<= 1) {
            string[i] = (char)(kept ^ change);
            if (string[i] != '\0')
                assert_int_equal(file_checked(string, secret, 0, &link), ERR_FILE_NOT_FOUND);
        }
        string[i] = kept;
    }
    for (size_t length = 0; length < strlen(string); length++) {
        char *cut = strndup(string, length);
        assert_int_equal(file_checked(cut, secret, 0, &link), ERR_FILE_NOT_FOUND);
        free(cut);
    }
    assert_int_equal(file_checked(string, secret, 0, &link), OK);
    free(string);
}

int run_link_tests(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_files_link_names_its_row),
        cmocka_unit_test(a_changed_files_link_is_none),
        cmocka_unit_test(a_fresh_link_is_accepted_until_it_expires),
        cmocka_unit_test(no_link_ends_early),
        cmocka_unit_test(every_single_bit_counts),
        cmocka_unit_test(every_truncation_and_addition_is_refused),
        cmocka_unit_test(the_query_has_one_form_only),
        cmocka_unit_test(foreign_paths_are_not_ours),
        cmocka_unit_test(names_become_harmless_and_still_work),
        cmocka_unit_test(whole_urls_are_recognised_on_any_host),
    };
    return cmocka_run_group_tests_name("link", tests, NULL, NULL);
}
