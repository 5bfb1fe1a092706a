/* A request to a language model, from the body to its acceptance: what the endpoints that take one have in common. */
#pragma once

#include <stdatomic.h>

#include "api/internal.h"
#include "api/task/submission_key.h"
#include "api/task/submission_options.h"
#include "base/buffer.h"
#include "chat/protocol/protocol.h"
#include "chat/stream.h"

struct json_t;

/* How a request is read (chat/protocol/protocol.h). */
typedef enum err chat_read(const struct json_t *body, const struct chat_limits *limits, struct json_t **ret,
                           struct chat_wishes *ret_wishes, struct fault *fault);

/* What an endpoint makes of requests. */
enum chat_mode {
    CHAT_AS_ASKED, /* `sync`: a call; else a task */
    CHAT_CALLS,
    CHAT_TASKS,
};

/* One request; the `work` of its call. */
struct chat_work {
    struct exchange *exchange;
    struct submission submission;
    struct json_t *request; /* the request that the model gets */
    unsigned route;         /* of its model, the first that may be taken */
    struct chat_wishes wishes;
    struct submission_options options;
    struct submission_key key;
    chat_read *read;
    enum chat_mode mode;
    struct json_t *body; /* as sent, until it is read */

    /* of a call: the client waits for the answer itself */
    enum err err;               /* why it did not begin */
    struct chat_stream *stream; /* NULL: none yet */
    struct chat_cursor cursor;
    bool reading;               /* the cursor is open */
    struct buffer head;         /* the first chunk, read to learn how the answer begins */
    bool streaming;             /* the reply has begun */
    atomic_bool known, gone;    /* the call has an id; its client has gone */
};

/* Takes a request in: the estimate, where that was all that is wanted; what was answered before, where it is the same
 * again; else a call (the client waits for the answer itself) or a task. */
void chat_accept(struct exchange *exchange, chat_read *read, enum chat_mode mode);

/* Makes a call of it, and answers with the answer: a ChatCompletion, or chunks as they come (call.c). */
void chat_call(struct chat_work *work);
/* The same for a call that another request began, under the same idempotency key: what work->key.visit joins. */
void chat_join(struct chat_work *work);
/* The same for one that has ended (repeat.c). */
void chat_repeat(struct chat_work *work);
/* Nothing wakes the exchange any more. */
void chat_stop_reading(struct chat_work *work);

/* What a failure is to a client of OpenAI's API: the error object, and the HTTP status it goes under. Pure. */
int chat_failure_status(const struct chat_failure *failure);
void chat_put_failure(struct buffer *buf, const struct chat_failure *failure);
