/* A talk with a language model's service: one attempt's request and the answer to it.
 *
 *   start ──> media made inline, where the dialect needs that ──> sent ──> answer, whole or in chunks ──> done
 *
 * talk.c has its life, send.c the request, answer.c what comes back, whole.c completions that come whole,
 * talk_failure.c what failures mean. The engine's thread. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include <uv.h>

#include "chat/dialect/dialect.h"
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
struct talk_end {
    struct chat_failure failure;
    enum job_fate fate;
    bool unsent; /* the service was not spoken to */
    char detail[2048]; /* for operators; may still have secrets in it */
};

struct talk {
    struct service *service;
    struct fetch_client *fetcher; /* for talks alone */
    struct attempt *attempt;      /* NULL after done */
    const struct chat_dialect *dialect;
    struct chat_call asked; /* points to what the next fields own */
    struct json_t *body;
    char *model;
    char id[40];
    struct chat_media *media;
    struct credentials *credentials;
    struct fetch *fetch;
    uv_timer_t later; /* delivers a failure that start met, or an answer whose connection does not end */

    struct chat_sink sink;
    struct chat_reader *reader;       /* of a streamed answer */
    struct chat_collector *collector; /* of a streamed answer, too */
    uint64_t chunks;
    int64_t written;  /* tokens of an answer that came whole, as they are counted here */
    struct token_usage usage;
    bool usage_said;
    struct buffer head; /* a streamed reply until a chunk came: what it is instead */
    bool cut;           /* its reader is too slow: what there is is the answer */
    bool over;          /* the service has said its last word; `later` runs */
    bool failed;        /* while the answer was read; `end` says how */
    struct talk_end end;
};

/* ---- talk.c ---- */

/* Begins; ends by attempt->done, never from within. `route` has the route's own words; all but the attempt is the
 * driver's. */
void talk_begin(struct service *service, struct fetch_client *fetcher, const struct chat_dialect *dialect,
                const struct json_t *route, struct attempt *attempt);
/* The transfer is cut at once, and `done` comes from within: what was written so far where attempt->keeps_partial
 * says so, else TASK_ERROR_CANCELLED. */
void talk_cancel(struct talk *talk);
/* The server stops. `done` comes from within. */
void talk_leave(struct talk *talk);
/* `done` with what was written so far: its reader went, or does not keep up. */
void talk_keep_partial(struct talk *talk);
/* `done` with a success; the talk is gone then. */
void talk_succeed(struct talk *talk, struct text completion, bool despite_cancel);
/* `done` with talk->end, without secrets; the talk is gone then. */
void talk_fail(struct talk *talk);

/* ---- send.c ---- */

/* Makes the request and hands it to the HTTP client. False: talk->end says why not. */
bool talk_send(struct talk *talk) must_check;

/* ---- answer.c ---- */

/* Readies the talk for chunks: reader, collector. */
void talk_open_reader(struct talk *talk);
/* One chunk more, from the reader. */
void talk_take_chunk(void *context, struct text json, const struct json_t *value);
/* The fetch's sink and end. */
enum err talk_take_bytes(void *context, const void *bytes, size_t count);
void talk_fetched(void *context, const struct fetch_result *result);
/* Ends the talk whose last word was said, without waiting for the end of its connection. */
void talk_hang_up(struct talk *talk);
/* What was used, as the service said, or as counted here; `partial`: the answer was cut, so what it said may be old. */
struct token_usage talk_usage(const struct talk *talk, bool partial);

/* ---- whole.c ---- */

/* Ends the talk with a reply that came whole. */
void whole_complete(struct talk *talk, const struct fetch_result *result);
/* Reads talk->head, which came whole in the place of a stream, from a service that does not stream or says what is
 * wrong. OK: it was a completion, and has become the one chunk. ERR_FETCH: it is a failure, which *failure tells if
 * the head is of a form that says anything. ERR_TOO_LONG: as a chunk it is larger than CHAT_CHUNK_MAX. */
enum err whole_as_stream(struct talk *talk, struct chat_failure *failure) must_check;

/* ---- talk_failure.c ---- */

/* Sets talk->end to a failure of our own words; `message` may be "". The other members of the failure are empty. */
void talk_end_set(struct talk *talk, enum task_error error, enum failure_scope scope, bool retryable,
                  enum job_fate fate, const char *message);
/* Sets talk->end to a failure that the service told; of its words only those that are for clients stay. */
void talk_end_said(struct talk *talk, const struct chat_failure *failure, enum job_fate fate);
/* As talk_end_set, for a request that could not be made or said. */
void talk_end_fault(struct talk *talk, const struct fault *fault);
/* The same, where it is the route's dialect that cannot say it: another route may. */
void talk_end_unsayable(struct talk *talk, const struct fault *fault);
/* Of a transfer that did not bring a whole reply. */
void talk_end_lost(struct talk *talk, const struct fetch_result *result);
/* Of a reply with another status than 2xx. */
void talk_end_refused(struct talk *talk, const struct fetch_result *result);
/* Of a 2xx reply that is no answer and had no chunk: nothing was made where the service names an error, else nobody
 * can tell what it was (T3). `failure` is what the dialect read. */
void talk_end_unanswered(struct talk *talk, int http_status, struct text reply, const struct chat_failure *failure);
/* Sets talk->end: the answer is too long for us, or for its reader. */
void talk_end_overflow(struct talk *talk);
/* What came instead of an answer, for operators. */
void talk_end_detail(struct talk *talk, int http_status, const char *words, struct text raw);
