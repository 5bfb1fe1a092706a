/* Opens the directory's files with the right modes and says clearly what is wrong with them. */
#include "store/place.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/compiler.h"
#include "base/memory.h"

#define TURN_TRIES 20000 /* with the pauses: 10 s */
#define TURN_PAUSE_NS 500000

_Static_assert(ATOMIC_LLONG_LOCK_FREE == 2, "processes share the generation: it must need no lock");

static char *join(const char *directory, const char *name) {
    size_t size = strlen(directory) + strlen(name) + 2;
    char *path = mem_new(size);
    snprintf(path, size, "%s/%s", directory, name);
    return path;
}

static enum err system_fault(struct fault *fault, int error_number, const char *what, const char *path) {
    char words[128];
    const char *why = strerror_r(error_number, words, sizeof(words));
    switch (error_number) {
    case EACCES:
    case EPERM:
    case EROFS:
        return fault_set(fault, ERR_READ_ONLY,
                         "Fennec may not %s %.300s (%s); let its user write there, or name another "
                         "data directory.",
                         what, path, why);
    case ENOSPC:
    case EDQUOT:
        return fault_set(fault, ERR_NO_SPACE,
                         "The disk is full: Fennec cannot %s %.300s (%s); free some space and try "
                         "again.",
                         what, path, why);
    case ENOTDIR:
    case EEXIST:
        return fault_set(fault, ERR_CONFIG,
                         "The data directory %.300s is, or lies below, something that is not a "
                         "directory; name another one.",
                         path);
    default:
        return fault_set(fault, ERR_IO, "Fennec cannot %s %.300s: %s.", what, path, why);
    }
}

/* So that what was just made in the directory is there after a power loss; an error number, or 0. */
static int sync_directory(const char *path) {
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) {
        return errno;
    }
    int failure = fsync(fd) == 0 || errno == EINVAL ? 0 : errno; /* EINVAL: this file system cannot */
    close(fd);
    return failure;
}

/* One directory, unless it is there; lasting, so that it cannot vanish with all that is acknowledged in it (T2). */
static int make_one(const char *path) {
    if (mkdir(path, 0700) != 0) {
        return errno == EEXIST ? 0 : errno;
    }
    char *copy scoped(mem_free_pointer) = mem_string(path);
    return sync_directory(dirname(copy));
}

/* mkdir -p; an error number, or 0. */
static int make_directory(const char *path) {
    struct stat status;
    if (stat(path, &status) == 0) {
        return S_ISDIR(status.st_mode) ? 0 : ENOTDIR;
    }
    char *copy scoped(mem_free_pointer) = mem_string(path);
    int failure = 0;
    for (char *slash = strchr(copy + (copy[0] == '/'), '/'); failure == 0 && slash != NULL; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        failure = make_one(copy);
        *slash = '/';
    }
    return failure == 0 ? make_one(copy) : failure;
}

/* The files that SQLite keeps: an earlier run as another user may have left them unwritable to us. */
static enum err check_files(const char *database, struct fault *fault) {
    static const char *const suffixes[] = { "", "-wal", "-shm" };
    for (size_t i = 0; i < ARRAY_SIZE(suffixes); i++) {
        char path[4096];
        snprintf(path, sizeof(path), "%s%s", database, suffixes[i]);
        if (access(path, R_OK | W_OK) != 0 && errno != ENOENT) {
            return system_fault(fault, errno, "write", path);
        }
    }
    return OK;
}

/* Only makes the file: opening and closing a database that is in use would drop SQLite's locks on it. */
static enum err make_database(const char *path, const char *directory, struct fault *fault) {
    int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0) {
        return errno == EEXIST ? check_files(path, fault) : system_fault(fault, errno, "make", path);
    }
    close(fd);
    int failure = sync_directory(directory);
    return failure == 0 ? OK : system_fault(fault, failure, "sync", directory);
}

static enum err open_file(const char *directory, const char *name, int *ret_fd, struct fault *fault) {
    char *path scoped(mem_free_pointer) = join(directory, name);
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0) {
        return system_fault(fault, errno, "open", path);
    }
    *ret_fd = fd;
    return OK;
}

/* Eight bytes that are really on the disk, so that writing to the mapping cannot fail. */
static enum err map_generation(struct place *place, const char *directory, struct fault *fault) {
    enum err err = open_file(directory, "generation", &place->generation_fd, fault);
    if (err != OK) {
        return err;
    }
    char *path scoped(mem_free_pointer) = join(directory, "generation");
    int failure = posix_fallocate(place->generation_fd, 0, sizeof(uint64_t));
    if (failure != 0) {
        return system_fault(fault, failure, "write", path);
    }
    void *mapped = mmap(NULL, sizeof(uint64_t), PROT_READ | PROT_WRITE, MAP_SHARED, place->generation_fd, 0);
    if (mapped == MAP_FAILED) {
        return system_fault(fault, errno, "map", path);
    }
    place->generation = mapped;
    return OK;
}

/* One serving process; the file names it for people. */
static enum err take_server_lock(struct place *place, const char *directory, struct fault *fault) {
    enum err err = open_file(directory, "server.lock", &place->server_fd, fault);
    if (err != OK) {
        return err;
    }
    char holder[24] = "";
    if (flock(place->server_fd, LOCK_EX | LOCK_NB) != 0) {
        ssize_t length = pread(place->server_fd, holder, sizeof(holder) - 1, 0);
        int digits = length > 0 ? (int)strspn(holder, "0123456789") : 0;
        return fault_set(fault, ERR_BUSY,
                         "Another Fennec (process %.*s) serves %.300s already; stop it first, or name "
                         "another data directory.",
                         digits > 0 ? digits : 7, digits > 0 ? holder : "unknown", directory);
    }
    int length = snprintf(holder, sizeof(holder), "%ld\n", (long)getpid());
    if (ftruncate(place->server_fd, 0) != 0 || pwrite(place->server_fd, holder, (size_t)length, 0) != length) {
        return system_fault(fault, errno, "write", directory);
    }
    return OK;
}

enum err place_init(struct place *place, const char *directory, bool serve, struct fault *fault) {
    struct place fresh = { .server_fd = -1, .turn_fd = -1, .generation_fd = -1 };
    int failure = make_directory(directory);
    if (failure == 0 && access(directory, R_OK | W_OK | X_OK) != 0) {
        failure = errno;
    }
    if (failure != 0) {
        return system_fault(fault, failure, "use", directory);
    }
    fresh.database = join(directory, "fennec.db");
    enum err err = serve ? take_server_lock(&fresh, directory, fault) : OK;
    if (err == OK) {
        err = open_file(directory, "turn.lock", &fresh.turn_fd, fault);
    }
    if (err == OK) {
        err = map_generation(&fresh, directory, fault);
    }
    if (err == OK) {
        err = make_database(fresh.database, directory, fault);
    }
    if (err != OK) {
        place_fini(&fresh);
        return err;
    }
    *place = fresh;
    return OK;
}

static void close_fd(int fd) {
    if (fd >= 0) {
        close(fd);
    }
}

void place_fini(struct place *place) {
    if (place->generation != NULL) {
        munmap((void *)place->generation, sizeof(uint64_t));
    }
    close_fd(place->generation_fd);
    close_fd(place->turn_fd);
    close_fd(place->server_fd);
    free(place->database);
    *place = (struct place){ .server_fd = -1, .turn_fd = -1, .generation_fd = -1 };
}

void place_take_turn(struct place *place) {
    for (int tries = 0; flock(place->turn_fd, LOCK_EX | LOCK_NB) != 0 && tries < TURN_TRIES; tries++) {
        nanosleep(&(struct timespec){ .tv_nsec = TURN_PAUSE_NS }, NULL);
    }
}

void place_end_turn(struct place *place) {
    flock(place->turn_fd, LOCK_UN);
}
