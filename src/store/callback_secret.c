/* The secrets that sign an account's callbacks: one is current, one before it may sign on for a while. */
#include "store/callback.h"
#include "store/inside.h"

void store_tx_ensure_callback_secret(struct store_tx *tx, int64_t account, struct text secret, int64_t now_ms) {
    store_tx_change(tx, SQL_ENSURE_CALLBACK_SECRET, VALUES(V_I64(account), V_TEXT(secret), V_I64(now_ms)));
}

void store_tx_rotate_callback_secret(struct store_tx *tx, int64_t account, struct text secret, int64_t now_ms,
                                     int64_t until_ms) {
    store_tx_change(tx, SQL_DROP_CALLBACK_SECRETS, VALUES(V_I64(account), V_I64(0)));
    store_tx_change(tx, SQL_END_CALLBACK_SECRET, VALUES(V_I64(until_ms > now_ms ? until_ms : now_ms), V_I64(account)));
    store_tx_change(tx, SQL_ADD_CALLBACK_SECRET, VALUES(V_I64(account), V_TEXT(secret), V_I64(now_ms)));
}

void store_tx_revoke_callback_secrets(struct store_tx *tx, int64_t account, int64_t now_ms, int64_t *ret_count) {
    int64_t expired = store_tx_change(tx, SQL_DROP_CALLBACK_SECRETS, VALUES(V_I64(account), V_I64(now_ms)));
    (void)expired;
    *ret_count = store_tx_change(tx, SQL_DROP_CALLBACK_SECRETS, VALUES(V_I64(account), V_I64(0)));
}

enum err store_list_callback_secrets(struct store *store, int64_t account, int64_t now_ms,
                                     struct callback_secret_row ret[CALLBACK_SECRETS_MAX], unsigned *ret_count) {
    struct reading reading scoped(store_reading_end) = { 0 };
    unsigned count = 0;
    enum err err = store_reading_start(&reading, store, SQL_LIST_CALLBACK_SECRETS,
                                       VALUES(V_I64(account), V_I64(now_ms), V_I64(CALLBACK_SECRETS_MAX)));
    for (bool row; err == OK && (err = store_reading_next(&reading, &row)) == OK && row;) {
        struct callback_secret_row *secret = &ret[count++];
        *secret = (struct callback_secret_row){
            .account = account,
            .number = (int)column_i64(&reading.cursor, 0),
            .created_ms = column_i64(&reading.cursor, 2),
            .expires_ms = column_i64(&reading.cursor, 3),
        };
        store_column_string(&reading.cursor, 1, secret->secret, sizeof(secret->secret));
    }
    if (err == OK) {
        *ret_count = count;
    }
    return err;
}
