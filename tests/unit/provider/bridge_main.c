/* Unit tests of the bridge to Lua: loading, results, adapters, samples, and every shipped file. */
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/compiler.h"
#include "base/crypto.h"
#include "bridge_tests.h"
#include "provider/bridge.h"

static const char *const folders[] = { "/models", "/providers", "" };

void test_catalog_init(struct test_catalog *catalog) {
    *catalog = (struct test_catalog){ .directory = "/tmp/fennec-bridge-XXXXXX" };
    assert_non_null(mkdtemp(catalog->directory));
    catalog->config.catalog_directory = catalog->directory;
    for (size_t i = 0; i < 2; i++) {
        char path[128];
        snprintf(path, sizeof(path), "%s%s", catalog->directory, folders[i]);
        assert_int_equal(mkdir(path, 0700), 0);
    }
}

void test_catalog_put(struct test_catalog *catalog, const char *path, const char *source) {
    char full[256];
    snprintf(full, sizeof(full), "%s/%s", catalog->directory, path);
    FILE *file = fopen(full, "w");
    assert_non_null(file);
    assert_true(fputs(source, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

void test_catalog_fini(struct test_catalog *catalog) {
    char command[128];
    snprintf(command, sizeof(command), "rm -r %s", catalog->directory);
    assert_int_equal(system(command), 0);
}

struct bridge *test_catalog_open(struct test_catalog *catalog) {
    struct bridge *bridge = NULL;
    struct fault fault = { 0 };
    if (bridge_open(&catalog->config, &bridge, &fault) != OK) {
        fail_msg("%s", fault.message);
    }
    return bridge;
}

void test_catalog_refused(struct test_catalog *catalog, const char *words) {
    struct bridge *bridge = NULL;
    struct fault fault = { 0 };
    assert_int_equal(bridge_open(&catalog->config, &bridge, &fault), ERR_SCRIPT);
    assert_null(bridge);
    if (!strstr(fault.message, words)) {
        fail_msg("expected: %s\ngot: %s", words, fault.message);
    }
}

int main(void) {
    int (*const groups[])(void) = {
        test_json_diff, test_shipped, test_bridge, test_bridge_results, test_bridge_check, test_adapter, test_dialects,
        test_route,
    };
    if (crypto_init() != OK) {
        return 1;
    }
    int failed = 0;
    for (size_t i = 0; i < ARRAY_SIZE(groups); i++) {
        failed += groups[i]();
    }
    return failed > 0;
}
