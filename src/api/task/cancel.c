/* POST /v1/tasks/{task_id}/cancel: ends a task early, as far as that can be done.
 *
 * A task that waits ends at once; of one that runs, whoever runs it is asked, and the answer shows what came of it: failed
 * with request_cancelled, or still processing where a service goes on. */
#include <stdlib.h>

#include "api/internal.h"
#include "base/memory.h"

struct work {
    struct exchange *exchange;
    struct task_id id;
    enum err err; /* of the cancel */
};

/* HTTP thread, once the engine has answered. */
static void answer(struct exchange *exchange) {
    const struct work *work = call_of(exchange)->work;
    struct fault fault = { .err = OK };
    enum err err;

    if (work->err == OK || work->err == ERR_TIMEOUT)
        err = reply_task(exchange, &work->id, &fault);
    else if (work->err == ERR_TASK_FINAL)
        err = fault_set(&fault, work->err, "The task has ended already and cannot be cancelled.");
    else if (work->err == ERR_TASK_NOT_FOUND)
        err = fault_set(&fault, work->err, "There is no task with this id.");
    else if (work->err == ERR_SHUTTING_DOWN)
        err = fault_set(&fault, work->err, "The server is shutting down; try again.");
    else
        err = fault_set(&fault, work->err, "The task cannot be cancelled now.");
    if (err != OK)
        refuse(exchange, &fault);
}

/* Any thread. */
static void cancelled(enum err err, void *context) {
    struct work *work = context;
    work->err = err;
    http_resume(work->exchange);
}

void handle_task_cancel(struct exchange *exchange) {
    struct call *call = call_of(exchange);
    struct fault fault = { .err = OK };
    struct work *work = mem_new(sizeof(*work));

    call->work = work;
    call->release_work = free;
    work->exchange = exchange;
    if (!task_id_parse(exchange_segment(exchange, TEXT("task_id")), &work->id)) {
        fault_set_param(&fault, ERR_INVALID_TASK_ID, "task_id", "This is not a task id.");
        refuse(exchange, &fault);
        return;
    }
    exchange_suspend(exchange, answer);
    engine_cancel(call->api->engine, call->account.id, &work->id, cancelled, work);
}
