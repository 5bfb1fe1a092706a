/* Strict reading: what is refused, with which words, and that hostile input costs nothing. */
#include "base/json.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "base/json_quick.h"
#include "base/memory.h"
#include "tests.h"

#define DEPTH 32

static void what_is_accepted(void **state) {
    (void)state;
    static const char *const bodies[] = {
        "{}",
        " \r\n\t{ } \n",
        "{\"a\":1,\"b\":[true,false,null],\"c\":{\"d\":\"\\u00e4\\n\\\"\"}}",
        "{\"ä\":\"😀\"}",
        "{\"n\":-9223372036854775808,\"m\":9223372036854775807,\"r\":1e308,\"s\":-0.5E-10}",
        "{\"\":0}",
        "{\"brackets in a string\":\"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[{{{{{{{{{{{{\\\"[[[[\\\\\"}",
    };
    for (size_t i = 0; i < ARRAY_SIZE(bodies); i++) {
        scoped(json_release) struct json_t *value = NULL;
        struct fault fault = { 0 };
        assert_int_equal(json_read_object(text_of(bodies[i]), DEPTH, &value, &fault), OK);
        assert_true(json_is_object(value));
    }
    static const char *const values[] = { "1", "\"x\"", "null", "[]", "true", " 1.5 ", "{}" };
    for (size_t i = 0; i < ARRAY_SIZE(values); i++) {
        scoped(json_release) struct json_t *value = NULL;
        assert_int_equal(json_read_any(text_of(values[i]), DEPTH, &value, NULL), OK);
        assert_non_null(value);
    }
}

#define AT(line, column) "invalid JSON at line " #line ", column " #column ": "

static void what_is_refused(void **state) {
    (void)state;
    static const struct {
        struct text body;
        const char *message;
    } cases[] = {
        { TEXT_NONE, AT(1, 1) "there is nothing in it" },
        { TEXT(" \n\t"), AT(1, 1) "there is nothing in it" },
        { TEXT("[1]"), "the body must be a JSON object" },
        { TEXT(" \"x\""), "the body must be a JSON object" },
        { TEXT("12"), "the body must be a JSON object" },
        { TEXT("null"), "the body must be a JSON object" },
        { TEXT("hello"), "the body must be a JSON object" },
        { TEXT("\xEF\xBB\xBF{}"), "the body must be a JSON object" },
        { TEXT("{\"a\":1"), AT(1, 6) "it ends too early" },
        { TEXT("{"), AT(1, 1) "it ends too early" },
        { TEXT("{\"a\":\"x"), AT(1, 7) "it ends too early" },
        { TEXT("{\"a\":1}x"), AT(1, 8) "there is something after the end of the value" },
        { TEXT("{} {}"), AT(1, 4) "there is something after the end of the value" },
        { TEXT("{}\0"), AT(1, 3) "there is something after the end of the value" },
        { TEXT("{\"a\":1,\n \"a\":2}"), AT(2, 4) "the same key appears twice in one object" },
        { TEXT("{\"a\":1,\"\\u0061\":2}"), AT(1, 15) "the same key appears twice in one object" },
        { TEXT("{\"a\":9223372036854775808}"), AT(1, 24) "the number is out of range" },
        { TEXT("{\"a\":-99999999999999999999}"), AT(1, 26) "the number is out of range" },
        { TEXT("{\"a\":1e999}"), AT(1, 10) "the number is out of range" },
        { TEXT("{\"a\":\"\\u0000\"}"), AT(1, 13) "the character \\u0000 is not allowed" },
        { TEXT("{\"\\u0000\":1}"), AT(1, 9) "the character \\u0000 is not allowed" },
        { TEXT("{\"a\":\"\xC3\x28\"}"), AT(1, 6) "the text is not valid UTF-8" },
        { TEXT("{\"a\":\"\xED\xA0\x80\"}"), AT(1, 6) "the text is not valid UTF-8" },
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct json_t *value = NULL;
        struct fault fault = { 0 };
        assert_int_equal(json_read_object(cases[i].body, DEPTH, &value, &fault), ERR_INVALID_JSON);
        assert_int_equal(fault.err, ERR_INVALID_JSON);
        assert_string_equal(fault.message, cases[i].message);
        assert_null(value);
        assert_int_equal(json_read_object(cases[i].body, DEPTH, &value, NULL), ERR_INVALID_JSON);
    }
}

/* The words on grammar may be the parser's: only that they say the place and are refused at all is ours. */
static void grammar(void **state) {
    (void)state;
    static const struct text bodies[] = {
        TEXT("{a:1}"),
        TEXT("{'a':1}"),
        TEXT("{\"a\" 1}"),
        TEXT("{\"a\":1,}"),
        TEXT("{,}"),
        TEXT("{\"a\":[1,]}"),
        TEXT("{\"a\":01}"),
        TEXT("{\"a\":+1}"),
        TEXT("{\"a\":.5}"),
        TEXT("{\"a\":1.}"),
        TEXT("{\"a\":0x10}"),
        TEXT("{\"a\":NaN}"),
        TEXT("{\"a\":Infinity}"),
        TEXT("{\"a\":-}"),
        TEXT("{\"a\":tru}"),
        TEXT("{\"a\":True}"),
        TEXT("{\"a\":\"\\x41\"}"),
        TEXT("{\"a\":\"\\u12\"}"),
        TEXT("{\"a\":\"\\ud800\"}"),
        TEXT("{\"a\":\"\\udc00\"}"),
        TEXT("{\"a\":\"line\nbreak\"}"),
        TEXT("{\"a\":\"\0\"}"),
        TEXT("{\0\"a\":1}"),
        TEXT("{\"a\":1 // no\n}"),
        TEXT("{\"a\":\"\x1f\"}"),
        TEXT("{\"a\":]}"),
        TEXT("{]"),
        TEXT("{\"a\":[}"),
        TEXT("{[[[[\"a\""),
        TEXT("{\"a\\"),
    };
    for (size_t i = 0; i < ARRAY_SIZE(bodies); i++) {
        struct json_t *value = NULL;
        struct fault fault = { 0 };
        assert_int_equal(json_read_object(bodies[i], DEPTH, &value, &fault), ERR_INVALID_JSON);
        assert_true(text_starts(text_of(fault.message), TEXT("invalid JSON at line ")));
        assert_null(strstr(fault.message, "near"));
        assert_null(strstr(fault.message, "JSON_"));
        assert_true(strlen(fault.message) < 100);
        assert_null(value);
    }
}

/* What was sent does not come back in the message. */
static void nothing_sent_is_quoted(void **state) {
    (void)state;
    struct json_t *value = NULL;
    struct fault fault = { 0 };
    struct text body = TEXT("{\"prompt\": mysecretprompt near mysecretprompt}");
    assert_int_equal(json_read_object(body, DEPTH, &value, &fault), ERR_INVALID_JSON);
    assert_null(strstr(fault.message, "mysecret"));
    body = TEXT("{\"mysecret\":1,\"mysecret\":2}");
    assert_int_equal(json_read_object(body, DEPTH, &value, &fault), ERR_INVALID_JSON);
    assert_null(strstr(fault.message, "mysecret"));
}

/* "{"a":[1,1,…]}": the object, the array and so many numbers are the values. */
static void values_are_counted_exactly(void **state) {
    (void)state;
    static const struct {
        unsigned numbers;
        bool object_accepts, request_accepts;
    } cases[] = {
        { JSON_REQUEST_VALUES_MAX - 2, true, true },
        { JSON_REQUEST_VALUES_MAX - 1, true, false },
        { JSON_VALUES_MAX - 2, true, false },
        { JSON_VALUES_MAX - 1, false, false },
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        scoped(json_release) struct json_t *as_object = NULL, *as_request = NULL;
        struct fault fault = { 0 };
        struct buffer buf;
        buffer_init(&buf, (size_t)4 << 20);
        buffer_put(&buf, TEXT("{\"a,[{\":[1"));
        for (unsigned n = 1; n < cases[i].numbers; n++) {
            buffer_put(&buf, TEXT(",1"));
        }
        buffer_put(&buf, TEXT("]}"));
        assert_true(buffer_ok(&buf));
        enum err err = json_read_object(buffer_text(&buf), DEPTH, &as_object, &fault);
        assert_int_equal(err, cases[i].object_accepts ? OK : ERR_INVALID_JSON);
        err = json_read_request(buffer_text(&buf), DEPTH, &as_request, &fault);
        assert_int_equal(err, cases[i].request_accepts ? OK : ERR_INVALID_JSON);
        if (err != OK) {
            assert_non_null(strstr(fault.message, "it has more than 100000 values"));
        }
        buffer_fini(&buf);
    }
}

static void put_nested(struct buffer *buf, size_t depth, struct text open, struct text close) {
    for (size_t i = 0; i < depth; i++) {
        buffer_put(buf, open);
    }
    buffer_put(buf, TEXT("1"));
    for (size_t i = 0; i < depth; i++) {
        buffer_put(buf, close);
    }
    assert_true(buffer_ok(buf));
}

static void depth_is_counted_exactly(void **state) {
    (void)state;
    for (unsigned depth = 1; depth < 40; depth++) {
        scoped(buffer_fini) struct buffer arrays, objects;
        buffer_init(&arrays, 1000);
        put_nested(&arrays, depth, TEXT("["), TEXT("]"));
        scoped(json_release) struct json_t *value = NULL;
        assert_int_equal(json_read_any(buffer_text(&arrays), DEPTH, &value, NULL),
                         depth <= DEPTH ? OK : ERR_INVALID_JSON);
        buffer_init(&objects, 1000);
        put_nested(&objects, depth, TEXT("{\"k\":"), TEXT("}"));
        scoped(json_release) struct json_t *object = NULL;
        assert_int_equal(json_read_object(buffer_text(&objects), DEPTH, &object, NULL),
                         depth <= DEPTH ? OK : ERR_INVALID_JSON);
        buffer_fini(&objects);
    }
    struct json_t *none = NULL;
    struct fault fault;
    assert_int_equal(json_read_any(TEXT("{\"ä\":\n [[]]}"), 2, &none, &fault), ERR_INVALID_JSON);
    assert_string_equal(fault.message, AT(2, 3) "it is nested deeper than 2 levels");
    assert_int_equal(json_read_any(TEXT("[[],[],[[]]]"), 3, &none, &fault), OK); /* width is not depth */
    json_release(&none);
    assert_null(none);
    assert_int_equal(json_read_any(TEXT("[]"), 0, &none, &fault), ERR_INVALID_JSON);
}

/* A megabyte of brackets, also where quotes and wrong closers try to fool the count. */
static void hostile_nesting(void **state) {
    (void)state;
    static const struct {
        struct text first, again;
    } cases[] = {
        { TEXT("{\"a\":"), TEXT("[") },  { TEXT("{\"a\":"), TEXT("{\"a\":") }, { TEXT("{\"a\":"), TEXT("[}") },
        { TEXT("{\"a\":"), TEXT("{]") }, { TEXT("{\"\\\":"), TEXT("[") },      { TEXT("{\"a\":'\"',"), TEXT("[") },
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        scoped(buffer_fini) struct buffer body;
        buffer_init(&body, 2 << 20);
        buffer_put(&body, cases[i].first);
        while (body.len < 1 << 20) {
            buffer_put(&body, cases[i].again);
        }
        struct json_t *value = NULL;
        struct fault fault;
        assert_true(buffer_ok(&body));
        assert_int_equal(json_read_object(buffer_text(&body), 64, &value, &fault), ERR_INVALID_JSON);
        assert_null(value);
    }
}

/* What the quick way makes of a text is what jansson does; it may leave any text to it. *made: it has not. */
static void compare_ways(struct text text, bool *made) {
    const size_t flags = JSON_REJECT_DUPLICATES | JSON_DECODE_ANY;
    scoped(json_release) struct json_t *quick = json_quick_read(text);
    scoped(json_release) struct json_t *whole = NULL;
    *made = quick != NULL;
    if (quick == NULL) {
        return;
    }
    whole = json_loadb(text.ptr, text.len, flags, NULL);
    char *expected scoped(mem_free_pointer) = NULL, *got scoped(mem_free_pointer) = NULL;
    if (whole != NULL) {
        expected = json_dumps(whole, JSON_ENCODE_ANY | JSON_REAL_PRECISION(17)); /* in the members' order */
        got = json_dumps(quick, JSON_ENCODE_ANY | JSON_REAL_PRECISION(17));
    }
    if (whole == NULL || strcmp(expected, got) != 0) {
        fail_msg("%.*s", TEXT_ARG(text));
    }
}

static const char *const samples[] = {
    "{\"status\":\"IN_QUEUE\",\"request_id\":\"0f\",\"queue_position\":0,\"logs\":[],\"metrics\":{\"time\":1.25}}",
    " [ 1 , -2 ,\t3.5,\n-0.0e-3,1E+5,true,false,null,{},[] ] ",
    "{\"a\":{\"b\":{\"c\":[[[\"ä€😀\"]]]}},\"d\":999999999999999999,\"e\":-123456789012345678}",
    "\"text\"", "0", "-0", "1e2", "true", "null", "{\"a\":1,\"b\":1}", "[\"\",\"\x7f\"]",
};

static void the_quick_way_takes_what_is_usual(void **state) {
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(samples); i++) {
        bool made = false;
        compare_ways(text_of(samples[i]), &made);
        assert_true(made);
    }
}

static void the_quick_way_leaves_the_rest(void **state) {
    (void)state;
    static const char *const others[] = {
        "", " ", "{\"a\":1,\"a\":2}", "[1,]", "{\"a\":1,}", "[1 2]", "{\"a\" 1}", "{a:1}", "01", "-", "1.", ".5", "1e", "+1",
        "1e400", "tru", "truefalse", "[1]]", "[", "{", "\"", "\"\\n\"", "\"\n\"", "\"\xff\"", "\"\xed\xa0\x80\"",
        "9223372036854775808", "[1}", "{\"a\":1]", "[\xc2\xa0]", "nan", "'a'", "1,2",
    };
    for (size_t i = 0; i < ARRAY_SIZE(others); i++) {
        assert_null(json_quick_read(text_of(others[i])));
    }
    assert_null(json_quick_read((struct text){ "1\0", 2 }));
    assert_null(json_quick_read((struct text){ "[\"a\0\"]", 6 }));
}

/* Bytes of the samples become others, so that the texts are nearly right. */
static void both_ways_agree_about_anything(void **state) {
    (void)state;
    static const char bytes[] = "{}[]\",:0123456789.-+eE \n\\truefalsn/\xc3\xa4\xed\x80\x00\x1f";
    uint32_t random = 1;
    unsigned made_count = 0;
    for (unsigned round = 0; round < 60000; round++) {
        char text[256];
        size_t len = strlen(samples[round % ARRAY_SIZE(samples)]);
        memcpy(text, samples[round % ARRAY_SIZE(samples)], len);
        for (unsigned changes = 1 + round / 7 % 3; changes > 0; changes--) {
            random = random * 1664525 + 1013904223;
            text[(random >> 8) % len] = bytes[(random >> 20) % (sizeof(bytes) - 1)];
        }
        bool made = false;
        compare_ways((struct text){ text, len }, &made);
        made_count += made;
    }
    assert_true(made_count > 1000 && made_count < 59000);
}

int test_json_read(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_accepted),
        cmocka_unit_test(what_is_refused),
        cmocka_unit_test(grammar),
        cmocka_unit_test(nothing_sent_is_quoted),
        cmocka_unit_test(depth_is_counted_exactly),
        cmocka_unit_test(values_are_counted_exactly),
        cmocka_unit_test(hostile_nesting),
        cmocka_unit_test(the_quick_way_takes_what_is_usual),
        cmocka_unit_test(the_quick_way_leaves_the_rest),
        cmocka_unit_test(both_ways_agree_about_anything),
    };
    return cmocka_run_group_tests_name("base/json: reading", tests, NULL, NULL);
}
