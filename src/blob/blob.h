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

struct buffer;
struct blob_store;
struct blob_writer;

struct blob {
    char hash[SHA256_HEX_SIZE];
    int64_t size;
    const char *media_type; /* sniffed from the bytes, a constant; never what somebody claimed */
    char *bytes;            /* of a small one, which lies where the row that claims it does; NULL: it is in the store */
};

/* The bytes of a small one, for its row; TEXT_NONE for one that is in the store. */
static inline struct text blob_bytes(const struct blob *blob) {
    return blob->bytes != NULL ? (struct text){ blob->bytes, (size_t)blob->size } : TEXT_NONE;
}

/* Opens `directory` (made when missing) and clears half-written files of an earlier life. */
enum err blob_open(const char *directory, struct blob_store **ret, struct fault *fault) must_check;
void blob_close(struct blob_store *store);
/* Where small files lie that are not in the directory: `find` appends the bytes to a buffer of BLOB_SMALL_MAX, or says
 * ERR_NOT_FOUND. It is asked on any thread for what the directory does not have, until blob_close. Before any other use. */
#define BLOB_SMALL_MAX ((size_t)65536)
void blob_set_small(struct blob_store *store,
    enum err (*find)(void *context, struct text hash, struct buffer *ret), void *context);

/* Streaming in. More than max_bytes is ERR_FILE_TOO_LARGE; nothing at all is ERR_FETCH at finish; the sticky error of a
 * writer makes later writes do nothing. finish and abort both free the writer. */
enum err blob_writer_new(struct blob_store *store, int64_t max_bytes, struct blob_writer **ret, struct fault *fault)
    must_check;
enum err blob_write(struct blob_writer *writer, const void *bytes, size_t count) must_check;
enum err blob_finish(struct blob_writer *writer, struct blob *ret, struct fault *fault) must_check;
void blob_abort(struct blob_writer *writer);
/* As blob_finish, but what is no larger than `small_max` is not put into the store: it is in ret->bytes, and the row that
 * claims it must bring these along. Nothing is written or synced then, and blob_is_small says beforehand that it is so. */
enum err blob_finish_small(struct blob_writer *writer, int64_t small_max, struct blob *ret, struct fault *fault)
    must_check;
bool blob_is_small(const struct blob_writer *writer, int64_t small_max);

/* A whole value, as blob_finish and as blob_finish_small. */
enum err blob_put_bytes(struct blob_store *store, struct text bytes, int64_t max_bytes, struct blob *ret,
    struct fault *fault) must_check;
enum err blob_put_small(struct blob_store *store, struct text bytes, int64_t max_bytes, int64_t small_max,
    struct blob *ret, struct fault *fault) must_check;
/* Pins a blob that is there already, for a row that is to claim it as well; of a small one that is a copy of its bytes.
 * ERR_NOT_FOUND when it is gone. */
enum err blob_pin(struct blob_store *store, struct text hash, struct blob *ret) must_check;
/* Frees the bytes of a small one. */
void blob_unpin(struct blob_store *store, struct blob *blob);

/* Opens for reading; the caller closes *ret_fd. ERR_NOT_FOUND when it is gone. A small one is a file in memory. */
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
