/* The groups of this program: one a subject, each runs its tests and returns the number that failed. */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

int test_language(void);
int test_llm(void);
int test_media(void);
int test_price(void);
int test_schema(void);
int test_shipped(void);
int test_validate(void);

struct catalog;
struct script;
struct json_t;

/* A script with a finished catalogue of the source given; the test fails when it does not load. */
struct loaded {
    struct script *script;
    struct catalog *catalog;
};
struct loaded load_catalog(const char *source);
void unload_catalog(struct loaded *loaded);
struct json_t *parse(const char *json);
