/* Streams that have ended: their chunks, as long as somebody may still read them. */
#include "store/inside.h"
#include "store/tx.h"

void store_tx_add_stream(struct store_tx *tx, int64_t account, const struct task_id *id, int64_t expires_ms,
                         struct text chunks) {
    store_tx_change(tx, SQL_ADD_STREAM,
                    VALUES(V_I64(account), V_TEXT(task_id_text(id)), V_I64(expires_ms), V_TEXT(chunks)));
}

void store_tx_drop_streams(struct store_tx *tx, int64_t now_ms, unsigned limit) {
    store_tx_change(tx, SQL_DROP_STREAMS, VALUES(V_I64(now_ms), V_I64(limit)));
}

enum err store_find_stream(struct store *store, int64_t account, const struct task_id *id, int64_t now_ms,
                           struct arena *arena, struct text *ret) {
    struct reading reading scoped(store_reading_end) = { 0 };
    enum err err = store_reading_start(&reading, store, SQL_FIND_STREAM,
                                       VALUES(V_I64(account), V_TEXT(task_id_text(id)), V_I64(now_ms)));
    if (err != OK || (err = store_reading_only(&reading)) != OK) {
        return err;
    }
    struct text chunks = arena_text(arena, column_text(&reading.cursor, 0));
    if (chunks.ptr == NULL) {
        return ERR_NO_MEMORY;
    }
    *ret = chunks;
    return OK;
}

enum err store_streams_expired(struct store *store, int64_t now_ms, bool *ret) {
    struct reading reading scoped(store_reading_end) = { 0 };
    enum err err = store_reading_start(&reading, store, SQL_FIND_OLD_STREAM, VALUES(V_I64(now_ms)));
    return err == OK ? store_reading_next(&reading, ret) : err;
}
