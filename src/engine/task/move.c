/* State, money, timeline and artifacts of a task, written as one. */
#include "engine/task/move.h"

#include <assert.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/log.h"
#include "base/memory.h"
#include "callback/callbacks.h"
#include "callback/ladder.h"
#include "chat/dialect/failure.h"
#include "chat/stream.h"
#include "config/config.h"
#include "engine/attempt/refresh.h"
#include "engine/route/generation.h"
#include "engine/state.h"
#include "engine/task/call.h"
#include "engine/task/cancel.h"
#include "engine/task/order.h"
#include "engine/view/streams.h"
#include "store/tx.h"

#define TEXTS_MAX ((size_t)96 << 20) /* the results of a task and what else is written with them */
#define DETAIL_MAX 8192
#define PATIENCE_MS 10 /* from one sync to the next, while nobody waits */
#define CROWD 16       /* live tasks with which it is worth while, calls that are not yet recorded among them */

/* A clock that is set back lets no task begin or end before it was made. */
static int64_t later_ms(int64_t one, int64_t other) {
    return one > other ? one : other;
}

struct move *move_new(struct live_task *task, enum task_event event) {
    struct move *move = mem_new(sizeof(*move));
    enum task_state to = task->state;
    enum err err = task_step(task->state, event, &to, &move->effects);
    assert(err == OK); /* T1 */
    assert(task->phase != LIVE_MOVING && task->phase != LIVE_QUEUED && task->phase != LIVE_WAITING);
    (void)err;

    arena_init(&move->arena, TEXTS_MAX);
    buffer_init(&move->chunks, TEXTS_MAX);
    move->task = task;
    move->event = event;
    move->from = task->state;
    move->row = live_row(task);
    move->row.state = to;
    int64_t now_ms = clock_wall_ms();
    if (to == TASK_PROCESSING && move->row.started_ms == 0)
        move->row.started_ms = later_ms(now_ms, move->row.created_ms);
    if (task_state_final(to))
        move->row.finished_ms = later_ms(now_ms, later_ms(move->row.started_ms, move->row.created_ms));
    move->record = (struct event_row){
        .account = move->row.account,
        .task = move->row.id,
        .at_ms = now_ms,
        .kind = text_of(event == TASK_CANCEL ? "cancelled" : task_state_name(to)),
        .data = TEXT("{}"),
    };
    return move;
}

static struct attempt_row attempt_of(const struct move *move) {
    return (struct attempt_row){ .account = move->row.account, .task = move->row.id, .number = move->task->attempts };
}

void move_begin_attempt(struct move *move, const char *provider, const char *target, const char *credential) {
    assert(move->row.state == TASK_PROCESSING);
    move->begins_attempt = true;
    move->task->attempts++;
    move->attempt = attempt_of(move);
    move->attempt.state = ATTEMPT_STARTED;
    move->attempt.started_ms = move->record.at_ms;
    move->attempt.provider = arena_text(&move->arena, text_of(provider));
    move->attempt.target = arena_text(&move->arena, text_of(target));
    move->attempt.credential = arena_text(&move->arena, text_of(credential));
}

void move_end_attempt(struct move *move, enum attempt_state state, const char *detail) {
    assert(move->from == TASK_PROCESSING && state != ATTEMPT_STARTED);
    move->ends_attempt = true;
    move->attempt = attempt_of(move);
    move->attempt.state = state;
    move->attempt.ended_ms = move->record.at_ms;
    move->attempt.detail = arena_text(&move->arena, text_clip(text_of(detail), DETAIL_MAX));
}

void move_error(struct move *move, enum task_error error, const char *message) {
    assert((move->effects & TASK_EFFECT_ERROR) != 0 && error != TASK_ERROR_NONE);
    move->row.error = error;
    move->row.error_message = arena_text(&move->arena, text_of(message != NULL ? message : task_error_message(error)));
}

void move_charge(struct move *move, int64_t cost) {
    assert(move->event == TASK_CANCEL);
    move->row.charged = money_settle(move->row.reserved, cost, true).charged;
}

void move_results(struct move *move, struct text results, int64_t cost, const struct artifact_row *artifacts,
                  unsigned count) {
    assert((move->effects & TASK_EFFECT_RESULTS) != 0 && results.len > 0);
    struct settlement settlement = money_settle(move->row.reserved, cost, true);
    move->row.progress = 100;
    move->row.results = arena_text(&move->arena, results);
    assert(move->row.results.ptr != NULL);
    move->row.charged = settlement.charged;

    move->artifacts = count > 0 ? mem_new_array(count, sizeof(*artifacts)) : NULL;
    move->artifact_count = count;
    for (unsigned i = 0; i < count; i++) {
        struct artifact_row *row = &move->artifacts[i];
        *row = artifacts[i];
        row->account = move->row.account;
        row->task = move->row.id;
        row->role = ARTIFACT_OUTPUT;
        row->position = (int)i;
        row->media_type = arena_text(&move->arena, row->media_type);
        row->name = arena_text(&move->arena, row->name);
    }
}

void move_record(struct move *move, const char *kind, const char *data) {
    move->record.kind = text_of(kind);
    if (data != NULL)
        move->record.data = arena_text(&move->arena, text_of(data));
}

void move_record_json(struct move *move, const char *kind, struct json_t *data) {
    char *text scoped(mem_free_pointer) = json_render(data);
    move_record(move, kind, text);
    json_release(&data);
}

void move_change(struct move *move, struct text actor, const char *action) {
    move->has_change = true;
    move->change = (struct change_row){
        .at_ms = move->record.at_ms,
        .account = move->row.account,
        .actor = arena_text(&move->arena, actor),
        .action = text_of(action),
        .object = task_id_text(&move->row.id),
        .detail = move->record.data,
    };
}

/* L3: whatever is not charged goes back, in the same job. */
static void settle(struct move *move) {
    move->row.refunded = move->row.reserved - move->row.charged;
    assert(move->row.charged >= 0 && move->row.refunded >= 0);
    assert(move->row.state == TASK_COMPLETED || move->event == TASK_CANCEL || move->row.charged == 0);
    move->ledger = (struct ledger_row){
        .account = move->row.account,
        .book = move->row.book,
        .kind = LEDGER_SETTLE,
        .microcredits = move->row.refunded,
        .charged = move->row.charged,
        .task = move->row.id,
        .at_ms = move->record.at_ms,
    };
}

static void write_move(struct store_tx *tx, struct commit *commit) {
    struct move *move = container_of(commit, struct move, commit);
    if (move->task->call != NULL) {
        call_write(tx, move);
        return;
    }
    store_tx_move_task(tx, &move->row, move->from);
    if (move->begins_attempt)
        store_tx_add_attempt(tx, &move->attempt); /* T3 */
    if (move->ends_attempt)
        store_tx_end_attempt(tx, &move->attempt);
    if ((move->effects & TASK_EFFECT_SETTLE) != 0)
        store_tx_add_ledger(tx, &move->ledger); /* L2 */
    for (unsigned i = 0; i < move->artifact_count; i++)
        store_tx_add_artifact(tx, &move->artifacts[i]);
    if (move->chunks_expire_ms > 0)
        store_tx_add_stream(tx, move->row.account, &move->row.id, move->chunks_expire_ms, buffer_text(&move->chunks));
    if (task_state_final(move->row.state))
        store_tx_drop_inputs(tx, move->row.account, &move->row.id, move->row.finished_ms);
    if (task_state_final(move->row.state) && move->row.calls_back) /* L2 */
        store_tx_callbacks_due(tx, move->row.account, &move->row.id, move->row.finished_ms,
                               ladder_deadline_ms(move->row.finished_ms));
    store_tx_add_event(tx, &move->record);
    if (move->has_change)
        store_tx_add_change(tx, &move->change);
}

/* A call's client has its answer before it is written; a task's readers hear of the end when it is durable. */
static void end_stream(struct move *move) {
    struct live_task *task = move->task;
    struct chat_failure failure = { 0 };
    if (task->stream == NULL || chat_stream_state(task->stream) != CHAT_OPEN)
        return;
    if (move->row.state == TASK_COMPLETED && !move->cut) {
        chat_stream_complete(task->stream, move->completion, &move->tokens);
        return;
    }
    if (task->failure != NULL)
        failure = *task->failure;
    failure.error = move->cut ? TASK_ERROR_CANCELLED : move->row.error;
    if (move->cut)
        snprintf(failure.message, sizeof(failure.message),
                 "The answer was cut off here; what was written so far is charged.");
    if (failure.message[0] == '\0')
        snprintf(failure.message, sizeof(failure.message), "%.*s", TEXT_ARG(move->row.error_message));
    chat_stream_fail(task->stream, &failure);
}

static void keep_chunks(struct engine *engine, struct move *move) {
    if (!move->row.streams)
        return;
    const struct config *config = engine->generation->setup->config;
    move->chunks_expire_ms = move->row.finished_ms + (int64_t)config->llm_retention_s * 1000;
    chat_stream_put_lines(move->task->stream, &move->chunks);
}

static void free_move(struct move *move) {
    buffer_fini(&move->chunks);
    arena_fini(&move->arena);
    free(move->artifacts);
    free(move);
}

static void forget(struct engine *engine, struct live_task *task) {
    unsigned before = atomic_fetch_sub_explicit(&engine->open_tasks, 1, memory_order_relaxed);
    assert(before > 0 && task->last_commit == NULL);
    (void)before;
    refresh_answer(task);
    streams_remove(engine->streams, &task->key);
    call_release(engine, task);
    live_remove(&engine->live, task);
    live_free(task);
}

/* A call that went well is as any other request that did. */
static void log_final(const struct move *move) {
    bool routine = move->task->call != NULL && move->row.state == TASK_COMPLETED;
    log_event(routine ? LOG_DEBUG : LOG_INFO, "task ended", LOG_T("task", live_id(move->task)),
              LOG_S("state", task_state_name(move->row.state)),
              LOG_T("model", move->row.model), LOG_I("attempts", move->task->attempts),
              LOG_S("error", move->row.error == TASK_ERROR_NONE ? "none" : task_error_code(move->row.error)),
              LOG_I("ms", move->row.finished_ms - move->row.created_ms));
}

static void end_task(struct engine *engine, struct move *move) {
    struct live_task *task = move->task;
    bool completed = move->row.state == TASK_COMPLETED;
    if (task->call == NULL)
        log_final(move);
    if (move->row.calls_back)
        callbacks_due(engine->callbacks, move->row.account, &move->row.id);
    if (completed)
        engine_count(engine, completed, 1);
    else
        engine_count(engine, failed, 1);
    if (completed && move->row.book == BOOK_LIVE)
        estimates_add(engine->estimates, live_model(task), move->row.finished_ms - move->row.started_ms);
    cancel_answer(engine, task, move->event == TASK_CANCEL || move->cut ? OK : ERR_TASK_FINAL);
    forget(engine, task);
}

/* The store has the task in another state than we do: it is right, and the task no longer ours. */
static void lose_task(struct engine *engine, struct move *move, enum err err) {
    struct live_task *task = move->task;
    if (engine->stopping && commit_may_pass(err)) { /* it stays in the store as it was, for the next start (T2) */
        cancel_answer(engine, task, ERR_SHUTTING_DOWN);
        order_answer(task, ERR_SHUTTING_DOWN, false);
        forget(engine, task);
        return;
    }
    log_event(LOG_ERROR, "a task is not in the state that it should be; it is left to the store",
              LOG_T("task", live_id(task)), LOG_S("expected", task_state_name(move->from)),
              LOG_S("error", err_info(err)->name));
    board_forget(engine->board, &task->key);
    cancel_answer(engine, task, err);
    order_answer(task, err, false);
    forget(engine, task);
}

/* A call is shown while it runs and until its record is in the store, where it can be read: nobody polls it. */
static void show(struct engine *engine, const struct move *move) {
    if (move->task->call != NULL && task_state_final(move->row.state))
        board_forget(engine->board, &move->task->key);
    else
        board_put(engine->board, &move->row, move->task->estimated_s);
}

static void moved(struct engine *engine, struct commit *commit, enum err err) {
    struct move *move = container_of(commit, struct move, commit);
    struct live_task *task = move->task;

    assert(task->phase == LIVE_MOVING);
    if (err != OK) {
        lose_task(engine, move, err);
        task = NULL;
    } else {
        task->phase = LIVE_NEW;
        task->state = (uint8_t)move->row.state;
        task->progress = (uint8_t)move->row.progress;
        task->started_ms = move->row.started_ms;
        show(engine, move);
        refresh_answer(task);
        order_answer(task, OK, move->has_change);
        if (task_state_final(move->row.state)) {
            call_written(move);
            end_stream(move);
            end_task(engine, move);
            task = NULL;
        }
    }
    if (move->then != NULL)
        move->then(engine, task, err, move->context);
    free_move(move);
}

/* What does not wait for the record: the client's answer, and the attempt's place in the queue, which the next call can
 * have. After the posting, so that who has the answer finds it written when engine_settled says so. */
static void end_call(struct engine *engine, struct move *move,
                     void (*then)(struct engine *engine, struct live_task *task, enum err err, void *context),
                     void *context) {
    end_stream(move);
    log_final(move); /* now, each by itself: those who share a commit would keep the engine for as long as all of them take */
    if (then != NULL)
        then(engine, NULL, OK, context);
}

unsigned move_patience_ms(struct engine *engine, const struct live_task *task) {
    if (task->call != NULL) /* its client hears of the end before the record */
        return PATIENCE_MS;
    if (engine->live.count < CROWD)
        return 0;
    bool awaited = task->cancels != NULL || task->order != NULL || task->refresh != NULL || task->streams ||
                   board_is_watched(engine->board, &task->key);
    return awaited ? 0 : PATIENCE_MS;
}

void move_post(struct engine *engine, struct move *move,
               void (*then)(struct engine *engine, struct live_task *task, enum err err, void *context),
               void *context) {
    bool final = task_state_final(move->row.state);
    assert(final == ((move->effects & TASK_EFFECT_SETTLE) != 0));
    assert(move->row.state != TASK_FAILED || move->row.error != TASK_ERROR_NONE);
    assert(move->row.state != TASK_COMPLETED || move->row.results.len > 0);
    if (final)
        settle(move);
    move->then = then;
    move->context = context;
    move->task->phase = LIVE_MOVING;
    move->commit.run = write_move;
    move->commit.then = moved;
    move->commit.stubborn = true;
    bool is_call = move->task->call != NULL;
    if (is_call)
        call_keep(move->task, move);
    if (is_call && final)
        call_end(engine, move->task, move->row.charged);
    else if (final)
        keep_chunks(engine, move);
    if (is_call && !final) {
        commit_skip(engine, &move->commit);
        return;
    }
    move->commit.patience_ms = move_patience_ms(engine, move->task);
    if (is_call) { /* its client hears of the end now, and nobody waits for the record */
        move->commit.synced_later = true;
        board_put(engine->board, &move->row, 0);
    }
    move->then = is_call ? NULL : then;
    move->commit.task = move->task;
    commit_post(engine, &move->commit);
    if (is_call)
        end_call(engine, move, then, context);
}

void move_fail(struct engine *engine, struct live_task *task, enum task_error error, const char *message) {
    struct move *move = move_new(task, error == TASK_ERROR_CANCELLED ? TASK_CANCEL : TASK_FAIL);
    char data[128];
    move_error(move, error, message);
    snprintf(data, sizeof(data), "{\"code\":\"%s\"}", task_error_code(error));
    move_record(move, error == TASK_ERROR_CANCELLED ? "cancelled" : "failed", data);
    move_post(engine, move, NULL, NULL);
}
