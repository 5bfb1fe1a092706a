/* GET /healthz: the process answers. GET /readyz: it can also do its work. */
#include "api/internal.h"
#include "base/json.h"

void handle_health(struct exchange *exchange) {
    reply_constant(exchange, 200, "application/json", TEXT("{\"status\":\"ok\"}"));
}

/* In words; NULL when all is well. */
static const char *unready(struct api *api, struct fault *fault) {
    if (atomic_load(&api->closing))
        return "the server is shutting down";
    if (store_ping(api->store, fault) != OK)
        return "the store does not answer";
    if (store_writable(api->store) != OK)
        return "the store cannot be written";
    if (!engine_alive(api->engine))
        return "the engine does not turn";
    return NULL;
}

void handle_readiness(struct exchange *exchange) {
    struct fault fault = { .err = OK };
    const char *reason = unready(api_of(exchange), &fault);
    struct json_writer json;
    struct buffer body;

    if (reason == NULL) {
        reply_constant(exchange, 200, "application/json", TEXT("{\"status\":\"ready\"}"));
        return;
    }
    buffer_init(&body, 1024);
    json_begin(&json, &body);
    json_object_begin(&json);
    json_key(&json, "status");
    json_text(&json, TEXT("unavailable"));
    json_key(&json, "reason");
    json_text(&json, text_of(reason));
    json_object_end(&json);
    reply_header(exchange, "Retry-After", "5");
    reply_take(exchange, 503, "application/json", &body);
}
