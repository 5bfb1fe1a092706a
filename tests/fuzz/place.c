/* The process's own directory. */
#include "place.h"

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "fuzz.h"

static char directory[64];

static int remove_one(const char *path, const struct stat *status, int type, struct FTW *at) {
    (void)status, (void)type, (void)at;
    return remove(path);
}

void place_remove(const char *path) {
    fuzz_hold(nftw(path, remove_one, 32, FTW_DEPTH | FTW_PHYS) == 0, "%s", path);
}

static void remove_place(void) {
    place_remove(directory);
}

const char *place(void) {
    if (directory[0] == '\0') {
        snprintf(directory, sizeof(directory), "%s/fennec-fuzz-XXXXXX", access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
        fuzz_hold(mkdtemp(directory) != NULL, "%s", directory);
        atexit(remove_place);
    }
    return directory;
}
