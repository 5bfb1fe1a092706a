/* Unit tests of the driver for services: against a real HTTP server on the loopback, with time that runs fast. */
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/compiler.h"
#include "base/crypto.h"
#include "base/log.h"
#include "trial.h"

#define SPEED 20

int main(void) {
    int (*const groups[])(void) = {
        test_plan,   test_read_json, test_submit, test_requests, test_poll,
        test_cancel, test_resume,    test_hook,   test_batch,   test_reply_file,
    };
    if (crypto_init() != OK) {
        return 1;
    }
    signal(SIGPIPE, SIG_IGN);
    log_setup(LOG_ERROR, LOG_TEXT);
    clock_set_speed(SPEED, 0);
    int failed = 0;
    for (size_t i = 0; i < ARRAY_SIZE(groups); i++) {
        failed += groups[i]();
    }
    if (failed > 0) {
        fflush(NULL);
        _exit(1); /* what a failed test has left open is no leak, and would hide what it said */
    }
    return 0;
}
