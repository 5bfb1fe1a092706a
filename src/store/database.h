/* One connection to a database, whichever it is: what an engine offers, so that the verbs are written once.
 *
 * Statements are known by number (store/statements.h); an engine prepares each on first use and keeps it. A connection
 * and its cursors belong to one thread at a time. Errors are the store's own codes, never the engine's. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/errors.h"
#include "base/text.h"
#include "store/statements.h"

struct database_engine;

/* The head of every engine's connection. */
struct database {
    const struct database_engine *engine;
};

/* What goes into a statement's $1, $2, …; bytes are borrowed until the cursor is finished. */
struct value {
    enum { VALUE_I64, VALUE_TEXT, VALUE_BYTES } kind;
    int64_t number;
    struct text text;
};
#define V_I64(n) ((struct value){ .kind = VALUE_I64, .number = (n) })
#define V_TEXT(t) ((struct value){ .kind = VALUE_TEXT, .text = (t) })
#define V_STRING(s) V_TEXT(text_of(s))
#define V_BYTES(bytes, count) ((struct value){ .kind = VALUE_BYTES, .text = { (const char *)(bytes), (count) } })
/* An array of values and its length, as two arguments. */
#define VALUES(...)                                                                                                    \
    (const struct value[]){ __VA_ARGS__ }, sizeof((struct value[]){ __VA_ARGS__ }) / sizeof(struct value)
#define NO_VALUES NULL, 0
/* A longer text or blob is ERR_REQUEST_TOO_LARGE (S3). */
#define VALUE_SIZE_MAX ((size_t)64 << 20)

/* A statement that runs. */
struct cursor {
    struct database *database;
    void *handle;
};

enum database_role { DATABASE_WRITES, DATABASE_READS, DATABASE_ROLE_COUNT };

/* BEGIN takes the right to write at once, waiting some seconds for it, and fails while what was committed before could not be
 * made durable; UNDO ends the savepoint and takes back what was done since, RELEASE ends it and keeps that. */
enum database_move {
    DATABASE_BEGIN,
    DATABASE_COMMIT,
    DATABASE_ROLLBACK,
    DATABASE_SAVEPOINT,
    DATABASE_UNDO,
    DATABASE_RELEASE,
    DATABASE_MOVE_COUNT
};

struct database_engine {
    /* Changes nothing in the database. */
    enum err (*open)(const char *address, enum database_role role, struct database **ret, struct fault *fault);
    void (*close)(struct database *database);

    enum err (*move)(struct database *database, enum database_move move);
    /* Whether commits from here on are only written: the end of the process does them no harm, but a power loss may take them,
     * the latest first, until one that is synced or `sync` has come. At first each is synced. Outside a transaction. */
    enum err (*relax)(struct database *database, bool relaxed);
    /* Makes durable what was only written; outside a transaction. */
    enum err (*sync)(struct database *database);
    /* Gives back what memory it can do without; outside a transaction. */
    void (*rest)(struct database *database);
    /* Whether a transaction is open: a failing statement may have ended it. */
    bool (*in_transaction)(struct database *database);

    /* Binds the values to $1, $2, …; `finish` must follow unless it failed. */
    enum err (*start)(struct database *database, enum sql id, const struct value *values, size_t count,
                      struct cursor *ret);
    /* Runs to the next row, whose columns count from 0 and are valid until the next call, or to the end. */
    enum err (*next)(struct cursor *cursor, bool *ret_row);
    int64_t (*column_i64)(const struct cursor *cursor, int column);
    struct text (*column_text)(const struct cursor *cursor, int column);
    void (*finish)(struct cursor *cursor);
    /* Rows that the last statement that ran to its end inserted, updated or deleted. */
    int64_t (*changed)(struct database *database);

    /* The schema's version, 0 for an empty database. ERR_CORRUPT when it is no database, or not ours. */
    enum err (*get_version)(struct database *database, int64_t *ret);
    enum err (*set_version)(struct database *database, int64_t version);
    /* Makes the settings that stay in the database; outside a transaction, again and again without harm. */
    enum err (*adopt)(struct database *database);
    /* Several statements, separated by semicolons. */
    enum err (*script)(struct database *database, const char *sql);

    /* Puts the connection's last error into a sentence that says what a person can do; returns err. */
    enum err (*explain)(struct database *database, enum err err, struct fault *fault);
};

extern const struct database_engine database_sqlite;
