/* The blob store's inside, shared by its two halves: keeping (blob.c) and writing (writer.c). */
#pragma once

#include <pthread.h>
#include <sys/types.h>

#include "base/hash_table.h"
#include "blob/blob.h"

/* A blob that a writer brought and no committed row claims yet. */
struct blob_pin {
    char hash[SHA256_HEX_SIZE]; /* the table's key */
    unsigned count;
    unsigned landing; /* writers that may have put the file into its place, but have not synced it yet */
    bool shared;      /* somebody else came while it was there, and may rely on the file, even if gone by now */
    UT_hash_handle hh;
};

struct blob_store {
    int root_fd;
    int temporary_fd;
    pthread_mutex_t mutex; /* guards pins, and every unlink of a blob */
    struct blob_pin *pins;
    enum err (*find_small)(void *context, struct text hash, struct buffer *ret); /* NULL: there are none */
    void *small_context;
};

#define BLOB_TEMPORARY "tmp"
#define BLOB_PATH_SIZE (SHA256_HEX_SIZE + 1) /* "ab/cdef…" */

/* Where a blob lies below the root. `hash` is 64 lower-case hex digits. */
void blob_path(const char *hash, char ret[BLOB_PATH_SIZE]);
/* Pins the blob before it is looked for or placed, so that no sweep comes between. *ret_alone: no other writer is
 * bringing the same blob at this moment, so a file that is there whole is durable. */
void blob_pin_landing(struct blob_store *store, const char *hash, bool *ret_alone);
/* The landing is over: keeps the pin when it went well; else drops it, and the file too if `placed` and nobody else
 * has relied on it since; else it is left to the sweep, which asks who claims it. */
void blob_landed(struct blob_store *store, const char *hash, bool success, bool placed);

/* The error of a failed system call: full, read-only, or other. */
enum err blob_system_error(int error_number) must_check;
/* The same with a sentence in *fault: "Cannot WHAT: No space left on device." */
enum err blob_system_fault(struct fault *fault, int error_number, const char *what);

/* For scoped(): closes the descriptor in the variable, if it is one. */
void blob_close_fd(int *fd);
