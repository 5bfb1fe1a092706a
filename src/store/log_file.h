/* SQLite's write-ahead log, written in few calls: the pages of a transaction go to the file together. */
#pragma once

#include <sqlite3.h>

/* Registers the file layer and returns its name for sqlite3_open_v2; NULL when SQLite has no memory. Once in a process,
 * before the first connection. */
const char *log_file_register(void);
/* Writes again and syncs what no sync can be sure of since one failed, and lets syncs succeed again; SQLITE_OK and nothing where
 * none failed. `log` is the log of a connection that has the right to write, through this layer or another. Its thread. */
int log_file_mend(sqlite3_file *log);
