/* What may be submitted to a language model, as JSON Schema (2020-12). */
#include "catalog/schema.h"

#include <jansson.h>

#include "catalog/catalog.h"
#include "catalog/llm.h"
#include "catalog/param.h"

static json_t *text_up_to(int characters) {
    return json_pack("{s:s, s:i, s:i}", "type", "string", "minLength", 1, "maxLength", characters);
}

static json_t *link_to(const char *noun) {
    return json_pack("{s:s, s:s, s:o}", "type", "string", "format", "uri", "description",
                     json_sprintf("http or https URL of %s, or a data: URI", noun));
}

/* No more of a kind than all models may have, or than this one takes. */
static json_t *links_to(const char *noun, unsigned most) {
    int count = most > 0 && most < LLM_LINKS_MAX ? (int)most : LLM_LINKS_MAX;
    return json_pack("{s:s, s:o, s:i, s:i}", "type", "array", "items", link_to(noun), "minItems", 1, "maxItems", count);
}

static json_t *tokens_from(const struct llm_rules *rules) {
    return json_pack("{s:s, s:I}", "type", "integer", "minimum",
                     (json_int_t)(rules->max_tokens_min > 0 ? rules->max_tokens_min : 1));
}

static json_t *flag(void) {
    return json_pack("{s:s, s:b}", "type", "boolean", "default", 0);
}

/* OpenAI's, with the parts that this model takes. */
static json_t *messages(const struct llm_rules *rules) {
    static const char *const parts[LLM_INPUT_COUNT] = {
#define X(name, capability, part) [name] = part,
        LLM_INPUT_TABLE(X)
#undef X
    };
    json_t *types = json_array();
    for (unsigned i = 0; i < LLM_INPUT_COUNT; i++) {
        if (rules->takes[i]) {
            json_array_append_new(types, json_string(parts[i]));
        }
    }
    json_t *part = json_pack("{s:s, s:{s:{s:o}}, s:[s]}", "type", "object", "properties", "type", "enum", types,
                             "required", "type");
    json_t *content = json_pack("{s:[{s:s}, {s:s, s:o}, {s:s}]}", "anyOf", "type", "string", "type", "array", "items",
                                part, "type", "null");
    json_t *message = json_pack("{s:s, s:{s:{s:s}, s:o}, s:[s]}", "type", "object", "properties", "role", "type",
                                "string", "content", content, "required", "role");
    return json_pack("{s:s, s:o, s:i}", "type", "array", "items", message, "minItems", 1);
}

static json_t *properties_of(const struct llm_rules *rules) {
    json_t *properties = json_object();
    json_object_set_new(properties, "messages", messages(rules));
    json_object_set_new(properties, "prompt", text_up_to(LLM_PROMPT_MAX));
    if (rules->takes[LLM_VISION]) {
        json_object_set_new(properties, "image_urls", links_to("an image", rules->most[LLM_VISION]));
    }
    if (rules->takes[LLM_VIDEO]) {
        json_object_set_new(properties, "video_urls", links_to("a video", rules->most[LLM_VIDEO]));
    }
    if (rules->takes[LLM_AUDIO]) {
        json_object_set_new(properties, "audio_url", link_to("an audio file"));
    }
    json_object_set_new(properties, "system_prompt", text_up_to(LLM_SYSTEM_PROMPT_MAX));
    json_object_set_new(properties, "max_tokens", tokens_from(rules));
    json_object_set_new(properties, "temperature",
                        json_pack("{s:s, s:i, s:i}", "type", "number", "minimum", 0, "maximum", LLM_TEMPERATURE_MAX));
    json_object_set_new(properties, "sync", flag());
    json_object_set_new(properties, "stream", flag());
    json_object_set_new(properties, "reasoning", flag());
    return properties;
}

struct json_t *schema_of_llm(const struct model *model) {
    const struct llm_rules *rules = model->llm;
    json_t *starts = json_pack("[{s:[s]}, {s:[s]}]", "required", "messages", "required", "prompt");
    if (rules->takes[LLM_AUDIO]) {
        json_array_append_new(starts, json_pack("{s:[s]}", "required", "audio_url"));
    }
    json_t *schema = json_pack("{s:s, s:s, s:s, s:o, s:o}", "$schema", SCHEMA_DIALECT, "title", model->name, "type",
                               "object", "properties", properties_of(rules), "anyOf", starts);
    json_object_set_new(schema, "required", rules->max_tokens_required ? json_pack("[s]", "max_tokens") : json_array());
    json_object_set_new(schema, "description",
                        json_string("Other parameters of OpenAI's chat completions are handed on as they are."));
    return schema;
}
