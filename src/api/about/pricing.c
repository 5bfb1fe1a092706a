/* GET /api/pricing: every model's price, complete enough to compute what a task will reserve, and the groups' ratios.
 * Anyone may read it. */
#include <jansson.h>
#include <stdlib.h>

#include "api/about/document.h"
#include "api/internal.h"
#include "base/json.h"
#include "catalog/param.h"
#include "catalog/price.h"

#define WORDS_MAX ((size_t)16 << 20)
#define MILLI 1000

/* ---- a price ---- */

static const char *const units[BILLING_RULE_COUNT] = {
    [BILLING_PER_CALL] = "call",
    [BILLING_PER_SECOND] = "second",
    [BILLING_PER_IMAGE] = "image",
    [BILLING_PER_TOKEN] = "million tokens",
};

/* In thousandths. */
static void put_milli(struct json_writer *json, const char *key, int64_t milli) {
    money_put_member(json, key, milli * (MICROCREDITS / MILLI));
}

static void put_value(struct json_writer *json, const char *key, const json_t *value) {
    char *text = value != NULL ? json_render(value) : NULL;
    json_key(json, key);
    json_raw(json, text != NULL ? text_of(text) : TEXT("null"));
    free(text);
}

static const json_t *fallback_of(const struct model *model, const char *name) {
    const struct param *param = param_find(model->params, text_of(name));
    return param != NULL ? param->fallback : NULL;
}

static void put_variants(struct json_writer *json, const struct model *model) {
    const struct price_rule *price = model->price;
    json_key(json, "by");
    json_text(json, text_of(price->by));
    put_value(json, "default", fallback_of(model, price->by));
    json_key(json, "variants");
    json_array_begin(json);
    for (unsigned i = 0; i < price->step_count; i++) {
        json_object_begin(json);
        put_value(json, "value", price->steps[i].value);
        money_put_member(json, "credits", price->steps[i].microcredits);
        json_object_end(json);
    }
    json_array_end(json);
}

/* How many units a task has: those of a field, the items of a list, or always as many. */
static void put_units(struct json_writer *json, const struct model *model) {
    const struct price_rule *price = model->price;
    bool per_call = price->billing == BILLING_PER_CALL;
    json_key(json, "units");
    json_object_begin(json);
    if (!per_call && price->count != NULL) {
        json_key(json, "items_of");
        json_text(json, text_of(price->count));
    } else if (!per_call && price->field != NULL) {
        json_key(json, "field");
        json_text(json, text_of(price->field));
        put_value(json, "default", fallback_of(model, price->field));
        if (price->auto_milli > 0)
            put_milli(json, "otherwise", price->auto_milli); /* absent, null or below zero */
    } else {
        put_milli(json, "fixed", per_call ? MILLI : price->fixed_milli);
    }
    json_object_end(json);
}

static void put_price(struct json_writer *json, const struct model *model) {
    const struct price_rule *price = model->price;
    json_key(json, "price");
    json_object_begin(json);
    json_key(json, "unit");
    json_text(json, text_of(units[price->billing]));
    if (price->billing == BILLING_PER_TOKEN) {
        money_put_member(json, "input", price->token_input);
        money_put_member(json, "cached_input", price->token_cached);
        money_put_member(json, "output", price->token_output);
    } else {
        if (price->by != NULL)
            put_variants(json, model);
        else
            money_put_member(json, "credits", price->microcredits);
        put_units(json, model);
    }
    json_object_end(json);
}

/* ---- the least that a task can cost ---- */

static int64_t least_unit(const struct price_rule *price) {
    int64_t least = price->by != NULL ? INT64_MAX : price->microcredits;
    for (unsigned i = 0; price->by != NULL && i < price->step_count; i++)
        if (price->steps[i].microcredits < least)
            least = price->steps[i].microcredits;
    return least;
}

static double least_number(const struct param *param, double least) {
    if (param->kind == PARAM_CHOICE)
        least = json_number_value(param->values[0]);
    else if (param->has_min && param->min >= 0)
        least = param->min;
    for (unsigned i = 0; i < param->value_count; i++) {
        double value = json_number_value(param->values[i]);
        if (value >= 0 && value < least)
            least = value;
    }
    return least;
}

/* False when it does not follow from the parameters. */
static bool least_units(const struct model *model, int64_t *ret_milli) {
    const struct price_rule *price = model->price;
    const char *name = price->count != NULL ? price->count : price->field;
    *ret_milli = price->billing == BILLING_PER_CALL ? MILLI : price->fixed_milli;
    if (price->billing == BILLING_PER_CALL || name == NULL)
        return true;
    const struct param *param = param_find(model->params, text_of(name));
    if (param == NULL || (!param->has_min && param->kind != PARAM_CHOICE))
        return false;
    if (param->kind != PARAM_CHOICE && param->min < 0)
        return false;
    *ret_milli = (int64_t)(least_number(param, param->min) * MILLI);
    if (price->auto_milli > 0 && price->auto_milli < *ret_milli)
        *ret_milli = price->auto_milli;
    return true;
}

static void put_minimum(struct json_writer *json, const struct model *model) {
    int64_t milli, least;
    if (model->price->billing != BILLING_PER_TOKEN && least_units(model, &milli) &&
        money_price(least_unit(model->price), milli, MICROCREDITS, &least) == OK) {
        money_put_member(json, "minimum", least);
        return;
    }
    json_key(json, "minimum");
    json_null_value(json);
}

/* ---- the list ---- */

static void put_model(struct json_writer *json, const struct model *model) {
    struct buffer words;
    json_object_begin(json);
    json_key(json, "model");
    json_text(json, text_of(model->name));
    json_key(json, "type");
    json_text(json, text_of(task_type_name(model->type)));
    json_key(json, "description");
    json_string_or_null(json, model->summary);
    json_key(json, "billing_rule");
    json_text(json, text_of(billing_rule_name(model->price->billing)));
    put_price(json, model);
    put_minimum(json, model);
    buffer_init(&words, WORDS_MAX);
    model_put_price(model, &words);
    json_key(json, "price_text");
    json_text(json, buffer_text(&words));
    buffer_fini(&words);
    json_object_end(json);
}

/* A group's name is the operator's, and may need escaping. */
static void put_ratio(struct buffer *buf, const struct group_config *group, bool comma) {
    struct json_writer json;
    buffer_put(buf, comma ? TEXT(",") : TEXT(""));
    json_begin(&json, buf);
    json_text(&json, text_of(group->name));
    buffer_put_char(buf, ':');
    money_put(buf, group->price_ppm);
}

enum err pricing_render(const struct setup *setup, struct buffer *buf, struct fault *fault) {
    struct json_writer json;
    unsigned count;
    (void)fault;
    const struct model *const *models = catalog_models(setup->catalog, &count);

    json_begin(&json, buf);
    json_object_begin(&json);
    json_key(&json, "success");
    json_bool(&json, true);
    json_key(&json, "message");
    json_text(&json, TEXT(""));
    json_key(&json, "data");
    json_array_begin(&json);
    for (unsigned i = 0; i < count; i++)
        put_model(&json, models[i]);
    json_array_end(&json);
    json_key(&json, "group_ratio");
    json_raw(&json, TEXT("{"));
    for (unsigned i = 0; i < setup->config->group_count; i++)
        put_ratio(buf, &setup->config->groups[i], i > 0);
    buffer_put(buf, TEXT("}}"));
    return OK;
}

void handle_pricing(struct exchange *exchange) {
    document_reply(api_of(exchange)->pricing, exchange);
}
