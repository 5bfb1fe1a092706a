/* Loading: directories over the embedded files, and words for every mistake. */
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "bridge_tests.h"
#include "catalog/catalog.h"
#include "provider/adapter.h"
#include "provider/bridge.h"

#define MODEL(name, more)                                                                                              \
    "model \"" name "\" { type = \"audio\", summary = \"x\", params = { prompt = text{ required } },\n"                \
    "  routes = { exec = { command = \"local-speech\" } }, " more "\n"                                                 \
    "  results = function(out) return { { url = artifact(out.audio) } } end }\n"
#define PRICE(name) "price \"" name "\" (per_call(3))\n"
#define ADAPTER                                                                                                        \
    "return { url = 'https://api.example.com', submit = function(task) return { post = '/x' } end,\n"                  \
    "  accepted = function(reply) return { id = reply.json.id } end }\n"

static void a_directory_adds_and_replaces(void **state) {
    (void)state;
    struct test_catalog catalog;
    test_catalog_init(&catalog);
    test_catalog_put(&catalog, "models/mine.lua", MODEL("mine", "") PRICE("mine"));
    test_catalog_put(&catalog, "models/kling.lua", MODEL("kling-video-create-voice", ""));
    test_catalog_put(&catalog, "providers/mine.lua", ADAPTER);
    test_catalog_put(&catalog, "notes.txt", "not Lua");
    test_catalog_put(&catalog, "models/empty.lua", "");
    struct bridge *bridge = test_catalog_open(&catalog);
    const struct catalog *models = bridge_catalog(bridge);
    assert_non_null(catalog_find(models, TEXT("mine")));
    assert_non_null(catalog_find(models, TEXT("scribe-v2")));
    const struct model *replaced = catalog_find(models, TEXT("kling-video-create-voice"));
    assert_non_null(replaced);
    assert_int_equal(replaced->type, TASK_AUDIO);
    assert_true(bridge_has_provider(bridge, "mine"));
    assert_true(bridge_has_provider(bridge, "exec"));
    assert_true(bridge_has_provider(bridge, "simulator"));
    assert_false(bridge_has_provider(bridge, "yours"));
    assert_string_equal(bridge_adapter(bridge, "mine")->url, "https://api.example.com");
    bridge_close(bridge);
    test_catalog_fini(&catalog);
}

static void adapters_are_found_by_name(void **state) {
    static const char *const names[] = { "a", "a-b", "a_b", "zebra" };
    struct test_catalog catalog;
    (void)state;
    test_catalog_init(&catalog);
    test_catalog_put(&catalog, "providers/zebra.lua", ADAPTER);
    test_catalog_put(&catalog, "providers/a_b.lua", ADAPTER);
    test_catalog_put(&catalog, "providers/a.lua", ADAPTER);
    test_catalog_put(&catalog, "providers/a-b.lua", ADAPTER);
    struct bridge *bridge = test_catalog_open(&catalog);
    unsigned count;
    const struct adapter *const *adapters = bridge_adapters(bridge, &count);
    assert_true(count > ARRAY_SIZE(names));
    for (unsigned i = 0; i < count; i++) {
        assert_true(i == 0 || strcmp(adapters[i - 1]->name, adapters[i]->name) < 0);
        assert_ptr_equal(bridge_adapter(bridge, adapters[i]->name), adapters[i]);
    }
    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        assert_string_equal(bridge_adapter(bridge, names[i])->name, names[i]);
    }
    assert_null(bridge_adapter(bridge, ""));
    assert_null(bridge_adapter(bridge, "a-"));
    assert_null(bridge_adapter(bridge, "zebras"));
    bridge_close(bridge);
    test_catalog_fini(&catalog);
}

static const struct {
    const char *path, *source, *words;
} mistakes[] = {
    { "models/a.lua", "x = 1\nlocal = 2\n", "models/a.lua:2:" },
    { "models/a.lua", "x = 1\n\nfoo()\n", "models/a.lua:3:" },
    { "models/a.lua", "return 1\n", "models/a.lua: a file of models or prices returns nothing" },
    { "prices.lua", "return {}\n", "prices.lua: a file of models or prices returns nothing" },
    { "models/a.lua", "x = 1\n" MODEL("a", "colour = 1,"), "models/a.lua:" },
    { "models/a.lua", "model \"a\" { type = \"audio\" }\n", "models/a.lua:1" },
    { "models/a.lua", "while true do end\n", "models/a.lua:1:" },
    { "models/a.lua", MODEL("scribe-v2", ""), "scribe-v2" },
    { "models/a.lua", "x = sample.image{ wide = 1 }\n", "models/a.lua:1: sample: unknown member wide" },
    { "models/a.lua", "x = sample.audio{ seconds = -1 }\n", "models/a.lua:1: sample: seconds must be a number from 0" },
    { "models/a.lua", "x = artifact(\"https://x\")\n", "models/a.lua:1: artifact is only for results functions" },
    { "prices.lua", "x = \n", "prices.lua:" },
    { "providers/a.lua", "x = 1\n", "providers/a.lua: a provider file returns one table" },
    { "providers/exec.lua", ADAPTER, "providers/exec.lua: the name exec is taken" },
    { "providers/Big.lua", ADAPTER, "providers/Big.lua: a provider is named by its file" },
    { "providers/a.lua", "return { url = 'https://x.example' }", "providers/a.lua:1: the adapter has no submit" },
};

static void mistakes_are_named_with_file_and_line(void **state) {
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(mistakes); i++) {
        struct test_catalog catalog;
        test_catalog_init(&catalog);
        test_catalog_put(&catalog, mistakes[i].path, mistakes[i].source);
        test_catalog_refused(&catalog, mistakes[i].words);
        test_catalog_fini(&catalog);
    }
}

static void a_missing_directory_is_a_mistake(void **state) {
    (void)state;
    const struct config config = { .catalog_directory = "/nonexistent/catalogue" };
    struct bridge *bridge = NULL;
    struct fault fault = { 0 };
    assert_int_equal(bridge_open(&config, &bridge, &fault), ERR_SCRIPT);
    assert_non_null(strstr(fault.message, "/nonexistent/catalogue"));
}

static void a_huge_file_is_refused(void **state) {
    (void)state;
    struct test_catalog catalog;
    test_catalog_init(&catalog);
    size_t size = (1 << 20) + 2;
    char *source = malloc(size);
    memset(source, ' ', size);
    source[size - 1] = '\0';
    test_catalog_put(&catalog, "models/a.lua", source);
    test_catalog_refused(&catalog, "larger than 1048576 bytes");
    free(source);
    test_catalog_fini(&catalog);
}

/* ---- input and simulate ---- */

static void inputs_have_no_nulls(void **state) {
    (void)state;
    struct test_catalog catalog;
    test_catalog_init(&catalog);
    test_catalog_put(&catalog, "models/a.lua",
                     "model \"a\" { type = \"image\", summary = \"x\",\n"
                     "  params = { prompt = text{ required }, seed = integer{ nullable } },\n"
                     "  routes = { exec = { command = \"c\", input = function(p)\n"
                     "    return { words = p.prompt, seeded = p.seed ~= nil } end }, fal = { target = \"t\" } },\n"
                     "  simulate = function(p) if p.prompt == 'bad' then error('no') end\n"
                     "    if p.prompt == 'none' then return nil end return { image = sample.image{} } end,\n"
                     "  results = function(out) return { { url = artifact(out.image) } } end }\n"
                     "price \"a\" (per_call(1))\n");
    struct bridge *bridge = test_catalog_open(&catalog);
    const struct model *model = catalog_find(bridge_catalog(bridge), TEXT("a"));
    assert_int_equal(model->route_count, 2);
    scoped(json_release) json_t *input = json_pack("{s:s, s:n}", "prompt", "hello", "seed");
    for (unsigned i = 0; i < model->route_count; i++) {
        bool exec = strcmp(model->routes[i].provider, "exec") == 0;
        scoped(json_release) json_t *got = NULL;
        scoped(json_release) json_t *expected =
            exec ? json_pack("{s:s, s:b}", "words", "hello", "seeded", 0) : json_pack("{s:s}", "prompt", "hello");
        assert_int_equal(bridge_input(bridge, &model->routes[i], input, &got, NULL), OK);
        assert_true(json_equal(got, expected));
    }
    json_t *output = NULL;
    struct fault fault = { 0 };
    scoped(json_release) json_t *bad = json_pack("{s:s}", "prompt", "bad");
    assert_int_equal(bridge_simulate(bridge, model, bad, &output, &fault), ERR_SCRIPT);
    assert_non_null(strstr(fault.message, "models/a.lua:5: no"));
    scoped(json_release) json_t *none = json_pack("{s:s}", "prompt", "none");
    assert_int_equal(bridge_simulate(bridge, model, none, &output, &fault), ERR_SCRIPT);
    assert_non_null(strstr(fault.message, "models/a.lua:5: a table with named members must be returned"));
    assert_null(output);
    bridge_close(bridge);
    test_catalog_fini(&catalog);
}

int test_bridge(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_directory_adds_and_replaces),
        cmocka_unit_test(adapters_are_found_by_name),
        cmocka_unit_test(mistakes_are_named_with_file_and_line),
        cmocka_unit_test(a_missing_directory_is_a_mistake),
        cmocka_unit_test(a_huge_file_is_refused),
        cmocka_unit_test(inputs_have_no_nulls),
    };
    return cmocka_run_group_tests_name("bridge", tests, NULL, NULL);
}
