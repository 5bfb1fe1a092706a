/* Attempts (T3) and the timeline's events. */
#include "store/inside.h"
#include "store/tx.h"

_Static_assert(ATTEMPT_STARTED == 0 && ATTEMPT_SUCCEEDED == 1 && ATTEMPT_FAILED == 2 && ATTEMPT_ABANDONED == 3 &&
                   ATTEMPT_STATE_COUNT == 4,
               "these numbers are stored");

const char *attempt_state_name(enum attempt_state state) {
    static const char *const names[ATTEMPT_STATE_COUNT] = { [ATTEMPT_STARTED] = "started",
                                                            [ATTEMPT_SUCCEEDED] = "succeeded",
                                                            [ATTEMPT_FAILED] = "failed",
                                                            [ATTEMPT_ABANDONED] = "abandoned" };
    return (unsigned)state < ATTEMPT_STATE_COUNT ? names[state] : "unknown";
}

void store_tx_add_attempt(struct store_tx *tx, const struct attempt_row *attempt) {
    store_tx_change(tx, SQL_ADD_ATTEMPT,
                    VALUES(V_I64(attempt->account), V_TEXT(task_id_text(&attempt->task)), V_I64(attempt->number),
                           V_I64(attempt->state), V_I64(attempt->started_ms), V_I64(attempt->ended_ms),
                           V_TEXT(attempt->provider), V_TEXT(attempt->remote), V_TEXT(attempt->detail),
                           V_TEXT(attempt->target), V_TEXT(attempt->credential), V_TEXT(attempt->kept)));
}

void store_tx_set_attempt_remote(struct store_tx *tx, int64_t account, const struct task_id *id, int number,
                                 struct text remote, struct text kept) {
    store_tx_change_one(tx, SQL_SET_ATTEMPT_REMOTE,
                        VALUES(V_TEXT(remote), V_TEXT(kept), V_I64(account), V_TEXT(task_id_text(id)), V_I64(number)));
}

void store_tx_end_attempt(struct store_tx *tx, const struct attempt_row *attempt) {
    store_tx_change_one(tx, SQL_END_ATTEMPT,
                        VALUES(V_I64(attempt->state), V_I64(attempt->ended_ms), V_TEXT(attempt->remote),
                               V_TEXT(attempt->detail), V_I64(attempt->account), V_TEXT(task_id_text(&attempt->task)),
                               V_I64(attempt->number)));
}

void store_tx_add_event(struct store_tx *tx, const struct event_row *event) {
    store_tx_change(tx, SQL_ADD_EVENT,
                    VALUES(V_I64(event->account), V_TEXT(task_id_text(&event->task)), V_I64(event->at_ms),
                           V_TEXT(event->kind), V_TEXT(event->data)));
}

void store_tx_add_event_at(struct store_tx *tx, const struct event_row *event, int64_t sequence) {
    store_tx_change(tx, SQL_ADD_EVENT_AT,
                    VALUES(V_I64(event->account), V_TEXT(task_id_text(&event->task)), V_I64(sequence),
                           V_I64(event->at_ms), V_TEXT(event->kind), V_TEXT(event->data)));
}

enum err store_list_attempts(struct store *store, int64_t account, const struct task_id *id,
                             bool (*each)(const struct attempt_row *, void *), void *context) {
    struct reading reading scoped(store_reading_end) = { 0 };
    enum err err =
        store_reading_start(&reading, store, SQL_LIST_ATTEMPTS, VALUES(V_I64(account), V_TEXT(task_id_text(id))));
    for (bool row; err == OK && (err = store_reading_next(&reading, &row)) == OK && row;) {
        const struct cursor *cursor = &reading.cursor;
        struct attempt_row attempt = {
            .account = column_i64(cursor, 0),
            .number = (int)column_i64(cursor, 2),
            .state = (enum attempt_state)column_i64(cursor, 3),
            .started_ms = column_i64(cursor, 4),
            .ended_ms = column_i64(cursor, 5),
            .provider = column_text(cursor, 6),
            .remote = column_text(cursor, 7),
            .detail = column_text(cursor, 8),
            .target = column_text(cursor, 9),
            .credential = column_text(cursor, 10),
            .kept = column_text(cursor, 11),
        };
        store_column_string(cursor, 1, attempt.task.string, sizeof(attempt.task.string));
        if (!each(&attempt, context)) {
            break;
        }
    }
    return err;
}

/* *ret_more becomes false when `each` wants no more. */
static enum err list_events(struct reading *reading, bool with_data, bool (*each)(const struct event_row *, void *),
                            void *context, bool *ret_more) {
    enum err err = OK;
    for (bool row; err == OK && (err = store_reading_next(reading, &row)) == OK && row;) {
        const struct cursor *cursor = &reading->cursor;
        struct event_row event = {
            .account = column_i64(cursor, 0),
            .sequence = (int)column_i64(cursor, 2),
            .at_ms = column_i64(cursor, 3),
            .kind = column_text(cursor, 4),
            .data = with_data ? column_text(cursor, 5) : TEXT_NONE,
        };
        store_column_string(cursor, 1, event.task.string, sizeof(event.task.string));
        if (!each(&event, context)) {
            *ret_more = false;
            break;
        }
    }
    return err;
}

/* A task's acceptance needs no row: all that is to be said of it is in the task's own. Nor does the first dispatch of a
 * call, which is in its first attempt's. Tasks that begin otherwise, or that an earlier version accepted, have rows with these
 * sequences. */
static enum err list_unwritten(struct store *store, int64_t account, const struct task_id *id, int after, bool with_data,
                               bool (*each)(const struct event_row *, void *), void *context, bool *ret_more) {
    struct reading reading scoped(store_reading_end) = { 0 };
    enum err err = store_reading_start(&reading, store, SQL_LIST_UNWRITTEN_EVENTS,
                                       VALUES(V_I64(account), V_TEXT(task_id_text(id)), V_I64(after)));
    return err == OK ? list_events(&reading, with_data, each, context, ret_more) : err;
}

enum err store_list_events(struct store *store, int64_t account, const struct task_id *id,
                           bool (*each)(const struct event_row *, void *), void *context) {
    bool more = true;
    enum err err = list_unwritten(store, account, id, 0, true, each, context, &more);
    if (err != OK || !more) {
        return err;
    }
    struct reading reading scoped(store_reading_end) = { 0 };
    err = store_reading_start(&reading, store, SQL_LIST_EVENTS, VALUES(V_I64(account), V_TEXT(task_id_text(id))));
    return err == OK ? list_events(&reading, true, each, context, &more) : err;
}

enum err store_list_events_after(struct store *store, int64_t account, const struct task_id *id, int after,
                                 bool (*each)(const struct event_row *, void *), void *context) {
    bool more = true;
    enum err err = after < 2 ? list_unwritten(store, account, id, after, false, each, context, &more) : OK;
    if (err != OK || !more) {
        return err;
    }
    struct reading reading scoped(store_reading_end) = { 0 };
    err = store_reading_start(&reading, store, SQL_LIST_EVENTS_AFTER,
                              VALUES(V_I64(account), V_TEXT(task_id_text(id)), V_I64(after)));
    return err == OK ? list_events(&reading, false, each, context, &more) : err;
}

enum err store_last_event(struct store *store, int64_t account, const struct task_id *id, int *ret) {
    struct reading reading scoped(store_reading_end) = { 0 };
    enum err err =
        store_reading_start(&reading, store, SQL_LAST_EVENT, VALUES(V_I64(account), V_TEXT(task_id_text(id))));
    if (err != OK || (err = store_reading_only(&reading)) != OK) {
        return err;
    }
    *ret = (int)column_i64(&reading.cursor, 0);
    return OK;
}
