/* Making and removing trees of files. Symbolic links are removed, never followed.
 *
 * What lies deeper comes up before it is removed: a tree may be deeper than a path can be long, since its maker is a
 * command that may have been misled, and one that could not be removed would keep the next start from clearing the
 * place. */
#include "engine/attempt/work_directory.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/log.h"
#include "base/memory.h"
#include "engine/state.h"

#define PATH_TEXT_MAX 4096
#define DIRECTORY_FLAGS (O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)

/* ---- removing ---- */

static bool is_directory(int parent, const char *name) {
    struct stat info;
    return fstatat(parent, name, &info, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(info.st_mode);
}

/* One that its maker may have closed to everybody. */
static DIR *open_directory(int parent, const char *name) {
    (void)!fchmodat(parent, name, 0700, 0);
    int fd = openat(parent, name, DIRECTORY_FLAGS);
    DIR *stream = fd >= 0 ? fdopendir(fd) : NULL;
    if (stream == NULL && fd >= 0)
        close(fd);
    return stream;
}

static const char *next_name(DIR *stream) {
    const struct dirent *entry;
    while ((entry = readdir(stream)) != NULL)
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
            return entry->d_name;
    return NULL;
}

/* Into the directory `top`, under a name of its own; one that cannot be written would not let itself be moved. */
static bool bring_up(int parent, const char *name, int top, uint64_t *number) {
    char fresh[40];
    (void)!fchmodat(parent, name, 0700, 0);
    do {
        snprintf(fresh, sizeof(fresh), "..fennec-%" PRIu64, ++*number);
    } while (faccessat(top, fresh, F_OK, AT_SYMLINK_NOFOLLOW) == 0);
    return renameat(parent, name, top, fresh) == 0;
}

/* The files of `top`'s directory `name` go, its directories come up, and then it goes itself. */
static bool remove_level(int top, const char *name, uint64_t *number) {
    DIR *stream = open_directory(top, name);
    const char *inner;
    bool gone = true;
    if (stream == NULL)
        return false;
    while (gone && (inner = next_name(stream)) != NULL)
        gone = is_directory(dirfd(stream), inner) ? bring_up(dirfd(stream), inner, top, number)
                                                  : unlinkat(dirfd(stream), inner, 0) == 0 || errno == ENOENT;
    closedir(stream);
    return gone && unlinkat(top, name, AT_REMOVEDIR) == 0;
}

/* Again and again, as more may have come up, until there is nothing. */
static bool remove_contents(DIR *stream) {
    int top = dirfd(stream);
    uint64_t number = 0;
    const char *name;
    bool found = true;
    while (found) {
        found = false;
        rewinddir(stream);
        while ((name = next_name(stream)) != NULL) {
            bool gone = is_directory(top, name) ? remove_level(top, name, &number)
                                                : unlinkat(top, name, 0) == 0 || errno == ENOENT;
            if (!gone)
                return false;
            found = true;
        }
    }
    return true;
}

static bool remove_tree(const char *path) {
    if (!is_directory(AT_FDCWD, path))
        return unlink(path) == 0 || errno == ENOENT;
    DIR *stream = open_directory(AT_FDCWD, path);
    if (stream == NULL)
        return false;
    bool empty = remove_contents(stream);
    closedir(stream);
    return empty && rmdir(path) == 0;
}

/* ---- making ---- */

enum err work_directory_clear(const char *work, struct fault *fault) {
    if (!remove_tree(work))
        return fault_set(fault, ERR_IO, "%s cannot be cleared: %s", work, strerror(errno));
    if (mkdir(work, 0700) != 0)
        return fault_set(fault, errno == EROFS ? ERR_READ_ONLY : errno == ENOSPC ? ERR_NO_SPACE : ERR_IO,
                         "%s cannot be made: %s", work, strerror(errno));
    return OK;
}

char *work_directory_make(const char *work, int64_t account, const char *task, int attempt, struct fault *fault) {
    struct buffer path;
    buffer_init(&path, PATH_TEXT_MAX);
    buffer_printf(&path, "%s/%" PRId64 "-%s-%d", work, account, task, attempt);
    char *name = buffer_take(&path);
    buffer_fini(&path);
    if (name != NULL && mkdir(name, 0700) == 0)
        return name;
    (void)fault_set(fault, ERR_IO, "the work directory cannot be made: %s",
                    name != NULL ? strerror(errno) : "too long");
    free(name);
    return NULL;
}

/* ---- in the pool ---- */

struct removal {
    LIST_ENTRY(removal) link; /* in engine->leftovers, while it waits for another try */
    uv_work_t work;
    struct engine *engine;
    bool removed;
    char *path;
};

static void remove_in_pool(uv_work_t *work) {
    struct removal *removal = container_of(work, struct removal, work);
    removal->removed = remove_tree(removal->path);
}

static void free_removal(struct removal *removal) {
    free(removal->path);
    free(removal);
}

static void removed(uv_work_t *work, int status) {
    struct removal *removal = container_of(work, struct removal, work);
    struct engine *engine = removal->engine;
    (void)status;
    if (removal->removed) {
        free_removal(removal);
    } else {
        log_event(LOG_WARNING, "a work directory could not be removed", LOG_S("path", removal->path));
        LIST_INSERT_HEAD(&engine->leftovers, removal, link);
    }
    engine->busy--;
    engine_check_stop(engine);
}

static void begin_removal(struct removal *removal) {
    struct engine *engine = removal->engine;
    engine->busy++;
    int failure = uv_queue_work(&engine->loop, &removal->work, remove_in_pool, removed);
    if (failure != 0)
        abort();
}

void work_directory_remove(struct engine *engine, const char *path) {
    struct removal *removal = mem_new(sizeof(*removal));
    removal->engine = engine;
    removal->path = mem_string(path);
    begin_removal(removal);
}

void work_directory_remove_leftovers(struct engine *engine) {
    struct removal *removal = LIST_FIRST(&engine->leftovers);
    LIST_INIT(&engine->leftovers); /* one that fails again is put in anew */
    while (removal != NULL) {
        struct removal *next = LIST_NEXT(removal, link);
        begin_removal(removal);
        removal = next;
    }
}

void work_directory_forget_leftovers(struct engine *engine) {
    while (!LIST_EMPTY(&engine->leftovers)) {
        struct removal *removal = LIST_FIRST(&engine->leftovers);
        LIST_REMOVE(removal, link);
        free_removal(removal);
    }
}
