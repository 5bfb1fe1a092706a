/* The HTTP server: libmicrohttpd behind a listener of our own. Knows no task.
 *
 *   listener thread: accepts, hands over                                                 (listener.c)
 *                    ends connections that are too slow, silent or gone                  (connection.c)
 *                    notices that a client has gone; sees to heartbeats                  (watch.c, stream.c)
 *   HTTP threads:    parse, route, admit, read the body, handle, answer                  (serve.c)
 *   streamers:       write the streams that have once waited, one for two HTTP threads   (streamer.c)
 *
 * What libmicrohttpd refuses on its own, inside its parser, has a short HTML body and no JSON: a header section of more
 * than 12 KB, 64 bytes for each header included (431, or 414 when it is the URL), a header line without a colon, a
 * malformed chunk (400), a chunk size beyond 64 bits (413), an unknown HTTP version (400 or 505). The same holds for a
 * Content-Length that is no number (400) or beyond 64 bits (413), where version 0.9.75 repeats the header section in the
 * place of the body, and for cookies, which it copies, that do not fit beside the section (431), where it goes on and
 * writes a second answer behind the first. A first line that is no request line closes the connection without an answer.
 * All else is answered through http_options.refuse. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/errors.h"
#include "http/exchange.h"
#include "http/router.h"

struct http_server;

struct http_options {
    const char *host;                     /* name or address; NULL: every address */
    unsigned port;                        /* 0: any free one */
    unsigned threads;                     /* 0: one a core */
    unsigned connections_max;             /* 0: 10000; one more is answered 503 and closed */
    unsigned connections_per_address_max; /* 0: no limit of its own */
    unsigned idle_s;                      /* a connection without bytes; 0: 60 */
    unsigned request_s;                   /* a request from its first byte to its last; 0: 60 */
    int64_t body_max;                     /* bytes of one request's body; 0: 1 MiB */
    int64_t bodies_max; /* of all bodies held at one time; 0: 8 times body_max; beyond it requests get 503 */

    /* Called when the header section is read, before the body is: true lets the request go on, false means that it made
     * a reply, and the body is not kept. NULL: all may. HTTP thread. */
    bool (*admit)(struct exchange *exchange);
    /* Renders a fault as a reply. HTTP thread. */
    void (*refuse)(struct exchange *exchange, const struct fault *fault);
    /* Makes what an HTTP thread keeps for itself, so that its requests need not share it with those of other threads:
     * exchange_desk. Both or neither; by the thread that starts and stops the server, the latter when the HTTP thread has
     * ended. Attachments of exchanges may live longer. */
    void *(*desk_new)(void *context);
    void (*desk_free)(void *desk);
    void *context;
};

/* Listens and serves at once. The routes are not copied. ERR_IO with words for people when the address cannot be had.
 * *ret is freed by http_server_free. */
enum err http_server_new(const struct http_options *options, const struct http_route *routes, unsigned count,
                         struct http_server **ret, struct fault *fault) must_check;
/* The address that clients can use, "127.0.0.1:8080", "[::1]:8080". */
const char *http_server_address(const struct http_server *server);
unsigned http_server_port(const struct http_server *server);
/* From here on every answer closes its connection; new connections are still taken. Any thread. */
void http_server_drain(struct http_server *server);
/* Takes no more connections, lets requests that run end for at most `limit_ms` and streams for a second of it, cuts those
 * that have not ended, answers 503 to what is still suspended, closes all. Whoever was to resume those may still call http_resume, until
 * http_server_free. */
void http_server_stop(struct http_server *server, int64_t limit_ms);
/* Stops first if that was not done. NULL is fine. No exchange may be waiting to be resumed any more. */
void http_server_free(struct http_server *server);

/* Upper bounds of the latency histogram, microseconds; one more bucket has no bound. */
#define HTTP_LATENCY_TABLE(X)                                                                                          \
    X(100) X(250) X(500) X(1000) X(2500) X(5000) X(10000) X(25000) X(50000) X(100000) X(250000) X(500000)              \
    X(1000000) X(2500000) X(5000000) X(10000000) X(30000000)
enum {
#define X(us) HTTP_LATENCY_##us,
    HTTP_LATENCY_TABLE(X)
#undef X
    HTTP_LATENCY_BUCKETS /* the last one is at this index */
};
extern const int64_t http_latency_bounds_us[HTTP_LATENCY_BUCKETS];

struct http_counts {
    uint64_t by_class[6]; /* [2]: answers with a 2xx status; [0]: ended without an answer */
    uint64_t latency[HTTP_LATENCY_BUCKETS + 1]; /* of a stream: until its head */
    uint64_t latency_sum_us;
    uint64_t connections_accepted, connections_refused, connections_timed_out;
    uint64_t connections, suspended, streams, body_bytes; /* now */
};
/* Any thread. */
struct http_counts http_server_counts(struct http_server *server);
