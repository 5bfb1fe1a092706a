/* The way of a request to a language model up to its acceptance. All on the HTTP thread. */
#include "api/chat/chat.h"

#include <jansson.h>
#include <stdlib.h>

#include "api/body.h"
#include "api/chat/files.h"
#include "api/task/submission.h"
#include "base/json.h"
#include "base/memory.h"
#include "catalog/llm.h"
#include "chat/dialect/dialect.h"
#include "chat/reserve.h"
#include "chat/sayable.h"
#include "provider/driver.h"

#define BODY_DEPTH_MAX 64
#define PARTS_MAX 1000 /* of one message */
#define NAME_MAX_BYTES 200

void chat_stop_reading(struct chat_work *work) {
    if (work->reading)
        chat_cursor_close(&work->cursor);
    work->reading = false;
}

static void release_work(void *pointer) {
    struct chat_work *work = pointer;
    chat_stop_reading(work);
    engine_answered(api_of(work->exchange)->engine, &work->submission);
    chat_stream_unref(work->stream);
    buffer_fini(&work->head);
    idempotency_leave(work->submission.holding); /* it was refused before the engine got it */
    submission_key_fini(&work->key);
    submission_options_fini(&work->options);
    json_decref(work->body);
    json_decref(work->request);
    free(work);
}

static enum err no_model(const char *name, const char *why, struct fault *fault) {
    return fault_set_param(fault, ERR_NO_AVAILABLE_MODEL, "model", "The model %.*s is not available: %s.",
                           TEXT_ARG(text_clip(text_of(name), 100)), why);
}

/* Test keys always run on the simulator, in any route's place. */
static bool may_take(const struct call *call, const struct route *route, struct fault *why) {
    return call->key.book == BOOK_TEST || route_available(route, call->setup->config, call->setup->bridge, why);
}

static enum err find_route(const struct call *call, struct chat_work *work, const char *name, struct fault *fault) {
    const struct model *model = work->submission.model;
    struct fault first = { .err = OK };
    for (unsigned i = 0; i < model->route_count; i++) {
        struct fault why = { .err = OK };
        work->route = i;
        if (may_take(call, &model->routes[i], &why))
            return OK;
        if (i == 0)
            first = why;
    }
    return no_model(name, first.message[0] != '\0' ? first.message : "it has no route", fault);
}

static enum err find_model(const struct call *call, struct chat_work *work, struct fault *fault) {
    const char *name = json_string_value(json_object_get(work->request, "model"));
    const struct model *model =
        strlen(name) <= NAME_MAX_BYTES ? catalog_find(call->setup->catalog, text_of(name)) : NULL;
    if (model == NULL)
        return no_model(name, "there is none of this name; GET /v1/models lists them", fault);
    if (model->llm == NULL)
        return no_model(name, "it is not a language model", fault);
    if (!may_use(call, text_of(name)))
        return no_model(name, "it is not open to this account; GET /v1/models lists those that are", fault);
    work->submission.model = model;
    work->submission.name = text_of(name);
    return find_route(call, work, name, fault);
}

/* What the model did not write goes back with the settlement. */
static enum err price(struct call *call, struct chat_work *work, struct fault *fault) {
    const struct group_config *group = config_group(call->setup->config, text_of(call->account.group));
    enum err err = chat_price_most(work->submission.model, work->request, group->price_ppm, &work->submission.reserved);
    return err == OK ? OK : fault_set(fault, err, "This request has no price within bounds.");
}

/* The field as it was sent. What a protocol is about the model may not be able to do; among messages it is one part
 * that the model cannot take. */
static enum err check_rules(const struct chat_work *work, struct fault *fault) {
    enum err err = llm_check(work->submission.model, work->request, fault);
    if (err == OK)
        return OK;
    chat_name_field(&work->wishes, fault);
    if (err == ERR_CAPABILITY && work->wishes.protocol == CHAT_CUSTOM)
        fault->err = ERR_PART_TYPE;
    return fault->err;
}

/* One route that can say it is enough: the attempt at another gives way to it. */
static enum err check_sayable(const struct call *call, const struct chat_work *work, struct fault *fault) {
    const struct model *model = work->submission.model;
    enum err first = OK;
    for (unsigned i = work->route; i < model->route_count; i++) {
        const struct route *route = &model->routes[i];
        if (i > work->route && !may_take(call, route, NULL))
            continue;
        enum err err = chat_sayable(call->setup->bridge, model, route, work->request, work->wishes.reasoning,
                                    first == OK ? fault : NULL);
        if (err == OK)
            return OK;
        first = first == OK ? err : first;
    }
    chat_name_field(&work->wishes, fault);
    return first;
}

/* The field as it was sent. */
static enum err take_files(const struct call *call, struct chat_work *work, struct fault *fault) {
    enum err err = chat_take_files(call->api, call->setup->config, work->request, fault);
    if (err != OK)
        chat_name_field(&work->wishes, fault);
    return err;
}

/* Reads the request, finds its model, checks it by the rules of the model and of its services' dialects, and prices it. */
static enum err prepare(struct call *call, struct chat_work *work, struct fault *fault) {
    const struct config *config = call->setup->config;
    const struct chat_limits limits = { .messages_max = config->llm_messages_max, .parts_max = PARTS_MAX };

    enum err err = submission_options_take(work->exchange, config, work->body, &work->options, fault);
    if (err == OK)
        err = work->read(work->body, &limits, &work->request, &work->wishes, fault);
    json_release(&work->body); /* a call's request must be nobody else's */
    if (err == OK)
        err = find_model(call, work, fault);
    if (err == OK)
        err = take_files(call, work, fault);
    if (err == OK)
        err = check_rules(work, fault);
    if (err == OK)
        err = check_sayable(call, work, fault);
    if (err == OK)
        err = price(call, work, fault);
    if (err != OK)
        return err;
    work->submission.input = work->request;
    work->submission.account = call->account;
    work->submission.key = call->key;
    work->submission.setup = call->setup;
    work->submission.streams = work->wishes.stream;
    work->submission.reasons = work->wishes.reasoning;
    submission_options_apply(&work->options, &work->submission);
    return OK;
}

static bool calls(const struct chat_work *work) {
    return work->mode == CHAT_CALLS || (work->mode == CHAT_AS_ASKED && work->wishes.sync);
}

static void make(struct chat_work *work) {
    struct fault fault = { .err = OK };
    enum err err = prepare(call_of(work->exchange), work, &fault);
    if (err == OK && calls(work))
        err = submission_options_expect_call(&work->options, &fault);
    if (err != OK)
        refuse(work->exchange, &fault);
    else if (work->options.dry_run)
        reply_estimate(work->exchange, &work->submission);
    else if (calls(work))
        chat_call(work);
    else
        submit_task(work->exchange, &work->submission);
}

/* What decides on the form of an answer that is there already; the request itself was found good before. */
static void read_form(struct chat_work *work) {
    const json_t *options = json_object_get(work->body, "stream_options");
    work->wishes.sync = json_is_true(json_object_get(work->body, "sync"));
    work->wishes.stream = json_is_true(json_object_get(work->body, "stream"));
    work->wishes.include_usage = json_is_true(json_object_get(options, "include_usage"));
}

/* HTTP thread: its idempotency key, if it has one, is known. */
static void go_on(struct exchange *exchange) {
    struct chat_work *work = call_of(exchange)->work;
    if (work->key.visit.state == VISIT_FIRST) {
        submission_key_give(&work->key, &work->submission);
        make(work);
        return;
    }
    read_form(work);
    if (!calls(work))
        reply_repeated(exchange, &work->key);
    else if (work->key.visit.state == VISIT_JOINS)
        chat_join(work);
    else
        chat_repeat(work);
}

void chat_accept(struct exchange *exchange, chat_read *read, enum chat_mode mode) {
    struct call *call = call_of(exchange);
    struct chat_work *work = mem_new(sizeof *work);
    struct fault fault = { .err = OK };

    work->exchange = exchange;
    work->read = read;
    work->mode = mode;
    buffer_init(&work->head, 2 * CHAT_CHUNK_MAX);
    call->work = work;
    call->release_work = release_work;
    if (read_json_body(exchange, BODY_DEPTH_MAX, &work->body, &fault) != OK)
        refuse(exchange, &fault);
    else
        submission_key_enter(exchange, submission_is_dry(work->body), &work->key, go_on);
}
