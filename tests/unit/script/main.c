/* Unit tests of src/script. */
#include "base/compiler.h"
#include "tests.h"

int main(void) {
    int (*const groups[])(void) = { test_embedded, test_lazy, test_sandbox, test_value };
    int failed = 0;
    for (size_t i = 0; i < ARRAY_SIZE(groups); i++) {
        failed += groups[i]();
    }
    return failed > 0;
}
