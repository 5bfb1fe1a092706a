/* Unit tests of test mode. */
#include "tests.h"

int main(void) {
    int failed = test_simulator_magic() + test_simulator() + test_sample();
    return failed > 0;
}
