/* GET /v1/tasks/{task_id}: where a task stands. With sync_upstream the service that runs it is asked first, while the
 * exchange waits without a thread; what is answered is the stored state, as always. */
#include "api/internal.h"

/* Unknown parameters mean nothing. */
static enum err read_sync_upstream(struct exchange *exchange, bool *ret, struct fault *fault) {
    static const struct {
        struct text word;
        bool value;
    } words[] = { { TEXT("true"), true }, { TEXT("1"), true }, { TEXT("false"), false }, { TEXT("0"), false } };
    struct text value;

    if (!exchange_query(exchange, TEXT("sync_upstream"), &value))
        return OK;
    for (size_t i = 0; i < ARRAY_SIZE(words); i++)
        if (text_equal(value, words[i].word)) {
            *ret = words[i].value;
            return OK;
        }
    return fault_set_param(fault, ERR_NOT_ALLOWED_VALUE, "sync_upstream", "sync_upstream must be true or false.");
}

static enum err read_id(struct exchange *exchange, struct task_id *ret, struct fault *fault) {
    if (!task_id_parse(exchange_segment(exchange, TEXT("task_id")), ret))
        return fault_set_param(fault, ERR_INVALID_TASK_ID, "task_id", "This is not a task id.");
    return OK;
}

static enum err query(struct exchange *exchange, struct buffer *body, struct fault *fault) {
    const struct call *call = call_of(exchange);
    struct task_id id;
    struct text base;

    enum err err = read_id(exchange, &id, fault);
    if (err == OK)
        err = request_base(exchange, call->setup->config, &base, fault);
    if (err != OK)
        return err;
    err = engine_query(call->api->engine, call->account.id, &id, base, body);
    if (err == ERR_TASK_NOT_FOUND)
        return fault_set(fault, err, "There is no task with this id.");
    return err == OK ? OK : fault_set(fault, err, "The task cannot be read.");
}

static void answer(struct exchange *exchange) {
    struct fault fault = { .err = OK };
    struct buffer body;

    buffer_init(&body, TASK_ANSWER_MAX);
    if (query(exchange, &body, &fault) == OK) {
        reply_json(exchange, &body);
        return;
    }
    buffer_fini(&body);
    refuse(exchange, &fault);
}

/* Engine's thread, or from within engine_refresh. */
static void refreshed(void *context) {
    http_resume(context);
}

void handle_task_query(struct exchange *exchange) {
    const struct call *call = call_of(exchange);
    struct fault fault = { .err = OK };
    struct task_id id;
    bool sync_upstream = false;

    enum err err = read_id(exchange, &id, &fault);
    if (err == OK)
        err = read_sync_upstream(exchange, &sync_upstream, &fault);
    if (err != OK) {
        refuse(exchange, &fault);
    } else if (sync_upstream) {
        exchange_suspend(exchange, answer);
        engine_refresh(call->api->engine, call->account.id, &id, refreshed, exchange);
    } else {
        answer(exchange);
    }
}
