/* OpenAI's chat completions, whole and as server-sent events in HTTP's chunks; requests are searched, not parsed. */
#include "chat_service.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define JSON_MAX 512

/* ---- requests ---- */

/* What follows "NAME": in a JSON text, or NULL. Enough for the requests of measurements. */
static const char *member(const char *json, const char *name) {
    char quoted[32];
    snprintf(quoted, sizeof(quoted), "\"%s\"", name);
    const char *found = strstr(json, quoted);
    if (found == NULL) {
        return NULL;
    }
    found += strlen(quoted);
    return found + strspn(found, " \t\r\n:");
}

static bool is_true(const char *json, const char *name) {
    const char *value = member(json, name);
    return value != NULL && strncmp(value, "true", 4) == 0;
}

bool service_read(const char *json, struct chat_request *ret) {
    const char *name = member(json, "model");
    if (name == NULL || *name != '"') {
        return false;
    }
    size_t size = strcspn(++name, "\"");
    if (size >= sizeof(ret->model)) {
        return false;
    }
    memcpy(ret->model, name, size);
    ret->model[size] = '\0';
    const char *slash = strrchr(ret->model, '/');
    if (sscanf(slash != NULL ? slash + 1 : ret->model, "%ux%u", &ret->events, &ret->interval_ms) != 2) {
        return false;
    }
    ret->streams = is_true(json, "stream");
    ret->wants_usage = is_true(json, "include_usage");
    return ret->events > 0 && ret->events <= SERVICE_EVENTS_MAX &&
           (uint64_t)ret->interval_ms * (ret->streams ? 1 : ret->events) < SERVICE_DELAY_MAX;
}

/* ---- answers ---- */

size_t outbox_room(const struct outbox *outbox) {
    return sizeof(outbox->bytes) - outbox->end;
}

static printf_like(2, 3) void put(struct outbox *outbox, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    int size = vsnprintf(outbox->bytes + outbox->end, outbox_room(outbox), format, arguments);
    va_end(arguments);
    if (size < 0 || (size_t)size >= outbox_room(outbox)) {
        abort(); /* whoever puts has looked for room */
    }
    outbox->end += (size_t)size;
}

void service_put_json(struct outbox *outbox, const char *status, const char *json) {
    put(outbox, "HTTP/1.1 %s\r\nContent-Type: application/json\r\nContent-Length: %zu\r\n\r\n%s", status, strlen(json),
        json);
}

void service_put_refusal(struct outbox *outbox, const char *status, const char *why) {
    char json[JSON_MAX];
    snprintf(json, sizeof(json), "{\"error\":{\"message\":\"%s\",\"type\":\"invalid_request_error\"}}", why);
    service_put_json(outbox, status, json);
}

static void format_usage(const struct chat_request *request, char *ret, size_t size) {
    snprintf(ret, size, "\"usage\":{\"prompt_tokens\":12,\"completion_tokens\":%u,\"total_tokens\":%u}",
             request->events, request->events + 12);
}

void service_put_whole(struct outbox *outbox, const struct chat_request *request) {
    static const char word[] = "fennec ";
    char json[SERVICE_EVENTS_MAX * (sizeof(word) - 1) + (size_t)2 * JSON_MAX], usage[JSON_MAX / 4];
    format_usage(request, usage, sizeof(usage));
    int size =
        snprintf(json, sizeof(json),
                 "{\"id\":\"chatcmpl-bench\",\"object\":\"chat.completion\",\"created\":1700000000,\"model\":\"%s\","
                 "\"choices\":[{\"index\":0,\"message\":{\"role\":\"assistant\",\"content\":\"",
                 request->model);
    for (uint32_t i = 0; i < request->events; i++, size += (int)sizeof(word) - 1) {
        memcpy(json + size, word, sizeof(word) - 1);
    }
    snprintf(json + size, sizeof(json) - (size_t)size, "\"},\"logprobs\":null,\"finish_reason\":\"stop\"}],%s}", usage);
    service_put_json(outbox, "200 OK", json);
}

void service_put_head(struct outbox *outbox) {
    put(outbox, "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n");
}

/* One event: a chunk of HTTP's chunked transfer. `choices` and `more` are JSON. */
static void put_chunk(struct outbox *outbox, const struct chat_request *request, const char *choices,
                      const char *more) {
    char event[JSON_MAX];
    int size = snprintf(event, sizeof(event),
                        "data: {\"id\":\"chatcmpl-bench\",\"object\":\"chat.completion.chunk\",\"created\":1700000000,"
                        "\"model\":\"%s\",\"choices\":[%s]%s}\n\n",
                        request->model, choices, more);
    put(outbox, "%x\r\n%s\r\n", (unsigned)size, event);
}

void service_put_event(struct outbox *outbox, const struct chat_request *request, uint32_t number, uint64_t now_us) {
    char choice[JSON_MAX / 2];
    snprintf(choice, sizeof(choice),
             "{\"index\":0,\"delta\":{%s\"content\":\"#%u@%llu \"},\"logprobs\":null,\"finish_reason\":null}",
             number == 0 ? "\"role\":\"assistant\"," : "", number, (unsigned long long)now_us);
    put_chunk(outbox, request, choice, "");
}

void service_put_end(struct outbox *outbox, const struct chat_request *request) {
    static const char done[] = "data: [DONE]\n\n";
    put_chunk(outbox, request, "{\"index\":0,\"delta\":{},\"logprobs\":null,\"finish_reason\":\"stop\"}", "");
    if (request->wants_usage) {
        char usage[JSON_MAX / 4] = ",";
        format_usage(request, usage + 1, sizeof(usage) - 1);
        put_chunk(outbox, request, "", usage);
    }
    put(outbox, "%zx\r\n%s\r\n0\r\n\r\n", sizeof(done) - 1, done);
}
