/* POST /v1/callbacks/test: sends one signed event to an address, and answers with what came of it. */
#include <jansson.h>

#include "api/callback.h"
#include "api/submission.h"
#include "api/submission_options.h"
#include "base/clock.h"
#include "base/json.h"
#include "callback/callbacks.h"
#include "callback/intake.h"

#define JSON_DEPTH_MAX 2

struct test {
    struct callback_work work;
    struct callback_watch watch;
    struct callback_intake intake;
};

static enum err read_url(struct exchange *exchange, struct text *ret, struct fault *fault) {
    const struct call *call = call_of(exchange);
    json_t *scoped(json_release) body = NULL;
    const char *name;
    json_t *value;
    enum err err = read_json_body(exchange, JSON_DEPTH_MAX, &body, fault);
    if (err != OK)
        return err;
    json_object_foreach(body, name, value) {
        if (strcmp(name, "url") != 0)
            return fault_set_param(fault, ERR_UNKNOWN_FIELD, name, "There is no field %.64s here.", name);
    }
    value = json_object_get(body, "url");
    if (value == NULL)
        return fault_set_param(fault, ERR_MISSING_FIELD, "url", "The field url is missing.");
    if (!json_is_string(value))
        return fault_set_param(fault, ERR_INVALID_TYPE, "url", "The field url must be a string.");
    err = callback_url_check(json_text_of(value), call->setup->config, fault);
    if (err != OK) {
        snprintf(fault->param, sizeof(fault->param), "url");
        return err;
    }
    *ret = arena_text(exchange_arena(exchange), json_text_of(value));
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
