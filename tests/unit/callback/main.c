/* The tests of callbacks. */
#include "base/crypto.h"
#include "tests_callback.h"

int main(void) {
    if (crypto_init() != 0)
        return 1;
    return run_ladder_tests() + run_lane_tests() + run_signature_tests() + run_sender_tests();
}
