/* POST /v1/tasks/{task_id}/renew: the files of a result are kept longer, and the task gets new URLs for them.
 *
 * From now on for `result_ttl` seconds, up to the operator's maximum; without it, as long as any result. Nothing ends
 * earlier by it, and URLs that were given before end when they said. */
#include <jansson.h>
#include <stdlib.h>

#include "api/body.h"
#include "api/internal.h"
#include "api/task/submission_options.h"
#include "base/json.h"
#include "base/memory.h"

struct work {
    struct exchange *exchange;
    struct renewal renewal;
    enum err err;
};

/* HTTP thread, once the renewal is durable, or refused. */
static void answer(struct exchange *exchange) {
    const struct work *work = call_of(exchange)->work;
    struct fault fault = { .err = OK };
    enum err err;

    if (work->err == OK)
        err = reply_task(exchange, &work->renewal.id, &fault);
    else if (work->err == ERR_TASK_NOT_FOUND)
        err = fault_set(&fault, work->err, "There is no task with this id.");
    else if (work->err == ERR_TASK_NOT_COMPLETED)
        err = fault_set(&fault, work->err, "The task is not completed; only a result can be renewed.");
    else if (work->err == ERR_RESULT_EXPIRED)
        err = fault_set(&fault, work->err, "The result's files have expired and are gone.");
    else if (work->err == ERR_OVERLOADED)
        err = fault_set(&fault, work->err, "The task is being renewed by others; try again.");
    else
        err = fault_set(&fault, work->err, "The result cannot be renewed now.");
    if (err != OK)
        refuse(exchange, &fault);
}

/* Any thread. */
static void renewed(struct renewal *renewal, enum err err) {
    struct work *work = renewal->context;
    work->err = err;
    http_resume(work->exchange);
}

static enum err read_body(struct exchange *exchange, const struct config *config, int64_t *ret_ttl_s,
                          struct fault *fault) {
    static const char *const known[] = { FIELD_RESULT_TTL, NULL };
    json_t *scoped(json_release) body = NULL;
    *ret_ttl_s = config->result_ttl_s;
    enum err err = read_fields(exchange, known, &body, fault);
    return err == OK ? result_ttl_read(config, body, ret_ttl_s, fault) : err;
}

void handle_task_renew(struct exchange *exchange) {
    struct call *call = call_of(exchange);
    struct fault fault = { .err = OK };
    struct work *work = mem_new(sizeof(*work));
    struct renewal *renewal = &work->renewal;

    call->work = work;
    call->release_work = free;
    work->exchange = exchange;
    renewal->account = call->account.id;
    renewal->done = renewed;
    renewal->context = work;
    if (!task_id_parse(exchange_segment(exchange, TEXT("task_id")), &renewal->id)) {
        fault_set_param(&fault, ERR_INVALID_TASK_ID, "task_id", "This is not a task id.");
        refuse(exchange, &fault);
        return;
    }
    if (read_body(exchange, call->setup->config, &renewal->ttl_s, &fault) != OK) {
        refuse(exchange, &fault);
        return;
    }
    exchange_suspend(exchange, answer);
    engine_renew(call->api->engine, renewal);
}
