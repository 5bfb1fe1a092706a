/* The life of a call. */
#include "chat/call.h"

#include <jansson.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/id.h"
#include "base/json.h"
#include "base/memory.h"
#include "catalog/catalog.h"
#include "catalog/llm.h"
#include "chat/collect.h"
#include "chat/media.h"
#include "config/config.h"
#include "net/fetch.h"
#include "remote/credentials.h"
#include "remote/failure.h"
#include "remote/service.h"

/* ---- the end ---- */

static void free_call(uv_handle_t *handle) {
    struct call *call = handle->data;
    call->dialect->close(call->reader);
    chat_collector_free(call->collector);
    credentials_unref(call->credentials);
    buffer_fini(&call->head);
    json_decref(call->body);
    free(call->model);
    free(call);
}

/* Nothing comes any more, and the attempt is told. */
static void finish(struct call *call, const struct outcome *outcome) {
    struct attempt *attempt = call->attempt;
    chat_media_cancel(call->media);
    fetch_cancel(call->fetch);
    call->media = NULL;
    call->fetch = NULL;
    call->attempt = NULL;
    attempt->driver_data = NULL;
    attempt->done(attempt, outcome);
    uv_close((uv_handle_t *)&call->later, free_call);
}

void call_succeed(struct call *call, struct text completion, bool despite_cancel) {
    const struct outcome outcome = {
        .error = TASK_ERROR_NONE,
        .despite_cancel = despite_cancel,
        .completion = completion,
        .tokens = call->usage,
    };
    finish(call, &outcome);
}

/* A text that was cut may end with the beginning of a secret, which nothing would find: its last word goes. */
static void drop_cut_word(char *text, size_t size) {
    size_t len = strlen(text);
    if (len + 5 > size) {
        while (len > 0 && strchr(" \t\r\n\"',<>", text[len - 1]) == NULL) {
            len--;
        }
        text[len] = '\0';
    }
}

void call_fail(struct call *call) {
    struct call_end *end = &call->end;
    drop_cut_word(end->failure.message, sizeof(end->failure.message));
    drop_cut_word(end->detail, sizeof(end->detail));
    char *message scoped(mem_free_pointer) = failure_hide(call->service, call->attempt, end->failure.message);
    char *detail scoped(mem_free_pointer) = failure_hide(call->service, call->attempt, end->detail);
    snprintf(end->failure.message, sizeof(end->failure.message), "%.*s",
             TEXT_ARG(text_clip(text_of(message), sizeof(end->failure.message) - 1)));
    const struct outcome outcome = {
        .error = end->failure.error,
        .retryable = end->failure.retryable,
        .fate = end->fate,
        .scope = end->failure.scope,
        .delay_ms = end->failure.delay_ms,
        .message = end->failure.message[0] ? end->failure.message : NULL,
        .detail = detail[0] ? detail : NULL,
        .chat = &end->failure,
    };
    finish(call, &outcome);
}

static void fail_later(uv_timer_t *timer) {
    call_fail(timer->data);
}

/* ---- stopping early ---- */

void call_keep_partial(struct call *call) {
    struct buffer scoped(buffer_fini) completion;
    buffer_init(&completion, 2 * CHAT_ANSWER_MAX);
    call->usage = call_usage(call, true);
    chat_collector_put(call->collector, &call->usage, &completion);
    if (!buffer_ok(&completion)) {
        call_end_set(call, TASK_ERROR_CANCELLED, SCOPE_REQUEST, false, JOB_ENDED, "");
        call_fail(call);
        return;
    }
    call_succeed(call, buffer_text(&completion), true);
}

void call_cancel(struct call *call) {
    fetch_cancel(call->fetch);
    call->fetch = NULL;
    if (call->attempt->keeps_partial && call->chunks > 0) {
        call_keep_partial(call);
        return;
    }
    call_end_set(call, TASK_ERROR_CANCELLED, SCOPE_REQUEST, false, JOB_ENDED, "");
    call_fail(call);
}

/* An answer cannot go on without us: what becomes of the task is for the next start to say. */
void call_leave(struct call *call) {
    bool asked = call->fetch != NULL;
    call_end_set(call, TASK_ERROR_UNAVAILABLE, SCOPE_PROVIDER, false, asked ? JOB_ENDED : JOB_NOT_MADE, "");
    call_end_detail(call, 0, "the server stops", TEXT_NONE);
    call_fail(call);
}

/* ---- the beginning ---- */

static void media_ready(void *context, enum err err, json_t *body, const struct fault *fault) {
    struct call *call = context;
    call->media = NULL;
    if (err != OK) {
        call_end_fault(call, fault);
        call_fail(call);
        return;
    }
    json_decref(call->body);
    call->body = body;
    call->asked.body = body;
    if (!call_send(call)) {
        call_fail(call);
    }
}

/* False: call->end says why not. */
static bool begin(struct call *call) {
    struct fault fault = { 0 };
    if (!call->dialect->needs_inline_media || !chat_media_needed(call->body)) {
        return call_send(call);
    }
    call->media = chat_media_start(call->service->host.fetcher, call->body, call->service->host.config->input_max,
                                   media_ready, call, &fault);
    if (call->media == NULL) {
        call_end_fault(call, &fault);
        return false;
    }
    return true;
}

/* What the dialect is asked for. */
static void ask(struct call *call, const json_t *route) {
    const struct attempt *attempt = call->attempt;
    call->body = json_incref((json_t *)(uintptr_t)attempt->input);
    const char *name = json_string_value(json_object_get(call->body, "model"));
    call->model = llm_target(attempt->model, attempt->route->target, text_of(name));
    memcpy(call->id, "chatcmpl-", sizeof("chatcmpl-"));
    id_random(call->id + strlen(call->id), 24);
    call->asked = (struct chat_call){
        .body = call->body,
        .model = call->model,
        .stream = attempt->streams,
        .reasoning = attempt->reasons,
        .max_tokens = attempt->model->llm ? attempt->model->llm->output_max : 0,
        .route = route,
        .id = call->id,
        .created_s = clock_wall_ms() / 1000,
    };
}

void call_begin(struct service *service, struct fetch_client *fetcher, const struct chat_dialect *dialect,
                const json_t *route, struct attempt *attempt) {
    struct call *call = mem_new(sizeof(*call));
    call->service = service;
    call->fetcher = fetcher;
    call->dialect = dialect;
    call->attempt = attempt;
    buffer_init(&call->head, CHAT_CHUNK_MAX);
    uv_timer_init(service->host.loop, &call->later);
    call->later.data = call;
    attempt->driver_data = call;
    ask(call, route);
    if (!begin(call)) {
        uv_timer_start(&call->later, fail_later, 0, 0);
    }
}
