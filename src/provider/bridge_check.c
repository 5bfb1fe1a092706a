/* Running the samples that a file of models or a provider's file carries: the same code as in production, on one file.
 */
#include <jansson.h>
#include <lua.h>
#include <math.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/json.h"
#include "catalog/catalog.h"
#include "config/config.h"
#include "provider/adapter.h"
#include "provider/bridge_check.h"
#include "provider/bridge_files.h"
#include "provider/bridge_internal.h"
#include "provider/json_diff.h"
#include "script/script.h"

bool check_fail(struct check *check, const char *what, const struct fault *fault) {
    buffer_printf(&check->details, "    %s: %s%s%s\n", what, fault->message, fault->param[0] ? ", param " : "",
                  fault->param);
    return false;
}

bool check_complain(struct check *check, const char *words, const char *name) {
    buffer_printf(&check->details, "    %s%s\n", words, name);
    return false;
}

void check_conclude(struct check *check, const char *subject, size_t number, const char *what, bool good) {
    buffer_printf(check->report, "%s %s, sample %zu%s%s\n", good ? "ok  " : "FAIL", subject, number + 1,
                  *what ? ", " : "", what);
    if (!good) {
        buffer_put(check->report, buffer_text(&check->details));
    }
    buffer_clear(&check->details);
    *(good ? &check->passed : &check->failed) += 1;
}

bool check_members(struct check *check, const json_t *sample, const char *const *names) {
    if (!json_is_object(sample)) {
        return check_complain(check, "a sample must be a table", "");
    }
    const char *key = NULL;
    json_t *member = NULL;
    json_object_foreach((json_t *)(uintptr_t)sample, key, member) {
        size_t i = 0;
        while (names[i] && strcmp(key, names[i]) != 0) {
            i++;
        }
        if (!names[i]) {
            return check_complain(check, "a sample has no member ", key);
        }
    }
    return true;
}

/* ---- models ---- */

static bool check_refused(struct check *check, const json_t *refused, enum err err, const struct fault *fault) {
    const char *code = json_string_value(json_object_get(refused, "code"));
    const char *param = json_string_value(json_object_get(refused, "param"));
    if (err == OK) {
        return check_complain(check, "the input was accepted; expected refusal: ", code ? code : "");
    }
    const char *got = err_info(err)->code;
    if (!code || !got || strcmp(code, got) != 0 || (param && strcmp(param, fault->param) != 0)) {
        buffer_printf(&check->details, "    refused: expected %s, param %s\n", code ? code : "(no code)",
                      param ? param : "any");
        buffer_printf(&check->details, "    refused: got %s, param %s: %s\n", got ? got : "", fault->param,
                      fault->message);
        return false;
    }
    return true;
}

static bool check_price(struct check *check, const struct model *model, const json_t *price, const json_t *body) {
    int64_t got = 0, expected = llround(json_number_value(price) * MICROCREDITS);
    enum err err = model_price(model, body, 1000000, &got);
    if (err != OK || got != expected) {
        char expected_text[MONEY_TEXT_SIZE], got_text[MONEY_TEXT_SIZE];
        money_format(expected, expected_text);
        money_format(got, got_text);
        buffer_printf(&check->details, "    price: expected %s, got %s\n", expected_text,
                      err == OK ? got_text : err_info(err)->name);
        return false;
    }
    return true;
}

static const struct route *find_route(const struct model *model, const char *provider) {
    for (unsigned i = 0; i < model->route_count; i++) {
        if (strcmp(model->routes[i].provider, provider) == 0) {
            return &model->routes[i];
        }
    }
    return NULL;
}

static bool check_upstream(struct check *check, const struct model *model, const json_t *upstream, const json_t *body) {
    bool good = true;
    const char *provider = NULL;
    json_t *expected = NULL;
    json_object_foreach((json_t *)(uintptr_t)upstream, provider, expected) {
        const struct route *route = find_route(model, provider);
        scoped(json_release) json_t *got = NULL;
        struct fault fault = { 0 };
        if (!route) {
            good = check_complain(check, "upstream: the model has no route ", provider);
        } else if (bridge_input(check->bridge, route, body, &got, &fault) != OK) {
            good = check_fail(check, "upstream", &fault);
        } else {
            good = json_diff(provider, expected, got, &check->details) && good;
        }
    }
    return good;
}

/* The results with each token replaced by what a sample writes for an artifact: its URL, or else its source. */
static json_t *with_sources(const json_t *value, const struct model_results *results) {
    const struct result_artifact *artifact = bridge_artifact_of(results, value);
    if (artifact != NULL) {
        json_t *url = json_object_get(artifact->source, "url");
        return json_incref(url ? url : artifact->source);
    }
    json_t *copy = json_is_object(value)  ? json_object()
                   : json_is_array(value) ? json_array()
                                          : json_copy((json_t *)(uintptr_t)value);
    const char *key = NULL;
    json_t *member = NULL;
    json_object_foreach((json_t *)(uintptr_t)value, key, member) {
        json_object_set_new(copy, key, with_sources(member, results));
    }
    for (size_t i = 0; i < json_array_size(value); i++) {
        json_array_append_new(copy, with_sources(json_array_get(value, i), results));
    }
    return copy;
}

/* A number, or the URL of the artifact whose seconds they are. */
static bool check_units(struct check *check, const json_t *units, const struct model_results *results) {
    if (json_is_string(units)) {
        const json_t *url = results->timed ? json_object_get(results->timed->source, "url") : NULL;
        return json_equal(units, url) || check_complain(check, "units: they are not the seconds of ", json_string_value(units));
    }
    if (!results->timed && llround(json_number_value(units) * 1000) == results->units_milli) {
        return true;
    }
    buffer_printf(&check->details, "    units: expected %g, got %g\n", json_number_value(units),
                  (double)results->units_milli / 1000);
    return false;
}

static bool check_results(struct check *check, const struct model *model, const json_t *sample, const json_t *body) {
    struct model_results results;
    struct fault fault = { 0 };
    if (bridge_results(check->bridge, model, body, json_object_get(sample, "output"), &results, &fault) != OK) {
        return check_fail(check, "results", &fault);
    }
    const json_t *expected = json_object_get(sample, "results"), *units = json_object_get(sample, "units");
    bool good = true;
    if (expected) {
        scoped(json_release) json_t *got = with_sources(results.array, &results);
        good = json_diff("results", expected, got, &check->details);
    }
    good = (!units || check_units(check, units, &results)) && good;
    model_results_fini(&results);
    return good;
}

/* Whatever the sample says: what the simulator would answer must become results. */
static bool check_simulated(struct check *check, const struct model *model, const json_t *body) {
    scoped(json_release) json_t *output = NULL;
    struct model_results results;
    struct fault fault = { 0 };
    if (bridge_simulate(check->bridge, model, body, &output, &fault) != OK) {
        return check_fail(check, "simulate", &fault);
    }
    if (bridge_results(check->bridge, model, body, output, &results, &fault) != OK) {
        return check_fail(check, "simulated results", &fault);
    }
    model_results_fini(&results);
    return true;
}

static bool check_model_sample(struct check *check, const struct model *model, const json_t *sample) {
    static const char *const names[] = { "input",  "valid",   "refused", "price", "upstream",
                                         "output", "results", "units",   NULL };
    if (!check_members(check, sample, names)) {
        return false;
    }
    const json_t *refused = json_object_get(sample, "refused"), *valid = json_object_get(sample, "valid");
    const json_t *price = json_object_get(sample, "price"), *upstream = json_object_get(sample, "upstream");
    scoped(json_release) json_t *body = json_deep_copy(json_object_get(sample, "input"));
    if (!json_is_object(body)) {
        return check_complain(check, "a sample needs an input, a table with named members", "");
    }
    struct fault fault = { 0 };
    enum err err = model_validate(model, body, &fault);
    if (refused) {
        return check_refused(check, refused, err, &fault);
    }
    if (err != OK) {
        return check_fail(check, "the input was refused", &fault);
    }
    bool good = true;
    if (valid) {
        scoped(json_release) json_t *expected = bridge_without_nulls(valid);
        scoped(json_release) json_t *got = bridge_without_nulls(body);
        good = json_diff("valid", expected, got, &check->details);
    }
    good = (!price || check_price(check, model, price, body)) && good;
    good = (!upstream || check_upstream(check, model, upstream, body)) && good;
    good = (!json_object_get(sample, "output") || check_results(check, model, sample, body)) && good;
    return check_simulated(check, model, body) && good;
}

static enum err check_model(struct check *check, const struct model *model, struct fault *fault) {
    scoped(json_release) json_t *samples = NULL;
    if (model->lua_samples != LUA_NONE) {
        lua_State *lua = script_lua(check->bridge->script);
        lua_rawgeti(lua, LUA_REGISTRYINDEX, model->lua_samples);
        struct fault inner = { 0 };
        enum err err = script_to_json(lua, -1, &samples, &inner);
        lua_pop(lua, 1);
        if (err != OK) {
            return fault_set(fault, err, "%s: the samples of model %s: %s", model->file, model->name, inner.message);
        }
    }
    if (json_array_size(samples) == 0 && model->llm == NULL) { /* of which nothing is to be tried */
        buffer_printf(check->report, "none %s has no samples\n", model->name);
    }
    for (size_t i = 0; i < json_array_size(samples); i++) {
        const json_t *sample = json_array_get(samples, i);
        bool good = check_model_sample(check, model, sample);
        check_conclude(check, model->name, i, json_object_get(sample, "refused") ? "refused" : "", good);
    }
    return OK;
}

/* ---- the file ---- */

/* "models/x.lua" of "any/where/models/x.lua"; the base name where the folder is none of ours. */
static const char *catalog_path(const char *path) {
    const char *base = strrchr(path, '/') ? strrchr(path, '/') + 1 : path;
    static const char *const folders[] = { "models/", "providers/" };
    for (size_t i = 0; i < ARRAY_SIZE(folders); i++) {
        size_t len = strlen(folders[i]);
        const char *start = (size_t)(base - path) >= len ? base - len : NULL;
        if (start && strncmp(start, folders[i], len) == 0 && (start == path || start[-1] == '/')) {
            return start;
        }
    }
    return base;
}

/* Lua's names of long paths are cut at their beginning, so the end decides. */
static bool defined_in(const struct model *model, const struct bridge_file *file) {
    return text_ends(text_of(model->file), text_of(file->name)) ||
           text_ends(text_of(file->name), text_of(model->file)) ||
           (strncmp(model->file, "...", 3) == 0 && text_ends(text_of(file->name), text_of(model->file + 3)));
}

static enum err check_all(struct check *check, const struct bridge_file *file, struct fault *fault) {
    enum err err = OK;
    unsigned count = 0, models = 0;
    const struct model *const *list = catalog_models(check->bridge->catalog, &count);
    for (unsigned i = 0; i < count && err == OK; i++) {
        if (defined_in(list[i], file)) {
            models++;
            err = check_model(check, list[i], fault);
        }
    }
    bool adapter = false;
    for (unsigned i = 0; i < check->bridge->adapter_count; i++) {
        if (strcmp(check->bridge->adapters[i]->file, file->name) == 0) {
            adapter = true;
            check_adapter(check, check->bridge->adapters[i], file->source);
        }
    }
    if (err == OK && models == 0 && !adapter) {
        return fault_set(fault, ERR_SCRIPT, "%s: defines no model and returns no adapter", file->name);
    }
    return err;
}

static enum err check_in(struct bridge_files *files, const struct config *config, const char *path, struct check *check,
                         struct fault *fault) {
    const char *place = catalog_path(path);
    if (access(path, F_OK) == 0 || !bridge_files_find(files, place)) {
        enum err err = bridge_files_read(files, place, path, fault);
        if (err != OK) {
            return err;
        }
    }
    enum err err = bridge_open_files(files, config, &check->bridge, fault);
    if (err == OK) {
        buffer_init(&check->details, 64 << 10);
        err = check_all(check, bridge_files_find(files, place), fault);
        buffer_fini(&check->details);
        bridge_close(check->bridge);
    }
    return err;
}

enum err bridge_check_file(const struct config *config, const char *path, struct buffer *report, unsigned *ret_passed,
                           unsigned *ret_failed, struct fault *fault) {
    struct bridge_files files;
    enum err err = bridge_files_gather(config->catalog_directory, &files, fault);
    if (err != OK) {
        return err;
    }
    struct check check = { .report = report };
    err = check_in(&files, config, path, &check, fault);
    bridge_files_fini(&files);
    if (err == OK) {
        *ret_passed = check.passed;
        *ret_failed = check.failed;
    }
    return err;
}
