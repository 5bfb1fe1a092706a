/* The groups of this program. */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/text.h"

int run_body_tests(void);
int run_header_tests(void);
int run_kept_tests(void);
int run_multipart_tests(void);
int run_range_tests(void);
int run_router_tests(void);
int run_server_tests(void);
int run_slow_tests(void);
int run_stream_tests(void);
int run_streamer_tests(void);
int run_target_tests(void);
int run_worker_tests(void);

/* Fails with both texts shown. */
#define assert_text(actual, expected)                                                                                  \
    do {                                                                                                               \
        struct text assert_text_ = (actual);                                                                           \
        char shown_[512];                                                                                              \
        snprintf(shown_, sizeof shown_, "%.*s", TEXT_ARG(assert_text_));                                               \
        assert_string_equal(shown_, expected);                                                                         \
    } while (0)
