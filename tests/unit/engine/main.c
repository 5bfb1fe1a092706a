/* Unit tests of src/engine: the pure parts alone, the rest with a real store, real blobs and drivers made for tests. */
#include <stdlib.h>

#include "base/compiler.h"
#include "base/crypto.h"
#include "base/log.h"
#include "tests.h"

int main(int count, char **arguments) {
    int (*const groups[])(void) = { test_queue, test_queue_limits, test_live, test_board, test_results, test_holds, test_idempotency, test_calls, test_call_ends,
                                    test_streams,
                                    test_life, test_stopping, test_limits, test_inputs, test_input_links,
                                    test_artifacts, test_artifact_fetch, test_recover, test_unread, test_sweep, test_estimate,
                                    test_work_directory, test_routing, test_hook_token, test_hook, test_hook_keys,
                                    test_refresh, test_wait, test_nap };
    if (crypto_init() != OK)
        return 1;
    log_setup(getenv("TEST_LOG") != NULL ? LOG_DEBUG : LOG_ERROR, LOG_TEXT);
    if (count == 4 && strcmp(arguments[1], "crash") == 0)
        return crash_child(arguments[2], arguments[3]);

    if (getenv("TEST_FILTER") != NULL)
        cmocka_set_test_filter(getenv("TEST_FILTER"));
    int failed = 0;
    for (size_t i = 0; i < ARRAY_SIZE(groups); i++)
        failed += groups[i]();
    return failed > 0;
}
