/* The groups of this program: each runs its tests and returns the number that failed. */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

int test_queue(void);
int test_queue_limits(void);
int test_board(void);
int test_results(void);
int test_routing(void);
int test_life(void);
int test_stopping(void);
int test_limits(void);
int test_inputs(void);
int test_input_links(void);
int test_artifacts(void);
int test_artifact_fetch(void);
int test_recover(void);
int test_unread(void);
int test_sweep(void);
int test_estimate(void);
int test_work_directory(void);
int test_hook(void);
int test_hook_keys(void);
int test_hook_token(void);
int test_live(void);
int test_refresh(void);
int test_nap(void);
int test_wait(void);
int test_holds(void);
int test_idempotency(void);
int test_calls(void);
int test_call_ends(void);
int test_streams(void);

/* So many of the next moves find the disk full (test_life.c). */
void fail_posts(int count);
int posts_still_to_fail(void);

/* What a second life of this program does when it is to be killed in the middle: test_recover.c. */
int crash_child(const char *directory, const char *model);
