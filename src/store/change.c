/* The record of what operators changed. It only grows. */
#include "store/inside.h"
#include "store/tx.h"

void store_tx_add_change(struct store_tx *tx, const struct change_row *change) {
    store_tx_change(tx, SQL_ADD_CHANGE,
                    VALUES(V_I64(change->at_ms), V_TEXT(change->actor), V_TEXT(change->action), V_I64(change->account),
                           V_TEXT(change->object), V_TEXT(change->detail)));
}

enum err store_list_changes(struct store *store, int64_t account, int64_t before, unsigned limit,
                            bool (*each)(const struct change_row *, void *), void *context) {
    struct reading reading scoped(store_reading_end) = { 0 };
    enum err err = store_reading_start(&reading, store, SQL_LIST_CHANGES,
                                       VALUES(V_I64(account), V_I64(before > 0 ? before : INT64_MAX), V_I64(limit)));
    for (bool row; err == OK && (err = store_reading_next(&reading, &row)) == OK && row;) {
        const struct change_row change = {
            .number = column_i64(&reading.cursor, 0),
            .at_ms = column_i64(&reading.cursor, 1),
            .actor = column_text(&reading.cursor, 2),
            .action = column_text(&reading.cursor, 3),
            .account = column_i64(&reading.cursor, 4),
            .object = column_text(&reading.cursor, 5),
            .detail = column_text(&reading.cursor, 6),
        };
        if (!each(&change, context)) {
            break;
        }
    }
    return err;
}
