/* What a service answers: where it goes, and chunks as they come. Whole completions are whole.c's. */
#include <jansson.h>

#include "chat/collect.h"
#include "chat/driver/talk.h"
#include "chat/stream.h"
#include "chat/tokens.h"
#include "net/fetch.h"
#include "remote/credentials.h"
#include "remote/service.h"

#define COMPLETION_MAX (2 * CHAT_ANSWER_MAX)
#define LINGER_MS 250 /* of a connection behind the last word */

/* ---- what was used ---- */

struct token_usage talk_usage(const struct talk *talk, bool partial) {
    struct token_usage usage = talk->usage_said ? talk->usage : (struct token_usage){ .estimated = true };
    int64_t written = talk->collector ? chat_collector_tokens(talk->collector) : talk->written;
    if (!usage.estimated && !partial) {
        return usage;
    }
    usage.estimated = true;
    usage.input = usage.input > 0 ? usage.input : tokens_of_request(talk->body);
    usage.output = usage.output > written ? usage.output : written;
    return usage;
}

/* ---- streamed ---- */

void talk_take_chunk(void *context, struct text json, const json_t *value) {
    struct talk *talk = context;
    if (talk->failed) {
        return;
    }
    bool kept = chat_collector_add(talk->collector, value);
    bool taken = kept && (talk->attempt->stream == NULL || chat_stream_add(talk->attempt->stream, json) == OK);
    if (!taken) {
        talk->cut = kept && talk->attempt->must_keep_up && talk->chunks > 0;
        talk_end_overflow(talk);
        talk->failed = true;
        return;
    }
    talk->chunks++;
}

static void on_usage(void *context, const struct token_usage *usage) {
    struct talk *talk = context;
    talk->usage = *usage;
    talk->usage_said = true;
}

void talk_open_reader(struct talk *talk) {
    talk->sink = (struct chat_sink){ .chunk = talk_take_chunk, .usage = on_usage, .context = talk };
    talk->reader = talk->dialect->open(&talk->asked, &talk->sink);
    talk->collector = chat_collector_new();
}

/* What went wrong in the stream. Before the first chunk it is like any reply that is no answer. */
static void end_in_stream(struct talk *talk, enum err err, struct chat_failure *failure) {
    talk->failed = true;
    if (err != ERR_FETCH) {
        talk_end_set(talk, TASK_ERROR_SERVICE, SCOPE_PROVIDER, false, JOB_ENDED,
                     "The service sent a piece of an answer that is too large.");
        talk_end_detail(talk, 200, failure->message, TEXT_NONE);
    } else if (talk->chunks == 0) {
        talk_end_unanswered(talk, 200, buffer_text(&talk->head), failure);
    } else {
        talk_end_said(talk, failure, JOB_ENDED);
        talk->end.failure.retryable = false;
        talk_end_detail(talk, 200, failure->message, TEXT_NONE);
    }
}

static void complete_stream(struct talk *talk) {
    struct buffer scoped(buffer_fini) completion;
    buffer_init(&completion, COMPLETION_MAX);
    talk->usage = talk_usage(talk, false);
    chat_collector_put(talk->collector, &talk->usage, &completion);
    if (!buffer_ok(&completion)) {
        talk_end_overflow(talk);
        talk_fail(talk);
        return;
    }
    talk_succeed(talk, buffer_text(&completion), false);
}

/* ---- the end of the transfer ---- */

/* It ended well, and perhaps too early. */
static void end_stream(struct talk *talk) {
    struct chat_failure failure = { .error = TASK_ERROR_SERVICE };
    enum err err = talk->dialect->finish(talk->reader, &failure);
    if (err == ERR_FETCH && talk->chunks == 0 && !talk->failed) {
        err = whole_as_stream(talk, &failure);
    }
    if (err != OK && !talk->failed) {
        end_in_stream(talk, err, &failure);
    }
    if (talk->failed) {
        talk_fail(talk);
    } else {
        complete_stream(talk);
    }
}

/* ---- the last word ---- */

static bool is_over(const struct talk *talk) {
    return talk->dialect->over != NULL && talk->dialect->over(talk->reader);
}

void talk_hang_up(struct talk *talk) {
    fetch_cancel(talk->fetch);
    talk->fetch = NULL;
    end_stream(talk);
}

static void stop_waiting(uv_timer_t *timer) {
    talk_hang_up(timer->data);
}

/* A connection that ends soon after the last word can be kept for the next call; some stay open, and nothing that they
 * bring is of the answer. */
enum err talk_take_bytes(void *context, const void *bytes, size_t count) {
    struct talk *talk = context;
    struct chat_failure failure = { .error = TASK_ERROR_SERVICE };
    struct text piece = { bytes, count };
    if (talk->over) {
        return OK;
    }
    if (talk->chunks == 0) {
        size_t room = talk->head.max - talk->head.len;
        buffer_put(&talk->head, (struct text){ bytes, count < room ? count : room });
    }
    enum err err = talk->dialect->feed(talk->reader, piece, &failure);
    if (err != OK && !talk->failed) {
        end_in_stream(talk, err, &failure);
    }
    if (talk->chunks > 0) {
        buffer_fini(&talk->head);
    }
    if (!talk->failed && is_over(talk)) {
        talk->over = true;
        uv_timer_start(&talk->later, stop_waiting, LINGER_MS, 0);
    }
    return talk->failed ? ERR_TOO_LONG : OK;
}

/* Of a choice that had not begun the reader knows nothing. */
static bool has_all_choices(const struct talk *talk) {
    json_int_t wanted = json_integer_value(json_object_get(talk->body, "n"));
    return is_over(talk) || (json_int_t)chat_collector_finished(talk->collector) >= wanted;
}

/* An answer that had said that it is whole before its connection broke is none the worse for it. */
static void end_broken(struct talk *talk, const struct fetch_result *result) {
    struct chat_failure failure = { .error = TASK_ERROR_SERVICE };
    bool whole = talk->chunks > 0 && talk->dialect->finish(talk->reader, &failure) == OK && !talk->failed;
    if (whole && has_all_choices(talk)) {
        complete_stream(talk);
        return;
    }
    talk_end_lost(talk, result);
    talk_fail(talk);
}

static bool has_answer(const struct fetch_result *result) {
    return result->http_status / 100 == 2;
}

void talk_fetched(void *context, const struct fetch_result *result) {
    struct talk *talk = context;
    talk->fetch = NULL;
    if (result->http_status == 401) {
        credentials_refused(&talk->service->credentials, talk->credentials);
    }
    if (talk->cut) {
        talk_keep_partial(talk);
    } else if (talk->failed) {
        talk_fail(talk);
    } else if (result->http_status != 0 && !has_answer(result)) { /* even when its body did not come whole */
        talk_end_refused(talk, result);
        talk_fail(talk);
    } else if (result->err != OK && !talk->over) {
        end_broken(talk, result);
    } else if (talk->reader) {
        end_stream(talk);
    } else {
        whole_complete(talk, result);
    }
}
