/* The shipped models load, and their samples are validated, refused and priced as they say. */
#include <jansson.h>
#include <lua.h>

#include "base/json.h"
#include "catalog/catalog.h"
#include "catalog/llm.h"
#include "script/embedded.h"
#include "script/script.h"
#include "tests.h"

/* Stands for what the bridge gives models: any number will do here. */
static int hash(lua_State *lua) {
    lua_pushinteger(lua, 7);
    return 1;
}

static void load_shipped(struct loaded *loaded) {
    struct fault fault = { 0 };
    assert_int_equal(script_new(NULL, &loaded->script), OK);
    lua_register(script_lua(loaded->script), "hash", hash);
    assert_int_equal(catalog_begin(loaded->script, &fault), OK);
    for (unsigned pass = 0; pass < 2; pass++) { /* prices come last */
        for (size_t i = 0; i < embedded_file_count; i++) {
            const struct embedded_file *file = &embedded_files[i];
            bool wanted = pass == 0 ? text_starts(text_of(file->path), TEXT("models/"))
                                    : strcmp(file->path, "prices.lua") == 0;
            if (wanted && script_run(loaded->script, file->path, file->source, NULL, &fault) != OK) {
                fail_msg("%s", fault.message);
            }
        }
    }
    if (catalog_finish(loaded->script, &loaded->catalog, &fault) != OK) {
        fail_msg("%s", fault.message);
    }
}

static void check_refused(const struct model *model, size_t number, const json_t *refused, const struct fault *fault) {
    const char *code = json_string_value(json_object_get(refused, "code"));
    const char *param = json_string_value(json_object_get(refused, "param"));
    if (code == NULL || strcmp(code, err_info(fault->err)->code) != 0 ||
        (param != NULL && strcmp(param, fault->param) != 0)) {
        fail_msg("%s, sample %zu: refused as %s, %s: %s", model->name, number, err_info(fault->err)->code, fault->param,
                 fault->message);
    }
}

static void check_price(const struct model *model, size_t number, const json_t *expected, const json_t *input) {
    int64_t price = 0;
    assert_int_equal(model_price(model, input, 1000000, &price), OK);
    char digits[MONEY_TEXT_SIZE];
    money_format(price, digits);
    if (json_number_value(expected) * 1e6 != (double)price) {
        fail_msg("%s, sample %zu: the price is %s", model->name, number, digits);
    }
}

static void check_sample(const struct model *model, size_t number, const json_t *sample) {
    json_t *input = json_object_get(sample, "input");
    struct fault fault = { 0 };
    const json_t *refused = json_object_get(sample, "refused");
    enum err err = model_validate(model, input, &fault);
    if (refused != NULL) {
        check_refused(model, number, refused, &fault);
        return;
    }
    if (err != OK) {
        fail_msg("%s, sample %zu: %s", model->name, number, fault.message);
    }
    const json_t *valid = json_object_get(sample, "valid"), *price = json_object_get(sample, "price");
    if (valid != NULL && !json_equal(input, valid)) {
        fail_msg("%s, sample %zu: the input became %s", model->name, number, json_dumps(input, JSON_SORT_KEYS));
    }
    if (price != NULL) {
        check_price(model, number, price, input);
    }
}

static void samples_hold(void **state) {
    (void)state;
    struct loaded loaded = { 0 };
    load_shipped(&loaded);
    unsigned count;
    const struct model *const *models = catalog_models(loaded.catalog, &count);
    assert_true(count > 0);
    lua_State *lua = script_lua(loaded.script);
    for (unsigned i = 0; i < count; i++) {
        if (models[i]->llm != NULL) {
            assert_int_equal(models[i]->lua_results, LUA_NONE);
            continue; /* has its own test */
        }
        assert_int_not_equal(models[i]->lua_results, LUA_NONE);
        assert_int_not_equal(models[i]->lua_simulate, LUA_NONE);
        assert_int_not_equal(models[i]->lua_samples, LUA_NONE);
        lua_rawgeti(lua, LUA_REGISTRYINDEX, models[i]->lua_samples);
        scoped(json_release) json_t *samples = NULL;
        assert_int_equal(script_to_json(lua, -1, &samples, NULL), OK);
        lua_pop(lua, 1);
        assert_true(json_array_size(samples) > 0);
        for (size_t n = 0; n < json_array_size(samples); n++) {
            check_sample(models[i], n + 1, json_array_get(samples, n));
        }
    }
    unload_catalog(&loaded);
}

/* Every model that the API contract names with its result's shape. */
static void nothing_is_missing(void **state) {
    (void)state;
    static const char *const names[] = {
        "seedance-2.0-text-to-video", "seedance-2.0-fast-text-to-video", "seedance-2.0-image-to-video",
        "seedance-2.0-fast-image-to-video", "seedance-2.0-reference-to-video", "seedance-2.0-fast-reference-to-video",
        "kling-video-create-voice", "minimax-voice-clone", "sora-2-character", "phota-create-profile", "scribe-v2",
        "patina-pbr-maps", "patina-material", "patina-material-extract", "local-speech", "local-transcribe", "local-image",
        "local-pbr-maps", "local-image-to-video", "local-document", "local-pdf-text", "local-pdf-images",
    };
    struct loaded loaded = { 0 };
    load_shipped(&loaded);
    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        const struct model *model = catalog_find(loaded.catalog, text_of(names[i]));
        if (model == NULL) {
            fail_msg("there is no model %s", names[i]);
        }
        assert_true(model->route_count > 0);
    }
    unload_catalog(&loaded);
}

/* The language models that the API contract names, and what it says that each takes. */
static void language_models_have_their_rules(void **state) {
    (void)state;
    static const struct {
        const char *name, *takes; /* the capabilities in their order */
        bool max_tokens_required;
        int64_t max_tokens_min;
        const char *provider;
    } rows[] = {
        { "claude-opus-4-7", "text vision file", true, 0, "anthropic" },
        { "claude-opus-4-6", "text vision file", true, 0, "anthropic" },
        { "claude-sonnet-4-6", "text vision file", true, 0, "anthropic" },
        { "gemini-2.5-pro", "text vision video audio", false, 0, "gemini" },
        { "gemini-3-pro-preview", "text vision video audio file", false, 0, "gemini" },
        { "gemini-3.1-pro-preview", "text vision video audio file", false, 0, "gemini" },
        { "gpt-5.4", "text vision", false, 16, "openai" },
        { "gpt-5.5", "text vision", false, 16, "openai" },
        { "kimi-k2.6", "text vision", false, 0, "moonshot" },
        { "kimi-k2", "text", false, 0, "moonshot" },
        { "nemotron-3-nano-omni", "text vision video audio", false, 0, "nvidia" },
        { "deepseek-chat", "text", false, 0, "deepseek" },
        { "deepseek-reasoner", "text", false, 0, "deepseek" },
        { "doubao-seed-2.0", "text vision video", false, 0, "ark-llm" },
        { "doubao-seed-2.0-pro", "text vision video", false, 0, "ark-llm" },
        { "doubao-seed-2.0-lite", "text vision video", false, 0, "ark-llm" },
        { "doubao-seed-2.0-mini", "text vision video", false, 0, "ark-llm" },
        { "doubao-seed-2.0-code", "text vision video", false, 0, "ark-llm" },
        { "minimax-m2.5", "text", false, 0, "minimax-llm" },
        { "ollama/llama3.2:1b", "text vision", false, 0, "ollama" },
        { "local/qwen3", "text vision video audio file", false, 0, "llamacpp" },
        { "openrouter/qwen/qwen3-coder:free", "text vision video audio file", false, 0, "openrouter" },
    };
    struct loaded loaded = { 0 };
    load_shipped(&loaded);
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        const struct model *model = catalog_find(loaded.catalog, text_of(rows[i].name));
        if (model == NULL || model->llm == NULL) {
            fail_msg("there is no language model %s", rows[i].name);
        }
        char takes[64] = "";
        for (unsigned input = 0; input < LLM_INPUT_COUNT; input++) {
            if (model->llm->takes[input]) {
                size_t len = strlen(takes);
                snprintf(takes + len, sizeof(takes) - len, "%s%s", len > 0 ? " " : "",
                         llm_capability_name((enum llm_input)input));
            }
        }
        assert_string_equal(takes, rows[i].takes);
        assert_int_equal(model->llm->max_tokens_required, rows[i].max_tokens_required);
        assert_int_equal(model->llm->max_tokens_min, rows[i].max_tokens_min);
        assert_string_equal(model->routes[0].provider, rows[i].provider);
    }
    const struct llm_rules *nemotron = catalog_find(loaded.catalog, TEXT("nemotron-3-nano-omni"))->llm;
    assert_int_equal(nemotron->most[LLM_VISION], 1);
    assert_int_equal(nemotron->most[LLM_VIDEO], 1);
    assert_string_equal(nemotron->audio_types[0], "audio/wav");
    assert_string_equal(nemotron->audio_types[1], "audio/mpeg");
    assert_null(nemotron->audio_types[2]);
    assert_int_equal(catalog_find(loaded.catalog, TEXT("gemini-2.5-pro"))->llm->bytes_max, 20000000);
    unload_catalog(&loaded);
}

int test_shipped(void) {
    const struct CMUnitTest tests[] = { cmocka_unit_test(samples_hold), cmocka_unit_test(nothing_is_missing),
                                        cmocka_unit_test(language_models_have_their_rules) };
    return cmocka_run_group_tests_name("shipped", tests, NULL, NULL);
}
