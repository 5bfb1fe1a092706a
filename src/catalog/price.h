/* A model's price as compiled: a unit price, chosen by a parameter or not, times units that follow from the input. */
#pragma once

#include <stdint.h>

#include "base/errors.h"
#include "core/money.h"

struct json_t;
struct param;

struct price_step {
    struct json_t *value; /* of the parameter `by` */
    int64_t microcredits;
};

struct price_rule {
    enum billing_rule billing;
    int64_t microcredits;   /* a unit, when no parameter decides */
    const char *by;         /* the parameter that decides; NULL: none */
    const struct price_step *steps;
    unsigned step_count;
    const char *field;      /* the parameter that says how many units; NULL: none */
    const char *count;      /* the list parameter whose items are the units; NULL: none */
    int64_t auto_milli;     /* units when the field is -1, null or absent; 0: that cannot be */
    int64_t fixed_milli;    /* units when there is neither field nor count */
    int64_t token_input, token_output, token_cached; /* per_token: microcredits a million tokens */
};

/* Whether the price fits the parameters: the fields exist and always lead to an amount. The fault says what does not. */
enum err price_fits(const struct price_rule *price, const struct param *params, struct fault *fault) must_check;
