/* engine_order: what may be ordered when, and how it is carried out. */
#include "engine/task/order.h"

#include <stdlib.h>

#include <jansson.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "engine/attempt/nap.h"
#include "engine/attempt/run.h"
#include "engine/queue/dispatch.h"
#include "engine/state.h"
#include "engine/task/move.h"
#include "store/tx.h"

#define TASK_MEMORY_MAX ((size_t)96 << 20)

static void answer(struct engine_order *order, enum err err, const char *words) {
    order->err = err;
    snprintf(order->words, sizeof(order->words), "%s", words);
    order->done(order);
}

void order_answer(struct live_task *task, enum err err, bool carried_out) {
    struct engine_order *order = task->order;
    if (order == NULL)
        return;
    task->order = NULL;
    if (err == OK && !carried_out)
        answer(order, ERR_TASK_FINAL, "The task has ended otherwise in the meantime.");
    else
        answer(order, err, "The order could not be written.");
}

/* ---- carrying out ---- */

static json_t *describe(const struct engine_order *order, const struct live_task *task) {
    json_t *data = json_pack("{s:s, s:i}", "by", "operator", "attempt", (int)task->attempts);
    if (order->reason.len > 0)
        json_object_set_new(data, "reason", json_stringn(order->reason.ptr, order->reason.len));
    if (order->kind == ORDER_FAIL)
        json_object_set_new(data, "code", json_string(task_error_code(order->error)));
    return data;
}

static const char *action_of(const struct engine_order *order) {
    return order->kind == ORDER_FAIL ? "task.failed" : "task.retried";
}

/* The move that is ordered, with both of its lines: the task's and the record's. */
static struct move *ordered_move(struct live_task *task, enum task_event event) {
    const struct engine_order *order = task->order;
    struct move *move = move_new(task, event);
    if (order->kind == ORDER_FAIL)
        move_error(move, order->error, order->message);
    move_record_json(move, order->kind == ORDER_FAIL ? "failed" : "retried", describe(order, task));
    move_change(move, order->actor, action_of(order));
    return move;
}

static void fail_without_attempt(struct engine *engine, struct live_task *task) {
    move_post(engine, ordered_move(task, TASK_FAIL), NULL, NULL);
}

static void retried(struct engine *engine, struct live_task *task, enum err err, void *run) {
    (void)err;
    if (task != NULL) {
        engine_count(engine, retried, 1);
        if (!engine->stopping)
            dispatch_enqueue(engine, task);
    }
    run_end(run);
}

void order_attempt_ended(struct run *run, const struct outcome *outcome) {
    bool remote = run->key != NULL;
    struct live_task *task = run_take_task(run);
    bool again = task->order->kind == ORDER_RETRY && !(remote && outcome->fate == JOB_UNKNOWN); /* T3 */
    log_event(LOG_INFO, "an operator has an attempt given up", LOG_S("task", run->name), LOG_I("attempt", task->attempts),
              LOG_S("order", action_of(task->order)));
    if (task->order->kind == ORDER_RETRY && !again) {
        struct move *lost = move_new(task, TASK_FAIL);
        move_error(lost, TASK_ERROR_SUBMISSION_UNKNOWN, NULL);
        move_end_attempt(lost, ATTEMPT_ABANDONED, "given up by an operator; whether the job was made is not known");
        move_post(run->engine, lost, run_moved_away, run);
        return;
    }
    if (again && remote && run->taken)
        task->pinned = run_mark(run); /* T4 */
    struct move *move = ordered_move(task, again ? TASK_RETRY : TASK_FAIL);
    move_end_attempt(move, ATTEMPT_ABANDONED, "given up by an operator");
    move_post(run->engine, move, again ? retried : run_moved_away, run);
}

/* ---- a wait that is over ---- */

struct hurry {
    struct commit commit;
    struct engine_order *order;
    struct task_key key;
    char *data;
};

static void write_hurry(struct store_tx *tx, struct commit *commit) {
    struct hurry *hurry = container_of(commit, struct hurry, commit);
    const struct engine_order *order = hurry->order;
    int64_t now_ms = clock_wall_ms();
    store_tx_add_event(tx, &(struct event_row){ .account = order->account,
                                                .task = order->id,
                                                .at_ms = now_ms,
                                                .kind = TEXT("hurried"),
                                                .data = text_of(hurry->data) });
    store_tx_add_change(tx, &(struct change_row){ .at_ms = now_ms,
                                                  .account = order->account,
                                                  .actor = order->actor,
                                                  .action = text_of(action_of(order)),
                                                  .object = task_id_text(&order->id),
                                                  .detail = text_of(hurry->data) });
}

/* The task may have gone on by itself meanwhile. */
static void hurry_written(struct engine *engine, struct commit *commit, enum err err) {
    struct hurry *hurry = container_of(commit, struct hurry, commit);
    struct live_task *task = live_find(&engine->live, &hurry->key);
    if (err == OK && task != NULL && task->phase == LIVE_WAITING && !engine->stopping) {
        dispatch_wake(engine, task);
        dispatch_pump(engine);
    }
    answer(hurry->order, err, "The order could not be written.");
    free(hurry->data);
    free(hurry);
}

static void hurry_up(struct engine *engine, struct live_task *task, struct engine_order *order) {
    struct hurry *hurry = mem_new(sizeof(*hurry));
    json_t *data = describe(order, task);
    hurry->order = order;
    hurry->key = task->key;
    hurry->data = json_dumps(data, JSON_COMPACT);
    hurry->commit.run = write_hurry;
    hurry->commit.then = hurry_written;
    json_decref(data);
    commit_post(engine, &hurry->commit);
}

/* ---- what may be ordered ---- */

/* Why the attempt cannot be made again; NULL: it can. */
static const char *refusal_of_retry(const struct run *run) {
    bool asked = run->stage == RUN_DRIVING || run->stage == RUN_STORING;
    if (run->stage == RUN_STORING)
        return "The service has done its work, and the results are being fetched; wait, or fail the task.";
    if (run->ops->converses)
        return "A language model's answer is not asked for twice, since what was written may be charged; fail the task.";
    if (run->ops->remote && asked && !run->taken) /* T3 */
        return "Nobody knows yet whether the service took the job, and nothing is sent twice; wait, or fail the task.";
    if (run->ops->cancel == NULL || !run->ops->can_cancel)
        return "The attempt cannot be stopped.";
    return NULL;
}

static void order_running(struct engine *engine, struct live_task *task, struct engine_order *order) {
    struct run *run = nap_run(engine, task);
    const char *refusal = order->kind == ORDER_RETRY ? refusal_of_retry(run) : NULL;
    if (refusal == NULL && (run->halt != RUN_GOES_ON || run->stage == RUN_ENDED))
        refusal = "The attempt is being stopped already.";
    if (refusal != NULL) {
        answer(order, ERR_TASK_NOT_RETRYABLE, refusal);
        return;
    }
    task->order = order;
    run_give_up(run);
}

static void retry(struct engine *engine, struct live_task *task, struct engine_order *order) {
    if (task->phase == LIVE_RUNNING)
        order_running(engine, task, order);
    else if (task->phase == LIVE_WAITING && task->parked)
        answer(order, ERR_TASK_NOT_RETRYABLE, "The task's model is paused; resume it.");
    else if (task->phase == LIVE_WAITING)
        hurry_up(engine, task, order);
    else if (task->phase == LIVE_QUEUED)
        answer(order, ERR_TASK_NOT_RETRYABLE, "The task waits for its turn; there is no attempt that could be given up.");
    else
        answer(order, ERR_TASK_NOT_RETRYABLE, "The task is just changing its state; look again.");
}

static void fail(struct engine *engine, struct live_task *task, struct engine_order *order) {
    if (task->phase == LIVE_RUNNING) {
        order_running(engine, task, order);
        return;
    }
    if (task->phase == LIVE_NEW || task->phase == LIVE_MOVING) {
        answer(order, ERR_TASK_NOT_RETRYABLE, "The task is just changing its state; look again.");
        return;
    }
    if (task->phase == LIVE_QUEUED)
        queue_remove(&engine->queue, task);
    else
        dispatch_drop_wait(task);
    engine_publish_queue(engine);
    task->order = order;
    fail_without_attempt(engine, task);
}

/* The task is not open here. */
static void answer_from_store(struct engine *engine, struct engine_order *order) {
    struct arena arena;
    struct task_row row;
    arena_init(&arena, TASK_MEMORY_MAX);
    enum err err = store_find_task(engine->store, order->account, &order->id, &arena, &row);
    arena_fini(&arena);
    if (err == OK && task_state_final(row.state))
        answer(order, ERR_TASK_FINAL, "The task has ended; what is final stays so.");
    else if (err == ERR_NOT_FOUND)
        answer(order, ERR_TASK_NOT_FOUND, "There is no task with this id.");
    else
        answer(order, err != OK ? err : ERR_CONFLICT, "The task cannot be read.");
}

struct order_message {
    struct message message;
    struct engine_order *order;
};

static void deliver(void *owner, struct message *message) {
    struct engine *engine = owner;
    struct order_message *bearer = container_of(message, struct order_message, message);
    struct engine_order *order = bearer->order;
    free(bearer);
    struct task_key key = task_key(order->account, &order->id);
    struct live_task *task = live_find(&engine->live, &key);
    if (engine->closed || engine->stopping)
        answer(order, ERR_SHUTTING_DOWN, "The server is shutting down; try again.");
    else if (task == NULL)
        answer_from_store(engine, order);
    else if (task->call != NULL)
        answer(order, ERR_TASK_NOT_RETRYABLE, "A client waits for this answer itself; it ends with its connection.");
    else if (task->order != NULL || task->cancel_wanted)
        answer(order, ERR_TASK_NOT_RETRYABLE, "The task is being stopped already.");
    else if (order->kind == ORDER_RETRY)
        retry(engine, task, order);
    else
        fail(engine, task, order);
}

void engine_order(struct engine *engine, struct engine_order *order) {
    struct order_message *bearer = mem_new(sizeof(*bearer));
    bearer->message.deliver = deliver;
    bearer->order = order;
    if (inbox_post(&engine->inbox, &bearer->message))
        return;
    free(bearer);
    answer(order, ERR_SHUTTING_DOWN, "The server is shutting down; try again.");
}
