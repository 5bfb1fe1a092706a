/* JSON to Lua and back: what survives, and what is refused. */
#include <jansson.h>
#include <lauxlib.h>
#include <lua.h>
#include <stdlib.h>

#include "base/json.h"
#include "script/script.h"
#include "tests.h"

static struct script *open_script(void) {
    struct script *script = NULL;
    assert_int_equal(script_new(NULL, &script), OK);
    return script;
}

static void round_trip(void **state) {
    (void)state;
    static const char *const values[] = {
        "{}", "[]", "[[],{}]", "{\"a\":[],\"b\":{}}", "null", "[null,null]", "{\"a\":null}", "true", "false", "0",
        "9223372036854775807", "-9223372036854775808", "9007199254740993", "1.0", "0.1", "-2.5e-7", "1e300", "\"\"",
        "\"gr\xc3\xbc\xc3\x9f \xf0\x9f\xa6\x8a \\\" \\\\\"", "[1,2.5,\"x\",[3],{\"y\":false}]", "{\"1\":\"one\"}",
        "{\"a b\":1}",
    };
    struct script *script = open_script();
    lua_State *lua = script_lua(script);
    for (size_t i = 0; i < ARRAY_SIZE(values); i++) {
        scoped(json_release) json_t *before = NULL;
        scoped(json_release) json_t *after = NULL;
        assert_int_equal(json_read_any(text_of(values[i]), 64, &before, NULL), OK);
        script_push_json(lua, before);
        assert_int_equal(script_to_json(lua, -1, &after, NULL), OK);
        lua_pop(lua, 1);
        if (!json_equal(before, after)) {
            fail_msg("%s", values[i]);
        }
        assert_int_equal(lua_gettop(lua), 0);
    }
    script_free(script);
}

static void from_lua(void **state) {
    (void)state;
    static const struct {
        const char *source, *json;
    } cases[] = {
        { "return {}", "{}" },
        { "return array{}", "[]" },
        { "return array{ 1, 2 }", "[1,2]" },
        { "local t = array{} t[1] = 'x' t[#t + 1] = 'y' return t", "[\"x\",\"y\"]" },
        { "return { 1, nil, 3, null }", NULL },
        { "return { 'a', 'b' }", "[\"a\",\"b\"]" },
        { "return { a = null }", "{\"a\":null}" },
        { "return { a = nil }", "{}" },
        { "return nil", "null" },
        { "return null", "null" },
        { "return null == null", "true" },
        { "return 1", "1" },
        { "return 1.0", "1.0" },
        { "return 10 // 4", "2" },
        { "return 'x'", "\"x\"" },
    };
    struct script *script = open_script();
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        int count = 0;
        assert_int_equal(script_run(script, "a.lua", text_of(cases[i].source), &count, NULL), OK);
        assert_int_equal(count, 1);
        scoped(json_release) json_t *value = NULL;
        enum err err = script_to_json(script_lua(script), -1, &value, NULL);
        lua_settop(script_lua(script), 0);
        if (cases[i].json == NULL) {
            assert_int_equal(err, ERR_SCRIPT);
            continue;
        }
        assert_int_equal(err, OK);
        char *text = json_render(value);
        assert_string_equal(text, cases[i].json);
        free(text);
    }
    script_free(script);
}

static void refused(void **state) {
    (void)state;
    static const struct {
        const char *source, *words;
    } cases[] = {
        { "return function() end", "a function has no JSON form" },
        { "return { a = { b = print_nothing } }", "a function has no JSON form" },
        { "return 1 / 0", "not finite" },
        { "return { -(0 / 0) }", "not finite" },
        { "return { [1] = 1, a = 2 }", "must be a list, or have texts as keys" },
        { "return { [1] = 1, [3] = 3 }", "must be a list, or have texts as keys" },
        { "return { [true] = 1 }", "must be a list, or have texts as keys" },
        { "return { [1.5] = 1 }", "must be a list, or have texts as keys" },
        { "return array{ a = 1 }", "an array has a gap" },
        { "local t = array{} t[2] = 1 return t", "an array has a gap" },
        { "return '\\xff'", "not valid UTF-8" },
        { "return 'a\\0b'", "holds a NUL" },
        { "return { ['\\xff'] = 1 }", "must be a list, or have texts as keys" },
        { "local t = {} t.t = t return t", "nested deeper than 64" },
        { "local t = {} for i = 1, 64 do t = { t } end return t", "nested deeper than 64" },
        { "local t = {} for i = 1, 24 do t = { t, t } end return t", "more than a million values" },
        { "local t = { a = true } for i = 1, 24 do t = { a = t, b = t } end return t", "more than a million values" },
        { "local t, s = {}, ('x'):rep(1 << 20) for i = 1, 100 do t[i] = s end return t", "larger than the script's memory" },
        { "local t, s = {}, ('x'):rep(1 << 20) for i = 1, 100 do t[i] = { [s] = 1 } end return t",
          "larger than the script's memory" },
    };
    struct script *script = open_script();
    lua_State *lua = script_lua(script);
    lua_pushcfunction(lua, (lua_CFunction)lua_gettop);
    lua_setglobal(lua, "print_nothing");
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        int count = 0;
        assert_int_equal(script_run(script, "a.lua", text_of(cases[i].source), &count, NULL), OK);
        json_t *value = NULL;
        struct fault fault = { 0 };
        assert_int_equal(script_to_json(lua, -1, &value, &fault), ERR_SCRIPT);
        assert_null(value);
        if (strstr(fault.message, cases[i].words) == NULL) {
            fail_msg("%s: %s", cases[i].source, fault.message);
        }
        assert_int_equal(lua_gettop(lua), 1);
        lua_settop(lua, 0);
    }
    script_free(script);
}

static void array_takes_only_tables(void **state) {
    (void)state;
    struct script *script = open_script();
    assert_int_equal(script_run(script, "a.lua", TEXT("array(1)"), NULL, NULL), ERR_SCRIPT);
    assert_int_equal(script_run(script, "a.lua", TEXT("array(string)"), NULL, NULL), ERR_SCRIPT);
    assert_int_equal(script_run(script, "a.lua", TEXT("array(array{})"), NULL, NULL), OK);
    script_free(script);
}

int test_value(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(round_trip),
        cmocka_unit_test(from_lua),
        cmocka_unit_test(refused),
        cmocka_unit_test(array_takes_only_tables),
    };
    return cmocka_run_group_tests_name("value", tests, NULL, NULL);
}
