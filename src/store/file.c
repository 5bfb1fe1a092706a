/* Files that clients have uploaded, and the space that an account's files take. */
#include "store/inside.h"
#include "store/tx.h"

#define LIST_LIMIT 100

/* FILE_COLUMNS; the texts point into the cursor's row. */
static struct file_row file_of(const struct cursor *cursor) {
    struct file_row row = {
        .account = column_i64(cursor, 0),
        .sequence = column_i64(cursor, 2),
        .size = column_i64(cursor, 4),
        .created_ms = column_i64(cursor, 5),
        .expires_ms = column_i64(cursor, 6),
        .media_type = column_text(cursor, 7),
        .name = column_text(cursor, 8),
    };
    store_column_string(cursor, 1, row.id.string, sizeof(row.id.string));
    store_column_string(cursor, 3, row.hash, sizeof(row.hash));
    return row;
}

/* ---- verbs ---- */

/* The first row without its texts; false when there is none, or after a failure. */
static bool find_one(struct store_tx *tx, struct file_row *ret, enum sql id, const struct value *values, size_t count) {
    struct cursor cursor;
    if (!store_tx_find(tx, &cursor, id, values, count)) {
        return false;
    }
    *ret = file_of(&cursor);
    ret->media_type = ret->name = TEXT_NONE;
    store_tx_found(&cursor);
    return true;
}

static void remove_row(struct store_tx *tx, const struct file_row *file) {
    store_tx_change_one(tx, SQL_REMOVE_FILE, VALUES(V_I64(file->account), V_TEXT(file_id_text(&file->id))));
    store_tx_change_one(tx, SQL_GIVE_SPACE, VALUES(V_I64(file->size), V_I64(file->account)));
}

bool store_tx_remove_file(struct store_tx *tx, int64_t account, const struct file_id *id, struct file_row *ret) {
    struct file_row file;
    if (!find_one(tx, &file, SQL_FIND_FILE, VALUES(V_I64(account), V_TEXT(file_id_text(id))))) {
        return false;
    }
    remove_row(tx, &file);
    *ret = file;
    return store_tx_error(tx) == OK;
}

static bool fits(struct store_tx *tx, const struct file_row *file, int64_t quota) {
    int64_t bytes = 0, files = 0;
    (void)!store_tx_number(tx, &bytes, SQL_FIND_SPACE, VALUES(V_I64(file->account)));
    (void)!store_tx_number(tx, &files, SQL_COUNT_FILES, VALUES(V_I64(file->account)));
    return (quota == 0 || bytes <= quota - file->size) && files < FILES_OF_ACCOUNT_MAX;
}

void store_tx_add_file(struct store_tx *tx, const struct file_row *file, int64_t quota, bool evicts,
                       void (*gone)(const struct file_row *file, void *context), void *context) {
    if (quota > 0 && file->size > quota) {
        store_tx_fail(tx, ERR_FILE_TOO_LARGE);
    }
    while (store_tx_error(tx) == OK && !fits(tx, file, quota)) {
        struct file_row old;
        bool found = find_one(tx, &old, SQL_FIND_EXPIRED_FILE, VALUES(V_I64(file->account), V_I64(file->created_ms)));
        if (!found && evicts) {
            found = find_one(tx, &old, SQL_FIND_OLDEST_FILE, VALUES(V_I64(file->account)));
        }
        if (!found) {
            store_tx_fail(tx, ERR_STORAGE_FULL);
            return;
        }
        remove_row(tx, &old);
        gone(&old, context);
    }
    store_tx_change(tx, SQL_TAKE_SPACE, VALUES(V_I64(file->account), V_I64(file->size)));
    struct text hash = { file->hash, strnlen(file->hash, SHA256_HEX_SIZE - 1) };
    store_tx_change(tx, SQL_ADD_FILE,
                    VALUES(V_I64(file->account), V_TEXT(file_id_text(&file->id)), V_TEXT(hash), V_I64(file->size),
                           V_I64(file->created_ms), V_I64(file->expires_ms), V_TEXT(file->media_type),
                           V_TEXT(file->name)));
}

/* ---- reading ---- */

enum err store_find_file(struct store *store, int64_t account, const struct file_id *id, struct arena *arena,
                         struct file_row *ret) {
    struct reading reading scoped(store_reading_end) = { 0 };
    enum err err =
        store_reading_start(&reading, store, SQL_FIND_FILE, VALUES(V_I64(account), V_TEXT(file_id_text(id))));
    if (err != OK || (err = store_reading_only(&reading)) != OK) {
        return err;
    }
    struct file_row row = file_of(&reading.cursor);
    row.media_type = arena_text(arena, row.media_type);
    row.name = arena_text(arena, row.name);
    if (row.media_type.ptr == NULL || row.name.ptr == NULL) {
        return ERR_NO_MEMORY;
    }
    *ret = row;
    return OK;
}

static enum err list_files(struct store *store, enum sql id, const struct value *values, size_t count,
                           bool (*each)(const struct file_row *, void *), void *context) {
    struct reading reading scoped(store_reading_end) = { 0 };
    enum err err = store_reading_start(&reading, store, id, values, count);
    for (bool row; err == OK && (err = store_reading_next(&reading, &row)) == OK && row;) {
        const struct file_row file = file_of(&reading.cursor);
        if (!each(&file, context)) {
            break;
        }
    }
    return err;
}

enum err store_list_files(struct store *store, const struct file_filter *filter,
                          bool (*each)(const struct file_row *, void *), void *context) {
    /* Where the file of the cursor is gone, its moment takes its place: nothing is left out. */
    int64_t created_s = filter->after != NULL ? file_id_created_s(filter->after) : 0;
    int64_t until_ms = filter->after != NULL && created_s < INT64_MAX / 1000 - 1 ? (created_s + 1) * 1000 : INT64_MAX;
    struct text after = filter->after != NULL ? file_id_text(filter->after) : TEXT("");
    return list_files(store, SQL_LIST_FILES,
                      VALUES(V_I64(filter->account), V_TEXT(after), V_I64(until_ms), V_I64(filter->now_ms),
                             V_I64(filter->limit > 0 ? filter->limit : LIST_LIMIT)),
                      each, context);
}

enum err store_list_expired_files(struct store *store, int64_t now_ms, unsigned limit,
                                  bool (*each)(const struct file_row *, void *), void *context) {
    return list_files(store, SQL_LIST_EXPIRED_FILES, VALUES(V_I64(now_ms), V_I64(limit)), each, context);
}

enum err store_file_space(struct store *store, int64_t account, int64_t *ret_bytes, int64_t *ret_files) {
    struct reading reading scoped(store_reading_end) = { 0 };
    bool row = false;
    enum err err = store_reading_start(&reading, store, SQL_FIND_SPACE, VALUES(V_I64(account)));
    if (err != OK || (err = store_reading_next(&reading, &row)) != OK) {
        return err;
    }
    *ret_bytes = row ? column_i64(&reading.cursor, 0) : 0;
    *ret_files = row ? column_i64(&reading.cursor, 1) : 0;
    return OK;
}
