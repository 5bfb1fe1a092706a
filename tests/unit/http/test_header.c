/* Header names, Content-Type, entity tags, Host. */
#include "http/header.h"

#include "tests.h"

static void names_are_found_in_any_case(void **state) {
    (void)state;
    assert_int_equal(header_find(TEXT("Authorization")), HEADER_AUTHORIZATION);
    assert_int_equal(header_find(TEXT("CONTENT-TYPE")), HEADER_CONTENT_TYPE);
    assert_int_equal(header_find(TEXT("x-request-id")), HEADER_REQUEST_ID);
    assert_int_equal(header_find(TEXT("authorizatio")), HEADER_COUNT);
    assert_int_equal(header_find(TEXT("cookie")), HEADER_COUNT);
    assert_int_equal(header_find(TEXT("")), HEADER_COUNT);
}

static void content_types(void **state) {
    (void)state;
    static const struct {
        struct text header;
        bool json;
    } cases[] = {
        { TEXT("application/json"), true },
        { TEXT("Application/JSON"), true },
        { TEXT(" application/json "), true },
        { TEXT("application/json; charset=utf-8"), true },
        { TEXT("application/json;charset=\"UTF-8\""), true },
        { TEXT("application/json; profile=x; charset=utf-8"), true },
        { TEXT("application/json;"), true },
        { TEXT("application/json; charset=latin1"), false },
        { TEXT("application/jsonp"), false },
        { TEXT("application/json/x"), false },
        { TEXT("text/json"), false },
        { TEXT("application/x-www-form-urlencoded"), false },
        { TEXT("multipart/form-data; boundary=application/json"), false },
        { TEXT(""), false },
        { TEXT_NONE, false },
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
        assert_int_equal(content_type_is(cases[i].header, TEXT("application/json")), cases[i].json);
}

static void entity_tags(void **state) {
    (void)state;
    static const struct {
        struct text header;
        bool match;
    } cases[] = {
        { TEXT("\"abc\""), true },           { TEXT("W/\"abc\""), true }, { TEXT("\"x\", \"abc\""), true },
        { TEXT("\"x\",W/\"abc\" ,"), true }, { TEXT("*"), true },         { TEXT("abc"), false },
        { TEXT("\"abcd\""), false },         { TEXT(""), false },         { TEXT_NONE, false },
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
        assert_int_equal(etag_matches(cases[i].header, TEXT("\"abc\"")), cases[i].match);
}

static void hosts(void **state) {
    (void)state;
    static const struct {
        struct text host;
        bool valid;
    } cases[] = {
        { TEXT("example.com"), true }, { TEXT("127.0.0.1:8080"), true },
        { TEXT("[::1]:80"), true },    { TEXT("a-b.example"), true },
        { TEXT(""), false },           { TEXT("a b"), false },
        { TEXT("a/b"), false },        { TEXT("user@host"), false },
        { TEXT("x\"y"), false },       { TEXT("host\\path"), false },
        { TEXT("a,b"), false },        { TEXT("\xc3\xa9.com"), false },
        { TEXT("x"), true },           { TEXT("example.com."), true },
        { TEXT("my_service:8080"), true }, { TEXT("EXAMPLE.com:443"), true },
        { TEXT("x:1"), true },         { TEXT("x:65535"), true },
        { TEXT("[::]"), true },        { TEXT("[::ffff:10.0.0.1]"), true },
        { TEXT("3com.example"), true }, { TEXT("xn--e1afmkfd.example"), true },
        { TEXT("["), false },          { TEXT("[]"), false },
        { TEXT("[::1"), false },       { TEXT("[::1]x"), false },
        { TEXT("[::1]80"), false },    { TEXT("[1.2.3.4]"), false },
        { TEXT("[::1%lo]"), false },   { TEXT("::1"), false },
        { TEXT("."), false },          { TEXT(".."), false },
        { TEXT("a..b"), false },       { TEXT(".a"), false },
        { TEXT("-"), false },          { TEXT("-a.b"), false },
        { TEXT("a-.b"), false },       { TEXT("a.b-"), false },
        { TEXT(":80"), false },        { TEXT("a:b:c"), false },
        { TEXT("a:"), false },         { TEXT("a:0"), false },
        { TEXT("a:65536"), false },    { TEXT("a:99999"), false },
        { TEXT("a:+80"), false },      { TEXT("a:8 0"), false },
        { TEXT("a:18446744073709551696"), false }, { TEXT("a:000080"), false },
        { TEXT("1.2.3"), false },      { TEXT("1.2.3.256"), false },
        { TEXT("a.1"), false },        { TEXT("1.2.3.4."), false },
        { TEXT("[::1\0]"), false },     { TEXT("1.2.3.4\0"), false },
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
        assert_int_equal(host_is_valid(cases[i].host), cases[i].valid);
    char endless[300];
    memset(endless, 'a', sizeof endless);
    assert_true(host_is_valid((struct text){ endless, 63 }));
    assert_false(host_is_valid((struct text){ endless, 64 }));
    for (size_t i = 50; i < sizeof endless; i += 50)
        endless[i] = '.';
    assert_true(host_is_valid((struct text){ endless, 253 }));
    assert_false(host_is_valid((struct text){ endless, 254 }));
}

static void preferences(void **state) {
    (void)state;
    static const struct {
        const char *header, *value; /* value NULL: it is not there */
    } cases[] = {
        { "wait=30", "30" },
        { " respond-async , Wait = 30 ; a=b", "30" },
        { "wait=\"30\"", "30" },
        { "wait", "" },
        { "wait=", "" },
        { "wait=1, wait=2", "1" },
        { "x=\"a, wait=9\", wait=1", "1" },
        { "x=\"a\\\", wait=9\", wait=1", "1" },
        { "a; wait=9", NULL },
        { "waits=1", NULL },
        { "x=wait", NULL },
        { "x=\"wait=1", NULL },
        { ",,", NULL },
        { "", NULL },
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct text value;
        bool found = prefer_value(text_of(cases[i].header), TEXT("wait"), &value);
        assert_int_equal(found, cases[i].value != NULL);
        if (found)
            assert_text(value, cases[i].value);
    }
}

int run_header_tests(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_are_found_in_any_case),
        cmocka_unit_test(content_types),
        cmocka_unit_test(entity_tags),
        cmocka_unit_test(hosts),
        cmocka_unit_test(preferences),
    };
    return cmocka_run_group_tests_name("header", tests, NULL, NULL);
}
