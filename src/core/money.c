/* Prices, settlements and how amounts are written. */
#include "core/money.h"

#include <assert.h>

#include "base/json.h"

#define DECIMALS 6

static const char *const billing_names[BILLING_RULE_COUNT] = {
    [BILLING_PER_CALL] = "per_call",
    [BILLING_PER_SECOND] = "per_second",
    [BILLING_PER_IMAGE] = "per_image",
    [BILLING_PER_TOKEN] = "per_token",
};

const char *billing_rule_name(enum billing_rule rule) {
    assert((unsigned)rule < BILLING_RULE_COUNT);
    return billing_names[rule];
}

enum err money_price(int64_t unit_price, int64_t units_milli, int64_t ratio_ppm, int64_t *ret) {
    if (unit_price < 0 || units_milli < 0 || ratio_ppm < 0) {
        return ERR_OUT_OF_RANGE;
    }
    const __int128 scale = (__int128)1000 * 1000000; /* of units_milli and ratio_ppm together */
    __int128 product = (__int128)unit_price * units_milli;
    if (__builtin_mul_overflow(product, ratio_ppm, &product)) {
        return ERR_OUT_OF_RANGE;
    }
    __int128 price = product / scale + (product % scale != 0);
    if (price > MONEY_MAX) {
        return ERR_OUT_OF_RANGE;
    }
    *ret = (int64_t)price;
    return OK;
}

int64_t money_share(int64_t amount, int64_t part, int64_t whole) {
    __int128 product = (__int128)amount * part;
    return (int64_t)(product / whole + (product % whole != 0));
}

struct settlement money_settle(int64_t reserved, int64_t cost, bool success) {
    assert(reserved >= 0 && cost >= 0);
    int64_t charged = !success ? 0 : cost < reserved ? cost : reserved;
    return (struct settlement){ .charged = charged, .refunded = reserved - charged };
}

void money_format(int64_t microcredits, char ret[MONEY_TEXT_SIZE]) {
    uint64_t magnitude = microcredits < 0 ? -(uint64_t)microcredits : (uint64_t)microcredits;
    char digits[MONEY_TEXT_SIZE];
    char *at = digits + sizeof(digits);
    bool significant = false; /* the decimals' trailing zeros are not */
    for (int i = 0; i < DECIMALS; i++, magnitude /= 10) {
        significant = significant || magnitude % 10 != 0;
        if (significant) {
            *--at = (char)('0' + magnitude % 10);
        }
    }
    if (significant) {
        *--at = '.';
    }
    do {
        *--at = (char)('0' + magnitude % 10);
        magnitude /= 10;
    } while (magnitude > 0);
    if (microcredits < 0) {
        *--at = '-';
    }
    size_t len = (size_t)(digits + sizeof(digits) - at);
    assert(len < MONEY_TEXT_SIZE);
    memcpy(ret, at, len);
    ret[len] = '\0';
}

void money_put(struct buffer *buf, int64_t microcredits) {
    char digits[MONEY_TEXT_SIZE];
    money_format(microcredits, digits);
    buffer_put(buf, text_of(digits));
}

void money_put_member(struct json_writer *json, const char *key, int64_t microcredits) {
    char digits[MONEY_TEXT_SIZE];
    money_format(microcredits, digits);
    json_key(json, key);
    json_raw(json, text_of(digits));
}

/* Digits alone, at least one: text_to_i64() would also take a minus. */
static bool parse_digits(struct text t, int64_t *ret) {
    return t.len > 0 && t.ptr[0] != '-' && text_to_i64(t, ret);
}

bool money_parse(struct text t, int64_t *ret) {
    bool negative = t.len > 0 && t.ptr[0] == '-';
    struct text rest = negative ? (struct text){ t.ptr + 1, t.len - 1 } : t;
    bool has_decimals = text_find(rest, '.') < rest.len;
    struct text whole = text_cut(&rest, '.');
    int64_t credits, decimals = 0, total;
    if (!parse_digits(whole, &credits)) {
        return false;
    }
    if (has_decimals && (rest.len > DECIMALS || !parse_digits(rest, &decimals))) {
        return false;
    }
    for (size_t i = has_decimals ? rest.len : DECIMALS; i < DECIMALS; i++) {
        decimals *= 10;
    }
    if (__builtin_mul_overflow(credits, MICROCREDITS, &total) || __builtin_add_overflow(total, decimals, &total) ||
        total > MONEY_MAX) {
        return false;
    }
    *ret = negative ? -total : total;
    return true;
}
