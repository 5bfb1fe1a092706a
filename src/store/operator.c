/* Operators: their keys, and what they have paused. */
#include "store/inside.h"
#include "store/tx.h"

_Static_assert(PAUSE_PROVIDER == 0 && PAUSE_MODEL == 1 && PAUSE_KIND_COUNT == 2, "these numbers are stored");

static struct text string_text(const char *string, size_t size) {
    return (struct text){ string, strnlen(string, size - 1) };
}

/* ADMIN_KEY_COLUMNS */
static struct key_row key_of(const struct cursor *cursor) {
    struct key_row row = {
        .id = column_i64(cursor, 0),
        .created_ms = column_i64(cursor, 4),
        .expires_ms = column_i64(cursor, 5),
        .revoked_ms = column_i64(cursor, 6),
    };
    struct text hash = column_text(cursor, 1);
    memcpy(row.hash, hash.ptr, hash.len < KEY_HASH_SIZE ? hash.len : KEY_HASH_SIZE);
    store_column_string(cursor, 2, row.prefix, sizeof(row.prefix));
    store_column_string(cursor, 3, row.name, sizeof(row.name));
    return row;
}

/* ---- verbs ---- */

void store_tx_add_admin_key(struct store_tx *tx, struct key_row *key) {
    int64_t id = 0;
    bool added = store_tx_number(tx, &id, SQL_ADD_ADMIN_KEY,
                                 VALUES(V_BYTES(key->hash, KEY_HASH_SIZE), V_TEXT(string_text(key->prefix, sizeof(key->prefix))),
                                        V_TEXT(string_text(key->name, sizeof(key->name))), V_I64(key->created_ms),
                                        V_I64(key->expires_ms), V_I64(key->revoked_ms)));
    if (added) {
        key->id = id;
        tx->touches_access = true;
    }
}

void store_tx_revoke_admin_key(struct store_tx *tx, int64_t id, int64_t now_ms) {
    store_tx_change_one(tx, SQL_REVOKE_ADMIN_KEY, VALUES(V_I64(now_ms), V_I64(id)));
    tx->touches_access = true;
}

bool store_tx_add_pause(struct store_tx *tx, const struct pause_row *pause) {
    bool changed = store_tx_change(tx, SQL_ADD_PAUSE,
                                   VALUES(V_I64(pause->kind), V_TEXT(pause->name), V_I64(pause->at_ms),
                                          V_TEXT(pause->actor), V_TEXT(pause->reason))) > 0;
    tx->touches_access |= changed;
    return changed;
}

bool store_tx_drop_pause(struct store_tx *tx, enum pause_kind kind, struct text name) {
    bool changed = store_tx_change(tx, SQL_DROP_PAUSE, VALUES(V_I64(kind), V_TEXT(name))) > 0;
    tx->touches_access |= changed;
    return changed;
}

/* ---- reading ---- */

enum err store_find_admin_key(struct store *store, const uint8_t hash[KEY_HASH_SIZE], struct key_row *ret) {
    struct reading reading scoped(store_reading_end) = { 0 };
    enum err err = store_reading_start(&reading, store, SQL_FIND_ADMIN_KEY, VALUES(V_BYTES(hash, KEY_HASH_SIZE)));
    if (err != OK || (err = store_reading_only(&reading)) != OK) {
        return err;
    }
    *ret = key_of(&reading.cursor);
    return OK;
}

enum err store_list_admin_keys(struct store *store, bool (*each)(const struct key_row *, void *), void *context) {
    struct reading reading scoped(store_reading_end) = { 0 };
    enum err err = store_reading_start(&reading, store, SQL_LIST_ADMIN_KEYS, NO_VALUES);
    for (bool row; err == OK && (err = store_reading_next(&reading, &row)) == OK && row;) {
        struct key_row key = key_of(&reading.cursor);
        if (!each(&key, context)) {
            break;
        }
    }
    return err;
}

enum err store_list_pauses(struct store *store, bool (*each)(const struct pause_row *, void *), void *context) {
    struct reading reading scoped(store_reading_end) = { 0 };
    enum err err = store_reading_start(&reading, store, SQL_LIST_PAUSES, NO_VALUES);
    for (bool row; err == OK && (err = store_reading_next(&reading, &row)) == OK && row;) {
        const struct pause_row pause = {
            .kind = (enum pause_kind)column_i64(&reading.cursor, 0),
            .name = column_text(&reading.cursor, 1),
            .at_ms = column_i64(&reading.cursor, 2),
            .actor = column_text(&reading.cursor, 3),
            .reason = column_text(&reading.cursor, 4),
        };
        if (!each(&pause, context)) {
            break;
        }
    }
    return err;
}
