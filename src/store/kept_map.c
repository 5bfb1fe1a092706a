/* SQLite unmaps the database before a read when anything was written since the last one, and maps it anew: beside a busy
 * writer that is each read, with a fault for every page that it looks at. It does so because a file that was cut and grew
 * again may lie behind a map elsewhere. On Linux a shared map is the file, whatever happens to its length, and nobody
 * looks behind its end: a page that a snapshot knows of is there as long as somebody reads in it. So the map is kept, until
 * the file is much longer than it, or shorter. What lies behind the map is read. Everything else is SQLite's own layer, or file_layer.c's. */
#include "store/kept_map.h"

#include <sqlite3.h>
#include <stdbool.h>
#include <stddef.h>

#include "store/file_layer.h"

#define NAME "fennec-reader"
#define GROWTH_MIN (4 << 20) /* bytes that a file is longer than its map before it is mapped anew; at least an eighth */

/* Lies behind SQLite's own file. */
struct kept {
    struct file_methods methods;
    sqlite3_int64 mapped; /* the file's length when the map was last dropped: the map is at least as long */
};

static sqlite3_vfs *below; /* SQLite's own file layer */

static struct kept *kept_of(sqlite3_file *file) {
    return (struct kept *)(void *)((char *)file + below->szOsFile);
}

static bool fits(const struct kept *kept, sqlite3_int64 size) {
    sqlite3_int64 growth = kept->mapped / 8 > GROWTH_MIN ? kept->mapped / 8 : GROWTH_MIN;
    return size >= kept->mapped && size - kept->mapped <= growth;
}

/* Gives back a page, or with none drops the map. */
static int unfetch(sqlite3_file *file, sqlite3_int64 offset, void *page) {
    struct kept *kept = kept_of(file);
    if (page == NULL) {
        sqlite3_int64 size = 0;
        if (kept->methods.own->xFileSize(file, &size) == SQLITE_OK && fits(kept, size)) {
            return SQLITE_OK;
        }
        kept->mapped = size;
    }
    return kept->methods.own->xUnfetch(file, offset, page);
}

static int open_file(sqlite3_vfs *vfs, const char *name, sqlite3_file *file, int flags, int *ret_flags) {
    (void)vfs;
    int code = below->xOpen(below, name, file, flags, ret_flags);
    if ((flags & SQLITE_OPEN_MAIN_DB) == 0 || code != SQLITE_OK || file->pMethods->iVersion < 3) {
        return code;
    }
    struct kept *kept = kept_of(file);
    *kept = (struct kept){ .mapped = 0 };
    file_layer_unlocks_surely(file, &kept->methods);
    kept->methods.methods.xUnfetch = unfetch;
    return code;
}

const char *kept_map_register(void) {
    static sqlite3_vfs layer;
    below = file_layer_register(&layer, NAME, sizeof(struct kept), open_file);
    return below != NULL ? NAME : NULL;
}
