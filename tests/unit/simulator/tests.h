/* The groups of tests in this program; each returns the number of failed tests. */
#pragma once

int test_sample(void);
int test_simulator(void);
int test_simulator_magic(void);
