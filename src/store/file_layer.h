/* File layers over SQLite's own, which differ from it in how they open a file. */
#pragma once

#include <sqlite3.h>
#include <stddef.h>

/* Registers *layer, which lives as long as the process, as `name`: SQLite's own layer, but for xOpen, and with `more` bytes
 * for each file before or behind SQLite's own. Returns that one; NULL when SQLite has no memory. Before the first connection. */
sqlite3_vfs *file_layer_register(sqlite3_vfs *layer, const char *name, size_t more,
                                 int (*open)(sqlite3_vfs *, const char *, sqlite3_file *, int, int *));

/* A file's own methods, and those that it has in their place. */
struct file_methods {
    const sqlite3_io_methods *own;
    sqlite3_io_methods methods;
};

/* From here on the file, a database's that SQLite's own layer has opened, tries an unlock that fails again, for a tenth of a
 * second: SQLite does not look whether its unlocks of the log's index succeed, and one that did not would keep every other
 * connection from reading for as long as this one lives. *methods lives as long as the file. */
void file_layer_unlocks_surely(sqlite3_file *file, struct file_methods *methods);
