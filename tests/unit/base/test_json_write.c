/* Writing: commas, escapes for every byte, numbers that come back, a sticky end. */
#include "base/json.h"

#include <jansson.h>
#include <stdlib.h>

#include "tests.h"

static void commas_and_nesting(void **state) {
    (void)state;
    scoped(buffer_fini) struct buffer buf;
    buffer_init(&buf, 1000);
    struct json_writer json;
    json_begin(&json, &buf);
    json_object_begin(&json);
    json_key(&json, "empty");
    json_object_begin(&json);
    json_object_end(&json);
    json_key(&json, "list");
    json_array_begin(&json);
    json_i64(&json, -5);
    json_array_begin(&json);
    json_array_end(&json);
    json_bool(&json, true);
    json_bool(&json, false);
    json_null_value(&json);
    json_object_begin(&json);
    json_key(&json, "x");
    json_string_or_null(&json, "y");
    json_key(&json, "z");
    json_string_or_null(&json, NULL);
    json_object_end(&json);
    json_raw(&json, TEXT("{\"raw\":1}"));
    json_text(&json, TEXT("t"));
    json_array_end(&json);
    json_key(&json, "last");
    json_i64(&json, INT64_MAX);
    json_object_end(&json);
    assert_true(buffer_ok(&buf));
    assert_string_equal(buf.data,
                        "{\"empty\":{},\"list\":[-5,[],true,false,null,{\"x\":\"y\",\"z\":null},{\"raw\":1},\"t\"],"
                        "\"last\":9223372036854775807}");
}

static void write_text(struct buffer *buf, struct text value) {
    struct json_writer json;
    buffer_clear(buf);
    json_begin(&json, buf);
    json_text(&json, value);
    assert_true(buffer_ok(buf));
}

static void escapes(void **state) {
    (void)state;
    static const struct {
        struct text value;
        const char *json;
    } cases[] = {
        { TEXT(""), "\"\"" },
        { TEXT_NONE, "\"\"" },
        { TEXT("a/b"), "\"a/b\"" },
        { TEXT("say \"hi\" \\ bye"), "\"say \\\"hi\\\" \\\\ bye\"" },
        { TEXT("\b\t\n\f\r"), "\"\\b\\t\\n\\f\\r\"" },
        { TEXT("\0x\x01\x0b\x1f\x7f"), "\"\\u0000x\\u0001\\u000b\\u001f\x7f\"" },
        { TEXT("aä€😀"), "\"aä€😀\"" },
        { TEXT("\xff"), "\"\xEF\xBF\xBD\"" },
        { TEXT("a\xC3"), "\"a\xEF\xBF\xBD\"" },
        { TEXT("\xC3(\xC3\xA4"), "\"\xEF\xBF\xBD(ä\"" },
        { TEXT("\xED\xA0\x80"), "\"\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\"" },
        { TEXT("\xF0\x9F\x98"), "\"\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\"" },
    };
    scoped(buffer_fini) struct buffer buf;
    buffer_init(&buf, 1000);
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        write_text(&buf, cases[i].value);
        assert_string_equal(buf.data, cases[i].json);
    }
}

/* Every pair of bytes becomes JSON that a parser reads; valid text comes back as it was. */
static void every_pair_of_bytes_is_readable(void **state) {
    (void)state;
    scoped(buffer_fini) struct buffer buf;
    buffer_init(&buf, 1000);
    for (unsigned pair = 0; pair < 0x10000; pair += pair < 0x8000 ? 7 : 3) {
        const char bytes[] = { 'x', (char)(pair >> 8), (char)pair, 'y' };
        struct text value = { bytes, sizeof(bytes) };
        write_text(&buf, value);
        scoped(json_release) struct json_t *read =
            json_loadb(buf.data, buf.len, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
        assert_non_null(read);
        if (text_is_utf8(value)) {
            assert_true(text_equal(value, (struct text){ json_string_value(read), json_string_length(read) }));
        }
    }
}

static void a_full_buffer_fails_and_stays_so(void **state) {
    (void)state;
    const size_t needed = strlen("{\"key\":\"a \\\"quoted\\\" word\"}");
    for (size_t max = 0; max <= needed; max++) {
        scoped(buffer_fini) struct buffer buf;
        buffer_init(&buf, max);
        struct json_writer json;
        json_begin(&json, &buf);
        json_object_begin(&json);
        json_key(&json, "key");
        json_text(&json, TEXT("a \"quoted\" word"));
        json_object_end(&json);
        assert_int_equal(buffer_ok(&buf), max == needed);
        assert_true(buf.len <= max);
    }
}

static void rendering_keeps_order_and_numbers(void **state) {
    (void)state;
    static const char *const texts[] = {
        "{\"z\":1,\"a\":[],\"m\":{\"q\":null,\"b\":[true,false]}}",
        "{\"temperature\":0.7,\"pi\":3.141592653589793,\"third\":0.3333333333333333,\"whole\":5.0,\"least\":4."
        "94065645841247e-324}",
        "[1e+300,-0.1,9007199254740993,-9223372036854775808,2.5,100000.5]",
        "\"a\\\"b\\n ä€😀 \\u0001\"",
        "{\"key \\\"quoted\\\" ä\":1}",
        "null",
        "-0.0",
    };
    for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
        scoped(json_release) struct json_t *value = NULL;
        assert_int_equal(json_read_any(text_of(texts[i]), 10, &value, NULL), OK);
        char *rendered = json_render(value);
        assert_string_equal(rendered, texts[i]);
        free(rendered);
    }
}

static void every_real_comes_back(void **state) {
    (void)state;
    uint64_t bits = 0x9E3779B97F4A7C15;
    for (int i = 0; i < 5000; i++) {
        bits ^= bits << 13;
        bits ^= bits >> 7;
        bits ^= bits << 17;
        double number;
        memcpy(&number, &bits, sizeof(number));
        scoped(json_release) struct json_t *value = json_real(number);
        if (value == NULL) { /* not finite */
            continue;
        }
        char *rendered = json_render(value);
        scoped(json_release) struct json_t *read = NULL;
        assert_int_equal(json_read_any(text_of(rendered), 1, &read, NULL), OK);
        assert_true(json_is_real(read) && json_real_value(read) == number);
        free(rendered);
    }
}

static void rendering_into_a_bounded_buffer(void **state) {
    (void)state;
    scoped(json_release) struct json_t *value = NULL;
    assert_int_equal(json_read_any(TEXT("[1,2,3]"), 2, &value, NULL), OK);
    scoped(buffer_fini) struct buffer buf;
    buffer_init(&buf, 9);
    buffer_put(&buf, TEXT("x="));
    json_render_to(&buf, value);
    assert_true(buffer_ok(&buf));
    assert_string_equal(buf.data, "x=[1,2,3]");
    json_render_to(&buf, value);
    assert_false(buffer_ok(&buf));
}

int test_json_write(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(commas_and_nesting),
        cmocka_unit_test(escapes),
        cmocka_unit_test(every_pair_of_bytes_is_readable),
        cmocka_unit_test(a_full_buffer_fails_and_stays_so),
        cmocka_unit_test(rendering_keeps_order_and_numbers),
        cmocka_unit_test(every_real_comes_back),
        cmocka_unit_test(rendering_into_a_bounded_buffer),
    };
    return cmocka_run_group_tests_name("base/json: writing", tests, NULL, NULL);
}
