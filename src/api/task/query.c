/* GET /v1/tasks/{task_id}: where a task stands. With sync_upstream the service that runs it is asked first, with wait the
 * answer comes when the task has changed or the time is over; either way the exchange waits without a thread, and what is
 * answered is the stored state, as always.
 *
 *   handle ── sync_upstream ──> refreshed ──> wait_or_answer ── a change, the time, the client gone, the stop ──> answer
 *      └──────────────────────────────────────────┘    └── changed since the request, final, no wait ──────────────┘
 *
 * A wait is for a change since the request, or, with If-None-Match, from what the client has. */
#include <stdlib.h>

#include "api/door/desk.h"
#include "api/internal.h"
#include "api/task/wait_wish.h"
#include "base/clock.h"
#include "base/memory.h"
#include "engine/view/wait.h"

/* Of a query that waits; one that does not needs none. */
struct waiting {
    struct engine *engine;
    int64_t account;
    uint64_t version; /* at the request */
    int64_t until_ms; /* monotonic */
    struct wait *wait;
};

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

static enum err read_id(struct exchange *exchange, struct fault *fault) {
    if (!task_id_parse(exchange_segment(exchange, TEXT("task_id")), &call_of(exchange)->task))
        return fault_set_param(fault, ERR_INVALID_TASK_ID, "task_id", "This is not a task id.");
    return OK;
}

static enum err explain(enum err err, struct fault *fault) {
    if (err == ERR_TASK_NOT_FOUND)
        return fault_set(fault, err, "There is no task with this id.");
    return err == OK ? OK : fault_set(fault, err, "The task cannot be read.");
}

/* ---- the answer ---- */

/* The body and what its ETag tells. */
static enum err query(struct exchange *exchange, struct buffer *body, uint64_t *ret_tag, struct fault *fault) {
    const struct call *call = call_of(exchange);
    struct text base;

    enum err err = request_base(exchange, call->setup->config, &base, fault);
    if (err != OK)
        return err;
    err = engine_query_tagged(call->api->engine, call->account.id, &call->task, base, body, ret_tag);
    return explain(err, fault);
}

static void answer(struct exchange *exchange) {
    struct buffer *body = desk_paper(exchange_desk(exchange));
    struct fault fault = { .err = OK };
    uint64_t tag = 0;

    if (query(exchange, body, &tag, &fault) == OK) {
        reply_json_tagged(exchange, tag, body);
        return;
    }
    buffer_fini(body);
    refuse(exchange, &fault);
}

/* ---- the wait ---- */

/* Any thread. */
static void waited(void *context) {
    http_resume(context);
}

/* Listener: an answer that nobody reads frees the place. */
static void client_gone(struct exchange *exchange) {
    const struct waiting *waiting = call_of(exchange)->work;
    wait_cut(waiting->wait);
}

static void release_waiting(void *pointer) {
    struct waiting *waiting = pointer;
    wait_free(waiting->wait);
    engine_waiter_end(waiting->engine, waiting->account);
    free(waiting);
}

/* The client has the very body that would be answered now. */
static bool has_current(struct exchange *exchange) {
    struct buffer *body = desk_paper(exchange_desk(exchange));
    struct fault fault = { .err = OK };
    uint64_t tag = 0;

    bool has = query(exchange, body, &tag, &fault) == OK && exchange_has(exchange, tag);
    buffer_fini(body);
    return has;
}

static void wait_or_answer(struct exchange *exchange) {
    const struct call *call = call_of(exchange);
    struct waiting *waiting = call->work;

    if (waiting == NULL ||
        (exchange_header(exchange, HEADER_IF_NONE_MATCH).ptr != NULL && !has_current(exchange))) {
        answer(exchange);
        return;
    }
    waiting->wait = engine_wait_new(call->api->engine, call->account.id, &call->task, WAIT_FOR_STATE, waited, exchange);
    exchange_watch(exchange, client_gone);
    exchange_suspend(exchange, answer);
    if (!wait_begin(waiting->wait, waiting->version, waiting->until_ms))
        http_resume(exchange);
}

/* Engine's thread, or from within engine_refresh. */
static void refreshed(void *context) {
    http_resume(context);
}

/* A query that waits has its service asked within the same time. */
static void ask_first(struct exchange *exchange) {
    const struct call *call = call_of(exchange);
    const struct waiting *waiting = call->work;
    int64_t left_ms = waiting != NULL ? waiting->until_ms - clock_monotonic_ms() : REFRESH_MAX_MS;
    exchange_suspend(exchange, wait_or_answer);
    engine_refresh(call->api->engine, call->account.id, &call->task, left_ms > 0 ? left_ms : 0, refreshed, exchange);
}

/* What is to be known before anything happens: how the task stands at the request. */
static enum err begin_waiting(struct exchange *exchange, const struct wait_wish *wish, struct fault *fault) {
    struct call *call = call_of(exchange);
    struct task_look look;

    if (wish->seconds == 0)
        return OK;
    enum err err = engine_look(call->api->engine, call->account.id, &call->task, &look);
    if (err != OK)
        return explain(err, fault);
    if (look.live && (err = wait_take_place(call, fault)) != OK)
        return err;
    wait_wish_confirm(exchange, wish);
    if (!look.live)
        return OK;
    struct waiting *waiting = mem_new(sizeof *waiting);
    waiting->engine = call->api->engine;
    waiting->account = call->account.id;
    waiting->version = look.version;
    waiting->until_ms = clock_monotonic_ms() + (int64_t)wish->seconds * 1000;
    call->work = waiting;
    call->release_work = release_waiting;
    return OK;
}

void handle_task_query(struct exchange *exchange) {
    const struct call *call = call_of(exchange);
    struct fault fault = { .err = OK };
    struct wait_wish wish = { 0 };
    bool sync_upstream = false;

    enum err err = read_id(exchange, &fault);
    if (err == OK)
        err = read_sync_upstream(exchange, &sync_upstream, &fault);
    if (err == OK)
        err = wait_wish_read(exchange, call->setup->config->http_wait_max_s, &wish, &fault);
    if (err == OK)
        err = begin_waiting(exchange, &wish, &fault);
    if (err != OK) {
        refuse(exchange, &fault);
    } else if (sync_upstream) {
        ask_first(exchange);
    } else {
        wait_or_answer(exchange);
    }
}
