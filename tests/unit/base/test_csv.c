/* Cells of CSV, and dates. */
#include "base/csv.h"

#include "base/date.h"
#include "tests.h"

static void cells(void **state) {
    (void)state;
    const struct {
        const char *value, *cell;
    } cases[] = {
        { "", "" },          { "plain", "plain" },         { "a b", "a b" },       { "a,b", "\"a,b\"" },
        { "a\"b", "\"a\"\"b\"" }, { "a\nb", "\"a\nb\"" },  { "\r", "\"'\r\"" },    { "=1", "'=1" },
        { "+1", "'+1" },     { "-1", "'-1" },              { "@x", "'@x" },        { "\tx", "'\tx" },
        { "1=2", "1=2" },    { "=\"a\"", "\"'=\"\"a\"\"\"" }, { "'x", "'x" },
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct buffer buf;
        buffer_init(&buf, 100);
        csv_put_text(&buf, text_of(cases[i].value));
        csv_end_record(&buf);
        assert_true(text_ends(buffer_text(&buf), TEXT("\r\n")));
        buf.data[buf.len - 2] = '\0';
        assert_string_equal(buf.data, cases[i].cell);
        buffer_fini(&buf);
    }
}

static void dates(void **state) {
    (void)state;
    const struct {
        const char *text;
        int64_t day;
    } good[] = { { "1970-01-01", 0 },      { "1970-01-02", 1 },     { "2000-02-29", 11016 },
                 { "2025-09-06", 20337 },  { "9999-12-31", 2932896 } };
    const char *const bad[] = { "",           "2026",       "2026-1-1",   "2026-02-29", "2026-13-01", "2026-00-10",
                                "2026-01-00", "1969-12-31", "2026/01/01", "2026-01-011", "202a-01-01", "2026-01- 1",
                                "2026-04-31", "-026-01-01" };
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        char text[DATE_SIZE];
        int64_t day = -1;
        assert_true(date_parse(text_of(good[i].text), &day));
        assert_int_equal(day, good[i].day);
        date_format(day, text);
        assert_string_equal(text, good[i].text);
    }
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        int64_t day = 42;
        assert_false(date_parse(text_of(bad[i]), &day));
        assert_int_equal(day, 42);
    }
    char text[DATE_SIZE];
    date_format(-1, text);
    assert_string_equal(text, "1970-01-01");
    date_format(INT64_MAX, text);
    assert_string_equal(text, "9999-12-31");
}

int test_csv(void) {
    const struct CMUnitTest tests[] = { cmocka_unit_test(cells), cmocka_unit_test(dates) };
    return cmocka_run_group_tests_name("base/csv", tests, NULL, NULL);
}
