/* GET /v1/configs/llm_generations_models: the language models, and what each can read. */
#include "api/internal.h"
#include "base/json.h"
#include "catalog/llm.h"

static void put_rules(struct json_writer *json, const struct model *model) {
    const struct llm_rules *rules = model->llm;
    json_key(json, "capabilities");
    json_array_begin(json);
    for (unsigned i = 0; i < LLM_INPUT_COUNT; i++)
        if (rules->takes[i])
            json_text(json, text_of(llm_capability_name((enum llm_input)i)));
    json_array_end(json);
    json_key(json, "max_tokens_required");
    json_bool(json, rules->max_tokens_required);
    json_key(json, "max_output_tokens");
    json_i64(json, rules->output_max);
}

void handle_llm_models(struct exchange *exchange) {
    reply_models(exchange, true, put_rules);
}
