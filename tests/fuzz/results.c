/* What services answer, becoming results: whatever the output is, there are results within their bounds, or an error that
 * names the place in the model's file.
 *
 *   the model's name
 *   a list: the input that was accepted, and the output */
#include <jansson.h>

#include "base/json.h"
#include "catalog/catalog.h"
#include "fuzz.h"
#include "models.h"
#include "provider/bridge.h"
#include "remote/read_json.h"

void fuzz_begin(void) {
    fuzz_bridge();
}

static json_t *pair_of(const struct model *model, const json_t *input, const json_t *output) {
    json_t *body = json_deep_copy(input);
    json_t *pair = NULL;
    if (model_validate(model, body, NULL) == OK) {
        pair = json_pack("[O, O?]", body, output);
    }
    json_decref(body);
    return pair;
}

static void seed(const struct model *model, const json_t *sample, size_t number) {
    char name[128];
    json_t *output = json_object_get(sample, "output"), *simulated = NULL;
    json_t *pair = pair_of(model, json_object_get(sample, "input"), output);
    if (pair == NULL) {
        return;
    }
    if (output == NULL) {
        struct fault fault;
        fuzz_hold(bridge_simulate(fuzz_bridge(), model, json_array_get(pair, 0), &simulated, &fault) == OK);
        json_array_append_new(pair, simulated);
    }
    snprintf(name, sizeof(name), "%s-%zu", model->name, number + 1);
    fuzz_seed_json(name, model->name, pair);
    json_decref(pair);
}

void fuzz_seeds(void) {
    unsigned count;
    const struct model *const *models = catalog_models(bridge_catalog(fuzz_bridge()), &count);
    for (unsigned i = 0; i < count; i++) {
        json_t *samples = fuzz_model_samples(models[i]), *sample;
        size_t number;
        json_array_foreach(samples, number, sample) {
            if (models[i]->llm == NULL) {
                seed(models[i], sample, number);
            }
        }
        json_decref(samples);
    }
}

static void hold_sources(const struct model_results *results) {
    for (unsigned i = 0; i < results->artifact_count; i++) {
        fuzz_hold(json_is_object(results->artifacts[i].source));
    }
}

void fuzz_one(struct text input) {
    const struct model *model = fuzz_model(fuzz_line(&input));
    json_t *pair = NULL;
    struct fault fault = { .err = OK };
    struct model_results results;
    if (model->llm != NULL || read_service_json(input, &pair, &fault) != OK) {
        return;
    }
    json_t *body = json_incref(json_array_get(pair, 0)), *output = json_array_get(pair, 1);
    /* the input is one that could be accepted: it was */
    if (json_is_object(body) && output != NULL && model_validate(model, body, &fault) == OK) {
        enum err err = bridge_results(fuzz_bridge(), model, body, output, &results, &fault);
        if (err != OK) {
            fuzz_hold_fault(err, &fault);
            fuzz_hold(err == ERR_SCRIPT, "%s: %s", err_info(err)->name, fault.message);
        } else {
            size_t count = json_array_size(results.array);
            fuzz_hold(count >= 1 && count <= 64 && results.artifact_count <= RESULTS_ARTIFACTS_MAX);
            fuzz_hold(results.units_milli >= -1);
            fuzz_hold_round_trip(results.array);
            hold_sources(&results);
            model_results_fini(&results);
        }
    }
    json_decref(body);
    json_decref(pair);
}
