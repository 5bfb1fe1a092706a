/* Unit tests of the drivers for language models: against a real HTTP server on the loopback. */
#include <signal.h>

#include "base/compiler.h"
#include "base/crypto.h"
#include "base/log.h"
#include "trial.h"

int main(void) {
    int (*const groups[])(void) = {
        test_whole, test_streamed, test_failures, test_stopping, test_media, test_simulator,
    };
    if (crypto_init() != OK) {
        return 1;
    }
    signal(SIGPIPE, SIG_IGN);
    log_setup(LOG_ERROR, LOG_TEXT);
    int failed = 0;
    for (size_t i = 0; i < ARRAY_SIZE(groups); i++) {
        failed += groups[i]();
    }
    return failed > 0;
}
