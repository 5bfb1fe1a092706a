/* The HTTP client: the requests that leave the machine, each client's on the loop of one thread.
 *
 * A request is trusted when the operator named its URL; every other URL comes from outside and stands under the guard
 * (S1): checked on the address actually connected to, at every redirect, without proxies. A redirect of a trusted
 * request to another origin is one from outside. All functions and callbacks run on the loop's thread. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/errors.h"
#include "base/text.h"

struct fetch;
struct fetch_client;
struct uv_loop_s;

struct fetch_options {
    unsigned running_max;            /* transfers at a time; 0: 256 */
    unsigned pending_max;            /* that wait for one of those places; 0: 4096 */
    bool paced; /* more than a few at a time only where these take longer: so they share connections; costs milliseconds */
    unsigned piece_max;              /* bytes that a transfer reads at a time, and holds memory for; 0: 16 KiB */
    const char *const *allow;        /* "host:port" pairs exempt from the guard; copied */
    unsigned allow_count;
};

/* curl itself begins with the first fetch. */
struct fetch_client *fetch_client_new(struct uv_loop_s *loop, const struct fetch_options *options) must_check;
/* Replaces the exempt pairs, for every request and redirect that begins from now on. */
void fetch_client_allow(struct fetch_client *client, const char *const *pairs, unsigned count);
/* Gives back the memory that is kept for requests to come, beyond what runs now. */
void fetch_client_rest(struct fetch_client *client);
/* Drops all requests without calling anybody. The memory goes once the loop has run its closing callbacks. Not from
 * within a callback. NULL is fine. */
void fetch_client_free(struct fetch_client *client);

enum fetch_trust { FETCH_OUTSIDE, FETCH_TRUSTED };

struct fetch_header {
    const char *name;
    const char *value;
};

#define FETCH_REDIRECTS_MAX 5
#define FETCH_ERROR_BODY_MAX 65536

/* What came of it. Texts are valid during the callback. */
struct fetch_result {
    /* OK: a whole reply came, with any status. ERR_BLOCKED_ADDRESS, ERR_FETCH, ERR_TIMEOUT, ERR_FILE_TOO_LARGE, or the
     * sink's own error. */
    enum err err;
    int http_status; /* 200 to 999; 0: no reply, or none but interim ones (1xx) */
    /* The request may have reached a server: when false, it certainly did not (T4). */
    bool sent;
    /* A second try would end the same way: a forbidden address, a body or header too large, too many redirects, a
     * status such as 404. False for a 2xx reply and for what may pass: the network, time, 408, 425, 429, 5xx. */
    bool final;
    unsigned redirects;       /* followed */
    int64_t size;             /* bytes of a 2xx body */
    struct text content_type; /* as claimed; empty: none */
    struct text body;         /* without a sink: all of it; of another status than 2xx: the start of it */
    const char *url;          /* where the reply came from, without query and fragment */
    const char *detail;       /* one sentence for operators when err is not OK, without secrets; else empty */
    const struct fetch *fetch;
};
/* The last value of a reply header, empty when there is none. Names in either case; valid during the callback. */
struct text fetch_result_header(const struct fetch_result *result, const char *name);
/* The reply's header as it came, status line and all, a line each; valid during the callback. */
struct text fetch_result_headers(const struct fetch_result *result);

/* A request; everything it points at is copied by fetch_start, except context. Zero is a sensible value everywhere. */
struct fetch_request {
    enum fetch_trust trust;
    const char *method;                 /* NULL: GET, or POST with a body */
    struct text url;
    const struct fetch_header *headers; /* go to the URL's own origin only, but Accept and Accept-Language */
    unsigned header_count;
    struct text body;                   /* ptr NULL: none */
    unsigned redirects_max;             /* followed; 0: none, the redirect is the reply; at most FETCH_REDIRECTS_MAX */
    /* May be sent again on a fresh connection when a kept one turns out to be dead. Others than GET and HEAD are not,
     * unless this says so, and use a fresh connection each: a job must not be created twice (T3). */
    bool repeatable;
    /* May use a kept connection, although it is not repeatable: it is never sent twice, so a kept connection that
     * turns out to be dead ends it with ERR_FETCH, `sent` as it was. */
    bool keeps_connection;
    /* Only a kept connection that was in use less than so many seconds ago: no server closes one so soon. Those that
     * have rested longer are closed, of other hosts as well, when it looks for one. 0: two minutes, curl's own. */
    unsigned rest_max_s;
    int64_t reply_max;                  /* bytes of a 2xx body; 0: 16 MiB */
    int64_t connect_timeout_ms;         /* 0: 10 s */
    int64_t total_timeout_ms;           /* from leaving the queue to the last byte, redirects included; 0: 10 minutes */
    /* Slower than this in either direction for all of the stall's time ends it with ERR_TIMEOUT. From outside 0 is
     * 1024 bytes a second and 30 s; of a trusted server 1 byte a second and 60 s, since it may think before it speaks. */
    int64_t speed_min;
    int64_t stall_timeout_s;

    /* Gets the body of a 2xx reply piece by piece; anything but OK ends the request with that error. May be NULL. */
    enum err (*sink)(void *context, const void *bytes, size_t count);
    /* The end, exactly once unless cancelled, never from within fetch_start; the handle is dead then. Not NULL. */
    void (*done)(void *context, const struct fetch_result *result);
    void *context;
};

/* Starts, or queues. ERR_INVALID_URL, ERR_TOO_LONG, ERR_INVALID_REQUEST (a header with a control character),
 * ERR_OVERLOADED (the queue is full): nothing is called then. *ret (may be NULL) is good until `done` or cancel. */
enum err fetch_start(struct fetch_client *client, const struct fetch_request *request, struct fetch **ret,
    struct fault *fault) must_check;
/* Ends it at once; no callback follows. Allowed from within any callback, its own sink included. NULL is fine. */
void fetch_cancel(struct fetch *fetch);

/* For metrics and tests. */
unsigned fetch_client_running(const struct fetch_client *client);
unsigned fetch_client_pending(const struct fetch_client *client);
