/* Making and removing trees of files. Symbolic links are removed, never followed. */
#include "engine/work_directory.h"

#include <errno.h>
#include <ftw.h>
#include <inttypes.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/log.h"
#include "base/memory.h"
#include "engine/state.h"

#define PATH_TEXT_MAX 4096
#define OPEN_DIRECTORIES_MAX 16

static int remove_one(const char *path, const struct stat *info, int kind, struct FTW *at) {
    (void)info;
    (void)at;
    if (kind == FTW_DNR) /* the command may have left one that cannot be read */
        (void)chmod(path, 0700);
    return remove(path) == 0 || errno == ENOENT ? 0 : -1;
}

static int open_up(const char *path, const struct stat *info, int kind, struct FTW *at) {
    (void)at;
    if ((kind == FTW_D || kind == FTW_DNR) && (info->st_mode & 0700) != 0700)
        (void)chmod(path, 0700);
    return 0;
}

static bool remove_tree(const char *path) {
    struct stat info;
    if (lstat(path, &info) != 0)
        return errno == ENOENT;
    if (nftw(path, remove_one, OPEN_DIRECTORIES_MAX, FTW_DEPTH | FTW_PHYS) == 0)
        return true;
    (void)nftw(path, open_up, OPEN_DIRECTORIES_MAX, FTW_PHYS);
    return nftw(path, remove_one, OPEN_DIRECTORIES_MAX, FTW_DEPTH | FTW_PHYS) == 0;
}

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
