/* Brings bytes into the blob store, hashing while they stream.
 *
 * The first bytes stay in memory: a small artifact that is stored already costs no write and no sync, and a new one is
 * written under its final name at once. One that outgrows memory becomes a file in DIR/tmp that is renamed when it is
 * whole. Then the file is synced, and its directory (B1). All of that is one transaction of the file system's journal: a
 * file that is synced first and renamed then takes two, and where many are renamed out of one directory they wait for its
 * lock. What a crash leaves under a final name may therefore be a stump: nobody reads what no row claims, and a writer
 * looks at the bytes before it takes a file for its own. */
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/id.h"
#include "base/memory.h"
#include "blob/directory.h"
#include "blob/media_type.h"

#define MEMORY_SIZE BLOB_SMALL_MAX /* a small one is never a file */
#define MEMORY_FIRST ((size_t)4096)
#define COMPARE_SIZE ((size_t)4096)
#define NAME_LENGTH 24

struct blob_writer {
    struct blob_store *store;
    int64_t max_bytes;
    int64_t size;
    struct sha256_stream hash;
    enum err err; /* sticky, its words in fault */
    struct fault fault;
    int fd;                     /* of the file in DIR/tmp; -1: everything is in memory still */
    char name[NAME_LENGTH + 1]; /* of that file; empty once renamed or unlinked */
    char start[MEDIA_SNIFF_SIZE];
    size_t start_len;
    size_t memory_len, memory_room;
    char *memory; /* grows to MEMORY_SIZE: most answers are small, and many writers wait for theirs */
};

enum err blob_writer_new(struct blob_store *store, int64_t max_bytes, struct blob_writer **ret, struct fault *fault) {
    (void)fault;
    struct blob_writer *writer = mem_new(sizeof *writer);
    writer->store = store;
    writer->max_bytes = max_bytes;
    writer->fd = -1;
    sha256_begin(&writer->hash);
    *ret = writer;
    return OK;
}

void blob_abort(struct blob_writer *writer) {
    if (writer == NULL) {
        return;
    }
    if (writer->name[0] != '\0') {
        unlinkat(writer->store->temporary_fd, writer->name, 0);
    }
    blob_close_fd(&writer->fd);
    free(writer->memory);
    free(writer);
}

static enum err fail(struct blob_writer *writer, int error_number, const char *what) {
    return writer->err = blob_system_fault(&writer->fault, error_number, what);
}

static enum err write_file(struct blob_writer *writer, const char *bytes, size_t count) {
    while (count > 0) {
        ssize_t written = write(writer->fd, bytes, count);
        if (written < 0 && errno == EINTR) {
            continue;
        }
        if (written < 0) {
            return fail(writer, errno, "write a blob");
        }
        bytes += written;
        count -= (size_t)written;
    }
    return OK;
}

/* Moves what is in memory to the file, which it makes if there is none. */
static enum err spill(struct blob_writer *writer) {
    if (writer->fd < 0) {
        id_random(writer->name, NAME_LENGTH);
        writer->fd = openat(writer->store->temporary_fd, writer->name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
        if (writer->fd < 0) {
            writer->name[0] = '\0';
            return fail(writer, errno, "create a blob");
        }
    }
    enum err err = write_file(writer, writer->memory, writer->memory_len);
    writer->memory_len = 0;
    return err;
}

static void make_room(struct blob_writer *writer, size_t count) {
    size_t room = writer->memory_room > 0 ? writer->memory_room : MEMORY_FIRST;
    while (room - writer->memory_len < count) {
        room *= 2;
    }
    if (room > writer->memory_room) {
        writer->memory = mem_grow(writer->memory, room);
        writer->memory_room = room;
    }
}

static enum err keep(struct blob_writer *writer, const char *bytes, size_t count) {
    if (count > MEMORY_SIZE - writer->memory_len) {
        enum err err = spill(writer);
        if (err != OK) {
            return err;
        }
        if (count > MEMORY_SIZE) {
            return write_file(writer, bytes, count);
        }
    }
    make_room(writer, count);
    memcpy(writer->memory + writer->memory_len, bytes, count);
    writer->memory_len += count;
    return OK;
}

enum err blob_write(struct blob_writer *writer, const void *bytes, size_t count) {
    if (writer->err != OK || count == 0) {
        return writer->err;
    }
    if (count > (uint64_t)INT64_MAX || writer->max_bytes - writer->size < (int64_t)count) {
        return writer->err = fault_set(&writer->fault, ERR_FILE_TOO_LARGE, "The file is larger than %lld bytes.",
                   (long long)writer->max_bytes);
    }
    sha256_add(&writer->hash, bytes, count);
    if (writer->start_len < MEDIA_SNIFF_SIZE) {
        size_t room = MEDIA_SNIFF_SIZE - writer->start_len, part = count < room ? count : room;
        memcpy(writer->start + writer->start_len, bytes, part);
        writer->start_len += part;
    }
    writer->size += (int64_t)count;
    return keep(writer, bytes, count);
}

/* Whether the file holds what the writer does. Its name says so, but a life that ended early, or a broken disk, may have
 * left a stump there. */
static bool holds_the_same(const struct blob_writer *writer, int fd) {
    char theirs[COMPARE_SIZE], ours[COMPARE_SIZE];
    for (int64_t at = 0; at < writer->size;) {
        size_t count = writer->size - at < (int64_t)COMPARE_SIZE ? (size_t)(writer->size - at) : COMPARE_SIZE;
        const char *bytes = writer->fd < 0 ? writer->memory + at : ours;
        if (writer->fd >= 0 && pread(writer->fd, ours, count, at) != (ssize_t)count) {
            return false;
        }
        if (pread(fd, theirs, count, at) != (ssize_t)count || memcmp(theirs, bytes, count) != 0) {
            return false;
        }
        at += (int64_t)count;
    }
    return true;
}

/* Opens the blob if it is there whole, and marks it as used now; -1 when it is not. */
static int open_stored(const struct blob_writer *writer, const char *path) {
    struct stat status;
    int fd = openat(writer->store->root_fd, path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    if (fd >= 0 && (fstat(fd, &status) != 0 || !S_ISREG(status.st_mode) || status.st_size != writer->size ||
                    !holds_the_same(writer, fd) || futimens(fd, NULL) != 0)) {
        close(fd);
        return -1;
    }
    return fd;
}

static enum err sync_directory_of(struct blob_writer *writer, const char *path) {
    char prefix[3] = { path[0], path[1], '\0' };
    int fd scoped(blob_close_fd) = openat(writer->store->root_fd, prefix, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0 || fsync(fd) != 0) {
        return fail(writer, errno, "sync a blob's directory");
    }
    return OK;
}

static enum err sync_blob(struct blob_writer *writer, int fd, const char *path) {
    return fsync(fd) != 0 ? fail(writer, errno, "sync a blob") : sync_directory_of(writer, path);
}

/* Writes what is in memory under the final name, if nothing has that; false when something has it. */
static bool create_in_place(struct blob_writer *writer, const char *path, bool *ret_placed, enum err *ret) {
    int fd = openat(writer->store->root_fd, path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0 && errno == EEXIST) {
        return false;
    }
    if (fd < 0) {
        *ret = fail(writer, errno, "create a blob");
        return true;
    }
    writer->fd = fd;
    *ret_placed = true;
    *ret = spill(writer);
    return true;
}

static enum err move_in_place(struct blob_writer *writer, const char *path, bool *ret_placed) {
    enum err err = spill(writer);
    if (err != OK) {
        return err;
    }
    if (renameat(writer->store->temporary_fd, writer->name, writer->store->root_fd, path) != 0) {
        return fail(writer, errno, "put a blob into its place");
    }
    writer->name[0] = '\0';
    *ret_placed = true;
    return OK;
}

/* Puts the bytes under their final name, durably, unless they are there. The blob is pinned; `alone`: nobody else is about
 * to do the same. */
static enum err place(struct blob_writer *writer, const char *path, bool alone, bool *ret_placed) {
    enum err err = OK;
    if (alone && writer->fd < 0 && create_in_place(writer, path, ret_placed, &err)) {
        return err != OK ? err : sync_blob(writer, writer->fd, path);
    }
    if (writer->fd >= 0 && (err = spill(writer)) != OK) {
        return err;
    }
    int stored_fd scoped(blob_close_fd) = open_stored(writer, path);
    if (stored_fd >= 0) {
        return alone ? OK : sync_blob(writer, stored_fd, path);
    }
    err = move_in_place(writer, path, ret_placed);
    return err != OK ? err : sync_blob(writer, writer->fd, path);
}

bool blob_is_small(const struct blob_writer *writer, int64_t small_max) {
    return writer->fd < 0 && writer->size <= small_max;
}

/* Gives the bytes away, or brings them into the store. */
static enum err deliver(struct blob_writer *writer, bool small, struct blob *blob) {
    char path[BLOB_PATH_SIZE];
    bool alone, placed = false;
    if (small) {
        blob->bytes = writer->memory;
        writer->memory = NULL;
        return OK;
    }
    blob_path(blob->hash, path);
    blob_pin_landing(writer->store, blob->hash, &alone);
    enum err err = place(writer, path, alone, &placed);
    blob_landed(writer->store, blob->hash, err == OK, placed);
    return err;
}

static enum err finish(struct blob_writer *writer, int64_t small_max, struct blob *ret) {
    uint8_t digest[SHA256_SIZE];
    struct blob blob = { .size = writer->size };

    if (writer->err != OK) {
        return writer->err;
    }
    if (writer->size == 0) {
        return writer->err = fault_set(&writer->fault, ERR_FETCH, "The file is empty.");
    }
    sha256_end(&writer->hash, digest);
    hex_encode(digest, sizeof digest, blob.hash);
    blob.media_type = media_type_sniff((struct text){ writer->start, writer->start_len });
    enum err err = deliver(writer, blob_is_small(writer, small_max), &blob);
    if (err == OK) {
        *ret = blob;
    }
    return err;
}

enum err blob_finish(struct blob_writer *writer, struct blob *ret, struct fault *fault) {
    return blob_finish_small(writer, 0, ret, fault);
}

enum err blob_finish_small(struct blob_writer *writer, int64_t small_max, struct blob *ret, struct fault *fault) {
    enum err err = finish(writer, small_max, ret);
    if (err != OK && fault != NULL) {
        *fault = writer->fault;
    }
    blob_abort(writer);
    return err;
}

enum err blob_put_bytes(struct blob_store *store, struct text bytes, int64_t max_bytes, struct blob *ret,
    struct fault *fault) {
    return blob_put_small(store, bytes, max_bytes, 0, ret, fault);
}

enum err blob_put_small(struct blob_store *store, struct text bytes, int64_t max_bytes, int64_t small_max,
    struct blob *ret, struct fault *fault) {
    struct blob_writer *writer;
    enum err err = blob_writer_new(store, max_bytes, &writer, fault);
    if (err != OK) {
        return err;
    }
    (void)!blob_write(writer, bytes.ptr, bytes.len); /* sticky: the end tells */
    return blob_finish_small(writer, small_max, ret, fault);
}
