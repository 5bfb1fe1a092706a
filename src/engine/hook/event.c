/* A webhook as JSON, for adapters. */
#include <jansson.h>

#include "base/json.h"
#include "engine/hook/hook.h"
#include "net/webhook.h"

#define BODY_DEPTH_MAX 64

static const char *const outcome_labels[] = {
#define X(name, label, err) [name] = label,
    HOOK_OUTCOME_TABLE(X)
#undef X
};

const char *hook_outcome_label(enum hook_outcome outcome) {
    return outcome_labels[outcome];
}

/* An adapter has no use for them, and they are nobody's business. */
static bool is_credential(struct text name) {
    return text_equal_nocase(name, TEXT("authorization")) || text_equal_nocase(name, TEXT("proxy-authorization")) ||
           text_equal_nocase(name, TEXT("cookie"));
}

/* Of a name that comes twice the first counts, as it does for signatures. What is not UTF-8 is left out. */
static void put_header(json_t *object, const struct webhook_header *header) {
    char name[256];
    if (header->name.len == 0 || header->name.len >= sizeof(name) || is_credential(header->name))
        return;
    for (size_t i = 0; i < header->name.len; i++) {
        char c = header->name.ptr[i];
        name[i] = c >= 'A' && c <= 'Z' ? (char)(c | 0x20) : c;
    }
    name[header->name.len] = '\0';
    if (json_object_get(object, name) == NULL)
        json_object_set_new(object, name, json_stringn(header->value.ptr, header->value.len));
}

static void put_parameter(json_t *object, const struct webhook_header *parameter) {
    json_object_setn_new(object, parameter->name.ptr, parameter->name.len,
                         json_stringn(parameter->value.ptr, parameter->value.len));
}

static void put_body(json_t *event, struct text body) {
    json_t *value = NULL;
    if (body.len == 0)
        return;
    if (json_read_any(body, BODY_DEPTH_MAX, &value, NULL) == OK)
        json_object_set_new(event, "json", value);
    else
        json_object_set_new(event, "text", json_stringn(body.ptr, body.len));
}

json_t *hook_event_new(const struct webhook *webhook, const struct webhook_header *query, unsigned query_count) {
    json_t *event = json_object(), *headers = json_object(), *parameters = json_object();
    for (unsigned i = 0; i < webhook->header_count; i++)
        put_header(headers, &webhook->headers[i]);
    for (unsigned i = 0; i < query_count; i++)
        put_parameter(parameters, &query[i]);
    json_object_set_new(event, "headers", headers);
    json_object_set_new(event, "query", parameters);
    put_body(event, webhook->body);
    return event;
}
