/* What scripts can and cannot do: escapes, endless work, memory bombs, and that errors name file and line. */
#include <lauxlib.h>
#include <lua.h>

#include "script/script.h"
#include "tests.h"

static struct script *open_script(void) {
    const struct script_limits limits = { .memory_max = 4 << 20, .instructions_max = 200000 };
    struct script *script = NULL;
    assert_int_equal(script_new(&limits, &script), OK);
    return script;
}

/* Each of these fails, with these words in the message. */
static void escapes(void **state) {
    (void)state;
    static const struct {
        const char *source, *words;
    } cases[] = {
        { "return io.open('/etc/passwd')", "a.lua:1: unknown name `io`" },
        { "\n\nreturn os.execute('true')", "a.lua:3: unknown name `os`" },
        { "return debug.getregistry()", "unknown name `debug`" },
        { "return require 'os'", "unknown name `require`" },
        { "return package.loaded", "unknown name `package`" },
        { "return load('return 1')", "unknown name `load`" },
        { "return loadstring('return 1')", "unknown name `loadstring`" },
        { "return dofile('/etc/passwd')", "unknown name `dofile`" },
        { "return loadfile('/etc/passwd')", "unknown name `loadfile`" },
        { "return collectgarbage('stop')", "unknown name `collectgarbage`" },
        { "return coroutine.create(print)", "unknown name `coroutine`" },
        { "print('x')", "unknown name `print`" },
        { "warn('@on')", "unknown name `warn`" },
        { "return _G", "unknown name `_G`" },
        { "return setmetatable({}, {})", "unknown name `setmetatable`" },
        { "return getmetatable('').__index", "unknown name `getmetatable`" },
        { "rawset(string, 'rep', 1)", "unknown name `rawset`" },
        { "return xpcall(error, error)", "unknown name `xpcall`" },
        { "return string.dump(function() end)", "attempt to call a nil value (field 'dump')" },
        { "return ('x').dump(function() end)", "attempt to call a nil value" },
        { "return math.random()", "attempt to call a nil value" },
        { "string.rep = nil", "`string` cannot be changed" },
        { "table.insert(table, 'x')", "`table` cannot be changed" },
        { "math.pi = 3", "`math` cannot be changed" },
        { "error('said so')", "a.lua:1: said so" },
        { "error({})", "a.lua: error() was called with a table" },
        { "return ('x').rep.x", "attempt to index a function value" },
        { "('').x = 1", "attempt to index a string value" },
        { "string.format = nil", "`string` cannot be changed" },
        { "utf8.char = nil", "`utf8` cannot be changed" },
        { "table.move({}, 1, 3, 1, string)", "`string` cannot be changed" },
        { "table.sort(string, function() end) table.remove(string)  string[1] = 1", "`string` cannot be changed" },
        { "table.unpack = 1", "`table` cannot be changed" },
        { "for k in pairs(string) do error('shown') end next(string, 'rep')", "" },
        { "return _ENV.io", "unknown name `io`" },
        { "local _ENV = {} return io.open('x')", "attempt to index a nil value" },
        { "return select('#', table.unpack({}, 1, 1e7))", "too many results to unpack" },
        { "return string.format('%99999d', 1)", "invalid" },
        { "return string.format('%s', setmetatable)", "unknown name `setmetatable`" },
        { "return ('x'):rep(1, nil, getmetatable)", "unknown name `getmetatable`" },
        { "return string.pack('z', 'x'), rawget", "unknown name `rawget`" },
        { "return rawequal, rawlen", "unknown name `rawequal`" },
        { "goto out do ::out:: end", "no visible label" },
        { "local t <close> = {}", "got a non-closable value" },
        { "return 1 // 0", "attempt to" },
        { "return string.rep('x', 1 << 31)", "resulting string too large" },
        { "return math.tointeger('x') + 1", "attempt to perform arithmetic" },
        { "error(error)", "a.lua: error() was called with a function" },
        { "error(nil)", "a.lua: error() was called with a nil" },
        { "error(1.5)", "a.lua: error() was called with a number" },
        { "error('a\\r\\nb\\0c\\27[2J')", "a.lua:1: a" },
        { "return tostring(string.rep)() ", "attempt to call a string value" },
        { "\x1bLuaS\0\x19\x93\r\n\x1a\n", "attempt to load a binary chunk" },
        { "return 1 +", "a.lua:1: unexpected symbol near <eof>" },
        { "\x1bLua", "attempt to load a binary chunk" },
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct script *script = open_script();
        struct fault fault = { 0 };
        int before = lua_gettop(script_lua(script)), count;
        assert_int_equal(script_run(script, "a.lua", text_of(cases[i].source), &count, &fault), ERR_SCRIPT);
        if (strstr(fault.message, cases[i].words) == NULL) {
            fail_msg("%s: %s", cases[i].source, fault.message);
        }
        assert_int_equal(lua_gettop(script_lua(script)), before);
        script_free(script);
    }
}

#define LONG_LIST "local t = {} for i = 1, 20000 do t[i] = -i end "
#define LONG_TEXT "local s = string.rep('y', 1000000) "

static void endless_work_ends(void **state) {
    (void)state;
    static const char *const sources[] = {
        "while true do end",
        "\nrepeat until false",
        "local function f() return f() end f()",
        "pcall(function() while true do end end)",
        "while true do pcall(function() while true do end end) end",
        "for i = 1, 1e18 do end",
        "table.move({}, 1, 1 << 60, 2)",
        "pcall(table.move, {}, 1, 1 << 60, 2)",
        "table.sort({ 3, 1, 2 }, function() while true do end end)",
        "string.gsub('aaa', 'a', function() while true do end end)",
        "string.find(string.rep('a', 1000), string.rep('a-', 30) .. 'b')",
        "string.match(string.rep('a', 1000), string.rep('.*', 20) .. 'b')",
        "string.gsub(string.rep('(', 100000), '%b()', '')",
        "local t = {} for i = 1, 200000 do t[i] = i end table.sort(t, function() return true end)",
        "local s = string.rep('x', 100000) while true do s:byte(1, 10) s:reverse() s:upper() end",
        "local t = {} for i = 1, 1e9 do t[i] = nil end",
        "for c in string.gmatch(string.rep('x', 1000000), '.') do end",
        "while true do string.format('%99.99f', 1e308) end",
        "while true do tostring({}) end",
        "while true do pcall(error, {}) end",
        "::again:: goto again",
        "for i = 1, 500 do string.rep('x', 1000000) end",
        "local s = string.rep('x', 1000000) for i = 1, 500 do local t = s .. i end",
        "local s = string.rep('x', 1000000) for i = 1, 500 do pcall(s.upper, s) end",
        "while true do utf8.len(string.rep('x', 10000)) end",
        "for _ in string.gmatch(string.rep('a', 2000), string.rep('a?', 30) .. string.rep('a*', 9) .. 'b') do end",
        LONG_LIST "for i = 1, 200 do table.insert(t, 1, i) end",
        LONG_LIST "for i = 1, 200 do table.remove(t, 1) end",
        LONG_LIST "table.sort(t) table.sort(t)",
        LONG_LIST "while true do table.unpack(t, 1, 20000) end",
        LONG_LIST "while true do select('#', table.unpack(t, 1, 10000)) end",
        LONG_LIST "while true do math.max(table.unpack(t, 1, 10000)) end",
        "local t = {} for i = 1, 5000 do t[i] = '' end while true do table.concat(t) end",
        "local t, s = {}, string.rep('x', 1000000) for i = 1, 1000 do t[i] = s end table.sort(t)",
        LONG_TEXT "for i = 1, 1000 do s:byte(1, 10000) end",
        LONG_TEXT "for i = 1, 1000 do utf8.len(s) end",
        LONG_TEXT "for i = 1, 1000 do utf8.offset(s, 900000) end",
        LONG_TEXT "for i = 1, 1000 do utf8.codepoint(s, 1, 10000) end",
        LONG_TEXT "for i = 1, 1000 do tonumber(s) end",
        LONG_TEXT "for i = 1, 1000 do pcall(string.format, '%.5s', s) end",
        LONG_TEXT "for i = 1, 1000 do pcall(string.packsize, s) end",
        LONG_TEXT "for i = 1, 1000 do ('x'):find(s) end",
        LONG_TEXT "s:find('[' .. s .. ']') s:find('[^' .. s .. ']')",
        LONG_TEXT "s:gsub('%f[' .. s .. ']', '')",
        LONG_TEXT "for i = 1, 1000 do ('x'):match('[x' .. s .. ']') end",
    };
    for (size_t i = 0; i < ARRAY_SIZE(sources); i++) {
        struct script *script = open_script();
        struct fault fault = { 0 };
        enum err err = script_run(script, "a.lua", text_of(sources[i]), NULL, &fault);
        if (err != ERR_SCRIPT || strstr(fault.message, "this takes too long: more than 200000 instructions") == NULL) {
            fail_msg("%s: %s", sources[i], fault.message);
        }
        assert_int_equal(strncmp(fault.message, "a.lua:", 6), 0);
        /* The next call has a budget of its own. */
        assert_int_equal(script_run(script, "b.lua", TEXT("for i = 1, 1000 do end"), NULL, &fault), OK);
        script_free(script);
    }
}

/* What nothing charges, since it is one instruction, is ended by the processor's time. */
static void long_instructions_end(void **state) {
    (void)state;
    const struct script_limits limits = { .time_max_ms = 100 };
    static const char source[] = "local a = string.rep('x', 4 << 20) local b = a .. 'b' a = a .. 'a'\n"
                                 "while true do local same = a == b end";
    struct script *script = NULL;
    assert_int_equal(script_new(&limits, &script), OK);
    struct fault fault = { 0 };
    assert_int_equal(script_run(script, "a.lua", text_of(source), NULL, &fault), ERR_SCRIPT);
    assert_string_equal(fault.message, "a.lua:2: this takes too long: more than 100 milliseconds");
    script_free(script);
}

static void what_only_looks_endless_is_quick(void **state) {
    (void)state;
    struct script *script = open_script();
    assert_int_equal(script_run(script, "a.lua", TEXT("assert(string.rep('', 1 << 60) == '')"), NULL, NULL), OK);
    assert_int_equal(script_run(script, "a.lua", TEXT("assert(('ab'):rep(3, '-') == 'ab-ab-ab')"), NULL, NULL), OK);
    assert_int_equal(script_run(script, "a.lua", TEXT("assert(('ab'):rep(-3) == '')"), NULL, NULL), OK);
    /* A plain search takes time in proportion to the text, however alike text and word are. */
    static const char find[] = "assert(not string.find(string.rep('a', 1000000), string.rep('a', 400000) .. 'b', 1, true))";
    assert_int_equal(script_run(script, "a.lua", text_of(find), NULL, NULL), OK);
    /* Nor does a loop over a text pay for the whole of it at each step. */
    static const char walk[] = "local s, at, n = string.rep('\xc3\xa9', 4000), 1, 0\n"
                               "while s:byte(at) do at = utf8.offset(s, 2, at) n = n + 1 end assert(n == 4000)\n"
                               "local t = {} for i = 1, 4000 do table.insert(t, i) end\n"
                               "for i = 1, 4000 do assert(table.remove(t) == 4001 - i) end";
    assert_int_equal(script_run(script, "a.lua", text_of(walk), NULL, NULL), OK);
    script_free(script);
}

static void memory_bombs_are_refused(void **state) {
    (void)state;
    static const char *const sources[] = {
        "local s = 'x' while true do s = s .. s end",
        "return string.rep('x', 100000000)",
        "pcall(string.rep, 'x', 100000000)",
        "while true do pcall(function() local t = {} for i = 1, 1e6 do t[i] = {} end end) end",
        "local t = {} for i = 1, 1e5 do t[i] = string.rep('x', 1000) .. i end",
        "return table.concat({ string.rep('x', 1500000), string.rep('y', 1500000), string.rep('z', 1500000) })",
        "local function f() return f() + 1 end return f()",
        "return string.rep('x', 1000, string.rep('y', 100000))",
        "return string.format('%s', string.rep('x', 5000000))",
        "return string.rep('x', 1500000):upper() .. string.rep('x', 1500000):reverse()",
        "local t = {} for i = 1, 100 do t[i] = string.rep('x', 65536) end return table.concat(t)",
        "return string.rep('x', 10000):gsub('x', string.rep('y', 1000))",
    };
    for (size_t i = 0; i < ARRAY_SIZE(sources); i++) {
        struct script *script = open_script();
        struct fault fault = { 0 };
        enum err err = script_run(script, "a.lua", text_of(sources[i]), NULL, &fault);
        if (err != ERR_SCRIPT || strstr(fault.message, "needs too much memory: more than 4194304 bytes") == NULL) {
            fail_msg("%s: %s", sources[i], fault.message);
        }
        assert_int_equal(script_run(script, "b.lua", TEXT("local t = { 1, 2, 3 }"), NULL, &fault), OK);
        script_free(script);
    }
}

/* C may push more than the limit without an error; the next call pays for it. */
static void what_c_pushes_does_not_panic(void **state) {
    (void)state;
    struct script *script = open_script();
    lua_State *lua = script_lua(script);
    int count;
    assert_int_equal(script_run(script, "a.lua", TEXT("return function(s) return s .. 'x' end"), &count, NULL), OK);
    assert_int_equal(count, 1);
    size_t size = 6 << 20;
    char *bytes = test_malloc(size);
    memset(bytes, 'x', size);
    lua_pushlstring(lua, bytes, size);
    test_free(bytes);
    struct fault fault;
    assert_int_equal(script_call(script, 1, 1, &fault), ERR_SCRIPT);
    assert_non_null(strstr(fault.message, "needs too much memory"));
    assert_int_equal(lua_gettop(lua), 0);
    script_free(script);
}

static void pcall_works_otherwise(void **state) {
    (void)state;
    struct script *script = open_script();
    static const char source[] = "local ok, words = pcall(error, 'x', 0) assert(ok == false and words == 'x')\n"
                                 "local ok, a, b = pcall(function(...) return ... end, 1, 2) assert(ok and a == 1 and b == 2)\n"
                                 "assert(not pcall(pcall))";
    struct fault fault = { 0 };
    if (script_run(script, "a.lua", text_of(source), NULL, &fault) != OK) {
        fail_msg("%s", fault.message);
    }
    script_free(script);
}

/* Patterns behave as the manual of Lua says. */
static void patterns(void **state) {
    (void)state;
    static const char *const sources[] = {
        "assert(('hello world'):find('o w') == 5)",
        "local a, b, c = ('key = value'):find('^(%w+)%s*=') assert(a == 1 and b == 5 and c == 'key')",
        "local k, v = ('key = value'):match('^(%w+)%s*=%s*(%w+)$') assert(k == 'key' and v == 'value')",
        "assert(('abc'):match('()b()') == 2)",
        "assert(('abc'):find('b', 1, true) == 2)  assert(not ('abc'):find('b', 3, true))",
        "assert(('a.b'):find('.', 1, true) == 2) assert(('abc'):find('') == 1) assert(('abc'):find('', 10) == nil)",
        "assert(('abc'):find('c', -1) == 3) assert(('abc'):find('a', -10) == 1)",
        "assert(('THE (quick) fox'):find('%((%a+)%)') == 5)",
        "assert(('f(a(b)c)d'):match('%b()') == '(a(b)c)')",
        "assert(('THE (quick) fox'):gsub('%f[%a]%a+', 'x') == 'x (x) x')",
        "assert(('abab'):match('(ab)%1') == 'ab') assert(not ('abc'):find('()%1'))",
        "assert(('hello'):gsub('l+', '<%0>') == 'he<ll>o')",
        "assert(('hello'):gsub('(h)(e)', '%2%1') == 'ehllo')",
        "assert(('a b c'):gsub('%w', { a = '1', b = false, c = 3 }) == '1 b 3')",
        "local s, n = ('abc'):gsub('%w', function(c) if c == 'b' then return 'B' end end) assert(s == 'aBc' and n == 3)",
        "local s, n = ('abc'):gsub('', '-') assert(s == '-a-b-c-' and n == 4)",
        "local s, n = ('aaa'):gsub('a', 'b', 2) assert(s == 'bba' and n == 2)",
        "assert(('50%'):gsub('%%', '%%%%') == '50%%')",
        "local t = {} for k, v in ('a=1, b=2'):gmatch('(%w+)=(%w+)') do t[k] = v end assert(t.a == '1' and t.b == '2')",
        "local n = 0 for w in ('one two'):gmatch('%a+') do n = n + 1 end assert(n == 2)",
        "assert(('x'):match('[^%s]') == 'x') assert(('-'):match('[a%-]') == '-') assert((']'):match('[]]') == ']')",
        "assert(('abc123'):match('%a*%d-3$') == 'abc123') assert(('aXb'):match('%u') == 'X')",
        "assert(('abc'):match('x?abc') == 'abc') assert(('\\0a'):match('%z') == '\\0')",
        "assert(not pcall(string.find, 'a', '[a')) assert(not pcall(string.find, 'a', '%'))",
        "assert(not pcall(string.find, 'a', '(a')) assert(not pcall(string.gsub, 'a', 'a', '%2'))",
        "assert(not pcall(string.find, 'a', '%f')) assert(not pcall(string.gsub, 'a', 'a', '%x'))",
        "assert(('  trim '):match('^%s*(.-)%s*$') == 'trim')",
        "assert(('a,b,,c'):gsub(',,', ',') == 'a,b,c') assert(('abc'):match('.-') == '')",
        "assert(('data:image/png;base64,xx'):match('^data:([^;,]+)') == 'image/png')",
        "assert(('abc'):gsub('^a', 'x') == 'xbc') assert(('aaa'):gsub('^a', 'x') == 'xaa')",
        "assert(('x^y'):find('^', 1, true) == 2) assert(('a$'):match('a$$') == 'a$')",
        "local i = 0 for p in ('abc'):gmatch('()') do i = i + p end assert(i == 10)",
        "local n = 0 for _ in ('aXaXa'):gmatch('a', 2) do n = n + 1 end assert(n == 2)",
        "local s = string.rep('a', 10000) assert(#s:match('a*') == 10000 and #s:match('.-$') == 10000)",
    };
    for (size_t i = 0; i < ARRAY_SIZE(sources); i++) {
        struct script *script = open_script();
        struct fault fault = { 0 };
        if (script_run(script, "a.lua", text_of(sources[i]), NULL, &fault) != OK) {
            fail_msg("%s: %s", sources[i], fault.message);
        }
        script_free(script);
    }
}

/* What a file assigns stays its own; what C registers is known to all. */
static void files_do_not_see_each_other(void **state) {
    (void)state;
    struct script *script = open_script();
    struct fault fault;
    assert_int_equal(script_run(script, "a.lua", TEXT("shared = 1 type = nil string = 2"), NULL, &fault), OK);
    assert_int_equal(script_run(script, "b.lua", TEXT("return shared"), NULL, &fault), ERR_SCRIPT);
    assert_string_equal(fault.message, "b.lua:1: unknown name `shared`");
    assert_int_equal(script_run(script, "b.lua", TEXT("assert(type(string) == 'table')"), NULL, &fault), OK);
    lua_pushinteger(script_lua(script), 7);
    lua_setglobal(script_lua(script), "seven");
    assert_int_equal(script_run(script, "c.lua", TEXT("assert(seven == 7)"), NULL, &fault), OK);
    script_free(script);
}

static void settings_are_what_a_file_assigns(void **state) {
    (void)state;
    struct script *script = open_script();
    lua_State *lua = script_lua(script);
    struct fault fault;
    assert_int_equal(script_run_settings(script, "c.lua", TEXT("listen = 'x' port = 1 + 1"), &fault), OK);
    assert_int_equal(lua_gettop(lua), 1);
    lua_getfield(lua, 1, "listen");
    lua_getfield(lua, 1, "port");
    assert_string_equal(lua_tostring(lua, 2), "x");
    assert_int_equal(lua_tointeger(lua, 3), 2);
    lua_settop(lua, 0);
    assert_int_equal(script_run_settings(script, "c.lua", TEXT("listen = nothing"), &fault), ERR_SCRIPT);
    assert_string_equal(fault.message, "c.lua:1: unknown name `nothing`");
    assert_int_equal(lua_gettop(lua), 0);
    script_free(script);
}

static int who(lua_State *lua) {
    lua_pushboolean(lua, script_of(lua) == lua_touserdata(lua, lua_upvalueindex(1)));
    return 1;
}

static void a_c_function_finds_its_script(void **state) {
    (void)state;
    struct script *script = open_script();
    lua_pushlightuserdata(script_lua(script), script);
    lua_pushcclosure(script_lua(script), who, 1);
    lua_setglobal(script_lua(script), "who");
    assert_int_equal(script_run(script, "a.lua", TEXT("assert(who())"), NULL, NULL), OK);
    script_free(script);
    script_free(NULL);
}

int test_sandbox(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(escapes),
        cmocka_unit_test(endless_work_ends),
        cmocka_unit_test(long_instructions_end),
        cmocka_unit_test(what_only_looks_endless_is_quick),
        cmocka_unit_test(memory_bombs_are_refused),
        cmocka_unit_test(what_c_pushes_does_not_panic),
        cmocka_unit_test(pcall_works_otherwise),
        cmocka_unit_test(patterns),
        cmocka_unit_test(files_do_not_see_each_other),
        cmocka_unit_test(settings_are_what_a_file_assigns),
        cmocka_unit_test(a_c_function_finds_its_script),
    };
    return cmocka_run_group_tests_name("sandbox", tests, NULL, NULL);
}
