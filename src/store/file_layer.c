/* Registering a file layer over SQLite's own. */
#include "store/file_layer.h"

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
