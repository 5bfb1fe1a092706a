/* Unit tests of src/api: what can be tested without a server. The rest is tests/api. */
#include <stdlib.h>

#include "base/crypto.h"
#include "tests.h"

int main(void) {
    if (crypto_init() != OK)
        abort();
    return run_auth_cache_tests() + run_authenticate_tests() + run_rate_limits_tests();
}
