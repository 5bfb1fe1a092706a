/* What tests of dialects have in common. JSON is written with ' for ", which is turned round before it is read. */
#pragma once

#include "chat/dialect/dialect.h"
#include "tests.h"

/* What is asked for, and what must become of it. */
struct request_row {
    const char *body;
    const char *expected; /* of the request's body */
    const char *route;    /* NULL: none */
    bool stream, reasoning;
};
/* Makes the request for `model` and compares. */
void trial_request(const struct chat_dialect *dialect, const char *model, const struct request_row *row);
/* The same with messages and no parameters: the request's member `key` must be `expected`. */
void trial_messages(const struct chat_dialect *dialect, const char *model, const char *messages, const char *key,
                    const char *expected);
/* The request is refused with this error, this param, and a message, and so it is by the check. */
void trial_refused(const struct chat_dialect *dialect, const char *body, enum err err, const char *param);
/* The check lets it pass, since its link will be a data URI by then; the request of the link itself is refused. */
void trial_link_refused(const struct chat_dialect *dialect, const char *body, const char *param);
/* The path of the request for `model`. */
void trial_path(const struct chat_dialect *dialect, const char *model, bool stream, const char *expected);

/* A whole reply becomes this completion and this usage: "<input> <output> <cached> <reasoning>", or "estimated". */
void trial_completion(const struct chat_dialect *dialect, const char *reply, const char *expected, const char *usage);
/* A whole reply of status 2xx is a failure, as trial_put_failure writes it. */
void trial_completion_fails(const struct chat_dialect *dialect, const char *reply, const char *expected);
/* A reply of another status, likewise. */
void trial_failure(const struct chat_dialect *dialect, int http_status, const char *headers, const char *reply,
                   const char *expected);

/* trial_stream with ' for " on both sides, and the stream once more broken off at every byte: each time it ends as whole or
 * as ERR_FETCH with words. */
void trial_answer(const struct chat_dialect *dialect, const char *stream, const char *expected);

/* A chunk of the answer as trial_answer expects it; the first of an answer has the role. */
#define CHUNK(id, model, index, delta, finish)                                                                     \
    "chunk {'id':'" id "','object':'chat.completion.chunk','created':7,'model':'" model "','choices':[{'index':" index \
    ",'delta':{" delta "},'finish_reason':" finish "}]}\n"
