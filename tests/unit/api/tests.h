/* The groups of this program, and the store that they look into. */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "store/store.h"

int run_auth_cache_tests(void);
int run_authenticate_tests(void);
int run_rate_limits_tests(void);

/* A store with one key. */
struct store {
    uint64_t generation;
    struct key_row key, admin_key;
    struct account_row account;
    enum err failure; /* OK: the store works */
    int look_ups;
};
