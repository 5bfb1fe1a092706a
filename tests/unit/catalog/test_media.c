/* What counts as a URL and as inline data, and that every media value of an input is found and can be replaced. */
#include <jansson.h>

#include "base/json.h"
#include "catalog/catalog.h"
#include "catalog/param.h"
#include "tests.h"

static void urls(void **state) {
    (void)state;
    static const struct {
        const char *url;
        bool valid;
    } cases[] = {
        { "http://example.com", true },
        { "https://example.com/a.png?x=1&y=%20#z", true },
        { "HTTPS://EXAMPLE.COM/", true },
        { "http://127.0.0.1:8080/a", true }, /* whether it may be fetched is the guard's business */
        { "http://[::1]:80/", true },
        { "http://[2001:db8::1]/x", true },
        { "https://example.com:443", true },
        { "https://example.com?x", true },
        { "https://a-b.c_d.example/", true },
        { "https://example.com/gr\xc3\xbc\xc3\x9f.png", true },
        { "https://example.com/@handle", true },
        { "", false },
        { "http://", false },
        { "http:///path", false },
        { "https://", false },
        { "ftp://example.com/", false },
        { "file:///etc/passwd", false },
        { "javascript:alert(1)", false },
        { "//example.com/", false },
        { "example.com", false },
        { " http://example.com", false },
        { "http://example.com/a b", false },
        { "http://example.com/\n", false },
        { "http://example.com/\x7f", false },
        { "http://exa\tmple.com/", false },
        { "http://user@example.com/", false },
        { "http://user:secret@example.com/", false },
        { "http://example.com:99999/", false },
        { "http://example.com:0/", false },
        { "http://example.com:-1/", false },
        { "http://example.com:8x/", false },
        { "http://:80/", false },
        { "http://[::1/", false },
        { "http://[zz]/", false },
        { "http://exa%6dple.com/", false },
        { "http://ex\xc3\xa4mple.com/", false },
        { "http://example.com\\@evil.example/", false },
        { "http://.example.com/", false },
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        const char *why = NULL;
        if (media_url_valid(text_of(cases[i].url), &why) != cases[i].valid) {
            fail_msg("%s: %s", cases[i].url, why != NULL ? why : "valid");
        }
        assert_int_equal(why == NULL, cases[i].valid);
    }
}

static void long_urls(void **state) {
    (void)state;
    char url[PARAM_URL_MAX + 2] = "https://example.com/";
    const char *why;
    memset(url + 20, 'a', sizeof(url) - 21);
    url[PARAM_URL_MAX + 1] = '\0';
    assert_false(media_url_valid(text_of(url), &why));
    url[PARAM_URL_MAX] = '\0';
    assert_true(media_url_valid(text_of(url), &why));
}

static void inline_data(void **state) {
    (void)state;
    static const struct {
        const char *data, *accept;
        bool valid;
    } cases[] = {
        { "data:image/png;base64,AAAA", "image", true },
        { "DATA:image/png;base64,AAAA", "image", true },
        { "data:image/png;charset=x;base64,AAA=", "image", true },
        { "data:;base64,AAAA", "image", true },
        { "data:application/octet-stream;base64,AAAA", "audio", true },
        { "data:application/zip;base64,AAAA", "file", true },
        { "data:image/png;base64,AA-_", "image", true },
        { "DATA:IMAGE/PNG;BASE64,AAAA", "image", true },
        { "data:image/png;charset=x;Base64,AAAA", "image", true },
        { "data:image/png;base64;charset=x,AAAA", "image", false },
        { "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9Q", "image", true },
        { "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJ", "image", false }, /* too short to be told from a word */
        { "data:audio/wav;base64,AAAA", "image", false },
        { "data:image/png,AAAA", "image", false },
        { "data:image/png;base64", "image", false },
        { "data:image/png;base64,", "image", false },
        { "data:image/png;base64,====", "image", false },
        { "data:image/png;base64,AAAA====", "image", false },
        { "data:image/png;base64,AAAAAA=", "image", false },
        { "data:image/png;base64,AB", "image", false }, /* bits are left over, so it is no encoding of anything */
        { "data:image/png;base64,AAAAA", "image", false },
        { "data:image/png;base64,AA AA", "image", false },
        { "data:image/png;base64,AA=AA", "image", false },
        { "AAAA", "image", false },
        { "photo", "image", false },
        { "", "image", false },
        { "file:///etc/passwd-and-some-more-letters", "image", false },
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        const char *why = "";
        if (media_inline_valid(text_of(cases[i].data), cases[i].accept, &why) != cases[i].valid) {
            fail_msg("%s: %s", cases[i].data, why);
        }
    }
}

/* Notes what it sees, and replaces what says so. */
static json_t *note(const char *path, const struct param *param, const char *value, void *context) {
    json_t *seen = context;
    char line[300];
    snprintf(line, sizeof(line), "%s %s", path, param->accept);
    json_array_append_new(seen, json_string(line));
    return strstr(value, "replace") != NULL ? json_sprintf("file:%s", path) : NULL;
}

static void every_media_value(void **state) {
    (void)state;
    struct loaded loaded = load_catalog(
        "model 'm' { type = 'image', routes = { fal = { target = 'x' } }, results = function() end, price = per_call(1),\n"
        "  params = { prompt = text{ nullable }, a = url{ 'image', nullable }, b = list{ url{ 'video' }, nullable },\n"
        "    c = list{ object{ u = url{ 'audio', nullable }, v = object{ w = url{ 'file' } } } },\n"
        "    d = either{ object{ u = url{ 'image', required } }, url{ 'video' }, integer{} } } }\n");
    const struct model *model = catalog_find(loaded.catalog, TEXT("m"));
    scoped(json_release) json_t *input = parse(
        "{\"prompt\":\"http://x/replace\",\"a\":\"http://x/replace\",\"b\":[\"http://x/1\",\"http://x/replace\"],"
        "\"c\":[{\"u\":null},{\"u\":\"http://x/2\",\"v\":{\"w\":\"http://x/replace\"}}],\"d\":\"http://x/replace\"}");
    scoped(json_release) json_t *seen = json_array();
    assert_int_equal(model_validate(model, input, NULL), OK);
    model_each_media(model, input, note, seen);
    scoped(json_release) json_t *expected_seen = parse(
        "[\"a image\",\"b[0] video\",\"b[1] video\",\"c[1].u audio\",\"c[1].v.w file\",\"d video\"]");
    scoped(json_release) json_t *expected = parse(
        "{\"prompt\":\"http://x/replace\",\"a\":\"file:a\",\"b\":[\"http://x/1\",\"file:b[1]\"],"
        "\"c\":[{\"u\":null},{\"u\":\"http://x/2\",\"v\":{\"w\":\"file:c[1].v.w\"}}],\"d\":\"file:d\"}");
    assert_true(json_equal(seen, expected_seen));
    assert_true(json_equal(input, expected));

    scoped(json_release) json_t *other = parse("{\"d\":{\"u\":\"http://x/replace\"}}");
    model_each_media(model, other, note, seen);
    assert_string_equal(json_string_value(json_object_get(json_object_get(other, "d"), "u")), "file:d.u");
    unload_catalog(&loaded);
}

static json_t *take_limits(const char *path, const struct param *param, const char *value, void *context) {
    struct media_limits *limits = context;
    (void)value;
    limits[strcmp(path, "b") == 0] = param->limits;
    return NULL;
}

static void limits_are_those_of_the_parameter(void **state) {
    (void)state;
    struct loaded loaded = load_catalog(
        "model 'm' { type = 'video', routes = { fal = { target = 'x' } }, results = function() end, price = per_call(1),\n"
        "  params = { a = url{ 'image', max_bytes = '30 MB', min_side = 300, max_side = 6000, max_ratio = 2.5 },\n"
        "    b = url{ 'video', max_bytes = '2 GiB', min_seconds = 1.8, max_seconds = 15.2 } } }\n");
    const struct model *model = catalog_find(loaded.catalog, TEXT("m"));
    scoped(json_release) json_t *input = parse("{\"a\":\"http://x/1\",\"b\":\"http://x/2\"}");
    struct media_limits limits[2];
    model_each_media(model, input, take_limits, limits);
    assert_int_equal(limits[0].bytes_max, 30000000);
    assert_int_equal(limits[0].side_min, 300);
    assert_int_equal(limits[0].side_max, 6000);
    assert_true(limits[0].ratio_max == 2.5 && limits[0].seconds_max == 0);
    assert_int_equal(limits[1].bytes_max, (int64_t)2 << 30);
    assert_true(limits[1].seconds_min == 1.8 && limits[1].seconds_max == 15.2 && limits[1].side_min == 0);
    unload_catalog(&loaded);
}

int test_media(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(urls),
        cmocka_unit_test(long_urls),
        cmocka_unit_test(inline_data),
        cmocka_unit_test(every_media_value),
        cmocka_unit_test(limits_are_those_of_the_parameter),
    };
    return cmocka_run_group_tests_name("media", tests, NULL, NULL);
}
