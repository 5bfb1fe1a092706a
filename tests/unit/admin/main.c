/* Runs the admin module's tests. */
#include "tests_admin.h"

#include "base/crypto.h"

int main(void) {
    return crypto_init() != OK ? 1 : run_credit_tests() + run_key_tests() + run_record_tests();
}
