/* Tasks and their inputs. */
#include "store/inside.h"
#include "store/tx.h"

_Static_assert(TASK_PENDING == 0 && TASK_PROCESSING == 1 && TASK_COMPLETED == 2 && TASK_FAILED == 3 &&
                   TASK_STATE_COUNT == 4,
               "these numbers are stored, and partial indexes name them");
_Static_assert(TASK_IMAGE == 0 && TASK_VIDEO == 1 && TASK_AUDIO == 2 && TASK_LLM == 3 && TASK_DOCUMENT == 4 &&
                   TASK_TYPE_COUNT == 5,
               "these numbers are stored");
_Static_assert(BILLING_PER_CALL == 0 && BILLING_PER_SECOND == 1 && BILLING_PER_IMAGE == 2 && BILLING_PER_TOKEN == 3 &&
                   BILLING_RULE_COUNT == 4,
               "these numbers are stored");

#define LIST_LIMIT 100
#define TASK_COLUMN_COUNT 22
/* A longer input is not kept in the task's row, which is rewritten at every move and has to stay within one page. */
#define INPUT_IN_ROW_MAX 1024

/* TASK_COLUMNS; the texts point into the cursor's row. */
static struct task_row task_of(const struct cursor *cursor) {
    struct task_row row = {
        .account = column_i64(cursor, 0),
        .key = column_i64(cursor, 2),
        .book = (enum book)column_i64(cursor, 3),
        .type = (enum task_type)column_i64(cursor, 4),
        .state = (enum task_state)column_i64(cursor, 5),
        .progress = (int)column_i64(cursor, 6),
        .billing = (enum billing_rule)column_i64(cursor, 7),
        .created_ms = column_i64(cursor, 9),
        .started_ms = column_i64(cursor, 10),
        .finished_ms = column_i64(cursor, 11),
        .reserved = column_i64(cursor, 12),
        .charged = column_i64(cursor, 13),
        .refunded = column_i64(cursor, 14),
        .model = column_text(cursor, 15),
        .group = column_text(cursor, 16),
        .results = column_text(cursor, 17),
        .error_message = column_text(cursor, 18),
        .streams = column_i64(cursor, 19) != 0,
        .result_ttl_s = column_i64(cursor, 20),
        .calls_back = column_i64(cursor, 21) != 0,
    };
    struct text error = column_text(cursor, 8);
    if (error.len > 0 && !task_error_parse(error, &row.error)) {
        row.error = TASK_ERROR_UNKNOWN; /* a code that a later version wrote */
    }
    store_column_string(cursor, 1, row.id.string, sizeof(row.id.string));
    return row;
}

/* Moves *text into the arena; false when it is full. */
static bool keep(struct arena *arena, struct text *text) {
    *text = arena_text(arena, *text);
    return text->ptr != NULL;
}

/* ---- verbs ---- */

static void add_row(struct store_tx *tx, const struct task_row *task) {
    store_tx_change(tx, SQL_ADD_TASK,
                    VALUES(V_I64(task->account), V_TEXT(task_id_text(&task->id)), V_I64(task->key), V_I64(task->book),
                           V_I64(task->type), V_I64(task->state), V_I64(task->progress), V_I64(task->billing),
                           V_STRING(task_error_code(task->error)), V_I64(task->created_ms), V_I64(task->started_ms),
                           V_I64(task->finished_ms), V_I64(task->reserved), V_I64(task->charged), V_I64(task->refunded),
                           V_TEXT(task->model), V_TEXT(task->group), V_TEXT(task->results),
                           V_TEXT(task->error_message), V_I64(task->streams), V_I64(task->result_ttl_s),
                           V_I64(task->calls_back)));
}

/* What a new task does not have yet is in the statement. */
static void add_open_row(struct store_tx *tx, const struct task_row *task, struct text input) {
    store_tx_change(tx, SQL_ADD_OPEN_TASK,
                    VALUES(V_I64(task->account), V_TEXT(task_id_text(&task->id)), V_I64(task->key), V_I64(task->book),
                           V_I64(task->type), V_I64(task->billing), V_I64(task->created_ms), V_I64(task->reserved),
                           V_TEXT(task->model), V_TEXT(task->group), V_I64(task->streams), V_I64(task->result_ttl_s),
                           V_I64(task->calls_back), V_TEXT(input)));
}

void store_tx_add_task(struct store_tx *tx, const struct task_row *task, struct text input) {
    if (task->state != TASK_PENDING) {
        store_tx_fail(tx, ERR_CONFLICT);
    }
    bool apart = input.len == 0 || input.len > INPUT_IN_ROW_MAX;
    add_open_row(tx, task, apart ? TEXT("") : input);
    if (apart) {
        store_tx_change(tx, SQL_ADD_INPUT, VALUES(V_I64(task->account), V_TEXT(task_id_text(&task->id)), V_TEXT(input)));
    }
    store_usage_accepted(tx, task);
}

void store_tx_add_final_task(struct store_tx *tx, const struct task_row *task) {
    if (!task_state_final(task->state) || task->finished_ms == 0 || task->charged + task->refunded != task->reserved) {
        store_tx_fail(tx, ERR_CONFLICT);
    }
    add_row(tx, task);
    store_usage_ended(tx, task, false);
}

/* Why a move changed nothing: no such task, a final one (T1), or one in another state. */
static enum err why_unmoved(struct store_tx *tx, const struct task_row *task) {
    int64_t state;
    if (!store_tx_number(tx, &state, SQL_FIND_STATE, VALUES(V_I64(task->account), V_TEXT(task_id_text(&task->id))))) {
        return ERR_NOT_FOUND;
    }
    return task_state_final((enum task_state)state) ? ERR_TASK_FINAL : ERR_CONFLICT;
}

void store_tx_move_task(struct store_tx *tx, const struct task_row *task, enum task_state from) {
    int64_t moved = store_tx_change(tx, SQL_MOVE_TASK,
                                    VALUES(V_I64(task->state), V_I64(task->progress), V_I64(task->started_ms),
                                           V_I64(task->finished_ms), V_I64(task->reserved), V_I64(task->charged),
                                           V_I64(task->refunded), V_TEXT(task->results),
                                           V_STRING(task_error_code(task->error)), V_TEXT(task->error_message),
                                           V_I64(task->account), V_TEXT(task_id_text(&task->id)), V_I64(from)));
    if (moved == 0 && tx->err == OK) {
        store_tx_fail(tx, why_unmoved(tx, task));
    }
    if (task_state_final(task->state)) {
        store_usage_ended(tx, task, true);
    }
}

void store_tx_raise_progress(struct store_tx *tx, int64_t account, const struct task_id *id, int progress) {
    store_tx_change(tx, SQL_RAISE_PROGRESS, VALUES(V_I64(progress), V_I64(account), V_TEXT(task_id_text(id))));
}

void store_tx_drop_inputs(struct store_tx *tx, int64_t account, const struct task_id *id, int64_t now_ms) {
    struct text task = task_id_text(id);
    store_tx_change(tx, SQL_DROP_INPUT, VALUES(V_I64(account), V_TEXT(task)));
    store_tx_change(tx, SQL_EXPIRE_INPUTS, VALUES(V_I64(now_ms), V_I64(account), V_TEXT(task)));
}

/* ---- reading ---- */

static enum err find_task(struct reading *reading, struct arena *arena, struct task_row *ret) {
    enum err err = store_reading_only(reading);
    if (err != OK) {
        return err;
    }
    struct task_row row = task_of(&reading->cursor);
    if (!keep(arena, &row.model) || !keep(arena, &row.group) || !keep(arena, &row.results) ||
        !keep(arena, &row.error_message)) {
        return ERR_NO_MEMORY;
    }
    *ret = row;
    return OK;
}

enum err store_find_task(struct store *store, int64_t account, const struct task_id *id, struct arena *arena,
                         struct task_row *ret) {
    struct reading reading scoped(store_reading_end) = { 0 };
    enum err err =
        store_reading_start(&reading, store, SQL_FIND_TASK, VALUES(V_I64(account), V_TEXT(task_id_text(id))));
    return err != OK ? err : find_task(&reading, arena, ret);
}

enum err store_find_task_of_any(struct store *store, const struct task_id *id, struct arena *arena,
                                struct task_row *ret) {
    struct reading reading scoped(store_reading_end) = { 0 };
    enum err err = store_reading_start(&reading, store, SQL_FIND_TASK_OF_ANY, VALUES(V_TEXT(task_id_text(id))));
    return err != OK ? err : find_task(&reading, arena, ret);
}

enum err store_load_input(struct store *store, int64_t account, const struct task_id *id, struct arena *arena,
                          struct text *ret) {
    struct reading reading scoped(store_reading_end) = { 0 };
    enum err err =
        store_reading_start(&reading, store, SQL_LOAD_INPUT, VALUES(V_I64(account), V_TEXT(task_id_text(id))));
    if (err != OK || (err = store_reading_only(&reading)) != OK) {
        return err;
    }
    struct text input = column_text(&reading.cursor, 0);
    if (!keep(arena, &input)) {
        return ERR_NO_MEMORY;
    }
    *ret = input;
    return OK;
}

static enum err list_tasks(struct store *store, enum sql id, const struct value *values, size_t count,
                           bool (*each)(const struct task_row *, void *), void *context) {
    struct reading reading scoped(store_reading_end) = { 0 };
    enum err err = store_reading_start(&reading, store, id, values, count);
    for (bool row; err == OK && (err = store_reading_next(&reading, &row)) == OK && row;) {
        struct task_row task = task_of(&reading.cursor);
        if (!each(&task, context)) {
            break;
        }
    }
    return err;
}

enum err store_list_tasks(struct store *store, const struct task_filter *filter,
                          bool (*each)(const struct task_row *, void *), void *context) {
    struct value limit = V_I64(filter->limit != 0 ? filter->limit : LIST_LIMIT);
    struct value account = V_I64(filter->account);
    struct value state = V_I64(filter->state != NULL ? (int)*filter->state : -1);
    if (filter->state != NULL && !task_state_final(*filter->state)) {
        return list_tasks(store, SQL_LIST_OPEN_TASKS_IN, VALUES(state, account, limit), each, context);
    }
    if (filter->account != 0) {
        return list_tasks(store, SQL_LIST_TASKS_OF_ACCOUNT, VALUES(account, state, limit), each, context);
    }
    return list_tasks(store, SQL_LIST_TASKS, VALUES(state, limit), each, context);
}

static enum err last_number(struct store *store, int64_t *ret) {
    struct reading reading scoped(store_reading_end) = { 0 };
    enum err err = store_reading_start(&reading, store, SQL_LAST_TASK, NO_VALUES);
    if (err != OK || (err = store_reading_only(&reading)) != OK) {
        return err;
    }
    *ret = column_i64(&reading.cursor, 0);
    return OK;
}

enum err store_list_task_page(struct store *store, const struct task_page *page,
                              bool (*each)(const struct task_row *, void *), void *context, int64_t *ret_next) {
    struct reading reading scoped(store_reading_end) = { 0 };
    int64_t before = page->before, last = 0;
    unsigned count = 0;
    enum err err = before > 0 ? OK : last_number(store, &last);
    before = before > 0 ? before : last + 1;
    int64_t from = before > TASK_PAGE_SCAN ? before - TASK_PAGE_SCAN : 1, next = from > 1 ? from : 0;
    if (err == OK) {
        err = store_reading_start(&reading, store, SQL_LIST_TASK_PAGE,
                                  VALUES(V_I64(before), V_I64(from), V_I64(page->account), V_I64(page->state),
                                         V_I64(page->type), V_TEXT(page->model), V_TEXT(page->provider),
                                         V_I64((int64_t)page->limit + 1)));
    }
    for (bool row; err == OK && (err = store_reading_next(&reading, &row)) == OK && row;) {
        struct task_row task = task_of(&reading.cursor);
        if (count++ == page->limit) {
            next = column_i64(&reading.cursor, TASK_COLUMN_COUNT) + 1;
            break;
        }
        if (!each(&task, context)) {
            break;
        }
    }
    if (err == OK) {
        *ret_next = next;
    }
    return err;
}

enum err store_list_open_tasks(struct store *store, bool (*each)(const struct task_row *, void *), void *context) {
    return list_tasks(store, SQL_LIST_OPEN_TASKS, NO_VALUES, each, context);
}

enum err store_list_durations(struct store *store, struct text model, unsigned limit, bool (*each)(int64_t ms, void *),
                              void *context) {
    struct reading reading scoped(store_reading_end) = { 0 };
    enum err err = store_reading_start(&reading, store, SQL_LIST_DURATIONS, VALUES(V_TEXT(model), V_I64(limit)));
    for (bool row; err == OK && (err = store_reading_next(&reading, &row)) == OK && row;) {
        if (!each(column_i64(&reading.cursor, 0), context)) {
            break;
        }
    }
    return err;
}

/* The number of the task that a list goes on behind. */
static enum err find_number(struct store *store, int64_t account, const struct task_id *id, int64_t *ret) {
    struct reading reading scoped(store_reading_end) = { 0 };
    enum err err =
        store_reading_start(&reading, store, SQL_FIND_NUMBER, VALUES(V_I64(account), V_TEXT(task_id_text(id))));
    if (err != OK || (err = store_reading_only(&reading)) != OK) {
        return err;
    }
    *ret = column_i64(&reading.cursor, 0);
    return OK;
}

static enum sql statement_of(const struct task_scan *scan) {
    if (scan->state == NULL || *scan->state == TASK_COMPLETED) {
        return SQL_SCAN_TASKS;
    }
    return *scan->state == TASK_FAILED ? SQL_SCAN_FAILED_TASKS : SQL_SCAN_OPEN_TASKS;
}

enum err store_scan_tasks(struct store *store, const struct task_scan *scan,
                          bool (*each)(const struct task_brief *, void *), void *context) {
    struct reading reading scoped(store_reading_end) = { 0 };
    int64_t before = INT64_MAX;
    enum err err = scan->after != NULL ? find_number(store, scan->account, scan->after, &before) : OK;
    if (err == OK) {
        err = store_reading_start(&reading, store, statement_of(scan),
                                  VALUES(V_I64(scan->account), V_I64(before), V_I64(scan->limit)));
    }
    for (bool row; err == OK && (err = store_reading_next(&reading, &row)) == OK && row;) {
        struct task_brief brief = {
            .state = (enum task_state)column_i64(&reading.cursor, 1),
            .type = (enum task_type)column_i64(&reading.cursor, 2),
            .model = column_text(&reading.cursor, 3),
        };
        store_column_string(&reading.cursor, 0, brief.id.string, sizeof(brief.id.string));
        if (!each(&brief, context)) {
            break;
        }
    }
    return err;
}
