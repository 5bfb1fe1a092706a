/* /admin/v1/status, settings, reload and changes: the server as a whole. */
#include <sys/statvfs.h>

#include "admin/record.h"
#include "api/admin/admin.h"
#include "api/body.h"
#include "base/clock.h"
#include "base/json.h"

#define VALUE_MAX (64 << 10)

/* ---- status ---- */

static json_t *disk_value(const char *directory) {
    struct statvfs disk;
    if (statvfs(directory, &disk) != 0)
        return json_null();
    return json_pack("{s:I, s:I}", "free", (json_int_t)disk.f_bavail * (json_int_t)disk.f_frsize, "size",
                     (json_int_t)disk.f_blocks * (json_int_t)disk.f_frsize);
}

/* What keeps it from doing its work, as words. */
static json_t *problems_value(struct api *api) {
    json_t *problems = json_array();
    struct fault fault = { .err = OK };
    enum err err = store_ping(api->store, &fault);
    if (err != OK)
        json_array_append_new(problems, json_sprintf("the store cannot be read: %s", fault.message));
    if ((err = store_writable(api->store)) != OK)
        json_array_append_new(problems, json_sprintf("the store cannot be written: %s", err_info(err)->name));
    if (!engine_alive(api->engine))
        json_array_append_new(problems, json_string("the engine does not answer"));
    if (atomic_load(&api->closing))
        json_array_append_new(problems, json_string("the server is stopping"));
    return problems;
}

void handle_admin_status(struct exchange *exchange) {
    struct api *api = api_of(exchange);
    struct engine_counts engine = engine_counts(api->engine);
    struct store_counts store = store_counts(api->store);
    unsigned models;
    (void)catalog_models(call_of(exchange)->setup->catalog, &models);
    json_t *value = json_pack("{s:s, s:s, s:I, s:I, s:i, s:o, s:o}", "object", "status", "version", FENNEC_VERSION, "started",
                              (json_int_t)api->started_s, "uptime", (json_int_t)((clock_monotonic_ms() - api->started_ms) / 1000),
                              "models", (int)models, "disk", disk_value(call_of(exchange)->setup->config->data), "problems",
                              problems_value(api));
    json_object_set_new(value, "tasks",
                        json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "accepted", (json_int_t)engine.accepted,
                                  "completed", (json_int_t)engine.completed, "failed", (json_int_t)engine.failed, "queued",
                                  (json_int_t)engine.queued, "running", (json_int_t)engine.running, "attempts",
                                  (json_int_t)engine.attempts, "retried", (json_int_t)engine.retried));
    json_object_set_new(value, "store",
                        json_pack("{s:I, s:I, s:I}", "waiting", (json_int_t)store.waiting, "jobs", (json_int_t)store.jobs,
                                  "commits", (json_int_t)store.commits));
    admin_reply(exchange, value);
}

/* ---- settings ---- */

void handle_admin_settings(struct exchange *exchange) {
    const struct config *config = call_of(exchange)->setup->config;
    struct setting_words words;
    json_t *data = json_array();
    for (size_t i = 0; config_describe(i, &words); i++) {
        struct buffer text;
        buffer_init(&text, VALUE_MAX);
        bool has_value = config_put_value(config, i, &text);
        json_array_append_new(data, json_pack("{s:s, s:s, s:s, s:o, s:s?, s:b, s:s}", "object", "setting", "name", words.name,
                                              "type", words.type, "value",
                                              has_value ? admin_json(buffer_text(&text)) : json_null(), "default",
                                              words.fallback, "needs_restart", words.needs_restart, "meaning",
                                              words.meaning));
        buffer_fini(&text);
    }
    admin_reply(exchange, admin_list(data, NULL));
}

struct reload_job {
    struct store_job job;
    struct text actor;
};

static void record_reload(struct store_tx *tx, struct store_job *job) {
    const struct reload_job *reload = container_of(job, struct reload_job, job);
    admin_record(tx, reload->actor, "settings.reloaded", 0, TEXT("settings"), TEXT("{}"));
}

/* As SIGHUP does it, but who asks hears of a mistake. */
void handle_admin_reload(struct exchange *exchange) {
    static const char *const known[] = { NULL };
    struct api *api = api_of(exchange);
    struct reload_job job = { .job.run = record_reload, .actor = admin_actor(exchange) };
    struct fault fault = { .err = OK };
    json_t *body scoped(json_release) = NULL;

    enum err err = read_fields(exchange, known, &body, &fault);
    if (err == OK && api->reload == NULL)
        err = fault_set(&fault, ERR_ROUTE_NOT_FOUND, "This server cannot reload its settings.");
    if (err == OK) {
        struct fault why = { .err = OK };
        if (api->reload(api->reload_context, &why) != OK)
            err = fault_set(&fault, ERR_INVALID_REQUEST, "The old settings stay in force: %s", why.message);
    }
    if (err == OK && (err = store_call(api->store, &job.job)) != OK)
        fault_set(&fault, err, "The reload is done, but could not be recorded.");
    admin_finish(exchange, err, &fault, json_pack("{s:s, s:b}", "object", "reload", "reloaded", true));
}

/* ---- changes ---- */

struct page {
    json_t *data;
    unsigned limit;
    bool more;
};

static bool add_change(const struct change_row *change, void *context) {
    struct page *page = context;
    page->more = json_array_size(page->data) == page->limit;
    if (page->more)
        return false;
    json_array_append_new(page->data, json_pack("{s:s, s:I, s:I, s:o, s:o, s:o, s:o, s:o}", "object", "change", "number",
                                                (json_int_t)change->number, "at_ms", (json_int_t)change->at_ms, "actor",
                                                admin_text(change->actor), "action", admin_text(change->action),
                                                "account_id",
                                                change->account != 0 ? json_integer(change->account) : json_null(),
                                                "subject", admin_text(change->object), "detail",
                                                admin_json(change->detail)));
    return true;
}

void handle_admin_changes(struct exchange *exchange) {
    static const char *const known[] = { "account", "after", "limit", NULL };
    struct fault fault = { .err = OK };
    struct page page = { .data = json_array() };
    struct text value;
    int64_t account = 0, before = 0;

    enum err err = admin_query_check(exchange, known, &fault);
    if (err == OK && exchange_query(exchange, TEXT("account"), &value) && (!text_to_i64(value, &account) || account < 1))
        err = fault_set_param(&fault, ERR_NOT_ALLOWED_VALUE, "account", "`account` is the number of an account.");
    if (err == OK)
        err = admin_query_limit(exchange, &page.limit, &fault);
    if (err == OK)
        err = admin_query_after(exchange, &before, &fault);
    if (err == OK && (err = store_list_changes(call_of(exchange)->api->store, account, before, page.limit + 1, add_change,
                                               &page)) != OK)
        fault_set(&fault, err, "The record of changes cannot be read.");
    json_t *last = page.more ? json_array_get(page.data, json_array_size(page.data) - 1) : NULL;
    json_t *next = last != NULL ? json_incref(json_object_get(last, "number")) : NULL;
    admin_finish(exchange, err, &fault, admin_list(page.data, next));
}
