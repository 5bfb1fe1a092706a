/* Unit tests of src/core. */
#include "base/compiler.h"
#include "base/crypto.h"
#include "tests.h"

int main(void) {
    int (*const groups[])(void) = { test_answer, test_api_key, test_breaker, test_budget, test_money, test_rate, test_retry, test_task };
    if (crypto_init() != OK) {
        return 1;
    }
    int failed = 0;
    for (size_t i = 0; i < ARRAY_SIZE(groups); i++) {
        failed += groups[i]();
    }
    return failed > 0;
}
