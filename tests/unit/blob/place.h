/* A blob store in a directory of its own. */
#pragma once

#include "blob/blob.h"

struct place {
    char directory[64];
    struct blob_store *store;
};

/* A fresh directory; removed with all that is in it. */
void place_open(struct place *place);
void place_close(struct place *place);
/* Number of blobs in the store. */
int stored_count(struct blob_store *store);
