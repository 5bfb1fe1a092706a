/* One call to a language model's service, from the request to the outcome.
 *
 *   start ──> media made inline, where the dialect needs that ──> sent ──> answer, whole or in chunks ──> done
 *
 * call.c has its life, send.c the request, answer.c what comes back, whole.c completions that come whole,
 * call_failure.c what failures mean. The engine's thread. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include <uv.h>

#include "chat/dialect.h"
#include "provider/driver.h"

struct chat_collector;
struct chat_media;
struct credentials;
struct fetch;
struct fetch_client;
struct fetch_result;
struct json_t;
struct service;

/* Why it failed, before the outcome is made of it. */
struct call_end {
    struct chat_failure failure;
    enum job_fate fate;
    char detail[2048]; /* for operators; may still have secrets in it */
};

struct call {
    struct service *service;
    struct fetch_client *fetcher; /* for calls alone */
    struct attempt *attempt;      /* NULL after done */
    const struct chat_dialect *dialect;
    struct chat_call asked; /* points to what the next fields own */
    struct json_t *body;
    char *model;
    char id[40];
    struct chat_media *media;
    struct credentials *credentials;
    struct fetch *fetch;
    uv_timer_t later; /* delivers a failure that start met */

    struct chat_sink sink;
    struct chat_reader *reader;       /* of a streamed answer */
    struct chat_collector *collector; /* of a streamed answer, too */
    uint64_t chunks;
    int64_t written;  /* tokens of an answer that came whole, as they are counted here */
    struct token_usage usage;
    bool usage_said;
    struct buffer head; /* a streamed reply until a chunk came: what it is instead */
    bool cut;           /* its reader is too slow: what there is is the answer */
    bool failed;        /* while the answer was read; `end` says how */
    struct call_end end;
};

/* ---- call.c ---- */

/* Begins; ends by attempt->done, never from within. `route` has the route's own words; all but the attempt is the driver's. */
void call_begin(struct service *service, struct fetch_client *fetcher, const struct chat_dialect *dialect,
                const struct json_t *route, struct attempt *attempt);
/* The transfer is cut at once, and `done` comes from within: what was written so far where attempt->keeps_partial
 * says so, else TASK_ERROR_CANCELLED. */
void call_cancel(struct call *call);
/* The server stops. `done` comes from within. */
void call_leave(struct call *call);
/* `done` with what was written so far: its reader went, or does not keep up. */
void call_keep_partial(struct call *call);
/* `done` with a success; the call is gone then. */
void call_succeed(struct call *call, struct text completion, bool despite_cancel);
/* `done` with call->end, without secrets; the call is gone then. */
void call_fail(struct call *call);

/* ---- send.c ---- */

/* Makes the request and hands it to the HTTP client. False: call->end says why not. */
bool call_send(struct call *call) must_check;

/* ---- answer.c ---- */

/* Readies the call for chunks: reader, collector. */
void call_open_reader(struct call *call);
/* One chunk more, from the reader. */
void call_take_chunk(void *context, struct text json, const struct json_t *value);
/* The fetch's sink and end. */
enum err call_take_bytes(void *context, const void *bytes, size_t count);
void call_fetched(void *context, const struct fetch_result *result);
/* What was used, as the service said, or as counted here; `partial`: the answer was cut, so what it said may be old. */
struct token_usage call_usage(const struct call *call, bool partial);

/* ---- whole.c ---- */

/* Ends the call with a reply that came whole. */
void whole_complete(struct call *call, const struct fetch_result *result);
/* Reads call->head, which came whole in the place of a stream, from a service that does not stream or says what is wrong.
 * OK: it was a completion, and has become the one chunk. ERR_FETCH: it is a failure, which *failure tells if the head is
 * of a form that says anything. ERR_TOO_LONG: as a chunk it is larger than CHAT_CHUNK_MAX. */
enum err whole_as_stream(struct call *call, struct chat_failure *failure) must_check;

/* ---- call_failure.c ---- */

/* Sets call->end to a failure of our own words; `message` may be "". The other members of the failure are empty. */
void call_end_set(struct call *call, enum task_error error, enum failure_scope scope, bool retryable,
                  enum job_fate fate, const char *message);
/* The same for a request that could not be made or said. */
void call_end_fault(struct call *call, const struct fault *fault);
/* Of a transfer that did not bring a whole reply. */
void call_end_lost(struct call *call, const struct fetch_result *result);
/* Of a reply with another status than 2xx. */
void call_end_refused(struct call *call, const struct fetch_result *result);
/* Of a 2xx reply that is no answer and had no chunk: nothing was made where the service names an error, else nobody
 * can tell what it was (T3). `failure` is what the dialect read. */
void call_end_unanswered(struct call *call, int http_status, struct text reply, const struct chat_failure *failure);
/* Sets call->end: the answer is too long for us, or for its reader. */
void call_end_overflow(struct call *call);
/* What came instead of an answer, for operators. */
void call_end_detail(struct call *call, int http_status, const char *words, struct text raw);
