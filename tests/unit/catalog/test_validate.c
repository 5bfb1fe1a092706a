/* A submission's body against a model: each kind of parameter and rule, with the exact code, path and effect. */
#include <jansson.h>
#include <stdlib.h>

#include "base/json.h"
#include "catalog/catalog.h"
#include "tests.h"

#define IMAGE "\"https://cdn.example.com/a.png\""

static const char catalogue[] =
    "local function add(name, params, rules)\n"
    "    model(name) { type = 'image', params = params, rules = rules, routes = { fal = { target = 'x' } },\n"
    "                  results = function(out) return {} end }\n"
    "    price(name)(per_call(1))\n"
    "end\n"
    "add('kinds', {\n"
    "    prompt = text{ required, min = 1, max = 5 }, title = text{ nullable },\n"
    "    resolution = choice{ '480p', '720p', default = '720p' }, steps = choice{ 4, 8, 2.5, nullable },\n"
    "    mixed = choice{ 'auto', 5, nullable },\n"
    "    duration = integer{ default = 5, min = 4, max = 15, also = { -1, 30 } },\n"
    "    width = integer{ min = 16, max = 64, multiple = 16, nullable }, above = integer{ min = 1, nullable },\n"
    "    speed = number{ min = 0.5, max = 2, nullable, also = { 0 } }, below = number{ max = 1, nullable },\n"
    "    sound = boolean{ default = true },\n"
    "    image_url = url{ 'image', inline = false, nullable }, inline_url = url{ 'audio', nullable },\n"
    "    image_urls = list{ url{ 'image', inline = false }, min = 1, max = 2, nullable },\n"
    "    shots = list{ object{ prompt = text{ required }, duration = integer{ default = 3, min = 1 } }, max = 2, nullable },\n"
    "    voice = object{ speed = number{ min = 0.5, max = 2 }, name = text{ required, max = 3 }, pitch = integer{ default = 0 } },\n"
    "    grid = list{ list{ integer{ min = 0 }, max = 2 }, nullable },\n"
    "    size = either{ choice{ 'square', 'tall' },\n"
    "                   object{ width = integer{ required, min = 256, multiple = 16 }, height = integer{ required } },\n"
    "                   default = 'square' },\n"
    "    wait = either{ integer{ min = 1, max = 9 }, integer{ min = 100 }, boolean{} },\n"
    "    extra = anything{ nullable }, seed = integer{ nullable, default = -1 },\n"
    "})\n"
    "local function short() return text{ nullable } end\n"
    "add('exactly', { a = short(), b = short(), c = short() }, { exactly_one{ 'a', 'b', 'c' } })\n"
    "add('at_most', { a = short(), b = choice{ 'auto', 'opaque', default = 'auto' } }, { at_most_one{ 'a', 'b' } })\n"
    "add('at_least', { a = short(), b = short() }, { at_least_one{ 'a', 'b' } })\n"
    "add('requires', { a = short(), b = short() }, { requires{ 'a', 'b' } })\n"
    "add('requires_any', { a = short(), b = short(), c = short() }, { requires_any{ 'a', 'b', 'c' } })\n"
    "local function some() return list{ text{}, nullable } end\n"
    "add('lists', { a = some(), b = some() }, { requires{ 'a', 'b' } })\n"
    "add('total', { a = some(), b = some(), c = short() }, { total{ 'a', 'b', 'c', max = 3 } })\n"
    "add('not_with', { t = number{ nullable }, mode = choice{ 'fast', 'slow', default = 'fast' }, turbo = boolean{ default = false } },\n"
    "    { not_with{ 't', when = { mode = 'fast', turbo = true } } })\n"
    "add('only', { r = choice{ '480p', '720p', '1080p', default = '720p' }, mode = choice{ 'fast', 'slow', default = 'slow' } },\n"
    "    { only{ 'r', { '480p', '720p' }, when = { mode = 'fast' } } })\n"
    "add('lacks', { a = short(), o = object{ heat = integer{ nullable } } }, { lacks{ 'heat', 'turbo' } })\n"
    "add('order', { a = text{ required }, b = text{ required, max = 1 }, c = short(), d = short() },\n"
    "    { requires{ 'c', 'd' }, exactly_one{ 'c', 'd' } })\n";

static const struct {
    const char *model, *body;
    enum err err;
    const char *param;
    const char *words; /* in the message, or on success a part of the body that it became */
} cases[] = {
    /* defaults, unknown and missing */
    { "kinds", "{\"prompt\":\"x\"}", OK, "",
      "{\"prompt\":\"x\",\"duration\":5,\"resolution\":\"720p\",\"seed\":-1,\"size\":\"square\",\"sound\":true}" },
    { "kinds", "{\"model\":\"kinds\",\"prompt\":\"x\",\"seed\":null}", OK, "", "{\"prompt\":\"x\",\"seed\":null,\"duration\":5" },
    { "kinds", "{}", ERR_MISSING_FIELD, "prompt", "`prompt` is required: a text" },
    { "kinds", "{\"prompt\":\"x\",\"zoom\":1,\"also\":2}", ERR_UNKNOWN_FIELD, "zoom", "`zoom` is not a field of this model" },
    { "kinds", "{\"prompt\":\"x\",\"a.b\":1}", ERR_UNKNOWN_FIELD, "a.b", "`a.b` is not a field of this model" },
    { "kinds", "{\"Prompt\":\"x\"}", ERR_UNKNOWN_FIELD, "Prompt", "`Prompt`" },
    { "kinds", "{\"promp\":\"x\"}", ERR_UNKNOWN_FIELD, "promp", "`promp`" },
    { "kinds", "{\"\":1}", ERR_UNKNOWN_FIELD, "\"\"", "`\"\"` is not a field" },
    { "kinds", "{\"prompt\":\"x\",\"voice\":{\"\":1}}", ERR_UNKNOWN_FIELD, "voice.\"\"", "`voice.\"\"` is not a field" },
    /* text: length in characters */
    { "kinds", "{\"prompt\":7}", ERR_INVALID_TYPE, "prompt", "`prompt` must be a text; got 7" },
    { "kinds", "{\"prompt\":null}", ERR_INVALID_TYPE, "prompt", "must be a text; got null" },
    { "kinds", "{\"prompt\":[]}", ERR_INVALID_TYPE, "prompt", "got a list" },
    { "kinds", "{\"prompt\":\"\"}", ERR_OUT_OF_RANGE, "prompt", "at least 1 character; got 0" },
    { "kinds", "{\"prompt\":\"\xc3\xa4\xc3\xb6\xc3\xbc\xe2\x82\xac\xf0\x9f\xa6\x8a\"}", OK, "", "{" },
    { "kinds", "{\"prompt\":\"abcdef\"}", ERR_TOO_LONG, "prompt", "at most 5 characters; got 6" },
    { "kinds", "{\"prompt\":\"x\",\"title\":null}", OK, "", "\"title\":null" },
    /* choice */
    { "kinds", "{\"prompt\":\"x\",\"resolution\":\"1080p\"}", ERR_NOT_ALLOWED_VALUE, "resolution",
      "`resolution` must be one of \"480p\", \"720p\"; got \"1080p\"" },
    { "kinds", "{\"prompt\":\"x\",\"resolution\":480}", ERR_INVALID_TYPE, "resolution", "must be a text; got 480" },
    { "kinds", "{\"prompt\":\"x\",\"steps\":8.0}", OK, "", "\"steps\":8.0" },
    { "kinds", "{\"prompt\":\"x\",\"steps\":2.5}", OK, "", "\"steps\":2.5" },
    { "kinds", "{\"prompt\":\"x\",\"steps\":5}", ERR_NOT_ALLOWED_VALUE, "steps", "one of 4, 8, 2.5; got 5" },
    { "kinds", "{\"prompt\":\"x\",\"steps\":\"8\"}", ERR_INVALID_TYPE, "steps", "got \"8\"" },
    { "kinds", "{\"prompt\":\"x\",\"mixed\":5}", OK, "", "\"mixed\":5" },
    { "kinds", "{\"prompt\":\"x\",\"mixed\":true}", ERR_INVALID_TYPE, "mixed", "got true" },
    /* integer */
    { "kinds", "{\"prompt\":\"x\",\"duration\":4}", OK, "", "\"duration\":4" },
    { "kinds", "{\"prompt\":\"x\",\"duration\":15}", OK, "", "\"duration\":15" },
    { "kinds", "{\"prompt\":\"x\",\"duration\":-1}", OK, "", "\"duration\":-1" },
    { "kinds", "{\"prompt\":\"x\",\"duration\":30}", OK, "", "\"duration\":30" },
    { "kinds", "{\"prompt\":\"x\",\"duration\":3}", ERR_OUT_OF_RANGE, "duration",
      "`duration` must be between 4 and 15, or -1, 30; got 3" },
    { "kinds", "{\"prompt\":\"x\",\"duration\":16}", ERR_OUT_OF_RANGE, "duration", "got 16" },
    { "kinds", "{\"prompt\":\"x\",\"duration\":5.0}", OK, "", "\"duration\":5," },
    { "kinds", "{\"prompt\":\"x\",\"duration\":5.5}", ERR_INVALID_TYPE, "duration", "must be a whole number; got 5.5" },
    { "kinds", "{\"prompt\":\"x\",\"duration\":1e300}", ERR_INVALID_TYPE, "duration", "must be a whole number" },
    { "kinds", "{\"prompt\":\"x\",\"duration\":\"5\"}", ERR_INVALID_TYPE, "duration", "got \"5\"" },
    { "kinds", "{\"prompt\":\"x\",\"duration\":null}", ERR_INVALID_TYPE, "duration", "got null" },
    { "kinds", "{\"prompt\":\"x\",\"width\":48}", OK, "", "\"width\":48" },
    { "kinds", "{\"prompt\":\"x\",\"width\":40}", ERR_OUT_OF_RANGE, "width", "between 16 and 64 and a multiple of 16; got 40" },
    { "kinds", "{\"prompt\":\"x\",\"above\":0}", ERR_OUT_OF_RANGE, "above", "at least 1; got 0" },
    { "kinds", "{\"prompt\":\"x\",\"above\":9223372036854775807}", OK, "", "9223372036854775807" },
    /* number */
    { "kinds", "{\"prompt\":\"x\",\"speed\":0.5}", OK, "", "\"speed\":0.5" },
    { "kinds", "{\"prompt\":\"x\",\"speed\":2}", OK, "", "\"speed\":2" },
    { "kinds", "{\"prompt\":\"x\",\"speed\":0}", OK, "", "\"speed\":0" },
    { "kinds", "{\"prompt\":\"x\",\"speed\":0.49}", ERR_OUT_OF_RANGE, "speed", "between 0.5 and 2, or 0; got 0.49" },
    { "kinds", "{\"prompt\":\"x\",\"speed\":true}", ERR_INVALID_TYPE, "speed", "must be a number; got true" },
    { "kinds", "{\"prompt\":\"x\",\"below\":1.1}", ERR_OUT_OF_RANGE, "below", "at most 1; got 1.1" },
    /* boolean */
    { "kinds", "{\"prompt\":\"x\",\"sound\":false}", OK, "", "\"sound\":false" },
    { "kinds", "{\"prompt\":\"x\",\"sound\":1}", ERR_INVALID_TYPE, "sound", "must be true or false; got 1" },
    { "kinds", "{\"prompt\":\"x\",\"sound\":\"true\"}", ERR_INVALID_TYPE, "sound", "got \"true\"" },
    /* URLs */
    { "kinds", "{\"prompt\":\"x\",\"image_url\":" IMAGE "}", OK, "", "\"image_url\":" IMAGE },
    { "kinds", "{\"prompt\":\"x\",\"image_url\":\"a.png\"}", ERR_INVALID_URL, "image_url",
      "`image_url` must be the URL of an image: it must begin with http:// or https://; got \"a.png\"" },
    { "kinds", "{\"prompt\":\"x\",\"image_url\":\"data:image/png;base64,AAAA\"}", ERR_INVALID_URL, "image_url", "http" },
    { "kinds", "{\"prompt\":\"x\",\"image_url\":5}", ERR_INVALID_TYPE, "image_url", "must be a URL; got 5" },
    { "kinds", "{\"prompt\":\"x\",\"inline_url\":\"data:audio/wav;base64,UklGRg==\"}", OK, "", "UklGRg==" },
    { "kinds", "{\"prompt\":\"x\",\"inline_url\":\"data:image/png;base64,AAAA\"}", ERR_INVALID_URL, "inline_url",
      "the type of the data: URI is another" },
    { "kinds", "{\"prompt\":\"x\",\"inline_url\":\"http://\"}", ERR_INVALID_URL, "inline_url", "http" },
    /* lists */
    { "kinds", "{\"prompt\":\"x\",\"image_urls\":[" IMAGE "]}", OK, "", "[" IMAGE "]" },
    { "kinds", "{\"prompt\":\"x\",\"image_urls\":[]}", ERR_OUT_OF_RANGE, "image_urls", "at least 1 item; got 0" },
    { "kinds", "{\"prompt\":\"x\",\"image_urls\":[" IMAGE "," IMAGE "," IMAGE "]}", ERR_OUT_OF_RANGE, "image_urls",
      "at most 2 items; got 3" },
    { "kinds", "{\"prompt\":\"x\",\"image_urls\":[" IMAGE ",\"x\"]}", ERR_INVALID_URL, "image_urls[1]", "`image_urls[1]`" },
    { "kinds", "{\"prompt\":\"x\",\"image_urls\":[null]}", ERR_INVALID_TYPE, "image_urls[0]", "got null" },
    { "kinds", "{\"prompt\":\"x\",\"image_urls\":" IMAGE "}", ERR_INVALID_TYPE, "image_urls", "must be a list" },
    { "kinds", "{\"prompt\":\"x\",\"grid\":[[1],[2,3.0]]}", OK, "", "[[1],[2,3]]" },
    { "kinds", "{\"prompt\":\"x\",\"grid\":[[1],[2,-3]]}", ERR_OUT_OF_RANGE, "grid[1][1]", "at least 0; got -3" },
    { "kinds", "{\"prompt\":\"x\",\"grid\":[[1,2,3]]}", ERR_OUT_OF_RANGE, "grid[0]", "at most 2 items" },
    /* objects, and lists of them */
    { "kinds", "{\"prompt\":\"x\",\"voice\":{\"name\":\"a\"}}", OK, "", "\"voice\":{\"name\":\"a\",\"pitch\":0}" },
    { "kinds", "{\"prompt\":\"x\",\"voice\":{\"name\":\"a\",\"speed\":3}}", ERR_OUT_OF_RANGE, "voice.speed", "`voice.speed`" },
    { "kinds", "{\"prompt\":\"x\",\"voice\":{}}", ERR_MISSING_FIELD, "voice.name", "`voice.name` is required" },
    { "kinds", "{\"prompt\":\"x\",\"voice\":{\"tone\":1}}", ERR_UNKNOWN_FIELD, "voice.tone", "`voice.tone`" },
    { "kinds", "{\"prompt\":\"x\",\"voice\":\"deep\"}", ERR_INVALID_TYPE, "voice", "must be an object; got \"deep\"" },
    { "kinds", "{\"prompt\":\"x\",\"shots\":[{\"prompt\":\"a\"},{\"prompt\":\"b\",\"duration\":2.0}]}", OK, "",
      "[{\"prompt\":\"a\",\"duration\":3},{\"prompt\":\"b\",\"duration\":2}]" },
    { "kinds", "{\"prompt\":\"x\",\"shots\":[{\"prompt\":\"a\"},{\"duration\":1}]}", ERR_MISSING_FIELD, "shots[1].prompt",
      "`shots[1].prompt` is required" },
    { "kinds", "{\"prompt\":\"x\",\"shots\":[{\"prompt\":\"a\",\"duration\":0}]}", ERR_OUT_OF_RANGE, "shots[0].duration", "got 0" },
    { "kinds", "{\"prompt\":\"x\",\"shots\":[{\"prompt\":\"a\",\"x\":0}]}", ERR_UNKNOWN_FIELD, "shots[0].x", "object" },
    { "kinds", "{\"prompt\":\"x\",\"shots\":[1]}", ERR_INVALID_TYPE, "shots[0]", "must be an object; got 1" },
    /* either */
    { "kinds", "{\"prompt\":\"x\",\"size\":\"tall\"}", OK, "", "\"size\":\"tall\"" },
    { "kinds", "{\"prompt\":\"x\",\"size\":{\"width\":256.0,\"height\":9}}", OK, "", "\"size\":{\"width\":256,\"height\":9}" },
    { "kinds", "{\"prompt\":\"x\",\"size\":\"huge\"}", ERR_NOT_ALLOWED_VALUE, "size", "one of \"square\", \"tall\"" },
    { "kinds", "{\"prompt\":\"x\",\"size\":{\"width\":250,\"height\":9}}", ERR_OUT_OF_RANGE, "size.width", "got 250" },
    { "kinds", "{\"prompt\":\"x\",\"size\":{\"width\":256}}", ERR_MISSING_FIELD, "size.height", "`size.height`" },
    { "kinds", "{\"prompt\":\"x\",\"size\":7}", ERR_INVALID_TYPE, "size", "must be a text or an object; got 7" },
    { "kinds", "{\"prompt\":\"x\",\"size\":null}", ERR_INVALID_TYPE, "size", "got null" },
    { "kinds", "{\"prompt\":\"x\",\"wait\":100}", OK, "", "\"wait\":100" },
    { "kinds", "{\"prompt\":\"x\",\"wait\":200.0}", OK, "", "\"wait\":200," },
    { "kinds", "{\"prompt\":\"x\",\"wait\":50}", ERR_OUT_OF_RANGE, "wait", "between 1 and 9; got 50" },
    { "kinds", "{\"prompt\":\"x\",\"wait\":true}", OK, "", "\"wait\":true" },
    /* anything */
    { "kinds", "{\"prompt\":\"x\",\"extra\":{\"a\":[1,{\"b\":null}]}}", OK, "", "{\"a\":[1,{\"b\":null}]}" },
    { "kinds", "{\"prompt\":\"x\",\"extra\":[1]}", ERR_INVALID_TYPE, "extra", "must be an object; got a list" },
    { "kinds", "{\"prompt\":\"x\",\"extra\":{\"a\":[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]}}", ERR_OUT_OF_RANGE, "extra", "16 levels" },
    /* rules */
    { "exactly", "{\"a\":\"x\"}", OK, "", "{\"a\":\"x\"}" },
    { "exactly", "{\"a\":null,\"c\":\"x\"}", OK, "", "{" },
    { "exactly", "{}", ERR_MISSING_FIELD, "a", "`a`, `b` or `c` is required" },
    { "exactly", "{\"b\":null}", ERR_MISSING_FIELD, "a", "is required" },
    { "exactly", "{\"c\":\"x\",\"a\":\"x\"}", ERR_NOT_ALLOWED_VALUE, "c", "`a`, `b` and `c` exclude each other" },
    { "at_most", "{\"a\":\"x\"}", OK, "", "{\"a\":\"x\",\"b\":\"auto\"}" }, /* a default is not "given" */
    { "at_most", "{}", OK, "", "{\"b\":\"auto\"}" },
    { "at_most", "{\"a\":\"x\",\"b\":\"auto\"}", ERR_NOT_ALLOWED_VALUE, "b", "exclude each other" },
    { "at_least", "{\"a\":\"x\",\"b\":\"y\"}", OK, "", "{" },
    { "at_least", "{\"a\":null}", ERR_MISSING_FIELD, "a", "`a` or `b` is required" },
    { "requires", "{\"b\":\"x\"}", OK, "", "{" },
    { "requires", "{\"a\":\"x\",\"b\":\"y\"}", OK, "", "{" },
    { "requires", "{\"a\":\"x\"}", ERR_MISSING_FIELD, "b", "`b` is required when `a` is given" },
    { "requires", "{\"a\":\"x\",\"b\":null}", ERR_MISSING_FIELD, "b", "`b` is required when `a` is given" },
    { "requires_any", "{\"a\":\"x\",\"c\":\"y\"}", OK, "", "{" },
    { "requires_any", "{\"a\":\"x\"}", ERR_MISSING_FIELD, "b", "`b` or `c` is required when `a` is given" },
    { "lists", "{\"a\":[\"1\"],\"b\":[\"2\"]}", OK, "", "{" },
    { "lists", "{\"a\":[]}", OK, "", "{" },
    { "lists", "{\"a\":[\"1\"],\"b\":[]}", ERR_MISSING_FIELD, "b", "`b` is required when `a` is given" },
    { "total", "{\"a\":[\"1\",\"2\"],\"b\":[\"3\"]}", OK, "", "{" },
    { "total", "{\"a\":[\"1\",\"2\"],\"b\":[\"3\"],\"c\":\"4\"}", ERR_OUT_OF_RANGE, "c",
      "`a`, `b` and `c` must have at most 3 items together; got 4" },
    { "total", "{\"b\":[\"1\",\"2\"],\"a\":[\"3\",\"4\"],\"c\":null}", ERR_OUT_OF_RANGE, "b", "got 4" },
    { "not_with", "{\"t\":1}", OK, "", "{" },
    { "not_with", "{\"t\":1,\"turbo\":true,\"mode\":\"slow\"}", OK, "", "{" },
    { "not_with", "{\"t\":1,\"turbo\":true}", ERR_NOT_ALLOWED_VALUE, "t", "`t` is not allowed when `" },
    { "not_with", "{\"t\":null,\"turbo\":true}", OK, "", "{" },
    { "lacks", "{\"a\":\"x\",\"heat\":0}", ERR_UNSUPPORTED_OPTIONS, "heat",
      "`heat` is an option that others of this family have, and this model has not" },
    { "lacks", "{\"loop\":1,\"turbo\":false}", ERR_UNSUPPORTED_OPTIONS, "turbo", "`turbo`" },
    { "lacks", "{\"heat\":null,\"turbo\":null}", OK, "", "{}" },
    { "lacks", "{\"o\":{\"heat\":3}}", OK, "", "{\"o\":{\"heat\":3}}" },
    { "lacks", "{\"loop\":1}", ERR_UNKNOWN_FIELD, "loop", "`loop` is not a field of this model" },
    { "only", "{\"r\":\"1080p\"}", OK, "", "{" },
    { "only", "{\"r\":\"480p\",\"mode\":\"fast\"}", OK, "", "{" },
    { "only", "{\"mode\":\"fast\"}", OK, "", "{\"mode\":\"fast\",\"r\":\"720p\"}" },
    { "only", "{\"r\":\"1080p\",\"mode\":\"fast\"}", ERR_NOT_ALLOWED_VALUE, "r",
      "`r` must be one of \"480p\", \"720p\" when `mode` is \"fast\"; got \"1080p\"" },
    /* the order of complaints */
    { "order", "{\"b\":\"xx\",\"y\":1,\"x\":1}", ERR_UNKNOWN_FIELD, "y", "`y`" },
    { "order", "{\"c\":\"x\",\"b\":\"xx\"}", ERR_MISSING_FIELD, "a", "`a`" },
    { "order", "{\"c\":\"x\",\"b\":\"xx\",\"a\":\"\"}", ERR_TOO_LONG, "b", "`b`" },
    { "order", "{\"c\":\"x\",\"b\":\"x\",\"a\":\"\"}", ERR_MISSING_FIELD, "d", "when `c` is given" },
    { "order", "{\"b\":\"x\",\"a\":\"\"}", ERR_MISSING_FIELD, "c", "`c` or `d` is required" },
};

static void bodies(void **state) {
    (void)state;
    struct loaded loaded = load_catalog(catalogue);
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        const struct model *model = catalog_find(loaded.catalog, text_of(cases[i].model));
        assert_non_null(model);
        scoped(json_release) json_t *body = parse(cases[i].body);
        struct fault fault = { 0 };
        enum err err = model_validate(model, body, &fault);
        char *became = json_render(body);
        const char *words = err == OK ? became : fault.message;
        if (err != cases[i].err || strcmp(fault.param, cases[i].param) != 0 || strstr(words, cases[i].words) == NULL) {
            fail_msg("%s %s: %s, param %s, %s", cases[i].model, cases[i].body, err_info(err)->name, fault.param, words);
        }
        free(became);
    }
    unload_catalog(&loaded);
}

/* Long and deep input is refused or cut, never copied whole into a message or past the path's room. */
static void long_input(void **state) {
    (void)state;
    struct loaded loaded = load_catalog(catalogue);
    const struct model *model = catalog_find(loaded.catalog, TEXT("kinds"));
    char long_name[5000];
    memset(long_name, 'n', sizeof(long_name) - 1);
    long_name[sizeof(long_name) - 1] = '\0';
    struct fault fault;

    scoped(json_release) json_t *unknown = json_pack("{s:i}", long_name, 1);
    assert_int_equal(model_validate(model, unknown, &fault), ERR_UNKNOWN_FIELD);
    assert_int_equal(strlen(fault.param), 100);

    scoped(json_release) json_t *choice = json_pack("{s:s, s:s}", "prompt", "x", "resolution", long_name);
    assert_int_equal(model_validate(model, choice, &fault), ERR_NOT_ALLOWED_VALUE);
    assert_true(strlen(fault.message) < 200);

    scoped(json_release) json_t *extra = json_pack("{s:s, s:{}}", "prompt", "x", "extra");
    for (int i = 0; i < 20; i++) {
        char name[16];
        snprintf(name, sizeof(name), "k%d", i);
        json_object_set_new(json_object_get(extra, "extra"), name, json_string(long_name));
    }
    assert_int_equal(model_validate(model, extra, &fault), ERR_TOO_LONG);
    assert_string_equal(fault.param, "extra");
    unload_catalog(&loaded);
}

int test_validate(void) {
    const struct CMUnitTest tests[] = { cmocka_unit_test(bodies), cmocka_unit_test(long_input) };
    return cmocka_run_group_tests_name("validate", tests, NULL, NULL);
}
