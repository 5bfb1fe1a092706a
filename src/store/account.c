/* Accounts and API keys. */
#include "store/inside.h"
#include "store/tx.h"

_Static_assert(BOOK_LIVE == 0 && BOOK_TEST == 1, "these numbers are stored");

static struct text name_text(const char *name) {
    return (struct text){ name, strnlen(name, NAME_SIZE - 1) };
}

static bool name_fits(struct text name) {
    return name.len > 0 && name.len < NAME_SIZE;
}

/* ACCOUNT_COLUMNS, from `first` on. */
static struct account_row account_of(const struct cursor *cursor, int first) {
    struct account_row row = {
        .id = column_i64(cursor, first),
        .created_ms = column_i64(cursor, first + 3),
        .balance = { column_i64(cursor, first + 4), column_i64(cursor, first + 5) },
        .charged = { column_i64(cursor, first + 6), column_i64(cursor, first + 7) },
        .suspended_ms = column_i64(cursor, first + 8),
    };
    store_column_string(cursor, first + 1, row.name, sizeof(row.name));
    store_column_string(cursor, first + 2, row.group, sizeof(row.group));
    return row;
}

#define KEY_COLUMN_COUNT 13
static struct key_row key_of(const struct cursor *cursor) {
    struct key_row row = {
        .id = column_i64(cursor, 0),
        .account = column_i64(cursor, 1),
        .book = (enum book)column_i64(cursor, 2),
        .created_ms = column_i64(cursor, 6),
        .expires_ms = column_i64(cursor, 7),
        .revoked_ms = column_i64(cursor, 8),
        .requests_per_minute = column_i64(cursor, 9),
        .concurrency = column_i64(cursor, 10),
        .budget_total = column_i64(cursor, 11),
        .budget_day = column_i64(cursor, 12),
    };
    struct text hash = column_text(cursor, 3);
    memcpy(row.hash, hash.ptr, hash.len < KEY_HASH_SIZE ? hash.len : KEY_HASH_SIZE);
    store_column_string(cursor, 4, row.prefix, sizeof(row.prefix));
    store_column_string(cursor, 5, row.name, sizeof(row.name));
    return row;
}

/* ---- verbs ---- */

static void add_balances(struct store_tx *tx, int64_t account) {
    for (int book = 0; book < BOOK_COUNT; book++) {
        store_tx_change(tx, SQL_ADD_BALANCE, VALUES(V_I64(account), V_I64(book)));
    }
}

void store_tx_ensure_account(struct store_tx *tx, struct text name, struct text group, int64_t now_ms,
                             int64_t *ret_id) {
    int64_t id = 0;
    if (!name_fits(name) || group.len >= NAME_SIZE) {
        store_tx_fail(tx, ERR_TOO_LONG);
    }
    struct text first_group = group.len > 0 ? group : TEXT("default");
    bool fresh = store_tx_change(tx, SQL_ADD_ACCOUNT, VALUES(V_TEXT(name), V_TEXT(first_group), V_I64(now_ms))) > 0;
    if (!store_tx_number(tx, &id, SQL_FIND_ACCOUNT, VALUES(V_TEXT(name)))) {
        store_tx_fail(tx, ERR_NOT_FOUND);
        return;
    }
    if (fresh) {
        add_balances(tx, id);
    } else if (group.len > 0) {
        tx->touches_access |= store_tx_change(tx, SQL_SET_GROUP, VALUES(V_TEXT(group), V_I64(id))) > 0;
    }
    tx->touches_access |= fresh;
    if (tx->err == OK) {
        *ret_id = id;
    }
}

void store_tx_add_account(struct store_tx *tx, struct text name, struct text group, int64_t now_ms, int64_t *ret_id) {
    int64_t id = 0;
    if (!name_fits(name) || !name_fits(group)) {
        store_tx_fail(tx, ERR_TOO_LONG);
    }
    if (store_tx_number(tx, &id, SQL_ADD_NEW_ACCOUNT, VALUES(V_TEXT(name), V_TEXT(group), V_I64(now_ms)))) {
        add_balances(tx, id);
        tx->touches_access = true;
    }
    if (tx->err == OK) {
        *ret_id = id;
    }
}

bool store_tx_find_account(struct store_tx *tx, struct text name, int64_t *ret_id) {
    return store_tx_number(tx, ret_id, SQL_FIND_ACCOUNT, VALUES(V_TEXT(name)));
}

bool store_tx_set_group(struct store_tx *tx, int64_t account, struct text group) {
    if (!name_fits(group)) {
        store_tx_fail(tx, ERR_TOO_LONG);
    }
    bool changed = store_tx_change(tx, SQL_SET_GROUP, VALUES(V_TEXT(group), V_I64(account))) > 0;
    tx->touches_access |= changed;
    return changed;
}

bool store_tx_set_suspended(struct store_tx *tx, int64_t account, int64_t suspended_ms) {
    bool changed = store_tx_change(tx, SQL_SET_SUSPENDED, VALUES(V_I64(suspended_ms), V_I64(account))) > 0;
    tx->touches_access |= changed;
    return changed;
}

bool store_tx_find_key(struct store_tx *tx, int64_t account, int64_t id, struct key_row *ret) {
    struct cursor cursor;
    if (!store_tx_find(tx, &cursor, SQL_FIND_KEY_BY_ID, VALUES(V_I64(account), V_I64(id)))) {
        return false;
    }
    *ret = key_of(&cursor);
    store_tx_found(&cursor);
    return true;
}

void store_tx_set_key(struct store_tx *tx, const struct key_row *key) {
    store_tx_change_one(tx, SQL_SET_KEY,
                        VALUES(V_TEXT(name_text(key->name)), V_I64(key->requests_per_minute), V_I64(key->concurrency),
                               V_I64(key->budget_total), V_I64(key->budget_day), V_I64(key->account), V_I64(key->id)));
    tx->touches_access = true;
}

void store_tx_revoke_key_by_id(struct store_tx *tx, int64_t account, int64_t id, int64_t now_ms) {
    store_tx_change_one(tx, SQL_REVOKE_KEY_BY_ID, VALUES(V_I64(now_ms), V_I64(account), V_I64(id)));
    tx->touches_access = true;
}

void store_tx_add_key(struct store_tx *tx, struct key_row *key) {
    struct text prefix = { key->prefix, strnlen(key->prefix, KEY_PREFIX_SIZE - 1) };
    int64_t id = 0;
    bool added = store_tx_number(tx, &id, SQL_ADD_KEY,
                                 VALUES(V_I64(key->account), V_I64(key->book), V_BYTES(key->hash, KEY_HASH_SIZE),
                                        V_TEXT(prefix), V_TEXT(name_text(key->name)), V_I64(key->created_ms),
                                        V_I64(key->expires_ms), V_I64(key->revoked_ms),
                                        V_I64(key->requests_per_minute), V_I64(key->concurrency),
                                        V_I64(key->budget_total), V_I64(key->budget_day)));
    if (added) {
        key->id = id;
        tx->touches_access = true;
    }
}

/* ---- reading ---- */

enum err store_find_key_by_id(struct store *store, int64_t account, int64_t id, struct key_row *ret) {
    struct reading reading scoped(store_reading_end) = { 0 };
    enum err err = store_reading_start(&reading, store, SQL_FIND_KEY_BY_ID, VALUES(V_I64(account), V_I64(id)));
    if (err != OK || (err = store_reading_only(&reading)) != OK) {
        return err;
    }
    *ret = key_of(&reading.cursor);
    return OK;
}

enum err store_find_key(struct store *store, const uint8_t hash[KEY_HASH_SIZE], struct key_row *ret_key,
                        struct account_row *ret_account) {
    struct reading reading scoped(store_reading_end) = { 0 };
    enum err err = store_reading_start(&reading, store, SQL_FIND_KEY, VALUES(V_BYTES(hash, KEY_HASH_SIZE)));
    if (err != OK || (err = store_reading_only(&reading)) != OK) {
        return err;
    }
    *ret_key = key_of(&reading.cursor);
    *ret_account = account_of(&reading.cursor, KEY_COLUMN_COUNT);
    return OK;
}

static enum err find_account(struct store *store, enum sql id, struct value value, struct account_row *ret) {
    struct reading reading scoped(store_reading_end) = { 0 };
    enum err err = store_reading_start(&reading, store, id, &value, 1);
    if (err != OK || (err = store_reading_only(&reading)) != OK) {
        return err;
    }
    *ret = account_of(&reading.cursor, 0);
    return OK;
}

enum err store_find_account(struct store *store, struct text name, struct account_row *ret) {
    return find_account(store, SQL_FIND_ACCOUNT, V_TEXT(name), ret);
}

enum err store_find_account_by_id(struct store *store, int64_t id, struct account_row *ret) {
    return find_account(store, SQL_FIND_ACCOUNT_BY_ID, V_I64(id), ret);
}

enum err store_list_accounts(struct store *store, bool (*each)(const struct account_row *, void *), void *context) {
    struct reading reading scoped(store_reading_end) = { 0 };
    enum err err = store_reading_start(&reading, store, SQL_LIST_ACCOUNTS, NO_VALUES);
    for (bool row; err == OK && (err = store_reading_next(&reading, &row)) == OK && row;) {
        struct account_row account = account_of(&reading.cursor, 0);
        if (!each(&account, context)) {
            break;
        }
    }
    return err;
}

enum err store_list_accounts_after(struct store *store, struct text after, struct text prefix, unsigned limit,
                                   bool (*each)(const struct account_row *, void *), void *context) {
    struct reading reading scoped(store_reading_end) = { 0 };
    enum err err = store_reading_start(&reading, store, SQL_LIST_ACCOUNTS_AFTER,
                                       VALUES(V_TEXT(after), V_TEXT(prefix), V_I64(limit)));
    for (bool row; err == OK && (err = store_reading_next(&reading, &row)) == OK && row;) {
        struct account_row account = account_of(&reading.cursor, 0);
        if (!each(&account, context)) {
            break;
        }
    }
    return err;
}

enum err store_list_keys(struct store *store, int64_t account, bool (*each)(const struct key_row *, void *),
                         void *context) {
    struct reading reading scoped(store_reading_end) = { 0 };
    enum err err = store_reading_start(&reading, store, SQL_LIST_KEYS, VALUES(V_I64(account)));
    for (bool row; err == OK && (err = store_reading_next(&reading, &row)) == OK && row;) {
        struct key_row key = key_of(&reading.cursor);
        if (!each(&key, context)) {
            break;
        }
    }
    return err;
}
