/* The JSON Schema of a model's parameters. */
#include <jansson.h>

#include "base/json.h"
#include "catalog/catalog.h"
#include "tests.h"

static void parameters(void **state) {
    (void)state;
    static const struct {
        const char *param, *schema;
    } cases[] = {
        { "text{ min = 1, max = 5 }", "{\"type\":\"string\",\"minLength\":1,\"maxLength\":5}" },
        { "text{ nullable, default = 'x' }", "{\"type\":[\"string\",\"null\"],\"default\":\"x\"}" },
        { "choice{ 'a', 2, nullable }", "{\"enum\":[\"a\",2,null]}" },
        { "integer{ min = 1, multiple = 2 }", "{\"type\":\"integer\",\"minimum\":1,\"multipleOf\":2}" },
        { "integer{ min = 4, max = 15, also = { -1 }, nullable }",
          "{\"anyOf\":[{\"type\":\"integer\",\"minimum\":4,\"maximum\":15},{\"enum\":[-1]},{\"type\":\"null\"}]}" },
        { "number{ max = 0.5 }", "{\"type\":\"number\",\"maximum\":0.5}" },
        { "boolean{ default = true }", "{\"type\":\"boolean\",\"default\":true}" },
        { "url{ 'image', inline = false }", "{\"type\":\"string\",\"description\":\"http or https URL of an image\",\"format\":\"uri\","
                            "\"pattern\":\"^[Hh][Tt][Tt][Pp][Ss]?://\",\"maxLength\":2048}" },
        { "url{ 'video' }",
          "{\"type\":\"string\",\"description\":\"http or https URL of a video, a data: URI, or base64\"}" },
        { "url{ 'video', max_bytes = '2 kB', min_side = 3, max_side = 9, max_ratio = 2.5, min_seconds = 1,"
          " max_seconds = 1.5 }",
          "{\"type\":\"string\",\"description\":\"http or https URL of a video, a data: URI, or base64; at most 2000 bytes; "
          "its shorter side at least 3 pixels; its longer side at most 9 pixels; one side at most 2.5 times the other; "
          "at least 1 seconds; at most 1.5 seconds\"}" },
        { "list{ integer{}, min = 1, max = 2 }", "{\"type\":\"array\",\"items\":{\"type\":\"integer\"},\"minItems\":1,\"maxItems\":2}" },
        { "object{ a = text{ required }, b = boolean{} }",
          "{\"type\":\"object\",\"properties\":{\"a\":{\"type\":\"string\"},\"b\":{\"type\":\"boolean\"}},\"required\":[\"a\"],"
          "\"additionalProperties\":false}" },
        { "either{ choice{ 'a' }, integer{}, nullable }", "{\"anyOf\":[{\"enum\":[\"a\"]},{\"type\":\"integer\"},{\"type\":\"null\"}]}" },
        { "anything{}", "{\"type\":\"object\"}" },
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        char source[512];
        snprintf(source, sizeof(source),
                 "model 'm' { type = 'image', params = { p = %s }, routes = { fal = { target = 'x' } },\n"
                 "results = function() end, price = per_call(1) }", cases[i].param);
        struct loaded loaded = load_catalog(source);
        scoped(json_release) json_t *schema = model_schema(catalog_find(loaded.catalog, TEXT("m")));
        scoped(json_release) json_t *expected = parse(cases[i].schema);
        const json_t *actual = json_object_get(json_object_get(schema, "properties"), "p");
        if (!json_equal(actual, expected)) {
            fail_msg("%s: %s", cases[i].param, json_dumps(actual, 0));
        }
        unload_catalog(&loaded);
    }
}

static void whole(void **state) {
    (void)state;
    struct loaded loaded = load_catalog(
        "model 'm' { type = 'image', params = { a = text{}, b = text{}, l = list{ text{} }, mode = choice{ 'x', 'y' } },\n"
        "  rules = { lacks{ 'heat' }, exactly_one{ 'a', 'b' }, at_most_one{ 'a', 'b' }, at_least_one{ 'a', 'b' },\n"
        "            requires{ 'a', 'l' },\n"
        "            total{ 'l', 'a', max = 3 }, not_with{ 'a', when = { mode = 'x' } }, only{ 'mode', { 'x' }, when = { a = 'q' } } },\n"
        "  routes = { fal = { target = 'x' } }, results = function() end, price = per_call(1) }");
    scoped(json_release) json_t *schema = model_schema(catalog_find(loaded.catalog, TEXT("m")));
    assert_string_equal(json_string_value(json_object_get(schema, "$schema")), "https://json-schema.org/draft/2020-12/schema");
    assert_string_equal(json_string_value(json_object_get(schema, "title")), "m");
    assert_string_equal(json_string_value(json_object_get(schema, "description")), "l and a have at most 3 items together.");
    assert_true(json_is_false(json_object_get(schema, "additionalProperties")));
    const json_t *rules = json_object_get(schema, "allOf");
    assert_int_equal(json_array_size(rules), 6);
    scoped(json_release) json_t *only = parse("{\"if\":{\"properties\":{\"a\":{\"const\":\"q\"}},\"required\":[\"a\"]},"
                                              "\"then\":{\"properties\":{\"mode\":{\"enum\":[\"x\"]}}}}");
    assert_true(json_equal(json_array_get(rules, 5), only));
    scoped(json_release) json_t *given = parse("{\"required\":[\"a\"],\"properties\":{\"a\":{\"not\":{\"type\":\"null\"}}}}");
    assert_true(json_equal(json_array_get(json_object_get(json_array_get(rules, 0), "oneOf"), 0), given));
    unload_catalog(&loaded);
}

int test_schema(void) {
    const struct CMUnitTest tests[] = { cmocka_unit_test(parameters), cmocka_unit_test(whole) };
    return cmocka_run_group_tests_name("schema", tests, NULL, NULL);
}
