/* The quick reader against jansson: it may leave a text to jansson, and never reads another value out of it. */
#include "base/json_quick.h"

#include <jansson.h>
#include <stdlib.h>

#include "tests.h"

#define DEPTH 32
#define MUTATIONS 100000

static json_t *read_slowly(struct text body) {
    return json_loadb(body.ptr, body.len, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, NULL);
}

static char *dump(const json_t *value) {
    return json_dumps(value, JSON_ENCODE_ANY | JSON_REAL_PRECISION(17));
}

/* Whether the quick reader took it. */
static bool compare(struct text body) {
    json_t *quick = json_quick_read(body, DEPTH);
    if (quick == NULL) {
        return false;
    }
    json_t *slow = read_slowly(body);
    if (slow == NULL) {
        fail_msg("only the quick reader takes %.*s", TEXT_ARG(body));
    }
    char *as_quick = dump(quick), *as_slow = dump(slow);
    assert_non_null(as_quick);
    assert_string_equal(as_quick, as_slow);
    free(as_quick);
    free(as_slow);
    json_decref(quick);
    json_decref(slow);
    return true;
}

static const char *const usual[] = {
    "{}",
    "[]",
    " \r\n\t{ } \n",
    "null",
    "\"\"",
    "0",
    "-0",
    "-1.5e-7",
    "[1,-2,999999999999999999,-999999999999999999,0.1,1E5,1e+5,123456.789,-0.0,1e308,4.9e-324]",
    "{\"a\":1,\"b\":[true,false,null],\"c\":{\"d\":\"\\u00e4\\n\\\"\\\\\\/\\b\\f\\r\\t\"},\"\":{}}",
    "{\"\\u006eame\":\"va\\u006cue\",\"ä\":\"\\ud83d\\ude00 😀 \\u20ac \\u07ff \\u0001\"}",
    "{\"status\":\"COMPLETED\",\"request_id\":\"0000001f\",\"logs\":[ ],\"images\":[{\"url\":\"http://a/b.png\",\"width\":1}]}",
};

/* For each there is a reason why jansson has to see it. */
static const char *const others[] = {
    "", " ", "{", "}", "[1,]", "{\"a\":1,}", "{\"a\"}", "{\"a\":}", "{a:1}", "[1 2]", "1 2", "{}x", "nul", "True", "'a'",
    "01", "-", "+1", "1.", ".5", "1e", "1e+", "0x10", "1e999", "-1e999", "9223372036854775807", "1000000000000000000",
    "\"", "\"\\", "\"\\u", "\"\\u12", "\"\\u12g4\"", "\"\\u0000\"", "\"\\ud800\"", "\"\\udc00\"", "\"\\ud800\\u0041\"",
    "\"\\ud800x\"", "\"\\ud83d\\ud83d\"", "\"\\x\"", "\"\n\"", "\"\x01\"", "\"\xff\"", "\"\xc0\x80\"", "\"\xed\xa0\x80\"",
    "\"\xf4\x90\x80\x80\"", "{\"a\":1,\"a\":2}", "{\"a\":1,\"\\u0061\":2}", "{\"\\u0000\":1}", "{1:2}", "\xef\xbb\xbf{}",
};

static void usual_texts_are_read(void **state) {
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(usual); i++) {
        if (!compare(text_of(usual[i]))) {
            fail_msg("left to jansson: %s", usual[i]);
        }
    }
}

static void the_rest_is_left_to_jansson(void **state) {
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(others); i++) {
        if (compare(text_of(others[i]))) {
            fail_msg("taken: %s", others[i]);
        }
    }
    assert_false(compare((struct text){ "[1]\0", 4 }));
    assert_false(compare((struct text){ "\"a\0b\"", 5 }));
}

static void no_deeper_than_allowed(void **state) {
    (void)state;
    json_t *value = json_quick_read(TEXT("[[{\"a\":[]}],[],{}]"), 4);
    assert_non_null(value);
    json_decref(value);
    assert_null(json_quick_read(TEXT("[[{\"a\":[]}],[],{}]"), 3));
}

static uint32_t next_number(uint32_t *seed) {
    *seed = *seed * 1664525 + 1013904223;
    return *seed >> 8;
}

/* Texts that are nearly right, each in memory of its own size, so that a reader beyond the end is seen. */
static void mutations(void **state) {
    static const char pieces[] = "{}[]\":,\\u0d8ce-+.19atrfn \x01\x80\xc3\xa4\xff";
    uint32_t seed = 1;
    unsigned taken = 0;
    (void)state;
    for (unsigned i = 0; i < MUTATIONS; i++) {
        struct text from = text_of(usual[next_number(&seed) % ARRAY_SIZE(usual)]);
        size_t length = next_number(&seed) % 4 == 0 ? next_number(&seed) % (from.len + 1) : from.len;
        char *copy = malloc(length > 0 ? length : 1);
        assert_non_null(copy);
        memcpy(copy, from.ptr, length);
        for (unsigned changes = next_number(&seed) % 3; changes > 0 && length > 0; changes--) {
            copy[next_number(&seed) % length] = pieces[next_number(&seed) % (sizeof(pieces) - 1)];
        }
        taken += compare((struct text){ copy, length });
        free(copy);
    }
    assert_true(taken > MUTATIONS / 10);
    assert_true(taken < MUTATIONS);
}

int test_json_quick(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(usual_texts_are_read),
        cmocka_unit_test(the_rest_is_left_to_jansson),
        cmocka_unit_test(no_deeper_than_allowed),
        cmocka_unit_test(mutations),
    };
    return cmocka_run_group_tests_name("base/json_quick", tests, NULL, NULL);
}
