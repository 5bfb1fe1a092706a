/* Unit tests of src/base. */
#include "base/compiler.h"
#include "base/crypto.h"
#include "tests.h"

int main(void) {
    int (*const groups[])(void) = {
        test_memory,    test_text,       test_buffer, test_arena,  test_errors, test_clock,
        test_json_read, test_json_write, test_log,    test_crypto, test_csv,    test_id,
        test_lasting,   test_moments, test_shared, test_json_pick,
    };
    if (crypto_init() != OK) {
        return 1;
    }
    int failed = 0;
    for (size_t i = 0; i < ARRAY_SIZE(groups); i++) {
        failed += groups[i]();
    }
    return failed > 0;
}
