/* What the files of this folder share and no other folder sees. */
#pragma once

#include <netinet/in.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/queue.h>

#include "base/hash_table.h"
#include "base/memory.h"
#include "http/server.h"

struct MHD_Connection;
struct MHD_Daemon;
struct MHD_Response;
struct kept;
struct kept_table;
struct stream;
struct streamer;
struct worker;

#define REPLY_HEADERS_MAX 14
#define HEADERS_MAX_BYTES 8192 /* of one request's header section */
/* libmicrohttpd writes zeros over one and a half times this for every request, so it is what that limit needs and no more. */
#define MEMORY_PER_CONNECTION 12288
#define MEMORY_PER_HEADER 64 /* that libmicrohttpd takes of it, and as much for each cookie */
#define MEMORY_FOR_ANSWER 1536 /* that must be left of it for an answer's head */
#define DISCARDED_MAX 65536 /* bytes of an unwanted body that are read to keep the connection */
#define CLIENT_ID_MAX 64

/* How many connections one address has. Under http_server.lock. */
struct address_count {
    struct in6_addr address;
    unsigned connections;
    UT_hash_handle hh;
};

/* One connection. The list is under http_server.lock; the times are set by its HTTP thread,
 * or the streamer that writes to it, and read by the listener. */
struct connection {
    int fd;
    struct sockaddr_storage peer;
    _Atomic int64_t deadline_ms; /* monotonic; 0: none */
    _Atomic int64_t turn_ms;     /* since when the client is to send or, below 0, to take an answer, monotonic; 0: it is our turn */
    atomic_bool idle;            /* between requests */
    bool ended;                  /* listener */
    bool watched;                /* in the listener's epoll set; this and the next two under http_server.lock */
    bool gone;                   /* its end was seen there */
    struct exchange *watcher;    /* who is to be told; NULL: nobody now */
    struct address_count *address;
    LIST_ENTRY(connection) link;
};

struct reply {
    int status;
    const char *content_type;
    enum { REPLY_NONE, REPLY_HEAP, REPLY_KEPT, REPLY_CONSTANT, REPLY_FILE, REPLY_STREAM, REPLY_EMPTY } kind;
    union {
        const char *bytes;
        struct kept *kept; /* of REPLY_KEPT, which it stays until the exchange has ended */
    };
    int64_t length;
    int64_t offset;
    int fd;
    bool close;
    unsigned header_count;
    struct {
        const char *name;
        const char *value;
    } headers[REPLY_HEADERS_MAX];
};

/* What one HTTP thread counts. Each has cache lines of its own: to write to one that another thread wrote to last
 * costs as much as a small system call, and every request does it. */
struct tally {
    _Alignas(CACHE_LINE) atomic_uint running; /* requests being handled or answered */
    atomic_uint_fast64_t by_class[6];
    atomic_uint_fast64_t latency[HTTP_LATENCY_BUCKETS + 1];
    atomic_uint_fast64_t latency_sum_us;
};

struct exchange {
    struct http_server *server;
    struct MHD_Connection *mhd;
    struct connection *connection;
    const struct http_route *route;
    atomic_uint references; /* libmicrohttpd's, and one while suspended */
    int64_t started_ns;
    struct text raw_target;
    char method_name[12];
    enum http_method method;
    bool head;
    bool http_1_0;
    bool begun;      /* the header section was looked at */
    bool running;    /* counted in its worker's tally */
    bool queued;     /* the reply is libmicrohttpd's */
    bool cramped;    /* libmicrohttpd has no room left for an answer's head */
    bool discarding; /* the body is read but not kept */
    bool lingers;    /* the answer was sent past libmicrohttpd, and the client is given time to read it */
    bool suspended;  /* under http_server.lock */
    bool abandoned;  /* under http_server.lock: the server stopped waiting for it */
    bool watched;    /* it is its connection's watcher; HTTP thread */
    enum err (*take)(struct exchange *exchange, struct text piece, struct fault *fault); /* of exchange_stream_body */
    int64_t taken;   /* bytes */
    int64_t discarded;
    char request_id[CLIENT_ID_MAX + 1];
    struct text headers[HEADER_COUNT];
    struct target target;
    struct buffer body;
    struct arena arena;
    struct reply reply;
    void (*go_on)(struct exchange *exchange);
    TAILQ_ENTRY(exchange) link; /* of http_server.suspended */
    struct worker *worker;      /* whose thread libmicrohttpd calls for it */
    STAILQ_ENTRY(exchange) resumption; /* the worker's */
    struct stream *stream;      /* NULL: the reply is none, or it has ended */
    int64_t headed_ns;          /* when the head of a stream was made; 0: not yet, or the answer is none */
    void (*gone)(struct exchange *exchange); /* of exchange_watch */
    void *attachment;
    void (*release)(void *attachment);
};

STAILQ_HEAD(resumed_list, exchange);

struct http_server {
    struct http_options options;
    const struct http_route *routes;
    unsigned route_count;
    unsigned port;
    char address[INET6_ADDRSTRLEN + 16];

    int listen_fd;
    int wake_fd; /* eventfd that ends the listener's sleep */
    pthread_t listener;
    bool listening;
    atomic_bool accepting;
    atomic_bool ending;
    atomic_bool draining;
    atomic_bool abandoning;  /* set under the lock: nobody waits for what is or gets suspended */
    atomic_bool ends_streams; /* set under the lock: streams are cut */
    int watch_fd;           /* epoll set of the clients whose going is to be noticed */

    pthread_mutex_t lock;
    pthread_cond_t changed; /* a tally's `running` fell to zero, or `going` changed */
    LIST_HEAD(connection_list, connection) connections;
    struct address_count *addresses;
    TAILQ_HEAD(exchange_list, exchange) suspended;
    TAILQ_HEAD(stream_list, stream) streams;
    const struct exchange *going; /* whose `gone` is being called */

    struct worker *workers;
    unsigned worker_count;
    unsigned worker_turn; /* listener */
    struct tally *tallies; /* of the workers, and longer there than they are */

    struct streamer *streamers;
    unsigned streamer_count;
    atomic_uint streamer_turn;

    atomic_uint connection_count;
    atomic_uint stream_count;
    _Atomic int64_t body_bytes;
    atomic_uint_fast64_t suspended_count;
    atomic_uint_fast64_t accepted, refused, timed_out;
};

/* exchange.c */
struct exchange *exchange_new(struct http_server *server, struct MHD_Connection *mhd, struct connection *connection,
                              const char *raw_target);
void exchange_unref(struct exchange *exchange);
/* Takes over method and headers; a fault means that the request cannot be understood, and how long its body is neither.
 */
enum err exchange_read_headers(struct exchange *exchange, const char *method, const char *version,
                               struct fault *fault) must_check;
/* Resumes it for an answer of the server's own; under the lock. */
void exchange_abandon(struct exchange *exchange);

/* reply.c */
/* Makes libmicrohttpd's response of the reply and hands it over; false: the connection must be closed. */
bool reply_queue(struct exchange *exchange) must_check;
/* Drops one that was not queued. Any thread that has the exchange last; a kept response is given back by the HTTP thread. */
void reply_forget(struct exchange *exchange);
/* The answer was sent, or never will be: what it had of its thread's goes back. HTTP thread. */
void reply_end(struct exchange *exchange);
/* How long the client may take for so many bytes more. */
int64_t reply_limit_ms(const struct exchange *exchange, int64_t count);

/* stream.c */
/* For exchange->stream; stream_end frees it. */
struct stream *stream_new(struct exchange *exchange, const struct stream_source *source);
/* From here on it is one of the server's streams. NULL when memory is out. HTTP thread. */
struct MHD_Response *stream_response(struct stream *stream) must_check;
/* Calls `ended` of exchange->stream, if there is one, and frees it. `answered`: the answer was sent to its end. HTTP
 * thread, after watch_end. */
void stream_end(struct exchange *exchange, bool answered);
/* The client has gone: the stream is cut. Listener, before watch_end has returned. */
void stream_gone(struct stream *stream);
/* Wakes the streams that are due for a heartbeat. Listener. */
void streams_beat(struct http_server *server);
/* Cuts all streams; under the lock, once `ends_streams` is set. */
void streams_abandon(struct http_server *server);

/* streamer.c */
/* Starts the threads; streamers_close also after a failure. */
enum err streamers_open(struct http_server *server, struct fault *fault) must_check;
/* Ends the threads, once all streams are cut: no stream can be handed over any more. Before libmicrohttpd stops. */
void streamers_stop(struct http_server *server);
/* Stops first if that was not done. */
void streamers_close(struct http_server *server);

/* watch.c */
enum err watch_open(struct http_server *server, struct fault *fault) must_check;
void watch_close(struct http_server *server);
/* From here on `gone` can be called and the stream cut. HTTP thread; again is fine. */
void watch_begin(struct exchange *exchange);
/* Neither happens any more, nor is happening, once this has returned. HTTP thread, without locks; always fine. */
void watch_end(struct exchange *exchange);
/* Before libmicrohttpd closes it; no exchange of it is watched any more. Under the lock. */
void watch_forget(struct http_server *server, struct connection *connection);
/* Looks who has gone. Listener. */
void watch_look(struct http_server *server);

/* kept.c: one thread at a time. */
struct kept_table *kept_table_new(void) must_check;
/* None is given any more; NULL is fine. */
void kept_table_free(struct kept_table *table);
/* The response of 200 with that body and its tag as ETag, the caller's alone until kept_give_back; NULL: make one. The
 * content type lives as long as the table, the body is compared or copied. */
struct kept *kept_take(struct kept_table *table, const char *content_type, uint64_t tag, struct text body) must_check;
/* Without the headers that were put to its response since. */
void kept_give_back(struct kept *kept);
struct MHD_Response *kept_response(const struct kept *kept) must_check;

/* past.c */
/* Writes the reply to the connection, which the caller ends then; what does not go out at once is lost. HTTP thread. */
void past_send(struct exchange *exchange);
/* The same, but what the client still sends is read for a while, and dropped: a client may listen only once it has sent all. */
void past_turn_away(struct exchange *exchange);

/* serve.c */
/* One that waits for nothing by itself: its thread calls MHD_run. NULL, with errno: it cannot be made. */
struct MHD_Daemon *serve_daemon(struct http_server *server) must_check;

/* tally.c */
/* One request more; its thread. `status` 0: it had no answer. */
void tally_count(struct tally *tally, int status, int64_t elapsed_us);
/* Adds its figures of requests to those. Any thread. */
void tally_sum(struct tally *tally, struct http_counts *counts);

/* worker.c */
/* Starts the threads; workers_close also after a failure. */
enum err workers_open(struct http_server *server, struct fault *fault) must_check;
/* Hands a connection's descriptor to one of the threads, by turns. Listener. */
void worker_give(struct http_server *server, int fd, const struct sockaddr_storage *peer, socklen_t peer_size);
/* The calling thread's own; NULL in any other. */
struct worker *worker_own(void);
/* The server's, as long as that lives. Any thread. */
struct tally *worker_tally(const struct worker *worker);
/* What its thread keeps for itself; that thread. */
void *worker_desk(const struct worker *worker);
struct kept_table *worker_kept(const struct worker *worker) must_check;
/* Lets libmicrohttpd go on with a suspended connection. Any thread, with or without http_server.lock; once for each
 * suspension. The exchange may have ended when this returns. */
void worker_resume(struct exchange *exchange);
/* The same in two steps, for who holds the lock at the first one only: a thread that wakes while the lock is held would
 * wait for it. True: worker_signal must be called, by the same thread, and soon; until then the worker is not freed. */
bool worker_leave_resumed(struct exchange *exchange) must_check;
void worker_signal(struct worker *worker);
/* Ends the threads and all connections; none is suspended any more, and the listener has ended. */
void workers_close(struct http_server *server);

/* listener.c */
enum err listener_open(struct http_server *server, struct fault *fault) must_check;
enum err listener_start(struct http_server *server, struct fault *fault) must_check;
void listener_stop_accepting(struct http_server *server);
void listener_close(struct http_server *server);

/* connection.c */
struct connection *connection_add(struct http_server *server, int fd, const struct sockaddr *peer);
void connection_remove(struct http_server *server, struct connection *connection);
/* Whether one more of that address may come. Listener. */
bool connections_have_room(struct http_server *server, const struct sockaddr *peer) must_check;
/* Ends those that are over their time, silent or gone. Listener, once a second. */
void connections_end_slow(struct http_server *server);
/* An answer is on its way: milliseconds from now until the client must have taken it. 0: there is none yet, and it may take
 * its time. */
void connection_allow(struct connection *connection, int64_t limit_ms);
/* It is the client's turn to send, within the time that is left. */
void connection_waits(struct connection *connection);
/* It is the client's turn, with so many milliseconds, more than none, from `now_ms`, which is monotonic, for all of it. */
void connection_expect(struct connection *connection, int64_t now_ms, int64_t limit_ms);
/* Between requests. */
void connection_idle(struct http_server *server, struct connection *connection, int64_t now_ms);
