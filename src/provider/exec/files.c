/* The files that a local command's result refers to. Every path component is opened by itself and never through a link. */
#include "provider/exec/files.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <limits.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/text.h"

#define DIRECTORY_FLAGS (O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
/* Not blocking: opening a FIFO must not wait for its writer. */
#define FILE_FLAGS (O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC)
#define TREE_DEPTH_MAX 16

/* ---- one file ---- */

/* The part of a name that goes into a message. */
#define SHOWN(name) TEXT_ARG(text_clip(text_of(name), 120))

/* Whether it is the machine that fails, and not what the command left. */
static bool is_machines(int error) {
    return error == EMFILE || error == ENFILE || error == ENOMEM || error == EIO || error == EINTR;
}

static enum err refuse_open(const char *name, int error, struct fault *fault) {
    if (is_machines(error)) {
        return fault_set(fault, ERR_IO, "The result file \"%.*s\" cannot be opened: %s.", SHOWN(name),
                         strerrordesc_np(error));
    }
    if (error == ELOOP || error == ENOTDIR || error == EMLINK) {
        return fault_set(fault, ERR_FETCH, "The result refers to \"%.*s\" through a link or a path that is no directory.",
                         SHOWN(name));
    }
    if (error == ENOENT) {
        return fault_set(fault, ERR_FETCH, "The result refers to \"%.*s\", a file that does not exist.", SHOWN(name));
    }
    return fault_set(fault, ERR_FETCH, "The result refers to \"%.*s\", which cannot be read.", SHOWN(name));
}

static bool component_is_plain(struct text component) {
    return component.len > 0 && component.len <= NAME_MAX && !text_equal(component, TEXT(".")) &&
           !text_equal(component, TEXT(".."));
}

static bool name_is_inside(struct text name) {
    if (name.len == 0 || name.len >= PATH_MAX) {
        return false;
    }
    do {
        if (!component_is_plain(text_cut(&name, '/'))) {
            return false;
        }
    } while (name.len > 0);
    return true;
}

/* Opens the name a component at a time; -1 and errno on failure. */
static int open_below(int directory, struct text name) {
    int current = directory;
    for (;;) {
        struct text component = text_cut(&name, '/');
        char terminated[NAME_MAX + 1];
        memcpy(terminated, component.ptr, component.len);
        terminated[component.len] = '\0';
        int next = openat(current, terminated, name.len > 0 ? DIRECTORY_FLAGS : FILE_FLAGS);
        int error = errno;
        close(current);
        errno = error;
        if (next < 0 || name.len == 0) {
            return next;
        }
        current = next;
    }
}

static enum err check_opened(int fd, const char *name, int64_t max, int64_t *ret_size, struct fault *fault) {
    struct stat status;
    if (fstat(fd, &status) != 0) {
        return refuse_open(name, errno, fault);
    }
    if (!S_ISREG(status.st_mode)) {
        return fault_set(fault, ERR_FETCH, "The result refers to \"%.*s\", which is no regular file.", SHOWN(name));
    }
    if (status.st_size == 0) {
        return fault_set(fault, ERR_FETCH, "The result file \"%.*s\" is empty.", SHOWN(name));
    }
    if (status.st_size > max) {
        return fault_set(fault, ERR_FETCH, "The result file \"%.*s\" is larger than the limit of %lld bytes.", SHOWN(name),
                         (long long)max);
    }
    *ret_size = status.st_size;
    return OK;
}

enum err exec_file_open(const char *work_directory, const char *name, int64_t max, int *ret_fd, int64_t *ret_size,
                        struct fault *fault) {
    if (!name_is_inside(text_of(name)) || text_ends(text_of(name), TEXT("/"))) {
        return fault_set(fault, ERR_FETCH, "The result refers to \"%.*s\", which is not in the work directory.",
                         SHOWN(name));
    }
    int directory = open(work_directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (directory < 0) {
        return is_machines(errno) ? refuse_open(name, errno, fault)
                                  : fault_set(fault, ERR_FETCH, "The work directory is gone.");
    }
    int fd = open_below(directory, text_of(name));
    if (fd < 0) {
        return refuse_open(name, errno, fault);
    }
    enum err err = check_opened(fd, name, max, ret_size, fault);
    if (err != OK) {
        close(fd);
        return err;
    }
    *ret_fd = fd;
    return OK;
}

/* ---- all files of a result ---- */

static enum err check_file(const char *work_directory, const char *name, int64_t max, struct fault *fault) {
    int fd;
    int64_t size;
    enum err err = exec_file_open(work_directory, name, max, &fd, &size, fault);
    if (err == OK) {
        close(fd);
    }
    return err;
}

/* The nesting is bounded by the reader of the result. */
enum err exec_files_check(const char *work_directory, const struct json_t *result, int64_t max, struct fault *fault) {
    json_t *value = (json_t *)result;
    const json_t *file = json_object_get(value, "file");
    if (file) {
        if (!json_is_string(file)) {
            return fault_set(fault, ERR_FETCH, "The result has a \"file\" that is not a name.");
        }
        return check_file(work_directory, json_string_value(file), max, fault);
    }
    enum err err = OK;
    const char *key;
    json_t *member;
    json_object_foreach(value, key, member) {
        if ((err = exec_files_check(work_directory, member, max, fault)) != OK) {
            return err;
        }
    }
    size_t index;
    json_array_foreach(value, index, member) {
        if ((err = exec_files_check(work_directory, member, max, fault)) != OK) {
            return err;
        }
    }
    return OK;
}

/* ---- the whole directory ---- */

struct tally {
    int64_t bytes, max_bytes;
    unsigned entries, max_entries;
};

static bool tally_passed(const struct tally *tally) {
    return tally->bytes > tally->max_bytes || tally->entries > tally->max_entries;
}

static void count_tree(struct tally *tally, int directory, unsigned depth);

static void count_entry(struct tally *tally, int directory, const char *name, unsigned depth) {
    struct stat status;
    tally->entries++;
    if (fstatat(directory, name, &status, AT_SYMLINK_NOFOLLOW) != 0) {
        return;
    }
    if (S_ISREG(status.st_mode)) {
        /* A sparse file takes less than it shows, a tiny one more. */
        int64_t stored = (int64_t)status.st_blocks * 512;
        tally->bytes += status.st_size > stored ? status.st_size : stored;
    } else if (S_ISDIR(status.st_mode)) {
        if (depth == TREE_DEPTH_MAX) {
            tally->entries = tally->max_entries + 1;
            return;
        }
        int below = openat(directory, name, DIRECTORY_FLAGS);
        if (below >= 0) {
            count_tree(tally, below, depth + 1);
        }
    }
}

/* Closes `directory`. */
static void count_tree(struct tally *tally, int directory, unsigned depth) {
    DIR *stream = fdopendir(directory);
    if (!stream) {
        close(directory);
        return;
    }
    const struct dirent *entry;
    while (!tally_passed(tally) && (entry = readdir(stream)) != NULL) {
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0) {
            count_entry(tally, directory, entry->d_name, depth);
        }
    }
    closedir(stream);
}

bool exec_files_within(const char *directory, int64_t max_bytes, unsigned max_entries, int64_t *ret_bytes) {
    struct tally tally = { .max_bytes = max_bytes, .max_entries = max_entries };
    int fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd >= 0) {
        count_tree(&tally, fd, 0);
    }
    *ret_bytes = tally.bytes;
    return !tally_passed(&tally);
}
