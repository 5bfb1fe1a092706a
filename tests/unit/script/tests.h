/* The groups of this program: one a subject, each runs its tests and returns the number that failed. */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

int test_embedded(void);
int test_lazy(void);
int test_sandbox(void);
int test_value(void);
