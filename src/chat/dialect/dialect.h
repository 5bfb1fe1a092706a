/* Dialects: how one chat call is said to a service, and how its answer is understood. Both sides speak OpenAI's chat
 * completions: what clients send is such a request, and what comes out here are such completions and chunks.
 *
 *   request:  OpenAI body ──> path, headers, body
 *   whole:    one reply ──> ChatCompletion, usage
 *   stream:   bytes as they arrive ──> chunks (as JSON texts), usage, and at the end: whether it was one
 *   failure:  a reply with another status than 2xx ──> what went wrong
 *
 * One const table of functions a dialect. Pure: no I/O, no clock, no Lua; a reader belongs to one thread at a time. The
 * plain OpenAI dialect hands the bytes of chunks and completions on as they came; what is no UTF-8, as it was read. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/errors.h"
#include "base/text.h"
#include "chat/dialect/failure.h"
#include "core/tokens.h"

struct json_t;

#define CHAT_CHUNK_MAX ((size_t)4 << 20)  /* bytes of one chunk, line or event */
#define CHAT_ANSWER_MAX ((size_t)32 << 20) /* bytes of one whole answer */

/* What is asked for. All belongs to the caller and outlives the request or the reader made of it. */
struct chat_call {
    const struct json_t *body; /* OpenAI's request body, validated: messages and parameters. `model`, `stream` and
                                * `stream_options` in it are not read: the next fields say them */
    const char *model;         /* the service's own name */
    bool stream;
    bool reasoning;            /* the client wants the model to think: `reasoning` of the submission */
    int64_t max_tokens;        /* of a dialect that must say one, when the body has neither max_tokens nor
                                * max_completion_tokens; 0: 4096 */
    const struct json_t *route; /* the route's table as JSON, for its own words (`reasoning`, `options`); NULL: none */
    const char *id;            /* of the completion where the service gives none, "chatcmpl-…" */
    int64_t created_s;         /* Unix time, likewise */
};

struct chat_header {
    const char *name, *value;
};

struct chat_request {
    struct buffer path; /* behind the service's base URL: "/chat/completions", "/v1beta/models/x:generateContent" */
    struct buffer body; /* JSON */
    const struct chat_header *headers; /* constants of the dialect, besides Content-Type, Accept and the key's */
    unsigned header_count;
};
void chat_request_fini(struct chat_request *request);

/* What comes of a streamed answer, in order. Texts and values are valid during the call. */
struct chat_sink {
    /* One chunk: the bytes of a chat.completion.chunk object (for the OpenAI dialect exactly as they came), and the
     * same parsed. Not called for [DONE], for comments, nor for a chunk that has only usage. */
    void (*chunk)(void *context, struct text json, const struct json_t *value);
    /* What it has used so far or in all; the last one counts. */
    void (*usage)(void *context, const struct token_usage *usage);
    void *context;
};

struct chat_reader; /* one streamed answer; made by a dialect */

struct chat_dialect {
    const char *name; /* "openai", "anthropic", "gemini", "ollama" */
    /* Whether media parts have to be data URIs: the service fetches no links (chat/driver/media.h makes them so). */
    bool needs_inline_media;
    /* Whether the dialect can say the call: OK, or what `request` would refuse but for lengths, by the same code, which is
     * here spared the writing of the messages. Links count as what they will be, where needs_inline_media. NULL: it can say
     * everything. Any thread. */
    enum err (*check)(const struct chat_call *call, struct fault *fault);
    /* *ret is freed with chat_request_fini, and left empty on failure. ERR_MODEL_RULE or another of the contract's
     * 422 codes, with the message's path as param (messages[2].content[0].image_url.url), for what this dialect
     * cannot say. */
    enum err (*request)(const struct chat_call *call, struct chat_request *ret, struct fault *fault);
    /* A whole reply of status 2xx: appends the ChatCompletion to `completion` (the OpenAI dialect: the same bytes).
     * *ret_usage is left with estimated = true when the service said nothing of it. ERR_FETCH: it is a failure (an
     * error under HTTP 200, a prompt that was blocked, no JSON), which *ret_failure tells. */
    enum err (*completion)(const struct chat_call *call, struct text reply, struct buffer *completion,
                           struct token_usage *ret_usage, struct chat_failure *ret_failure);
    /* A reply of another status. `headers` as they came, a line each (may be empty): retry-after, x-should-retry, …. */
    void (*failure)(int http_status, struct text headers, struct text reply, struct chat_failure *ret);

    /* A reader of the streamed reply with status 2xx; freed by `close`, which takes NULL. `call` and *sink outlive
     * it. */
    struct chat_reader *(*open)(const struct chat_call *call, const struct chat_sink *sink);
    /* More bytes, cut anywhere. ERR_FETCH: the answer failed in the middle (an error event, a line that is no JSON),
     * and *ret_failure tells; nothing may be fed afterwards. ERR_TOO_LONG: an event larger than CHAT_CHUNK_MAX. */
    enum err (*feed)(struct chat_reader *reader, struct text bytes, struct chat_failure *ret_failure);
    /* Whether the service has said its last word ([DONE], message_stop, done): whatever else it sends is none of the
     * answer, and the end of the connection need not be waited for. NULL: the dialect has no such word. */
    bool (*over)(const struct chat_reader *reader);
    /* The connection has ended well. OK: the answer is whole (it said [DONE], a finish_reason, message_stop, done,
     * …; a missing [DONE] after a finish_reason is fine). ERR_FETCH: it broke off, and *ret_failure says so; or it
     * was no stream at all, which whoever reads it finds out by `completion` when there was no chunk. */
    enum err (*finish)(struct chat_reader *reader, struct chat_failure *ret_failure);
    void (*close)(struct chat_reader *reader);
};

extern const struct chat_dialect openai_dialect;
extern const struct chat_dialect anthropic_dialect;
extern const struct chat_dialect gemini_dialect;
extern const struct chat_dialect ollama_dialect;

/* NULL when there is none of that name. Pure. */
const struct chat_dialect *chat_dialect_find(struct text name);
