/* POST /v1/{images,videos,audios,run}/generations: a task is made, or the request says why not.
 *
 * Everything up to submit_task happens on the HTTP thread; then the exchange waits, without a thread, until task and
 * reservation are durable (T2, L2). */
#include <jansson.h>
#include <stdlib.h>

#include "api/body.h"
#include "api/task/intake.h"
#include "api/task/submission.h"
#include "api/task/submission_key.h"
#include "api/task/submission_options.h"
#include "base/json.h"
#include "base/memory.h"
#include "provider/driver.h"

#define JSON_DEPTH_MAX 32

/* The endpoint of each type, for people who chose the wrong one. */
static const char *const endpoints[TASK_TYPE_COUNT] = {
    [TASK_IMAGE] = "/v1/images/generations", [TASK_VIDEO] = "/v1/videos/generations",
    [TASK_AUDIO] = "/v1/audios/generations", [TASK_LLM] = "/v1/llm/generations",
    [TASK_DOCUMENT] = "/v1/run/generations",
};

struct work {
    struct exchange *exchange;
    struct submission submission;
    struct submission_options options;
    struct submission_key key;
    enum task_type type;
    json_t *input;
};

static void release_work(void *pointer) {
    struct work *work = pointer;
    idempotency_leave(work->submission.holding); /* it was refused before the engine got it */
    submission_key_fini(&work->key);
    engine_answered(api_of(work->exchange)->engine, &work->submission);
    submission_options_fini(&work->options);
    json_decref(work->input);
    free(work->submission.inputs);
    free(work);
}

static enum err read_model_name(json_t *input, const char **ret, struct fault *fault) {
    const json_t *name = json_object_get(input, "model");
    if (name == NULL)
        return fault_set_param(fault, ERR_MISSING_FIELD, "model", "The field model is missing.");
    if (!json_is_string(name))
        return fault_set_param(fault, ERR_INVALID_TYPE, "model", "The field model must be a string.");
    *ret = json_string_value(name);
    return OK;
}

static enum err find_model(const struct call *call, json_t *input, enum task_type type, const struct model **ret,
                           struct fault *fault) {
    const char *name = NULL;
    enum err err = read_model_name(input, &name, fault);
    if (err != OK)
        return err;
    const struct model *model = catalog_find(call->setup->catalog, text_of(name));
    if (model == NULL)
        return fault_set_param(fault, ERR_MODEL_NOT_FOUND, "model",
                               "There is no model %.*s; GET /v1/models lists them.",
                               TEXT_ARG(text_clip(text_of(name), 100)));
    if (model->type != type)
        return fault_set_param(fault, ERR_MODEL_NOT_FOUND, "model", "The model %s makes %s tasks; submit it to %s.",
                               model->name, task_type_name(model->type), endpoints[model->type]);
    if (!may_use(call, text_of(name)))
        return fault_set_param(fault, ERR_MODEL_NOT_ALLOWED, "model",
                               "The model %.*s is not open to this account; GET /v1/models lists those that are.",
                               TEXT_ARG(text_clip(text_of(name), 100)));
    *ret = model;
    return OK;
}

/* Test keys always run on the simulator. *ret_files: some route can be given files of ours. */
static enum err check_routes(const struct call *call, const struct model *model, bool *ret_files, struct fault *fault) {
    const struct setup *setup = call->setup;
    struct fault first = { .err = OK };
    bool available = call->key.book == BOOK_TEST;

    *ret_files = available;
    for (unsigned i = 0; i < model->route_count && !*ret_files; i++) {
        struct fault why = { .err = OK };
        if (route_available(&model->routes[i], setup->config, setup->bridge, &why)) {
            available = true;
            *ret_files = route_takes_files(&model->routes[i], setup->config, setup->bridge);
        } else if (i == 0) {
            first = why;
        }
    }
    if (available)
        return OK;
    return fault_set_param(fault, ERR_NO_COMPATIBLE_CHANNEL, "model", "The model %s cannot run here: %s.", model->name,
                           first.message[0] != '\0' ? first.message : "it has no route");
}

static enum err price(struct call *call, struct submission *submission, struct fault *fault) {
    const struct group_config *group = config_group(call->setup->config, text_of(call->account.group));
    enum err err = model_price(submission->model, submission->input, group->price_ppm, &submission->reserved);
    return err == OK ? OK : fault_set(fault, err, "These parameters have no price within bounds.");
}

static enum err prepare(struct call *call, struct work *work, struct fault *fault) {
    struct submission *submission = &work->submission;
    bool takes_files = false;

    enum err err = submission_options_take(work->exchange, call->setup->config, work->input, &work->options, fault);
    if (err == OK)
        err = find_model(call, work->input, work->type, &submission->model, fault);
    if (err == OK)
        err = model_validate(submission->model, work->input, fault);
    if (err == OK)
        err = check_routes(call, submission->model, &takes_files, fault);
    if (err != OK)
        return err;
    submission->input = work->input;
    submission->account = call->account;
    submission->key = call->key;
    submission->setup = call->setup;
    submission_options_apply(&work->options, submission);
    err = price(call, submission, fault);
    if (err == OK)
        err = intake(call->api, call->setup->config, !work->options.dry_run, takes_files, submission, fault);
    if (err != OK)
        engine_drop_inputs(call->api->engine, submission);
    return err;
}

/* HTTP thread: its idempotency key, if it has one, is known. */
static void make_task(struct exchange *exchange) {
    struct call *call = call_of(exchange);
    struct work *work = call->work;
    struct fault fault = { .err = OK };

    if (work->key.visit.state == VISIT_REPEATS) {
        reply_repeated(exchange, &work->key);
        return;
    }
    submission_key_give(&work->key, &work->submission);
    if (prepare(call, work, &fault) != OK) {
        refuse(exchange, &fault);
        return;
    }
    if (work->options.dry_run) {
        reply_estimate(exchange, &work->submission);
        return;
    }
    submit_task(exchange, &work->submission);
}

static void submit(struct exchange *exchange, enum task_type type) {
    struct call *call = call_of(exchange);
    struct work *work = mem_new(sizeof *work);
    struct fault fault = { .err = OK };

    work->exchange = exchange;
    work->type = type;
    call->work = work;
    call->release_work = release_work;
    if (read_json_body(exchange, JSON_DEPTH_MAX, &work->input, &fault) != OK)
        refuse(exchange, &fault);
    else
        submission_key_enter(exchange, submission_is_dry(work->input), &work->key, make_task);
}

void handle_submit_document(struct exchange *exchange) {
    submit(exchange, TASK_DOCUMENT);
}

void handle_submit_image(struct exchange *exchange) {
    submit(exchange, TASK_IMAGE);
}

void handle_submit_video(struct exchange *exchange) {
    submit(exchange, TASK_VIDEO);
}

void handle_submit_audio(struct exchange *exchange) {
    submit(exchange, TASK_AUDIO);
}
