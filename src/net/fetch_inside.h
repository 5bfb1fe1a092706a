/* The inside of a fetch, for the files it is made of: request.c takes it over, fetch.c runs it, hop.c is one HTTP
 * request to one of its URLs, redirect.c finds the next one. */
#pragma once

#include <sys/queue.h>

#include "base/buffer.h"
#include "net/fetch.h"
#include "net/guard.h"
#include "net/handles.h"

struct curl_slist;

enum fetch_state { FETCH_PENDING, FETCH_RUNNING, FETCH_CANCELLED, FETCH_DONE };

struct fetch {
    TAILQ_ENTRY(fetch) link; /* of the client's pending or running list */
    struct fetch_client *client;
    enum fetch_state state;
    struct handle *handle; /* NULL while pending, between hops, and at the end */
    bool kept;             /* whose `done` is called frees it, on any thread: headers and body are in it */

    struct fetch_request request; /* numbers and callbacks; what it points at is in the fields below */
    char *method;                 /* of the next hop */
    char *body;                   /* NULL: none, or none any more */
    struct curl_slist *headers;        /* for the request's own origin */
    struct curl_slist *headers_abroad; /* for all others; whole only once abroad */

    char *url; /* of this hop */
    struct guard_url origin;
    bool asked;   /* this hop was given to curl, by `handle` */
    bool abroad;  /* a redirect has led to another origin: no credentials, no trust any more */
    bool guarded; /* this hop's address is checked */
    unsigned redirects;
    int64_t deadline_ms; /* monotonic */

    /* What this hop has brought so far. */
    struct buffer reply_headers;
    struct buffer reply_body;
    int64_t size;
    bool blocked;   /* an address was refused */
    bool too_large;
    bool hopeless;  /* so it would be every time */
    bool stopped;   /* we ended it: nothing more was wanted of its body */
    bool sent;      /* on this hop or an earlier one */
    bool begun;     /* it may have been sent on this hop */
    bool not_repeated; /* its connection was dead, and it must not be sent on another */
    enum err sink_err;
};

/* Forgets the last hop's reply and sets all of curl's options for fetch->url. ERR_TIMEOUT when the time is over. */
enum err hop_prepare(struct fetch *fetch, bool exempt) must_check;
/* The status of the reply that has come; 0: none. */
int hop_status(const struct fetch *fetch);
/* The last value of a header of the reply; empty: none. */
struct text hop_header(const struct fetch *fetch, const char *name);
/* Whether the reply is a redirect that is to be followed. */
bool hop_is_redirect(const struct fetch *fetch);

/* Takes the redirect's target as the URL of the next hop. On an error it may not be followed and the fetch is over; *ret_reason,
 * a constant, says why. */
enum err redirect_take(struct fetch *fetch, const char **ret_reason) must_check;

/* Whether the environment named a proxy when the client was made. */
bool fetch_may_use_proxy(const struct fetch *fetch);
/* The client's. */
struct handles *fetch_handles(const struct fetch *fetch);
/* The fetch is to be connected by this socket. */
void fetch_socket_opened(struct fetch *fetch, int socket);
/* The client's curl, if it has not begun. Before any fetch_new: curl's memory does not fail in small pieces from then on. */
enum err fetch_client_begin(struct fetch_client *client, struct fault *fault) must_check;
/* So many fetches may wait or run. */
unsigned fetch_client_room(const struct fetch_client *client);
/* ERR_OVERLOADED, in these words. */
enum err fetch_too_many(struct fault *fault);
/* A pending fetch of no client yet, with its own copy of everything. ERR_INVALID_URL, ERR_TOO_LONG, ERR_INVALID_REQUEST
 * for a method or header that is none; *ret untouched then. Any thread, the memo's. */
enum err fetch_new(const struct fetch_request *request, struct guard_memo *memo, struct fetch **ret, struct fault *fault)
    must_check;
/* The client has it from here on. */
void fetch_launch(struct fetch_client *client, struct fetch *fetch);
/* From its next hop on it is at another origin: it shows what anybody may see. */
void fetch_go_abroad(struct fetch *fetch);
void fetch_free(struct fetch *fetch);
