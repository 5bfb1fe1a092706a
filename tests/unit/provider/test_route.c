/* Whether a route can be taken here, and the words when it cannot. */
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "bridge_tests.h"
#include "catalog/catalog.h"
#include "provider/bridge.h"
#include "provider/driver.h"

#define ADAPTER_WITH(more)                                                                                             \
    "return { url = 'https://api.example.com', auth = function(key) return { k = key } end, " more "\n"                 \
    "  submit = function(task) return { post = '/x' } end, accepted = function(reply) return { id = '1' } end }\n"
#define ADAPTER ADAPTER_WITH("")

static const char *const missing[] = { "fennec-no-such-program" };
static const char *const present[] = { "sh", "/bin/sh" };
static const char *const relative[] = { "bin/sh" };
static const char *const fake_keys[] = { "fake-key" };

static const struct {
    const struct route route;
    bool with_key;
    bool available;
    const char *words;
} rows[] = {
    { { .provider = "exec", .target = "local-test" }, false, true, "" },
    { { .provider = "exec", .target = "local-test", .programs = present, .program_count = 2 }, false, true, "" },
    { { .provider = "exec", .target = "local-test", .programs = missing, .program_count = 1, .package = "espeak-ng" },
      false,
      false,
      "its program fennec-no-such-program is missing: install espeak-ng (apt-get install espeak-ng)" },
    { { .provider = "exec", .target = "local-test", .programs = missing, .program_count = 1 },
      false,
      false,
      "its program fennec-no-such-program is not on the PATH" },
    { { .provider = "exec", .target = "local-test", .programs = relative, .program_count = 1 },
      false,
      false,
      "not on the PATH" },
    { { .provider = "exec", .target = "local-none" }, false, false, "its command local-none is not installed" },
    { { .provider = "exec", .target = "plain" }, false, false, "its command plain is not installed" },
    { { .provider = "exec", .target = "../local-test" }, false, false, "is not installed" },
    { { .provider = "fal", .target = "x" },
      false,
      false,
      "provider fal is not configured: set providers.fal.key, for example from the environment variable FAL_KEY" },
    { { .provider = "sync-so", .target = "x" }, false, false, "provider sync-so has no adapter" },
    { { .provider = "two-words", .target = "x" }, false, false, "environment variable TWO_WORDS_KEY" },
    { { .provider = "fal", .target = "x" }, true, true, "" },
};

/* Services of language models on this machine: only as the operator wrote their addresses (S1). */
static void private_services_are_the_operators_word(void **state) {
    (void)state;
    static const struct {
        struct provider_config provider; /* without a name: not configured */
        const char *route;
        bool available;
        const char *words;
    } cases[] = {
        { { 0 }, "ollama", false,
          "provider ollama is not configured: set providers.ollama = { url = \"http://127.0.0.1:11434\", allow_private = true }" },
        { { .name = "ollama" }, "ollama", false, "provider ollama is at a private address: set providers.ollama = {" },
        { { .name = "ollama", .allow_private = true }, "ollama", false, "is at a private address" },
        { { .name = "ollama", .url = "http://10.0.0.7:11434" }, "ollama", false, "url = \"http://10.0.0.7:11434\"" },
        { { .name = "ollama", .url = "http://127.0.0.1:11434", .allow_private = true }, "ollama", true, "" },
        { { .name = "ollama", .url = "https://llm.example.com" }, "ollama", true, "" },
        { { .name = "vllm", .url = "http://127.0.0.1:8000/v1", .allow_private = true }, "vllm", false,
          "set providers.vllm.key, for example from the environment variable VLLM_KEY" },
        { { .name = "openai", .keys = fake_keys, .key_count = 1 }, "openai", true, "" },
        { { .name = "openai" }, "openai", false, "set providers.openai.key" },
        { { .name = "ark-llm" }, "ark-llm", false, "set providers[\"ark-llm\"].key, for example from the environment variable ARK_LLM_KEY" },
    };
    struct bridge *bridge = NULL;
    const struct config empty = { 0 };
    assert_int_equal(bridge_open(&empty, &bridge, NULL), OK);
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        const struct config config = { .providers = &cases[i].provider, .provider_count = cases[i].provider.name != NULL };
        const struct route route = { .provider = cases[i].route, .target = "x" };
        struct fault why = { 0 };
        bool available = route_available(&route, &config, bridge, &why);
        if (available != cases[i].available || !strstr(why.message, cases[i].words)) {
            fail_msg("case %zu: %d: %s", i, available, why.message);
        }
    }
    bridge_close(bridge);
}

static void needs_are_named(void **state) {
    (void)state;
    struct test_catalog files;
    test_catalog_init(&files);
    test_catalog_put(&files, "local-test", "#!/bin/sh\n");
    test_catalog_put(&files, "plain", "not executable\n");
    test_catalog_put(&files, "providers/two-words.lua", ADAPTER);
    struct bridge *bridge = test_catalog_open(&files);
    char path[128];
    snprintf(path, sizeof(path), "%s/local-test", files.directory);
    assert_int_equal(chmod(path, 0700), 0);
    const struct provider_config provider = { .name = "fal", .keys = fake_keys, .key_count = 1 };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        const struct config config = { .libexec = files.directory,
                                       .providers = &provider,
                                       .provider_count = rows[i].with_key };
        struct fault why = { 0 };
        assert_int_equal(route_available(&rows[i].route, &config, bridge, &why), rows[i].available);
        if (!strstr(why.message, rows[i].words)) {
            fail_msg("expected %s\ngot %s", rows[i].words, why.message);
        }
        assert_int_equal(why.err, rows[i].available ? OK : ERR_NO_COMPATIBLE_CHANNEL);
        assert_null(strstr(why.message, fake_keys[0]));
    }
    bridge_close(bridge);
    test_catalog_fini(&files);
}

static void files_need_a_way_to_the_service(void **state) {
    (void)state;
    static const struct {
        const char *provider, *inputs;
        bool with_url, without_url;
    } ways[] = { { "exec", NULL, true, true },       { "links", NULL, true, false }, { "said", NULL, true, false },
                 { "inside", NULL, true, true },     { "hand", NULL, true, true },   { "links", "inline", true, true },
                 { "links", "either", true, true },
                 { "inside", "links", true, false } };
    struct test_catalog files;
    test_catalog_init(&files);
    test_catalog_put(&files, "providers/links.lua", ADAPTER);
    test_catalog_put(&files, "providers/said.lua", ADAPTER_WITH("inputs = 'links',"));
    test_catalog_put(&files, "providers/inside.lua", ADAPTER_WITH("inputs = 'inline',"));
    test_catalog_put(&files, "providers/hand.lua", ADAPTER_WITH("inputs = 'files',"));
    struct bridge *bridge = test_catalog_open(&files);
    const struct config without = { 0 }, with = { .public_url = "https://media.example.com" };
    for (size_t i = 0; i < ARRAY_SIZE(ways); i++) {
        const struct route route = { .provider = ways[i].provider, .target = "x", .inputs = ways[i].inputs };
        assert_int_equal(route_takes_files(&route, &with, bridge), ways[i].with_url);
        assert_int_equal(route_takes_files(&route, &without, bridge), ways[i].without_url);
    }
    bridge_close(bridge);
    test_catalog_fini(&files);
}

int test_route(void) {
    const struct CMUnitTest tests[] = { cmocka_unit_test(needs_are_named),
        cmocka_unit_test(private_services_are_the_operators_word),
                                        cmocka_unit_test(files_need_a_way_to_the_service) };
    return cmocka_run_group_tests_name("route", tests, NULL, NULL);
}
