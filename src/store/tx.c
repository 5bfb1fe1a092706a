/* A job's transaction: the sticky error, and running statements under it. */
#include "store/tx.h"

#include "store/give_way.h"
#include "store/inside.h"

enum err store_tx_error(const struct store_tx *tx) {
    return tx->err;
}

void store_tx_fail(struct store_tx *tx, enum err err) {
    if (tx->err == OK) {
        tx->err = err;
    }
}

int64_t store_tx_change(struct store_tx *tx, enum sql id, const struct value *values, size_t count) {
    const struct database_engine *engine = tx->database->engine;
    struct cursor cursor;
    bool row = false;
    if (tx->err != OK) {
        return 0;
    }
    tx->err = engine->start(tx->database, id, values, count, &cursor);
    if (tx->err != OK) {
        return 0;
    }
    tx->err = engine->next(&cursor, &row);
    int64_t changed = tx->err == OK ? engine->changed(tx->database) : 0;
    engine->finish(&cursor);
    give_way_after_step();
    return changed;
}

void store_tx_change_one(struct store_tx *tx, enum sql id, const struct value *values, size_t count) {
    if (store_tx_change(tx, id, values, count) == 0) {
        store_tx_fail(tx, ERR_NOT_FOUND);
    }
}

bool store_tx_find(struct store_tx *tx, struct cursor *ret, enum sql id, const struct value *values, size_t count) {
    const struct database_engine *engine = tx->database->engine;
    bool row = false;
    if (tx->err != OK || (tx->err = engine->start(tx->database, id, values, count, ret)) != OK) {
        return false;
    }
    tx->err = engine->next(ret, &row);
    if (tx->err == OK && row) {
        return true;
    }
    store_tx_found(ret);
    return false;
}

void store_tx_found(struct cursor *cursor) {
    cursor->database->engine->finish(cursor);
    give_way_after_step();
}

bool store_tx_number(struct store_tx *tx, int64_t *ret, enum sql id, const struct value *values, size_t count) {
    struct cursor cursor;
    if (!store_tx_find(tx, &cursor, id, values, count)) {
        return false;
    }
    *ret = column_i64(&cursor, 0);
    store_tx_found(&cursor);
    return true;
}
