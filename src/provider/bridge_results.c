/* From a model's results function to results whose artifacts still wait to be stored.
 *
 * artifact(x) puts x aside and stands in the results as a token with a number; Lua's tables have no order, so the keys
 * are put into the documented one here. */
#include <jansson.h>
#include <lua.h>
#include <math.h>
#include <stdlib.h>

#include "base/crypto.h"
#include "base/json.h"
#include "base/memory.h"
#include "catalog/catalog.h"
#include "provider/bridge_internal.h"
#include "provider/lua_call.h"
#include "script/script.h"

#define RESULTS_MAX 64
#define UNITS_MAX 1e9

/* Keys come in this order; others follow, sorted by name. */
/* clang-format off */
static const char *const key_order[] = {
    "id", "object", "created", "model", "choices",
    "voice_id", "url", "content_type", "seed", "result_type", "map_type", "profile_id", "character_id", "name",
    "text", "language_code", "language_probability", "words", "start", "end", "type",
};
/* clang-format on */

static size_t rank_of(const char *key) {
    size_t rank = 0;
    while (rank < ARRAY_SIZE(key_order) && strcmp(key, key_order[rank]) != 0) {
        rank++;
    }
    return rank;
}

static int compare_keys(const void *a, const void *b) {
    const char *left = *(const char *const *)a, *right = *(const char *const *)b;
    size_t left_rank = rank_of(left), right_rank = rank_of(right);
    return left_rank != right_rank ? (left_rank < right_rank ? -1 : 1) : strcmp(left, right);
}

static json_t *in_order(json_t *value);

static json_t *object_in_order(json_t *object) {
    size_t count = 0;
    const char **keys = mem_new_array(json_object_size(object) + 1, sizeof(keys[0]));
    for (void *at = json_object_iter(object); at; at = json_object_iter_next(object, at)) {
        keys[count++] = json_object_iter_key(at);
    }
    qsort(keys, count, sizeof(keys[0]), compare_keys);
    json_t *copy = json_object();
    for (size_t i = 0; i < count; i++) {
        json_object_set_new(copy, keys[i], in_order(json_object_get(object, keys[i])));
    }
    free(keys);
    return copy;
}

/* A copy with ordered keys; as deep as the value, which its maker has bounded. */
static json_t *in_order(json_t *value) {
    if (json_is_object(value)) {
        return object_in_order(value);
    }
    if (!json_is_array(value)) {
        return json_incref(value);
    }
    json_t *copy = json_array();
    for (size_t i = 0; i < json_array_size(value); i++) {
        json_array_append_new(copy, in_order(json_array_get(value, i)));
    }
    return copy;
}

const struct result_artifact *bridge_artifact_of(const struct model_results *results, const json_t *value) {
    struct text string = { json_string_value(value), json_string_length(value) }, token = text_of(results->token);
    int64_t number = 0;
    if (!json_is_string(value) || !text_starts(string, token) ||
        !text_to_i64((struct text){ string.ptr + token.len, string.len - token.len }, &number) || number < 0 ||
        number >= results->artifact_count) {
        return NULL;
    }
    return &results->artifacts[number];
}

/* Marks the artifacts whose token is a whole string somewhere in the value. */
static void mark_used(const json_t *value, const struct model_results *results, bool *used) {
    if (json_is_object(value)) {
        const char *key = NULL;
        json_t *member = NULL;
        json_object_foreach((json_t *)(uintptr_t)value, key, member) {
            mark_used(member, results, used);
        }
    } else if (json_is_array(value)) {
        for (size_t i = 0; i < json_array_size(value); i++) {
            mark_used(json_array_get(value, i), results, used);
        }
    } else {
        const struct result_artifact *artifact = bridge_artifact_of(results, value);
        if (artifact != NULL) {
            used[artifact - results->artifacts] = true;
        }
    }
}

static enum err check_shape(const struct model_results *results, const char *where, struct fault *fault) {
    size_t count = json_array_size(results->array);
    if (!json_is_array(results->array) || count == 0 || count > RESULTS_MAX) {
        return fault_set(fault, ERR_SCRIPT, "%s: results must be a list of 1 to %d tables", where, RESULTS_MAX);
    }
    for (size_t i = 0; i < count; i++) {
        json_t *item = json_array_get(results->array, i);
        if (!json_is_object(item) || json_object_size(item) == 0) {
            return fault_set(fault, ERR_SCRIPT, "%s: result %zu must be a table with named members", where, i + 1);
        }
    }
    bool used[RESULTS_ARTIFACTS_MAX] = { false };
    mark_used(results->array, results, used);
    for (unsigned i = 0; i < results->artifact_count; i++) {
        if (!used[i]) {
            return fault_set(fault, ERR_SCRIPT, "%s: artifact %u is not in the results", where, i + 1);
        }
    }
    return OK;
}

/* { seconds = n }, { images = n }, or { seconds = artifact(…) }: as many as that file lasts. Units that the model's price
 * does not count are no units. */
static bool take_units(const json_t *units, const struct model *model, struct model_results *results) {
    json_t *seconds = json_object_get(units, "seconds"), *images = json_object_get(units, "images");
    const struct result_artifact *timed = bridge_artifact_of(results, seconds);
    bool counted = model_billing(model) == (seconds ? BILLING_PER_SECOND : BILLING_PER_IMAGE);
    double number = json_number_value(seconds ? seconds : images);
    if (json_object_size(units) != 1) {
        return false;
    }
    if (timed != NULL) {
        results->timed = counted ? timed : NULL;
        return true;
    }
    if (!json_is_number(seconds ? seconds : images) || !(number >= 0 && number <= UNITS_MAX)) {
        return false;
    }
    if (counted) {
        results->units_milli = (int64_t)ceil(number * 1000 - 1e-6);
    }
    return true;
}

/* The second value of the results function, at the top of the stack: nil, or a table of units. */
static enum err read_units(lua_State *lua, const struct model *model, const char *where, struct model_results *results,
                           struct fault *fault) {
    if (lua_isnil(lua, -1)) {
        return OK;
    }
    scoped(json_release) json_t *units = NULL;
    struct fault inner = { 0 };
    if (script_to_json(lua, -1, &units, &inner) != OK) {
        return fault_set(fault, ERR_SCRIPT, "%s: the second result: %s", where, inner.message);
    }
    return take_units(units, model, results)
               ? OK
               : fault_set(fault, ERR_SCRIPT,
                           "%s: the second result must be { seconds = n }, { seconds = artifact(…) } or { images = n }",
                           where);
}

/* The two values of the results function are on top of the stack. */
static enum err take_values(lua_State *lua, const struct model *model, const char *where, struct model_results *results,
                            struct fault *fault) {
    enum err err = read_units(lua, model, where, results, fault);
    if (err != OK) {
        return err;
    }
    json_t *raw = NULL;
    struct fault inner = { 0 };
    if (script_to_json(lua, -2, &raw, &inner) != OK) {
        return fault_set(fault, ERR_SCRIPT, "%s: results: %s", where, inner.message);
    }
    results->array = in_order(raw);
    json_decref(raw);
    return check_shape(results, where, fault);
}

static void make_token(char ret[33]) {
    uint8_t bytes[16];
    crypto_random(bytes, sizeof(bytes));
    hex_encode(bytes, sizeof(bytes), ret);
}

static enum err run_results(struct bridge *bridge, const struct model *model, const json_t *input, const json_t *output,
                            struct model_results *results, struct fault *fault) {
    scoped(json_release) json_t *parameters = bridge_without_nulls(input);
    /* `out` sees no nulls either: what an upstream gives as null is not there */
    scoped(json_release) json_t *out = bridge_without_nulls(output);
    struct lua_call call = {
        .function = model->lua_results, .arguments = { out, parameters }, .argument_count = 2, .results = 2
    };
    bridge->collecting = results;
    enum err err = lua_call_run(bridge->script, &call, fault);
    bridge->collecting = NULL;
    if (err != OK) {
        return err;
    }
    char where[LUA_WHERE_SIZE];
    lua_call_where(bridge->script, model->lua_results, where);
    lua_State *lua = script_lua(bridge->script);
    err = take_values(lua, model, where, results, fault);
    lua_pop(lua, 2);
    return err;
}

enum err bridge_results(struct bridge *bridge, const struct model *model, const json_t *input, const json_t *output,
                        struct model_results *ret, struct fault *fault) {
    struct model_results results = { .units_milli = -1 };
    make_token(results.token);
    results.artifacts = mem_new_array(RESULTS_ARTIFACTS_MAX, sizeof(results.artifacts[0]));
    enum err err = run_results(bridge, model, input, output, &results, fault);
    if (err != OK) {
        model_results_fini(&results);
        return err;
    }
    *ret = results;
    return OK;
}

void model_results_fini(struct model_results *results) {
    json_decref(results->array);
    for (unsigned i = 0; i < results->artifact_count; i++) {
        json_decref(results->artifacts[i].source);
    }
    free(results->artifacts);
    *results = (struct model_results){ 0 };
}
