/* Brings bytes into the blob store, hashing while they stream.
 *
 * The first bytes stay in memory; only a blob that outgrows that, or is new, becomes a file in DIR/tmp: a small artifact
 * that is stored already costs no write and no sync. A new one is written, synced, renamed into place, and its directory
 * synced, in this order (B1). */
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

#define MEMORY_SIZE ((size_t)65536)
#define MEMORY_FIRST ((size_t)4096)
#define SNIFF_SIZE ((size_t)512)
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
    char start[SNIFF_SIZE];
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
        writer->fd = openat(writer->store->temporary_fd, writer->name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
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
    if (writer->start_len < SNIFF_SIZE) {
        size_t room = SNIFF_SIZE - writer->start_len, part = count < room ? count : room;
        memcpy(writer->start + writer->start_len, bytes, part);
        writer->start_len += part;
    }
    writer->size += (int64_t)count;
    return keep(writer, bytes, count);
}

/* Whether the blob is there with its whole size; marks it as used now. A stump of a broken disk is written anew. */
static bool is_stored(struct blob_writer *writer, const char *path) {
    struct stat status;
    int root_fd = writer->store->root_fd;
    return fstatat(root_fd, path, &status, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(status.st_mode) &&
           status.st_size == writer->size && utimensat(root_fd, path, NULL, AT_SYMLINK_NOFOLLOW) == 0;
}

static enum err sync_directory_of(struct blob_writer *writer, const char *path) {
    char prefix[3] = { path[0], path[1], '\0' };
    int fd scoped(blob_close_fd) = openat(writer->store->root_fd, prefix, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0 || fsync(fd) != 0) {
        return fail(writer, errno, "sync a blob's directory");
    }
    return OK;
}

/* Puts the bytes under their final name, durably, unless they are there. The blob is pinned. */
static enum err place(struct blob_writer *writer, const char *path, bool alone, bool *ret_placed) {
    if (is_stored(writer, path)) {
        return alone ? OK : sync_directory_of(writer, path);
    }
    enum err err = spill(writer);
    if (err != OK) {
        return err;
    }
    if (fsync(writer->fd) != 0) {
        return fail(writer, errno, "sync a blob");
    }
    if (renameat(writer->store->temporary_fd, writer->name, writer->store->root_fd, path) != 0) {
        return fail(writer, errno, "put a blob into its place");
    }
    writer->name[0] = '\0';
    *ret_placed = true;
    return sync_directory_of(writer, path);
}

static enum err finish(struct blob_writer *writer, struct blob *ret) {
    uint8_t digest[SHA256_SIZE];
    char path[BLOB_PATH_SIZE];
    bool alone, placed = false;
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
    blob_path(blob.hash, path);
    blob_pin_landing(writer->store, blob.hash, &alone);
    enum err err = place(writer, path, alone, &placed);
    blob_landed(writer->store, blob.hash, err == OK, placed);
    if (err == OK) {
        *ret = blob;
    }
    return err;
}

enum err blob_finish(struct blob_writer *writer, struct blob *ret, struct fault *fault) {
    enum err err = finish(writer, ret);
    if (err != OK && fault != NULL) {
        *fault = writer->fault;
    }
    blob_abort(writer);
    return err;
}

enum err blob_put_bytes(struct blob_store *store, struct text bytes, int64_t max_bytes, struct blob *ret,
    struct fault *fault) {
    struct blob_writer *writer;
    enum err err = blob_writer_new(store, max_bytes, &writer, fault);
    if (err != OK) {
        return err;
    }
    (void)!blob_write(writer, bytes.ptr, bytes.len); /* sticky: blob_finish tells */
    return blob_finish(writer, ret, fault);
}
