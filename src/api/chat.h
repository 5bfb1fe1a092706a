/* A request to a language model, from the body to its acceptance: what the endpoints that take one have in common. */
#pragma once

#include <stdatomic.h>

#include "api/internal.h"
#include "api/submission_options.h"
#include "base/buffer.h"
#include "chat/protocol.h"
#include "chat/stream.h"

struct json_t;

/* One request; the `work` of its call, from chat_begin on. */
struct chat_work {
    struct exchange *exchange;
    struct submission submission;
    struct json_t *request; /* the request that the model gets */
    struct chat_wishes wishes;
    struct submission_options options;
    enum err err; /* of the acceptance */

    /* of a call: the client waits for the answer itself */
    struct chat_stream *stream; /* NULL: none yet */
    struct chat_cursor cursor;
    bool reading;               /* the cursor is open */
    struct buffer head;         /* the first chunk, read to learn how the answer begins */
    bool streaming;             /* the reply has begun */
    atomic_bool known, gone;    /* the call has an id; its client has gone */
};

/* Reads a request by `read` (chat/protocol.h), finds its model, checks it by the model's rules, and prices it. The
 * work is attached to the call. */
enum err chat_begin(struct exchange *exchange,
                    enum err (*read)(const struct json_t *body, const struct chat_limits *limits,
                                     struct json_t **ret, struct chat_wishes *ret_wishes, struct fault *fault),
                    struct chat_work **ret, struct fault *fault) must_check;

/* What comes next: the estimate, where that was all that is wanted; else a call (`calls`: the client waits for the answer
 * itself) or a task. */
void chat_go_on(struct chat_work *work, bool calls);
/* Submits it as a task, and answers with that; the exchange waits until it is durable. */
void chat_submit(struct chat_work *work);
/* Makes a call of it, and answers with the answer: a ChatCompletion, or chunks as they come (chat_call.c). */
void chat_call(struct chat_work *work);
/* Nothing wakes the exchange any more. */
void chat_stop_reading(struct chat_work *work);

/* What a failure is to a client of OpenAI's API: the error object, and the HTTP status it goes under. Pure. */
int chat_failure_status(const struct chat_failure *failure);
void chat_put_failure(struct buffer *buf, const struct chat_failure *failure);
