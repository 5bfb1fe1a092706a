/* The sums that a transaction's jobs move: balances, what keys have spent, usage (L1).
 *
 * Most jobs of a transaction move the same few rows, so what they add is gathered in memory and written once, before the
 * commit, or before the job's savepoint ends where it has one: at every commit the sums are what the entries and the tasks
 * say. Who reads a sum in the same transaction sees what is gathered. When there are more rows than fit, all are written
 * and gathering begins anew. */
#include "store/inside.h"

#include <stdio.h>

#include "store/tx.h"

void store_sums_clear(struct sums *sums) {
    sums->entries_count = sums->balance_count = sums->spending_count = sums->usage_count = 0;
}

/* ---- writing ---- */

static void write_balance(struct store_tx *tx, const struct sum_balance *sum) {
    if (sum->moved == 0 && sum->charged == 0) {
        return;
    }
    int64_t changed = store_tx_change(tx, SQL_MOVE_BALANCE,
                                      VALUES(V_I64(sum->moved), V_I64(sum->charged), V_I64(sum->account),
                                             V_I64(sum->book), V_I64(sum->balance), V_I64(sum->balance)));
    if (changed == 0) {
        store_tx_fail(tx, ERR_CONFLICT); /* it is not what was read at first: nobody else may have written */
    }
}

static void write_spending(struct store_tx *tx, const struct sum_spending *sum) {
    store_tx_change(tx, SQL_ADD_SPENDING,
                    VALUES(V_I64(sum->account), V_I64(sum->key), V_I64(sum->charged), V_I64(sum->spent),
                           V_I64(sum->day)));
}

static void write_usage(struct store_tx *tx, const struct sum_usage *sum) {
    const struct usage_row *row = &sum->row;
    store_tx_change(tx, SQL_ADD_USAGE,
                    VALUES(V_I64(sum->account), V_I64(row->day), V_I64(row->key), V_I64(sum->book),
                           V_TEXT(row->model), V_I64(row->tasks), V_I64(row->completed), V_I64(row->failed),
                           V_I64(row->charged), V_I64(row->refunded), V_I64(row->returned)));
}

void store_sums_write(struct store_tx *tx) {
    struct sums *sums = tx->sums;
    for (unsigned i = 0; i < sums->balance_count; i++) {
        write_balance(tx, &sums->balances[i]);
    }
    for (unsigned i = 0; i < sums->spending_count; i++) {
        write_spending(tx, &sums->spendings[i]);
    }
    for (unsigned i = 0; i < sums->usage_count; i++) {
        write_usage(tx, &sums->usages[i]);
    }
    store_sums_clear(sums);
}

/* ---- balances ---- */

/* The row, read at its first use; NULL when there is none, and after a failure. */
static struct sum_balance *find_balance(struct store_tx *tx, int64_t account, enum book book) {
    struct sums *sums = tx->sums;
    int64_t balance;
    for (unsigned i = 0; i < sums->balance_count; i++) {
        if (sums->balances[i].account == account && sums->balances[i].book == book) {
            return &sums->balances[i];
        }
    }
    if (!store_tx_number(tx, &balance, SQL_FIND_BALANCE, VALUES(V_I64(account), V_I64(book)))) {
        return NULL;
    }
    if (sums->balance_count == SUMS_MAX) {
        store_sums_write(tx);
    }
    struct sum_balance *sum = &sums->balances[sums->balance_count++];
    *sum = (struct sum_balance){ .account = account, .book = book, .balance = balance };
    return sum;
}

bool store_sums_balance(struct store_tx *tx, int64_t account, enum book book, int64_t *ret) {
    const struct sum_balance *sum = tx->err == OK ? find_balance(tx, account, book) : NULL;
    if (sum == NULL) {
        return false;
    }
    *ret = sum->balance;
    return true;
}

enum err store_sums_move_balance(struct store_tx *tx, const struct ledger_row *entry, int64_t least, int64_t most) {
    struct sum_balance *sum = tx->err == OK ? find_balance(tx, entry->account, entry->book) : NULL;
    if (sum == NULL) {
        return tx->err != OK ? tx->err : ERR_NOT_FOUND;
    }
    int64_t moved;
    if (__builtin_add_overflow(sum->balance, entry->microcredits, &moved) || moved < least || moved > most) {
        return ERR_OUT_OF_RANGE;
    }
    sum->balance = moved;
    sum->moved += entry->microcredits;
    sum->charged += entry->charged;
    return OK;
}

/* ---- the ledger's sequences ---- */

int64_t store_sums_next_entry(struct store_tx *tx, int64_t account) {
    struct sums *sums = tx->sums;
    for (unsigned i = 0; i < sums->entries_count; i++) {
        if (sums->entries[i].account == account) {
            return ++sums->entries[i].last;
        }
    }
    int64_t last = store_tx_last_entry(tx, account);
    if (sums->entries_count == SUMS_MAX) {
        sums->entries_count = 0; /* they are read again */
    }
    sums->entries[sums->entries_count++] = (struct sum_entries){ .account = account, .last = last + 1 };
    return last + 1;
}

/* ---- what keys have spent ---- */

void store_sums_spend(struct store_tx *tx, int64_t account, int64_t key, int64_t day, int64_t charged, int64_t spent) {
    struct sums *sums = tx->sums;
    if (tx->err != OK) {
        return;
    }
    unsigned i = 0;
    while (i < sums->spending_count && (sums->spendings[i].key != key || sums->spendings[i].account != account ||
                                        sums->spendings[i].day != day)) {
        i++;
    }
    if (i == SUMS_MAX) {
        store_sums_write(tx);
        i = 0;
    }
    if (i == sums->spending_count) {
        sums->spendings[sums->spending_count++] = (struct sum_spending){ .account = account, .key = key, .day = day };
    }
    sums->spendings[i].charged += charged;
    sums->spendings[i].spent += spent;
}

void store_sums_add_spent(const struct store_tx *tx, const struct key_row *key, struct spending *spending) {
    const struct sums *sums = tx->sums;
    for (unsigned i = 0; i < sums->spending_count; i++) {
        const struct sum_spending *sum = &sums->spendings[i];
        if (sum->account == key->account && sum->key == key->id) {
            spending_add(spending, sum->day, sum->spent);
        }
    }
}

/* ---- usage ---- */

static bool is_sum_of(const struct sum_usage *sum, int64_t account, enum book book, const struct usage_row *row) {
    return sum->account == account && sum->book == book && sum->row.day == row->day && sum->row.key == row->key &&
           text_equal(sum->row.model, row->model);
}

void store_sums_use(struct store_tx *tx, int64_t account, enum book book, const struct usage_row *more) {
    struct sums *sums = tx->sums;
    if (tx->err != OK) {
        return;
    }
    unsigned i = 0;
    while (i < sums->usage_count && !is_sum_of(&sums->usages[i], account, book, more)) {
        i++;
    }
    if (i == SUMS_MAX) {
        store_sums_write(tx);
        i = 0;
    }
    struct sum_usage *sum = &sums->usages[i];
    if (i == sums->usage_count) {
        if (more->model.len >= sizeof(sum->model)) {
            store_tx_fail(tx, ERR_TOO_LONG);
            return;
        }
        sums->usage_count++;
        *sum = (struct sum_usage){ .account = account, .book = book, .row = { .day = more->day, .key = more->key } };
        snprintf(sum->model, sizeof(sum->model), "%.*s", TEXT_ARG(more->model));
        sum->row.model = (struct text){ sum->model, more->model.len };
    }
    sum->row.tasks += more->tasks;
    sum->row.completed += more->completed;
    sum->row.failed += more->failed;
    sum->row.charged += more->charged;
    sum->row.refunded += more->refunded;
    sum->row.returned += more->returned;
}
