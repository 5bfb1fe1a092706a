/* Sums that are kept up with the tasks they are of: what each key has spent, and what was used each day (L1).
 *
 * The verbs of tasks call these in the same job, so that the sums are at every commit what the tasks say. */
#include "store/inside.h"
#include "store/tx.h"

static void add_spending(struct store_tx *tx, const struct task_row *task, int64_t charged, int64_t spent) {
    store_sums_spend(tx, task->account, task->key, budget_day_of(task->created_ms), charged, spent);
}

static void add_usage(struct store_tx *tx, const struct task_row *task, struct usage_row more) {
    more.day = budget_day_of(task->created_ms);
    more.key = task->key;
    more.model = task->model;
    store_sums_use(tx, task->account, task->book, &more);
}

void store_usage_accepted(struct store_tx *tx, const struct task_row *task) {
    add_spending(tx, task, 0, task->reserved);
    add_usage(tx, task, (struct usage_row){ .tasks = 1 });
}

void store_usage_ended(struct store_tx *tx, const struct task_row *task, bool was_open) {
    add_spending(tx, task, task->charged, was_open ? -task->refunded : task->charged);
    add_usage(tx, task, (struct usage_row){
        .tasks = was_open ? 0 : 1,
        .completed = task->state == TASK_COMPLETED,
        .failed = task->state == TASK_FAILED,
        .charged = task->charged,
        .refunded = task->refunded,
    });
}

void store_usage_returned(struct store_tx *tx, const struct task_row *task, int64_t microcredits) {
    add_spending(tx, task, 0, -microcredits);
    add_usage(tx, task, (struct usage_row){ .returned = microcredits });
}

/* ---- verbs ---- */

static struct spending spending_of(const struct cursor *cursor) {
    return (struct spending){
        .spent = column_i64(cursor, 0), .day = column_i64(cursor, 1), .day_spent = column_i64(cursor, 2)
    };
}

static struct spending read_spending(struct store_tx *tx, const struct key_row *key) {
    struct spending spending = { .spent = 0 };
    struct cursor cursor;
    if (store_tx_find(tx, &cursor, SQL_FIND_SPENDING, VALUES(V_I64(key->account), V_I64(key->id)))) {
        spending = spending_of(&cursor);
        store_tx_found(&cursor);
    }
    store_sums_add_spent(tx, key, &spending);
    return spending;
}

struct budget key_budget(const struct key_row *key) {
    return (struct budget){ .total = key->budget_total, .day = key->budget_day };
}

void store_tx_check_budget(struct store_tx *tx, const struct key_row *key, const struct spending *held, int64_t day,
                           int64_t microcredits) {
    const struct budget budget = key_budget(key);
    if (budget.total == 0 && budget.day == 0) {
        return;
    }
    const struct spending spent = read_spending(tx, key);
    enum err err = budget_check(&budget, &spent, held, day, microcredits);
    if (err != OK) {
        store_tx_fail(tx, err);
    }
}

/* ---- reading ---- */

enum err store_find_spending(struct store *store, int64_t account, int64_t key, struct spending *ret,
                             int64_t *ret_charged) {
    struct reading reading scoped(store_reading_end) = { 0 };
    enum err err = store_reading_start(&reading, store, SQL_FIND_SPENDING, VALUES(V_I64(account), V_I64(key)));
    if (err == OK) {
        err = store_reading_only(&reading);
    }
    if (err != OK && err != ERR_NOT_FOUND) {
        return err;
    }
    *ret = err == OK ? spending_of(&reading.cursor) : (struct spending){ .spent = 0 };
    *ret_charged = err == OK ? column_i64(&reading.cursor, 3) : 0;
    return OK;
}

enum err store_list_usage(struct store *store, const struct usage_filter *filter,
                          bool (*each)(const struct usage_row *, void *), void *context) {
    struct reading reading scoped(store_reading_end) = { 0 };
    enum err err = store_reading_start(
        &reading, store, SQL_SUM_USAGE,
        VALUES(V_I64(filter->by_day), V_I64(filter->by_model), V_I64(filter->by_key), V_I64(filter->account),
               V_I64(filter->from_day), V_I64(filter->to_day), V_I64(filter->book), V_I64(filter->key),
               V_TEXT(filter->model), V_I64(filter->after.day), V_TEXT(filter->after.model), V_I64(filter->after.key),
               V_I64(filter->limit)));
    for (bool row; err == OK && (err = store_reading_next(&reading, &row)) == OK && row;) {
        const struct cursor *cursor = &reading.cursor;
        const struct usage_row usage = {
            .day = column_i64(cursor, 0),
            .model = column_text(cursor, 1),
            .key = column_i64(cursor, 2),
            .tasks = column_i64(cursor, 3),
            .completed = column_i64(cursor, 4),
            .failed = column_i64(cursor, 5),
            .charged = column_i64(cursor, 6),
            .refunded = column_i64(cursor, 7),
            .returned = column_i64(cursor, 8),
        };
        if (!each(&usage, context)) {
            break;
        }
    }
    return err;
}
