/* From an attempt's output to the completed task: results, artifacts, and what it all costs. */
#include <stdlib.h>

#include <jansson.h>

#include "base/json.h"
#include "blob/link.h"
#include "catalog/catalog.h"
#include "config/config.h"
#include "engine/attempt/conversation.h"
#include "engine/attempt/run.h"
#include "engine/file/artifacts.h"
#include "engine/route/generation.h"
#include "engine/state.h"
#include "engine/task/move.h"

/* What was really delivered, at the price of the acceptance: when prices have changed since, today's only tell which share
 * of the reservation that is. L3: never more than was reserved. */
static int64_t cost_of(const struct run *run) {
    const struct config *config = run->generation->setup->config;
    const struct model *model = run->attempt.model;
    int64_t reserved = run->task->reserved, units_milli = run->results.units_milli, whole, cost;
    if (units_milli < 0)
        return reserved;
    int64_t ratio_ppm = config_group(config, live_group(run->task))->price_ppm;
    if (model_price(model, run->input, ratio_ppm, &whole) != OK || whole != reserved) {
        if (model_price(model, run->input, MONEY_RATIO_ONE_PPM, &whole) != OK ||
            model_price_units(model, run->input, units_milli, MONEY_RATIO_ONE_PPM, &cost) != OK)
            return reserved;
        if (whole == 0)
            return 0;
        cost = cost < whole ? money_share(reserved, cost, whole) : reserved;
    } else if (model_price_units(model, run->input, units_milli, ratio_ppm, &cost) != OK) {
        return reserved;
    }
    return cost < reserved ? cost : reserved;
}

/* Until when the files are kept. */
static int64_t expiry_s(const struct run *run, const struct live_task *task, int64_t finished_ms) {
    int64_t ttl_s = task->result_ttl_s > 0 ? task->result_ttl_s : run->generation->setup->config->result_ttl_s;
    return link_ends_s(finished_ms, ttl_s);
}

static void stored(struct run *run) {
    struct engine *engine = run->engine;
    if (run->halt == RUN_CANCELLED || run->halt == RUN_GIVEN_UP) {
        run_fail(run, TASK_ERROR_CANCELLED, false, NULL, NULL);
        return;
    }
    int64_t cost = cost_of(run);
    run_drop_input(run);
    run_drop_directory(run); /* its files are blobs by now */
    struct live_task *task = run_take_task(run);
    struct move *move = move_new(task, TASK_COMPLETE);
    const struct artifact_row *rows;
    unsigned count;
    struct text results = artifacts_render(run, expiry_s(run, task, move->row.finished_ms), &rows, &count);
    char data[80];
    move_results(move, results, cost, rows, count);
    move_end_attempt(move, ATTEMPT_SUCCEEDED, NULL);
    snprintf(data, sizeof(data), "{\"attempt\":%u,\"artifacts\":%u}", task->attempts, count);
    move_record(move, "completed", data);
    move_post(engine, move, run_moved_away, run);
}

static void take_output(struct run *run, const json_t *output);

static void take_output_again(struct run *run) {
    json_t *output scoped(json_release) = run->output;
    run->output = NULL;
    take_output(run, output);
}

static void take_output(struct run *run, const json_t *output) {
    struct fault fault = { 0 };
    struct model_results results;
    enum err err = run_load_input(run, &fault); /* unless it was kept while a service had the job */
    if (err != OK && run_wait(run, err, take_output_again)) {
        run->stage = RUN_STORING;
        run->output = json_incref((json_t *)(uintptr_t)output);
        return;
    }
    if (err != OK) {
        run_fail(run, TASK_ERROR_UNAVAILABLE, false, NULL, fault.message);
        return;
    }
    err = bridge_results(run->generation->setup->bridge, run->attempt.model, run->input, output, &results, &fault);
    if (err != OK) {
        run_fail(run, TASK_ERROR_SERVICE, false, "The service's answer could not be understood.", fault.message);
        return;
    }
    run->results = results;
    run->stage = RUN_STORING;
    artifacts_start(run, stored);
}

void run_complete(struct run *run, const struct outcome *outcome) {
    if (run->attempt.model->llm != NULL)
        conversation_complete(run, outcome);
    else
        take_output(run, outcome->output);
}
