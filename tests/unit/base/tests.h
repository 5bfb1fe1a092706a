/* The groups of this program: one a module, each runs its tests and returns the number that failed. */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

int test_arena(void);
int test_buffer(void);
int test_clock(void);
int test_crypto(void);
int test_csv(void);
int test_errors(void);
int test_id(void);
int test_json_pick(void);
int test_json_read(void);
int test_json_write(void);
int test_log(void);
int test_lasting(void);
int test_memory(void);
int test_moments(void);
int test_shared(void);
int test_text(void);
