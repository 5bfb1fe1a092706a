/* A schema for each model of the catalogue, and one for each endpoint of submissions: any of its models. */
#include <ctype.h>
#include <jansson.h>

#include "api/about/description_inside.h"
#include "base/buffer.h"
#include "catalog/catalog.h"

#define KEY_MAX 160
#define WORDS_MAX 8192

/* By the type of task; the files in openapi/ name them. */
static const char *const submission_names[TASK_TYPE_COUNT] = {
    [TASK_IMAGE] = "ImageSubmission", [TASK_VIDEO] = "VideoSubmission",       [TASK_AUDIO] = "AudioSubmission",
    [TASK_LLM] = "LlmSubmission",     [TASK_DOCUMENT] = "DocumentSubmission",
};

/* The fields that every submission may have, and their schemas in openapi/. */
static const struct {
    const char *field, *schema;
} options[] = {
    { "callback_url", "#/components/schemas/CallbackUrl" },
    { "result_ttl", "#/components/schemas/ResultTtl" },
    { "dry_run", "#/components/schemas/DryRun" },
};

/* Names of components have letters, digits, '.', '-' and '_' alone; a number keeps apart those that became the same. */
static void name_component(const json_t *schemas, const char *model, char key[KEY_MAX]) {
    int length = snprintf(key, KEY_MAX - 16, "model.%s", model);
    size_t end = length < KEY_MAX - 16 ? (size_t)length : KEY_MAX - 17;

    for (char *c = key; *c != '\0'; c++)
        if (!isalnum((unsigned char)*c) && *c != '.' && *c != '-' && *c != '_')
            *c = '_';
    for (unsigned i = 2; json_object_get(schemas, key) != NULL; i++)
        snprintf(key + end, KEY_MAX - end, "_%u", i);
}

/* A name with a '*' at its end stands for all that begin so, but those that have a model of their own. */
static json_t *describe_wildcard(const struct model *model, const struct catalog *catalog) {
    struct text start = { model->name, text_of(model->name).len - 1 };
    json_t *others = json_array();
    struct buffer pattern scoped(buffer_fini);
    unsigned count;
    const struct model *const *models = catalog_models(catalog, &count);

    for (unsigned i = 0; i < count; i++)
        if (!model_is_wildcard(models[i]) && text_starts(text_of(models[i]->name), start))
            json_array_append_new(others, json_string(models[i]->name));
    buffer_init(&pattern, 1024);
    buffer_put_char(&pattern, '^');
    for (size_t i = 0; i < start.len; i++) {
        if (!isalnum((unsigned char)start.ptr[i]) && start.ptr[i] != '_' && start.ptr[i] != '-')
            buffer_put_char(&pattern, '\\');
        buffer_put_char(&pattern, start.ptr[i]);
    }
    json_t *schema = json_pack("{s:s, s:s}", "type", "string", "pattern", buffer_ok(&pattern) ? pattern.data : "^");
    if (json_array_size(others) > 0)
        json_object_set_new(schema, "not", json_pack("{s:O}", "enum", others));
    json_decref(others);
    return schema;
}

static void put_words(json_t *schema, const struct model *model) {
    const char *own = json_string_value(json_object_get(schema, "description"));
    struct buffer words scoped(buffer_fini);
    struct buffer price scoped(buffer_fini);

    buffer_init(&words, WORDS_MAX);
    buffer_init(&price, WORDS_MAX);
    if (model->summary != NULL)
        buffer_printf(&words, "%s", model->summary);
    if (own != NULL)
        buffer_printf(&words, "%s%s", words.len > 0 ? "\n\n" : "", own);
    model_put_price(model, &price);
    if (buffer_ok(&words) && words.len > 0)
        json_object_set_new(schema, "description", json_string(words.data));
    if (buffer_ok(&price) && price.len > 0)
        json_object_set_new(schema, "x-price", json_string(price.data));
    json_object_set_new(schema, "x-type", json_string(task_type_name(model->type)));
    json_object_set_new(schema, "x-estimated-seconds", json_integer(model->estimated_s));
}

static json_t *describe_model(const struct model *model, const struct catalog *catalog) {
    json_t *schema = model_schema(model);
    json_t *own = json_object_get(schema, "properties");
    json_t *name = model_is_wildcard(model) ? describe_wildcard(model, catalog)
                                            : json_pack("{s:s, s:s}", "type", "string", "const", model->name);
    json_t *properties = json_pack("{s:o}", "model", name);
    json_t *required = json_pack("[s]", "model");

    json_object_update(properties, own);
    for (size_t i = 0; i < ARRAY_SIZE(options); i++)
        if (json_object_get(own, options[i].field) == NULL)
            json_object_set_new(properties, options[i].field, json_pack("{s:s}", "$ref", options[i].schema));
    json_array_extend(required, json_object_get(schema, "required"));
    json_object_set_new(schema, "properties", properties);
    json_object_set_new(schema, "required", required);
    json_object_del(schema, "$schema"); /* the document's own */
    put_words(schema, model);
    return schema;
}

/* No model of the type: nothing can be submitted. */
static json_t *describe_none(void) {
    return json_pack("{s:s, s:{}, s:s}", "description", "The server has no model of this kind.", "not", "type", "object");
}

void description_put_models(struct json_t *schemas, const struct catalog *catalog) {
    json_t *any[TASK_TYPE_COUNT];
    unsigned count;
    const struct model *const *models = catalog_models(catalog, &count);

    for (int type = 0; type < TASK_TYPE_COUNT; type++)
        any[type] = json_array();
    for (unsigned i = 0; i < count; i++) {
        char key[KEY_MAX];
        name_component(schemas, models[i]->name, key);
        json_object_set_new(schemas, key, describe_model(models[i], catalog));
        json_array_append_new(any[models[i]->type],
                              json_pack("{s:o}", "$ref", json_sprintf("#/components/schemas/%s", key)));
    }
    for (int type = 0; type < TASK_TYPE_COUNT; type++) {
        json_t *submission = json_array_size(any[type]) > 0 ? json_pack("{s:O}", "oneOf", any[type]) : describe_none();
        json_object_set_new(schemas, submission_names[type], submission);
        json_decref(any[type]);
    }
}
