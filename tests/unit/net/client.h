/* A loop with a fetch client and a test server, and one call that runs a request to its end. */
#pragma once

#include <uv.h>

#include "base/buffer.h"
#include "net/fetch.h"
#include "server.h"

struct fixture {
    uv_loop_t loop;
    struct fetch_client *client;
    struct server *server; /* "127.0.0.1:PORT" is exempt from the guard, "localhost:PORT" is not */
    struct server *other;  /* exempt as well */
    unsigned done;         /* requests that came to their end */
};

/* What a request came to; filled by the callbacks below, whose context it is. */
struct reply {
    struct fixture *fixture;
    struct fetch *fetch;
    bool done;
    unsigned place; /* among those that came to their end; the first has 1 */
    enum err err;
    int http_status;
    bool sent, final;
    unsigned redirects;
    int64_t size;
    unsigned sunk_calls;
    char body[80000];
    struct buffer sunk; /* what the sink got */
    char content_type[128], url[512], detail[512], twice[64], late[64], early[64];
    enum err sink_err;   /* the sink's answer */
    bool cancels_itself; /* in its sink */
    struct reply *victim; /* cancelled in the sink or at the end */
};

int fixture_set_up(void **state);
int fixture_tear_down(void **state);
/* As set_up, with bounds on the client. */
struct fixture *fixture_new(unsigned running_max, unsigned pending_max);
/* Its client is paced. */
struct fixture *fixture_new_paced(void);
void fixture_free(struct fixture *fixture);

/* Starts `request`, completed with URL ("{S}" and "{O}" stand for the two servers' ports) and callbacks. */
enum err start(struct fixture *fixture, struct fetch_request request, const char *url, struct reply *reply,
    bool with_sink) must_check;
void run_until_done(struct fixture *fixture, const struct reply *reply);
/* Both, with a sink or without; the reply is freed by free_reply. */
struct reply *get(struct fixture *fixture, struct fetch_request request, const char *url);
struct reply *sink(struct fixture *fixture, struct fetch_request request, const char *url);
struct reply *reply_new(void);
void free_reply(struct reply *reply);
