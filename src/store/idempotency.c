/* Idempotency keys: which task came of which key, as long as the same may be asked for again. */
#include "store/inside.h"
#include "store/tx.h"

static struct text fingerprint_text(const struct idempotency_row *row) {
    return (struct text){ row->fingerprint, strnlen(row->fingerprint, sizeof(row->fingerprint) - 1) };
}

void store_tx_add_idempotency(struct store_tx *tx, const struct idempotency_row *row, int64_t now_ms) {
    int64_t changed = store_tx_change(tx, SQL_ADD_IDEMPOTENCY,
                                      VALUES(V_I64(row->account), V_I64(row->book), V_TEXT(row->name),
                                             V_TEXT(fingerprint_text(row)), V_TEXT(task_id_text(&row->task)),
                                             V_I64(row->estimated_s), V_I64(row->expires_ms), V_I64(now_ms)));
    if (changed == 0) {
        store_tx_fail(tx, ERR_IDEMPOTENCY_KEY_REUSED);
    }
}

enum err store_find_idempotency(struct store *store, int64_t account, enum book book, struct text name,
                                int64_t now_ms, struct idempotency_row *ret) {
    struct reading reading scoped(store_reading_end) = { 0 };
    enum err err = store_reading_start(&reading, store, SQL_FIND_IDEMPOTENCY,
                                       VALUES(V_I64(account), V_I64(book), V_TEXT(name), V_I64(now_ms)));
    if (err != OK || (err = store_reading_only(&reading)) != OK) {
        return err;
    }
    struct idempotency_row row = { .account = account, .book = book, .name = name };
    store_column_string(&reading.cursor, 0, row.fingerprint, sizeof(row.fingerprint));
    store_column_string(&reading.cursor, 1, row.task.string, sizeof(row.task.string));
    row.estimated_s = column_i64(&reading.cursor, 2);
    row.expires_ms = column_i64(&reading.cursor, 3);
    *ret = row;
    return OK;
}

enum err store_idempotency_expired(struct store *store, int64_t now_ms, bool *ret) {
    struct reading reading scoped(store_reading_end) = { 0 };
    enum err err = store_reading_start(&reading, store, SQL_FIND_OLD_IDEMPOTENCY, VALUES(V_I64(now_ms)));
    return err == OK ? store_reading_next(&reading, ret) : err;
}

void store_tx_drop_idempotency(struct store_tx *tx, int64_t now_ms, unsigned limit) {
    store_tx_change(tx, SQL_DROP_IDEMPOTENCY, VALUES(V_I64(now_ms), V_I64(limit)));
}
