/* Callbacks, their tries, and the addresses that want no more. */
#include "store/callback.h"

#include "store/inside.h"

_Static_assert(CALLBACK_WAITING == 0 && CALLBACK_DUE == 1 && CALLBACK_DELIVERED == 2 && CALLBACK_GIVEN_UP == 3 &&
                   CALLBACK_STATE_COUNT == 4,
               "these numbers are stored, and partial indexes name them");

#define LIST_LIMIT 100
#define ID_RANDOM 15

static const char *const state_names[CALLBACK_STATE_COUNT] = {
    [CALLBACK_WAITING] = "waiting",
    [CALLBACK_DUE] = "due",
    [CALLBACK_DELIVERED] = "delivered",
    [CALLBACK_GIVEN_UP] = "given_up",
};

const char *callback_state_name(enum callback_state state) {
    return state_names[state];
}

bool callback_state_parse(struct text name, enum callback_state *ret) {
    for (int state = 0; state < CALLBACK_STATE_COUNT; state++) {
        if (text_equal(name, text_of(state_names[state]))) {
            *ret = (enum callback_state)state;
            return true;
        }
    }
    return false;
}

void callback_id_new(char ret[CALLBACK_ID_SIZE], int64_t now_ms) {
    char random[ID_RANDOM + 1];
    id_random(random, ID_RANDOM);
    snprintf(ret, CALLBACK_ID_SIZE, "msg_%011llx%s", (unsigned long long)now_ms & 0xfffffffffff, random);
}

static struct text id_text(const char id[CALLBACK_ID_SIZE]) {
    return (struct text){ id, strnlen(id, CALLBACK_ID_SIZE - 1) };
}

/* CALLBACK_COLUMNS; the texts point into the cursor's row. */
static struct callback_row callback_of(const struct cursor *cursor) {
    struct callback_row row = {
        .number = column_i64(cursor, 0),
        .account = column_i64(cursor, 1),
        .test = column_i64(cursor, 4) != 0,
        .state = (enum callback_state)column_i64(cursor, 5),
        .round = (int)column_i64(cursor, 6),
        .rung = (int)column_i64(cursor, 7),
        .tries = (int)column_i64(cursor, 8),
        .due_ms = column_i64(cursor, 9),
        .deadline_ms = column_i64(cursor, 10),
        .created_ms = column_i64(cursor, 11),
        .ended_ms = column_i64(cursor, 12),
        .status = (int)column_i64(cursor, 13),
        .lane = column_text(cursor, 14),
        .url = column_text(cursor, 15),
        .base = column_text(cursor, 16),
        .outcome = column_text(cursor, 17),
    };
    store_column_string(cursor, 2, row.id, sizeof(row.id));
    store_column_string(cursor, 3, row.task.string, sizeof(row.task.string));
    return row;
}

/* ---- verbs ---- */

void store_tx_add_callback(struct store_tx *tx, const struct callback_row *row) {
    store_tx_change(tx, SQL_ADD_CALLBACK,
                    VALUES(V_I64(row->account), V_TEXT(id_text(row->id)), V_TEXT(task_id_text(&row->task)),
                           V_I64(row->test), V_I64(row->state), V_I64(row->due_ms), V_I64(row->deadline_ms),
                           V_I64(row->created_ms), V_TEXT(row->lane), V_TEXT(row->url), V_TEXT(row->base)));
}

void store_tx_callbacks_due(struct store_tx *tx, int64_t account, const struct task_id *task, int64_t now_ms,
                            int64_t deadline_ms) {
    store_tx_change(tx, SQL_CALLBACKS_DUE,
                    VALUES(V_I64(now_ms), V_I64(deadline_ms), V_I64(account), V_TEXT(task_id_text(task))));
}

/* Writes what the last try, or the lack of one, means; false: another round has begun, or it has ended already. */
static bool set_outcome(struct store_tx *tx, const struct callback_row *row, int more_tries) {
    return store_tx_change(tx, SQL_SET_CALLBACK,
                           VALUES(V_I64(more_tries), V_I64(row->state), V_I64(row->rung), V_I64(row->due_ms),
                                  V_I64(row->ended_ms), V_I64(row->status), V_TEXT(row->outcome), V_I64(row->account),
                                  V_TEXT(id_text(row->id)), V_I64(row->round))) > 0;
}

void store_tx_add_callback_try(struct store_tx *tx, const struct callback_row *row, const struct callback_try_row *log) {
    struct text id = id_text(log->callback);
    int64_t number = 0;
    if (!set_outcome(tx, row, 1)) {
        store_tx_change(tx, SQL_COUNT_CALLBACK_TRY, VALUES(V_I64(row->account), V_TEXT(id)));
    }
    if (store_tx_number(tx, &number, SQL_ADD_CALLBACK_TRY,
                        VALUES(V_I64(log->account), V_TEXT(id), V_I64(log->at_ms), V_I64(log->duration_ms),
                               V_I64(log->status), V_TEXT(log->outcome), V_TEXT(log->excerpt))) &&
        number > CALLBACK_TRIES_KEPT) {
        store_tx_change(tx, SQL_DROP_CALLBACK_TRIES,
                        VALUES(V_I64(log->account), V_TEXT(id), V_I64(number - CALLBACK_TRIES_KEPT)));
    }
}

void store_tx_give_up_callback(struct store_tx *tx, const struct callback_row *row) {
    if (row->state != CALLBACK_GIVEN_UP || row->ended_ms == 0) {
        store_tx_fail(tx, ERR_CONFLICT);
    }
    set_outcome(tx, row, 0);
}

void store_tx_give_up_late_callbacks(struct store_tx *tx, int64_t account, struct text lane, int64_t now_ms,
                                     unsigned limit, int64_t *ret_count) {
    *ret_count = store_tx_change(tx, SQL_GIVE_UP_LATE_CALLBACKS,
                                 VALUES(V_I64(now_ms), V_I64(account), V_TEXT(lane), V_I64(limit)));
}

void store_tx_announce_callbacks(struct store_tx *tx) {
    tx->touches_access = true;
}

void store_tx_replay_callback(struct store_tx *tx, int64_t account, struct text id, int64_t now_ms, int64_t deadline_ms,
                              bool announce) {
    store_tx_change_one(tx, SQL_REPLAY_CALLBACK,
                        VALUES(V_I64(now_ms), V_I64(deadline_ms), V_I64(account), V_TEXT(id)));
    store_tx_change(tx, SQL_DROP_CALLBACK_GONE_OF, VALUES(V_I64(account), V_TEXT(id)));
    if (announce) {
        store_tx_announce_callbacks(tx);
    }
}

void store_tx_set_callback_gone(struct store_tx *tx, int64_t account, struct text url, int64_t until_ms) {
    if (until_ms > 0) {
        store_tx_change(tx, SQL_SET_CALLBACK_GONE, VALUES(V_I64(account), V_TEXT(url), V_I64(until_ms)));
    } else {
        store_tx_change(tx, SQL_DROP_CALLBACK_GONE, VALUES(V_I64(account), V_TEXT(url)));
    }
}

void store_tx_drop_callbacks(struct store_tx *tx, int64_t before_ms, int64_t now_ms, unsigned limit) {
    store_tx_change(tx, SQL_DROP_TRIES_OF_OLD, VALUES(V_I64(before_ms), V_I64(limit)));
    store_tx_change(tx, SQL_DROP_OLD_CALLBACKS, VALUES(V_I64(before_ms), V_I64(limit)));
    store_tx_change(tx, SQL_DROP_OLD_CALLBACK_GONE, VALUES(V_I64(now_ms), V_I64(limit)));
}

/* ---- reading ---- */

/* Moves *text into the arena; false when it is full. */
static bool keep(struct arena *arena, struct text *text) {
    *text = arena_text(arena, *text);
    return text->ptr != NULL;
}

static enum err find(struct reading *reading, struct arena *arena, struct callback_row *ret) {
    enum err err = store_reading_only(reading);
    if (err != OK) {
        return err;
    }
    struct callback_row row = callback_of(&reading->cursor);
    if (!keep(arena, &row.lane) || !keep(arena, &row.url) || !keep(arena, &row.base) || !keep(arena, &row.outcome)) {
        return ERR_NO_MEMORY;
    }
    *ret = row;
    return OK;
}

enum err store_find_callback(struct store *store, int64_t account, struct text id, struct arena *arena,
                             struct callback_row *ret) {
    struct reading reading scoped(store_reading_end) = { 0 };
    enum err err = store_reading_start(&reading, store, SQL_FIND_CALLBACK, VALUES(V_I64(account), V_TEXT(id)));
    return err != OK ? err : find(&reading, arena, ret);
}

enum err store_find_callback_of_any(struct store *store, struct text id, struct arena *arena,
                                    struct callback_row *ret) {
    struct reading reading scoped(store_reading_end) = { 0 };
    enum err err = store_reading_start(&reading, store, SQL_FIND_CALLBACK_OF_ANY, VALUES(V_TEXT(id)));
    return err != OK ? err : find(&reading, arena, ret);
}

static enum err list(struct store *store, enum sql id, const struct value *values, size_t count,
                     bool (*each)(const struct callback_row *, void *), void *context) {
    struct reading reading scoped(store_reading_end) = { 0 };
    enum err err = store_reading_start(&reading, store, id, values, count);
    for (bool row; err == OK && (err = store_reading_next(&reading, &row)) == OK && row;) {
        struct callback_row callback = callback_of(&reading.cursor);
        if (!each(&callback, context)) {
            break;
        }
    }
    return err;
}

enum err store_list_callbacks(struct store *store, const struct callback_filter *filter,
                              bool (*each)(const struct callback_row *, void *), void *context) {
    struct value account = V_I64(filter->account);
    struct value state = V_I64(filter->state != NULL ? (int)*filter->state : -1);
    struct value before = V_I64(filter->before > 0 ? filter->before : INT64_MAX);
    struct value limit = V_I64(filter->limit != 0 ? filter->limit : LIST_LIMIT);
    if (filter->account == 0) {
        return list(store, SQL_LIST_CALLBACKS_OF_ALL, VALUES(state, before, limit), each, context);
    }
    if (filter->task != NULL) {
        struct value task = V_TEXT(task_id_text(filter->task));
        return list(store, SQL_LIST_CALLBACKS_OF_TASK, VALUES(account, task, state, before, limit), each, context);
    }
    if (filter->state != NULL && *filter->state != CALLBACK_DELIVERED) { /* the few among the many delivered */
        return list(store, SQL_LIST_CALLBACKS_IN_STATE, VALUES(account, state, before, limit), each, context);
    }
    return list(store, SQL_LIST_CALLBACKS, VALUES(account, state, before, limit), each, context);
}

enum err store_list_due_callbacks(struct store *store, int64_t account, struct text lane, unsigned limit,
                                  bool (*each)(const struct callback_row *, void *), void *context) {
    return list(store, SQL_LIST_DUE_CALLBACKS, VALUES(V_I64(account), V_TEXT(lane), V_I64(limit)), each, context);
}

enum err store_list_callback_tries(struct store *store, int64_t account, struct text id,
                                   bool (*each)(const struct callback_try_row *, void *), void *context) {
    struct reading reading scoped(store_reading_end) = { 0 };
    enum err err = store_reading_start(&reading, store, SQL_LIST_CALLBACK_TRIES, VALUES(V_I64(account), V_TEXT(id)));
    for (bool row; err == OK && (err = store_reading_next(&reading, &row)) == OK && row;) {
        struct callback_try_row log = {
            .account = account,
            .number = (int)column_i64(&reading.cursor, 0),
            .at_ms = column_i64(&reading.cursor, 1),
            .duration_ms = column_i64(&reading.cursor, 2),
            .status = (int)column_i64(&reading.cursor, 3),
            .outcome = column_text(&reading.cursor, 4),
            .excerpt = column_text(&reading.cursor, 5),
        };
        snprintf(log.callback, sizeof(log.callback), "%.*s", TEXT_ARG(text_clip(id, CALLBACK_ID_SIZE - 1)));
        if (!each(&log, context)) {
            break;
        }
    }
    return err;
}

/* The first lane after (account, lane); false: there is none. */
static enum err next_lane(struct store *store, int64_t account, struct text lane,
                          bool (*each)(int64_t account, struct text lane, int64_t due_ms, void *), void *context,
                          struct arena *arena, int64_t *ret_account, struct text *ret_lane, bool *ret_more) {
    struct reading reading scoped(store_reading_end) = { 0 };
    enum err err = store_reading_start(&reading, store, SQL_NEXT_CALLBACK_LANE, VALUES(V_I64(account), V_TEXT(lane)));
    if (err == OK) {
        err = store_reading_next(&reading, ret_more);
    }
    if (err != OK || !*ret_more) {
        return err;
    }
    *ret_account = column_i64(&reading.cursor, 0);
    *ret_lane = arena_text(arena, column_text(&reading.cursor, 1));
    if (ret_lane->ptr == NULL) {
        return ERR_NO_MEMORY;
    }
    *ret_more = each(*ret_account, *ret_lane, column_i64(&reading.cursor, 2), context);
    return OK;
}

enum err store_list_callback_lanes(struct store *store, int64_t account, struct text lane, unsigned limit,
                                   bool (*each)(int64_t account, struct text lane, int64_t due_ms, void *),
                                   void *context) {
    struct arena arena;
    bool more = true;
    enum err err = OK;
    arena_init(&arena, (size_t)limit * (CALLBACK_URL_MAX + 64));
    /* Each step is one look into the index: lanes cost, not the deliveries in them. */
    for (unsigned i = 0; i < limit && more && err == OK; i++) {
        more = false;
        err = next_lane(store, account, lane, each, context, &arena, &account, &lane, &more);
    }
    arena_fini(&arena);
    return err;
}

/* The number in the first column of the first row; `none` when there is no row. */
static enum err read_number(struct store *store, enum sql id, const struct value *values, size_t count, int64_t none,
                            int64_t *ret) {
    struct reading reading scoped(store_reading_end) = { 0 };
    bool row = false;
    enum err err = store_reading_start(&reading, store, id, values, count);
    if (err == OK) {
        err = store_reading_next(&reading, &row);
    }
    if (err == OK) {
        *ret = row ? column_i64(&reading.cursor, 0) : none;
    }
    return err;
}

enum err store_find_callback_gone(struct store *store, int64_t account, struct text url, int64_t now_ms, int64_t *ret) {
    return read_number(store, SQL_FIND_CALLBACK_GONE, VALUES(V_I64(account), V_TEXT(url), V_I64(now_ms)), 0, ret);
}

enum err store_count_due_callbacks(struct store *store, int64_t *ret) {
    return read_number(store, SQL_COUNT_DUE_CALLBACKS, NO_VALUES, 0, ret);
}

enum err store_callbacks_old(struct store *store, int64_t before_ms, int64_t now_ms, bool *ret) {
    int64_t found = 0;
    enum err err = read_number(store, SQL_FIND_OLD_CALLBACK, VALUES(V_I64(before_ms)), 0, &found);
    if (err == OK && found == 0) {
        err = read_number(store, SQL_FIND_OLD_CALLBACK_GONE, VALUES(V_I64(now_ms)), 0, &found);
    }
    if (err == OK) {
        *ret = found != 0;
    }
    return err;
}
