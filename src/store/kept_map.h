/* The map of the database's file that a connection for reading has: kept from one read to the next. */
#pragma once

/* Registers the file layer and returns its name for sqlite3_open_v2; NULL when SQLite has no memory. It is for connections
 * that only read. Once in a process, before the first connection. */
const char *kept_map_register(void);
