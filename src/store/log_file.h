/* SQLite's write-ahead log, written in few calls: the pages of a transaction go to the file together. */
#pragma once

/* Registers the file layer and returns its name for sqlite3_open_v2; NULL when SQLite has no memory. It is for connections
 * that sync at every commit (synchronous = FULL) alone: nobody else may be told of pages that are not written yet, and only
 * the sync, which comes before that, sees to it. Once in a process, before the first connection. */
const char *log_file_register(void);
