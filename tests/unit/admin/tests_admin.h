/* The groups of this program: each runs its tests and returns the number that failed. */
#pragma once

int run_credit_tests(void);
int run_key_tests(void);
int run_record_tests(void);
