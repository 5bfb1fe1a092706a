/* Why a call to a language model failed: what the engine has to know, and what a client of OpenAI's API is told. */
#pragma once

#include <stdint.h>

#include "base/text.h"
#include "core/failure.h"
#include "core/task.h"

struct json_t;

struct chat_failure {
    enum task_error error;
    enum failure_scope scope;
    bool retryable;    /* a fresh attempt may help */
    bool our_words;    /* the message is ours, and nobody's secret */
    int http_status;   /* what the service said; 0: under HTTP 200, or nothing came */
    int64_t delay_ms;  /* the service's own word on when to try again; 0: none */
    char message[512]; /* the service's words, cut; "": none. May repeat a key: whoever shows it hides secrets first */
    char type[64];     /* "invalid_request_error", …; "": none */
    char code[64];     /* "context_length_exceeded", …; "": none */
    char param[64];    /* the field that it names; "": none */
};

/* What all dialects read failures with. Pure, any thread; they never fail, only know less. */

/* A reply of another status than 2xx, its body read in any form that is in use:
 * {"error":{message,type,code,param,status}},
 * {"error":"text"}, the same in an array, {"message"}, {"detail"} (text or list), {"errors":[…]}, {"base_resp"}, a page of
 * HTML (its title), plain text. Words such as insufficient_quota count for more than the status, whose delay `headers` ask for
 * (chat/dialect/retry_delay.h). A status of 0 or 2xx: the service's fault, may be tried again. */
void chat_failure_of_reply(int http_status, struct text headers, struct text reply, struct chat_failure *ret);
/* Reads an error under HTTP 200: `value` is the whole object that came, in the forms above. */
void chat_failure_of_value(const struct json_t *value, struct chat_failure *ret);
/* Whether `value` tells of an error: has an `error` that is not null, false or empty, or a status in `base_resp`, or says of
 * itself that it is one. */
bool chat_failure_told(const struct json_t *value);
/* The answer broke off, or cannot be read: the service's fault, may be tried again. `words` are ours. */
void chat_failure_of_break(const char *words, struct chat_failure *ret);

/* Sets a text of a failure, cut at a character; control characters become spaces. */
void chat_failure_set_message(struct chat_failure *failure, struct text message);
