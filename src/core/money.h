/* Credits: integer microcredits, never floating point (L1), and the rules of reserving and settling.
 *
 * Rounding rule: a price times a group's ratio is rounded up to the next whole microcredit, once, at the very end of
 * the product; so nobody is charged less than the price, and never a whole microcredit more. Pure, any thread. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/errors.h"

struct json_writer;

#define MICROCREDITS 1000000 /* in one credit */
#define MONEY_RATIO_ONE_PPM 1000000
/* The largest amount that any single price, balance or top-up may have: 10^12 credits leaves room to sum a million. */
#define MONEY_MAX ((int64_t)1000000000000000000)

enum billing_rule { BILLING_PER_CALL, BILLING_PER_SECOND, BILLING_PER_IMAGE, BILLING_PER_TOKEN, BILLING_RULE_COUNT };
const char *billing_rule_name(enum billing_rule rule); /* "per_call", … */

/* unit_price * units * ratio, rounded as above. `units_milli` is in thousandths (2.5 s = 2500), `ratio_ppm` in
 * millionths (1.0 = 1,000,000). Negative factors and results over MONEY_MAX are ERR_OUT_OF_RANGE; *ret untouched then. */
enum err money_price(int64_t unit_price, int64_t units_milli, int64_t ratio_ppm, int64_t *ret) must_check;

/* `part` of `whole`, as a share of the amount; rounded up, as prices are. None is negative, `whole` is not 0, `part` is at
 * most `whole`. */
int64_t money_share(int64_t amount, int64_t part, int64_t whole);

/* What a final task costs: charged + refunded = reserved (L3); charged never exceeds reserved. */
struct settlement {
    int64_t charged;
    int64_t refunded;
};
struct settlement money_settle(int64_t reserved, int64_t cost, bool success);

/* Microcredits as the shortest decimal number of credits: 5, 0.5, 0.000001, -2.25. */
void money_put(struct buffer *buf, int64_t microcredits);
/* The same as a member of a JSON object. */
void money_put_member(struct json_writer *json, const char *key, int64_t microcredits);
#define MONEY_TEXT_SIZE 24
void money_format(int64_t microcredits, char ret[MONEY_TEXT_SIZE]);
/* The reverse, for people's input: optional minus, at most six decimals, no exponent. */
bool money_parse(struct text t, int64_t *ret) must_check;
