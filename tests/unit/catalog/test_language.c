/* The words of the model language: what they refuse, with file and line, and what the compiled models hold. */
#include <jansson.h>
#include <lua.h>

#include "catalog/catalog.h"
#include "catalog/param.h"
#include "script/script.h"
#include "tests.h"

static enum err load(const char *source, struct fault *fault) {
    struct script *script = NULL;
    struct catalog *catalog = NULL;
    assert_int_equal(script_new(NULL, &script), OK);
    assert_int_equal(catalog_begin(script, fault), OK);
    enum err err = script_run(script, "lua/models/x.lua", text_of(source), NULL, fault);
    if (err == OK) {
        err = catalog_finish(script, &catalog, fault);
    }
    catalog_free(catalog);
    script_free(script);
    return err;
}

/* Mistakes in one parameter: `local p = SOURCE` on line 2. */
static void parameters(void **state) {
    (void)state;
    static const struct {
        const char *source, *words;
    } cases[] = {
        { "integer{ min = 'a' }", "integer: `min` must be a number, got a string" },
        { "integer{ min = 1.5 }", "integer: `min` must be a whole number, got 1.5" },
        { "integer{ mni = 1 }", "integer: unknown option `mni`; did you mean `min`?" },
        { "integer{ required, limit = 1 }", "integer: unknown option `limit`; known are: `min`, `max`, `default`, `also`, `multiple`" },
        { "integer{ min = 5, max = 4 }", "integer: `min` is greater than `max`" },
        { "integer{ default = 3, min = 4 }", "integer: `default` must be at least 4; got 3" },
        { "integer{ default = '4' }", "integer: `default` must be a whole number; got \"4\"" },
        { "integer{ also = 5 }", "integer: `also` must be a list of numbers, got a number" },
        { "integer{ also = { 'a' } }", "integer: `also` must be a list of whole numbers, got a string in it" },
        { "integer{ also = { 1.5 } }", "whole numbers" },
        { "integer{ multiple = 0 }", "integer: `multiple` must be between 1 and 2147483647, got 0" },
        { "integer{ 5 }", "integer: unexpected number in place 1; `required` or `nullable` can be there" },
        { "integer{ required, default = 1 }", "integer: what is `required` can have no `default`" },
        { "integer{ required, nullable }", "integer: what is `required` can have no `nullable`" },
        { "integer(5)", "integer: a table is expected, as in integer{…}; got a number" },
        { "integer()", "integer: a table is expected" },
        { "integer{ [true] = 1 }", "integer: a boolean is no name of an option" },
        { "number{ max = {} }", "number: `max` must be a number, got a table" },
        { "number{ min = 0/0 }", "number: `min` must be between" },
        { "number{ multiple = 2 }", "number: unknown option `multiple`" },
        { "number{ default = 3, max = 2 }", "number: `default` must be at most 2; got 3" },
        { "text{ min = -1 }", "text: `min` must be between 0 and 1000000000, got -1" },
        { "text{ max = 3, default = 'long' }", "text: `default` must have at most 3 characters; got 4" },
        { "text{ requird }", "unknown name `requird`" },
        { "text{ 'image' }", "text: unexpected string in place 1" },
        { "text{ default = function() end }", "text: `default`: a function has no JSON form" },
        { "choice{}", "choice: the allowed values are missing" },
        { "choice{ required }", "choice: the allowed values are missing" },
        { "choice{ 'a', {} }", "choice: a value must be a text or a number, got a table" },
        { "choice{ 'a', 'a' }", "choice: the value a is there twice" },
        { "choice{ 1, 1.0 }", "is there twice" },
        { "choice{ 'a', default = 'b' }", "choice: `default` must be one of \"a\"; got \"b\"" },
        { "boolean{ default = 1 }", "boolean: `default` must be true or false; got 1" },
        { "boolean{ true }", "boolean: unexpected boolean in place 1" },
        { "url{}", "url: one of \"image\", \"video\", \"audio\" and \"file\" is expected" },
        { "url{ 'picture' }", "url: one of \"image\"" },
        { "url{ 'image', 'video' }", "url: one of \"image\"" },
        { "url{ 'image', inline = 'yes' }", "url: `inline` must be true or false, got a string" },
        { "url{ 'image', max_bytes = 30 }", "url: `max_bytes` must be a text such as \"30 MB\"" },
        { "url{ 'image', max_bytes = '30' }", "url: `max_bytes` must be a text such as" },
        { "url{ 'image', max_bytes = '-1 MB' }", "url: `max_bytes` must be a text such as" },
        { "url{ 'image', max_bytes = '3 mb' }", "url: `max_bytes` must be a text such as" },
        { "url{ 'image', min_side = 0.5 }", "url: `min_side` must be a whole number" },
        { "url{ 'image', min_side = 0 }", "url: `min_side` must be between 1 and" },
        { "url{ 'image', max_ratio = 0.5 }", "url: `max_ratio` must be between 1" },
        { "url{ 'image', min_side = 9, max_side = 8 }", "url: a least side or time is greater" },
        { "url{ 'audio', min_seconds = 9, max_seconds = 8 }", "url: a least side or time is greater" },
        { "url{ 'image', max_seconds = 8 }", "url: `image` has no seconds" },
        { "url{ 'audio', max_ratio = 2 }", "url: `audio` has no sides" },
        { "url{ 'image', max_size = '1 MB' }", "url: unknown option `max_size`; did you mean `max_side`?" },
        { "list{}", "list: what its items are is missing" },
        { "list{ 'text' }", "list: a parameter such as text{} is expected, got a string" },
        { "list{ text }", "list: a parameter such as text{} is expected, got a function" },
        { "list{ text{}, text{} }", "list: unexpected userdata in place 2" },
        { "list{ text{ required } }", "list: `required`, `nullable` and `default` are for the list itself" },
        { "list{ text{}, max = 1, default = { 'a', 'b' } }", "list: `default` must have at most 1 item; got 2" },
        { "object{}", "object: its fields are missing" },
        { "object{ a = 5 }", "object: `a` must be a parameter such as text{}, got a number" },
        { "object{ ['a b'] = text{} }", "object: a field's name must be 1 to 64 letters, digits and _" },
        { "object{ text{} }", "object: unexpected userdata in place 1" },
        { "either{ text{} }", "either: at least two parameters are missing" },
        { "either{ choice{ 'a' }, integer{}, default = 'b' }", "either: `default` must be one of \"a\"" },
        { "anything{ max = 5 }", "anything: unknown option `max`" },
        { "exactly_one{ 'a' }", "exactly_one: the names of at least 2 parameters are expected, got 1" },
        { "requires{ 'a', 'b', 'c' }", "requires: the names of 2 parameters are expected, got 3" },
        { "at_most_one{ 'a', 5 }", "at_most_one: the name of a parameter is expected in place 2, got a number" },
        { "total{ 'a' }", "total: `max` is missing" },
        { "total{ 'a', max = 'x' }", "total: `max` must be a number, got a string" },
        { "not_with{ 'a' }", "not_with: `when` must be a table such as" },
        { "not_with{ 'a', when = {} }", "not_with: `when` is empty" },
        { "only{ 'a', when = { b = 1 } }", "only: a list of allowed values is expected in place 2" },
        { "per_call{}", "per_call: exactly one price is needed, a number or `by`" },
        { "per_call('5')", "per_call: a table is expected" },
        { "per_call{ '5' }", "per_call: a price must be a number of credits, got a string" },
        { "per_call(-1)", "per_call: a price must be between 0 and 1000000 credits" },
        { "per_call(0.0000001)", "per_call: a price can have six decimals at most" },
        { "per_call{ 1, by = { a = { x = 1 } } }", "per_call: exactly one price is needed" },
        { "per_call{ by = { a = 1 } }", "per_call: `by` must be like" },
        { "per_call{ by = { a = {}, b = {} } }", "`by` must name exactly one parameter" },
        { "per_second{ 1 }", "per_second: either `field` or `seconds` is needed" },
        { "per_second{ 1, field = 'a', seconds = 5 }", "per_second: either `field` or `seconds`" },
        { "per_second{ 1, seconds = 5, auto = 5 }", "per_second: `auto` needs `field`" },
        { "per_second{ 1, feild = 'a' }", "per_second: unknown option `feild`; did you mean `field`?" },
        { "per_image{ 1, field = 'a', count = 'b' }", "per_image: `field` and `count` exclude each other" },
        { "per_token{ input = 1 }", "per_token: `input` and `output` are needed" },
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        char source[512];
        snprintf(source, sizeof(source), "-- a comment\nlocal p = %s\n", cases[i].source);
        struct fault fault = { 0 };
        assert_int_equal(load(source, &fault), ERR_SCRIPT);
        if (strncmp(fault.message, "lua/models/x.lua:2: ", 20) != 0 || strstr(fault.message, cases[i].words) == NULL) {
            fail_msg("%s: %s", cases[i].source, fault.message);
        }
    }
}

/* Mistakes in a whole model. MODEL and its end stand for the parts that are right. */
#define ROUTES " routes = { fal = { target = 'x' } },"
#define RESULTS " results = function() end,"
#define PRICE " price = per_call(1),"

static void models(void **state) {
    (void)state;
    static const struct {
        const char *source, *words;
    } cases[] = {
        { "model 'm' {}", "x.lua:1: model: `type` must be \"image\"" },
        { "model 'm' { type = 'img' }", "model: `type` must be \"image\"" },
        { "model 'm' { type = 'image' }", "model: `params` must be a table of parameters, got a nil" },
        { "model 'm' { type = 'image', params = {} }", "model: `routes` must be a table, got a nil" },
        { "model 'm' { type = 'image', params = {}, routes = {} }", "model: `routes` must have 1 to 64 routes" },
        { "model 'm' { type = 'image', params = {}," ROUTES " }", "model: `results` is missing" },
        { "model 'm' { type = 'image', params = {}," ROUTES RESULTS " }",
          "x.lua:1: model `m` has no price; price \"m\" (…) gives it one" },
        { "model 'm' { typ = 'image' }", "model: unknown option `typ`; did you mean `type`?" },
        { "model 'm' 'n'", "model: a table is expected" },
        { "model {}", "model: a name of 1 to 100 letters" },
        { "model 'a b' {}", "model: a name of 1 to 100 letters" },
        { "model '' {}", "model: a name of 1 to 100 letters" },
        { "model 'm' { type = 'image', timeout = 0 }", "model: `timeout` must be between 1 and 86400, got 0" },
        { "model 'm' { type = 'image', estimated = 'soon' }", "model: `estimated` must be a number, got a string" },
        { "model 'm' { type = 'image', summary = 5 }", "model: `summary` must be a text, got a number" },
        { "model 'm' { type = 'image', params = { a = 1 } }", "model: `params`: `a` must be a parameter such as text{}, got a number" },
        { "model 'm' { type = 'image', params = { text{} } }", "model: `params` has an entry without a name" },
        { "model 'm' { type = 'image', params = { model = text{} } }", "model: a parameter cannot be called `model`" },
        { "model 'm' { type = 'image', params = {}, rules = { 5 } }", "model: rule 1 must be a rule such as exactly_one{…}, got a number" },
        { "model 'm' { type = 'image', params = { a = text{} }, rules = { exactly_one{ 'a', 'b' } } }",
          "model: rule 1, exactly_one: there is no parameter `b`" },
        { "model 'm' { type = 'image', params = { a = choice{ 'x' } }, rules = { only{ 'a', { 'y' }, when = { a = 'x' } } } }",
          "model: rule 1, only: `a` must be one of \"x\"; got \"y\"" },
        { "model 'm' { type = 'image', params = { a = choice{ 'x' } }, rules = { not_with{ 'a', when = { a = 'y' } } } }",
          "model: rule 1, not_with: `a` must be one of \"x\"; got \"y\"" },
        { "model 'm' { type = 'image', params = { a = text{} }, rules = { lacks{ 'b', 'a' } } }",
          "model: rule 1, lacks: there is a parameter `a`" },
        { "model 'm' { type = 'image', params = {}, routes = { fal = {} } }", "model: route `fal`: `target` is missing" },
        { "model 'm' { type = 'image', params = {}, routes = { exec = { target = 'x' } } }", "model: route `exec`: `command` is missing" },
        { "model 'm' { type = 'image', params = {}, routes = { fal = 'x' } }", "model: route `fal` must be a table, got a string" },
        { "model 'm' { type = 'image', params = {}, routes = { fal = { traget = 'x' } } }",
          "model: route `fal` has an unknown field `traget`; did you mean `target`?" },
        { "model 'm' { type = 'image', params = {}, routes = { fal = { target = 'x', input = 5 } } }",
          "model: route `fal`: `input` must be a function, got a number" },
        { "model 'm' { type = 'image', params = {}, routes = { fal = { target = 'x', inputs = 'file' } } }",
          "model: route `fal`: `inputs` must be \"links\", \"inline\", \"either\" or \"files\"" },
        { "model 'm' { type = 'image', params = {}, routes = { fal = { target = 'x', before = function() end } } }",
          "model: route `fal`: `before` cannot be a function" },
        { "model 'm' { type = 'image', params = {}, routes = { { target = 'x' } } }", "a route's provider must be a name" },
        { "model 'm' { type = 'image', params = {}," ROUTES " results = {} }", "model: `results` must be a function, got a table" },
        { "model 'm' { type = 'image', params = {}," ROUTES RESULTS " price = 5 }", "model: `price` must be a price such as per_call(5)" },
        { "model 'm' { type = 'image', params = {}," ROUTES RESULTS " samples = 5 }", "model: `samples` must be a list, got a number" },
        { "for i = 1, 2 do model 'm' { type = 'image', params = {}," ROUTES RESULTS PRICE " } end",
          "model: there is a model `m` already, from lua/models/x.lua:1" },
        { "price 'n' (per_call(1))", "x.lua:1: price: there is no model `n`" },
        { "price(5)", "price: the name of a model is expected, got a number" },
        { "price 'n' (5)", "price: a price such as per_call(5) is expected for `n`, got a number" },
        { "price 'n' (per_call(1))\nprice 'n' (per_call(1))", "x.lua:2: price: `n` has a price already, from lua/models/x.lua:1" },
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct fault fault = { 0 };
        assert_int_equal(load(cases[i].source, &fault), ERR_SCRIPT);
        if (strstr(fault.message, "lua/models/x.lua:") == NULL || strstr(fault.message, cases[i].words) == NULL) {
            fail_msg("%s: %s", cases[i].source, fault.message);
        }
    }
}

/* Mistakes in how a price fits its model. */
static void prices(void **state) {
    (void)state;
    static const struct {
        const char *price, *words;
    } cases[] = {
        { "per_second{ 1, field = 'gone' }", "`field`: there is no parameter `gone`" },
        { "per_second{ 1, field = 'name' }", "`field`: the parameter `name` must be a number, it is a text" },
        { "per_second{ 1, field = 'free' }", "`free` may be absent or null, so `auto` must say how many units that is" },
        { "per_second{ 1, field = 'signed' }", "`signed` may be below zero, so `auto` must say" },
        { "per_second{ 1, field = 'also' }", "`also` may be below zero, so `auto` must say" },
        { "per_image{ 1, count = 'gone' }", "`count`: there is no parameter `gone`" },
        { "per_image{ 1, count = 'name' }", "`count`: the parameter `name` must be a list that is always there" },
        { "per_image{ 1, count = 'some' }", "must be a list that is always there" },
        { "per_call{ by = { gone = { x = 1 } } }", "`by`: there is no parameter `gone`" },
        { "per_call{ by = { name = { x = 1 } } }", "`by`: the parameter `name` must be a choice or a boolean" },
        { "per_call{ by = { size = { s = 1, m = 2 } } }", "`by`: there is no price for `size` \"l\"" },
        { "per_call{ by = { size = { s = 1, m = 2, l = 3, xl = 4 } } }", "`by`: `size` cannot be \"xl\"" },
        { "per_call{ by = { flag = { [true] = 1 } } }", "`by`: there is no price for `flag` false" },
        { "per_call{ by = { maybe = { a = 1 } } }", "that is always there" },
        { "per_token{ input = 1, output = 2 }", "per_token is for models of type llm" },
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        char source[1024];
        snprintf(source, sizeof(source),
                 "model 'm' { type = 'video'," ROUTES RESULTS " params = { name = text{ required }, free = integer{ min = 1 },\n"
                 "  signed = integer{ default = 1 }, also = integer{ default = 1, min = 1, also = { -1 } },\n"
                 "  some = list{ text{} }, size = choice{ 's', 'm', 'l', default = 's' }, flag = boolean{ default = false },\n"
                 "  maybe = choice{ 'a', nullable } } }\n"
                 "price 'm' (%s)\n", cases[i].price);
        struct fault fault = { 0 };
        assert_int_equal(load(source, &fault), ERR_SCRIPT);
        if (strncmp(fault.message, "lua/models/x.lua:5: price of `m`: ", 34) != 0 ||
            strstr(fault.message, cases[i].words) == NULL) {
            fail_msg("%s: %s", cases[i].price, fault.message);
        }
    }
}

static void compiled(void **state) {
    (void)state;
    struct loaded loaded = load_catalog(
        "model 'b' { type = 'video', params = {}, results = function() end, simulate = function() end, price = per_call(1),\n"
        "  samples = {}, routes = {\n"
        "    { provider = 'fal', target = 'second', priority = 2 }, { provider = 'other', target = 'first', weight = 5, path = '/x' },\n"
        "    { provider = 'fal', target = 'third', priority = 2, input = function(p) return p end } } }\n"
        "model 'a' { type = 'audio', summary = 'Speech', estimated = 3, timeout = 9, results = function() end,\n"
        "  params = { z = text{}, a = text{}, m = text{} }, rules = { at_most_one{ 'a', 'z' } },\n"
        "  routes = { zeta = { target = 'z' }, exec = { command = 'speak', package = 'espeak-ng', programs = { 'espeak-ng', 'sox' } } } }\n"
        "price 'a' (per_call(2))");
    unsigned count;
    const struct model *const *models = catalog_models(loaded.catalog, &count);
    assert_int_equal(count, 2);
    const struct model *a = models[0], *b = models[1];
    assert_string_equal(a->name, "a");
    assert_ptr_equal(catalog_find(loaded.catalog, TEXT("b")), b);
    assert_null(catalog_find(loaded.catalog, TEXT("ab")));
    assert_null(catalog_find(loaded.catalog, TEXT_NONE));
    assert_string_equal(a->file, "models/test.lua");
    assert_int_equal(a->type, TASK_AUDIO);
    assert_int_equal(a->estimated_s, 3);
    assert_int_equal(a->timeout_s, 9);
    assert_int_equal(a->rule_count, 1);
    assert_int_equal(a->lua_simulate, LUA_NONE);
    assert_string_equal(a->params->parts[0].name, "a");
    assert_string_equal(a->params->parts[2].name, "z");
    assert_int_equal(a->route_count, 2);
    assert_string_equal(a->routes[0].provider, "exec");
    assert_string_equal(a->routes[0].target, "speak");
    assert_string_equal(a->routes[0].package, "espeak-ng");
    assert_int_equal(a->routes[0].program_count, 2);
    assert_string_equal(a->routes[0].programs[1], "sox");
    assert_int_equal(a->routes[0].lua_input, LUA_NONE);
    assert_string_equal(b->summary, "");
    assert_int_equal(b->estimated_s, 120);
    assert_int_equal(b->timeout_s, 1800);
    static const char *const targets[] = { "first", "second", "third" };
    for (unsigned i = 0; i < 3; i++) {
        assert_string_equal(b->routes[i].target, targets[i]);
    }
    assert_int_equal(b->routes[0].weight, 5);
    assert_int_not_equal(b->routes[2].lua_input, LUA_NONE);
    lua_State *lua = script_lua(loaded.script);
    lua_rawgeti(lua, LUA_REGISTRYINDEX, b->routes[0].lua_route);
    lua_getfield(lua, -1, "path");
    assert_string_equal(lua_tostring(lua, -1), "/x");
    unload_catalog(&loaded);
}

/* A load that failed, or was never finished, leaves nothing behind; the words end with the load. */
static void the_end_of_loading(void **state) {
    (void)state;
    struct script *script = NULL;
    struct catalog *catalog = NULL;
    struct fault fault;
    assert_int_equal(script_new(NULL, &script), OK);
    assert_int_equal(catalog_finish(script, &catalog, &fault), ERR_SCRIPT);
    assert_int_equal(catalog_begin(script, &fault), OK);
    assert_int_equal(catalog_finish(script, &catalog, &fault), OK);
    assert_int_equal(script_run(script, "late.lua", TEXT("text{}"), NULL, &fault), ERR_SCRIPT);
    assert_string_equal(fault.message, "late.lua:1: the words of the model language are for loading: the catalogue is complete");
    catalog_free(catalog);
    catalog_free(NULL);
    script_free(script);
    assert_int_equal(script_new(NULL, &script), OK);
    assert_int_equal(catalog_begin(script, &fault), OK);
    script_free(script);
}

int test_language(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parameters), cmocka_unit_test(models),           cmocka_unit_test(prices),
        cmocka_unit_test(compiled),   cmocka_unit_test(the_end_of_loading),
    };
    return cmocka_run_group_tests_name("language", tests, NULL, NULL);
}
