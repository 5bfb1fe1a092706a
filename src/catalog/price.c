/* Prices: whether one fits its model, what an input costs, and how a price is told. */
#include "catalog/price.h"

#include <assert.h>
#include <jansson.h>
#include <math.h>

#include "catalog/catalog.h"
#include "catalog/param.h"
#include "core/tokens.h"

#define MILLI 1000
#define PPM 1000000
#define TOKENS_PRICED 1000000 /* what a price of tokens is for */

/* ---- whether a price fits a model ---- */

/* Whether a validated input may lack a value here. */
static bool can_lack(const struct param *param) {
    return param->nullable || (!param->required && param->fallback == NULL);
}

static bool is_number_choice(const struct param *param) {
    bool numbers = param->kind == PARAM_CHOICE;
    for (unsigned i = 0; numbers && i < param->value_count; i++) {
        numbers = json_is_number(param->values[i]) && json_number_value(param->values[i]) > 0;
    }
    return numbers;
}

/* Whether the number may be below zero, which stands for "the model chooses". */
static bool can_be_negative(const struct param *param) {
    bool negative = param->kind != PARAM_CHOICE && (!param->has_min || param->min < 0);
    for (unsigned i = 0; i < param->value_count; i++) {
        negative = negative || json_number_value(param->values[i]) < 0;
    }
    return negative;
}

static enum err field_fits(const struct price_rule *price, const struct param *params, struct fault *fault) {
    const struct param *param = param_find(params, text_of(price->field));
    if (param == NULL) {
        return fault_set(fault, ERR_SCRIPT, "`field`: there is no parameter `%s`", price->field);
    }
    if (param->kind != PARAM_INTEGER && param->kind != PARAM_NUMBER && !is_number_choice(param)) {
        return fault_set(fault, ERR_SCRIPT, "`field`: the parameter `%s` must be a number, it is a %s", price->field,
                         param_kind_name(param->kind));
    }
    if (price->auto_milli == 0 && can_lack(param)) {
        return fault_set(fault, ERR_SCRIPT, "`%s` may be absent or null, so `auto` must say how many units that is",
                         price->field);
    }
    if (price->auto_milli == 0 && can_be_negative(param)) {
        return fault_set(fault, ERR_SCRIPT, "`%s` may be below zero, so `auto` must say how many units that is",
                         price->field);
    }
    return OK;
}

static enum err count_fits(const struct price_rule *price, const struct param *params, struct fault *fault) {
    const struct param *param = param_find(params, text_of(price->count));
    if (param == NULL) {
        return fault_set(fault, ERR_SCRIPT, "`count`: there is no parameter `%s`", price->count);
    }
    if (param->kind != PARAM_LIST || can_lack(param)) {
        return fault_set(fault, ERR_SCRIPT, "`count`: the parameter `%s` must be a list that is always there", price->count);
    }
    return OK;
}

static const struct price_step *find_step(const struct price_rule *price, const json_t *value) {
    for (unsigned i = 0; value != NULL && i < price->step_count; i++) {
        if (param_same_value(price->steps[i].value, value)) {
            return &price->steps[i];
        }
    }
    return NULL;
}

/* The JSON keys of a Lua table are texts, or the numbers that a number choice has. */
static enum err by_fits(const struct price_rule *price, const struct param *params, struct fault *fault) {
    const struct param *param = param_find(params, text_of(price->by));
    if (param == NULL) {
        return fault_set(fault, ERR_SCRIPT, "`by`: there is no parameter `%s`", price->by);
    }
    if ((param->kind != PARAM_CHOICE && param->kind != PARAM_BOOLEAN) || can_lack(param)) {
        return fault_set(fault, ERR_SCRIPT, "`by`: the parameter `%s` must be a choice or a boolean that is always there",
                         price->by);
    }
    char brief[PARAM_BRIEF_SIZE];
    for (unsigned i = 0; i < price->step_count; i++) {
        json_t *replacement = NULL;
        if (param_check(param, price->by, price->steps[i].value, &replacement, NULL) != OK) {
            param_brief(price->steps[i].value, brief);
            return fault_set(fault, ERR_SCRIPT, "`by`: `%s` cannot be %s", price->by, brief);
        }
    }
    json_t *const both[] = { json_true(), json_false() };
    json_t *const *values = param->kind == PARAM_BOOLEAN ? both : param->values;
    unsigned count = param->kind == PARAM_BOOLEAN ? ARRAY_SIZE(both) : param->value_count;
    for (unsigned i = 0; i < count; i++) {
        if (find_step(price, values[i]) == NULL) {
            param_brief(values[i], brief);
            return fault_set(fault, ERR_SCRIPT, "`by`: there is no price for `%s` %s", price->by, brief);
        }
    }
    return OK;
}

enum err price_fits(const struct price_rule *price, const struct param *params, struct fault *fault) {
    enum err err = price->field != NULL ? field_fits(price, params, fault) : OK;
    if (err == OK && price->count != NULL) {
        err = count_fits(price, params, fault);
    }
    if (err == OK && price->by != NULL) {
        err = by_fits(price, params, fault);
    }
    return err;
}

/* ---- what an input costs ---- */

static int64_t units_of(const struct price_rule *price, const json_t *input) {
    if (price->count != NULL) {
        return (int64_t)json_array_size(json_object_get(input, price->count)) * MILLI;
    }
    if (price->field == NULL) {
        return price->fixed_milli;
    }
    const json_t *value = json_object_get(input, price->field);
    double number = json_is_number(value) ? json_number_value(value) : -1;
    if (number < 0) {
        return price->auto_milli;
    }
    /* A part of a thousandth counts as one, but not what binary fractions add to a decimal one. */
    return number < (double)MONEY_MAX / MILLI ? (int64_t)ceil(number * MILLI - 1e-6) : MONEY_MAX;
}

static enum err unit_price(const struct price_rule *price, const json_t *input, int64_t *ret) {
    if (price->billing == BILLING_PER_TOKEN) {
        return ERR_INTERNAL; /* what tokens cost is known only after they came */
    }
    if (price->by == NULL) {
        *ret = price->microcredits;
        return OK;
    }
    const struct price_step *step = find_step(price, json_object_get(input, price->by));
    if (step == NULL) {
        return ERR_INTERNAL; /* the input was not validated: price_fits() made sure of all values */
    }
    *ret = step->microcredits;
    return OK;
}

enum err model_price_units(const struct model *model, const struct json_t *input, int64_t units_milli, int64_t ratio_ppm,
                           int64_t *ret) {
    int64_t unit;
    enum err err = unit_price(model->price, input, &unit);
    if (err != OK) {
        return err;
    }
    return money_price(unit, model->price->billing == BILLING_PER_CALL ? MILLI : units_milli, ratio_ppm, ret);
}

enum err model_price(const struct model *model, const struct json_t *input, int64_t ratio_ppm, int64_t *ret) {
    return model_price_units(model, input, units_of(model->price, input), ratio_ppm, ret);
}

enum err model_price_tokens(const struct model *model, const struct token_usage *tokens, int64_t ratio_ppm,
                            int64_t *ret) {
    const struct price_rule *price = model->price;
    if (tokens->input < 0 || tokens->output < 0 || tokens->cached < 0 || ratio_ppm < 0) {
        return ERR_OUT_OF_RANGE;
    }
    int64_t cached = tokens->cached < tokens->input ? tokens->cached : tokens->input;
    /* Prices are of a million tokens and at most 10^12, so the sum cannot overflow. */
    __int128 cost = (__int128)(tokens->input - cached) * price->token_input + (__int128)cached * price->token_cached +
                    (__int128)tokens->output * price->token_output;
    const __int128 scale = (__int128)TOKENS_PRICED * PPM;
    if (__builtin_mul_overflow(cost, ratio_ppm, &cost)) {
        return ERR_OUT_OF_RANGE;
    }
    cost = cost / scale + (cost % scale != 0);
    if (cost > MONEY_MAX) {
        return ERR_OUT_OF_RANGE;
    }
    *ret = (int64_t)cost;
    return OK;
}

enum billing_rule model_billing(const struct model *model) {
    return model->price->billing;
}

/* ---- for people ---- */

static void put_amount(struct buffer *buf, int64_t microcredits, const char *unit) {
    money_put(buf, microcredits);
    buffer_printf(buf, " credit%s per %s", microcredits == MICROCREDITS ? "" : "s", unit);
}

static void put_step(struct buffer *buf, const struct price_rule *price, const struct price_step *step) {
    char brief[PARAM_BRIEF_SIZE];
    param_brief(step->value, brief);
    buffer_put(buf, TEXT(" at "));
    if (json_is_string(step->value)) {
        buffer_put(buf, (struct text){ json_string_value(step->value), json_string_length(step->value) });
    } else {
        buffer_printf(buf, "%s %s", price->by, brief);
    }
}

/* In the order in which the model lists the values: "2 credits per second at 480p, 5 at 720p". */
static void put_steps(struct buffer *buf, const struct price_rule *price, const struct param *params, const char *unit) {
    const struct param *param = param_find(params, text_of(price->by));
    assert(param != NULL); /* price_read refused the rule otherwise */
    bool choice = param->kind == PARAM_CHOICE;
    for (unsigned i = 0; i < price->step_count; i++) {
        const struct price_step *step = choice ? find_step(price, param->values[i]) : &price->steps[i];
        assert(step != NULL); /* nor a rule without a price for each value */
        if (i == 0) {
            put_amount(buf, step->microcredits, unit);
        } else {
            buffer_put(buf, TEXT(", "));
            money_put(buf, step->microcredits);
        }
        put_step(buf, price, step);
    }
}

/* "2 credits per million tokens in, 0.2 of them cached, 8 out" */
static void put_token_prices(struct buffer *buf, const struct price_rule *price, const char *unit) {
    if (price->token_input == 0 && price->token_output == 0 && price->token_cached == 0) {
        buffer_put(buf, TEXT("free"));
        return;
    }
    put_amount(buf, price->token_input, unit);
    buffer_put(buf, TEXT(" in, "));
    if (price->token_cached != price->token_input) {
        money_put(buf, price->token_cached);
        buffer_put(buf, TEXT(" of them cached, "));
    }
    money_put(buf, price->token_output);
    buffer_put(buf, TEXT(" out"));
}

void model_put_price(const struct model *model, struct buffer *buf) {
    static const char *const units[BILLING_RULE_COUNT] = {
        [BILLING_PER_CALL] = "call",
        [BILLING_PER_SECOND] = "second",
        [BILLING_PER_IMAGE] = "image",
        [BILLING_PER_TOKEN] = "million tokens",
    };
    const struct price_rule *price = model->price;
    const char *unit = units[price->billing];
    if (price->billing == BILLING_PER_TOKEN) {
        put_token_prices(buf, price, unit);
    } else if (price->by != NULL) {
        put_steps(buf, price, model->params, unit);
    } else if (price->microcredits == 0) {
        buffer_put(buf, TEXT("free"));
    } else {
        put_amount(buf, price->microcredits, unit);
    }
}
