/* /admin/v1/tasks: the tasks of all accounts, and all that is known of one. */
#include "api/admin/admin.h"
#include "base/json.h"

#define TASK_MEMORY_MAX ((size_t)96 << 20)

static json_t *task_value(const struct task_row *task) {
    json_t *value = json_pack(
        "{s:s, s:s, s:I, s:I, s:s, s:s, s:o, s:s, s:i, s:o, s:o, s:o}", "object", "task", "id", task->id.string,
        "account_id", (json_int_t)task->account, "key_id", (json_int_t)task->key, "mode",
        task->book == BOOK_TEST ? "test" : "live", "type", task_type_name(task->type), "model", admin_text(task->model),
        "status", task_state_name(task->state), "progress", task->progress, "created", admin_time(task->created_ms),
        "started", admin_time(task->started_ms), "finished", admin_time(task->finished_ms));
    json_object_set_new(value, "credits_reserved", admin_credits(task->reserved));
    json_object_set_new(value, "credits_charged", admin_credits(task->charged));
    json_object_set_new(value, "credits_refunded", admin_credits(task->refunded));
    json_object_set_new(value, "user_group", admin_text(task->group));
    json_object_set_new(value, "error", task->error == TASK_ERROR_NONE
                                            ? json_null()
                                            : json_pack("{s:s, s:o}", "code", task_error_code(task->error), "message",
                                                        admin_text(task->error_message)));
    return value;
}

/* ---- the list ---- */

static bool add_task(const struct task_row *task, void *data) {
    json_array_append_new(data, task_value(task));
    return true;
}

static enum err read_filter(struct exchange *exchange, struct task_page *page, struct fault *fault) {
    struct text value;
    if (exchange_query(exchange, TEXT("account"), &value) && (!text_to_i64(value, &page->account) || page->account < 1))
        return fault_set_param(fault, ERR_NOT_ALLOWED_VALUE, "account", "`account` is the number of an account.");
    if (exchange_query(exchange, TEXT("status"), &value)) {
        enum task_state state;
        if (!task_state_parse(value, &state))
            return fault_set_param(fault, ERR_NOT_ALLOWED_VALUE, "status",
                                   "`status` is pending, processing, completed or failed.");
        page->state = (int)state;
    }
    if (exchange_query(exchange, TEXT("type"), &value)) {
        int type = 0;
        while (type < TASK_TYPE_COUNT && !text_equal(value, text_of(task_type_name((enum task_type)type))))
            type++;
        if (type == TASK_TYPE_COUNT)
            return fault_set_param(fault, ERR_NOT_ALLOWED_VALUE, "type", "`type` is image, video, audio, llm or document.");
        page->type = type;
    }
    (void)exchange_query(exchange, TEXT("model"), &page->model);
    (void)exchange_query(exchange, TEXT("provider"), &page->provider);
    enum err err = admin_query_limit(exchange, &page->limit, fault);
    return err != OK ? err : admin_query_after(exchange, &page->before, fault);
}

void handle_admin_tasks(struct exchange *exchange) {
    static const char *const known[] = { "account", "status", "type", "model", "provider", "after", "limit", NULL };
    struct fault fault = { .err = OK };
    struct task_page page = { .state = -1, .type = -1, .model = TEXT(""), .provider = TEXT("") };
    json_t *data = json_array();
    int64_t next = 0;

    enum err err = admin_query_check(exchange, known, &fault);
    if (err == OK)
        err = read_filter(exchange, &page, &fault);
    if (err == OK && (err = store_list_task_page(call_of(exchange)->api->store, &page, add_task, data, &next)) != OK)
        fault_set(&fault, err, "The tasks cannot be read.");
    admin_finish(exchange, err, &fault, admin_list(data, next != 0 ? json_integer(next) : NULL));
}

/* ---- one ---- */

static bool add_event(const struct event_row *event, void *data) {
    json_array_append_new(data, json_pack("{s:i, s:I, s:o, s:o}", "sequence", event->sequence, "at_ms",
                                          (json_int_t)event->at_ms, "kind", admin_text(event->kind), "data",
                                          admin_json(event->data)));
    return true;
}

static bool add_attempt(const struct attempt_row *attempt, void *data) {
    json_array_append_new(
        data, json_pack("{s:i, s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "number", attempt->number, "state",
                        attempt_state_name(attempt->state), "started", admin_time(attempt->started_ms), "ended",
                        admin_time(attempt->ended_ms), "provider", admin_text(attempt->provider), "target",
                        admin_text(attempt->target), "key", admin_text(attempt->credential), "remote",
                        admin_text(attempt->remote), "detail", admin_text(attempt->detail)));
    return true;
}

static bool add_artifact(const struct artifact_row *artifact, void *data) {
    json_array_append_new(data,
                          json_pack("{s:s, s:i, s:s, s:I, s:o, s:o, s:o}", "role",
                                    artifact->role == ARTIFACT_INPUT ? "input" : "output", "position", artifact->position,
                                    "hash", artifact->hash, "size", (json_int_t)artifact->size, "media_type",
                                    admin_text(artifact->media_type), "name", admin_text(artifact->name), "expires",
                                    admin_time(artifact->expires_ms)));
    return true;
}

/* The task as its owner sees it. */
static json_t *owners_view(struct exchange *exchange, const struct task_row *task) {
    struct buffer body;
    struct fault fault;
    struct text base;
    json_t *view = NULL;
    buffer_init(&body, TASK_MEMORY_MAX);
    if (request_base(exchange, call_of(exchange)->setup->config, &base, &fault) == OK &&
        engine_query(call_of(exchange)->api->engine, task->account, &task->id, base, &body) == OK)
        view = admin_json(buffer_text(&body));
    buffer_fini(&body);
    return view != NULL ? view : json_null();
}

static enum err add_lists(struct store *store, const struct task_row *task, json_t *value) {
    json_t *events = json_array(), *attempts = json_array(), *artifacts = json_array();
    json_object_set_new(value, "events", events);
    json_object_set_new(value, "attempts", attempts);
    json_object_set_new(value, "artifacts", artifacts);
    enum err err = store_list_events(store, task->account, &task->id, add_event, events);
    if (err == OK)
        err = store_list_attempts(store, task->account, &task->id, add_attempt, attempts);
    if (err == OK)
        err = store_list_artifacts(store, task->account, &task->id, add_artifact, artifacts);
    return err;
}

enum err admin_path_task(struct exchange *exchange, struct arena *arena, struct task_row *ret, struct fault *fault) {
    struct task_id id;
    if (!task_id_parse(exchange_segment(exchange, TEXT("task_id")), &id))
        return fault_set_param(fault, ERR_INVALID_TASK_ID, "task_id", "This is not a task id.");
    enum err err = store_find_task_of_any(call_of(exchange)->api->store, &id, arena, ret);
    if (err == ERR_NOT_FOUND)
        return fault_set(fault, ERR_TASK_NOT_FOUND, "There is no task with this id.");
    return err == OK ? OK : fault_set(fault, err, "The task cannot be read.");
}

void admin_finish_task(struct exchange *exchange, enum err err, struct fault *fault) {
    struct arena arena;
    struct task_row task = { .account = 0 };
    json_t *value = NULL;
    arena_init(&arena, TASK_MEMORY_MAX);
    if (err == OK)
        err = admin_path_task(exchange, &arena, &task, fault);
    if (err == OK) {
        value = task_value(&task);
        json_object_set_new(value, "view", owners_view(exchange, &task));
        if ((err = add_lists(call_of(exchange)->api->store, &task, value)) != OK)
            fault_set(fault, err, "The task's timeline cannot be read.");
    }
    arena_fini(&arena);
    admin_finish(exchange, err, fault, value);
}

void handle_admin_task(struct exchange *exchange) {
    struct fault fault = { .err = OK };
    admin_finish_task(exchange, OK, &fault);
}
