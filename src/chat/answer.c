/* What a service answers: where it goes, and chunks as they come. Whole completions are whole.c's. */
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
    bool kept = chat_collector_add(call->collector, value);
    bool taken = kept && (call->attempt->stream == NULL || chat_stream_add(call->attempt->stream, json) == OK);
    if (!taken) {
        call->cut = kept && call->attempt->must_keep_up && call->chunks > 0;
        call_end_overflow(call);
        call->failed = true;
        return;
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
    call->collector = chat_collector_new();
}

/* What went wrong in the stream. Before the first chunk it is like any reply that is no answer. */
static void end_in_stream(struct call *call, enum err err, struct chat_failure *failure) {
    call->failed = true;
    if (err != ERR_FETCH) {
        call_end_set(call, TASK_ERROR_SERVICE, SCOPE_PROVIDER, false, JOB_ENDED,
                     "The service sent a piece of an answer that is too large.");
        call_end_detail(call, 200, failure->message, TEXT_NONE);
    } else if (call->chunks == 0) {
        call_end_unanswered(call, 200, buffer_text(&call->head), failure);
    } else {
        call->end = (struct call_end){ .failure = *failure, .fate = JOB_ENDED };
        call->end.failure.retryable = false;
        call_end_detail(call, 200, failure->message, TEXT_NONE);
    }
}

enum err call_take_bytes(void *context, const void *bytes, size_t count) {
    struct call *call = context;
    struct chat_failure failure = { .error = TASK_ERROR_SERVICE };
    struct text piece = { bytes, count };
    if (call->chunks == 0) {
        size_t room = call->head.max - call->head.len;
        buffer_put(&call->head, (struct text){ bytes, count < room ? count : room });
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

static void complete_stream(struct call *call) {
    struct buffer scoped(buffer_fini) completion;
    buffer_init(&completion, COMPLETION_MAX);
    call->usage = call_usage(call, false);
    chat_collector_put(call->collector, &call->usage, &completion);
    if (!buffer_ok(&completion)) {
        call_end_overflow(call);
        call_fail(call);
        return;
    }
    call_succeed(call, buffer_text(&completion), false);
}

/* ---- the end of the transfer ---- */

/* It ended well, and perhaps too early. */
static void end_stream(struct call *call) {
    struct chat_failure failure = { .error = TASK_ERROR_SERVICE };
    enum err err = call->dialect->finish(call->reader, &failure);
    if (err == ERR_FETCH && call->chunks == 0 && !call->failed) {
        err = whole_as_stream(call, &failure);
    }
    if (err != OK && !call->failed) {
        end_in_stream(call, err, &failure);
    }
    if (call->failed) {
        call_fail(call);
    } else {
        complete_stream(call);
    }
}

/* An answer that had said that it is whole before its connection broke is none the worse for it. */
static void end_broken(struct call *call, const struct fetch_result *result) {
    struct chat_failure failure = { .error = TASK_ERROR_SERVICE };
    bool whole = call->chunks > 0 && call->dialect->finish(call->reader, &failure) == OK && !call->failed;
    if (whole) {
        complete_stream(call);
        return;
    }
    call_end_lost(call, result);
    call_fail(call);
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
    if (call->cut) {
        call_keep_partial(call);
    } else if (call->failed) {
        call_fail(call);
    } else if (result->http_status != 0 && !has_answer(result)) { /* even when its body did not come whole */
        call_end_refused(call, result);
        call_fail(call);
    } else if (result->err != OK) {
        end_broken(call, result);
    } else if (call->reader) {
        end_stream(call);
    } else {
        whole_complete(call, result);
    }
}
