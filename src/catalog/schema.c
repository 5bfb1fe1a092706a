/* A model's parameters as JSON Schema (2020-12). Rules that the schema language cannot say are told in `description`. */
#include <jansson.h>

#include "base/buffer.h"
#include "catalog/catalog.h"
#include "catalog/param.h"
#include "catalog/rule.h"
#include "catalog/schema.h"

static json_t *describe(const struct param *param);

static void set_string(json_t *schema, const char *key, const char *value) {
    json_object_set_new(schema, key, json_string(value));
}

/* A whole bound without decimals. */
static json_t *bound(double value) {
    return value == (double)(json_int_t)value ? json_integer((json_int_t)value) : json_real(value);
}

static void set_bounds(json_t *schema, const struct param *param, const char *min, const char *max) {
    if (param->has_min) {
        json_object_set_new(schema, min, bound(param->min));
    }
    if (param->has_max) {
        json_object_set_new(schema, max, bound(param->max));
    }
}

static json_t *list_values(struct json_t *const *values, unsigned count) {
    json_t *list = json_array();
    for (unsigned i = 0; i < count; i++) {
        json_array_append_new(list, json_deep_copy(values[i]));
    }
    return list;
}

/* ---- by kind: each fills in what makes it itself ---- */

static void describe_text(const struct param *param, json_t *schema) {
    set_string(schema, "type", "string");
    set_bounds(schema, param, "minLength", "maxLength");
}

static void describe_choice(const struct param *param, json_t *schema) {
    json_object_set_new(schema, "enum", list_values(param->values, param->value_count));
}

static void describe_number(const struct param *param, json_t *schema) {
    json_t *range = param->value_count > 0 ? json_object() : json_incref(schema);
    set_string(range, "type", param->kind == PARAM_INTEGER ? "integer" : "number");
    set_bounds(range, param, "minimum", "maximum");
    if (param->multiple > 1) {
        json_object_set_new(range, "multipleOf", json_integer(param->multiple));
    }
    if (param->value_count == 0) {
        json_decref(range);
        return;
    }
    json_t *also = json_object();
    json_object_set_new(also, "enum", list_values(param->values, param->value_count));
    json_object_set_new(schema, "anyOf", json_pack("[o, o]", range, also));
}

static void describe_boolean(const struct param *param, json_t *schema) {
    (void)param;
    set_string(schema, "type", "boolean");
}

static void put_limits(struct buffer *buf, const struct media_limits *limits) {
    if (limits->bytes_max > 0) {
        buffer_printf(buf, "; at most %lld bytes", (long long)limits->bytes_max);
    }
    if (limits->side_min > 0) {
        buffer_printf(buf, "; its shorter side at least %u pixels", limits->side_min);
    }
    if (limits->side_max > 0) {
        buffer_printf(buf, "; its longer side at most %u pixels", limits->side_max);
    }
    if (limits->ratio_max > 0) {
        buffer_printf(buf, "; one side at most %g times the other", limits->ratio_max);
    }
    if (limits->seconds_min > 0) {
        buffer_printf(buf, "; at least %g seconds", limits->seconds_min);
    }
    if (limits->seconds_max > 0) {
        buffer_printf(buf, "; at most %g seconds", limits->seconds_max);
    }
}

static void describe_url(const struct param *param, json_t *schema) {
    struct buffer words scoped(buffer_fini);
    buffer_init(&words, 512);
    buffer_printf(&words, "http or https URL of %s%s", media_noun(param->accept),
                  param->inline_data ? ", a data: URI, or base64" : "");
    put_limits(&words, &param->limits);
    set_string(schema, "type", "string");
    set_string(schema, "description", words.data);
    if (!param->inline_data) {
        set_string(schema, "format", "uri");
        set_string(schema, "pattern", "^[Hh][Tt][Tt][Pp][Ss]?://");
        json_object_set_new(schema, "maxLength", json_integer(PARAM_URL_MAX));
    }
}

static void describe_list(const struct param *param, json_t *schema) {
    set_string(schema, "type", "array");
    json_object_set_new(schema, "items", describe(&param->parts[0]));
    set_bounds(schema, param, "minItems", "maxItems");
}

static void describe_object(const struct param *param, json_t *schema) {
    json_t *properties = json_object(), *required = json_array();
    for (unsigned i = 0; i < param->part_count; i++) {
        json_object_set_new(properties, param->parts[i].name, describe(&param->parts[i]));
        if (param->parts[i].required) {
            json_array_append_new(required, json_string(param->parts[i].name));
        }
    }
    set_string(schema, "type", "object");
    json_object_set_new(schema, "properties", properties);
    json_object_set_new(schema, "required", required);
    json_object_set_new(schema, "additionalProperties", json_false());
}

static void describe_either(const struct param *param, json_t *schema) {
    json_t *alternatives = json_array();
    for (unsigned i = 0; i < param->part_count; i++) {
        json_array_append_new(alternatives, describe(&param->parts[i]));
    }
    json_object_set_new(schema, "anyOf", alternatives);
}

static void describe_anything(const struct param *param, json_t *schema) {
    (void)param;
    set_string(schema, "type", "object");
}

/* Lets null in as well: by its type, its enum or its alternatives, whichever the schema speaks with. */
static void allow_null(json_t *schema) {
    json_t *type = json_object_get(schema, "type");
    if (type != NULL) {
        json_object_set_new(schema, "type", json_pack("[O, s]", type, "null"));
    } else if (json_object_get(schema, "enum") != NULL) {
        json_array_append_new(json_object_get(schema, "enum"), json_null());
    } else {
        json_array_append_new(json_object_get(schema, "anyOf"), json_pack("{s:s}", "type", "null"));
    }
}

static json_t *describe(const struct param *param) {
    static void (*const describers[PARAM_KIND_COUNT])(const struct param *, json_t *) = {
        [PARAM_TEXT] = describe_text,       [PARAM_CHOICE] = describe_choice,   [PARAM_INTEGER] = describe_number,
        [PARAM_NUMBER] = describe_number,   [PARAM_BOOLEAN] = describe_boolean, [PARAM_URL] = describe_url,
        [PARAM_LIST] = describe_list,       [PARAM_OBJECT] = describe_object,   [PARAM_EITHER] = describe_either,
        [PARAM_ANYTHING] = describe_anything,
    };
    json_t *schema = json_object();
    describers[param->kind](param, schema);
    if (param->nullable) {
        allow_null(schema);
    }
    if (param->fallback != NULL) {
        json_object_set_new(schema, "default", json_deep_copy(param->fallback));
    }
    return schema;
}

/* ---- rules ---- */

/* That a field is there and is not null, as the rules understand it. */
static json_t *given(const char *name) {
    return json_pack("{s:[s], s:{s:{s:{s:s}}}}", "required", name, "properties", name, "not", "type", "null");
}

static json_t *given_each(const struct param_rule *rule, unsigned first) {
    json_t *list = json_array();
    for (unsigned i = first; i < rule->name_count; i++) {
        json_array_append_new(list, given(rule->names[i]));
    }
    return list;
}

static json_t *when_holds(const struct param_rule *rule) {
    json_t *properties = json_object(), *required = json_array();
    for (unsigned i = 0; i < rule->when_count; i++) {
        json_object_set_new(properties, rule->when[i].name, json_pack("{s:o}", "const", json_deep_copy(rule->when[i].value)));
        json_array_append_new(required, json_string(rule->when[i].name));
    }
    return json_pack("{s:o, s:o}", "properties", properties, "required", required);
}

/* NULL: JSON Schema has no words for it, or needs none. */
static json_t *describe_rule(const struct param_rule *rule) {
    switch (rule->kind) {
    case RULE_EXACTLY_ONE:
        return json_pack("{s:o}", "oneOf", given_each(rule, 0));
    case RULE_AT_LEAST_ONE:
        return json_pack("{s:o}", "anyOf", given_each(rule, 0));
    case RULE_AT_MOST_ONE: {
        json_t *choices = given_each(rule, 0);
        json_array_append_new(choices, json_pack("{s:{s:o}}", "not", "anyOf", given_each(rule, 0)));
        return json_pack("{s:o}", "oneOf", choices);
    }
    case RULE_REQUIRES:
    case RULE_REQUIRES_ANY:
        if (rule->name_count == 2) {
            return json_pack("{s:o, s:o}", "if", given(rule->names[0]), "then", given(rule->names[1]));
        }
        return json_pack("{s:o, s:{s:o}}", "if", given(rule->names[0]), "then", "anyOf", given_each(rule, 1));
    case RULE_NOT_WITH:
        return json_pack("{s:o, s:{s:o}}", "if", when_holds(rule), "then", "not", given(rule->names[0]));
    case RULE_ONLY:
        return json_pack("{s:o, s:{s:{s:{s:o}}}}", "if", when_holds(rule), "then", "properties", rule->names[0], "enum",
                         list_values(rule->values, rule->value_count));
    default:
        return NULL;
    }
}

static void put_total(struct buffer *buf, const struct param_rule *rule) {
    buffer_put(buf, buf->len > 0 ? TEXT(" ") : TEXT(""));
    for (unsigned i = 0; i < rule->name_count; i++) {
        buffer_printf(buf, "%s%s", i == 0 ? "" : i + 1 == rule->name_count ? " and " : ", ", rule->names[i]);
    }
    buffer_printf(buf, " have at most %lld items together.", (long long)rule->max);
}

struct json_t *model_schema(const struct model *model) {
    if (model->llm != NULL) {
        return schema_of_llm(model);
    }
    json_t *schema = json_object(), *rules = json_array();
    scoped(buffer_fini) struct buffer words;
    buffer_init(&words, 65536);
    set_string(schema, "$schema", SCHEMA_DIALECT);
    set_string(schema, "title", model->name);
    describe_object(model->params, schema);
    for (unsigned i = 0; i < model->rule_count; i++) {
        json_t *rule = describe_rule(&model->rules[i]);
        if (rule != NULL) {
            json_array_append_new(rules, rule);
        } else if (model->rules[i].kind == RULE_TOTAL) {
            put_total(&words, &model->rules[i]);
        } /* what the model lacks is no property of its schema */
    }
    if (json_array_size(rules) > 0) {
        json_object_set(schema, "allOf", rules);
    }
    json_decref(rules);
    if (words.len > 0) {
        set_string(schema, "description", words.data);
    }
    return schema;
}
