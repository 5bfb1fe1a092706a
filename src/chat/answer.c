/* What a service answers: where it goes, and chunks as they come. Whole replies are whole.c's. */
#include <jansson.h>

#include "chat/call.h"
#include "chat/collect.h"
#include "chat/stream.h"
#include "chat/tokens.h"
#include "net/fetch.h"
#include "remote/credentials.h"
#include "remote/service.h"

#define COMPLETION_MAX (2 * CHAT_ANSWER_MAX)

/* ---- what was used ---- */

struct token_usage call_usage(const struct call *call, bool partial) {
    struct token_usage usage = call->usage_said ? call->usage : (struct token_usage){ .estimated = true };
    int64_t written = call->collector ? chat_collector_tokens(call->collector) : call->written;
    if (!usage.estimated && !partial) {
        return usage;
    }
    usage.estimated = true;
    usage.input = usage.input > 0 ? usage.input : tokens_of_request(call->body);
    usage.output = usage.output > written ? usage.output : written;
    return usage;
}

/* ---- streamed ---- */

void call_take_chunk(void *context, struct text json, const json_t *value) {
    struct call *call = context;
    if (call->failed) {
        return;
    }
    bool kept = call->collector == NULL || chat_collector_add(call->collector, value);
    if (!kept || (call->attempt->stream && chat_stream_add(call->attempt->stream, json) != OK)) {
        call_end_overflow(call);
        call->failed = true;
        return;
    }
    if (call->collector == NULL) {
        call->written += spoken_tokens(value);
    }
    call->chunks++;
}

static void on_usage(void *context, const struct token_usage *usage) {
    struct call *call = context;
    call->usage = *usage;
    call->usage_said = true;
}

void call_open_reader(struct call *call) {
    call->sink = (struct chat_sink){ .chunk = call_take_chunk, .usage = on_usage, .context = call };
    call->reader = call->dialect->open(&call->asked, &call->sink);
    call->collector = call->attempt->forgets ? NULL : chat_collector_new();
}

/* An error in the stream. Before the first chunk it is like an error status: nothing was made. */
static void end_in_stream(struct call *call, enum err err, const struct chat_failure *failure) {
    bool begun = call->chunks > 0;
    if (err == ERR_FETCH) {
        call->end = (struct call_end){ .failure = *failure, .fate = begun ? JOB_ENDED : JOB_NOT_MADE };
        call->end.failure.retryable = failure->retryable && !begun;
    } else {
        call_end_set(call, TASK_ERROR_SERVICE, SCOPE_PROVIDER, false, JOB_ENDED,
                     "The service sent a piece of an answer that is too large.");
    }
    call_end_detail(call, 200, failure->message, buffer_text(&call->head));
    call->failed = true;
}

/* A plain JSON reply is kept whole: it may be an answer, or say why there is none. */
static void keep_head(struct call *call, struct text piece) {
    size_t most = whole_is_plain(buffer_text(&call->head)) ? CHAT_ANSWER_MAX : CALL_HEAD_MAX;
    size_t room = call->head.len < most ? most - call->head.len : 0;
    buffer_put(&call->head, (struct text){ piece.ptr, piece.len < room ? piece.len : room });
}

enum err call_take_bytes(void *context, const void *bytes, size_t count) {
    struct call *call = context;
    struct chat_failure failure = { .error = TASK_ERROR_SERVICE };
    struct text piece = { bytes, count };
    if (call->chunks == 0) {
        keep_head(call, piece);
    }
    enum err err = call->dialect->feed(call->reader, piece, &failure);
    if (err != OK && !call->failed) {
        end_in_stream(call, err, &failure);
    }
    if (call->chunks > 0) {
        buffer_fini(&call->head);
    }
    return call->failed ? ERR_TOO_LONG : OK;
}

void call_put_collected(const struct call *call, const struct token_usage *usage, struct buffer *buf) {
    chat_collector_put(call->collector, usage, buf);
}

void call_complete_stream(struct call *call) {
    struct buffer scoped(buffer_fini) completion;
    buffer_init(&completion, COMPLETION_MAX);
    call->usage = call_usage(call, false);
    if (call->collector) {
        call_put_collected(call, &call->usage, &completion);
    }
    if (!buffer_ok(&completion)) {
        call_end_overflow(call);
        call_fail(call);
        return;
    }
    call_succeed(call, call->collector ? buffer_text(&completion) : TEXT_NONE, false);
}

/* ---- the end of the transfer ---- */

/* It ended well, and perhaps too early. */
static void end_stream(struct call *call, const struct fetch_result *result) {
    struct chat_failure failure = { .error = TASK_ERROR_SERVICE };
    bool whole = call->dialect->finish(call->reader, &failure) == OK;
    if (!call->failed && call->chunks == 0 && whole_is_plain(buffer_text(&call->head))) {
        whole_streamed(call, result); /* it does not stream */
    } else if (!call->failed && whole) {
        call_complete_stream(call);
    } else {
        if (!call->failed) {
            struct fetch_result lost = *result;
            lost.err = ERR_FETCH;
            lost.detail = failure.message;
            call_end_lost(call, &lost);
        }
        call_fail(call);
    }
}

static bool has_answer(const struct fetch_result *result) {
    return result->http_status / 100 == 2;
}

void call_fetched(void *context, const struct fetch_result *result) {
    struct call *call = context;
    call->fetch = NULL;
    if (result->http_status == 401) {
        credentials_refused(&call->service->credentials, call->credentials);
    }
    if (!result->sent && result->err != OK && result->err != ERR_BLOCKED_ADDRESS && call_send_to_backup(call)) {
        return;
    }
    if (call->failed) {
        call_fail(call);
    } else if (result->http_status != 0 && !has_answer(result)) { /* even when its body did not come whole */
        call_end_refused(call, result);
        call_fail(call);
    } else if (result->err != OK) {
        call_end_lost(call, result);
        call_fail(call);
    } else if (call->reader) {
        end_stream(call, result);
    } else {
        whole_complete(call, result);
    }
}
