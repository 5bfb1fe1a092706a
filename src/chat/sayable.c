/* Asks a route's dialect, as the driver will once there is an attempt. */
#include "chat/sayable.h"

#include "catalog/catalog.h"
#include "catalog/llm.h"
#include "chat/dialect/dialect.h"
#include "provider/adapter.h"
#include "provider/bridge.h"

enum err chat_sayable(const struct bridge *bridge, const struct model *model, const struct route *route,
                      const struct json_t *request, bool reasoning, struct fault *fault) {
    const struct adapter *adapter = bridge_adapter(bridge, route->provider);
    const struct chat_dialect *dialect =
        adapter && adapter->chat ? chat_dialect_find(text_of(adapter->chat)) : NULL;
    if (dialect == NULL || dialect->check == NULL) {
        return OK;
    }
    const struct chat_call call = {
        .body = request,
        .model = route->target, /* with the star of one that stands for many: what can be said does not hang on the rest */
        .reasoning = reasoning,
        .max_tokens = model->llm->output_max,
        .route = bridge_chat_route(bridge, route),
    };
    return dialect->check(&call, fault);
}
