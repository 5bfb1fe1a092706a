/* Brings a database to this program's schema: numbered scripts, all in one transaction.
 *
 * A script that was released never changes; a change of the schema is one more script. */
#include "store/inside.h"

#include <inttypes.h>

#include "base/crypto.h"

/* Embedded by migrations.S, each terminated by a NUL. */
extern const char store_migration_0001[], store_migration_0002[], store_migration_0003[], store_migration_0004[],
    store_migration_0005[], store_migration_0006[], store_migration_0007[], store_migration_0008[],
    store_migration_0009[], store_migration_0010[], store_migration_0011[], store_migration_0012[],
    store_migration_0013[];

static const char *const migrations[] = {
    store_migration_0001, store_migration_0002, store_migration_0003, store_migration_0004,
    store_migration_0005, store_migration_0006, store_migration_0007, store_migration_0008,
    store_migration_0009, store_migration_0010, store_migration_0011, store_migration_0012,
    store_migration_0013,
};
#define VERSION ((int64_t)ARRAY_SIZE(migrations))

static enum err put_meta(struct database *database, enum sql id, struct text name, const void *bytes, size_t count) {
    struct cursor cursor;
    bool row;
    enum err err = database->engine->start(database, id, VALUES(V_TEXT(name), V_BYTES(bytes, count)), &cursor);
    if (err == OK) {
        err = database->engine->next(&cursor, &row);
        database->engine->finish(&cursor);
    }
    return err;
}

/* Copies what is kept under the name; ERR_NOT_FOUND when that is nothing, or longer than size. */
static enum err get_meta(struct database *database, struct text name, void *ret, size_t size, size_t *ret_count) {
    struct cursor cursor;
    bool row = false;
    enum err err = database->engine->start(database, SQL_GET_META, VALUES(V_TEXT(name)), &cursor);
    if (err != OK) {
        return err;
    }
    err = database->engine->next(&cursor, &row);
    struct text value = err == OK && row ? column_text(&cursor, 0) : TEXT_NONE;
    if (err == OK && (!row || value.len > size)) {
        err = ERR_NOT_FOUND;
    }
    if (err == OK) {
        memcpy(ret, value.ptr, value.len);
        *ret_count = value.len;
    }
    database->engine->finish(&cursor);
    return err;
}

static enum err refuse_newer(struct database *database, const char *path, int64_t version, struct fault *fault) {
    char writer[32] = "a newer one";
    size_t length = strlen(writer);
    enum err err = get_meta(database, TEXT("fennec"), writer, sizeof(writer), &length);
    (void)err; /* then it is "a newer one" */
    return fault_set(fault, ERR_VERSION,
                     "%.300s was written by Fennec %.*s (schema %" PRId64 "), and this is Fennec " FENNEC_VERSION
                     ", which knows schemas up to %" PRId64 "; start that version or a later one. Nothing "
                     "was changed.",
                     path, (int)length, writer, version, VERSION);
}

/* Inside the transaction. */
static enum err run_missing(struct database *database, int64_t version) {
    enum err err = OK;
    for (int64_t next = version; err == OK && next < VERSION; next++) {
        err = database->engine->script(database, migrations[next]);
    }
    if (err == OK) {
        uint8_t secret[32];
        crypto_random(secret, sizeof(secret));
        err = put_meta(database, SQL_KEEP_META, TEXT("secret"), secret, sizeof(secret));
    }
    if (err == OK) {
        err = put_meta(database, SQL_PUT_META, TEXT("fennec"), FENNEC_VERSION, strlen(FENNEC_VERSION));
    }
    return err == OK ? database->engine->set_version(database, VERSION) : err;
}

static enum err migrate(struct database *database) {
    enum err err = database->engine->move(database, DATABASE_BEGIN);
    if (err != OK) {
        return err;
    }
    int64_t version = 0; /* read again: another process may have been faster */
    err = database->engine->get_version(database, &version);
    if (err == OK && version < VERSION) {
        err = run_missing(database, version);
    }
    if (err == OK) {
        err = database->engine->move(database, DATABASE_COMMIT);
    }
    return err;
}

enum err store_migrate(struct database *database, const char *path, struct fault *fault) {
    int64_t version = 0;
    enum err err = database->engine->get_version(database, &version);
    if (err == OK && version < 0) {
        err = ERR_CORRUPT; /* nobody wrote that number there */
    }
    if (err == OK && version > VERSION) {
        return refuse_newer(database, path, version, fault);
    }
    if (err == OK) {
        err = database->engine->adopt(database);
    }
    if (err == OK && version < VERSION) {
        err = migrate(database);
    }
    if (err == OK) {
        return OK;
    }
    database->engine->explain(database, err, fault); /* before a rollback, which would replace the error's words */
    if (database->engine->in_transaction(database)) {
        enum err undone = database->engine->move(database, DATABASE_ROLLBACK);
        (void)undone;
    }
    return err;
}

enum err store_read_secret(struct database *database, uint8_t ret[32], struct fault *fault) {
    uint8_t secret[32];
    size_t count = 0;
    enum err err = get_meta(database, TEXT("secret"), secret, sizeof(secret), &count);
    if (err == OK && count != sizeof(secret)) {
        err = ERR_NOT_FOUND;
    }
    if (err == ERR_NOT_FOUND) {
        return fault_set(fault, ERR_CORRUPT,
                         "The database has lost the secret that signs result URLs; restore it from a "
                         "backup.");
    }
    if (err != OK) {
        return database->engine->explain(database, err, fault);
    }
    memcpy(ret, secret, sizeof(secret));
    return OK;
}
