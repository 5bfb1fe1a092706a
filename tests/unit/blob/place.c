/* Opening and removing stores for tests. */
#include "place.h"

#include <ftw.h>
#include <stdio.h>
#include <string.h>

#include "tests.h"

void place_open(struct place *place) {
    snprintf(place->directory, sizeof place->directory, "/tmp/test-blob-XXXXXX");
    assert_non_null(mkdtemp(place->directory));
    assert_int_equal(blob_open(place->directory, &place->store, NULL), OK);
}

static int remove_entry(const char *path, const struct stat *status, int kind, struct FTW *walk) {
    (void)status, (void)kind, (void)walk;
    return remove(path);
}

void place_close(struct place *place) {
    blob_close(place->store);
    nftw(place->directory, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
}

static bool count_one(const char *hash, void *context) {
    assert_int_equal(strlen(hash), 64);
    ++*(int *)context;
    return true;
}

int stored_count(struct blob_store *store) {
    int count = 0;
    assert_int_equal(blob_each(store, count_one, &count), OK);
    return count;
}
