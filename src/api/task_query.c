/* GET /v1/tasks/{task_id}: where a task stands. */
#include "api/internal.h"

#define ANSWER_MAX ((size_t)16 << 20)

/* A refresh asks the upstream only for tasks that run there; those of this machine are always fresh, and the stored
 * state is the answer. Unknown parameters mean nothing. */
static enum err check_sync_upstream(struct exchange *exchange, struct fault *fault) {
    static const struct text values[] = { TEXT("true"), TEXT("false"), TEXT("1"), TEXT("0") };
    struct text value;

    if (!exchange_query(exchange, TEXT("sync_upstream"), &value))
        return OK;
    for (size_t i = 0; i < ARRAY_SIZE(values); i++)
        if (text_equal(value, values[i]))
            return OK;
    return fault_set_param(fault, ERR_NOT_ALLOWED_VALUE, "sync_upstream", "sync_upstream must be true or false.");
}

static enum err query(struct exchange *exchange, struct buffer *body, struct fault *fault) {
    const struct call *call = call_of(exchange);
    struct task_id id;
    struct text base;

    if (!task_id_parse(exchange_segment(exchange, TEXT("task_id")), &id))
        return fault_set_param(fault, ERR_INVALID_TASK_ID, "task_id", "This is not a task id.");
    enum err err = check_sync_upstream(exchange, fault);
    if (err == OK)
        err = request_base(exchange, call->setup->config, &base, fault);
    if (err != OK)
        return err;
    err = engine_query(call->api->engine, call->account.id, &id, base, body);
    if (err == ERR_TASK_NOT_FOUND)
        return fault_set(fault, err, "There is no task with this id.");
    return err == OK ? OK : fault_set(fault, err, "The task cannot be read.");
}

void handle_task_query(struct exchange *exchange) {
    struct fault fault = { .err = OK };
    struct buffer body;

    buffer_init(&body, ANSWER_MAX);
    if (query(exchange, &body, &fault) == OK) {
        reply_json(exchange, &body);
        return;
    }
    buffer_fini(&body);
    refuse(exchange, &fault);
}
