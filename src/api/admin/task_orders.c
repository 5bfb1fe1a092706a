/* POST /admin/v1/tasks/{task_id}/cancel, retry, fail, refund: what an operator wants done with a task. */
#include <stdlib.h>

#include "admin/credits.h"
#include "admin/record.h"
#include "api/admin/admin.h"
#include "api/body.h"
#include "base/json.h"
#include "base/memory.h"
#include "store/tx.h"

#define TASK_MEMORY_MAX ((size_t)96 << 20)
#define MESSAGE_MAX 500

struct work {
    struct exchange *exchange;
    struct engine_order order;
    json_t *body; /* what the order's texts point to */
    enum err err; /* of a cancel */
};

static void release(void *context) {
    struct work *work = context;
    json_decref(work->body);
    free(work);
}

static struct work *work_new(struct exchange *exchange) {
    struct call *call = call_of(exchange);
    struct work *work = mem_new(sizeof(*work));
    work->exchange = exchange;
    work->order.actor = admin_actor(exchange);
    work->order.reason = TEXT("");
    work->order.context = work;
    call->work = work;
    call->release_work = release;
    return work;
}

/* The task that the path names, and a body of these fields; its reason goes into the order. */
static enum err read_request(struct exchange *exchange, struct work *work, const char *const *known, struct task_row *task,
                             struct arena *arena, struct fault *fault) {
    enum err err = admin_path_task(exchange, arena, task, fault);
    if (err == OK)
        err = read_fields(exchange, known, &work->body, fault);
    if (err == OK)
        err = admin_field_text(work->body, "reason", ADMIN_REASON_BYTES, &work->order.reason, fault);
    if (err != OK)
        return err;
    work->order.account = task->account;
    work->order.id = task->id;
    return OK;
}

/* ---- retry and fail ---- */

/* HTTP thread, once the engine has answered. */
static void answer_order(struct exchange *exchange) {
    const struct work *work = call_of(exchange)->work;
    struct fault fault = { .err = OK };
    if (work->order.err != OK)
        fault_set(&fault, work->order.err, "%s", work->order.words);
    admin_finish_task(exchange, work->order.err, &fault);
}

/* Any thread. */
static void ordered(struct engine_order *order) {
    http_resume(((struct work *)order->context)->exchange);
}

static enum err read_failure(struct work *work, struct fault *fault) {
    struct text code = TEXT("service_error"), message = TEXT_NONE;
    enum err err = admin_field_text(work->body, "code", NAME_SIZE, &code, fault);
    if (err == OK)
        err = admin_field_text(work->body, "message", MESSAGE_MAX, &message, fault);
    if (err != OK)
        return err;
    if (!task_error_parse(code, &work->order.error) || work->order.error == TASK_ERROR_NONE ||
        work->order.error == TASK_ERROR_CANCELLED)
        return fault_set_param(fault, ERR_NOT_ALLOWED_VALUE, "code",
                               "`code` is the code of a task's error, such as service_error or generation_timeout.");
    work->order.message = message.len > 0 ? message.ptr : NULL; /* terminated: JSON texts without NUL */
    return OK;
}

/* Reads the request and gives the order; the exchange waits for the engine. HTTP thread. */
static void take_order(struct exchange *exchange, enum order_kind kind, const char *const *known) {
    struct work *work = work_new(exchange);
    struct fault fault = { .err = OK };
    struct task_row task;
    struct arena arena;

    arena_init(&arena, TASK_MEMORY_MAX);
    enum err err = read_request(exchange, work, known, &task, &arena, &fault);
    arena_fini(&arena);
    if (err == OK && kind == ORDER_FAIL)
        err = read_failure(work, &fault);
    if (err != OK) {
        refuse(exchange, &fault);
        return;
    }
    work->order.kind = kind;
    work->order.done = ordered;
    exchange_suspend(exchange, answer_order);
    engine_order(call_of(exchange)->api->engine, &work->order);
}

void handle_admin_task_retry(struct exchange *exchange) {
    static const char *const known[] = { "reason", NULL };
    take_order(exchange, ORDER_RETRY, known);
}

void handle_admin_task_fail(struct exchange *exchange) {
    static const char *const known[] = { "code", "message", "reason", NULL };
    take_order(exchange, ORDER_FAIL, known);
}

/* ---- cancel ---- */

struct record_job {
    struct store_job job;
    const struct work *work;
};

static void record_cancel(struct store_tx *tx, struct store_job *job) {
    const struct engine_order *order = &container_of(job, struct record_job, job)->work->order;
    admin_record_json(tx, order->actor, "task.cancel_asked", order->account, task_id_text(&order->id),
                      json_pack("{s:s%}", "reason", order->reason.ptr, order->reason.len));
}

static void answer_cancel(struct exchange *exchange) {
    const struct work *work = call_of(exchange)->work;
    struct fault fault = { .err = OK };
    enum err err = work->err == ERR_TIMEOUT ? OK : work->err; /* the service goes on: the answer shows it */
    if (err != OK)
        fault_set(&fault, err, err == ERR_TASK_FINAL ? "The task has ended already and cannot be cancelled."
                                                     : "The task cannot be cancelled now.");
    admin_finish_task(exchange, err, &fault);
}

/* Any thread. */
static void cancelled(enum err err, void *context) {
    struct work *work = context;
    work->err = err;
    http_resume(work->exchange);
}

/* As its owner may. That it was asked for is on record before anybody is asked. */
void handle_admin_task_cancel(struct exchange *exchange) {
    static const char *const known[] = { "reason", NULL };
    struct api *api = api_of(exchange);
    struct work *work = work_new(exchange);
    struct record_job record = { .job.run = record_cancel, .work = work };
    struct fault fault = { .err = OK };
    struct task_row task;
    struct arena arena;

    arena_init(&arena, TASK_MEMORY_MAX);
    enum err err = read_request(exchange, work, known, &task, &arena, &fault);
    arena_fini(&arena);
    if (err == OK && task_state_final(task.state))
        err = fault_set(&fault, ERR_TASK_FINAL, "The task has ended already and cannot be cancelled.");
    if (err == OK && (err = store_call(api->store, &record.job)) != OK)
        fault_set(&fault, err, "The cancel could not be recorded.");
    if (err != OK) {
        refuse(exchange, &fault);
        return;
    }
    exchange_suspend(exchange, answer_cancel);
    engine_cancel(api->engine, work->order.account, &work->order.id, cancelled, work);
}

/* ---- refund ---- */

/* Without an amount it is all that is left; zero is no way to say that. */
static enum err read_refund(const json_t *body, int64_t *ret, struct fault *fault) {
    const json_t *value = json_object_get(body, "amount");
    enum err err = admin_field_credits(body, "amount", ret, fault);
    if (err != OK || value == NULL || json_is_null(value) || *ret > 0)
        return err;
    return fault_set_param(fault, ERR_OUT_OF_RANGE, "amount", "`amount` is a number of credits above zero.");
}

void handle_admin_task_refund(struct exchange *exchange) {
    static const char *const known[] = { "amount", "reason", "reference", NULL };
    struct store *store = call_of(exchange)->api->store;
    struct work *work = work_new(exchange);
    struct credit_order order = { .reference = TEXT(""), .actor = work->order.actor };
    struct fault fault = { .err = OK };
    struct task_row task;
    struct arena arena;

    arena_init(&arena, TASK_MEMORY_MAX);
    enum err err = read_request(exchange, work, known, &task, &arena, &fault);
    if (err == OK)
        err = read_refund(work->body, &order.microcredits, &fault);
    if (err == OK)
        err = admin_field_text(work->body, "reference", ADMIN_REFERENCE_MAX, &order.reference, &fault);
    order.account = work->order.account;
    order.reason = work->order.reason;
    if (err == OK)
        err = admin_order_check(&order, &fault);
    if (err == OK && (err = admin_refund_task(store, &order, &task.id, &arena, &fault)) == OK &&
        (err = store_call(store, &order.job)) != OK)
        err = admin_order_fault(&order, err, &fault);
    json_t *value = err != OK ? NULL
                              : json_pack("{s:s, s:s, s:I, s:o, s:o, s:b}", "object", "refund", "task", task.id.string,
                                          "entry", (json_int_t)order.entry, "amount", admin_credits(order.given),
                                          "balance", admin_credits(order.balance), "repeated", order.repeated);
    arena_fini(&arena);
    admin_finish(exchange, err, &fault, value);
}
