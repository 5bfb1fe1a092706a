/* GET /v1/configs/llm_generations_models: the language models, and what each can read. */
#include "api/internal.h"
#include "base/json.h"
#include "catalog/llm.h"

#define ANSWER_MAX ((size_t)4 << 20)

static void put_capabilities(struct json_writer *json, const struct llm_rules *rules) {
    json_array_begin(json);
    for (unsigned i = 0; i < LLM_INPUT_COUNT; i++)
        if (rules->takes[i])
            json_text(json, text_of(llm_capability_name((enum llm_input)i)));
    json_array_end(json);
}

static void put_model(struct json_writer *json, const struct model *model) {
    json_object_begin(json);
    json_key(json, "id");
    json_text(json, text_of(model->name));
    json_key(json, "object");
    json_text(json, TEXT("model"));
    json_key(json, "owned_by");
    json_text(json, model->route_count > 0 ? text_of(model->routes[0].provider) : TEXT("fennec"));
    json_key(json, "capabilities");
    put_capabilities(json, model->llm);
    json_key(json, "max_tokens_required");
    json_bool(json, model->llm->max_tokens_required);
    json_key(json, "max_output_tokens");
    json_i64(json, model->llm->output_max);
    json_object_end(json);
}

void handle_llm_models(struct exchange *exchange) {
    const struct call *call = call_of(exchange);
    unsigned count;
    const struct model *const *models = catalog_models(call->setup->catalog, &count);
    struct json_writer json;
    struct buffer body;

    buffer_init(&body, ANSWER_MAX);
    json_begin(&json, &body);
    json_object_begin(&json);
    json_key(&json, "object");
    json_text(&json, TEXT("list"));
    json_key(&json, "data");
    json_array_begin(&json);
    for (unsigned i = 0; i < count; i++)
        if (models[i]->llm != NULL && !model_is_wildcard(models[i]))
            put_model(&json, models[i]);
    json_array_end(&json);
    json_object_end(&json);
    reply_json(exchange, &body);
}
