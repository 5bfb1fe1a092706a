/* Stand-ins for the vocabulary side, in the place of the real functions of the same names. */
#include "fake_catalog.h"

#include "fake_service.h"
#include "fake_talker.h"

#include <stdlib.h>

#include <jansson.h>

#include "base/id.h"
#include "base/json.h"
#include "base/memory.h"
#include "catalog/catalog.h"
#include "catalog/llm.h"
#include "catalog/param.h"
#include "provider/adapter.h"
#include "provider/bridge.h"
#include "provider/driver.h"

static const struct route routes[] = {
    { .provider = "local", .target = "" },
    { .provider = "remote", .target = "" },
    { .provider = "files", .target = "" },
    { .provider = "service", .target = "" },
    { .provider = "upstream", .target = "" },
};

static const struct route clouds[] = {
    { .provider = "alpha", .target = "a" },
    { .provider = "beta", .target = "b", .priority = 1 },
};
static const struct route even_clouds[] = {
    { .provider = "alpha", .target = "a", .weight = 3 },
    { .provider = "beta", .target = "b", .weight = 1 },
};

static const struct route talkers[] = {
    { .provider = "gamma", .target = "g" },
    { .provider = "delta", .target = "d", .priority = 1 },
};
static const struct llm_rules talk = { .takes = { [LLM_TEXT] = true }, .output_max = 1000 };

static const struct model models[] = {
    { .name = "chat", .type = TASK_LLM, .timeout_s = 100000, .routes = talkers, .route_count = 1, .llm = &talk },
    { .name = "chat-both", .type = TASK_LLM, .timeout_s = 100000, .routes = talkers, .route_count = 2, .llm = &talk },
    { .name = "cloud", .type = TASK_IMAGE, .timeout_s = 100000, .routes = clouds, .route_count = 2 },
    { .name = "cloud-alpha", .type = TASK_IMAGE, .timeout_s = 100000, .routes = clouds, .route_count = 1 },
    { .name = "cloud-quick", .type = TASK_IMAGE, .timeout_s = 60, .routes = clouds, .route_count = 1 },
    { .name = "cloud-even", .type = TASK_IMAGE, .timeout_s = 100000, .routes = even_clouds, .route_count = 2 },
    { .name = "image", .type = TASK_IMAGE, .estimated_s = 7, .timeout_s = 100000, .routes = &routes[0], .route_count = 1 },
    { .name = "audio", .type = TASK_AUDIO, .estimated_s = 7, .timeout_s = 100000, .routes = &routes[0], .route_count = 1 },
    { .name = "remote", .type = TASK_IMAGE, .estimated_s = 7, .timeout_s = 100000, .routes = &routes[1], .route_count = 1 },
    { .name = "files", .type = TASK_IMAGE, .estimated_s = 7, .timeout_s = 100000, .routes = &routes[2], .route_count = 1 },
    { .name = "service", .type = TASK_IMAGE, .timeout_s = 100000, .routes = &routes[3], .route_count = 1 },
    { .name = "upstream", .type = TASK_IMAGE, .estimated_s = 7, .timeout_s = 100000, .routes = &routes[4], .route_count = 1 },
    { .name = "quick", .type = TASK_IMAGE, .estimated_s = 7, .timeout_s = 1, .routes = &routes[0], .route_count = 1 },
    { .name = "quick-remote", .type = TASK_IMAGE, .timeout_s = 1, .routes = &routes[1], .route_count = 1 },
    { .name = "routeless", .type = TASK_IMAGE, .timeout_s = 100000 },
    { .name = "gone", .type = TASK_IMAGE, .timeout_s = 100000, .routes = &routes[0], .route_count = 1 },
};

/* The catalogue is a flag: whether it has "gone". */
static const char with_all, without_gone;

const struct model *catalog_find(const struct catalog *catalog, struct text name) {
    for (size_t i = 0; i < ARRAY_SIZE(models); i++)
        if (text_equal(text_of(models[i].name), name))
            return (const void *)catalog == &without_gone && text_equal(name, TEXT("gone")) ? NULL : &models[i];
    return NULL;
}

enum billing_rule model_billing(const struct model *model) {
    return model->llm != NULL ? BILLING_PER_TOKEN : BILLING_PER_IMAGE;
}

/* One credit a unit. */
enum err model_price_units(const struct model *model, const struct json_t *input, int64_t units_milli, int64_t ratio_ppm,
                           int64_t *ret) {
    (void)model;
    (void)input;
    return money_price(MICROCREDITS, units_milli, ratio_ppm, ret);
}

/* Four units are wanted. */
enum err model_price(const struct model *model, const struct json_t *input, int64_t ratio_ppm, int64_t *ret) {
    return model_price_units(model, input, 4000, ratio_ppm, ret);
}

/* A microcredit a token that was written. */
enum err model_price_tokens(const struct model *model, const struct token_usage *tokens, int64_t ratio_ppm,
                            int64_t *ret) {
    (void)model;
    return money_price(tokens->output, 1000, ratio_ppm, ret);
}

/* Every text below "files". */
void model_each_media(const struct model *model, struct json_t *input,
                      struct json_t *(*each)(const char *path, const struct param *param, const char *value,
                                             void *context),
                      void *context) {
    static const struct param image = { .kind = PARAM_URL, .accept = "image", .limits = { .side_max = 8000 } };
    size_t at;
    json_t *value;
    (void)model;
    json_array_foreach(json_object_get(input, "files"), at, value) {
        char path[32];
        snprintf(path, sizeof(path), "files[%zu]", at);
        json_t *replacement = each(path, &image, json_string_value(value), context);
        if (replacement != NULL)
            json_array_set_new(json_object_get(input, "files"), at, replacement);
    }
}

bool route_available(const struct route *route, const struct config *config, const struct bridge *bridge,
                     struct fault *why) {
    (void)bridge;
    (void)route;
    (void)config;
    (void)why;
    return true;
}

static struct adapter adapter = { .name = "upstream" };

void fake_signature(const char *signature) {
    json_decref(adapter.signature);
    adapter.signature = signature != NULL ? json_loads(signature, 0, NULL) : NULL;
}

const struct adapter *bridge_adapter(const struct bridge *bridge, const char *name) {
    (void)bridge;
    if (talker_adapter(name) != NULL)
        return talker_adapter(name);
    return strcmp(name, adapter.name) == 0 ? &adapter : service_adapter(name);
}

static json_t *with_tokens(const json_t *value, const char *token) {
    json_t *copy = json_deep_copy(value);
    size_t at;
    json_t *object;
    json_array_foreach(copy, at, object) {
        const char *url = json_string_value(json_object_get(object, "url"));
        if (url != NULL && url[0] == '@')
            json_object_set_new(object, "url", json_sprintf("%s%s", token, url + 1));
    }
    return copy;
}

enum err bridge_results(struct bridge *bridge, const struct model *model, const struct json_t *input,
                        const struct json_t *output, struct model_results *ret, struct fault *fault) {
    (void)bridge;
    (void)model;
    (void)input;
    const json_t *artifacts = json_object_get(output, "artifacts");
    const json_t *units = json_object_get(output, "units_milli"), *timed = json_object_get(output, "timed");
    if (!json_is_array(json_object_get(output, "results")))
        return fault_set(fault, ERR_SCRIPT, "no results");
    memset(ret, 0, sizeof(*ret));
    id_random(ret->token, sizeof(ret->token) - 1);
    ret->array = with_tokens(json_object_get(output, "results"), ret->token);
    ret->artifact_count = (unsigned)json_array_size(artifacts);
    ret->artifacts = mem_new_array(ret->artifact_count + 1, sizeof(*ret->artifacts));
    for (unsigned i = 0; i < ret->artifact_count; i++)
        ret->artifacts[i].source = json_incref(json_array_get(artifacts, i));
    ret->units_milli = units != NULL ? json_integer_value(units) : -1;
    ret->timed = timed != NULL ? &ret->artifacts[json_integer_value(timed)] : NULL;
    return OK;
}

void model_results_fini(struct model_results *results) {
    for (unsigned i = 0; i < results->artifact_count; i++)
        json_decref(results->artifacts[i].source);
    free(results->artifacts);
    json_decref(results->array);
}

enum err bridge_open(const struct config *config, struct bridge **ret, struct fault *fault) {
    (void)config;
    (void)ret;
    return fault_set(fault, ERR_SCRIPT, "not here");
}

void bridge_close(struct bridge *bridge) {
    (void)bridge;
}

const struct catalog *bridge_catalog(const struct bridge *bridge) {
    (void)bridge;
    return (const void *)&with_all;
}

const struct provider_config *config_provider(const struct config *config, struct text name) {
    for (unsigned i = 0; i < config->provider_count; i++)
        if (text_equal(text_of(config->providers[i].name), name))
            return &config->providers[i];
    return NULL;
}

const struct group_config *config_group(const struct config *config, struct text name) {
    (void)name;
    return config->groups;
}

void config_free(struct config *config) {
    free(config);
}

struct setup *fake_setup(const char *directory, const struct config *limits) {
    static const struct group_config group = { .name = "default", .price_ppm = 1000000, .concurrency = 1000, .streams = 1000 };
    static uint64_t made;
    struct setup *setup = mem_new(sizeof(*setup));
    struct config *config = mem_new(sizeof(*config));
    if (limits != NULL)
        *config = *limits;
    if (config->groups == NULL) {
        config->groups = &group;
        config->group_count = 1;
    }
    config->data = directory;
    config->artifact_max = config->artifact_max > 0 ? config->artifact_max : 1 << 20;
    config->input_max = config->input_max > 0 ? config->input_max : 1 << 20;
    config->result_ttl_s = config->result_ttl_s > 0 ? config->result_ttl_s : 86400;
    config->llm_retention_s = config->llm_retention_s > 0 ? config->llm_retention_s : 900;
    config->open_tasks_max = config->open_tasks_max > 0 ? config->open_tasks_max : 100000;
    atomic_init(&setup->references, 1);
    setup->number = ++made;
    setup->config = config;
    setup->catalog = (const void *)(config->public_url != NULL ? &without_gone : &with_all);
    return setup;
}
