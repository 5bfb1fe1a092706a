/* Samples in files: what passes, what fails, and what the report says. */
#include <stdlib.h>
#include <string.h>

#include "bridge_tests.h"
#include "provider/bridge.h"

#define HEAD                                                                                                           \
    "model 'a' { type = 'audio', summary = 'x', params = { prompt = text{ required, max = 5 }, voice = text{ default " \
    "= 'en' } },\n"                                                                                                    \
    "  routes = { exec = { command = 'c' } }, simulate = function(p) return { audio = sample.audio{} } end,\n"         \
    "  results = function(out) return { { url = artifact(out.audio) } } end,\n"                                        \
    "  samples = {\n"
#define TAIL " } }\nprice 'a' (per_call(3))\n"

#define PAIR                                                                                                           \
    "return { url = 'https://api.example.com', submit = function() return { post = '/x' } end,\n"                       \
    "accepted = function(reply) return reply.json end, poll = function() return { get = '/x' } end,\n"                  \
    "polled = function(reply) return reply.json end,"

static const struct {
    const char *path, *source;
    unsigned passed, failed;
    const char *words[3]; /* in the report */
} rows[] = {
    { "models/a.lua",
      HEAD "{ input = { prompt = 'hi' }, valid = { prompt = 'hi', voice = 'en' }, price = 3, upstream = { exec = { "
           "prompt = 'hi', voice = 'en' } },\n"
           "  output = { audio = { file = 'x' } }, results = { { url = { file = 'x' } } } },\n"
           "{ input = { prompt = 'hi' }, output = { audio = 'https://u/x' }, results = { { url = 'https://u/x' } } },\n"
           "{ input = { prompt = 'too long' }, refused = { code = 'too_long', param = 'prompt' } }" TAIL,
      3,
      0,
      { "ok   a, sample 1\n", "ok   a, sample 3, refused\n" } },
    { "models/a.lua",
      HEAD "{ input = { prompt = 'hi' }, valid = { prompt = 'ho', voice = 'en' } }" TAIL,
      0,
      1,
      { "FAIL a, sample 1\n", "    valid.prompt: expected \"ho\", got \"hi\"\n" } },
    { "models/a.lua",
      HEAD "{ input = { prompt = 'hi' }, price = 4 }" TAIL,
      0,
      1,
      { "    price: expected 4, got 3\n" } },
    { "models/a.lua",
      HEAD "{ input = { prompt = 'hi' }, upstream = { exec = { prompt = 'hi' } } }" TAIL,
      0,
      1,
      { "    exec.voice: expected nothing, got \"en\"\n" } },
    { "models/a.lua",
      HEAD "{ input = { prompt = 'hi' }, upstream = { fal = { prompt = 'hi' } } }" TAIL,
      0,
      1,
      { "    upstream: the model has no route fal\n" } },
    { "models/a.lua",
      HEAD "{ input = { prompt = 'hi' }, output = { audio = { file = 'x' } }, results = { { url = 'y' } } }" TAIL,
      0,
      1,
      { "    results[0].url: expected \"y\", got {\"file\":\"x\"}\n" } },
    { "models/a.lua",
      HEAD "{ input = { prompt = 'hi' }, output = { sound = 'x' } }" TAIL,
      0,
      1,
      { "    results: ", "models/a.lua:3: artifact" } },
    { "models/a.lua",
      HEAD "{ input = { prompt = 'hi' }, refused = { code = 'too_long' } }" TAIL,
      0,
      1,
      { "    the input was accepted; expected refusal: too_long\n" } },
    { "models/a.lua",
      HEAD "{ input = {}, refused = { code = 'too_long', param = 'prompt' } }" TAIL,
      0,
      1,
      { "    refused: expected too_long, param prompt\n", "    refused: got missing_field, param prompt" } },
    { "models/a.lua", HEAD "{ input = {} }" TAIL, 0, 1, { "    the input was refused: ", ", param prompt\n" } },
    { "models/a.lua",
      HEAD "{ input = { prompt = 'hi' }, resluts = {} }" TAIL,
      0,
      1,
      { "    a sample has no member resluts\n" } },
    { "models/a.lua", HEAD "{ price = 3 }" TAIL, 0, 1, { "    a sample needs an input" } },
    { "models/a.lua", HEAD TAIL, 0, 0, { "none a has no samples\n" } },
    { "providers/p.lua",
      "return { url = 'https://api.example.com', submit = function(task) return { post = '/x', json = task.input } "
      "end,\n"
      "  accepted = function(reply) return { id = reply.json.id } end,\n"
      "  poll = function(job) return { get = '/x' } end, polled = function(reply) return reply.json end,\n"
      "  samples = { { call = 'submit', task = { input = { a = 1 } }, expect = { post = '/x', json = { a = 1 } } },\n"
      "    { call = 'accepted', reply = { status = 200, headers = {}, json = { id = 'j' } }, expect = { id = 'j' } },\n"
      "    { call = 'accepted', reply = { status = 200, json = { id = 'j' } }, expect = { id = 'k' } },\n"
      "    { call = 'accepted', reply = { status = 200, json = {} }, expect = {} },\n"
      "    { call = 'accepted', reply = { status = 502 }, expect = { id = 'j' } },\n"
      "    { call = 'cancel', job = {}, expect = {} }, { call = 'sing' }, { call = 'submit', tusk = {} } } }\n",
      2,
      6,
      { "ok   p, sample 1, submit\n", "    accepted.id: expected \"k\", got \"j\"\n",
        "providers/p.lua:2: a step needs one of id" } },
    /* what one function leaves to another that is not there */
    { "providers/p.lua",
      PAIR "samples = { { call = 'polled', reply = { json = { status = 'completed', next = { get = '/f' } } } } } }",
      0,
      1,
      { "none p, no sample calls submit\n", "FAIL p, sample 1, polled (", "has no output to read the reply with" } },
    { "providers/p.lua",
      PAIR "samples = {\n{ call = 'accepted', reply = { json = { status = 'pending' } } } } }",
      0,
      1,
      { "p.lua:4)\n    accepted must give an id, an output", "none p, no sample calls poll\n" } },
    { "providers/p.lua",
      "return { url = 'https://api.example.com', submit = function() return { post = '/x' } end,\n"
      "accepted = function() return { id = 'j' } end, samples = { { call = 'accepted', reply = {} } } }",
      0,
      1,
      { "has no poll, so accepted must give the output" } },
};

static void samples_are_run(void **state) {
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct test_catalog catalog;
        test_catalog_init(&catalog);
        test_catalog_put(&catalog, rows[i].path, rows[i].source);
        char path[128];
        snprintf(path, sizeof(path), "%s/%s", catalog.directory, rows[i].path);
        struct buffer report;
        buffer_init(&report, 1 << 20);
        unsigned passed = 99, failed = 99;
        struct fault fault = { 0 };
        const struct config plain = { 0 }; /* the file alone, from outside any configured directory */
        const struct config *config = i % 2 ? &plain : &catalog.config;
        if (bridge_check_file(config, path, &report, &passed, &failed, &fault) != OK) {
            fail_msg("row %zu: %s", i, fault.message);
        }
        for (size_t w = 0; w < ARRAY_SIZE(rows[i].words) && rows[i].words[w]; w++) {
            if (!strstr(report.data, rows[i].words[w])) {
                fail_msg("row %zu: no \"%s\" in:\n%s", i, rows[i].words[w], report.data);
            }
        }
        assert_int_equal(passed, rows[i].passed);
        assert_int_equal(failed, rows[i].failed);
        buffer_fini(&report);
        test_catalog_fini(&catalog);
    }
}

static void files_that_cannot_be_run_are_faults(void **state) {
    (void)state;
    static const struct {
        const char *path, *source, *words;
    } files[] = {
        { "models/a.lua", "x =\n", "models/a.lua:" },
        { "models/a.lua", "x = 1\n", "defines no model and returns no adapter" },
        { "a.lua", "x = 1\n", "defines no model and returns no adapter" },
        { "models/b.lua", NULL, "cannot be opened" },
    };
    for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
        struct test_catalog catalog;
        test_catalog_init(&catalog);
        if (files[i].source) {
            test_catalog_put(&catalog, files[i].path, files[i].source);
        }
        char path[128];
        snprintf(path, sizeof(path), "%s/%s", catalog.directory, files[i].path);
        const struct config plain = { 0 };
        struct buffer report;
        buffer_init(&report, 4096);
        unsigned passed = 99, failed = 99;
        struct fault fault = { 0 };
        assert_int_equal(bridge_check_file(&plain, path, &report, &passed, &failed, &fault), ERR_SCRIPT);
        assert_int_equal(passed, 99);
        if (!strstr(fault.message, files[i].words)) {
            fail_msg("expected %s\ngot %s", files[i].words, fault.message);
        }
        buffer_fini(&report);
        test_catalog_fini(&catalog);
    }
}

static void an_adapter_may_lie_anywhere(void **state) {
    (void)state;
    struct test_catalog catalog;
    test_catalog_init(&catalog);
    test_catalog_put(&catalog, "dialect.lua",
                     "return { url = 'https://api.example.com', submit = function() return { post = '/x' } end,\n"
                     "  accepted = function() return { output = { a = 1 } } end,\n"
                     "  samples = { { call = 'accepted', reply = {}, expect = { output = { a = 1 } } },\n"
                     "              { call = 'submit', task = {}, expect = { post = '/x' } } } }\n");
    char path[128];
    snprintf(path, sizeof(path), "%s/dialect.lua", catalog.directory);
    const struct config plain = { 0 };
    struct buffer report;
    buffer_init(&report, 4096);
    unsigned passed = 0, failed = 0;
    assert_int_equal(bridge_check_file(&plain, path, &report, &passed, &failed, NULL), OK);
    assert_string_equal(report.data, "ok   dialect, sample 1, accepted\nok   dialect, sample 2, submit\n");
    assert_int_equal(passed, 2);
    buffer_fini(&report);
    test_catalog_fini(&catalog);
}

int test_bridge_check(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(samples_are_run),
        cmocka_unit_test(files_that_cannot_be_run_are_faults),
        cmocka_unit_test(an_adapter_may_lie_anywhere),
    };
    return cmocka_run_group_tests_name("bridge_check", tests, NULL, NULL);
}
