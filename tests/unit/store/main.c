/* Runs the store module's tests. */
#include "tests.h"

#include "base/crypto.h"

int main(void) {
    if (crypto_init() != OK) {
        return 1;
    }
    return run_account_tests() + run_ledger_tests();
}
