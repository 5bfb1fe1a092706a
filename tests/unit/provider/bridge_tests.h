/* The groups of the bridge's test program, and what they share: catalogue directories of a few files. */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/errors.h"
#include "config/config.h"

struct bridge;

int test_adapter(void);
int test_bridge(void);
int test_bridge_check(void);
int test_bridge_results(void);
int test_dialects(void);
int test_json_diff(void);
int test_route(void);
int test_shipped(void);

/* A catalogue directory under /tmp, and a configuration that names it. */
struct test_catalog {
    char directory[64];
    struct config config;
};
void test_catalog_init(struct test_catalog *catalog);
/* Writes a file, "models/x.lua". */
void test_catalog_put(struct test_catalog *catalog, const char *path, const char *source);
/* Removes everything. */
void test_catalog_fini(struct test_catalog *catalog);
/* bridge_open that must succeed, or the test fails with the words. */
struct bridge *test_catalog_open(struct test_catalog *catalog);
/* bridge_open that must fail with a message holding `words`. */
void test_catalog_refused(struct test_catalog *catalog, const char *words);
