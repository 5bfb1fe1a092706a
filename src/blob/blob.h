/* Artifacts' bytes, named by their SHA-256: a directory now, any S3-compatible service later.
 *
 * A blob is durable (in place and synced) before blob_finish returns (B1). A fresh blob is pinned: the sweeper
 * cannot remove it until blob_unpin, which the writer calls once the row that claims it is committed, or given up.
 * Any thread; one writer at a time per blob_writer. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/crypto.h"
#include "base/errors.h"
#include "base/text.h"

struct blob_store;
struct blob_writer;

struct blob {
    char hash[SHA256_HEX_SIZE];
    int64_t size;
    const char *media_type; /* sniffed from the bytes, a constant; never what somebody claimed */
};

/* Opens `directory` (made when missing) and clears half-written files of an earlier life. */
enum err blob_open(const char *directory, struct blob_store **ret, struct fault *fault) must_check;
void blob_close(struct blob_store *store);

/* Streaming in. More than max_bytes is ERR_FILE_TOO_LARGE; nothing at all is ERR_FETCH at finish; the sticky error of a
 * writer makes later writes do nothing. finish and abort both free the writer. */
enum err blob_writer_new(struct blob_store *store, int64_t max_bytes, struct blob_writer **ret, struct fault *fault)
    must_check;
enum err blob_write(struct blob_writer *writer, const void *bytes, size_t count) must_check;
enum err blob_finish(struct blob_writer *writer, struct blob *ret, struct fault *fault) must_check;
void blob_abort(struct blob_writer *writer);

/* A whole value on the same terms. */
enum err blob_put_bytes(struct blob_store *store, struct text bytes, int64_t max_bytes, struct blob *ret,
    struct fault *fault) must_check;
/* Pins a blob that is there already, for a row that is to claim it as well; ERR_NOT_FOUND when it is gone. */
enum err blob_pin(struct blob_store *store, struct text hash, struct blob *ret) must_check;
void blob_unpin(struct blob_store *store, const struct blob *blob);

/* Opens for reading; the caller closes *ret_fd. ERR_NOT_FOUND when it is gone. */
enum err blob_open_fd(struct blob_store *store, struct text hash, int *ret_fd, int64_t *ret_size) must_check;
/* Removes the blob unless it is pinned (ERR_BUSY). Gone already is OK. */
enum err blob_remove(struct blob_store *store, struct text hash) must_check;
/* The same, but asks `claimed` first, under the lock that keeps new pins out: a row committed before then is seen, a
 * writer that finishes later brings the blob anew. ERR_BUSY when pinned or claimed; an error of `claimed` is passed on.
 * This is the sweeper's call: asking first and removing later would lose a blob that was claimed in between. */
enum err blob_remove_unless(struct blob_store *store, struct text hash,
    enum err (*claimed)(struct text hash, bool *ret, void *context), void *context) must_check;
/* Every stored blob's hash, in no order, until `each` returns false: for the sweep of orphans. */
enum err blob_each(struct blob_store *store, bool (*each)(const char *hash, void *context), void *context) must_check;
