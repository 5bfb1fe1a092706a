/* Tokens in results. */
#include "engine/file/results.h"

#include <stdlib.h>

#include <jansson.h>

#include "core/answer.h"
#include "provider/bridge.h"
#include "tests.h"

#define TOKEN "0123456789abcdef0123456789abcdef"

static void put_number(struct buffer *buf, unsigned index, void *context) {
    (void)context;
    buffer_printf(buf, "/link/%u", index);
}

static void assert_rendered(const char *source, unsigned artifacts, const char *expected) {
    const char *types[12] = { "image/png", "image/jpeg", "video/mp4", NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, "audio/wav" };
    struct model_results results = { .array = json_loads(source, 0, NULL), .token = TOKEN, .artifact_count = artifacts };
    struct buffer buf;
    assert_non_null(results.array);
    buffer_init(&buf, 1 << 16);
    results_set_types(&results, types);
    results_put(&buf, &results, put_number, NULL);
    assert_true(buffer_ok(&buf));
    assert_string_equal(buf.data, expected);
    buffer_fini(&buf);
    json_decref(results.array);
}

static void tokens_become_links(void **state) {
    (void)state;
    assert_rendered("[{\"url\":\"" TOKEN "0\",\"seed\":7}]", 1, "[{\"url\":\"\x01/link/0\",\"seed\":7}]");
    assert_rendered("[{\"a\":{\"b\":[\"" TOKEN "1\"]}},{\"url\":\"" TOKEN "11\"}]", 12,
                    "[{\"a\":{\"b\":[\"\x01/link/1\"]}},{\"url\":\"\x01/link/11\"}]");
    assert_rendered("[{\"text\":\"no link\"}]", 0, "[{\"text\":\"no link\"}]");
}

static void content_types_are_the_sniffed_ones(void **state) {
    (void)state;
    assert_rendered("[{\"url\":\"" TOKEN "1\",\"content_type\":\"image/gif\"},{\"url\":\"" TOKEN "0\"},"
                    "{\"url\":\"" TOKEN "2\",\"content_type\":null},{\"url\":\"http://other\",\"content_type\":\"a/b\"}]", 3,
                    "[{\"url\":\"\x01/link/1\",\"content_type\":\"image/jpeg\"},{\"url\":\"\x01/link/0\"},"
                    "{\"url\":\"\x01/link/2\",\"content_type\":\"video/mp4\"},{\"url\":\"http://other\",\"content_type\":\"a/b\"}]");
}

static void a_token_of_no_artifact_is_no_link(void **state) {
    (void)state;
    assert_rendered("[\"" TOKEN "5\",\"" TOKEN "\"]", 1, "[\"5\",\"\"]");
}

static void the_base_byte_cannot_come_from_the_results(void **state) {
    (void)state;
    assert_rendered("[\"\\u0001\"]", 0, "[\"\\u0001\"]");
}

int test_results(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tokens_become_links),
        cmocka_unit_test(content_types_are_the_sniffed_ones),
        cmocka_unit_test(a_token_of_no_artifact_is_no_link),
        cmocka_unit_test(the_base_byte_cannot_come_from_the_results),
    };
    return cmocka_run_group_tests_name("results", tests, NULL, NULL);
}
