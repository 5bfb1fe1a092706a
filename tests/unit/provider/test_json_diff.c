/* What differs between two JSON values, in words. */
#include <jansson.h>

#include "base/json.h"
#include "bridge_tests.h"
#include "provider/json_diff.h"

static const struct {
    const char *expected, *got, *words; /* "": equal */
} rows[] = {
    { "1", "1", "" },
    { "1", "1.0", "" },
    { "1", "2", "    x: expected 1, got 2\n" },
    { "9007199254740993", "9007199254740992", "    x: expected 9007199254740993, got 9007199254740992\n" },
    { "\"1\"", "1", "    x: expected \"1\", got 1\n" },
    { "{\"a\":1,\"b\":[1,2]}", "{\"b\":[1,2],\"a\":1}", "" },
    { "{\"a\":1}", "{}", "    x.a: expected 1, got nothing\n" },
    { "{}", "{\"a\":null}", "    x.a: expected nothing, got null\n" },
    { "{\"a\":[{\"b\":1},{\"b\":2}]}", "{\"a\":[{\"b\":1},{\"b\":3}]}", "    x.a[1].b: expected 2, got 3\n" },
    { "[1]", "[1,{\"c\":2}]", "    x[1]: expected nothing, got {\"c\":2}\n" },
    { "[]", "{}", "    x: expected [], got {}\n" },
    { "[1,2,3,4,5,6,7]", "[]",
      "    x[0]: expected 1, got nothing\n    x[1]: expected 2, got nothing\n    x[2]: expected 3, got nothing\n"
      "    x[3]: expected 4, got nothing\n    x[4]: expected 5, got nothing\n    and 2 more\n" },
};

static void differences_are_named(void **state) {
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        scoped(json_release) json_t *expected = json_loads(rows[i].expected, JSON_DECODE_ANY, NULL);
        scoped(json_release) json_t *got = json_loads(rows[i].got, JSON_DECODE_ANY, NULL);
        struct buffer buf;
        buffer_init(&buf, 4096);
        assert_int_equal(json_diff("x", expected, got, &buf), rows[i].words[0] == '\0');
        assert_string_equal(buf.len > 0 ? buf.data : "", rows[i].words);
        buffer_fini(&buf);
    }
}

static void long_values_are_cut(void **state) {
    (void)state;
    char long_text[2000];
    memset(long_text, 'x', sizeof(long_text) - 1);
    long_text[sizeof(long_text) - 1] = '\0';
    scoped(json_release) json_t *expected = json_string(long_text);
    struct buffer buf;
    buffer_init(&buf, 4096);
    assert_false(json_diff("x", expected, json_null(), &buf));
    assert_true(buf.len < 300);
    assert_non_null(strstr(buf.data, "..., got null"));
    buffer_fini(&buf);
}

int test_json_diff(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(differences_are_named),
        cmocka_unit_test(long_values_are_cut),
    };
    return cmocka_run_group_tests_name("json_diff", tests, NULL, NULL);
}
