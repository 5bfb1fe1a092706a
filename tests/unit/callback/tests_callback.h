/* The groups of the tests of callbacks; each returns the number of failures. */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

int run_ladder_tests(void);
int run_lane_tests(void);
int run_sender_tests(void);
int run_signature_tests(void);
