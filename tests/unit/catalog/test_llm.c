/* Language models: the word that makes them, names with a '*', rules held against requests, prices of tokens. */
#include <jansson.h>
#include <stdlib.h>

#include "base/json.h"
#include "catalog/catalog.h"
#include "catalog/llm.h"
#include "core/tokens.h"
#include "script/script.h"
#include "tests.h"

#define FREE " price = per_token{ input = 0, output = 0 }"
#define ROUTE " routes = { openai = { target = 'x' } },"

static enum err load(const char *source, struct fault *fault) {
    struct loaded loaded = { 0 };
    assert_int_equal(script_new(NULL, &loaded.script), OK);
    assert_int_equal(catalog_begin(loaded.script, fault), OK);
    enum err err = script_run(loaded.script, "lua/models/x.lua", text_of(source), NULL, fault);
    if (err == OK) {
        err = catalog_finish(loaded.script, &loaded.catalog, fault);
    }
    unload_catalog(&loaded);
    return err;
}

static void mistakes(void **state) {
    (void)state;
    static const struct {
        const char *source, *words;
    } cases[] = {
        { "llm ''", "llm: a name of 1 to 100 letters" },
        { "llm 'a b'", "llm: a name of" },
        { "llm '/a'", "llm: a name of" },
        { "llm 'a/'", "llm: a name of" },
        { "llm 'a//b'", "llm: a name of" },
        { "llm 'a/../b'", "llm: a name of" },
        { "llm '*a'", "llm: a name of" },
        { "llm 'a*b'", "llm: a name of" },
        { "llm 'a**'", "llm: a name of" },
        { "llm '/*'", "llm: a name of" },
        { "llm 'x' 'y'", "llm: a table is expected" },
        { "llm 'x' { params = {}," ROUTE FREE " }", "llm: unknown option `params`" },
        { "llm 'x' { output = 0," ROUTE FREE " }", "llm: `output` must be between 1 and 100000000, got 0" },
        { "llm 'x' { takes = { 'text', 'smell' }," ROUTE FREE " }", "got \"smell\"" },
        { "llm 'x' { takes = { 'image' }," ROUTE FREE " }", "`takes` must have \"text\"" },
        { "llm 'x' { takes = { image = true }," ROUTE FREE " }", "unknown option `image`" },
        { "llm 'x' { takes = 'text'," ROUTE FREE " }", "llm: `takes` must be a table, got a string" },
        { "llm 'x' { takes = { 'text' }, most = { image = 1 }," ROUTE FREE " }", "`most` limits \"image\"" },
        { "llm 'x' { most = { image = 0 }," ROUTE FREE " }", "`image` must be between 1 and 1000" },
        { "llm 'x' { most = { text = 1 }," ROUTE FREE " }", "llm: `most`: unknown option `text`" },
        { "llm 'x' { audio_types = {}," ROUTE FREE " }", "llm: `audio_types` is empty" },
        { "llm 'x' { audio_types = { 'wav' }," ROUTE FREE " }", "got \"wav\"" },
        { "llm 'x' { takes = { 'text' }, audio_types = { 'audio/wav' }," ROUTE FREE " }", "\"audio\" is not in `takes`" },
        { "llm 'x' { max_tokens = { requried = true }," ROUTE FREE " }", "did you mean `required`?" },
        { "llm 'x' { max_tokens = { least = 0 }," ROUTE FREE " }", "`least` must be between 1" },
        { "llm 'x' { body = 20," ROUTE FREE " }", "llm: `body` must be a text such as" },
        { "llm 'x' {" FREE " }", "`routes` must be a table" },
        { "llm 'x' { routes = { openai = { target = '*' } }," FREE " }", "has a '*', and the model's name has none" },
        { "llm 'x*' { routes = { openai = { target = '*/*' } }," FREE " }", "more than one '*'" },
        { "llm 'x' { routes = { exec = { command = 'x' } }," FREE " }", "a command cannot run a language model" },
        { "llm 'x' { routes = { openai = { target = 'x', input = function(p) return p end } }," FREE " }",
          "`input` is for other models" },
        { "llm 'x' {" ROUTE " price = per_call(1) }", "per_token is for models of type llm" },
        { "llm 'x' {" ROUTE " price = 5 }", "llm: `price` must be a price" },
        { "llm 'x' {" ROUTE " }", "model `x` has no price" },
        { "llm 'x' {" ROUTE FREE " } llm 'x' {" ROUTE FREE " }", "there is a model `x` already" },
        { "model 'x' { type = 'llm', params = {}," ROUTE FREE " }", "a language model is made with llm \"x\" {…}" },
        { "model 'x/y' {}", "model: a name of" },
        { "model 'x*' {}", "model: a name of" },
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct fault fault = { 0 };
        assert_int_equal(load(cases[i].source, &fault), ERR_SCRIPT);
        if (strstr(fault.message, cases[i].words) == NULL || strncmp(fault.message, "lua/models/x.lua:1: ", 20) != 0) {
            fail_msg("%s: %s", cases[i].source, fault.message);
        }
    }
}

static void defaults(void **state) {
    (void)state;
    struct loaded loaded = load_catalog("llm 'x' {" ROUTE FREE " }");
    const struct model *model = catalog_find(loaded.catalog, TEXT("x"));
    assert_non_null(model);
    assert_int_equal(model->type, TASK_LLM);
    assert_int_equal(model_billing(model), BILLING_PER_TOKEN);
    for (unsigned i = 0; i < LLM_INPUT_COUNT; i++) {
        assert_true(model->llm->takes[i]);
        assert_int_equal(model->llm->most[i], 0);
    }
    assert_null(model->llm->audio_types);
    assert_false(model->llm->max_tokens_required);
    assert_int_equal(model->llm->output_max, 4096);
    assert_int_equal(model->llm->bytes_max, 0);
    assert_null(model->params);
    assert_int_equal(model->lua_results, LUA_NONE);
    unload_catalog(&loaded);
}

static void the_longest_wildcard_fits(void **state) {
    (void)state;
    struct loaded loaded = load_catalog("for _, name in ipairs{ 'open/*', 'open/deep/*', 'open/deep/chat*', 'open/deep/chat', 'gpt-*',\n"
                                        "    'open/deer/*', 'opel*', 'media/x' } do llm(name) {" ROUTE FREE " } end\n");
    static const struct {
        const char *name, *found;
    } rows[] = {
        { "open/deep/chat", "open/deep/chat" },     { "open/deep/chat-2", "open/deep/chat*" },
        { "open/deep/cha", "open/deep/*" },         { "open/deep/a/b:c", "open/deep/*" },
        { "open/deeper", "open/*" },                { "open/a", "open/*" },
        { "open/zz", "open/*" },                    { "open/deer/x", "open/deer/*" },
        { "gpt-5", "gpt-*" },                       { "gpt-", NULL },
        { "open/", NULL },                          { "open", NULL },
        { "opel", NULL },                           { "opera", NULL },
        { "opel-1", "opel*" },                      { "a", NULL },
        { "zebra", NULL },                          { "", NULL },
        { "open/../secret", NULL },                 { "open//x", NULL },
        { "open/x?y", NULL },                       { "open/x y", NULL },
        { "open/*", "open/*" },                     { "open/x*", NULL },
        { "open/x\n", NULL },                       { "media/y", NULL },
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        const struct model *model = catalog_find(loaded.catalog, text_of(rows[i].name));
        if (rows[i].found == NULL ? model != NULL : model == NULL || strcmp(model->name, rows[i].found) != 0) {
            fail_msg("%s: %s", rows[i].name, model != NULL ? model->name : "nothing");
        }
    }
    char name[102];
    memset(name, 'a', sizeof(name));
    memcpy(name, "gpt-", 4);
    assert_non_null(catalog_find(loaded.catalog, (struct text){ name, 100 }));
    assert_null(catalog_find(loaded.catalog, (struct text){ name, 101 }));
    unload_catalog(&loaded);
}

static void everything_fits_a_star_alone(void **state) {
    (void)state;
    struct loaded loaded = load_catalog("llm '*' {" ROUTE FREE " } llm 'a*' {" ROUTE FREE " }");
    assert_string_equal(catalog_find(loaded.catalog, TEXT("b"))->name, "*");
    assert_string_equal(catalog_find(loaded.catalog, TEXT("ab"))->name, "a*");
    assert_string_equal(catalog_find(loaded.catalog, TEXT("a"))->name, "*");
    assert_null(catalog_find(loaded.catalog, TEXT("")));
    assert_true(model_is_wildcard(catalog_find(loaded.catalog, TEXT("b"))));
    unload_catalog(&loaded);
}

static void targets(void **state) {
    (void)state;
    struct loaded loaded = load_catalog("llm 'plain' {" ROUTE FREE " } llm 'open/*' {" ROUTE FREE " } llm '*' {" ROUTE FREE " }");
    static const struct {
        const char *name, *target, *expected;
    } rows[] = {
        { "plain", "gpt", "gpt" },
        { "open/deep/chat:free", "*", "deep/chat:free" },
        { "open/x", "models/*-latest", "models/x-latest" },
        { "open/x", "fixed", "fixed" },
        { "other", "*", "other" },
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        const struct model *model = catalog_find(loaded.catalog, text_of(rows[i].name));
        char *target = llm_target(model, rows[i].target, text_of(rows[i].name));
        assert_string_equal(target, rows[i].expected);
        free(target);
    }
    unload_catalog(&loaded);
}

/* ---- rules ---- */

static const char ruled[] =
    "llm 'narrow' { takes = { 'text', 'image', 'video', 'audio' }, most = { image = 2, video = 1 },\n"
    "    audio_types = { 'audio/wav', 'audio/mpeg' }, max_tokens = { least = 16 }, output = 1000, body = '1 kB'," ROUTE FREE " }\n"
    "llm 'text' { takes = { 'text' }, max_tokens = { required = true }, output = 500," ROUTE FREE " }\n"
    "llm 'all' {" ROUTE FREE " }\n";

#define BODY(parts, more) "{\"messages\":[{\"role\":\"user\",\"content\":\"hi\"},{\"role\":\"user\",\"content\":[" parts "]}]" more "}"
#define TEXT_PART "{\"type\":\"text\",\"text\":\"x\"}"
#define LINK(type, url) "{\"type\":\"" type "\",\"" type "\":{\"url\":\"" url "\"}}"
#define IMAGE LINK("image_url", "https://a.example/x")
#define VIDEO LINK("video_url", "https://a.example/x")
#define SOUND(url) LINK("audio_url", url)
#define INPUT_AUDIO(format) "{\"type\":\"input_audio\",\"input_audio\":{\"data\":\"AAAA\",\"format\":\"" format "\"}}"
#define X100 "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
#define X1000 X100 X100 X100 X100 X100 X100 X100 X100 X100 X100

static void rules(void **state) {
    (void)state;
    static const struct {
        const char *model, *body;
        enum err err;
        const char *param, *words;
    } rows[] = {
        { "all", BODY(TEXT_PART "," IMAGE "," VIDEO "," LINK("file_url", "https://a.example/x"), ""), OK, "", "" },
        { "narrow", BODY(IMAGE "," IMAGE "," VIDEO, ""), OK, "", "" },
        { "narrow", BODY(IMAGE "," IMAGE "," IMAGE, ""), ERR_MODEL_RULE, "messages[1].content[2]",
          "at most 2 parts of type image_url" },
        { "narrow", BODY(VIDEO "," VIDEO, ""), ERR_MODEL_RULE, "messages[1].content[1]", "at most 1 part of type video_url" },
        { "narrow", BODY(LINK("file_url", "https://a.example/x"), ""), ERR_CAPABILITY, "messages[1].content[0]",
          "takes text, images, videos and sound, and no files" },
        { "text", BODY(TEXT_PART "," IMAGE, ",\"max_tokens\":1"), ERR_CAPABILITY, "messages[1].content[1]",
          "takes text, and no images" },
        { "all", BODY("{\"type\":\"smell\"}", ""), ERR_PART_TYPE, "messages[1].content[0]", "no content parts of type smell" },
        { "narrow", BODY(SOUND("https://a.example/x.ogg"), ""), OK, "", "" },
        { "narrow", BODY(SOUND("data:audio/WAV;base64,AAAA"), ""), OK, "", "" },
        { "narrow", BODY(SOUND("data:audio/ogg;base64,AAAA"), ""), ERR_MODEL_RULE, "messages[1].content[0]",
          "inline sound as audio/wav, audio/mpeg, not as audio/ogg" },
        { "narrow", BODY(INPUT_AUDIO("mp3"), ""), OK, "", "" },
        { "narrow", BODY(INPUT_AUDIO("flac"), ""), ERR_MODEL_RULE, "messages[1].content[0]", "not as audio/flac" },
        { "narrow", BODY(TEXT_PART, ",\"max_tokens\":15"), ERR_INVALID_PARAM, "max_tokens", "at least 16" },
        { "narrow", BODY(TEXT_PART, ",\"max_tokens\":16"), OK, "", "" },
        { "narrow", BODY(TEXT_PART, ",\"max_completion_tokens\":15"), ERR_INVALID_PARAM, "max_completion_tokens", "16" },
        { "narrow", BODY("{\"type\":\"text\",\"text\":\"" X1000 "\"}", ""), ERR_MODEL_RULE, "messages", "at most 1000 bytes" },
        { "text", BODY(TEXT_PART, ""), ERR_INVALID_PARAM, "max_tokens", "requires max_tokens" },
        { "text", BODY(TEXT_PART, ",\"max_completion_tokens\":1"), OK, "", "" },
    };
    struct loaded loaded = load_catalog(ruled);
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        scoped(json_release) json_t *body = parse(rows[i].body);
        struct fault fault = { 0 };
        enum err err = llm_check(catalog_find(loaded.catalog, text_of(rows[i].model)), body, &fault);
        if (err != rows[i].err || strcmp(fault.param, rows[i].param) != 0 || strstr(fault.message, rows[i].words) == NULL) {
            fail_msg("row %zu: %s, param %s: %s", i, err_info(err)->name, fault.param, fault.message);
        }
    }
    unload_catalog(&loaded);
}

static void output_tokens(void **state) {
    (void)state;
    static const struct {
        const char *body;
        int64_t tokens;
    } rows[] = {
        { "{}", 1000 },
        { "{\"max_tokens\":7}", 7 },
        { "{\"max_tokens\":7,\"max_completion_tokens\":8}", 8 },
        { "{\"max_tokens\":8,\"max_completion_tokens\":7}", 8 },
        { "{\"max_tokens\":7,\"n\":3}", 21 },
        { "{\"n\":2}", 2000 },
        { "{\"n\":1}", 1000 },
        { "{\"max_tokens\":9223372036854775807,\"n\":128}", INT64_MAX },
    };
    struct loaded loaded = load_catalog(ruled);
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        scoped(json_release) json_t *body = parse(rows[i].body);
        assert_int_equal(llm_output_tokens(catalog_find(loaded.catalog, TEXT("narrow")), body), rows[i].tokens);
    }
    unload_catalog(&loaded);
}

static void schemas(void **state) {
    (void)state;
    struct loaded loaded = load_catalog(ruled);
    scoped(json_release) json_t *narrow = model_schema(catalog_find(loaded.catalog, TEXT("narrow")));
    scoped(json_release) json_t *text = model_schema(catalog_find(loaded.catalog, TEXT("text")));
    json_t *properties = json_object_get(narrow, "properties");
    assert_int_equal(json_integer_value(json_object_get(json_object_get(properties, "image_urls"), "maxItems")), 2);
    assert_int_equal(json_integer_value(json_object_get(json_object_get(properties, "max_tokens"), "minimum")), 16);
    assert_non_null(json_object_get(properties, "audio_url"));
    assert_int_equal(json_array_size(json_object_get(narrow, "anyOf")), 3);
    assert_null(json_object_get(json_object_get(text, "properties"), "image_urls"));
    assert_int_equal(json_array_size(json_object_get(text, "anyOf")), 2);
    assert_string_equal(json_string_value(json_array_get(json_object_get(text, "required"), 0)), "max_tokens");
    unload_catalog(&loaded);
}

/* ---- prices ---- */

static void tokens_cost(void **state) {
    (void)state;
    struct loaded loaded = load_catalog("llm 'x' {" ROUTE " price = per_token{ input = 2, output = 8.5, cached = 0.5 } }\n"
                                        "llm 'tiny' {" ROUTE " price = per_token{ input = 0.000001, output = 0 } }\n"
                                        "llm 'dear' {" ROUTE " price = per_token{ input = 1e6, output = 1e6 } }\n");
    static const struct {
        const char *model;
        struct token_usage tokens;
        int64_t ratio_ppm, expected; /* -1: out of range */
    } rows[] = {
        { "x", { 0 }, 1000000, 0 },
        { "x", { .input = 1000000 }, 1000000, 2000000 },
        { "x", { .input = 1, .output = 1 }, 1000000, 11 }, /* 2 + 8.5, once up */
        { "x", { .input = 1000000, .cached = 400000, .output = 1000000 }, 1000000, 1200000 + 200000 + 8500000 },
        { "x", { .input = 10, .cached = 20 }, 1000000, 5 }, /* no more is cached than was read */
        { "x", { .input = 1000000, .reasoning = 5000 }, 1000000, 2000000 },
        { "x", { .input = 1000000 }, 500000, 1000000 },
        { "x", { .input = 1000000 }, 0, 0 },
        { "tiny", { .input = 1 }, 1000000, 1 },
        { "tiny", { .input = 1000000 }, 1000000, 1 },
        { "tiny", { .input = 1000001 }, 1000000, 2 },
        { "dear", { .input = INT64_MAX, .output = INT64_MAX }, 1000000, -1 },
        { "dear", { .input = INT64_MAX, .output = INT64_MAX }, INT64_MAX, -1 },
        { "dear", { .input = 1000000000000 }, 1000000, MONEY_MAX },
        { "dear", { .input = 1000000000001 }, 1000000, -1 },
        { "x", { .input = -1 }, 1000000, -1 },
        { "x", { .output = -1 }, 1000000, -1 },
        { "x", { .cached = -1 }, 1000000, -1 },
        { "x", { .input = 1 }, -1, -1 },
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        int64_t price = 77;
        const struct model *model = catalog_find(loaded.catalog, text_of(rows[i].model));
        enum err err = model_price_tokens(model, &rows[i].tokens, rows[i].ratio_ppm, &price);
        if (err != (rows[i].expected < 0 ? ERR_OUT_OF_RANGE : OK) || price != (err == OK ? rows[i].expected : 77)) {
            fail_msg("row %zu: %s, %lld", i, err_info(err)->name, (long long)price);
        }
    }
    unload_catalog(&loaded);
}

int test_llm(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(mistakes),
        cmocka_unit_test(defaults),
        cmocka_unit_test(the_longest_wildcard_fits),
        cmocka_unit_test(everything_fits_a_star_alone),
        cmocka_unit_test(targets),
        cmocka_unit_test(rules),
        cmocka_unit_test(output_tokens),
        cmocka_unit_test(schemas),
        cmocka_unit_test(tokens_cost),
    };
    return cmocka_run_group_tests_name("llm", tests, NULL, NULL);
}
