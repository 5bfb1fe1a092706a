/* The groups of this program: one a module, each runs its tests and returns the number that failed. */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

int test_answer(void);
int test_breaker(void);
int test_budget(void);
int test_api_key(void);
int test_money(void);
int test_rate(void);
int test_retry(void);
int test_task(void);
