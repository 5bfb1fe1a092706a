/* engine_submit: one store job makes task, reservation, timeline and claims on the inputs durable together (L2, T2);
 * only after the commit are the task shown, handed to the engine's thread, and the client answered. */
#include "engine/task/accept.h"

#include <assert.h>
#include <jansson.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/log.h"
#include "base/memory.h"
#include "callback/callbacks.h"
#include "callback/intake.h"
#include "catalog/catalog.h"
#include "config/config.h"
#include "engine/file/inputs.h"
#include "engine/file/sweep.h"
#include "engine/queue/dispatch.h"
#include "engine/queue/pauses.h"
#include "engine/state.h"
#include "engine/task/holds.h"
#include "engine/view/streams.h"
#include "store/tx.h"

#define ID_TRIES 3

struct arrival {
    struct message message;
    struct live_task *task;
};

static void arrive(void *owner, struct message *message) {
    struct engine *engine = owner;
    struct arrival *arrival = container_of(message, struct arrival, message);
    struct live_task *task = arrival->task;
    free(arrival);
    live_add(&engine->live, task);
    dispatch_enqueue(engine, task);
    dispatch_pump(engine);
}

static struct hold_owner owner_of(const struct task_row *row) {
    return (struct hold_owner){
        .account = row->account, .key = row->key, .book = row->book, .day = budget_day_of(row->created_ms)
    };
}

/* Calls are kept off the credits before it is read what calls hold: of two that come together, each sees the other.
 * A transaction that failed is tried again. */
static void begin_storing(struct submission *submission) {
    const struct hold_owner owner = owner_of(&submission->row);
    if (!submission->storing)
        holds_store_begin(submission->engine->holds, &owner, submission->row.reserved);
    submission->storing = true;
}

static void end_storing(struct submission *submission) {
    const struct hold_owner owner = owner_of(&submission->row);
    if (submission->storing)
        holds_store_end(submission->engine->holds, &owner, submission->row.reserved);
    submission->storing = false;
}

/* What running calls hold is as good as spent. */
static void check_funds(struct store_tx *tx, struct submission *submission) {
    const struct task_row *row = &submission->row;
    const struct key_row *key = &submission->key;
    begin_storing(submission);
    if (store_tx_error(tx) != OK)
        return;
    if (row->book == BOOK_LIVE &&
        store_tx_balance(tx, row->account, BOOK_LIVE) - engine_held(submission->engine, row->account, BOOK_LIVE) <
            row->reserved)
        store_tx_fail(tx, ERR_INSUFFICIENT_QUOTA);
    if (key->budget_total == 0 && key->budget_day == 0)
        return;
    const struct spending held = engine_held_by_key(submission->engine, row->account, key->id);
    store_tx_check_budget(tx, key, &held, budget_day_of(row->created_ms), row->reserved);
}

/* The account's uploads have the space that its group grants; what tasks hold, inside requests, after an upload was deleted
 * or fetched for a service (input_links.c), has as much again. */
static void write_inputs(struct store_tx *tx, const struct submission *submission) {
    const struct task_row *row = &submission->row;
    for (unsigned i = 0; i < submission->input_count; i++) {
        const struct submission_input *input = &submission->inputs[i];
        struct artifact_row artifact = {
            .account = row->account,
            .task = row->id,
            .role = ARTIFACT_INPUT,
            .position = (int)i,
            .size = input->blob.size,
            .expires_ms = row->created_ms + INPUT_LIFE_MS,
            .media_type = text_of(input->blob.media_type),
            .name = text_of(input->name),
            .bytes = blob_bytes(&input->blob),
        };
        memcpy(artifact.hash, input->blob.hash, sizeof(artifact.hash));
        store_tx_add_artifact(tx, &artifact);
    }
    store_tx_check_input_space(tx, row->account, config_group(submission->setup->config, row->group)->storage);
}

static void write_submission(struct store_tx *tx, struct store_job *job) {
    struct submission *submission = container_of(job, struct submission, job);
    const struct task_row *row = &submission->row;

    check_funds(tx, submission);
    store_tx_add_task(tx, row, text_of(submission->input_text));
    store_tx_add_ledger(tx, &(struct ledger_row){
        .account = row->account,
        .book = row->book,
        .kind = LEDGER_RESERVE,
        .microcredits = -row->reserved,
        .task = row->id,
        .at_ms = row->created_ms,
    });
    if (submission->input_count > 0)
        write_inputs(tx, submission);
    idempotency_write(tx, submission->holding, &row->id, submission->answer.estimated_s);
    if (submission->callback != NULL)
        callback_intake_write(tx, submission->callback, &row->id);
}

void accept_end(struct engine *engine) {
    pthread_mutex_lock(&engine->submissions_mutex);
    if (--engine->submissions == 0)
        pthread_cond_broadcast(&engine->submissions_none);
    pthread_mutex_unlock(&engine->submissions_mutex);
}

static void drop_inputs(struct engine *engine, struct submission *submission, bool claimed) {
    for (unsigned i = 0; i < submission->input_count; i++)
        sweep_let_go(engine, &submission->inputs[i].blob, claimed);
    free(submission->input_text);
    submission->input_text = NULL;
    free(submission->callback);
    submission->callback = NULL;
}

void engine_drop_inputs(struct engine *engine, struct submission *submission) {
    drop_inputs(engine, submission, false);
    submission->input_count = 0;
}

void accept_leave(struct engine *engine) {
    unsigned before = atomic_fetch_sub_explicit(&engine->open_tasks, 1, memory_order_relaxed);
    assert(before > 0);
    (void)before;
}

void accept_hand_over(struct engine *engine, const struct submission *submission, struct live_task *task) {
    struct arrival *arrival = mem_new(sizeof(*arrival));
    arrival->message.deliver = arrive;
    arrival->task = task;
    arrival->task->estimated_s = (uint32_t)submission->answer.estimated_s;
    arrival->task->setup_number = submission->setup->number;
    if (task->call == NULL) /* nobody can know a call before it runs */
        board_put(engine->board, &submission->row, submission->answer.estimated_s);
    bool posted = inbox_post(&engine->inbox, &arrival->message);
    assert(posted); /* the stop waits for submissions under way */
    (void)posted;
}

/* A language model's has its answer in the making from the start: whoever knows the task may read it. */
static struct live_task *make_live(struct engine *engine, const struct submission *submission) {
    struct live_task *task = live_new(&submission->row);
    task->key_concurrency = (uint32_t)submission->key.concurrency;
    streams_begin(engine->streams, task);
    return task;
}

static void new_id(struct submission *submission) {
    task_id_new(&submission->row.id, submission->row.type == TASK_LLM, submission->row.created_ms / 1000);
    submission->answer.id = submission->row.id;
}

/* Those who came with the same key hear of it. */
static void end_key(struct submission *submission, enum err err) {
    struct key_holding *holding = submission->holding;
    submission->holding = NULL;
    if (err == OK)
        idempotency_settle(holding, &submission->row.id, submission->answer.estimated_s);
    else
        idempotency_leave(holding);
}

static void submission_done(struct store_job *job, enum err err) {
    struct submission *submission = container_of(job, struct submission, job);
    struct engine *engine = submission->engine;

    if (err == ERR_EXISTS && submission->id_tries < ID_TRIES) { /* eight characters meet themselves once in a while */
        submission->id_tries++;
        new_id(submission);
        store_post_always(engine->store, job);
        return;
    }
    end_storing(submission);
    if (err == OK) {
        engine_count(engine, accepted, 1);
        if (submission->row.calls_back) /* before anybody can run it */
            callbacks_hold(engine->callbacks, submission->row.account, &submission->row.id);
        accept_hand_over(engine, submission, make_live(engine, submission));
        log_event(LOG_DEBUG, "task accepted", LOG_T("task", task_id_text(&submission->row.id)),
                  LOG_T("model", submission->row.model));
    } else {
        accept_leave(engine);
    }
    drop_inputs(engine, submission, err == OK);
    end_key(submission, err);
    submission->done(submission, err); /* may free the submission */
    accept_end(engine);
}

void accept_prepare(struct engine *engine, struct submission *submission) {
    const struct model *model = submission->model;
    submission->engine = engine;
    submission->id_tries = 0;
    submission->storing = false;
    submission->row = (struct task_row){
        .account = submission->account.id,
        .key = submission->key.id,
        .book = submission->key.book,
        .type = model->type,
        .state = TASK_PENDING,
        .billing = model_billing(model),
        .created_ms = clock_wall_ms(),
        .reserved = submission->reserved,
        .streams = submission->streams && model->llm != NULL,
        .calls_back = submission->callback_url.ptr != NULL,
        .result_ttl_s = submission->result_ttl_s,
        .model = submission->name.ptr != NULL ? submission->name : text_of(model->name),
        .group = text_of(submission->account.group),
    };
    submission->answer = answer_of_row(&submission->row);
    submission->answer.estimated_s = engine_estimate_s(engine, model);
    new_id(submission);
}

bool engine_has_room(struct engine *engine, const struct setup *setup) {
    unsigned open = atomic_load_explicit(&engine->open_tasks, memory_order_relaxed);
    return open < setup->config->open_tasks_max && store_has_room(engine->store);
}

enum err accept_enter(struct engine *engine, const struct submission *submission) {
    if (pauses_have(engine->pauses, PAUSE_MODEL, submission->model->name))
        return ERR_NO_COMPATIBLE_CHANNEL;
    unsigned max = submission->setup->config->open_tasks_max;
    if (atomic_fetch_add_explicit(&engine->open_tasks, 1, memory_order_relaxed) >= max) {
        accept_leave(engine);
        return ERR_OVERLOADED;
    }
    pthread_mutex_lock(&engine->submissions_mutex);
    bool closed = atomic_load(&engine->door_closed);
    if (!closed)
        engine->submissions++;
    pthread_mutex_unlock(&engine->submissions_mutex);
    if (!closed)
        return OK;
    accept_leave(engine);
    return ERR_SHUTTING_DOWN;
}

/* What a language model is asked beside the request itself is kept with it. */
static char *render_input(const struct submission *submission) {
    if (submission->row.type != TASK_LLM)
        return json_render(submission->input);
    json_t *input = json_pack("{s:O, s:b}", INPUT_REQUEST, submission->input, INPUT_REASONS, submission->reasons);
    char *text = json_render(input);
    json_decref(input);
    return text;
}

static enum err prepare_callback(struct submission *submission) {
    if (submission->callback_url.ptr == NULL)
        return OK;
    submission->callback = mem_new(sizeof(*submission->callback));
    return callback_intake_init(submission->callback, submission->account.id, submission->callback_url,
                                submission->callback_base, submission->row.created_ms, NULL);
}

void engine_answered(struct engine *engine, const struct submission *submission) {
    if (submission->row.calls_back)
        callbacks_release(engine->callbacks, submission->row.account, &submission->row.id);
}

struct callbacks *engine_callbacks(struct engine *engine) {
    return engine->callbacks;
}

enum err engine_submit(struct engine *engine, struct submission *submission) {
    submission->input_text = NULL;
    submission->callback = NULL;
    enum err err = accept_enter(engine, submission);
    if (err != OK) {
        drop_inputs(engine, submission, false);
        end_key(submission, err);
        return err;
    }

    accept_prepare(engine, submission);
    submission->input_text = render_input(submission);
    submission->job = (struct store_job){ .run = write_submission, .done = submission_done, .repeatable = true };
    err = prepare_callback(submission);
    if (err == OK)
        err = submission->input_text != NULL ? store_post(engine->store, &submission->job) : ERR_NO_MEMORY;
    if (err == OK)
        return OK;
    drop_inputs(engine, submission, false);
    end_key(submission, err);
    accept_leave(engine);
    accept_end(engine);
    return err;
}
