/* Keeps blobs in a directory: DIR/ab/cdef… by hash, half-written ones in DIR/tmp.
 *
 * What opens the directory first holds a lock on it while it clears DIR/tmp, so a second process never loses its
 * half-written files. Unlinking is done under the mutex that guards the pins: a blob cannot vanish between a writer's
 * finding it and its pin. */
#include "blob/blob.h"

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "base/memory.h"
#include "blob/directory.h"
#include "blob/media_type.h"
#include "blob/small.h"

#define HASH_LENGTH (SHA256_HEX_SIZE - 1)
#define FAN_OUT 256

void blob_close_fd(int *fd) {
    if (*fd >= 0) {
        close(*fd);
    }
}

static void close_directory(DIR **directory) {
    if (*directory != NULL) {
        closedir(*directory);
    }
}

enum err blob_system_error(int error_number) {
    switch (error_number) {
    case ENOSPC:
    case EDQUOT:
        return ERR_NO_SPACE;
    case EROFS:
    case EACCES:
    case EPERM:
        return ERR_READ_ONLY;
    default:
        return ERR_IO;
    }
}

enum err blob_system_fault(struct fault *fault, int error_number, const char *what) {
    char words[128];
    return fault_set(fault, blob_system_error(error_number), "Cannot %s: %s.", what,
        strerror_r(error_number, words, sizeof words));
}

void blob_path(const char *hash, char ret[BLOB_PATH_SIZE]) {
    snprintf(ret, BLOB_PATH_SIZE, "%.2s/%.62s", hash, hash + 2);
}

static bool is_hex(const char *ptr, size_t count) {
    for (size_t i = 0; i < count; i++) {
        if (!((ptr[i] >= '0' && ptr[i] <= '9') || (ptr[i] >= 'a' && ptr[i] <= 'f'))) {
            return false;
        }
    }
    return true;
}

/* The path of a hash from outside; false when it is none. */
static bool path_of(struct text hash, char ret[BLOB_PATH_SIZE]) {
    if (hash.len != HASH_LENGTH || !is_hex(hash.ptr, HASH_LENGTH)) {
        return false;
    }
    blob_path(hash.ptr, ret);
    return true;
}

/* mkdir -p; 0 or an error number. */
static int make_directories(const char *path) {
    char *copy scoped(mem_free_pointer) = mem_string(path);
    for (char *slash = strchr(copy + 1, '/'); slash != NULL; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        if (mkdir(copy, 0700) != 0 && errno != EEXIST) {
            return errno;
        }
        *slash = '/';
    }
    return mkdir(copy, 0700) != 0 && errno != EEXIST ? errno : 0;
}

/* All subdirectories at once, so that no writer has to make and sync one; 0 or an error number. */
static int make_fan_out(int root_fd) {
    if (mkdirat(root_fd, BLOB_TEMPORARY, 0700) != 0 && errno != EEXIST) {
        return errno;
    }
    for (unsigned i = 0; i < FAN_OUT; i++) {
        char name[3];
        snprintf(name, sizeof name, "%02x", i);
        if (mkdirat(root_fd, name, 0700) != 0 && errno != EEXIST) {
            return errno;
        }
    }
    return 0;
}

/* Opens a subdirectory for reading its names. */
static DIR *list_directory(int root_fd, const char *name) {
    int fd = openat(root_fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *directory = fd < 0 ? NULL : fdopendir(fd);
    if (directory == NULL && fd >= 0) {
        close(fd);
    }
    return directory;
}

static void clear_temporary(struct blob_store *store) {
    DIR *directory scoped(close_directory) = list_directory(store->root_fd, BLOB_TEMPORARY);
    int64_t removed = 0;
    if (directory == NULL) {
        return;
    }
    for (struct dirent *entry; (entry = readdir(directory)) != NULL;) {
        if (entry->d_name[0] != '.' && unlinkat(store->temporary_fd, entry->d_name, 0) == 0) {
            removed++;
        }
    }
    if (removed > 0) {
        log_event(LOG_INFO, "half-written blobs of an earlier life removed", LOG_I("files", removed));
    }
}

/* Fills the opened store: subdirectories, the lock, and what an earlier life may have left unsynced. */
static enum err open_inside(struct blob_store *store, const char *directory, struct fault *fault) {
    int failure = make_directories(directory);
    if (failure == 0 && (store->root_fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC)) < 0) {
        failure = errno;
    }
    if (failure == 0) {
        failure = make_fan_out(store->root_fd);
    }
    if (failure == 0 &&
        (store->temporary_fd = openat(store->root_fd, BLOB_TEMPORARY, O_RDONLY | O_DIRECTORY | O_CLOEXEC)) < 0) {
        failure = errno;
    }
    if (failure == 0 && faccessat(store->temporary_fd, ".", W_OK, AT_EACCESS) != 0) {
        failure = errno;
    }
    if (failure == 0 && flock(store->root_fd, LOCK_EX | LOCK_NB) == 0) {
        clear_temporary(store);
    }
    if (failure == 0 && flock(store->root_fd, LOCK_SH) != 0) {
        failure = errno;
    }
    if (failure == 0 && syncfs(store->root_fd) != 0) {
        failure = errno;
    }
    if (failure == 0) {
        return OK;
    }
    char words[128];
    return fault_set(fault, blob_system_error(failure), "Cannot use the blob directory %.400s: %s.", directory,
        strerror_r(failure, words, sizeof words));
}

enum err blob_open(const char *directory, struct blob_store **ret, struct fault *fault) {
    if (directory[0] == '\0') {
        return fault_set(fault, ERR_CONFIG, "The blob directory has no name.");
    }
    struct blob_store *store = mem_new(sizeof *store);
    store->root_fd = store->temporary_fd = -1;
    pthread_mutex_init(&store->mutex, NULL);
    enum err err = open_inside(store, directory, fault);
    if (err != OK) {
        blob_close(store);
        return err;
    }
    *ret = store;
    return OK;
}

void blob_close(struct blob_store *store) {
    struct blob_pin *pin, *next;
    if (store == NULL) {
        return;
    }
    HASH_ITER(hh, store->pins, pin, next) {
        HASH_DEL(store->pins, pin);
        free(pin);
    }
    blob_close_fd(&store->temporary_fd);
    blob_close_fd(&store->root_fd);
    pthread_mutex_destroy(&store->mutex);
    free(store);
}

static struct blob_pin *find_pin(struct blob_store *store, const char *hash) {
    struct blob_pin *pin;
    HASH_FIND(hh, store->pins, hash, HASH_LENGTH, pin);
    return pin;
}

static void drop_pin(struct blob_store *store, struct blob_pin *pin) {
    if (--pin->count > 0) {
        return;
    }
    HASH_DEL(store->pins, pin);
    free(pin);
}

static struct blob_pin *add_pin(struct blob_store *store, const char *hash) {
    struct blob_pin *pin = find_pin(store, hash);
    if (pin != NULL) {
        pin->shared = true;
    } else {
        pin = mem_new(sizeof *pin);
        memcpy(pin->hash, hash, HASH_LENGTH);
        HASH_ADD(hh, store->pins, hash, HASH_LENGTH, pin);
    }
    pin->count++;
    return pin;
}

void blob_pin_landing(struct blob_store *store, const char *hash, bool *ret_alone) {
    pthread_mutex_lock(&store->mutex);
    struct blob_pin *pin = add_pin(store, hash);
    *ret_alone = pin->landing == 0;
    pin->landing++;
    pthread_mutex_unlock(&store->mutex);
}

void blob_landed(struct blob_store *store, const char *hash, bool success, bool placed) {
    char path[BLOB_PATH_SIZE];
    blob_path(hash, path);
    pthread_mutex_lock(&store->mutex);
    struct blob_pin *pin = find_pin(store, hash);
    assert(pin != NULL && pin->landing > 0);
    pin->landing--;
    if (!success) {
        if (placed && !pin->shared) {
            unlinkat(store->root_fd, path, 0);
        }
        drop_pin(store, pin);
    }
    pthread_mutex_unlock(&store->mutex);
}

static enum err open_in_directory(struct blob_store *store, const char *path, int *ret_fd, int64_t *ret_size) {
    struct stat status;
    int fd = openat(store->root_fd, path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0) {
        return errno == ENOENT ? ERR_NOT_FOUND : blob_system_error(errno);
    }
    if (fstat(fd, &status) != 0 || !S_ISREG(status.st_mode)) {
        close(fd);
        return ERR_IO;
    }
    *ret_fd = fd;
    *ret_size = status.st_size;
    return OK;
}

/* Under the mutex that guards every unlink: what is opened after that cannot go any more. */
enum err blob_pin(struct blob_store *store, struct text hash, struct blob *ret) {
    struct blob blob = { .size = 0 };
    char path[BLOB_PATH_SIZE], start[MEDIA_SNIFF_SIZE];
    if (!path_of(hash, path)) {
        return ERR_NOT_FOUND;
    }
    memcpy(blob.hash, hash.ptr, HASH_LENGTH);
    pthread_mutex_lock(&store->mutex);
    struct blob_pin *pin = add_pin(store, blob.hash);
    int fd scoped(blob_close_fd) = -1;
    enum err err = open_in_directory(store, path, &fd, &blob.size);
    if (err != OK) {
        drop_pin(store, pin);
    }
    pthread_mutex_unlock(&store->mutex);
    if (err == OK) {
        ssize_t count = pread(fd, start, sizeof start, 0);
        blob.media_type = media_type_sniff((struct text){ start, count > 0 ? (size_t)count : 0 });
    } else if (err == ERR_NOT_FOUND) {
        err = small_copy(store, hash, &blob);
    }
    if (err == OK) {
        *ret = blob;
    }
    return err;
}

void blob_unpin(struct blob_store *store, struct blob *blob) {
    if (blob->bytes != NULL) {
        free(blob->bytes);
        blob->bytes = NULL;
        return;
    }
    pthread_mutex_lock(&store->mutex);
    struct blob_pin *pin = find_pin(store, blob->hash);
    assert(pin != NULL && pin->count > pin->landing);
    drop_pin(store, pin);
    pthread_mutex_unlock(&store->mutex);
}

enum err blob_open_fd(struct blob_store *store, struct text hash, int *ret_fd, int64_t *ret_size) {
    char path[BLOB_PATH_SIZE];
    if (!path_of(hash, path)) {
        return ERR_NOT_FOUND;
    }
    enum err err = open_in_directory(store, path, ret_fd, ret_size);
    return err == ERR_NOT_FOUND ? small_open(store, hash, ret_fd, ret_size) : err;
}

enum err blob_remove(struct blob_store *store, struct text hash) {
    return blob_remove_unless(store, hash, NULL, NULL);
}

enum err blob_remove_unless(struct blob_store *store, struct text hash,
    enum err (*claimed)(struct text hash, bool *ret, void *context), void *context) {
    char path[BLOB_PATH_SIZE];
    enum err err = OK;
    if (!path_of(hash, path)) {
        return ERR_NOT_FOUND;
    }
    pthread_mutex_lock(&store->mutex);
    bool kept = find_pin(store, hash.ptr) != NULL;
    if (!kept && claimed != NULL) {
        err = claimed(hash, &kept, context);
    }
    if (err == OK && kept) {
        err = ERR_BUSY;
    }
    if (err == OK && unlinkat(store->root_fd, path, 0) != 0 && errno != ENOENT) {
        err = blob_system_error(errno);
    }
    pthread_mutex_unlock(&store->mutex);
    return err;
}

/* The blobs of one subdirectory. *more becomes false when `each` wants no more. */
static enum err each_in(int root_fd, const char *prefix, bool (*each)(const char *, void *), void *context,
    bool *more) {
    DIR *directory scoped(close_directory) = list_directory(root_fd, prefix);
    if (directory == NULL) {
        return errno == ENOENT ? OK : blob_system_error(errno);
    }
    while (*more) {
        char hash[SHA256_HEX_SIZE];
        errno = 0;
        struct dirent *entry = readdir(directory);
        if (entry == NULL) {
            return errno == 0 ? OK : blob_system_error(errno);
        }
        if (strlen(entry->d_name) != HASH_LENGTH - 2 || !is_hex(entry->d_name, HASH_LENGTH - 2)) {
            continue;
        }
        snprintf(hash, sizeof hash, "%.2s%.62s", prefix, entry->d_name);
        *more = each(hash, context);
    }
    return OK;
}

enum err blob_each(struct blob_store *store, bool (*each)(const char *hash, void *context), void *context) {
    bool more = true;
    for (unsigned i = 0; i < FAN_OUT && more; i++) {
        char prefix[3];
        snprintf(prefix, sizeof prefix, "%02x", i & 0xff);
        enum err err = each_in(store->root_fd, prefix, each, context, &more);
        if (err != OK) {
            return err;
        }
    }
    return OK;
}
