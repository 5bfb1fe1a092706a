/* Small files that lie where the rows that claim them do, not in the directory. */
#pragma once

#include "blob/blob.h"

/* A copy of its bytes, with their size and media type; ret->hash is the caller's to fill in. ERR_NOT_FOUND when there is
 * none. Any thread. */
enum err small_copy(struct blob_store *store, struct text hash, struct blob *ret) must_check;
/* Its bytes as a file in memory, for whoever reads files; the caller closes it. ERR_NOT_FOUND when there is none. Any
 * thread. */
enum err small_open(struct blob_store *store, struct text hash, int *ret_fd, int64_t *ret_size) must_check;
