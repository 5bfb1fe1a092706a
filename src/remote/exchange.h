/* One request of an adapter's and its reply. The engine's thread; the request itself is the courier's. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/errors.h"

struct attempt;
struct exchange;
struct json_t;
struct service;

enum exchange_end {
    EXCHANGE_REPLIED,  /* a whole reply came, with any status */
    EXCHANGE_NOT_SENT, /* certainly nothing reached the service */
    EXCHANGE_CUT,      /* it may have, but no reply came that can be read */
    EXCHANGE_TOO_LARGE /* the reply is larger than it may be, and would be so every time */
};

/* Valid during the callback. */
struct exchange_reply {
    enum exchange_end end;
    int status;             /* 0: none came */
    struct json_t *value;   /* what adapters see: status, headers, json | text | file; of a whole reply only */
    int64_t retry_after_ms; /* 0: it did not say */
};
/* For operators: what came, without secrets, bounded; never NULL. Made when it is first asked for, valid as the reply. */
const char *exchange_detail(const struct exchange_reply *reply);

struct exchange_call {
    struct service *service;
    const char *key;         /* NULL: none; lives until `done` or exchange_cancel, as all the rest */
    struct attempt *attempt; /* for files, and secrets to hide; NULL: several jobs' question, which brings no file */
    bool submits;            /* gets the idempotency header, unless the request is not paid */
    int64_t timeout_ms;      /* when the request says none */
    void (*done)(void *context, const struct exchange_reply *reply);
    void *context;
};

/* Sends what an adapter returned. `done` follows exactly once unless cancelled, never from within; the exchange is gone
 * then. ERR_OVERLOADED: not now. Other failures are the adapter's (ERR_SCRIPT, ERR_BLOCKED_ADDRESS), the files'
 * (ERR_IO) or the size's, and certainly nothing was sent. *ret_paid: whether it may make a job. */
enum err exchange_start(const struct exchange_call *call, const struct json_t *request, struct exchange **ret,
                        bool *ret_paid, struct fault *fault) must_check;
/* No `done` follows. NULL is fine. */
void exchange_cancel(struct exchange *exchange);
