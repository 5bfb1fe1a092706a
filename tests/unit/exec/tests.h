/* The groups of tests in this program; each returns the number of failed tests. */
#pragma once

int test_exec(void);
int test_exec_command(void);
int test_exec_reader(void);
int test_local(void);
