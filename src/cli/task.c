/* fennec task show, list: what happened to a task, for operators. */
#include <jansson.h>

#include "base/arena.h"
#include "base/json.h"
#include "cli/command.h"
#include "cli/open.h"
#include "cli/output.h"
#include "cli/owner.h"
#include "store/store.h"

#define TASK_MEMORY_MAX (64 << 20)

static json_t *task_value(const struct task_row *task) {
    return json_pack("{s:s, s:I, s:s, s:s, s:o, s:s, s:i, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "id", task->id.string,
                     "account_id", (json_int_t)task->account, "book", task->book == BOOK_TEST ? "test" : "live", "type",
                     task_type_name(task->type), "model", output_text(task->model), "status",
                     task_state_name(task->state), "progress", task->progress, "created", output_time(task->created_ms),
                     "started", output_time(task->started_ms), "finished", output_time(task->finished_ms),
                     "credits_reserved", output_credits(task->reserved), "credits_charged",
                     output_credits(task->charged), "credits_refunded", output_credits(task->refunded), "error",
                     task->error ? json_pack("{s:s, s:o}", "code", task_error_code(task->error), "message",
                                             output_text(task->error_message))
                                 : json_null());
}

static bool add_task(const struct task_row *task, void *rows) {
    json_array_append_new(rows, task_value(task));
    return true;
}

static bool add_attempt(const struct attempt_row *attempt, void *rows) {
    json_array_append_new(rows,
                          json_pack("{s:i, s:s, s:o, s:o, s:o, s:o, s:o}", "number", attempt->number, "state",
                                    attempt_state_name(attempt->state), "provider", output_text(attempt->provider),
                                    "remote", output_text(attempt->remote), "started", output_time(attempt->started_ms),
                                    "ended", output_time(attempt->ended_ms), "detail", output_text(attempt->detail)));
    return true;
}

static bool add_event(const struct event_row *event, void *rows) {
    json_t *data = json_loadb(event->data.ptr ? event->data.ptr : "", event->data.len, 0, NULL);
    json_array_append_new(rows, json_pack("{s:i, s:o, s:o, s:o}", "sequence", event->sequence, "at",
                                          output_time(event->at_ms), "kind", output_text(event->kind), "data",
                                          data ? data : json_object()));
    return true;
}

static bool add_artifact(const struct artifact_row *artifact, void *rows) {
    json_array_append_new(rows,
                          json_pack("{s:s, s:i, s:s, s:I, s:o, s:o, s:o}", "role",
                                    artifact->role == ARTIFACT_INPUT ? "input" : "output", "position",
                                    artifact->position, "hash", artifact->hash, "bytes", (json_int_t)artifact->size,
                                    "media_type", output_text(artifact->media_type), "name",
                                    output_text(artifact->name), "expires", output_time(artifact->expires_ms)));
    return true;
}

/* The task with its lists, as one object; its reference is the caller's. */
static enum err load_task(struct store *store, const struct task_id *id, json_t **ret) {
    struct arena arena;
    arena_init(&arena, TASK_MEMORY_MAX);
    struct task_row task;
    enum err err = store_find_task_of_any(store, id, &arena, &task);
    if (err) {
        arena_fini(&arena);
        return err;
    }
    json_t *value = task_value(&task), *events = json_array(), *attempts = json_array(), *artifacts = json_array();
    json_object_set_new(value, "events", events);
    json_object_set_new(value, "attempts", attempts);
    json_object_set_new(value, "artifacts", artifacts);
    err = store_list_events(store, task.account, id, add_event, events);
    if (!err)
        err = store_list_attempts(store, task.account, id, add_attempt, attempts);
    if (!err)
        err = store_list_artifacts(store, task.account, id, add_artifact, artifacts);
    if (!err)
        err = owner_name(store, value);
    arena_fini(&arena);
    if (err)
        json_decref(value);
    else
        *ret = value;
    return err;
}

static void put_list(const struct invocation *call, const json_t *value, const char *key, const char *title,
                     const struct output_column *columns) {
    if (json_array_size(json_object_get(value, key)) == 0)
        return;
    printf("\n%s\n", title);
    output_table(call, json_object_get(value, key), columns, "");
}

static int run_show(const struct invocation *call) {
    struct fault fault = { 0 };
    struct task_id id;
    if (!task_id_parse(text_of(call->arguments[0]), &id)) {
        fault_set(&fault, ERR_INVALID_TASK_ID, "%s is not a task id (task-unified-1757165031-uyujaw3d)",
                  call->arguments[0]);
        return command_failed(call, &fault);
    }
    struct store *store;
    if (open_store(call, &store, &fault))
        return command_failed(call, &fault);
    json_t *value scoped(json_release) = NULL;
    enum err err = load_task(store, &id, &value);
    store_close(store);
    if (err == ERR_NOT_FOUND)
        fault_set(&fault, err, "there is no task %s", id.string);
    else if (err)
        fault_set(&fault, err, "the task could not be read");
    if (err)
        return command_failed(call, &fault);
    static const struct output_column FACTS[] = { { "id", "id" },
                                                  { "model", "model" },
                                                  { "type", "type" },
                                                  { "status", "status" },
                                                  { "progress", "progress" },
                                                  { "account", "account" },
                                                  { "book", "book" },
                                                  { "created", "created" },
                                                  { "started", "started" },
                                                  { "finished", "finished" },
                                                  { "reserved", "credits_reserved" },
                                                  { "charged", "credits_charged" },
                                                  { "refunded", "credits_refunded" },
                                                  { "error", "error" },
                                                  { NULL } };
    static const struct output_column EVENTS[] = { { "AT", "at" }, { "EVENT", "kind" }, { "DATA", "data" }, { NULL } };
    static const struct output_column ATTEMPTS[] = { { "#", "number" },          { "STATE", "state" },
                                                     { "PROVIDER", "provider" }, { "STARTED", "started" },
                                                     { "ENDED", "ended" },       { "REMOTE", "remote" },
                                                     { "DETAIL", "detail" },     { NULL } };
    static const struct output_column ARTIFACTS[] = { { "ROLE", "role" },       { "NAME", "name" },
                                                      { "TYPE", "media_type" }, { "BYTES", "bytes" },
                                                      { "EXPIRES", "expires" }, { NULL } };
    output_facts(call, value, FACTS);
    if (!call->json) {
        put_list(call, value, "events", "Timeline", EVENTS);
        put_list(call, value, "attempts", "Attempts", ATTEMPTS);
        put_list(call, value, "artifacts", "Artifacts", ARTIFACTS);
    }
    return EXIT_OK;
}

const struct command command_task_show = {
    .name = "task show",
    .arguments = "ID",
    .arguments_min = 1,
    .arguments_max = 1,
    .summary = "Shows a task of any account with its timeline, attempts and artifacts",
    .teaching = "The timeline is for operators: it may name upstream errors that the task's owner does not see.\n",
    .options = (const struct cli_option[]){ { NULL } },
    .run = run_show,
};

/* Options into the filter; `state` is where filter->state may point. */
static enum err read_filter(const struct invocation *call, struct store *store, struct task_filter *filter,
                            enum task_state *state, struct fault *fault) {
    const char *account = invocation_option(call, "account"), *status = invocation_option(call, "status");
    const char *limit = invocation_option(call, "limit");
    int64_t count = 50;
    if (limit && (!text_to_i64(text_of(limit), &count) || count < 1 || count > 100000))
        return fault_set(fault, ERR_INVALID_REQUEST, "--limit needs a number from 1 to 100000");
    filter->limit = (unsigned)count;
    if (status && !task_state_parse(text_of(status), state))
        return fault_set(fault, ERR_INVALID_REQUEST, "--status is one of pending, processing, completed, failed");
    if (status)
        filter->state = state;
    struct account_row row;
    enum err err = account ? owner_find(store, account, &row, fault) : OK;
    if (account && !err)
        filter->account = row.id;
    return err;
}

static int run_list(const struct invocation *call) {
    struct fault fault = { 0 };
    struct store *store;
    if (open_store(call, &store, &fault))
        return command_failed(call, &fault);
    struct task_filter filter = { 0 };
    enum task_state state;
    json_t *rows scoped(json_release) = json_array();
    enum err err = read_filter(call, store, &filter, &state, &fault);
    if (!err) {
        err = store_list_tasks(store, &filter, add_task, rows);
        if (!err)
            err = owner_name_all(store, rows);
        if (err)
            fault_set(&fault, err, "the tasks could not be read");
    }
    store_close(store);
    if (err)
        return command_failed(call, &fault);
    static const struct output_column COLUMNS[] = { { "ID", "id" },
                                                    { "ACCOUNT", "account" },
                                                    { "MODEL", "model" },
                                                    { "STATUS", "status" },
                                                    { "%", "progress" },
                                                    { "CREATED", "created" },
                                                    { "CHARGED", "credits_charged" },
                                                    { "ERROR", "error" },
                                                    { NULL } };
    output_table(call, rows, COLUMNS, "No tasks.");
    return EXIT_OK;
}

const struct command command_task_list = {
    .name = "task list",
    .summary = "Lists tasks, newest first",
    .options = (const struct cli_option[]){ { "account", "NAME", "only this account's" },
                                            { "status", "STATUS", "pending, processing, completed or failed" },
                                            { "limit", "N", "how many (default: 50)" },
                                            { NULL } },
    .run = run_list,
};
