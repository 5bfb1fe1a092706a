/* GET /openapi.json: the description of the API (OpenAPI 3.1), with the models of the catalogue in force. */
#include <jansson.h>

#include "api/about/description.h"
#include "api/about/document.h"
#include "api/internal.h"
#include "base/json.h"

enum err openapi_render(const struct setup *setup, struct buffer *buf, struct fault *fault) {
    json_t *scoped(json_release) description = NULL;
    unsigned count;
    const struct http_route *routes = api_routes(&count);

    enum err err = description_make(routes, count, setup->catalog, &description, fault);
    if (err == OK)
        json_render_to(buf, description);
    return err;
}

void handle_openapi(struct exchange *exchange) {
    document_reply(api_of(exchange)->openapi, exchange);
}
