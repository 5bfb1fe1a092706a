/* /admin/v1/providers and /admin/v1/models: how they fare, what they lack, and whether they are paused. */
#include <stdlib.h>

#include "admin/pause.h"
#include "admin/record.h"
#include "api/admin/admin.h"
#include "api/body.h"
#include "base/json.h"
#include "base/memory.h"
#include "provider/adapter.h"
#include "provider/bridge.h"
#include "provider/driver.h"
#include "store/tx.h"

#define PHRASE_MAX 4096

struct work {
    struct exchange *exchange;
    json_t *report; /* what the engine told */
};

static void release(void *context) {
    struct work *work = context;
    json_decref(work->report);
    free(work);
}

static struct work *work_new(struct exchange *exchange) {
    struct call *call = call_of(exchange);
    struct work *work = mem_new(sizeof(*work));
    work->exchange = exchange;
    call->work = work;
    call->release_work = release;
    return work;
}

/* Any thread. */
static void told(struct json_t *report, void *context) {
    struct work *work = context;
    work->report = report;
    http_resume(work->exchange);
}

static void ask_engine(struct exchange *exchange, void (*go_on)(struct exchange *exchange)) {
    struct work *work = work_new(exchange);
    exchange_suspend(exchange, go_on);
    engine_report(call_of(exchange)->api->engine, told, work);
}

/* ---- pauses as the store has them ---- */

struct pause_search {
    enum pause_kind kind;
    const char *name;
    json_t *found;
};

static bool look_at_pause(const struct pause_row *row, void *context) {
    struct pause_search *search = context;
    if (row->kind != search->kind || !text_equal(row->name, text_of(search->name)))
        return true;
    search->found = json_pack("{s:o, s:o, s:o}", "since", admin_time(row->at_ms), "by", admin_text(row->actor), "reason",
                              admin_text(row->reason));
    return false;
}

/* null: it is not paused. A pause that the engine has not heard of yet (the command line's, for a moment) holds nobody,
 * so it is not told. */
static json_t *pause_value(struct exchange *exchange, enum pause_kind kind, const char *name) {
    struct pause_search search = { .kind = kind, .name = name };
    if (!engine_paused(call_of(exchange)->api->engine, kind, name))
        return json_null();
    if (store_list_pauses(call_of(exchange)->api->store, look_at_pause, &search) != OK || search.found == NULL)
        return json_null();
    return search.found;
}

/* ---- providers ---- */

/* Every provider that a model's route, an adapter or the settings name, with the number of its models. */
static json_t *names_of_providers(const struct setup *setup) {
    json_t *names = json_object();
    unsigned adapter_count, model_count;
    const struct adapter *const *adapters = bridge_adapters(setup->bridge, &adapter_count);
    const struct model *const *models = catalog_models(setup->catalog, &model_count);
    for (unsigned i = 0; i < adapter_count; i++)
        json_object_set_new(names, adapters[i]->name, json_integer(0));
    for (unsigned i = 0; i < setup->config->provider_count; i++)
        json_object_set_new(names, setup->config->providers[i].name, json_integer(0));
    for (unsigned i = 0; i < model_count; i++)
        for (unsigned j = 0; j < models[i]->route_count; j++) {
            const char *name = models[i]->routes[j].provider;
            json_object_set_new(names, name, json_integer(json_integer_value(json_object_get(names, name)) + 1));
        }
    json_object_set_new(names, "simulator", json_integer(model_count));
    return names;
}

static const char *missing_of(const struct setup *setup, const char *name) {
    const struct provider_config *settings = config_provider(setup->config, text_of(name));
    const struct adapter *adapter = bridge_adapter(setup->bridge, name);
    if (!bridge_has_provider(setup->bridge, name) && strcmp(name, "simulator") != 0)
        return "there is no adapter for it";
    if (adapter != NULL && settings == NULL)
        return "the settings do not name it";
    if (adapter != NULL && adapter_has(adapter, ADAPTER_AUTH) && settings->key_count == 0)
        return "it has no key";
    return NULL;
}

static json_t *provider_value(struct exchange *exchange, const char *name, json_t *models, const json_t *report) {
    const struct setup *setup = call_of(exchange)->setup;
    const char *missing = missing_of(setup, name);
    json_t *health = json_object_get(report, name);
    json_t *value = json_pack("{s:s, s:s, s:O, s:b, s:s?, s:o}", "object", "provider", "name", name, "models", models,
                              "configured", missing == NULL, "missing", missing, "paused",
                              pause_value(exchange, PAUSE_PROVIDER, name));
    static const char *const lists[] = { "keys", "routes" };
    json_object_set_new(value, "running", json_integer(json_integer_value(json_object_get(health, "running"))));
    json_object_set_new(value, "queued", json_integer(json_integer_value(json_object_get(health, "queued"))));
    for (unsigned i = 0; i < ARRAY_SIZE(lists); i++) {
        json_t *list = json_object_get(health, lists[i]);
        json_object_set_new(value, lists[i], list != NULL ? json_incref(list) : json_array());
    }
    json_t *failure = json_object_get(health, "last_failure");
    json_object_set_new(value, "last_failure", failure != NULL ? json_incref(failure) : json_null());
    return value;
}

static void answer_providers(struct exchange *exchange) {
    const struct work *work = call_of(exchange)->work;
    json_t *names = names_of_providers(call_of(exchange)->setup), *models, *data = json_array();
    const char *name;
    json_object_foreach(names, name, models)
        json_array_append_new(data, provider_value(exchange, name, models, work->report));
    json_decref(names);
    admin_reply(exchange, admin_list(data, NULL));
}

void handle_admin_providers(struct exchange *exchange) {
    ask_engine(exchange, answer_providers);
}

/* The provider that the path names: terminated, in the arena. */
static enum err find_provider(struct exchange *exchange, struct text *ret, struct fault *fault) {
    struct text segment = exchange_segment(exchange, TEXT("provider"));
    char *name = arena_string(exchange_arena(exchange), segment);
    if (name == NULL)
        return fault_set(fault, ERR_NO_MEMORY, "No memory for the provider's name; try again.");
    json_t *names = names_of_providers(call_of(exchange)->setup);
    bool known = json_object_get(names, name) != NULL;
    json_decref(names);
    *ret = text_of(name);
    return known ? OK : fault_set(fault, ERR_PROVIDER_NOT_FOUND, "There is no provider of this name.");
}

/* The engine has answered meanwhile: a copy of the name may find no memory now. */
static void answer_provider(struct exchange *exchange) {
    const struct work *work = call_of(exchange)->work;
    struct fault fault = { .err = OK };
    struct text name;
    if (find_provider(exchange, &name, &fault) != OK) {
        refuse(exchange, &fault);
        return;
    }
    json_t *names = names_of_providers(call_of(exchange)->setup);
    admin_reply(exchange, provider_value(exchange, name.ptr, json_object_get(names, name.ptr), work->report));
    json_decref(names);
}

void handle_admin_provider(struct exchange *exchange) {
    struct fault fault = { .err = OK };
    struct text name;
    if (find_provider(exchange, &name, &fault) == OK)
        ask_engine(exchange, answer_provider);
    else
        refuse(exchange, &fault);
}

/* ---- models ---- */

static json_t *model_value(struct exchange *exchange, const struct model *model) {
    const struct setup *setup = call_of(exchange)->setup;
    struct buffer phrase;
    json_t *routes = json_array();
    bool available = false;
    for (unsigned i = 0; i < model->route_count; i++) {
        const struct route *route = &model->routes[i];
        struct fault why = { .err = OK };
        bool runs = route_available(route, setup->config, setup->bridge, &why);
        available |= runs;
        json_array_append_new(routes, json_pack("{s:s, s:s, s:b, s:s?, s:b, s:i, s:i}", "provider", route->provider,
                                                "target", route->target, "available", runs, "missing",
                                                runs ? NULL : why.message, "paused",
                                                engine_paused(call_of(exchange)->api->engine, PAUSE_PROVIDER, route->provider),
                                                "priority", (int)route->priority, "weight", (int)route->weight));
    }
    buffer_init(&phrase, PHRASE_MAX);
    model_put_price(model, &phrase);
    json_t *value = json_pack("{s:s, s:s, s:s, s:s?, s:o, s:b, s:o, s:i, s:i}", "object", "model", "name", model->name,
                              "type", task_type_name(model->type), "summary", model->summary, "price",
                              admin_text(buffer_text(&phrase)), "available", available, "routes", routes, "timeout",
                              (int)model->timeout_s, "estimated", (int)model->estimated_s);
    buffer_fini(&phrase);
    json_object_set_new(value, "paused", pause_value(exchange, PAUSE_MODEL, model->name));
    return value;
}

void handle_admin_models(struct exchange *exchange) {
    unsigned count;
    const struct model *const *models = catalog_models(call_of(exchange)->setup->catalog, &count);
    json_t *data = json_array();
    for (unsigned i = 0; i < count; i++)
        json_array_append_new(data, model_value(exchange, models[i]));
    admin_reply(exchange, admin_list(data, NULL));
}

static enum err find_model(struct exchange *exchange, const struct model **ret, struct fault *fault) {
    *ret = catalog_find(call_of(exchange)->setup->catalog, exchange_segment(exchange, TEXT("model")));
    return *ret != NULL ? OK : fault_set(fault, ERR_NO_SUCH_MODEL, "There is no model of this name.");
}

void handle_admin_model(struct exchange *exchange) {
    struct fault fault = { .err = OK };
    const struct model *model;
    enum err err = find_model(exchange, &model, &fault);
    admin_finish(exchange, err, &fault, err == OK ? model_value(exchange, model) : NULL);
}

/* ---- pause, resume, reset ---- */

/* Any thread. */
static void in_force(void *context) {
    http_resume(context);
}

static void answer_model(struct exchange *exchange) {
    handle_admin_model(exchange);
}

static void answer_with_provider(struct exchange *exchange) {
    ask_engine(exchange, answer_provider);
}

static enum err carry_out(struct exchange *exchange, enum pause_kind kind, struct text name, bool resume,
                          struct fault *fault) {
    static const char *const known[] = { "reason", NULL };
    struct text reason = TEXT("");
    json_t *body scoped(json_release) = NULL;
    bool changed = false;
    enum err err = read_fields(exchange, known, &body, fault);
    if (err == OK)
        err = admin_field_text(body, "reason", ADMIN_REASON_BYTES, &reason, fault);
    return err != OK ? err
                     : (resume ? admin_resume : admin_pause)(call_of(exchange)->api->store, admin_actor(exchange), kind,
                                                             name, reason, &changed, fault);
}

/* The answer comes when it is in force. */
static void finish_pause(struct exchange *exchange, enum err err, const struct fault *fault,
                         void (*go_on)(struct exchange *exchange)) {
    if (err != OK) {
        refuse(exchange, fault);
        return;
    }
    exchange_suspend(exchange, go_on);
    engine_pauses_changed(call_of(exchange)->api->engine, in_force, exchange);
}

static void change_provider(struct exchange *exchange, bool resume) {
    struct fault fault = { .err = OK };
    struct text name;
    enum err err = find_provider(exchange, &name, &fault);
    if (err == OK)
        err = carry_out(exchange, PAUSE_PROVIDER, name, resume, &fault);
    finish_pause(exchange, err, &fault, answer_with_provider);
}

void handle_admin_provider_pause(struct exchange *exchange) {
    change_provider(exchange, false);
}

void handle_admin_provider_resume(struct exchange *exchange) {
    change_provider(exchange, true);
}

static void change_model(struct exchange *exchange, bool resume) {
    struct fault fault = { .err = OK };
    const struct model *model;
    enum err err = find_model(exchange, &model, &fault);
    if (err == OK)
        err = carry_out(exchange, PAUSE_MODEL, text_of(model->name), resume, &fault);
    finish_pause(exchange, err, &fault, answer_model);
}

void handle_admin_model_pause(struct exchange *exchange) {
    change_model(exchange, false);
}

void handle_admin_model_resume(struct exchange *exchange) {
    change_model(exchange, true);
}

struct reset_job {
    struct store_job job;
    struct text actor, name, reason;
};

static void record_reset(struct store_tx *tx, struct store_job *job) {
    const struct reset_job *reset = container_of(job, struct reset_job, job);
    admin_record_json(tx, reset->actor, "provider.reset", 0, reset->name,
                      json_pack("{s:s%}", "reason", reset->reason.ptr, reset->reason.len));
}

void handle_admin_provider_reset(struct exchange *exchange) {
    static const char *const known[] = { "reason", NULL };
    struct api *api = api_of(exchange);
    struct fault fault = { .err = OK };
    struct reset_job reset = { .job.run = record_reset, .actor = admin_actor(exchange), .reason = TEXT("") };
    json_t *body scoped(json_release) = NULL;

    enum err err = find_provider(exchange, &reset.name, &fault);
    if (err == OK)
        err = read_fields(exchange, known, &body, &fault);
    if (err == OK)
        err = admin_field_text(body, "reason", ADMIN_REASON_BYTES, &reset.reason, &fault);
    if (err == OK && (err = store_call(api->store, &reset.job)) != OK)
        fault_set(&fault, err, "The reset could not be recorded.");
    if (err != OK) {
        refuse(exchange, &fault);
        return;
    }
    exchange_suspend(exchange, answer_with_provider);
    engine_reset_provider(api->engine, reset.name.ptr, in_force, exchange);
}
