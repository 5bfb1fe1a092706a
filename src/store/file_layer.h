/* File layers over SQLite's own, which differ from it in how they open a file. */
#pragma once

#include <sqlite3.h>
#include <stddef.h>

/* Registers *layer, which lives as long as the process, as `name`: SQLite's own layer, but for xOpen, and with `more` bytes
 * for each file before or behind SQLite's own. Returns that one; NULL when SQLite has no memory. Before the first connection. */
sqlite3_vfs *file_layer_register(sqlite3_vfs *layer, const char *name, size_t more,
                                 int (*open)(sqlite3_vfs *, const char *, sqlite3_file *, int, int *));
