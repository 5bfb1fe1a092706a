/* Unit tests of src/http. */
#include "tests.h"

#include <signal.h>
#include <stdlib.h>

#include "base/crypto.h"

int main(void) {
    if (crypto_init() != OK)
        abort();
    signal(SIGPIPE, SIG_IGN);
    return run_header_tests() + run_body_tests() + run_multipart_tests() + run_range_tests() + run_router_tests() +
           run_target_tests() + run_kept_tests() + run_server_tests() + run_slow_tests() +
           run_stream_tests() + run_streamer_tests() + run_worker_tests();
}
