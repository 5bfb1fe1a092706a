/* The record of a call, its beginning and its end. */
#include "engine/task/call.h"

#include <assert.h>
#include <jansson.h>
#include <stdlib.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/memory.h"
#include "chat/stream.h"
#include "config/config.h"
#include "engine/attempt/run.h"
#include "engine/state.h"
#include "engine/task/accept.h"
#include "engine/task/cancel.h"
#include "engine/task/holds.h"
#include "engine/task/move.h"
#include "store/tx.h"

#define RECORD_MAX ((size_t)4 << 20) /* of attempts and timeline; attempts are few, and so are their notes */
#define CALL_STREAM_MAX ((size_t)4 << 20) /* chunks that a client has not taken yet */

struct kept_attempt {
    struct attempt_row row;
    STAILQ_ENTRY(kept_attempt) link;
};
struct kept_event {
    struct event_row row;
    STAILQ_ENTRY(kept_event) link;
};

struct call_record {
    json_t *input;
    bool reasons;
    struct hold_owner owner;
    struct key_holding *holding; /* of its idempotency key; NULL: it has none, or it is settled */
    int64_t held; /* all that it may cost; once it has ended, what it does cost */
    struct arena arena; /* everything below */
    STAILQ_HEAD(, kept_attempt) attempts;
    struct kept_attempt *last_attempt; /* NULL: none was kept */
    STAILQ_HEAD(, kept_event) events;
};

static struct call_record *call_new(struct submission *submission, const struct hold_owner *owner) {
    struct call_record *call = mem_new(sizeof(*call));
    call->input = submission->input; /* taken, not shared: jansson's counts are no two threads' matter */
    submission->input = NULL;
    call->reasons = submission->reasons;
    call->owner = *owner;
    call->holding = submission->holding;
    submission->holding = NULL;
    call->held = submission->reserved;
    arena_init(&call->arena, RECORD_MAX);
    STAILQ_INIT(&call->attempts);
    STAILQ_INIT(&call->events);
    return call;
}

void call_free(struct call_record *call) {
    if (call == NULL)
        return;
    json_decref(call->input);
    arena_fini(&call->arena);
    free(call);
}

struct json_t *call_input(const struct call_record *call) {
    return call->input;
}

bool call_reasons(const struct call_record *call) {
    return call->reasons;
}

/* ---- its record: what does not fit is left out ---- */

static void keep_event(struct call_record *call, const struct event_row *row) {
    struct kept_event *event = arena_alloc(&call->arena, sizeof(*event));
    if (event == NULL)
        return;
    event->row = *row;
    event->row.kind = arena_text(&call->arena, row->kind);
    event->row.data = arena_text(&call->arena, row->data);
    if (event->row.kind.ptr != NULL && event->row.data.ptr != NULL)
        STAILQ_INSERT_TAIL(&call->events, event, link);
}

void call_note(struct live_task *task, int64_t at_ms, const char *kind, const char *data) {
    const struct event_row row = {
        .account = task->key.account,
        .task = task_key_id(&task->key),
        .at_ms = at_ms,
        .kind = text_of(kind),
        .data = text_of(data),
    };
    keep_event(task->call, &row);
}

static void keep_attempt(struct call_record *call, const struct attempt_row *row) {
    struct kept_attempt *attempt = arena_alloc(&call->arena, sizeof(*attempt));
    if (attempt == NULL)
        return;
    attempt->row = *row;
    attempt->row.provider = arena_text(&call->arena, row->provider);
    attempt->row.target = arena_text(&call->arena, row->target);
    attempt->row.credential = arena_text(&call->arena, row->credential);
    STAILQ_INSERT_TAIL(&call->attempts, attempt, link);
    call->last_attempt = attempt;
}

static void end_attempt(struct call_record *call, const struct attempt_row *row) {
    struct kept_attempt *attempt = call->last_attempt;
    if (attempt == NULL || attempt->row.number != row->number)
        return;
    attempt->row.state = row->state;
    attempt->row.ended_ms = row->ended_ms;
    attempt->row.detail = arena_text(&call->arena, row->detail);
}

bool call_attempt_tells(const struct move *move) {
    return move->task->call != NULL && move->begins_attempt && move->attempt.number == 1;
}

void call_keep(struct live_task *task, const struct move *move) {
    if (move->begins_attempt)
        keep_attempt(task->call, &move->attempt);
    if (move->ends_attempt)
        end_attempt(task->call, &move->attempt);
    if (!call_attempt_tells(move))
        keep_event(task->call, &move->record);
}

/* L3, and no balance below zero: somebody may have spent, meanwhile, what the call was to cost. Begins anew each
 * time, since a transaction that failed is tried again. */
static void settle_within_balance(struct store_tx *tx, struct move *move) {
    struct task_row *row = &move->row;
    row->reserved = move->task->reserved;
    row->charged = move->ledger.charged;
    int64_t balance = row->book == BOOK_LIVE ? store_tx_balance(tx, row->account, row->book) : row->reserved;
    if (balance < row->reserved)
        row->reserved = balance;
    if (row->charged > row->reserved)
        row->charged = row->reserved;
    row->refunded = row->reserved - row->charged;
}

/* Only this is an answer for who asks again: after a failure, or half an answer, the same may be tried anew. */
static bool answers_whole(const struct move *move) {
    return move->row.state == TASK_COMPLETED && !move->cut;
}

void call_write(struct store_tx *tx, struct move *move) {
    const struct call_record *call = move->task->call;
    struct task_row *row = &move->row;
    const struct kept_attempt *attempt;
    const struct kept_event *event;
    /* The acceptance and the first dispatch, which the task itself and its attempt tell. */
    int64_t sequence = STAILQ_EMPTY(&call->attempts) ? 1 : 2;

    settle_within_balance(tx, move);
    store_tx_add_final_task(tx, row);
    store_tx_add_bill(tx, row, move->record.at_ms);
    STAILQ_FOREACH (attempt, &call->attempts, link)
        store_tx_add_attempt(tx, &attempt->row);
    STAILQ_FOREACH (event, &call->events, link)
        store_tx_add_event_at(tx, &event->row, ++sequence); /* a new task's timeline goes on with them */
    if (answers_whole(move))
        idempotency_write(tx, call->holding, &row->id, 0);
}

void call_written(struct move *move) {
    struct call_record *call = move->task->call;
    if (call == NULL || !answers_whole(move))
        return;
    idempotency_settle(call->holding, &move->row.id, 0);
    call->holding = NULL;
}

void call_leave_key(struct live_task *task) {
    if (task->call == NULL)
        return;
    idempotency_leave(task->call->holding);
    task->call->holding = NULL;
}

void call_end(struct engine *engine, struct live_task *task, int64_t charged) {
    struct call_record *call = task->call;
    holds_end(engine->holds, &call->owner, call->held - charged);
    call->held = charged;
}

void call_release(struct engine *engine, struct live_task *task) {
    if (task->call == NULL)
        return;
    call_leave_key(task);
    holds_give(engine->holds, &task->call->owner, task->call->held);
}

/* ---- its beginning ---- */

/* With an idempotency key others may come for the same answer, from its beginning: all of it is kept. */
static struct chat_stream *make_stream(const struct submission *submission) {
    bool trims = submission->streams && submission->holding == NULL;
    return chat_stream_new(&(struct chat_stream_options){ .bytes_max = trims ? CALL_STREAM_MAX : 0, .trims = trims });
}

static struct chat_stream *begin(struct engine *engine, struct submission *submission, const struct hold_owner *owner) {
    accept_prepare(engine, submission);
    submission->answer.streams = submission->row.streams = false;
    struct live_task *task = live_new(&submission->row);
    task->streams = submission->streams;
    task->stream = make_stream(submission);
    task->call = call_new(submission, owner);
    struct chat_stream *stream = chat_stream_ref(task->stream);
    idempotency_share(task->call->holding, stream, &submission->row.id);
    engine_count(engine, accepted, 1);
    accept_hand_over(engine, submission, task);
    return stream;
}

static enum err leave_key(struct submission *submission, enum err err) {
    idempotency_leave(submission->holding);
    submission->holding = NULL;
    return err;
}

enum err engine_call(struct engine *engine, struct submission *submission, struct chat_stream **ret_stream) {
    const struct group_config *group = config_group(submission->setup->config, text_of(submission->account.group));
    enum err err = store_writable(engine->store); /* what could not be written at its end, and charged, is not begun */
    if (err == OK)
        err = accept_enter(engine, submission);
    if (err != OK)
        return leave_key(submission, err);
    const struct hold_owner owner = {
        .account = submission->account.id,
        .key = submission->key.id,
        .book = submission->key.book,
        .day = budget_day_of(clock_wall_ms()),
    };
    const struct budget budget = key_budget(&submission->key);
    const struct call_limits limits = { .account = group->streams, .key = (unsigned)submission->key.concurrency };
    err = holds_take(engine->holds, engine->store, &owner, &budget, submission->reserved, &limits);
    if (err == OK)
        *ret_stream = begin(engine, submission, &owner);
    else
        accept_leave(engine);
    accept_end(engine);
    return err == OK ? OK : leave_key(submission, err);
}

/* ---- a client that has gone ---- */

struct departure {
    struct message message;
    struct task_key key;
};

static void depart(void *owner, struct message *message) {
    struct engine *engine = owner;
    struct departure *departure = container_of(message, struct departure, message);
    struct live_task *task = live_find(&engine->live, &departure->key);
    free(departure);
    if (task == NULL || task->call == NULL || engine->closed || task->call->holding != NULL)
        return; /* who gave it an idempotency key can come again for its answer */
    task->client_gone = true;
    cancel_start(engine, task);
}

void engine_call_gone(struct engine *engine, int64_t account, const struct task_id *id) {
    struct departure *departure = mem_new(sizeof(*departure));
    departure->message.deliver = depart;
    departure->key = task_key(account, id);
    if (!inbox_post(&engine->inbox, &departure->message))
        free(departure);
}

/* ---- what is held ---- */

int64_t engine_held(struct engine *engine, int64_t account, enum book book) {
    return holds_of(engine->holds, account, book);
}

struct spending engine_held_by_key(struct engine *engine, int64_t account, int64_t key) {
    return holds_of_key(engine->holds, account, key);
}

bool engine_is_settled(struct engine *engine, int64_t account) {
    return holds_settled(engine->holds, account);
}

/* A turn through the writer and the engine's thread: the ends that were there before have had theirs. */
struct settling {
    struct store_job job;
    struct message message;
    struct engine *engine;
    void (*done)(void *context);
    void *context;
};

static void end_settling(struct settling *settling) {
    settling->done(settling->context);
    free(settling);
}

static void settled(void *owner, struct message *message) {
    (void)owner;
    end_settling(container_of(message, struct settling, message));
}

static void write_nothing(struct store_tx *tx, struct store_job *job) {
    (void)tx;
    (void)job;
}

static void written(struct store_job *job, enum err err) {
    struct settling *settling = container_of(job, struct settling, job);
    (void)err;
    if (!inbox_post(&settling->engine->inbox, &settling->message))
        end_settling(settling);
}

void engine_settled(struct engine *engine, void (*done)(void *context), void *context) {
    struct settling *settling = mem_new(sizeof(*settling));
    settling->job = (struct store_job){ .run = write_nothing, .done = written, .repeatable = true, .synced_later = true };
    settling->message.deliver = settled;
    settling->engine = engine;
    settling->done = done;
    settling->context = context;
    if (store_post(engine->store, &settling->job) != OK)
        end_settling(settling);
}
