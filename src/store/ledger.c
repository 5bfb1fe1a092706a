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
    enum err err = store_sums_move_balance(tx, entry, covered ? 0 : -MONEY_MAX, top);
    if (err != OK) {
        store_tx_fail(tx, err == ERR_OUT_OF_RANGE && covered ? ERR_INSUFFICIENT_QUOTA : err);
    }
}

int64_t store_tx_balance(struct store_tx *tx, int64_t account, enum book book) {
    int64_t balance = 0;
    (void)store_sums_balance(tx, account, book, &balance);
    return balance;
}

static void add_entry(struct store_tx *tx, const struct ledger_row *entry) {
    if (!entry_sound(entry)) {
        store_tx_fail(tx, ERR_OUT_OF_RANGE);
    }
    int64_t sequence = store_sums_next_entry(tx, entry->account);
    store_tx_change(tx, SQL_ADD_LEDGER,
                    VALUES(V_I64(entry->account), V_I64(sequence), V_I64(entry->book), V_I64(entry->kind), V_I64(entry->microcredits),
                           V_I64(entry->charged), V_TEXT(task_id_text(&entry->task)), V_I64(entry->at_ms),
                           V_TEXT(entry->note)));
}

void store_tx_add_ledger(struct store_tx *tx, const struct ledger_row *entry) {
    add_entry(tx, entry);
    if (entry->kind == LEDGER_SETTLE) {
        check_reservation(tx, entry);
    }
    if (entry->kind == LEDGER_ADJUST && entry->microcredits < 0) {
        tx->touches_access = true; /* who knows the balance from before has to look again */
    }
    move_balance(tx, entry);
}

void store_tx_add_bill(struct store_tx *tx, const struct task_row *task, int64_t at_ms) {
    struct ledger_row entry = { .account = task->account, .book = task->book, .task = task->id, .at_ms = at_ms };
    if (task->charged + task->refunded != task->reserved) { /* L3 */
        store_tx_fail(tx, ERR_CONFLICT);
    }
    entry.kind = LEDGER_RESERVE;
    entry.microcredits = -task->reserved;
    add_entry(tx, &entry);
    entry.kind = LEDGER_SETTLE;
    entry.microcredits = task->refunded;
    entry.charged = task->charged;
    add_entry(tx, &entry);
    entry.microcredits = -task->charged; /* what the two come to */
    move_balance(tx, &entry);
}

int64_t store_tx_returned(struct store_tx *tx, int64_t account, const struct task_id *task) {
    int64_t returned = 0;
    (void)store_tx_number(tx, &returned, SQL_FIND_RETURNED, VALUES(V_I64(account), V_TEXT(task_id_text(task))));
    return returned;
}

void store_tx_return_charge(struct store_tx *tx, const struct task_row *task, const struct ledger_row *entry) {
    int64_t returned = store_tx_returned(tx, task->account, &task->id);
    if (!task_state_final(task->state)) {
        store_tx_fail(tx, ERR_TASK_OPEN);
    } else if (entry->kind != LEDGER_ADJUST || entry->microcredits < 0 ||
               entry->microcredits > task->charged - returned) {
        store_tx_fail(tx, ERR_OUT_OF_RANGE);
    }
    store_tx_add_ledger(tx, entry);
    store_usage_returned(tx, task, entry->microcredits);
}

int64_t store_tx_last_entry(struct store_tx *tx, int64_t account) {
    int64_t sequence = 0;
    (void)store_tx_number(tx, &sequence, SQL_LAST_ENTRY, VALUES(V_I64(account)));
    return sequence;
}

void store_tx_add_reference(struct store_tx *tx, const struct credit_reference *reference) {
    store_tx_change(tx, SQL_ADD_REFERENCE,
                    VALUES(V_I64(reference->account), V_TEXT(reference->reference), V_I64(reference->sequence),
                           V_I64(reference->microcredits), V_TEXT(task_id_text(&reference->task))));
}

bool store_tx_find_reference(struct store_tx *tx, struct credit_reference *reference) {
    struct cursor cursor;
    if (!store_tx_find(tx, &cursor, SQL_FIND_REFERENCE,
                       VALUES(V_I64(reference->account), V_TEXT(reference->reference)))) {
        return false;
    }
    reference->sequence = column_i64(&cursor, 0);
    reference->microcredits = column_i64(&cursor, 1);
    store_column_string(&cursor, 2, reference->task.string, sizeof(reference->task.string));
    store_tx_found(&cursor);
    return true;
}

/* ---- reading ---- */

static enum err list_ledger(struct store *store, enum sql id, const struct value *values, size_t count,
                            bool (*each)(const struct ledger_row *, void *), void *context) {
    struct reading reading scoped(store_reading_end) = { 0 };
    enum err err = store_reading_start(&reading, store, id, values, count);
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

enum err store_list_ledger(struct store *store, int64_t account, bool (*each)(const struct ledger_row *, void *),
                           void *context) {
    return list_ledger(store, SQL_LIST_LEDGER, VALUES(V_I64(account)), each, context);
}

enum err store_list_ledger_part(struct store *store, const struct ledger_filter *filter,
                                bool (*each)(const struct ledger_row *, void *), void *context) {
    return list_ledger(store, SQL_LIST_LEDGER_PART,
                       VALUES(V_I64(filter->account), V_I64(filter->after), V_I64(filter->last),
                              V_I64(filter->from_ms), V_I64(filter->to_ms), V_I64(filter->limit)),
                       each, context);
}

static enum err read_number(struct store *store, enum sql id, const struct value *values, size_t count, int64_t *ret) {
    struct reading reading scoped(store_reading_end) = { 0 };
    enum err err = store_reading_start(&reading, store, id, values, count);
    if (err == OK) {
        err = store_reading_only(&reading);
    }
    if (err == OK) {
        *ret = column_i64(&reading.cursor, 0);
    }
    return err;
}

/* Sequences have no gaps, and entries are dated shortly before they are written. */
enum err store_find_entry_before(struct store *store, int64_t account, int64_t at_ms, int64_t *ret) {
    int64_t low = 0, high = 0; /* entry `low` is from before (0: there is none), the one after `high` is not */
    enum err err = read_number(store, SQL_LAST_ENTRY, VALUES(V_I64(account)), &high);
    while (err == OK && low < high) {
        int64_t middle = low + (high - low + 1) / 2, entry_ms = 0;
        err = read_number(store, SQL_ENTRY_TIME, VALUES(V_I64(account), V_I64(middle)), &entry_ms);
        if (err == OK && entry_ms < at_ms) {
            low = middle;
        } else {
            high = middle - 1;
        }
    }
    if (err == OK) {
        *ret = low;
    }
    return err;
}
