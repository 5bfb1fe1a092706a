/* POST /v1/hooks/{token}: a provider tells of an attempt. Whether it is to be believed is the engine's to say. */
#include <stdlib.h>

#include "api/internal.h"

#define HEADERS_MAX 128

/* Attached to the exchange, and in its arena, as are the texts. */
struct hook {
    struct exchange *exchange;
    struct hook_call call;
    struct webhook_header headers[HEADERS_MAX];
    struct webhook_header parameters[TARGET_PARAMETERS_MAX];
    unsigned dropped; /* headers that did not fit */
};

static void release_hook(void *attachment) {
    struct hook *hook = attachment;
    free(hook->call.reply);
}

enum err admit_hook(struct exchange *exchange, struct fault *fault) {
    struct hook_token token;

    if (!engine_hook_token(api_of(exchange)->engine, exchange_segment(exchange, TEXT("token")), &token))
        return fault_set(fault, ERR_ROUTE_NOT_FOUND, "There is nothing at this path.");
    struct hook *hook = arena_alloc(exchange_arena(exchange), sizeof *hook);
    if (hook == NULL)
        return fault_set(fault, ERR_NO_MEMORY, "No memory for a webhook.");
    hook->exchange = exchange;
    hook->call.token = token;
    exchange_attach(exchange, hook, release_hook);
    return OK;
}

/* Copied: the engine may still look at them when the connection is gone. */
static void add_header(struct text name, struct text value, void *context) {
    struct hook *hook = context;
    struct webhook *webhook = &hook->call.webhook;
    struct arena *arena = exchange_arena(hook->exchange);

    if (webhook->header_count == HEADERS_MAX) {
        hook->dropped++;
        return;
    }
    struct webhook_header header = { arena_text(arena, name), arena_text(arena, value) };
    if (header.name.ptr != NULL && header.value.ptr != NULL)
        hook->headers[webhook->header_count++] = header;
}

static void add_parameter(struct text name, struct text value, void *context) {
    struct hook *hook = context;
    hook->parameters[hook->call.query_count++] = (struct webhook_header){ name, value };
}

static void answer(struct exchange *exchange) {
    struct hook *hook = exchange_attachment(exchange);
    struct fault fault = { .err = OK };
    struct buffer body;

    if (hook->call.err == OK) {
        buffer_init(&body, (size_t)1 << 20);
        buffer_put(&body, hook->call.reply != NULL ? text_of(hook->call.reply) : TEXT("{}"));
        reply_json(exchange, &body);
        return;
    }
    if (hook->call.err == ERR_INVALID_SIGNATURE)
        fault_set(&fault, hook->call.err, "The signature is missing, does not fit, or is too old.");
    else if (hook->call.err == ERR_KEYS_UNAVAILABLE)
        fault_set(&fault, hook->call.err, "The keys to verify the signature with cannot be had now; try again.");
    else
        fault_set(&fault, hook->call.err, "The server is shutting down; try again.");
    refuse(exchange, &fault);
}

static void done(struct hook_call *call) {
    struct hook *hook = call->context;
    http_resume(hook->exchange);
}

void handle_hook(struct exchange *exchange) {
    struct hook *hook = exchange_attachment(exchange);
    struct fault fault = { .err = OK };

    exchange_each_header(exchange, add_header, hook);
    if (hook->dropped > 0) {
        fault_set(&fault, ERR_HEADERS_TOO_LARGE, "The request has more than %d headers.", HEADERS_MAX);
        refuse(exchange, &fault);
        return;
    }
    exchange_each_parameter(exchange, add_parameter, hook);
    hook->call.webhook.headers = hook->headers;
    hook->call.webhook.body = exchange_body(exchange);
    hook->call.query = hook->parameters;
    hook->call.done = done;
    hook->call.context = hook;
    exchange_suspend(exchange, answer);
    engine_hook(api_of(exchange)->engine, &hook->call);
}
