/* The life of a talk. */
#include "chat/driver/talk.h"

#include <jansson.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/id.h"
#include "base/inline_file.h"
#include "base/json.h"
#include "base/memory.h"
#include "catalog/catalog.h"
#include "catalog/llm.h"
#include "chat/collect.h"
#include "chat/driver/media.h"
#include "config/config.h"
#include "net/fetch.h"
#include "remote/credentials.h"
#include "remote/failure.h"
#include "remote/service.h"

/* ---- the end ---- */

static void free_talk(uv_handle_t *handle) {
    struct talk *talk = handle->data;
    talk->dialect->close(talk->reader);
    chat_collector_free(talk->collector);
    credentials_unref(talk->credentials);
    buffer_fini(&talk->head);
    json_decref(talk->body);
    free(talk->model);
    free(talk);
}

/* Nothing comes any more, and the attempt is told. */
static void finish(struct talk *talk, const struct outcome *outcome) {
    struct attempt *attempt = talk->attempt;
    chat_media_cancel(talk->media);
    fetch_cancel(talk->fetch);
    talk->media = NULL;
    talk->fetch = NULL;
    talk->attempt = NULL;
    attempt->driver_data = NULL;
    attempt->done(attempt, outcome);
    uv_close((uv_handle_t *)&talk->later, free_talk);
}

void talk_succeed(struct talk *talk, struct text completion, bool despite_cancel) {
    const struct outcome outcome = {
        .error = TASK_ERROR_NONE,
        .despite_cancel = despite_cancel,
        .completion = completion,
        .tokens = talk->usage,
    };
    finish(talk, &outcome);
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

void talk_fail(struct talk *talk) {
    struct talk_end *end = &talk->end;
    drop_cut_word(end->failure.message, sizeof(end->failure.message));
    drop_cut_word(end->detail, sizeof(end->detail));
    char *message scoped(mem_free_pointer) = failure_hide(talk->service, talk->attempt, end->failure.message);
    char *detail scoped(mem_free_pointer) = failure_hide(talk->service, talk->attempt, end->detail);
    snprintf(end->failure.message, sizeof(end->failure.message), "%.*s",
             TEXT_ARG(text_clip(text_of(message), sizeof(end->failure.message) - 1)));
    const struct outcome outcome = {
        .error = end->failure.error,
        .retryable = end->failure.retryable,
        .fate = end->fate,
        .scope = end->failure.scope,
        .unsent = end->unsent,
        .delay_ms = end->failure.delay_ms,
        .message = end->failure.message[0] ? end->failure.message : NULL,
        .detail = detail[0] ? detail : NULL,
        .chat = &end->failure,
    };
    finish(talk, &outcome);
}

static void fail_later(uv_timer_t *timer) {
    talk_fail(timer->data);
}

/* ---- stopping early ---- */

void talk_keep_partial(struct talk *talk) {
    struct buffer scoped(buffer_fini) completion;
    buffer_init(&completion, 2 * CHAT_ANSWER_MAX);
    talk->usage = talk_usage(talk, !talk->over);
    chat_collector_put(talk->collector, &talk->usage, &completion);
    if (!buffer_ok(&completion)) {
        talk_end_set(talk, TASK_ERROR_CANCELLED, SCOPE_REQUEST, false, JOB_ENDED, "");
        talk_fail(talk);
        return;
    }
    talk_succeed(talk, buffer_text(&completion), true);
}

void talk_cancel(struct talk *talk) {
    fetch_cancel(talk->fetch);
    talk->fetch = NULL;
    if (talk->attempt->keeps_partial && talk->chunks > 0) {
        talk_keep_partial(talk);
        return;
    }
    if (talk->over) {
        talk_hang_up(talk);
        return;
    }
    talk_end_set(talk, TASK_ERROR_CANCELLED, SCOPE_REQUEST, false, JOB_ENDED, "");
    talk_fail(talk);
}

/* An answer cannot go on without us: what becomes of the task is for the next start to say. */
void talk_leave(struct talk *talk) {
    bool asked = talk->fetch != NULL;
    if (talk->over) {
        talk_hang_up(talk);
        return;
    }
    talk_end_set(talk, TASK_ERROR_UNAVAILABLE, SCOPE_PROVIDER, false, asked ? JOB_ENDED : JOB_NOT_MADE, "");
    talk_end_detail(talk, 0, "the server stops", TEXT_NONE);
    talk_fail(talk);
}

/* ---- the beginning ---- */

static void media_ready(void *context, enum err err, json_t *body, const struct fault *fault) {
    struct talk *talk = context;
    talk->media = NULL;
    if (err != OK) {
        talk_end_fault(talk, fault);
        talk_fail(talk);
        return;
    }
    json_decref(talk->body);
    talk->body = body;
    talk->asked.body = body;
    if (!talk_send(talk)) {
        talk_fail(talk);
    }
}

/* False: talk->end says why not. */
static bool begin(struct talk *talk) {
    struct fault fault = { 0 };
    if (!talk->dialect->needs_inline_media || !chat_media_needed(talk->body)) {
        return talk_send(talk);
    }
    int64_t input_max = talk->service->host.config->input_max;
    int64_t bytes_max = input_max < INLINE_FILES_MAX ? input_max : INLINE_FILES_MAX;
    talk->media = chat_media_start(talk->service->host.fetcher, talk->body, bytes_max, media_ready, talk, &fault);
    if (talk->media == NULL) {
        talk_end_fault(talk, &fault);
        return false;
    }
    return true;
}

/* What the dialect is asked for. */
static void ask(struct talk *talk, const json_t *route) {
    const struct attempt *attempt = talk->attempt;
    talk->body = json_incref((json_t *)(uintptr_t)attempt->input);
    const char *name = json_string_value(json_object_get(talk->body, "model"));
    talk->model = llm_target(attempt->model, attempt->route->target, text_of(name));
    memcpy(talk->id, "chatcmpl-", sizeof("chatcmpl-"));
    id_random(talk->id + strlen(talk->id), 24);
    talk->asked = (struct chat_call){
        .body = talk->body,
        .model = talk->model,
        .stream = attempt->streams,
        .reasoning = attempt->reasons,
        .max_tokens = attempt->model->llm ? attempt->model->llm->output_max : 0,
        .route = route,
        .id = talk->id,
        .created_s = clock_wall_ms() / 1000,
    };
}

void talk_begin(struct service *service, struct fetch_client *fetcher, const struct chat_dialect *dialect,
                const json_t *route, struct attempt *attempt) {
    struct talk *talk = mem_new(sizeof(*talk));
    talk->service = service;
    talk->fetcher = fetcher;
    talk->dialect = dialect;
    talk->attempt = attempt;
    buffer_init(&talk->head, CHAT_CHUNK_MAX);
    uv_timer_init(service->host.loop, &talk->later);
    talk->later.data = talk;
    attempt->driver_data = talk;
    ask(talk, route);
    if (!begin(talk)) {
        uv_timer_start(&talk->later, fail_later, 0, 0);
    }
}
