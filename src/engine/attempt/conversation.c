/* From a ChatCompletion to the completed task. */
#include "engine/attempt/conversation.h"

#include <assert.h>
#include <jansson.h>
#include <stdlib.h>

#include "base/json.h"
#include "base/memory.h"
#include "catalog/catalog.h"
#include "chat/reserve.h"
#include "config/config.h"
#include "engine/attempt/run.h"
#include "engine/route/generation.h"
#include "engine/state.h"
#include "engine/task/move.h"
#include "remote/read_json.h"

#define RESULTS_MAX ((size_t)64 << 20)
#define RECORD_MAX 512 /* bytes of what a timeline is told: five numbers and their names */
#define RECORD_USUAL 120

/* What a model thought on the way is shown as it comes, and not kept. */
static const char *const passing[] = { "reasoning_content", "reasoning", "reasoning_details" };

static void forget_reasoning(json_t *completion) {
    size_t index;
    json_t *choice;
    json_array_foreach(json_object_get(completion, "choices"), index, choice)
        for (size_t i = 0; i < ARRAY_SIZE(passing); i++)
            json_object_del(json_object_get(choice, "message"), passing[i]);
}

/* Not just any word that begins so: reasoning_tokens are in many an answer that needs no change. */
static bool mentions_reasoning(struct text completion) {
    static const struct text beginning = TEXT("\"reasoning");
    char mark[32];
    if (memmem(completion.ptr, completion.len, beginning.ptr, beginning.len) == NULL)
        return false;
    for (size_t i = 0; i < ARRAY_SIZE(passing); i++) {
        int length = snprintf(mark, sizeof(mark), "\"%s\"", passing[i]);
        if (memmem(completion.ptr, completion.len, mark, (size_t)length) != NULL)
            return true;
    }
    return false;
}

/* The task's results: an array of the one completion. */
static char *render_results(struct text completion) {
    struct buffer results;
    json_t *value = NULL;
    buffer_init(&results, RESULTS_MAX); /* numbers and escapes may be longer in our words */
    (void)!buffer_reserve(&results, completion.len + 2);
    buffer_put_char(&results, '[');
    if (mentions_reasoning(completion) && read_service_json(completion, &value, NULL) == OK) {
        forget_reasoning(value);
        json_render_to(&results, value);
        json_decref(value);
    } else {
        buffer_put(&results, completion);
    }
    buffer_put_char(&results, ']');
    return buffer_take(&results);
}

/* Whether today's prices would reserve as much as was reserved. The request is counted again only where another setup priced
 * it. */
static bool is_priced_as_then(const struct run *run, int64_t ratio_ppm) {
    int64_t most;
    if (run->task->setup_number == run->generation->setup->number)
        return true;
    assert(run->input != NULL); /* chat's drivers never have it put by */
    return chat_price_most(run->attempt.model, run->input, ratio_ppm, &most) == OK && most == run->task->reserved;
}

/* When prices have changed since the acceptance, today's only tell which share of the reservation was used. */
static int64_t share_used(const struct run *run, const struct token_usage *tokens) {
    int64_t reserved = run->task->reserved, most, cost;
    if (chat_price_most(run->attempt.model, run->input, MONEY_RATIO_ONE_PPM, &most) != OK ||
        model_price_tokens(run->attempt.model, tokens, MONEY_RATIO_ONE_PPM, &cost) != OK)
        return reserved;
    return most == 0 ? 0 : cost < most ? money_share(reserved, cost, most) : reserved;
}

/* What was used, at the price of the acceptance. L3: never more than was reserved. */
static int64_t cost_of(const struct run *run, const struct token_usage *tokens) {
    const struct config *config = run->generation->setup->config;
    int64_t ratio_ppm = config_group(config, live_group(run->task))->price_ppm, cost;
    if (!is_priced_as_then(run, ratio_ppm))
        return share_used(run, tokens);
    if (model_price_tokens(run->attempt.model, tokens, ratio_ppm, &cost) != OK)
        return run->task->reserved;
    return cost < run->task->reserved ? cost : run->task->reserved;
}

static void record(struct move *move, const char *kind, const struct token_usage *tokens) {
    struct buffer data scoped(buffer_fini);
    struct json_writer json;

    buffer_init(&data, RECORD_MAX);
    (void)!buffer_reserve(&data, RECORD_USUAL);
    json_begin(&json, &data);
    json_object_begin(&json);
    json_key(&json, "attempt");
    json_i64(&json, move->task->attempts);
    json_key(&json, "input_tokens");
    json_i64(&json, tokens->input);
    json_key(&json, "output_tokens");
    json_i64(&json, tokens->output);
    json_key(&json, "cached_tokens");
    json_i64(&json, tokens->cached);
    json_key(&json, "estimated");
    json_bool(&json, tokens->estimated);
    if (move->task->client_gone) {
        json_key(&json, "client_gone");
        json_bool(&json, true);
    }
    json_object_end(&json);
    move_record(move, kind, buffer_ok(&data) ? data.data : "{}");
}

/* Whoever could read what was written has had it, and pays for it: a cancel just before the last word would be an answer for
 * nothing. */
static void complete_cancel(struct run *run, const struct token_usage *tokens) {
    int64_t cost = cost_of(run, tokens);
    struct live_task *task = run_take_task(run);
    struct move *move = move_new(task, TASK_CANCEL);
    move_error(move, TASK_ERROR_CANCELLED, "The task was cancelled; what was written until then is charged.");
    move_charge(move, cost);
    move_end_attempt(move, ATTEMPT_FAILED, task_error_code(TASK_ERROR_CANCELLED));
    record(move, "cancelled", tokens);
    move_post(run->engine, move, run_moved_away, run);
}

void conversation_complete(struct run *run, const struct outcome *outcome) {
    struct engine *engine = run->engine;
    if (outcome->despite_cancel && run->task->cancel_wanted && !run->task->client_gone) {
        complete_cancel(run, &outcome->tokens);
        return;
    }
    char *results scoped(mem_free_pointer) = render_results(outcome->completion);
    if (results == NULL) {
        run_fail(run, TASK_ERROR_SERVICE, false, "The service's answer could not be understood.", NULL);
        return;
    }
    int64_t cost = cost_of(run, &outcome->tokens);
    struct live_task *task = run_take_task(run);
    struct move *move = move_new(task, TASK_COMPLETE);
    move_results(move, text_of(results), cost, NULL, 0);
    move->completion = task->call != NULL ? outcome->completion : TEXT_NONE; /* used from within move_post only */
    move->cut = outcome->despite_cancel;
    move->tokens = outcome->tokens;
    move_end_attempt(move, ATTEMPT_SUCCEEDED, NULL);
    record(move, "completed", &outcome->tokens);
    move_post(engine, move, run_moved_away, run);
}
