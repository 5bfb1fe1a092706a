/* The public API: one file an endpoint, one table of routes (routes.c).
 *
 * What `serve` does: store_open, blob_open, setup_new, engine_start, then
 *     api_new -> api_http_options -> http_server_new(…, api_routes(&count), count, …) -> api_set_server
 * and at the end: api_close_door (new submissions get 503, the rest goes on) -> engine_stop, which gives running work
 * its time
 * -> http_server_stop -> engine_free -> store_close -> http_server_free -> api_free. */
#pragma once

#include "http/server.h"

struct api;
struct blob_store;
struct config;
struct engine;
struct store;

/* What a route's `access` says. */
enum api_access {
    ACCESS_ANYONE,
    ACCESS_KEY,  /* a valid key; counted against the account's requests per minute */
    ACCESS_ADMIN, /* an operator's key; such requests are no account's, and never cached */
    ACCESS_HOOK, /* who knows the path, which is one that we gave away */
};

struct api_options {
    struct engine *engine;
    struct store *store;
    struct blob_store *blobs;
    /* Loads the settings anew; on failure all stays as it was. NULL: it cannot be asked for. Any thread. */
    enum err (*reload)(void *context, struct fault *fault);
    void *reload_context;
};

/* Freed by api_free, after the HTTP server. */
struct api *api_new(const struct api_options *options) must_check;
void api_free(struct api *api);

const struct http_route *api_routes(unsigned *ret_count);
/* Everything but what a caller may want to set itself afterwards; texts belong to the configuration. */
void api_http_options(struct api *api, const struct config *config, struct http_options *ret);
/* For /metrics; before or while it serves. */
void api_set_server(struct api *api, struct http_server *server);
/* From here on submissions are answered 503 with Retry-After, /readyz says no, connections close. Any thread. */
void api_close_door(struct api *api);
