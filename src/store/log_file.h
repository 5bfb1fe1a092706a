/* SQLite's write-ahead log, written in few calls: the pages of a transaction go to the file together. */
#pragma once

#include <stdbool.h>

struct sqlite3_file;

/* Registers the file layer and returns its name for sqlite3_open_v2; NULL when SQLite has no memory. Once in a process,
 * before the first connection. */
const char *log_file_register(void);
/* Whether something was written through this layer that no sync has made durable yet. `log` is the log of a connection, through
 * this layer or another; its thread. */
bool log_file_owes(struct sqlite3_file *log);
/* Writes again and syncs what no sync can be sure of since one failed, and lets syncs succeed again; nothing where none failed.
 * As above, with the right to write. Returns SQLite's code. */
int log_file_mend(struct sqlite3_file *log);
