/* Runs the blob module's tests. */
#include "tests.h"

#include "base/crypto.h"

int main(void) {
    if (crypto_init() != OK) {
        return 1;
    }
    return run_media_type_tests() + run_media_info_tests() + run_link_tests() + run_file_name_tests() + run_blob_tests() +
           run_small_tests();
}
