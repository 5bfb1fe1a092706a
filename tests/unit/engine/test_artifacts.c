/* Results' files: every kind of source, and what does not become a result. */
#include <stdlib.h>

#include "fake_driver.h"
#include "house.h"
#include "server.h"
#include "tests.h"

static const char png[] = "\x89PNG\r\n\x1a\n\0\0\0\rIHDR";
#define PNG_BASE64 "iVBORw0KGgoAAAANSUhEUg=="
#define PNG_HEX "89504e470d0a1a0a0000000d49484452"

static struct house house;
static struct server server;

static int open_with(int64_t small_max) {
    static const char *allow[1];
    fake_reset();
    server_open(&server, 200, png, sizeof(png) - 1);
    allow[0] = server.host_port;
    struct config limits = { .fetch_allow = allow, .fetch_allow_count = 1, .artifact_max = 100000,
                             .result_small_max = small_max };
    house_open(&house, NULL, &limits);
    house_start(&house);
    return 0;
}

static int open_house(void **state) {
    (void)state;
    return open_with(0);
}

static int open_small_house(void **state) {
    (void)state;
    return open_with(16384);
}

static int close_house(void **state) {
    (void)state;
    house_audit(&house);
    house_close(&house);
    server_close(&server);
    return 0;
}

static struct task_id run_with(const char *model, const char *write, const char *source) {
    char input[4096];
    snprintf(input, sizeof(input), "{\"do\":\"succeed\",\"write\":{%s},\"results\":[{\"url\":\"@0\",\"content_type\":null}],"
             "\"artifacts\":[%s]}", write, source);
    return house_run(&house, 0, model, input);
}

static void assert_result(const struct task_id *id, const char *words) {
    house_await(&house, 0, id, TASK_COMPLETED);
    char *body = house_query(&house, 0, id, HOUSE_BASE);
    if (strstr(body, words) == NULL)
        fail_msg("%s is not in %s", words, body);
    free(body);
}

static void assert_failed(const struct task_id *id, const char *code) {
    house_await(&house, 0, id, TASK_FAILED);
    char *body = house_query(&house, 0, id, HOUSE_BASE);
    if (strstr(body, code) == NULL)
        fail_msg("%s is not in %s", code, body);
    free(body);
    assert_int_equal(house_balance(&house, 0), HOUSE_CREDITS);
}

static void every_kind_of_source_becomes_a_blob(void **state) {
    (void)state;
    char url[96];
    snprintf(url, sizeof(url), "{\"url\":\"http://%s/a\"}", server.host_port);
    const struct { const char *write, *source; } cases[] = {
        { "", "{\"base64\":\"" PNG_BASE64 "\"}" },
        { "", "{\"hex\":\"" PNG_HEX "\"}" },
        { "", "{\"generate\":\"image\",\"width\":16,\"height\":16}" },
        { "", url },
        { "\"out.svg\":\"<svg xmlns=\\\"http://www.w3.org/2000/svg\\\"/>\",\"x\":\"GIF89a..........\"", "{\"file\":\"x\"}" },
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct task_id id = run_with("image", cases[i].write, cases[i].source);
        assert_result(&id, "\"content_type\":\"image/");
    }
}

static void what_is_no_file_of_the_attempt_is_no_result(void **state) {
    (void)state;
    const char *sources[] = { "{\"file\":\"missing\"}", "{\"file\":\"../../fennec.db\"}", "{\"file\":\"/etc/passwd\"}",
                              "{\"base64\":\"???\"}", "{\"hex\":\"abc\"}", "{\"other\":1}", "{\"base64\":\"\"}" };
    for (size_t i = 0; i < ARRAY_SIZE(sources); i++) {
        struct task_id id = run_with("image", "", sources[i]);
        assert_failed(&id, "generation_failed_no_content");
    }
}

static void a_file_of_the_wrong_kind_is_no_result(void **state) {
    (void)state;
    struct task_id id = run_with("audio", "", "{\"base64\":\"" PNG_BASE64 "\"}");
    assert_failed(&id, "generation_failed_no_content"); /* B1 */
}

static void a_file_over_the_limit_is_no_result(void **state) {
    (void)state;
    static char large[200000];
    memcpy(large, png, sizeof(png) - 1);
    server.bytes = large;
    server.len = sizeof(large);
    char url[96];
    snprintf(url, sizeof(url), "{\"url\":\"http://%s/a\"}", server.host_port);
    struct task_id id = run_with("image", "", url);
    assert_failed(&id, "A result file is larger than the limit of 100000 bytes.");
}

static void an_upstream_may_not_point_inside(void **state) {
    (void)state;
    struct task_id id = run_with("image", "", "{\"url\":\"http://127.0.0.1:9/a\"}");
    assert_failed(&id, "generation_failed_no_content"); /* S1 */
}

/* Sounds of ten bytes a second. */
#define WAV_20 "UklGRjgAAABXQVZFZm10IBAAAAABAAEACgAAAAoAAAABAAgAZGF0YRQAAACAgICAgICAgICAgICAgICAgICAgA=="
#define WAV_25 "UklGRj0AAABXQVZFZm10IBAAAAABAAEACgAAAAoAAAABAAgAZGF0YRkAAACAgICAgICAgICAgICAgICAgICAgICAgICA"

/* Of four seconds reserved, with files in the store and in the database. */
static void a_file_tells_for_how_many_seconds_is_paid(void **state) {
    (void)state;
    static const struct {
        const char *source;
        int64_t seconds;
    } cases[] = {
        { "{\"base64\":\"" WAV_20 "\"}", 2 },
        { "{\"base64\":\"" WAV_25 "\"}", 3 },
        { "{\"generate\":\"audio\",\"seconds\":9}", 4 }, /* L3 */
        { "{\"hex\":\"494433\"}", 4 },         /* it cannot be told */
        { "{\"generate\":\"audio\",\"seconds\":3}", 3 },
    };
    int64_t left = HOUSE_CREDITS;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        char input[1024];
        snprintf(input, sizeof(input), "{\"do\":\"succeed\",\"timed\":1,\"results\":[{\"url\":\"@0\"},{\"url\":\"@1\"}],"
                 "\"artifacts\":[{\"generate\":\"audio\",\"seconds\":1},%s]}", cases[i].source);
        struct task_id id = house_run(&house, 0, "audio", input);
        house_await(&house, 0, &id, TASK_COMPLETED);
        left -= cases[i].seconds * MICROCREDITS;
        assert_int_equal(house_balance(&house, 0), left);
    }
}

static void no_results_is_a_failure(void **state) {
    (void)state;
    struct task_id id = house_run(&house, 0, "image", "{\"do\":\"succeed\",\"results\":[]}");
    assert_failed(&id, "generation_failed_no_content");
    id = house_run(&house, 0, "image", "{\"do\":\"succeed\"}");
    assert_failed(&id, "service_error");
}

static void results_without_files_are_results(void **state) {
    (void)state;
    struct task_id id = house_run(&house, 0, "audio", "{\"do\":\"succeed\",\"results\":[{\"voice_id\":\"v\"}]}");
    assert_result(&id, "\"results\":[{\"voice_id\":\"v\"}]");
}

int test_artifacts(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(every_kind_of_source_becomes_a_blob, open_house, close_house),
        cmocka_unit_test_setup_teardown(what_is_no_file_of_the_attempt_is_no_result, open_house, close_house),
        cmocka_unit_test_setup_teardown(a_file_of_the_wrong_kind_is_no_result, open_house, close_house),
        cmocka_unit_test_setup_teardown(a_file_over_the_limit_is_no_result, open_house, close_house),
        cmocka_unit_test_setup_teardown(an_upstream_may_not_point_inside, open_house, close_house),
        cmocka_unit_test_setup_teardown(a_file_tells_for_how_many_seconds_is_paid, open_house, close_house),
        cmocka_unit_test_setup_teardown(a_file_tells_for_how_many_seconds_is_paid, open_small_house, close_house),
        cmocka_unit_test_setup_teardown(no_results_is_a_failure, open_house, close_house),
        cmocka_unit_test_setup_teardown(results_without_files_are_results, open_house, close_house),
    };
    return cmocka_run_group_tests_name("artifacts", tests, NULL, NULL);
}
