/* What inputs cost, how it is rounded, and how a price is told. */
#include <jansson.h>
#include <stdlib.h>

#include "base/json.h"
#include "catalog/catalog.h"
#include "tests.h"

static const char catalogue[] =
    "local function add(name, p)\n"
    "    model(name) { type = 'video', routes = { fal = { target = 'x' } }, results = function() end,\n"
    "        params = { resolution = choice{ '480p', '720p', '1080p', default = '720p' }, sound = boolean{ default = false },\n"
    "                   duration = integer{ default = 5, min = 4, max = 15, also = { -1 } },\n"
    "                   length = number{ min = 0, max = 1e6, nullable }, outputs = integer{ default = 1, min = 1 },\n"
    "                   steps = choice{ 4, 8, default = 4 }, maps = list{ text{}, default = { 'a', 'b' } } } }\n"
    "    price(name)(p)\n"
    "end\n"
    "add('call', per_call(5))\n"
    "add('call-table', per_call{ 0.000001 })\n"
    "add('free', per_call(0))\n"
    "add('call-by', per_call{ by = { resolution = { ['480p'] = 1, ['720p'] = 2.5, ['1080p'] = 12 } } })\n"
    "add('call-sound', per_call{ by = { sound = { [true] = 3, [false] = 1 } } })\n"
    "add('call-steps', per_call{ by = { steps = { [8] = 2, [4] = 1 } } })\n"
    "add('second', per_second{ field = 'duration', auto = 15,\n"
    "    by = { resolution = { ['480p'] = 1.6, ['720p'] = 5, ['1080p'] = 12 } } })\n"
    "add('second-real', per_second{ 0.1, field = 'length', auto = 2.5 })\n"
    "add('second-fixed', per_second{ price = 2, seconds = 8 })\n"
    "add('second-choice', per_second{ 1, field = 'steps' })\n"
    "add('image', per_image{ 2 })\n"
    "add('image-field', per_image{ field = 'outputs', price = 0.3 })\n"
    "add('image-count', per_image{ 2, count = 'maps' })\n"
    "llm 'tokens' { routes = { fal = { target = 'x' } },\n"
    "    price = per_token{ input = 100, output = 400.5, cached = 12.25 } }\n";

static void amounts(void **state) {
    (void)state;
    static const struct {
        const char *model, *body;
        int64_t ratio_ppm, microcredits;
    } cases[] = {
        { "call", "{}", 1000000, 5000000 },
        { "call", "{}", 1500000, 7500000 },
        { "call", "{}", 333333, 1666665 },
        { "call", "{}", 0, 0 },
        { "call-table", "{}", 1000000, 1 },
        { "call-table", "{}", 1, 1 }, /* rounded up, never down */
        { "free", "{}", 1000000, 0 },
        { "call-by", "{}", 1000000, 2500000 },
        { "call-by", "{\"resolution\":\"1080p\"}", 1000000, 12000000 },
        { "call-sound", "{}", 1000000, 1000000 },
        { "call-sound", "{\"sound\":true}", 1000000, 3000000 },
        { "call-steps", "{}", 1000000, 1000000 },
        { "call-steps", "{\"steps\":8.0}", 1000000, 2000000 },
        { "second", "{}", 1000000, 25000000 },
        { "second", "{\"duration\":10,\"resolution\":\"480p\"}", 1000000, 16000000 },
        { "second", "{\"duration\":-1}", 1000000, 75000000 },
        { "second", "{\"duration\":7.0,\"resolution\":\"1080p\"}", 900000, 75600000 },
        { "second-real", "{}", 1000000, 250000 },
        { "second-real", "{\"length\":null}", 1000000, 250000 },
        { "second-real", "{\"length\":0}", 1000000, 0 },
        { "second-real", "{\"length\":0.1}", 1000000, 10000 },
        { "second-real", "{\"length\":1.001}", 1000000, 100100 },
        { "second-real", "{\"length\":0.0001}", 1000000, 100 }, /* a begun thousandth is a whole one */
        { "second-fixed", "{}", 1000000, 16000000 },
        { "second-choice", "{\"steps\":8}", 1000000, 8000000 },
        { "image", "{\"outputs\":4}", 1000000, 2000000 },
        { "image-field", "{\"outputs\":4}", 1000000, 1200000 },
        { "image-count", "{}", 1000000, 4000000 },
        { "image-count", "{\"maps\":[\"a\",\"b\",\"c\"]}", 1000000, 6000000 },
        { "image-count", "{\"maps\":[]}", 1000000, 0 },
    };
    struct loaded loaded = load_catalog(catalogue);
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        const struct model *model = catalog_find(loaded.catalog, text_of(cases[i].model));
        scoped(json_release) json_t *body = parse(cases[i].body);
        assert_int_equal(model_validate(model, body, NULL), OK);
        int64_t price = -1;
        assert_int_equal(model_price(model, body, cases[i].ratio_ppm, &price), OK);
        if (price != cases[i].microcredits) {
            fail_msg("%s %s: %lld", cases[i].model, cases[i].body, (long long)price);
        }
    }
    unload_catalog(&loaded);
}

static void delivered_units(void **state) {
    (void)state;
    struct loaded loaded = load_catalog(catalogue);
    scoped(json_release) json_t *body = parse("{\"resolution\":\"480p\"}");
    int64_t price = -1;
    const struct model *second = catalog_find(loaded.catalog, TEXT("second"));
    assert_int_equal(model_price_units(second, body, 2500, 1000000, &price), OK);
    assert_int_equal(price, 4000000);
    assert_int_equal(model_billing(second), BILLING_PER_SECOND);
    const struct model *call = catalog_find(loaded.catalog, TEXT("call"));
    assert_int_equal(model_price_units(call, body, 2500, 1000000, &price), OK);
    assert_int_equal(price, 5000000); /* a call is one call */
    price = 7;
    assert_int_equal(model_price_units(second, body, -1, 1000000, &price), ERR_OUT_OF_RANGE);
    assert_int_equal(model_price(catalog_find(loaded.catalog, TEXT("tokens")), body, 1000000, &price), ERR_INTERNAL);
    assert_int_equal(price, 7);
    unload_catalog(&loaded);
}

static void phrases(void **state) {
    (void)state;
    static const struct {
        const char *model, *phrase;
    } cases[] = {
        { "call", "5 credits per call" },
        { "call-table", "0.000001 credits per call" },
        { "free", "free" },
        { "call-by", "1 credit per call at 480p, 2.5 at 720p, 12 at 1080p" },
        { "call-sound", "1 credit per call at sound false, 3 at sound true" },
        { "call-steps", "1 credit per call at steps 4, 2 at steps 8" },
        { "second-real", "0.1 credits per second" },
        { "image-field", "0.3 credits per image" },
        { "tokens", "100 credits per million tokens in, 12.25 of them cached, 400.5 out" },
    };
    struct loaded loaded = load_catalog(catalogue);
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        scoped(buffer_fini) struct buffer buf;
        buffer_init(&buf, 1000);
        model_put_price(catalog_find(loaded.catalog, text_of(cases[i].model)), &buf);
        assert_string_equal(buf.data, cases[i].phrase);
    }
    unload_catalog(&loaded);
}

int test_price(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(amounts),
        cmocka_unit_test(delivered_units),
        cmocka_unit_test(phrases),
    };
    return cmocka_run_group_tests_name("price", tests, NULL, NULL);
}
