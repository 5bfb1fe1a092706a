/* Results: artifacts, order, bounds, units, and words for what is wrong. */
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "bridge_tests.h"
#include "catalog/catalog.h"
#include "provider/bridge.h"

/* Models whose results function is chosen by the prompt. */
static const char source[] =
    "local kinds = {\n" /* line 1 */
    "  text = function(out) return 'x' end,\n"
    "  none = function(out) return {} end,\n"
    "  empty = function(out) return { {} } end,\n"
    "  named = function(out) return { url = artifact(out.a) } end,\n" /* line 5 */
    "  missing = function(out) return { { url = artifact(out.z) } } end,\n"
    "  unused = function(out) local x = artifact(out.a) return { { url = 'y' } } end,\n"
    "  number = function(out) return { { url = artifact(7) } } end,\n"
    "  nowhere = function(out) return { { url = artifact{ size = 3 } } } end,\n"
    "  index = function(out) return out.z.y end,\n" /* line 10 */
    "  many = function(out) local list = {} for i = 1, 65 do list[i] = { url = artifact(out.a) } end return list end,\n"
    "  long = function(out) local list = {} for i = 1, 65 do list[i] = { n = i } end return list end,\n"
    "  func = function(out) return { { url = artifact(out.a), f = print2 } } end,\n"
    "  deep = function(out) local t = {} local top = t for i = 1, 100 do t.t = {} t = t.t end return { top } end,\n"
    "  forever = function(out) while true do end end,\n" /* line 15 */
    "  memory = function(out) local t = {} for i = 1, 1e9 do t[i] = ('x'):rep(100000) .. i end return t end,\n"
    "  bytes = function(out) return { { text = '\\xff' } } end,\n"
    "  two = function(out) return { { url = artifact(out.a), other = { artifact(out.b) } } } end,\n"
    "  order = function(out) return { { zebra = 1, map_type = 'm', seed = 2, url = artifact(out.a), apple = 3,\n"
    "    content_type = 'c', result_type = 'r', words = { { type = 't', start = 0, ['end'] = 1, text = 'w' } } } } "
    "end,\n"
    "  seconds = function(out) return { { url = artifact(out.a) } }, { seconds = 2.5 } end,\n"
    "  images = function(out) return { { url = artifact(out.a) } }, { images = 3 } end,\n"
    "  units = function(out) return { { url = artifact(out.a) } }, { hours = 3 } end,\n"
    "  lasts = function(out) local a = artifact(out.a) return { { url = a, b = artifact(out.b) } }, { seconds = a } end,\n"
    "  nobody = function(out) return { { url = artifact(out.a) } }, { seconds = out.a } end,\n"
    "  number7 = function(out) local a = artifact(out.a) return { { url = a } }, { seconds = a:sub(1, -2) .. '7' } end,\n"
    "  pictures = function(out) local a = artifact(out.a) return { { url = a } }, { images = a } end,\n"
    "  negative = function(out) return { { url = artifact(out.a) } }, { seconds = -1 } end,\n"
    "  nulls = function(out) return { { url = artifact(out.a), seen = out.n ~= nil } } end,\n"
    "}\n"
    "for _, name in ipairs{ 'call', 'second', 'image' } do\n"
    "  model(name) { type = 'video', summary = 'x', params = { prompt = text{ required }, seconds = integer{ default = "
    "5, min = 1, max = 9 } },\n"
    "    routes = { exec = { command = 'c' } },\n"
    "    results = function(out, p) return kinds[p.prompt](out) end }\n" /* line 34 */
    "end\n"
    "price 'call' (per_call(1))\n"
    "price 'second' (per_second{ 1, field = 'seconds' })\n"
    "price 'image' (per_image{ 1 })\n";

static struct test_catalog catalog;
static struct bridge *bridge;

static int setup(void **state) {
    (void)state;
    test_catalog_init(&catalog);
    test_catalog_put(&catalog, "models/kinds.lua", source);
    bridge = test_catalog_open(&catalog);
    return 0;
}

static int teardown(void **state) {
    (void)state;
    bridge_close(bridge);
    test_catalog_fini(&catalog);
    return 0;
}

static enum err run(const char *model_name, const char *kind, struct model_results *ret, struct fault *fault) {
    const struct model *model = catalog_find(bridge_catalog(bridge), text_of(model_name));
    assert_non_null(model);
    scoped(json_release) json_t *input = json_pack("{s:s}", "prompt", kind);
    scoped(json_release) json_t *output =
        json_pack("{s:s, s:{s:s, s:s}, s:n}", "a", "https://up.example/a", "b", "file", "b.wav", "note", "n", "n");
    return bridge_results(bridge, model, input, output, ret, fault);
}

static const struct {
    const char *kind, *words;
} wrong[] = {
    { "text", "models/kinds.lua:34: results must be a list of 1 to 64 tables" },
    { "none", "models/kinds.lua:34: results must be a list of 1 to 64 tables" },
    { "empty", "models/kinds.lua:34: result 1 must be a table with named members" },
    { "named", "models/kinds.lua:34: results must be a list of 1 to 64 tables" },
    { "missing", "models/kinds.lua:6: artifact: a URL or a file is expected, the output has none here" },
    { "unused", "models/kinds.lua:34: artifact 1 is not in the results" },
    { "number", "models/kinds.lua:8: artifact: a URL or a file is expected, the output has number" },
    { "nowhere", "models/kinds.lua:9: artifact: the table has none of url, file, base64, hex" },
    { "index", "models/kinds.lua:10:" },
    { "many", "models/kinds.lua:11: more than 64 artifacts" },
    { "long", "models/kinds.lua:34: results must be a list of 1 to 64 tables" },
    { "func", "models/kinds.lua:13: unknown name `print2`" },
    { "deep", "models/kinds.lua:34: results: a table nested deeper" },
    { "forever", "models/kinds.lua:15: this takes too long" },
    { "memory", "too much memory" },
    { "bytes", "models/kinds.lua:34: results: a text that is not valid UTF-8" },
    { "units", "models/kinds.lua:34: the second result must be" },
    { "nobody", "models/kinds.lua:34: the second result must be" },
    { "number7", "models/kinds.lua:34: the second result must be" },
    { "pictures", "models/kinds.lua:34: the second result must be" },
    { "negative", "models/kinds.lua:34: the second result must be" },
};

static void mistakes_are_named(void **state) {
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
        struct model_results results = { 0 };
        struct fault fault = { 0 };
        assert_int_equal(run("call", wrong[i].kind, &results, &fault), ERR_SCRIPT);
        assert_null(results.array);
        if (!strstr(fault.message, wrong[i].words)) {
            fail_msg("%s: expected %s\ngot %s", wrong[i].kind, wrong[i].words, fault.message);
        }
    }
}

static void artifacts_are_set_aside(void **state) {
    (void)state;
    struct model_results results;
    assert_int_equal(run("call", "two", &results, NULL), OK);
    assert_int_equal(results.artifact_count, 2);
    assert_int_equal(strlen(results.token), 32);
    json_t *result = json_array_get(results.array, 0);
    /* Lua says in which order a constructor's fields are evaluated, so the numbers tell nothing; the strings do */
    const char *url = json_string_value(json_object_get(result, "url"));
    const char *other = json_string_value(json_array_get(json_object_get(result, "other"), 0));
    assert_memory_equal(url, results.token, 32);
    assert_memory_equal(other, results.token, 32);
    json_t *one = results.artifacts[atoi(url + 32)].source, *two = results.artifacts[atoi(other + 32)].source;
    assert_string_equal(json_string_value(json_object_get(one, "url")), "https://up.example/a");
    assert_string_equal(json_string_value(json_object_get(two, "file")), "b.wav");
    assert_string_equal(json_string_value(json_object_get(two, "note")), "n");
    assert_int_equal(results.units_milli, -1);
    model_results_fini(&results);
}

static void tokens_are_new_each_time(void **state) {
    (void)state;
    struct model_results one, two;
    assert_int_equal(run("call", "two", &one, NULL), OK);
    assert_int_equal(run("call", "two", &two, NULL), OK);
    assert_string_not_equal(one.token, two.token);
    model_results_fini(&one);
    model_results_fini(&two);
}

static void keys_come_in_documented_order(void **state) {
    (void)state;
    struct model_results results;
    assert_int_equal(run("call", "order", &results, NULL), OK);
    json_object_set_new(json_array_get(results.array, 0), "url", json_string("u"));
    char *rendered = json_render(results.array);
    assert_string_equal(rendered,
                        "[{\"url\":\"u\",\"content_type\":\"c\",\"seed\":2,\"result_type\":\"r\",\"map_type\":\"m\","
                        "\"words\":[{\"text\":\"w\",\"start\":0,\"end\":1,\"type\":\"t\"}],\"apple\":3,\"zebra\":1}]");
    free(rendered);
    model_results_fini(&results);
}

static void units_count_where_the_price_counts_them(void **state) {
    (void)state;
    static const struct {
        const char *model, *kind;
        int64_t units_milli;
    } rows[] = {
        { "second", "seconds", 2500 }, { "second", "images", -1 }, { "image", "images", 3000 },
        { "image", "seconds", -1 },    { "call", "seconds", -1 },  { "call", "images", -1 },
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct model_results results;
        assert_int_equal(run(rows[i].model, rows[i].kind, &results, NULL), OK);
        assert_int_equal(results.units_milli, rows[i].units_milli);
        model_results_fini(&results);
    }
}

static void the_units_can_be_the_seconds_of_a_file(void **state) {
    (void)state;
    static const char *const models[] = { "second", "image", "call" };
    for (size_t i = 0; i < ARRAY_SIZE(models); i++) {
        struct model_results results;
        assert_int_equal(run(models[i], "lasts", &results, NULL), OK);
        assert_int_equal(results.units_milli, -1); /* until it is stored */
        assert_true((results.timed != NULL) == (i == 0));
        if (results.timed != NULL)
            assert_string_equal(json_string_value(json_object_get(results.timed->source, "url")), "https://up.example/a");
        model_results_fini(&results);
    }
}

static void outputs_have_no_nulls(void **state) {
    (void)state;
    struct model_results results;
    assert_int_equal(run("call", "nulls", &results, NULL), OK);
    assert_true(json_is_false(json_object_get(json_array_get(results.array, 0), "seen")));
    model_results_fini(&results);
}

static void a_failed_call_leaves_the_bridge_usable(void **state) {
    (void)state;
    struct model_results results;
    assert_int_equal(run("call", "memory", &results, NULL), ERR_SCRIPT);
    assert_int_equal(run("call", "two", &results, NULL), OK);
    model_results_fini(&results);
}

/* Inline data is part of the parameters, so the memory that a call may take follows the largest body. */
static void large_bodies_fit(void **state) {
    (void)state;
    const size_t size = (size_t)66 << 20;
    char *pad = malloc(size + 1);
    memset(pad, 'x', size);
    pad[size] = '\0';
    scoped(json_release) json_t *input = json_pack("{s:s, s:s}", "prompt", "nulls", "pad", pad);
    free(pad);
    scoped(json_release) json_t *output = json_pack("{s:s}", "a", "https://up.example/a");
    for (int large = 0; large < 2; large++) {
        struct test_catalog other = catalog;
        other.config.body_max = large ? (int64_t)size : 0;
        struct bridge *opened = test_catalog_open(&other);
        const struct model *model = catalog_find(bridge_catalog(opened), TEXT("call"));
        struct model_results results = { 0 };
        assert_int_equal(bridge_results(opened, model, input, output, &results, NULL), large ? OK : ERR_SCRIPT);
        model_results_fini(&results);
        bridge_close(opened);
    }
}

int test_bridge_results(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(mistakes_are_named),
        cmocka_unit_test(artifacts_are_set_aside),
        cmocka_unit_test(tokens_are_new_each_time),
        cmocka_unit_test(keys_come_in_documented_order),
        cmocka_unit_test(units_count_where_the_price_counts_them),
        cmocka_unit_test(the_units_can_be_the_seconds_of_a_file),
        cmocka_unit_test(outputs_have_no_nulls),
        cmocka_unit_test(a_failed_call_leaves_the_bridge_usable),
        cmocka_unit_test(large_bodies_fit),
    };
    return cmocka_run_group_tests_name("bridge_results", tests, setup, teardown);
}
