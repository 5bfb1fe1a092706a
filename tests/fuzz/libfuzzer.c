/* The main that makes inputs up: libFuzzer's. With FUZZ_SEEDS=DIRECTORY it only writes the inputs to begin with there. */
#include <stdio.h>
#include <stdlib.h>

#include "base/crypto.h"
#include "fuzz.h"

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *directory;

void fuzz_seed(const char *name, struct text input) {
    char path[4096];
    snprintf(path, sizeof(path), "%s/%s", directory, name);
    FILE *file = fopen(path, "wb");
    fuzz_hold(file != NULL && fwrite(input.ptr, 1, input.len, file) == input.len && fclose(file) == 0, "%s", path);
}

int LLVMFuzzerInitialize(int *argc, char ***argv) {
    (void)argc, (void)argv;
    fuzz_hold(crypto_init() == OK);
    fuzz_begin();
    directory = getenv("FUZZ_SEEDS");
    if (directory != NULL) {
        fuzz_seeds();
        exit(0);
    }
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    fuzz_one((struct text){ (const char *)data, size });
    return 0;
}
