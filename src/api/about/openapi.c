/* GET /openapi.json: the description of the API (OpenAPI 3.1), with the models of the catalogue in force. Made once for
 * each setup, and kept. */
#include "api/about/openapi.h"

#include <jansson.h>
#include <pthread.h>
#include <stdlib.h>

#include "api/about/description.h"
#include "api/internal.h"
#include "base/crypto.h"
#include "base/json.h"
#include "base/memory.h"

#define DOCUMENT_MAX ((size_t)16 << 20)
#define ETAG_BYTES 16
#define OWN_ETAG_SIZE (2 * ETAG_BYTES + 3) /* with quotes and the NUL */

struct openapi {
    pthread_mutex_t lock;
    uint64_t setup; /* number of the setup that the text was made for; 0: none yet */
    struct buffer text;
    char etag[OWN_ETAG_SIZE];
};

struct openapi *openapi_new(void) {
    struct openapi *openapi = mem_new(sizeof *openapi);
    pthread_mutex_init(&openapi->lock, NULL);
    buffer_init(&openapi->text, DOCUMENT_MAX);
    return openapi;
}

void openapi_free(struct openapi *openapi) {
    if (openapi == NULL)
        return;
    buffer_fini(&openapi->text);
    pthread_mutex_destroy(&openapi->lock);
    free(openapi);
}

static void put_etag(struct openapi *openapi) {
    uint8_t hash[SHA256_SIZE];
    char hex[2 * ETAG_BYTES + 1];

    crypto_sha256(buffer_text(&openapi->text), hash);
    hex_encode(hash, ETAG_BYTES, hex);
    snprintf(openapi->etag, sizeof openapi->etag, "\"%s\"", hex);
}

static enum err render(struct openapi *openapi, const struct setup *setup, struct fault *fault) {
    json_t *scoped(json_release) document = NULL;
    unsigned count;
    const struct http_route *routes = api_routes(&count);

    enum err err = description_make(routes, count, setup->catalog, &document, fault);
    if (err != OK)
        return err;
    openapi->setup = 0;
    buffer_clear(&openapi->text);
    json_render_to(&openapi->text, document);
    if (!buffer_ok(&openapi->text))
        return fault_set(fault, ERR_NO_MEMORY, "The description of the API is larger than %zu bytes.", DOCUMENT_MAX);
    put_etag(openapi);
    openapi->setup = setup->number;
    return OK;
}

static void reply_document(struct exchange *exchange, const struct openapi *openapi) {
    struct buffer body;

    reply_header(exchange, "ETag", openapi->etag);
    reply_header(exchange, "Cache-Control", "no-cache");
    if (etag_matches(exchange_header(exchange, HEADER_IF_NONE_MATCH), text_of(openapi->etag))) {
        reply_empty(exchange, 304);
        return;
    }
    buffer_init(&body, DOCUMENT_MAX);
    buffer_put(&body, buffer_text(&openapi->text));
    reply_json(exchange, &body);
}

void handle_openapi(struct exchange *exchange) {
    struct openapi *openapi = api_of(exchange)->openapi;
    struct setup *setup = engine_setup(api_of(exchange)->engine);
    struct fault fault = { .err = OK };
    enum err err = OK;

    pthread_mutex_lock(&openapi->lock);
    if (openapi->setup != setup->number)
        err = render(openapi, setup, &fault);
    if (err == OK)
        reply_document(exchange, openapi);
    pthread_mutex_unlock(&openapi->lock);
    setup_unref(setup);
    if (err != OK)
        refuse(exchange, &fault);
}
