/* GET /v1/models: what this account can submit, in the shape of OpenAI's list. A name that ends with a '*' is none, and
 * is left out. */
#include "api/internal.h"
#include "api/list.h"
#include "base/json.h"

#define ANSWER_MAX ((size_t)4 << 20)

static const char *const endpoint_types[TASK_TYPE_COUNT] = {
    [TASK_IMAGE] = "image-generation", [TASK_VIDEO] = "video-generation",       [TASK_AUDIO] = "audio-generation",
    [TASK_LLM] = "llm-generation",     [TASK_DOCUMENT] = "document-generation",
};

static void put_types(struct json_writer *json, const struct model *model) {
    json_key(json, "supported_endpoint_types");
    json_array_begin(json);
    if (model->llm != NULL)
        json_text(json, TEXT("openai"));
    json_text(json, text_of(endpoint_types[model->type]));
    json_array_end(json);
}

static void put_name(struct json_writer *json, const struct api *api, const struct model *model) {
    json_key(json, "id");
    json_text(json, text_of(model->name));
    json_key(json, "object");
    json_text(json, TEXT("model"));
    json_key(json, "created");
    json_i64(json, api->started_s);
    json_key(json, "owned_by");
    json_text(json, model->route_count > 0 ? text_of(model->routes[0].provider) : TEXT("fennec"));
}

void reply_models(struct exchange *exchange, bool only_llm,
                  void (*put)(struct json_writer *json, const struct model *model)) {
    const struct call *call = call_of(exchange);
    unsigned count;
    const struct model *const *models = catalog_models(call->setup->catalog, &count);
    struct json_writer json;
    struct buffer body;

    buffer_init(&body, ANSWER_MAX);
    json_begin(&json, &body);
    list_begin(&json);
    for (unsigned i = 0; i < count; i++) {
        if (model_is_wildcard(models[i]) || (only_llm && models[i]->llm == NULL) ||
            !may_use(call, text_of(models[i]->name)))
            continue;
        json_object_begin(&json);
        put_name(&json, call->api, models[i]);
        put(&json, models[i]);
        json_object_end(&json);
    }
    json_array_end(&json);
    json_object_end(&json);
    reply_json(exchange, &body);
}

void handle_models(struct exchange *exchange) {
    reply_models(exchange, false, put_types);
}
