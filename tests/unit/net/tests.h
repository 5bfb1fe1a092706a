/* The groups of the net program; each returns the number of its failed tests. */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

int run_data_uri_tests(void);
int run_fetch_tests(void);
int run_fetch_guard_tests(void);
int run_guard_tests(void);
int run_webhook_tests(void);
int run_alarms_tests(void);
int run_pace_tests(void);
int run_courier_tests(void);
int run_inbox_tests(void);
