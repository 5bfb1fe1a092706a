/* The ledger and the balances that move with it (L1, L3). */
#include "store/inside.h"
#include "store/tx.h"

_Static_assert(LEDGER_CREDIT == 0 && LEDGER_RESERVE == 1 && LEDGER_SETTLE == 2 && LEDGER_ADJUST == 3,
               "these numbers are stored");

const char *ledger_kind_name(enum ledger_kind kind) {
    static const char *const names[LEDGER_KIND_COUNT] = {
        [LEDGER_CREDIT] = "credit", [LEDGER_RESERVE] = "reserve", [LEDGER_SETTLE] = "settle", [LEDGER_ADJUST] = "adjust"
    };
    return (unsigned)kind < LEDGER_KIND_COUNT ? names[kind] : "unknown";
}

/* What an entry must be by itself. */
static bool entry_sound(const struct ledger_row *entry) {
    if (entry->microcredits > MONEY_MAX || entry->microcredits < -MONEY_MAX) {
        return false;
    }
    bool of_task = entry->task.string[0] != '\0';
    switch (entry->kind) {
    case LEDGER_RESERVE:
        return of_task && entry->microcredits <= 0 && entry->charged == 0;
    case LEDGER_SETTLE:
        return of_task && entry->microcredits >= 0 && entry->charged >= 0 && entry->charged <= MONEY_MAX;
    default:
        return entry->charged == 0;
    }
}

/* L3: a settlement gives back and keeps exactly what its task reserved, in the same book. */
static void check_reservation(struct store_tx *tx, const struct ledger_row *entry) {
    int64_t reserved = 0;
    struct text task = task_id_text(&entry->task);
    if (!store_tx_number(tx, &reserved, SQL_FIND_RESERVATION,
                         VALUES(V_I64(entry->account), V_TEXT(task), V_I64(entry->book)))) {
        store_tx_fail(tx, ERR_NOT_FOUND);
    } else if (entry->microcredits + entry->charged != -reserved) {
        store_tx_fail(tx, ERR_CONFLICT);
    }
}

/* The live book is never drawn below zero; both stay where sums are safe. A settlement is not held to the top, which a
 * credit may have reached meanwhile: its task could never end. What it gives back was in the balance once. */
static void move_balance(struct store_tx *tx, const struct ledger_row *entry) {
    bool covered = entry->book == BOOK_LIVE && entry->microcredits < 0;
    int64_t top = entry->kind == LEDGER_SETTLE ? INT64_MAX - MONEY_MAX : MONEY_MAX;
    int64_t balance;
    int64_t moved = store_tx_change(tx, SQL_MOVE_BALANCE,
                                    VALUES(V_I64(entry->microcredits), V_I64(entry->charged), V_I64(entry->account),
                                           V_I64(entry->book), V_I64(covered ? 0 : -MONEY_MAX), V_I64(top)));
    if (moved > 0 || tx->err != OK) {
        return;
    }
    bool found = store_tx_number(tx, &balance, SQL_FIND_BALANCE, VALUES(V_I64(entry->account), V_I64(entry->book)));
    store_tx_fail(tx, !found ? ERR_NOT_FOUND : covered ? ERR_INSUFFICIENT_QUOTA : ERR_OUT_OF_RANGE);
}

int64_t store_tx_balance(struct store_tx *tx, int64_t account, enum book book) {
    int64_t balance = 0;
    (void)store_tx_number(tx, &balance, SQL_FIND_BALANCE, VALUES(V_I64(account), V_I64(book)));
    return balance;
}

void store_tx_add_ledger(struct store_tx *tx, const struct ledger_row *entry) {
    if (!entry_sound(entry)) {
        store_tx_fail(tx, ERR_OUT_OF_RANGE);
    }
    store_tx_change(tx, SQL_ADD_LEDGER,
                    VALUES(V_I64(entry->account), V_I64(entry->book), V_I64(entry->kind), V_I64(entry->microcredits),
                           V_I64(entry->charged), V_TEXT(task_id_text(&entry->task)), V_I64(entry->at_ms),
                           V_TEXT(entry->note)));
    if (entry->kind == LEDGER_SETTLE) {
        check_reservation(tx, entry);
    }
    move_balance(tx, entry);
}

enum err store_list_ledger(struct store *store, int64_t account, bool (*each)(const struct ledger_row *, void *),
                           void *context) {
    struct reading reading scoped(store_reading_end) = { 0 };
    enum err err = store_reading_start(&reading, store, SQL_LIST_LEDGER, VALUES(V_I64(account)));
    for (bool row; err == OK && (err = store_reading_next(&reading, &row)) == OK && row;) {
        const struct cursor *cursor = &reading.cursor;
        struct ledger_row entry = {
            .sequence = column_i64(cursor, 0),
            .account = column_i64(cursor, 1),
            .book = (enum book)column_i64(cursor, 2),
            .kind = (enum ledger_kind)column_i64(cursor, 3),
            .microcredits = column_i64(cursor, 4),
            .charged = column_i64(cursor, 5),
            .at_ms = column_i64(cursor, 7),
            .note = column_text(cursor, 8),
        };
        store_column_string(cursor, 6, entry.task.string, sizeof(entry.task.string));
        if (!each(&entry, context)) {
            break;
        }
    }
    return err;
}
