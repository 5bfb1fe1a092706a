/* Registering a file layer over SQLite's own, and what all of them do to a database's file. */
#include "store/file_layer.h"

#include <time.h>

#include "base/compiler.h"

#define UNLOCK_TRIES 100
#define UNLOCK_PAUSE_NS 1000000

sqlite3_vfs *file_layer_register(sqlite3_vfs *layer, const char *name, size_t more,
                                 int (*open)(sqlite3_vfs *, const char *, sqlite3_file *, int, int *)) {
    sqlite3_vfs *own = sqlite3_vfs_find(NULL);
    if (own == NULL) {
        return NULL;
    }
    *layer = *own; /* what it keeps for itself as well: its functions are called with this one, all but xOpen */
    layer->zName = name;
    layer->pNext = NULL;
    layer->szOsFile = (int)more + own->szOsFile;
    layer->xOpen = open;
    return sqlite3_vfs_register(layer, 0) == SQLITE_OK ? own : NULL;
}

static const sqlite3_io_methods *own_of(sqlite3_file *file) {
    return container_of(file->pMethods, struct file_methods, methods)->own;
}

static void wait_a_moment(void) {
    nanosleep(&(struct timespec){ .tv_nsec = UNLOCK_PAUSE_NS }, NULL);
}

static int lock_shared_memory(sqlite3_file *file, int first, int count, int what) {
    int code = own_of(file)->xShmLock(file, first, count, what);
    for (int tries = 0; code != SQLITE_OK && (what & SQLITE_SHM_UNLOCK) != 0 && tries < UNLOCK_TRIES; tries++) {
        wait_a_moment();
        code = own_of(file)->xShmLock(file, first, count, what);
    }
    return code;
}

static int unlock(sqlite3_file *file, int level) {
    int code = own_of(file)->xUnlock(file, level);
    for (int tries = 0; code != SQLITE_OK && tries < UNLOCK_TRIES; tries++) {
        wait_a_moment();
        code = own_of(file)->xUnlock(file, level);
    }
    return code;
}

void file_layer_unlocks_surely(sqlite3_file *file, struct file_methods *methods) {
    *methods = (struct file_methods){ .own = file->pMethods, .methods = *file->pMethods };
    methods->methods.xUnlock = unlock;
    if (methods->methods.iVersion >= 2) {
        methods->methods.xShmLock = lock_shared_memory;
    }
    file->pMethods = &methods->methods;
}
