/* POST /v1/callbacks/test: sends one signed event to an address, and answers with what came of it. */
#include <jansson.h>

#include "api/account/callback.h"
#include "api/body.h"
#include "base/clock.h"
#include "base/json.h"
#include "callback/callbacks.h"
#include "callback/intake.h"

struct test {
    struct callback_work work;
    struct callback_watch watch;
    struct callback_intake intake;
};

static enum err read_url(struct exchange *exchange, struct text *ret, struct fault *fault) {
    static const char *const known[] = { "url", NULL };
    const struct call *call = call_of(exchange);
    json_t *scoped(json_release) body = NULL;
    struct text url = TEXT_NONE;
    enum err err = read_fields(exchange, known, &body, fault);
    if (err == OK)
        err = read_text_field(body, "url", &url, fault);
    if (err != OK)
        return err;
    err = callback_url_check(url, call->setup->config, "url", fault);
    if (err != OK)
        return err;
    *ret = arena_text(exchange_arena(exchange), url);
    return ret->ptr != NULL ? OK : fault_set(fault, ERR_NO_MEMORY, "No memory for a URL.");
}

static void write_test(struct store_tx *tx, struct store_job *job) {
    const struct test *test = container_of(job, struct test, work.job);
    callback_intake_write(tx, &test->intake, NULL);
}

static void tried(struct exchange *exchange) {
    const struct test *test = call_of(exchange)->work;
    callback_reply(exchange, text_of(test->intake.row.id));
}

/* The loop's thread, or from within callbacks_watch. */
static void watched(struct callback_watch *watch) {
    http_resume(container_of(watch, struct test, watch)->work.exchange);
}

static void stored(struct exchange *exchange) {
    const struct call *call = call_of(exchange);
    struct test *test = call->work;
    struct callbacks *callbacks = engine_callbacks(call->api->engine);
    struct fault fault = { .err = OK };
    if (test->work.err != OK) {
        fault_set(&fault, test->work.err, "The test cannot be sent now.");
        refuse(exchange, &fault);
        return;
    }
    int64_t account = test->intake.row.account;
    char id[CALLBACK_ID_SIZE];
    memcpy(id, test->intake.row.id, sizeof(id));
    test->watch.account = account;
    memcpy(test->watch.id, id, sizeof(id));
    test->watch.done = watched;
    exchange_suspend(exchange, tried);
    callbacks_watch(callbacks, &test->watch);
    callbacks_hurry(callbacks, account, text_of(id)); /* the exchange may be over by now */
}

static enum err prepare(struct exchange *exchange, struct test *test, struct fault *fault) {
    const struct call *call = call_of(exchange);
    struct text url, base;
    enum err err = read_url(exchange, &url, fault);
    if (err == OK)
        err = request_base(exchange, call->setup->config, &base, fault);
    if (err == OK)
        err = callback_intake_init(&test->intake, call->account.id, url, base, clock_wall_ms(), fault);
    if (err == OK)
        callback_intake_test(&test->intake);
    return err;
}

void handle_callback_test(struct exchange *exchange) {
    struct test *test = arena_alloc(exchange_arena(exchange), sizeof(*test));
    struct fault fault = { .err = OK };
    enum err err = test != NULL ? OK : fault_set(&fault, ERR_NO_MEMORY, "No memory for a job.");
    if (err == OK)
        err = prepare(exchange, test, &fault);
    if (err != OK)
        refuse(exchange, &fault);
    else
        callback_post(&test->work, exchange, write_test, stored);
}
