/* L1 and L3: rounding at its boundaries, overflow, settlements over swept values, amounts as text. */
#include "core/money.h"

#include "tests.h"

#define WHOLE 1000   /* units_milli of one unit */
#define EVEN 1000000 /* ratio_ppm of 1.0 */

/* A small, repeatable source of numbers (xorshift). */
static uint64_t next_random(uint64_t *seed) {
    *seed ^= *seed << 13;
    *seed ^= *seed >> 7;
    *seed ^= *seed << 17;
    return *seed;
}

static void prices(void **state) {
    (void)state;
    static const struct {
        int64_t unit_price, units_milli, ratio_ppm;
        enum err err;
        int64_t price;
    } cases[] = {
        { 0, WHOLE, EVEN, OK, 0 },
        { 1, WHOLE, EVEN, OK, 1 },
        { 5 * MICROCREDITS, 2500, EVEN, OK, 12500000 },
        { 2 * MICROCREDITS, 5 * WHOLE, 1500000, OK, 15 * MICROCREDITS },
        { 1, 1, 1, OK, 1 }, /* a billionth rounds up to one */
        { 1, 1, EVEN, OK, 1 },
        { 1, WHOLE, EVEN - 1, OK, 1 },
        { 1, WHOLE, EVEN + 1, OK, 2 },
        { 10, WHOLE, 1, OK, 1 },
        { 3, 333, EVEN, OK, 1 },  /* 0.999 */
        { 3, 334, EVEN, OK, 2 },  /* 1.002 */
        { 1000, 1, EVEN, OK, 1 }, /* exactly 1: not rounded up */
        { 1001, 1, EVEN, OK, 2 },
        { 7, 1500, 500000, OK, 6 },  /* 5.25: rounded once; rounding 10.5 to 11 first would give 5.5 */
        { 1, 1500, 500000, OK, 1 },  /* 0.75, where rounding each step gives 1 too */
        { 1, 1100, 1500000, OK, 2 }, /* 1.65, where rounding each step would give 3 */
        { 5, WHOLE, 0, OK, 0 },
        { 5, 0, EVEN, OK, 0 },
        { MONEY_MAX, WHOLE, EVEN, OK, MONEY_MAX },
        { MONEY_MAX, WHOLE, EVEN + 1, ERR_OUT_OF_RANGE, 0 },
        { MONEY_MAX, WHOLE + 1, EVEN, ERR_OUT_OF_RANGE, 0 },
        { MONEY_MAX - 1, WHOLE, EVEN, OK, MONEY_MAX - 1 },
        { MONEY_MAX + 1, WHOLE, EVEN, ERR_OUT_OF_RANGE, 0 },
        { INT64_MAX, INT64_MAX, INT64_MAX, ERR_OUT_OF_RANGE, 0 },
        { INT64_MAX, INT64_MAX, 1, ERR_OUT_OF_RANGE, 0 },
        { INT64_MAX, 1, 1, OK, 9223372037 },
        { INT64_MAX, INT64_MAX, 0, OK, 0 },
        { -1, WHOLE, EVEN, ERR_OUT_OF_RANGE, 0 },
        { 1, -1, EVEN, ERR_OUT_OF_RANGE, 0 },
        { 1, WHOLE, -1, ERR_OUT_OF_RANGE, 0 },
        { INT64_MIN, INT64_MIN, INT64_MIN, ERR_OUT_OF_RANGE, 0 },
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        int64_t price = -77;
        assert_int_equal(money_price(cases[i].unit_price, cases[i].units_milli, cases[i].ratio_ppm, &price),
                         cases[i].err);
        assert_int_equal(price, cases[i].err == OK ? cases[i].price : -77);
    }
}

/* Never less than the exact product, and never a whole microcredit more. */
static void a_price_is_rounded_up_by_less_than_one(void **state) {
    (void)state;
    uint64_t seed = 20260102;
    for (int i = 0; i < 20000; i++) {
        int64_t unit_price = (int64_t)(next_random(&seed) % 1000000000000);
        int64_t units_milli = (int64_t)(next_random(&seed) % 1000000);
        int64_t ratio_ppm = (int64_t)(next_random(&seed) % 10000000);
        int64_t price;
        assert_int_equal(money_price(unit_price, units_milli, ratio_ppm, &price), OK);
        __int128 exact = (__int128)unit_price * units_milli * ratio_ppm; /* in billionths of a microcredit */
        __int128 over = (__int128)price * 1000000000 - exact;
        assert_true(over >= 0 && over < 1000000000);
    }
}

static void settlements_balance(void **state) {
    (void)state;
    static const int64_t amounts[] = { 0, 1, 2, 999999, 1000000, 1000001, 123456789, MONEY_MAX - 1, MONEY_MAX };
    for (size_t r = 0; r < ARRAY_SIZE(amounts); r++) {
        for (size_t c = 0; c < ARRAY_SIZE(amounts); c++) {
            for (int success = 0; success <= 1; success++) {
                struct settlement settled = money_settle(amounts[r], amounts[c], success);
                assert_int_equal(settled.charged + settled.refunded, amounts[r]); /* L3 */
                assert_true(settled.charged >= 0 && settled.refunded >= 0);
                assert_true(settled.charged <= amounts[c]);
                if (!success) {
                    assert_int_equal(settled.charged, 0);
                } else {
                    assert_int_equal(settled.charged, amounts[c] < amounts[r] ? amounts[c] : amounts[r]);
                }
            }
        }
    }
}

static void a_share_is_rounded_up(void **state) {
    (void)state;
    assert_int_equal(money_share(10, 1, 3), 4);
    assert_int_equal(money_share(10, 0, 3), 0);
    assert_int_equal(money_share(10, 3, 3), 10);
    assert_int_equal(money_share(MONEY_MAX, MONEY_MAX - 1, MONEY_MAX), MONEY_MAX - 1);
    assert_int_equal(money_share(1, 1, MONEY_MAX), 1);
}

static void amounts_as_text(void **state) {
    (void)state;
    static const struct {
        int64_t microcredits;
        const char *text;
    } cases[] = {
        { 0, "0" },
        { 1, "0.000001" },
        { -1, "-0.000001" },
        { 10, "0.00001" },
        { 500000, "0.5" },
        { 5000000, "5" },
        { -2250000, "-2.25" },
        { 100000000, "100" },
        { 1000001, "1.000001" },
        { 12345678901, "12345.678901" },
        { MONEY_MAX, "1000000000000" },
        { -MONEY_MAX, "-1000000000000" },
        { MONEY_MAX - 1, "999999999999.999999" },
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        char text[MONEY_TEXT_SIZE];
        int64_t parsed = 77;
        money_format(cases[i].microcredits, text);
        assert_string_equal(text, cases[i].text);
        assert_true(money_parse(text_of(text), &parsed));
        assert_int_equal(parsed, cases[i].microcredits);

        struct buffer buf;
        buffer_init(&buf, 64);
        buffer_put(&buf, TEXT("credits "));
        money_put(&buf, cases[i].microcredits);
        assert_true(buffer_ok(&buf));
        assert_string_equal(buf.data + 8, cases[i].text);
        buffer_fini(&buf);
    }
    /* No amount of ours, but no memory error either. */
    char text[MONEY_TEXT_SIZE];
    money_format(INT64_MIN, text);
    assert_string_equal(text, "-9223372036854.775808");
    money_format(INT64_MAX, text);
    assert_string_equal(text, "9223372036854.775807");
}

static void every_amount_comes_back(void **state) {
    (void)state;
    uint64_t seed = 42;
    for (int i = 0; i < 20000; i++) {
        int64_t amount = (int64_t)(next_random(&seed) >> (next_random(&seed) % 60 + 4)) % MONEY_MAX;
        amount = i % 2 ? amount : -amount;
        char text[MONEY_TEXT_SIZE];
        int64_t parsed;
        money_format(amount, text);
        assert_true(money_parse(text_of(text), &parsed));
        assert_int_equal(parsed, amount);
    }
}

static void what_people_type(void **state) {
    (void)state;
    static const struct {
        const char *text;
        int64_t microcredits;
    } good[] = {
        { "1.50", 1500000 }, { "007", 7000000 }, { "-0", 0 }, { "0.100000", 100000 }, { "-0.5", -500000 },
    };
    static const char *const bad[] = {
        "",
        "-",
        ".",
        "1.",
        ".5",
        "-.5",
        "1.2345678",
        "1.0000000",
        "1e3",
        "1,5",
        "+1",
        " 1",
        "1 ",
        "--1",
        "1.-5",
        "-1.-5",
        "1.2.3",
        "0x10",
        "nan",
        "1000000000000.000001",
        "1000000000001",
        "9223372036854775807",
        "99999999999999999999",
        "-1000000000000.000001",
    };
    for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
        int64_t parsed = 77;
        assert_true(money_parse(text_of(good[i].text), &parsed));
        assert_int_equal(parsed, good[i].microcredits);
    }
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        int64_t parsed = 77;
        assert_false(money_parse(text_of(bad[i]), &parsed));
        assert_int_equal(parsed, 77);
    }
    int64_t parsed = 77;
    assert_false(money_parse(TEXT_NONE, &parsed));
    assert_false(money_parse(TEXT("1\0"), &parsed));
}

static void billing_names(void **state) {
    (void)state;
    static const char *const names[BILLING_RULE_COUNT] = { "per_call", "per_second", "per_image", "per_token" };
    for (unsigned i = 0; i < BILLING_RULE_COUNT; i++) {
        assert_string_equal(billing_rule_name(i), names[i]);
    }
}

int test_money(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(prices),
        cmocka_unit_test(a_price_is_rounded_up_by_less_than_one),
        cmocka_unit_test(settlements_balance),
        cmocka_unit_test(a_share_is_rounded_up),
        cmocka_unit_test(amounts_as_text),
        cmocka_unit_test(every_amount_comes_back),
        cmocka_unit_test(what_people_type),
        cmocka_unit_test(billing_names),
    };
    return cmocka_run_group_tests_name("core/money", tests, NULL, NULL);
}
