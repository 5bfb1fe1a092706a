/* Runs of bytes: comparing, cutting, numbers, UTF-8 over every kind of malformed sequence. */
#include "base/text.h"

#include <stdlib.h>

#include "tests.h"

static void assert_text(struct text t, const char *expected) {
    assert_int_equal(t.len, strlen(expected));
    assert_true(text_equal(t, text_of(expected)));
}

static void equality(void **state) {
    (void)state;
    assert_true(text_equal(TEXT("abc"), text_of("abc")));
    assert_false(text_equal(TEXT("abc"), TEXT("abd")));
    assert_false(text_equal(TEXT("abc"), TEXT("ab")));
    assert_true(text_equal(TEXT(""), TEXT_NONE));
    assert_true(text_equal(TEXT_NONE, text_of(NULL)));
    assert_false(text_equal(TEXT("a\0b"), TEXT("a\0c")));
    assert_true(text_equal_nocase(TEXT("Content-TYPE"), TEXT("content-type")));
    assert_false(text_equal_nocase(TEXT("a["), TEXT("a{"))); /* 0x20 apart, but no letters */
    assert_false(text_equal_nocase(TEXT("ab"), TEXT("a")));
    assert_true(text_equal_nocase(TEXT_NONE, TEXT("")));
}

static void starts_and_ends(void **state) {
    (void)state;
    assert_true(text_starts(TEXT("Bearer x"), TEXT("Bearer ")));
    assert_true(text_starts(TEXT("a"), TEXT("")));
    assert_true(text_starts(TEXT_NONE, TEXT_NONE));
    assert_false(text_starts(TEXT("Bear"), TEXT("Bearer")));
    assert_true(text_ends(TEXT("a.json"), TEXT(".json")));
    assert_true(text_ends(TEXT("a"), TEXT_NONE));
    assert_false(text_ends(TEXT("json"), TEXT(".json")));
    assert_false(text_ends(TEXT("a.jsom"), TEXT(".json")));
}

static void trimming(void **state) {
    (void)state;
    assert_text(text_trim(TEXT(" \t\r\na b\n ")), "a b");
    assert_text(text_trim(TEXT("a")), "a");
    assert_text(text_trim(TEXT(" \t ")), "");
    assert_text(text_trim(TEXT_NONE), "");
}

static void cutting(void **state) {
    (void)state;
    struct text rest = TEXT("a,,bc");
    assert_text(text_cut(&rest, ','), "a");
    assert_text(text_cut(&rest, ','), "");
    assert_text(text_cut(&rest, ','), "bc");
    assert_int_equal(rest.len, 0);
    assert_text(text_cut(&rest, ','), "");

    struct text at_end = TEXT("x,");
    assert_text(text_cut(&at_end, ','), "x");
    assert_int_equal(at_end.len, 0);
    struct text none = TEXT_NONE;
    assert_text(text_cut(&none, ','), "");
    assert_int_equal(text_find(TEXT("abc"), 'c'), 2);
    assert_int_equal(text_find(TEXT("abc"), 'x'), 3);
    assert_int_equal(text_find(TEXT_NONE, 'x'), 0);
}

static void digits(void **state) {
    (void)state;
    assert_true(text_is_digits(TEXT("0")));
    assert_true(text_is_digits(TEXT("0123456789012345678901234567890")));
    static const char *const others[] = { "-1", "+1", " 1", "1 ", "1.", "1a", "/", ":", "\xd9\xa1" };
    for (size_t i = 0; i < ARRAY_SIZE(others); i++) {
        assert_false(text_is_digits(text_of(others[i])));
    }
    assert_false(text_is_digits(TEXT_NONE));
    assert_false(text_is_digits(TEXT("1\0")));
}

/* Every byte at every place of a text longer than is looked at in one go. */
static void tokens_and_control_characters(void **state) {
    (void)state;
    for (int byte = 0; byte < 256; byte++) {
        bool in_token = byte > ' ' && byte < 0x7f && strchr("()<>@,;:\\\"/[]?={}", byte) == NULL;
        bool control = (byte < ' ' && byte != '\t') || byte == 0x7f;
        for (size_t at = 0; at < 20; at++) {
            char bytes[20];
            memset(bytes, 'a', sizeof bytes);
            bytes[at] = (char)byte;
            struct text t = { bytes, sizeof bytes };
            assert_int_equal(text_token_run(t), in_token ? sizeof bytes : at);
            assert_int_equal(text_has_control(t), control);
            memset(bytes, '\t', at); /* looks like one at first sight */
            assert_int_equal(text_has_control(t), control);
        }
    }
    assert_int_equal(text_token_run(TEXT_NONE), 0);
    assert_false(text_has_control(TEXT_NONE));
}

static void numbers(void **state) {
    (void)state;
    static const struct {
        const char *text;
        int64_t value;
    } good[] = {
        { "0", 0 },
        { "-0", 0 },
        { "7", 7 },
        { "-1", -1 },
        { "007", 7 },
        { "9223372036854775807", INT64_MAX },
        { "-9223372036854775808", INT64_MIN },
    };
    static const char *const bad[] = {
        "",
        "-",
        "+1",
        " 1",
        "1 ",
        "1a",
        "0x1",
        "1.0",
        "--1",
        "1-",
        "9223372036854775808",
        "-9223372036854775809",
        "18446744073709551616",
        "99999999999999999999999",
    };
    for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
        int64_t value = 77;
        assert_true(text_to_i64(text_of(good[i].text), &value));
        assert_int_equal(value, good[i].value);
    }
    int64_t untouched = 77;
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        assert_false(text_to_i64(text_of(bad[i]), &untouched));
    }
    assert_false(text_to_i64(TEXT_NONE, &untouched));
    assert_false(text_to_i64(TEXT("1\0"), &untouched));
    assert_int_equal(untouched, 77);
}

static void utf8_forms(void **state) {
    (void)state;
    static const struct {
        const char *bytes;
        size_t length;
    } cases[] = {
        { "a", 1 },
        { "\x7F", 1 },
        { "\xC2\x80", 2 },
        { "\xDF\xBF", 2 },
        { "\xE0\xA0\x80", 3 },
        { "\xED\x9F\xBF", 3 },
        { "\xEE\x80\x80", 3 },
        { "\xEF\xBF\xBF", 3 },
        { "\xF0\x90\x80\x80", 4 },
        { "\xF4\x8F\xBF\xBF", 4 },
        { "\x80", 0 },     /* a continuation without its start */
        { "\xC0\x80", 0 }, /* overlong */
        { "\xC1\xBF", 0 },
        { "\xE0\x9F\xBF", 0 },
        { "\xF0\x8F\xBF\xBF", 0 },
        { "\xED\xA0\x80", 0 },     /* a surrogate */
        { "\xF4\x90\x80\x80", 0 }, /* above U+10FFFF */
        { "\xF5\x80\x80\x80", 0 },
        { "\xFF", 0 },
        { "\xC2", 0 }, /* cut off */
        { "\xE2\x82", 0 },
        { "\xF0\x9F\x98", 0 },
        { "\xC2\x41", 0 }, /* not continued */
        { "\xE2\x82\x41", 0 },
        { "\xF0\x9F\x98\x41", 0 },
        { "", 0 },
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        /* On the heap and not terminated, so that the sanitizer sees a read too far. */
        size_t len = strlen(cases[i].bytes);
        char *copy = malloc(len + 1);
        char *exact = realloc(copy, len > 0 ? len : 1);
        memcpy(exact, cases[i].bytes, len);
        assert_int_equal(text_utf8_length((struct text){ exact, len }), cases[i].length);
        assert_int_equal(text_is_utf8((struct text){ exact, len }), cases[i].length == len);
        free(exact);
    }
}

/* Every code point, encoded by hand, is accepted where Unicode has one. */
static void every_code_point(void **state) {
    (void)state;
    for (uint32_t c = 0x80; c < 0x110000; c += c < 0x3000 ? 1 : 61) {
        char bytes[4];
        size_t len = 0;
        if (c < 0x800) {
            bytes[len++] = (char)(0xC0 | c >> 6);
        } else {
            if (c < 0x10000) {
                bytes[len++] = (char)(0xE0 | c >> 12);
            } else {
                bytes[len++] = (char)(0xF0 | c >> 18);
                bytes[len++] = (char)(0x80 | (c >> 12 & 0x3F));
            }
            bytes[len++] = (char)(0x80 | (c >> 6 & 0x3F));
        }
        bytes[len++] = (char)(0x80 | (c & 0x3F));
        bool surrogate = c >= 0xD800 && c < 0xE000;
        assert_int_equal(text_utf8_length((struct text){ bytes, len }), surrogate ? 0 : len);
    }
}

/* The fault is found wherever it stands to the words of eight bytes that are read at once. */
static void utf8_in_long_text(void **state) {
    (void)state;
    char bytes[64];
    for (size_t at = 0; at < sizeof(bytes); at++) {
        memset(bytes, 'x', sizeof(bytes));
        assert_true(text_is_utf8((struct text){ bytes, sizeof(bytes) }));
        bytes[at] = '\xFF';
        assert_false(text_is_utf8((struct text){ bytes, sizeof(bytes) }));
        if (at + 1 < sizeof(bytes)) {
            memcpy(bytes + at, "ä", 2);
            assert_true(text_is_utf8((struct text){ bytes, sizeof(bytes) }));
            assert_int_equal(text_characters((struct text){ bytes, sizeof(bytes) }), sizeof(bytes) - 1);
        }
    }
    assert_int_equal(text_characters(TEXT("aä€😀")), 4);
    assert_int_equal(text_characters(TEXT_NONE), 0);
    assert_true(text_is_utf8(TEXT_NONE));
}

static void clipping(void **state) {
    (void)state;
    static const struct {
        size_t max;
        const char *clipped;
    } cases[] = {
        { 0, "" },    { 1, "a" },   { 2, "a" },   { 3, "aä" },    { 4, "aä" },    { 5, "aä" },
        { 6, "aä€" }, { 7, "aä€" }, { 9, "aä€" }, { 10, "aä€😀" }, { 11, "aä€😀" },
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        assert_text(text_clip(TEXT("aä€😀"), cases[i].max), cases[i].clipped);
    }
    assert_int_equal(text_clip(TEXT("\x80\x80\x80\x80\x80\x80"), 5).len, 5);
    assert_int_equal(text_clip(TEXT_NONE, 0).len, 0);
}

static void copies(void **state) {
    (void)state;
    char *copy = text_dup((struct text){ "abcdef", 3 }), *empty = text_dup(TEXT_NONE);
    assert_string_equal(copy, "abc");
    assert_string_equal(empty, "");
    free(copy);
    free(empty);
}

int test_text(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(equality),         cmocka_unit_test(starts_and_ends),
        cmocka_unit_test(trimming),         cmocka_unit_test(cutting),
        cmocka_unit_test(numbers),          cmocka_unit_test(utf8_forms),
        cmocka_unit_test(digits),           cmocka_unit_test(tokens_and_control_characters),
        cmocka_unit_test(every_code_point), cmocka_unit_test(utf8_in_long_text),
        cmocka_unit_test(clipping),         cmocka_unit_test(copies),
    };
    return cmocka_run_group_tests_name("base/text", tests, NULL, NULL);
}
