/* JSON as services send it. */
#include <jansson.h>
#include <stdlib.h>

#include "base/compiler.h"
#include "base/json.h"
#include "remote/read_json.h"
#include "trial.h"

static void what_loses_nothing_is_mended(void **state) {
    (void)state;
    static const struct {
        const char *body, *read;
    } rows[] = {
        { "{\"id\":9007199254740993}", "{\"id\":9007199254740993}" },
        { "{\"id\":18446744073709551615}", "{\"id\":\"18446744073709551615\"}" },
        { "{\"id\":-99999999999999999999,\"a\":[1,-2.5e3]}", "{\"id\":\"-99999999999999999999\",\"a\":[1,-2500.0]}" },
        { "[1e999,1]", "[\"1e999\",1]" },
        { "{\"a\":\"x\\u0000y\",\"b\":\"\\\\u0000\"}", "{\"a\":\"x\xEF\xBF\xBDy\",\"b\":\"\\\\u0000\"}" },
        { "[\"\\ud83d\",\"\\ude00\",\"\\uD83D\\uDE00\"]",
          "[\"\xEF\xBF\xBD\",\"\xEF\xBF\xBD\",\"\xF0\x9F\x98\x80\"]" },
        { "[\"\\ud83d\\ud83d\\ude00\",\"a\\udbffb\",\"\\\\ud83d\",\"\\ud83d\\n\"]",
          "[\"\xEF\xBF\xBD\xF0\x9F\x98\x80\",\"a\xEF\xBF\xBD" "b\",\"\\\\ud83d\",\"\xEF\xBF\xBD\\n\"]" },
        { "[\"\xFF\",\"a\xC3\",\"\xC3\xA4\xA4\",\"\xED\xA0\xBD\"]",
          "[\"\xEF\xBF\xBD\",\"a\xEF\xBF\xBD\",\"\xC3\xA4\xEF\xBF\xBD\",\"\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\"]" },
        { "{\"a\":1,\"a\":2}", "{\"a\":2}" },
        { "{\"text\":\"18446744073709551615 \\\" 5\",\"n\":18446744073709551616}",
          "{\"text\":\"18446744073709551615 \\\" 5\",\"n\":\"18446744073709551616\"}" },
        { " 7 ", "7" },
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        json_t *value = NULL;
        if (read_service_json(text_of(rows[i].body), &value, NULL) != OK) {
            fail_msg("not read: %s", rows[i].body);
        }
        char *got = json_render(value);
        assert_string_equal(got, rows[i].read);
        free(got);
        json_decref(value);
    }
}

static void the_rest_is_refused(void **state) {
    (void)state;
    static const char *const rows[] = {
        "",           " ",          "{",           "{\"id\":\"job-", "[1,", "<html>", "{\"a\":18446744073709551616",
        "{\"a\":1}}", "{\"a\":01}", "{\"a\":\"\\", "\xff\"\"", "\"\\ud83", "\"\\ud83x\"", "\"\\ud83d", "\"\xC3"
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        json_t *value = NULL;
        /* in memory of its own size, so that reading past its end shows */
        char *exact = malloc(strlen(rows[i]) + 1);
        memcpy(exact, rows[i], strlen(rows[i]) + 1);
        assert_int_equal(read_service_json((struct text){ exact, strlen(exact) }, &value, NULL), ERR_INVALID_JSON);
        assert_null(value);
        free(exact);
    }
}

int test_read_json(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_loses_nothing_is_mended),
        cmocka_unit_test(the_rest_is_refused),
    };
    return cmocka_run_group_tests_name("read_json", tests, NULL, NULL);
}
