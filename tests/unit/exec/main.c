/* Unit tests of the driver for commands; as `test_exec exec-guard …` it is the guard, as the real binary is. */
#include "base/compiler.h"
#include "provider/exec/guard.h"
#include "tests.h"

int main(int argc, char **argv) {
    if (argc > 1 && strcmp(argv[1], EXEC_GUARD_NAME) == 0) {
        return exec_guard_main(argc - 1, argv + 1);
    }
    int failed = test_exec_reader() + test_exec() + test_exec_command() + test_local();
    return failed > 0;
}
