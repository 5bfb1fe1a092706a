/* Log lines byte for byte, their bound, and that no value can forge a line. */
#include "base/log.h"

#include <jansson.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "tests.h"

#define LINE_MAX_BYTES 4096

static char captured[65536];
static int capture_fd, saved_stderr;

static void capture_begin(void) {
    saved_stderr = dup(STDERR_FILENO);
    FILE *file = tmpfile();
    assert_non_null(file);
    capture_fd = dup(fileno(file));
    fclose(file);
    assert_true(dup2(capture_fd, STDERR_FILENO) >= 0);
}

static struct text capture_end(void) {
    assert_true(dup2(saved_stderr, STDERR_FILENO) >= 0);
    close(saved_stderr);
    ssize_t count = pread(capture_fd, captured, sizeof(captured) - 1, 0);
    close(capture_fd);
    assert_true(count >= 0);
    captured[count] = '\0';
    return (struct text){ captured, (size_t)count };
}

static int freeze(void **state) {
    (void)state;
    clock_freeze(1767323045678);
    return 0;
}

static int restore(void **state) {
    (void)state;
    clock_unfreeze();
    log_setup(LOG_INFO, LOG_TEXT);
    return 0;
}

#define TIME "2026-01-02T03:04:05.678Z"

static void lines_for_people(void **state) {
    (void)state;
    log_setup(LOG_DEBUG, LOG_TEXT);
    capture_begin();
    log_event(LOG_INFO, "task accepted", LOG_S("task", "task-llm-1-abcd1234"), LOG_I("bytes", -5));
    log_event(LOG_DEBUG, "no fields");
    log_event(LOG_WARNING, "quoted", LOG_S("a", "two words"), LOG_S("b", ""), LOG_S("c", "x=y"), LOG_S("d", "\"q\""));
    log_event(LOG_ERROR, "forged", LOG_S("a", "x\n2026 error"), LOG_T("b", TEXT("\x1b[31m")), LOG_S("c", "\xff"),
              LOG_S("d", NULL), LOG_S("e", "ä"));
    log_event(LOG_INFO, "message\nof two lines");
    capture_end();
    assert_string_equal(captured,
                        TIME " info  task accepted task=task-llm-1-abcd1234 bytes=-5\n" TIME " debug no fields\n" TIME
                             " warn  quoted a=\"two words\" b=\"\" c=\"x=y\" d=\"\\\"q\\\"\"\n" TIME
                             " error forged a=\"x\\n2026 error\" b=\"\\u001b[31m\" c=\"\xEF\xBF\xBD\" d=\"\" e=ä\n" TIME
                             " info  \"message\\nof two lines\"\n");
}

static void lines_for_machines(void **state) {
    (void)state;
    log_setup(LOG_INFO, LOG_JSON);
    capture_begin();
    log_event(LOG_INFO, "task \"accepted\"", LOG_S("task", "a\nb"), LOG_I("bytes", 7));
    log_event(LOG_ERROR, "no fields");
    capture_end();
    assert_string_equal(captured, "{\"time\":\"" TIME "\",\"level\":\"info\",\"message\":\"task \\\"accepted\\\"\","
                                  "\"task\":\"a\\nb\",\"bytes\":7}\n"
                                  "{\"time\":\"" TIME "\",\"level\":\"error\",\"message\":\"no fields\"}\n");
}

static void levels(void **state) {
    (void)state;
    for (int least = LOG_DEBUG; least <= LOG_ERROR; least++) {
        log_setup(least, LOG_TEXT);
        for (int level = LOG_DEBUG; level <= LOG_ERROR; level++) {
            assert_int_equal(log_enabled(level), level >= least);
        }
    }
    int evaluated = 0;
    capture_begin();
    log_event(LOG_WARNING, "below", LOG_I("n", ++evaluated));
    struct text written = capture_end();
    assert_int_equal(written.len, 0);
    assert_int_equal(evaluated, 0); /* what is not written is not worked out either */
}

/* Any number of fields of any length, plain or growing sixfold when escaped: one whole line, inside the bound. */
static void long_lines_are_cut(void **state) {
    (void)state;
    static const char *const fillers[] = { "x", "ä", "😀", "\x01", "\"", "\xff", "a b" };
    static char value[20000];
    for (int format = LOG_TEXT; format <= LOG_JSON; format++) {
        log_setup(LOG_INFO, format);
        for (size_t f = 0; f < ARRAY_SIZE(fillers); f++) {
            for (size_t len = 500; len < sizeof(value) - 4; len = len * 2 + 1) {
                size_t filled = 0;
                while (filled < len) {
                    memcpy(value + filled, fillers[f], strlen(fillers[f]));
                    filled += strlen(fillers[f]);
                }
                struct text t = { value, filled };
                value[filled] = '\0';
                capture_begin();
                log_event(LOG_INFO, value, LOG_T("a", t), LOG_T("b", t), LOG_I("n", 1), LOG_T("c", t), LOG_T("d", t),
                          LOG_T("e", t), LOG_I("m", 2));
                struct text line = capture_end();
                assert_true(line.len > 900 && line.len <= LINE_MAX_BYTES);
                assert_int_equal(text_find(line, '\n'), line.len - 1);
                assert_true(text_is_utf8(line));
                assert_true(filled <= 1024 || strstr(captured, "…") != NULL);
                if (format == LOG_JSON) {
                    json_t *read = json_loadb(line.ptr, line.len, JSON_REJECT_DUPLICATES, NULL);
                    assert_non_null(read);
                    assert_true(json_string_length(json_object_get(read, "message")) > 100);
                    json_decref(read);
                }
            }
        }
    }
}

static void one_long_value_does_not_hide_the_next(void **state) {
    (void)state;
    log_setup(LOG_INFO, LOG_TEXT);
    static char value[5000];
    memset(value, 'x', sizeof(value));
    capture_begin();
    log_event(LOG_INFO, "long", LOG_T("a", ((struct text){ value, sizeof(value) })), LOG_S("task", "shown"));
    struct text line = capture_end();
    assert_true(text_ends(line, TEXT("… task=shown\n")));
}

int test_log(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines_for_people),
        cmocka_unit_test(lines_for_machines),
        cmocka_unit_test(levels),
        cmocka_unit_test(long_lines_are_cut),
        cmocka_unit_test(one_long_value_does_not_hide_the_next),
    };
    return cmocka_run_group_tests_name("base/log", tests, freeze, restore);
}
