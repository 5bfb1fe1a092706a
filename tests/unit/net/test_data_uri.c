/* Data URIs and bare base64: every part, what is malformed, and the bound to the byte. */
#include "tests.h"

#include "base/crypto.h"
#include "net/data_uri.h"

static void data_uris_are_decoded(void **state) {
    (void)state;
    static const struct {
        struct text uri;
        const char *media_type;
        struct text bytes;
    } cases[] = {
        { TEXT("data:,hello"), "text/plain", TEXT("hello") },
        { TEXT("data:,"), "text/plain", TEXT("") },
        { TEXT("DATA:,x"), "text/plain", TEXT("x") },
        { TEXT("data:text/html,a%20b%00c%2C,"), "text/html", TEXT("a b\0c,,") },
        { TEXT("data:text/plain;charset=utf-8,%C3%BC"), "text/plain", TEXT("\xc3\xbc") },
        { TEXT("data:;charset=utf-8,x"), "text/plain", TEXT("x") },
        { TEXT("data:image/png;base64,iVBORw0KGgo="), "image/png", TEXT("\x89PNG\r\n\x1a\n") },
        { TEXT("data:image/png;BASE64,iVBORw0KGgo"), "image/png", TEXT("\x89PNG\r\n\x1a\n") },
        { TEXT("data:image/png;name=a.png;base64,AAAA"), "image/png", TEXT("\0\0\0") },
        { TEXT("data:;base64,YQ=="), "text/plain", TEXT("a") },
        { TEXT("data:;base64,"), "text/plain", TEXT("") },
        { TEXT("data:a/b;base64,-_-_"), "a/b", TEXT("\xfb\xff\xbf") },
        { TEXT("data:a/b;base64,+/+/"), "a/b", TEXT("\xfb\xff\xbf") },
        { TEXT("data:a/b;base64,AA\r\n AA"), "a/b", TEXT("\0\0\0") },
        { TEXT("data:a/b;base64;x=y,AAAA"), "a/b", TEXT("AAAA") }, /* not the last one: a parameter like others */
        { TEXT("data:image/svg+xml;utf8,<svg/>"), "image/svg+xml", TEXT("<svg/>") },
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct data_uri uri;
        assert_true(data_uri_is(cases[i].uri));
        assert_int_equal(data_uri_decode(cases[i].uri, 100, &uri, NULL), OK);
        assert_true(text_equal(uri.media_type, text_of(cases[i].media_type)));
        assert_int_equal(uri.len, cases[i].bytes.len);
        assert_memory_equal(uri.bytes, cases[i].bytes.ptr, uri.len + 1);
        data_uri_fini(&uri);
    }
}

static void malformed_data_uris_are_refused(void **state) {
    (void)state;
    static const char *const uris[] = { "", "data", "data:", "data:text/plain", "data:text/plain;base64", "dat:,x",
        "http://example.com/,", "data:text,x", "data:/x,x", "data:x/,x", "data:a/b/c,x", "data:a b/c,x",
        "data:a/\"b\",x", "data:a/\xc3\xbc,x", "data:,%", "data:,%4", "data:,%4g", "data:,x%zz", "data:;base64,A",
        "data:;base64,AAAAA", "data:;base64,A*==", "data:;base64,AA=A", "data:;base64,====", "data:;base64,%41%41" };
    for (size_t i = 0; i < ARRAY_SIZE(uris); i++) {
        struct data_uri uri = { .len = 12345 };
        struct fault fault = { 0 };
        if (data_uri_decode(text_of(uris[i]), 100, &uri, &fault) != ERR_INVALID_URL) {
            fail_msg("%s", uris[i]);
        }
        assert_int_equal(uri.len, 12345);
        assert_true(fault.message[0] != '\0');
    }
}

static void the_bound_is_exact(void **state) {
    (void)state;
    uint8_t bytes[1000];
    char uri[2000] = "data:;base64,";
    struct data_uri decoded;
    memset(bytes, 7, sizeof bytes);
    for (size_t size = 900; size < 910; size++) {
        base64_encode(bytes, size, uri + 13);
        assert_int_equal(data_uri_decode(text_of(uri), size, &decoded, NULL), OK);
        assert_int_equal(decoded.len, size);
        data_uri_fini(&decoded);
        assert_int_equal(data_uri_decode(text_of(uri), size - 1, &decoded, NULL), ERR_FILE_TOO_LARGE);
        assert_int_equal(data_uri_decode(text_of(uri), 10, &decoded, NULL), ERR_FILE_TOO_LARGE);
        assert_int_equal(data_uri_decode(text_of(uri), 0, &decoded, NULL), ERR_FILE_TOO_LARGE);
    }
    assert_int_equal(data_uri_decode(TEXT("data:,abc%20"), 4, &decoded, NULL), OK);
    data_uri_fini(&decoded);
    assert_int_equal(data_uri_decode(TEXT("data:,abc%20"), 3, &decoded, NULL), ERR_FILE_TOO_LARGE);
    assert_int_equal(data_uri_decode(TEXT("data:,abcd"), 3, &decoded, NULL), ERR_FILE_TOO_LARGE);
    assert_int_equal(data_uri_decode(TEXT("data:,"), 0, &decoded, NULL), OK);
    data_uri_fini(&decoded);
}

#define SIXTY "QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVphYmNkZWZnaGlqa2xtbm9wcXJz"

static void bare_base64_is_told_from_words(void **state) {
    (void)state;
    static const struct {
        struct text string;
        bool bare;
    } cases[] = {
        { TEXT(SIXTY "dHV2"), true },
        { TEXT(SIXTY "dHV2dw=="), true },
        { TEXT(SIXTY "dHV2dw"), true },
        { TEXT(SIXTY "dHV2d3g="), true },
        { TEXT(SIXTY "dHV2_-_-"), true },
        { TEXT(SIXTY "\r\ndHV2\n"), true },
        { TEXT(SIXTY), false }, /* too short to be sure */
        { TEXT(SIXTY "dHV2d"), false },
        { TEXT(SIXTY "dHV2dw="), false },
        { TEXT(SIXTY "dHV2===="), false },
        { TEXT(SIXTY "dH=2"), false },
        { TEXT(SIXTY "dHV2 dHV2"), false },
        { TEXT("https://example.com/" SIXTY), false },
        { TEXT("data:image/png;base64," SIXTY), false },
        { TEXT(""), false },
        { TEXT("===="), false },
        { TEXT("a sentence of quite some length that has nothing to do with any file at all"), false },
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        if (base64_is_bare(cases[i].string) != cases[i].bare) {
            fail_msg("%s", cases[i].string.ptr);
        }
    }
    struct data_uri decoded;
    assert_int_equal(base64_decode_bare(TEXT(SIXTY "dHV2dw=="), 49, &decoded, NULL), OK);
    assert_string_equal(decoded.bytes, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvw");
    assert_int_equal(decoded.media_type.len, 0);
    data_uri_fini(&decoded);
    assert_int_equal(base64_decode_bare(TEXT(SIXTY "dHV2dw=="), 48, &decoded, NULL), ERR_FILE_TOO_LARGE);
    assert_int_equal(base64_decode_bare(TEXT("*"), 48, &decoded, NULL), ERR_INVALID_URL);
}

int run_data_uri_tests(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(data_uris_are_decoded),
        cmocka_unit_test(malformed_data_uris_are_refused),
        cmocka_unit_test(the_bound_is_exact),
        cmocka_unit_test(bare_base64_is_told_from_words),
    };
    return cmocka_run_group_tests_name("data_uri", tests, NULL, NULL);
}
