/* The API's own state, and what all endpoints ask of a request. */
#include "api/api.h"

#include <stdlib.h>

#include "api/about/docs.h"
#include "api/about/document.h"
#include "api/door/desk.h"
#include "api/door/rate_limits.h"
#include "api/file/upload_places.h"
#include "api/internal.h"
#include "base/clock.h"
#include "base/memory.h"

struct api *api_new(const struct api_options *options) {
    struct api *api = mem_new(sizeof *api);

    api->engine = options->engine;
    api->store = options->store;
    api->blobs = options->blobs;
    api->reload = options->reload;
    api->reload_context = options->reload_context;
    api->rate_limits = rate_limits_new();
    api->openapi = document_new(openapi_render);
    api->docs = docs_new();
    api->pricing = document_new(pricing_render);
    api->upload_places = upload_places_new();
    api->started_s = clock_wall_ms() / 1000;
    api->started_ms = clock_monotonic_ms();
    return api;
}

void api_free(struct api *api) {
    if (api == NULL)
        return;
    rate_limits_free(api->rate_limits);
    document_free(api->openapi);
    docs_free(api->docs);
    document_free(api->pricing);
    upload_places_free(api->upload_places);
    free(api);
}

void api_http_options(struct api *api, const struct config *config, struct http_options *ret) {
    *ret = (struct http_options){
        .host = config->listen_host,
        .port = config->listen_port,
        .threads = config->http_threads,
        .connections_max = config->http_connections_max,
        .connections_per_address_max = config->http_connections_per_address_max,
        .idle_s = config->http_idle_s,
        .request_s = config->http_request_s,
        .body_max = config->body_max,
        .admit = admit,
        .refuse = refuse,
        .desk_new = desk_new,
        .desk_free = desk_free,
        .context = api,
    };
}

void api_set_server(struct api *api, struct http_server *server) {
    atomic_store(&api->server, server);
}

void api_close_door(struct api *api) {
    struct http_server *server = atomic_load(&api->server);

    atomic_store(&api->closing, true);
    if (server != NULL)
        http_server_drain(server);
}

struct api *api_of(struct exchange *exchange) {
    return exchange_context(exchange);
}

struct call *call_of(struct exchange *exchange) {
    return exchange_attachment(exchange);
}

/* Engine's thread, or from within engine_settled. */
static void settled(void *context) {
    http_resume(context);
}

void answer_settled(struct exchange *exchange, void (*answer)(struct exchange *exchange)) {
    exchange_suspend(exchange, answer);
    engine_settled(api_of(exchange)->engine, settled, exchange);
}

bool may_use(const struct call *call, struct text model) {
    return config_group_allows(config_group(call->setup->config, text_of(call->account.group)), model);
}

enum err request_base(struct exchange *exchange, const struct config *config, struct text *ret, struct fault *fault) {
    static const struct text scheme = TEXT("http://");
    struct text host = exchange_header(exchange, HEADER_HOST);

    if (config->public_url != NULL) {
        *ret = text_of(config->public_url);
        return OK;
    }
    if (host.ptr == NULL) { /* HTTP/1.0 need not name a host; the URLs are relative then */
        *ret = TEXT("");
        return OK;
    }
    char *base = arena_alloc(exchange_arena(exchange), scheme.len + host.len);
    if (base == NULL)
        return fault_set(fault, ERR_NO_MEMORY, "No memory for the base URL.");
    memcpy(base, scheme.ptr, scheme.len);
    memcpy(base + scheme.len, host.ptr, host.len);
    *ret = (struct text){ base, scheme.len + host.len };
    return OK;
}

enum err reply_task(struct exchange *exchange, const struct task_id *id, struct fault *fault) {
    const struct call *call = call_of(exchange);
    struct buffer body;
    struct text base;
    enum err err = request_base(exchange, call->setup->config, &base, fault);
    if (err != OK)
        return err;
    buffer_init(&body, TASK_ANSWER_MAX);
    err = engine_query(call->api->engine, call->account.id, id, base, &body); /* S2 */
    if (err != OK) {
        buffer_fini(&body);
        return fault_set(fault, err, "The task cannot be read.");
    }
    reply_json(exchange, &body);
    return OK;
}
