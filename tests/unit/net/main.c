/* Runs the net module's tests. */
#include "tests.h"

#include <signal.h>

#include "base/crypto.h"

int main(void) {
    signal(SIGPIPE, SIG_IGN);
    if (crypto_init() != OK) {
        return 1;
    }
    return run_guard_tests() + run_data_uri_tests() + run_webhook_tests() + run_fetch_guard_tests() +
           run_fetch_tests() + run_alarms_tests() + run_pace_tests() + run_courier_tests() +
           run_inbox_tests();
}
