/* Tables whose members become tables when they are looked at: a script cannot tell them from others. */
#include <jansson.h>
#include <lua.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/memory.h"
#include "script/state.h"
#include "tests.h"

#define JOB "{\"id\":\"j\",\"count\":3,\"none\":null,\"state\":{\"url\":\"u\",\"list\":[1,{\"deep\":[]}]},\"files\":[\"a\",\"b\"],\"empty\":{}}"
#define MANY "{\"a\":[1],\"b\":[2],\"c\":[3],\"d\":[4],\"e\":[5],\"f\":[6],\"g\":[7],\"h\":[8],\"i\":[9],\"j\":[10],\"k\":[11]}"

/* What the function body makes of `v`, as JSON. */
static json_t *run(struct script *script, const char *body, const char *value, bool lazy) {
    lua_State *lua = script_lua(script);
    scoped(json_release) json_t *argument = NULL;
    json_t *result = NULL;
    char source[1024];
    int count = 0;
    struct fault fault = { 0 };
    unsigned before = script_lazies(script);
    snprintf(source, sizeof(source), "return function(v) %s end", body);
    assert_int_equal(json_read_any(text_of(value), 64, &argument, NULL), OK);
    if (script_run(script, "a.lua", text_of(source), &count, &fault) != OK) {
        fail_msg("%s", fault.message);
    }
    assert_int_equal(count, 1);
    if (lazy) {
        script_push_lazy(lua, argument);
    } else {
        script_push_json(lua, argument);
    }
    if (script_call(script, 1, 1, &fault) != OK || script_to_json(lua, -1, &result, &fault) != OK) {
        fail_msg("%s: %s", body, fault.message);
    }
    lua_pop(lua, 1);
    script_end_lazies(script, before);
    assert_int_equal(lua_gettop(lua), 0);
    return result;
}

static void it_is_like_any_other(void **state) {
    (void)state;
    static const struct {
        const char *body, *value;
    } cases[] = {
        { "return v", JOB },
        { "return v", "[1,{\"a\":[]}]" },
        { "return v", "\"text\"" },
        { "return v", "{}" },
        { "return v.state", JOB },
        { "return { v.state.url, v.state.list[2].deep, v.files[2], v.id, v.count }", JOB },
        { "local a, b = v.state, v.state return { a == b, type(a), #v.files }", JOB },
        { "return { v.missing == nil, v.none == null, v[1] == nil, v[v] == nil, v['state\\0x'] == nil }", JOB },
        { "local x = v.state x.url = 'mine' return v", JOB },
        { "v.state = nil return { gone = v.state == nil, v = v }", JOB },
        { "local x = v.state v.state = nil return { gone = v.state == nil, v = v }", JOB },
        { "v.state = { other = true } return v", JOB },
        { "v.more = { 1 } return v", JOB },
        { "v.id = nil return { gone = v.id == nil, v = v }", JOB },
        { "local seen = {} for key, member in pairs(v) do seen[key] = member end return seen", JOB },
        { "local x, seen = v.files, {} for key, member in pairs(v) do seen[key] = member end return { seen, x }", JOB },
        { "local n, key = 0, nil repeat key = next(v, key) n = n + 1 until key == nil return n", JOB },
        { "return next(v) == nil", "{}" },
        { "return next(v)", "{\"only\":{}}" },
        { "return { got = { v.a, v.b, v.c, v.d, v.e, v.f, v.g, v.h, v.i, v.j, v.k }, rest = v }", MANY },
        { "return { got = { v.a, v.b }, rest = v }", MANY },
        { "for key in pairs(v) do v[key] = nil end return v", MANY },
        { "return { pcall(function() return #v end) }", JOB },
    };
    struct script *script = NULL;
    assert_int_equal(script_new(NULL, &script), OK);
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        scoped(json_release) json_t *plain = run(script, cases[i].body, cases[i].value, false);
        scoped(json_release) json_t *lazy = run(script, cases[i].body, cases[i].value, true);
        if (!json_equal(plain, lazy)) {
            scoped(mem_free_pointer) char *one = json_dumps(plain, JSON_ENCODE_ANY), *other = json_dumps(lazy, JSON_ENCODE_ANY);
            fail_msg("%s: %s, but %s", cases[i].body, one, other);
        }
    }
    script_free(script);
}

/* A list of `count` such members, of which nobody has looked at what the table stands for. */
static enum err repeat(const struct script_limits *limits, unsigned count, const json_t *argument, struct fault *fault) {
    struct script *script = NULL;
    json_t *result = NULL;
    char source[128];
    int made = 0;
    snprintf(source, sizeof(source), "return function(v) local t = {} for i = 1, %u do t[i] = v end return t end", count);
    assert_int_equal(script_new(limits, &script), OK);
    assert_int_equal(script_run(script, "a.lua", text_of(source), &made, fault), OK);
    script_push_lazy(script_lua(script), argument);
    assert_int_equal(script_call(script, 1, 1, fault), OK);
    enum err err = script_to_json(script_lua(script), -1, &result, fault);
    json_decref(result);
    script_free(script);
    return err;
}

/* S3: what is copied as it is counts like what is made. */
static void what_nobody_looked_at_has_its_bounds(void **state) {
    (void)state;
    static char text[100000];
    memset(text, 'x', sizeof(text) - 1);
    scoped(json_release) json_t *numbers = json_array();
    for (int i = 0; i < 1000; i++)
        json_array_append_new(numbers, json_integer(i));
    scoped(json_release) json_t *deep = json_object();
    for (int i = 0; i < 62; i++)
        deep = json_pack("[o]", deep);
    const struct {
        json_t *member;
        unsigned fits, too_many;
        const char *words;
    } cases[] = {
        { json_pack("{s:O}", "list", numbers), 900, 1100, "more than a million values" },
        { json_pack("{s:{s:s}}", "object", "text", text), 9, 11, "larger than the script's memory" },
        { json_pack("{s:{s:i}}", "object", text, 1), 9, 11, "larger than the script's memory" },
        { json_pack("{s:O}", "deep", deep), 0, 1, "nested deeper" },
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct fault fault = { 0 };
        const struct script_limits limits = { .memory_max = 1000000 };
        assert_int_equal(repeat(&limits, cases[i].fits, cases[i].member, &fault), OK);
        assert_int_equal(repeat(&limits, cases[i].too_many, cases[i].member, &fault), ERR_SCRIPT);
        if (strstr(fault.message, cases[i].words) == NULL)
            fail_msg("%s", fault.message);
        json_decref(cases[i].member);
    }
}

static void what_nobody_looked_at_is_lost_with_the_call(void **state) {
    (void)state;
    struct script *script = NULL;
    assert_int_equal(script_new(NULL, &script), OK);
    assert_int_equal(script_run(script, "a.lua", TEXT("function none() end"), NULL, NULL), OK);
    lua_State *lua = script_lua(script);
    scoped(json_release) json_t *after = NULL;
    json_t *argument = NULL;
    assert_int_equal(json_read_any(TEXT(JOB), 64, &argument, NULL), OK);
    script_push_lazy(lua, argument);
    lua_getfield(lua, -1, "files");
    assert_true(lua_istable(lua, -1));
    script_end_lazies(script, 0);
    json_decref(argument);
    assert_int_equal(lua_getfield(lua, -2, "state"), LUA_TNIL);
    assert_int_equal(lua_getfield(lua, -3, "files"), LUA_TTABLE);
    assert_int_equal(lua_getfield(lua, -4, "id"), LUA_TSTRING);
    assert_int_equal(script_to_json(lua, -5, &after, NULL), OK);
    assert_int_equal(json_object_size(after), 4);
    lua_settop(lua, 0);
    script_free(script);
}

/* What a script lets go of can be collected in the same call, and its address be had again by any other table. */
static void another_table_at_the_address_is_another(void **state) {
    (void)state;
    struct script *script = NULL;
    assert_int_equal(script_new(NULL, &script), OK);
    lua_State *lua = script_lua(script);
    scoped(json_release) json_t *argument = NULL;
    scoped(json_release) json_t *after = NULL;
    assert_int_equal(json_read_any(TEXT(JOB), 64, &argument, NULL), OK);
    script_push_lazy(lua, argument);
    lua_newtable(lua);
    script->lazies[0].table = lua_topointer(lua, -1); /* as the collector and the allocator could bring it about */
    assert_int_equal(script_to_json(lua, -1, &after, NULL), OK);
    assert_int_equal(json_object_size(after), 0);
    lua_getglobal(lua, "next");
    lua_pushvalue(lua, -2);
    assert_int_equal(script_call(script, 1, 1, NULL), OK);
    assert_true(lua_isnil(lua, -1));
    script_end_lazies(script, 0);
    lua_settop(lua, 0);
    script_free(script);
}

/* Beyond what is kept of such tables, they are made whole. */
static void there_may_be_many(void **state) {
    (void)state;
    enum { COUNT = 20 };
    struct script *script = NULL;
    assert_int_equal(script_new(NULL, &script), OK);
    lua_State *lua = script_lua(script);
    scoped(json_release) json_t *argument = NULL;
    assert_int_equal(json_read_any(TEXT(JOB), 64, &argument, NULL), OK);
    for (int i = 0; i < COUNT; i++) {
        script_push_lazy(lua, argument);
    }
    assert_in_range(script_lazies(script), 1, COUNT - 1);
    for (int i = 1; i <= COUNT; i++) {
        scoped(json_release) json_t *after = NULL;
        assert_int_equal(script_to_json(lua, i, &after, NULL), OK);
        assert_true(json_equal(argument, after));
    }
    script_end_lazies(script, 0);
    lua_settop(lua, 0);
    script_free(script);
}

int test_lazy(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_is_like_any_other),
        cmocka_unit_test(what_nobody_looked_at_has_its_bounds),
        cmocka_unit_test(what_nobody_looked_at_is_lost_with_the_call),
        cmocka_unit_test(another_table_at_the_address_is_another),
        cmocka_unit_test(there_may_be_many),
    };
    return cmocka_run_group_tests_name("lazy", tests, NULL, NULL);
}
