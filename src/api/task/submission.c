/* A submission's way into the store, and what is said of it. */
#include "api/task/submission.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/log.h"
#include "core/answer.h"

#define ESTIMATE_MAX 4096
#define ANSWER_MAX 65536

static void over_budget(const struct submission *submission, enum err err, struct fault *fault) {
    const struct key_row *key = &submission->key;
    char needed[MONEY_TEXT_SIZE], budget[MONEY_TEXT_SIZE], begins[CLOCK_RFC3339_SIZE];

    money_format(submission->reserved, needed);
    if (err == ERR_KEY_BUDGET) {
        money_format(key->budget_total, budget);
        fault_set(fault, err, "This task reserves %s credits, and less is left of this API key's budget of %s credits.",
                  needed, budget);
        return;
    }
    money_format(key->budget_day, budget);
    clock_format_rfc3339((budget_day_of(clock_wall_ms()) + 1) * DAY_MS, begins);
    fault_set(fault, err,
              "This task reserves %s credits, and less is left today of this API key's budget of %s credits a day; "
              "the next day begins at %s.",
              needed, budget, begins);
}

/* The narrower limit is the one that is full, or it soon will be. */
static void too_many_calls(const struct submission *submission, struct fault *fault) {
    unsigned account = config_group(submission->setup->config, text_of(submission->account.group))->streams;
    unsigned key = (unsigned)submission->key.concurrency;
    if (key > 0 && key <= account)
        fault_set(fault, ERR_TOO_MANY_STREAMS,
                  "This API key has its %u calls to language models running already; try again.", key);
    else
        fault_set(fault, ERR_TOO_MANY_STREAMS,
                  "The account has its %u calls to language models running already; try again.", account);
}

void refuse_submission(struct exchange *exchange, const struct submission *submission, enum err err) {
    struct fault fault = { .err = OK };
    char credits[MONEY_TEXT_SIZE];

    money_format(submission->reserved, credits);
    if (err == ERR_INSUFFICIENT_QUOTA)
        fault_set(&fault, err, "This task reserves %s credits, and the account's balance is lower.", credits);
    else if (err == ERR_KEY_BUDGET || err == ERR_KEY_BUDGET_DAY)
        over_budget(submission, err, &fault);
    else if (err == ERR_TOO_MANY_STREAMS)
        too_many_calls(submission, &fault);
    else if (err == ERR_NO_COMPATIBLE_CHANNEL)
        fault_set_param(&fault, err, "model", "The operator has paused the model %s; try again later.",
                        submission->model->name);
    else if (err == ERR_STORAGE_FULL)
        fault_set(&fault, err, INPUTS_FULL_WORDS);
    else if (err == ERR_OVERLOADED)
        fault_set(&fault, err, "Too many tasks are waiting; nothing was accepted or billed; try again.");
    else if (err == ERR_SHUTTING_DOWN)
        fault_set(&fault, err, "The server is shutting down and takes no new tasks; try again.");
    else
        fault_set(&fault, err, "The task could not be stored.");
    refuse(exchange, &fault);
}

void reply_estimate(struct exchange *exchange, const struct submission *submission) {
    const struct model *model = submission->model;
    const struct answer answer = {
        .billing = model_billing(model),
        .reserved = submission->reserved,
        .model = submission->name.ptr != NULL ? submission->name : text_of(model->name),
        .group = text_of(submission->account.group),
    };
    struct buffer body;

    if (engine_paused(call_of(exchange)->api->engine, PAUSE_MODEL, model->name)) {
        refuse_submission(exchange, submission, ERR_NO_COMPATIBLE_CHANNEL);
        return;
    }
    buffer_init(&body, ESTIMATE_MAX);
    answer_put_estimate(&body, &answer);
    reply_json(exchange, &body);
}

/* What was asked for is logged only where the operator wants it. */
static void log_submission(struct exchange *exchange, const struct submission *submission) {
    struct text task = task_id_text(&submission->answer.id);
    if (!submission->setup->config->log_prompts) {
        log_event(LOG_DEBUG, "task submitted", LOG_S("request", exchange_request_id(exchange)), LOG_T("task", task));
        return;
    }
    char *input = json_render(submission->input);
    log_event(LOG_INFO, "task submitted", LOG_S("request", exchange_request_id(exchange)), LOG_T("task", task),
              LOG_S("input", input));
    free(input);
}

/* HTTP thread, after the commit. */
static void answer(struct exchange *exchange) {
    const struct call *call = call_of(exchange);
    struct buffer body;

    if (call->submitted != OK) {
        refuse_submission(exchange, call->submission, call->submitted);
        return;
    }
    log_submission(exchange, call->submission);
    buffer_init(&body, ANSWER_MAX);
    answer_put_submission(&body, &call->submission->answer);
    reply_json(exchange, &body);
}

/* Writer's thread, or from within submit_task. */
static void committed(struct submission *submission, enum err err) {
    struct exchange *exchange = submission->context;
    call_of(exchange)->submitted = err;
    http_resume(exchange);
}

void submit_task(struct exchange *exchange, struct submission *submission) {
    struct call *call = call_of(exchange);
    call->submission = submission;
    submission->done = committed;
    submission->context = exchange;
    exchange_suspend(exchange, answer);
    enum err err = engine_submit(call->api->engine, submission);
    if (err != OK)
        committed(submission, err);
}
