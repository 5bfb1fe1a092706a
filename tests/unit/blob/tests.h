/* The groups of the blob program; each returns the number of its failed tests. */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

int run_blob_tests(void);
int run_file_name_tests(void);
int run_link_tests(void);
int run_media_info_tests(void);
int run_media_type_tests(void);
int run_small_tests(void);
