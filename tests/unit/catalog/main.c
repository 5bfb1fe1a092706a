/* Unit tests of src/catalog. */
#include "base/json.h"
#include "catalog/catalog.h"
#include "script/script.h"
#include "tests.h"

struct loaded load_catalog(const char *source) {
    struct loaded loaded = { 0 };
    struct fault fault = { 0 };
    assert_int_equal(script_new(NULL, &loaded.script), OK);
    assert_int_equal(catalog_begin(loaded.script, &fault), OK);
    if (script_run(loaded.script, "lua/models/test.lua", text_of(source), NULL, &fault) != OK ||
        catalog_finish(loaded.script, &loaded.catalog, &fault) != OK) {
        fail_msg("%s", fault.message);
    }
    return loaded;
}

void unload_catalog(struct loaded *loaded) {
    catalog_free(loaded->catalog);
    script_free(loaded->script);
}

struct json_t *parse(const char *json) {
    struct json_t *value = NULL;
    struct fault fault = { 0 };
    if (json_read_any(text_of(json), 64, &value, &fault) != OK) {
        fail_msg("%s: %s", json, fault.message);
    }
    return value;
}

int main(void) {
    int (*const groups[])(void) = { test_language, test_llm, test_media, test_price, test_schema, test_shipped, test_validate };
    int failed = 0;
    for (size_t i = 0; i < ARRAY_SIZE(groups); i++) {
        failed += groups[i]();
    }
    return failed > 0;
}
