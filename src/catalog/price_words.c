/* The words that make prices: per_call, per_second, per_image, per_token; and the statement price "model" (…). */
#include <jansson.h>
#include <lauxlib.h>
#include <lua.h>
#include <math.h>
#include <stdlib.h>

#include "catalog/builder.h"
#include "catalog/param.h"
#include "catalog/price.h"

#define CREDITS_MAX 1e6 /* of a unit */
#define UNITS_MAX 86400
#define NAME_LENGTH_MAX 64

struct word {
    const char *name;
    const char *options[7];
};

static const struct word words[BILLING_RULE_COUNT] = {
    [BILLING_PER_CALL] = { "per_call", { "price", "by" } },
    [BILLING_PER_SECOND] = { "per_second", { "price", "by", "field", "auto", "seconds" } },
    [BILLING_PER_IMAGE] = { "per_image", { "price", "by", "field", "auto", "count" } },
    [BILLING_PER_TOKEN] = { "per_token", { "input", "output", "cached" } },
};

/* The value on top as microcredits. A number counts as exact when six decimals give it back. */
static int64_t read_credits(lua_State *lua, const struct word *word) {
    if (lua_type(lua, -1) != LUA_TNUMBER) {
        luaL_error(lua, "%s: a price must be a number of credits, got a %s", word->name, luaL_typename(lua, -1));
    }
    double credits = lua_tonumber(lua, -1);
    if (!(credits >= 0 && credits <= CREDITS_MAX)) {
        luaL_error(lua, "%s: a price must be between 0 and 1000000 credits, got %f", word->name, credits);
    }
    char digits[40];
    snprintf(digits, sizeof(digits), "%.6f", credits);
    int64_t microcredits = 0;
    if (strtod(digits, NULL) != credits || !money_parse(text_of(digits), &microcredits)) {
        luaL_error(lua, "%s: a price can have six decimals at most", word->name);
    }
    return microcredits;
}

static bool read_price_option(lua_State *lua, const struct word *word, const char *option, int64_t *ret) {
    bool found = lua_getfield(lua, 1, option) != LUA_TNIL;
    if (found) {
        *ret = read_credits(lua, word);
    }
    lua_pop(lua, 1);
    return found;
}

static int by_value(const void *a, const void *b) {
    const json_t *first = ((const struct price_step *)a)->value, *second = ((const struct price_step *)b)->value;
    if (json_is_string(first) && json_is_string(second)) {
        return strcmp(json_string_value(first), json_string_value(second));
    }
    double difference = json_number_value(first) - json_number_value(second);
    return difference < 0 ? -1 : difference > 0 ? 1 : json_is_true(first) - json_is_true(second);
}

/* by = { resolution = { ["480p"] = 2, … } } */
static void read_by(lua_State *lua, const struct word *word, struct price_rule *price) {
    if (lua_getfield(lua, 1, "by") == LUA_TNIL) {
        lua_pop(lua, 1);
        return;
    }
    bool fits = lua_istable(lua, 2);
    lua_pushnil(lua);
    fits = fits && lua_next(lua, 2) && lua_type(lua, 3) == LUA_TSTRING && lua_istable(lua, 4);
    if (!fits) {
        luaL_error(lua, "%s: `by` must be like { resolution = { [\"480p\"] = 2, [\"720p\"] = 5 } }", word->name);
    }
    price->by = builder_string(lua, 3);
    unsigned count = 0;
    for (lua_pushnil(lua); lua_next(lua, 4); lua_pop(lua, 1)) {
        count++;
    }
    struct price_step *steps = builder_array(lua, count, sizeof(*steps));
    for (lua_pushnil(lua); lua_next(lua, 4); lua_pop(lua, 1)) {
        struct price_step *step = &steps[price->step_count++];
        step->microcredits = read_credits(lua, word);
        step->value = builder_json(lua, -2, word->name, "by");
    }
    qsort(steps, price->step_count, sizeof(*steps), by_value);
    price->steps = steps;
    lua_settop(lua, 3);
    if (count == 0 || lua_next(lua, 2)) {
        luaL_error(lua, "%s: `by` must name exactly one parameter, and a price for each of its values", word->name);
    }
    lua_settop(lua, 1);
}

static void read_units(lua_State *lua, const struct word *word, struct price_rule *price) {
    double units = 0;
    price->field = options_string(lua, word->name, 1, "field", NAME_LENGTH_MAX);
    if (options_number(lua, word->name, 1, "auto", 0.001, UNITS_MAX, &units)) {
        price->auto_milli = (int64_t)ceil(units * 1000 - 1e-6);
    }
    if (price->billing == BILLING_PER_IMAGE) {
        price->count = options_string(lua, word->name, 1, "count", NAME_LENGTH_MAX);
        price->fixed_milli = 1000;
    } else if (price->billing == BILLING_PER_SECOND && options_number(lua, word->name, 1, "seconds", 0.001, UNITS_MAX, &units)) {
        price->fixed_milli = (int64_t)ceil(units * 1000 - 1e-6);
    }
    if (price->auto_milli > 0 && price->field == NULL) {
        luaL_error(lua, "%s: `auto` needs `field`", word->name);
    }
    if (price->billing == BILLING_PER_SECOND && (price->field != NULL) == (price->fixed_milli > 0)) {
        luaL_error(lua, "per_second: either `field` or `seconds` is needed");
    }
    if (price->field != NULL && price->count != NULL) {
        luaL_error(lua, "per_image: `field` and `count` exclude each other");
    }
}

static void read_token_prices(lua_State *lua, const struct word *word, struct price_rule *price) {
    bool complete = read_price_option(lua, word, "input", &price->token_input);
    complete = read_price_option(lua, word, "output", &price->token_output) && complete;
    if (!complete) {
        luaL_error(lua, "per_token: `input` and `output` are needed");
    }
    price->token_cached = price->token_input;
    (void)read_price_option(lua, word, "cached", &price->token_cached);
}

static int make_price(lua_State *lua) {
    enum billing_rule billing = (enum billing_rule)lua_tointeger(lua, lua_upvalueindex(1));
    const struct word *word = &words[billing];
    if (billing == BILLING_PER_CALL && lua_type(lua, 1) == LUA_TNUMBER) { /* per_call(5) */
        lua_settop(lua, 1);
        lua_createtable(lua, 0, 1);
        lua_insert(lua, 1);
        lua_setfield(lua, 1, "price");
    }
    options_expect_table(lua, word->name, 1);
    lua_settop(lua, 1);
    options_check_names(lua, word->name, 1, word->options);
    struct price_rule *price = builder_alloc(lua, sizeof(*price));
    price->billing = billing;
    if (billing == BILLING_PER_TOKEN) {
        read_token_prices(lua, word, price);
    } else {
        size_t count = lua_rawlen(lua, 1);
        bool unit = read_price_option(lua, word, "price", &price->microcredits);
        if (count > 0) { /* per_image{ 2, … } */
            lua_rawgeti(lua, 1, 1);
            price->microcredits = read_credits(lua, word);
            lua_settop(lua, 1);
        }
        read_by(lua, word, price);
        if (count + unit + (price->by != NULL) != 1) {
            luaL_error(lua, "%s: exactly one price is needed, a number or `by`", word->name);
        }
        read_units(lua, word, price);
    }
    builder_push(lua, BUILT_PRICE, price);
    return 1;
}

/* The second half of price "model" (…); the model's name is upvalue 1. */
static int set_price(lua_State *lua) {
    struct catalog *catalog = builder_of(lua);
    const char *name = lua_tostring(lua, lua_upvalueindex(1));
    const struct price_rule *price = builder_get(lua, 1, BUILT_PRICE);
    if (price == NULL) {
        luaL_error(lua, "price: a price such as per_call(5) is expected for `%s`, got a %s", name, luaL_typename(lua, 1));
    }
    for (unsigned i = 0; i < catalog->price_count; i++) {
        if (strcmp(catalog->prices[i].model, name) == 0) {
            luaL_error(lua, "price: `%s` has a price already, from %s", name, catalog->prices[i].where);
        }
    }
    if (catalog->price_count == MODELS_MAX) {
        luaL_error(lua, "price: there are more than %d prices", MODELS_MAX);
    }
    const char *where = builder_where(lua);
    const char *copy = builder_string(lua, lua_upvalueindex(1));
    catalog->prices[catalog->price_count++] = (struct price_entry){ copy, where, price };
    return 0;
}

static int begin_price(lua_State *lua) {
    if (lua_type(lua, 1) != LUA_TSTRING) {
        luaL_error(lua, "price: the name of a model is expected, got a %s", luaL_typename(lua, 1));
    }
    lua_settop(lua, 1);
    lua_pushcclosure(lua, set_price, 1);
    return 1;
}

void price_words_open(lua_State *lua) {
    for (int billing = 0; billing < BILLING_RULE_COUNT; billing++) {
        lua_pushinteger(lua, billing);
        lua_pushcclosure(lua, make_price, 1);
        lua_setglobal(lua, words[billing].name);
    }
    lua_pushcfunction(lua, begin_price);
    lua_setglobal(lua, "price");
}
