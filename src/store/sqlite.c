/* The embedded engine: SQLite with a write-ahead log, synced at every commit that is not relaxed.
 *
 * A connection is used by one thread at a time, so SQLite's own locks are off; what it keeps in memory is bounded. */
#include "store/database.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <sqlite3.h>
#include <stdlib.h>

#include "base/memory.h"
#include "store/kept_map.h"
#include "store/log_file.h"

#define APPLICATION_ID 0x464e4e43 /* "FNNC": the file is ours */

#define BUSY_TIMEOUT_MS 10000

struct connection {
    struct database base;
    sqlite3 *handle;
    char *path;
    bool relaxed; /* commits are not synced */
    sqlite3_stmt *statements[SQL_COUNT];
    sqlite3_stmt *moves[DATABASE_MOVE_COUNT];
};

static const char *const texts[SQL_COUNT] = {
#define X(id, text) [id] = text,
    SQL_TABLE(X)
#undef X
};

static const char *const move_texts[DATABASE_MOVE_COUNT] = {
    [DATABASE_BEGIN] = "BEGIN IMMEDIATE",   [DATABASE_COMMIT] = "COMMIT",        [DATABASE_ROLLBACK] = "ROLLBACK",
    [DATABASE_SAVEPOINT] = "SAVEPOINT job", [DATABASE_UNDO] = "ROLLBACK TO job", [DATABASE_RELEASE] = "RELEASE job",
};

/* Of the connection alone. A log of 4000 pages is 16 MB; it is copied into the database then, and cut when longer. */
static const char *const role_settings[] = {
    [DATABASE_WRITES] = "PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON; PRAGMA temp_store = MEMORY;"
                        "PRAGMA cache_size = -8192; PRAGMA wal_autocheckpoint = 4000;"
                        "PRAGMA journal_size_limit = 67108864;",
    [DATABASE_READS] = "PRAGMA query_only = ON; PRAGMA temp_store = MEMORY; PRAGMA cache_size = -256;"
                       "PRAGMA mmap_size = 1073741824;",
};

/* Most telling first: an extended code before the primary code that it belongs to. */
static const struct {
    int code;
    enum err err;
} errors[] = {
    { SQLITE_OK, OK },
    { SQLITE_CONSTRAINT_UNIQUE, ERR_EXISTS },
    { SQLITE_CONSTRAINT_PRIMARYKEY, ERR_EXISTS },
    { SQLITE_CONSTRAINT_FOREIGNKEY, ERR_NOT_FOUND },
    { SQLITE_CONSTRAINT, ERR_CONFLICT },
    { SQLITE_IOERR_SHMSIZE, ERR_NO_SPACE },
    { SQLITE_IOERR_NOMEM, ERR_NO_MEMORY },
    { SQLITE_FULL, ERR_NO_SPACE },
    { SQLITE_READONLY, ERR_READ_ONLY },
    { SQLITE_PERM, ERR_READ_ONLY },
    { SQLITE_BUSY, ERR_BUSY },
    { SQLITE_LOCKED, ERR_BUSY },
    { SQLITE_NOTADB, ERR_CORRUPT },
    { SQLITE_CORRUPT, ERR_CORRUPT },
    { SQLITE_NOMEM, ERR_NO_MEMORY },
    { SQLITE_TOOBIG, ERR_REQUEST_TOO_LARGE },
    { SQLITE_IOERR, ERR_IO },
    { SQLITE_CANTOPEN, ERR_IO },
    { SQLITE_PROTOCOL, ERR_BUSY },
};

/* What the person who runs Fennec can do: the words before and after the file's name. */
static const struct {
    enum err err;
    const char *before, *after;
} advice[] = {
    { ERR_NO_SPACE, "The disk that holds ", " is full; free some space and try again" },
    { ERR_READ_ONLY, "Fennec may not write ", "; let its user write the directory and all files in it" },
    { ERR_BUSY, "Another process keeps ", " locked; end it, or try again later" },
    { ERR_CORRUPT, "The file ",
      " is damaged or not a database of Fennec's; restore it from a backup, or move it away to "
      "start with an empty one" },
    { ERR_NO_MEMORY, "There is not enough memory to work with ", "" },
    { ERR_IO, "Reading or writing ", " failed; check the disk and the permissions of the directory" },
    { ERR_INTERNAL, "The database ", " reports an error" },
};

static struct connection *connection_of(struct database *database) {
    return container_of(database, struct connection, base);
}

/* SQLite knows one way of a full disk and one of a read-only one; the system knows more. */
static enum err system_error(int error_number) {
    switch (error_number) {
    case ENOSPC:
    case EDQUOT:
    case EFBIG:
        return ERR_NO_SPACE;
    case EROFS:
    case EACCES:
    case EPERM:
        return ERR_READ_ONLY;
    default:
        return ERR_IO;
    }
}

static enum err error_of(const struct connection *connection, int code) {
    if (code == SQLITE_ROW || code == SQLITE_DONE) {
        return OK;
    }
    for (size_t i = 0; i < ARRAY_SIZE(errors); i++) {
        if (errors[i].code == code || errors[i].code == (code & 0xff)) {
            return errors[i].err == ERR_IO ? system_error(sqlite3_system_errno(connection->handle)) : errors[i].err;
        }
    }
    return ERR_INTERNAL;
}

static enum err explain(struct database *database, enum err err, struct fault *fault) {
    struct connection *connection = connection_of(database);
    size_t i = 0;
    while (i < ARRAY_SIZE(advice) - 1 && advice[i].err != err) {
        i++;
    }
    int code = sqlite3_errcode(connection->handle);
    if (code == SQLITE_OK || code == SQLITE_ROW || code == SQLITE_DONE) { /* we found it, not SQLite */
        return fault_set(fault, err, "%s%.300s%s.", advice[i].before, connection->path, advice[i].after);
    }
    return fault_set(fault, err, "%s%.300s%s (%.200s).", advice[i].before, connection->path, advice[i].after,
                     sqlite3_errmsg(connection->handle));
}

static enum err script(struct database *database, const char *sql) {
    struct connection *connection = connection_of(database);
    return error_of(connection, sqlite3_exec(connection->handle, sql, NULL, NULL, NULL));
}

static void close_connection(struct database *database) {
    if (database == NULL) {
        return;
    }
    struct connection *connection = connection_of(database);
    for (size_t i = 0; i < ARRAY_SIZE(connection->statements); i++) {
        sqlite3_finalize(connection->statements[i]);
    }
    for (size_t i = 0; i < ARRAY_SIZE(connection->moves); i++) {
        sqlite3_finalize(connection->moves[i]);
    }
    int code = sqlite3_close(connection->handle);
    assert(code == SQLITE_OK);
    (void)code;
    free(connection->path);
    free(connection);
}

static const char *file_layers[DATABASE_ROLE_COUNT]; /* NULL: SQLite's own */

/* Once in a process, before SQLite starts: no statistics of memory under a lock that all threads share, and savepoints
 * kept in memory, which our short jobs do not fill. */
static void configure(void) {
    sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
    sqlite3_config(SQLITE_CONFIG_STMTJRNL_SPILL, -1);
    file_layers[DATABASE_WRITES] = log_file_register();
    file_layers[DATABASE_READS] = kept_map_register();
}

static enum err open_connection(const char *path, enum database_role role, struct database **ret, struct fault *fault) {
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, configure);
    struct connection *connection = mem_new(sizeof(*connection));
    connection->base.engine = &database_sqlite;
    connection->path = mem_string(path);
    int code = sqlite3_open_v2(path, &connection->handle, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX,
                               file_layers[role]);
    enum err err = connection->handle == NULL ? ERR_NO_MEMORY : error_of(connection, code);
    if (err == OK) {
        sqlite3_extended_result_codes(connection->handle, 1);
        sqlite3_busy_timeout(connection->handle, BUSY_TIMEOUT_MS);
        sqlite3_limit(connection->handle, SQLITE_LIMIT_LENGTH, 2 * (int)VALUE_SIZE_MAX);
        err = script(&connection->base, role_settings[role]);
    }
    if (err != OK) {
        explain(&connection->base, err, fault);
        close_connection(&connection->base);
        return err;
    }
    *ret = &connection->base;
    return OK;
}

/* Prepares the statement unless that was done. Parameters must come in order, so that $n is the n-th. */
static enum err prepare(struct connection *connection, const char *text, sqlite3_stmt **statement) {
    if (*statement != NULL) {
        return OK;
    }
    int code = sqlite3_prepare_v3(connection->handle, text, -1, SQLITE_PREPARE_PERSISTENT, statement, NULL);
    for (int i = 1; code == SQLITE_OK && i <= sqlite3_bind_parameter_count(*statement); i++) {
        assert(atoi(sqlite3_bind_parameter_name(*statement, i) + 1) == i);
    }
    return error_of(connection, code);
}

static sqlite3_file *log_of(const struct connection *connection) {
    sqlite3_file *log = NULL;
    int code = sqlite3_file_control(connection->handle, "main", SQLITE_FCNTL_JOURNAL_POINTER, &log);
    assert(code == SQLITE_OK);
    (void)code;
    return log;
}

static enum err step(struct connection *connection, enum database_move move) {
    enum err err = prepare(connection, move_texts[move], &connection->moves[move]);
    if (err == OK) {
        err = error_of(connection, sqlite3_step(connection->moves[move]));
        sqlite3_reset(connection->moves[move]);
    }
    return err;
}

/* With the right to write, which the log's mending needs. */
static enum err begin(struct connection *connection) {
    enum err err = step(connection, DATABASE_BEGIN);
    if (err == OK && (err = error_of(connection, log_file_mend(log_of(connection)))) != OK) {
        (void)!step(connection, DATABASE_ROLLBACK);
    }
    return err;
}

static enum err sync_written(struct database *database) {
    struct connection *connection = connection_of(database);
    sqlite3_file *log = log_of(connection);
    if (log->pMethods->xSync(log, SQLITE_SYNC_NORMAL) == SQLITE_OK) {
        return OK;
    }
    enum err err = begin(connection);
    return err != OK ? err : step(connection, DATABASE_ROLLBACK);
}

/* After a commit: one that wrote nothing has synced nothing, either. */
static enum err sync_before(struct connection *connection) {
    bool owes = !connection->relaxed && log_file_owes(log_of(connection));
    return owes ? sync_written(&connection->base) : OK;
}

static enum err move(struct database *database, enum database_move move) {
    struct connection *connection = connection_of(database);
    enum err err = move == DATABASE_BEGIN ? begin(connection) : step(connection, move);
    if (err != OK) {
        return err;
    }
    return move == DATABASE_UNDO     ? step(connection, DATABASE_RELEASE)
           : move == DATABASE_COMMIT ? sync_before(connection)
                                     : OK;
}

/* NORMAL syncs the log before its pages are copied into the database, and where it begins anew, but not at a commit. */
static enum err relax(struct database *database, bool relaxed) {
    struct connection *connection = connection_of(database);
    if (connection->relaxed == relaxed) {
        return OK;
    }
    enum err err = script(database, relaxed ? "PRAGMA synchronous = NORMAL" : "PRAGMA synchronous = FULL");
    if (err == OK) {
        connection->relaxed = relaxed;
    }
    return err;
}

static void rest(struct database *database) {
    sqlite3_db_release_memory(connection_of(database)->handle);
}

static bool in_transaction(struct database *database) {
    return !sqlite3_get_autocommit(connection_of(database)->handle);
}

static int bind(sqlite3_stmt *statement, int index, const struct value *value) {
    const char *bytes = value->text.len > 0 ? value->text.ptr : "";
    switch (value->kind) {
    case VALUE_I64:
        return sqlite3_bind_int64(statement, index, value->number);
    case VALUE_TEXT:
        return sqlite3_bind_text64(statement, index, bytes, value->text.len, SQLITE_STATIC, SQLITE_UTF8);
    case VALUE_BYTES:
        return sqlite3_bind_blob64(statement, index, bytes, value->text.len, SQLITE_STATIC);
    }
    return SQLITE_MISUSE;
}

static void finish(struct cursor *cursor) {
    sqlite3_reset(cursor->handle);
    sqlite3_clear_bindings(cursor->handle);
}

static enum err start(struct database *database, enum sql id, const struct value *values, size_t count,
                      struct cursor *ret) {
    struct connection *connection = connection_of(database);
    enum err err = prepare(connection, texts[id], &connection->statements[id]);
    if (err != OK) {
        return err;
    }
    sqlite3_stmt *statement = connection->statements[id];
    assert(!sqlite3_stmt_busy(statement));
    assert(sqlite3_bind_parameter_count(statement) == (int)count);
    struct cursor cursor = { .database = database, .handle = statement };
    for (size_t i = 0; i < count; i++) {
        err = values[i].text.len > VALUE_SIZE_MAX ? ERR_REQUEST_TOO_LARGE
                                                  : error_of(connection, bind(statement, (int)i + 1, &values[i]));
        if (err != OK) {
            finish(&cursor);
            return err;
        }
    }
    *ret = cursor;
    return OK;
}

static enum err next(struct cursor *cursor, bool *ret_row) {
    int code = sqlite3_step(cursor->handle);
    enum err err = error_of(connection_of(cursor->database), code);
    if (err == OK) {
        *ret_row = code == SQLITE_ROW;
    }
    return err;
}

static int64_t column_i64(const struct cursor *cursor, int column) {
    return sqlite3_column_int64(cursor->handle, column);
}

static struct text column_text(const struct cursor *cursor, int column) {
    const char *bytes = sqlite3_column_blob(cursor->handle, column);
    int count = sqlite3_column_bytes(cursor->handle, column);
    return bytes == NULL ? TEXT("") : (struct text){ bytes, (size_t)count };
}

static int64_t changed(struct database *database) {
    return sqlite3_changes64(connection_of(database)->handle);
}

/* The first column of the first row of a text that is not kept prepared. */
static enum err get_number(struct connection *connection, const char *sql, int64_t *ret) {
    sqlite3_stmt *statement = NULL;
    int code = sqlite3_prepare_v2(connection->handle, sql, -1, &statement, NULL);
    if (code == SQLITE_OK && (code = sqlite3_step(statement)) == SQLITE_ROW) {
        *ret = sqlite3_column_int64(statement, 0);
    }
    sqlite3_finalize(statement);
    return error_of(connection, code);
}

static enum err get_version(struct database *database, int64_t *ret) {
    struct connection *connection = connection_of(database);
    int64_t version = 0, application = 0, tables = 0;
    enum err err = get_number(connection, "SELECT count(*) FROM sqlite_schema", &tables);
    if (err == OK) {
        err = get_number(connection, "PRAGMA application_id", &application);
    }
    if (err == OK) {
        err = get_number(connection, "PRAGMA user_version", &version);
    }
    if (err != OK) {
        return err;
    }
    bool empty = application == 0 && tables == 0 && version == 0;
    if (application != APPLICATION_ID && !empty) {
        return ERR_CORRUPT;
    }
    *ret = version;
    return OK;
}

static enum err set_version(struct database *database, int64_t version) {
    char sql[128];
    snprintf(sql, sizeof(sql), "PRAGMA application_id = %d; PRAGMA user_version = %lld", APPLICATION_ID,
             (long long)version);
    return script(database, sql);
}

static enum err adopt(struct database *database) {
    return script(database, "PRAGMA journal_mode = WAL");
}

const struct database_engine database_sqlite = {
    .open = open_connection,
    .close = close_connection,
    .move = move,
    .relax = relax,
    .sync = sync_written,
    .rest = rest,
    .in_transaction = in_transaction,
    .start = start,
    .next = next,
    .column_i64 = column_i64,
    .column_text = column_text,
    .finish = finish,
    .changed = changed,
    .get_version = get_version,
    .set_version = set_version,
    .adopt = adopt,
    .script = script,
    .explain = explain,
};
