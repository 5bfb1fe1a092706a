/* libmicrohttpd's callbacks: the way of a request from its first line to the log line that ends it.
 *
 *   first line -> exchange_new;  header section -> begin: route, admit;  body -> take_body;  all there -> handle ->
 * reply
 *
 * No reply is queued before the body is read (it would cost the connection), except where the body must not be read. */
#include "http/internal.h"

#include <microhttpd.h>

#include "base/clock.h"
#include "base/log.h"

#define NS_PER_MS 1000000

static void refuse(struct exchange *exchange, enum err err, const char *words) {
    struct fault fault;
    fault_set(&fault, err, "%s", words);
    reply_fault(exchange, &fault);
}

/* Answers a request in the middle of its body, and ends the connection. */
static enum MHD_Result cut_off(struct exchange *exchange, enum err err, const char *words) {
    refuse(exchange, err, words);
    past_send(exchange);
    return MHD_NO;
}

/* The same for one whose reply is made, and which may still be sending. */
static enum MHD_Result turn_away(struct exchange *exchange) {
    past_turn_away(exchange);
    return MHD_YES;
}

/* ---- the header section ---- */

/* `target` is NULL for the server as a whole. */
static void answer_method(struct exchange *exchange, const struct target *target) {
    struct http_server *server = exchange->server;
    struct buffer allow;

    buffer_init(&allow, 128);
    router_put_allow(server->routes, server->route_count, target, &allow);
    if (exchange->method == METHOD_OPTIONS)
        reply_empty(exchange, MHD_HTTP_NO_CONTENT);
    else
        refuse(exchange, ERR_METHOD_NOT_ALLOWED,
               "This path does not have this method; the Allow header names those it has.");
    if (buffer_ok(&allow))
        reply_header(exchange, "Allow", allow.data);
    buffer_fini(&allow);
}

/* The authority of an absolute target takes the place of Host (RFC 9112 section 3.2.2). */
static enum err take_authority(struct exchange *exchange, struct fault *fault) {
    if (exchange->target.authority.ptr == NULL)
        return OK;
    if (!host_is_valid(exchange->target.authority))
        return fault_set(fault, ERR_INVALID_REQUEST, "The URL's host, which takes the place of the Host header, is none.");
    exchange->headers[HEADER_HOST] = exchange->target.authority;
    return OK;
}

static bool find_route(struct exchange *exchange) {
    struct http_server *server = exchange->server;
    struct fault fault = { .err = OK };
    bool path_known = false;

    if (exchange->method == METHOD_OPTIONS && text_equal(exchange->raw_target, TEXT("*"))) {
        answer_method(exchange, NULL);
        return false;
    }
    if (target_parse(exchange->raw_target, &exchange->arena, &exchange->target, &fault) != OK ||
        take_authority(exchange, &fault) != OK) {
        reply_fault(exchange, &fault);
        return false;
    }
    exchange->route =
        router_find(server->routes, server->route_count, exchange->method, &exchange->target, &path_known);
    if (exchange->route != NULL)
        return true;
    if (path_known)
        answer_method(exchange, &exchange->target);
    else
        refuse(exchange, ERR_ROUTE_NOT_FOUND, "There is nothing at this path.");
    return false;
}

/* -1: not known before it has arrived. */
static int64_t announced_length(const struct exchange *exchange) {
    int64_t length = 0;
    if (exchange->headers[HEADER_TRANSFER_ENCODING].ptr != NULL)
        return -1;
    if (exchange->headers[HEADER_CONTENT_LENGTH].len > 0 &&
        !text_to_i64(exchange->headers[HEADER_CONTENT_LENGTH], &length))
        return INT64_MAX; /* more digits than fit; not a number at all was refused before us */
    return length;
}

static int64_t body_max(const struct exchange *exchange) {
    int64_t most = exchange->server->options.body_max, own = exchange->route != NULL ? exchange->route->body_max : 0;
    return own > 0 && own < most ? own : most;
}

static void refuse_body(struct exchange *exchange) {
    struct fault fault;
    fault_set(&fault, ERR_REQUEST_TOO_LARGE, "The request's body is larger than the limit of %lld bytes.",
              (long long)(exchange->discarding ? DISCARDED_MAX : body_max(exchange)));
    reply_fault(exchange, &fault);
    reply_close(exchange);
}

static bool waits_to_send(const struct exchange *exchange) {
    return text_equal_nocase(exchange->headers[HEADER_EXPECT], TEXT("100-continue"));
}

/* Whether the reply must go out now, because reading the body first would be a waste or a danger. */
static bool must_answer_early(const struct exchange *exchange, int64_t length) {
    if (exchange->reply.status == 0)
        return false;
    return exchange->reply.close || length < 0 || length > DISCARDED_MAX || (waits_to_send(exchange) && length > 0);
}

/* libmicrohttpd keeps the request line in place, the version after the target: a NUL byte inside shows as a gap. */
static bool has_nul(const struct exchange *exchange, const char *url, const char *version) {
    return version != url + exchange->raw_target.len + 1;
}

static enum MHD_Result begin(struct exchange *exchange, const char *url, const char *method, const char *version) {
    struct http_server *server = exchange->server;
    struct fault fault = { .err = OK };
    int64_t length = -1;

    exchange->begun = true;
    if (exchange_read_headers(exchange, method, version, &fault) != OK) {
        reply_fault(exchange, &fault);
        if (exchange->cramped)
            return turn_away(exchange);
        reply_close(exchange);
    } else if (exchange->raw_target.ptr == NULL) {
        refuse(exchange, ERR_NO_MEMORY, "There is no memory for the URL; try again.");
        reply_close(exchange);
    } else if (has_nul(exchange, url, version)) {
        refuse(exchange, ERR_INVALID_REQUEST, "The URL has a NUL byte.");
        reply_close(exchange);
    } else if (!find_route(exchange)) {
        length = announced_length(exchange);
        exchange->discarding = true;
    } else {
        length = announced_length(exchange);
        exchange->discarding = !exchange->route->takes_body;
        if (length > (exchange->discarding ? DISCARDED_MAX : body_max(exchange)) && !exchange->route->streams_body)
            refuse_body(exchange);
        else if (server->options.admit != NULL && !server->options.admit(exchange))
            exchange->discarding = true;
    }
    if (!must_answer_early(exchange, length))
        return MHD_YES;
    reply_close(exchange);
    if (exchange->route != NULL && exchange->route->streams_body && !waits_to_send(exchange))
        return turn_away(exchange);
    return reply_queue(exchange) ? MHD_YES : MHD_NO;
}

/* ---- the body ---- */

/* A long body may take its time, as long as it comes. */
static enum MHD_Result pass_on(struct exchange *exchange, struct text piece) {
    struct fault fault = { .err = OK };

    exchange->taken += (int64_t)piece.len;
    enum err err = exchange->take(exchange, piece, &fault);
    if (err != OK) {
        reply_fault(exchange, &fault);
        return turn_away(exchange);
    }
    int64_t spent_ms = (clock_monotonic_ns() - exchange->started_ns) / NS_PER_MS;
    int64_t left_ms = reply_limit_ms(exchange, exchange->taken) - spent_ms;
    connection_allow(exchange->connection, left_ms > 0 ? left_ms : 1);
    connection_waits(exchange->connection);
    return MHD_YES;
}

static enum MHD_Result take_body(struct exchange *exchange, struct text piece) {
    struct http_server *server = exchange->server;

    connection_waits(exchange->connection);
    if (exchange->lingers)
        return MHD_YES;
    if (exchange->discarding) {
        exchange->discarded += (int64_t)piece.len;
        if (exchange->discarded <= DISCARDED_MAX)
            return MHD_YES;
        return cut_off(exchange, ERR_REQUEST_TOO_LARGE, "The request has no use for so large a body.");
    }
    if (exchange->take != NULL)
        return pass_on(exchange, piece);
    if ((int64_t)(exchange->body.len + piece.len) > body_max(exchange))
        return cut_off(exchange, ERR_REQUEST_TOO_LARGE, "The request's body is larger than the limit.");
    int64_t held = atomic_fetch_add_explicit(&server->body_bytes, (int64_t)piece.len, memory_order_relaxed);
    if (held + (int64_t)piece.len > server->options.bodies_max) {
        atomic_fetch_sub_explicit(&server->body_bytes, (int64_t)piece.len, memory_order_relaxed);
        return cut_off(exchange, ERR_OVERLOADED, "Too many large requests at one time; try again.");
    }
    buffer_put(&exchange->body, piece);
    if (buffer_ok(&exchange->body))
        return MHD_YES;
    atomic_fetch_sub_explicit(&server->body_bytes, (int64_t)piece.len, memory_order_relaxed);
    return cut_off(exchange, ERR_OVERLOADED, "No memory for the request's body; try again.");
}

/* ---- the answer ---- */

static void start_running(struct exchange *exchange) {
    exchange->running = true;
    atomic_fetch_add_explicit(&worker_tally(exchange->worker)->running, 1, memory_order_relaxed);
    connection_allow(exchange->connection, 0);
}

static void handle(struct exchange *exchange) {
    if (!exchange->running)
        start_running(exchange);
    if (exchange->reply.status != 0)
        return;
    watch_end(exchange);
    void (*step)(struct exchange *) = exchange->go_on != NULL ? exchange->go_on : exchange->route->handle;
    exchange->go_on = NULL;
    if (exchange->abandoned)
        refuse(exchange, ERR_SHUTTING_DOWN,
               "The server is shutting down; whether the request took effect is not known.");
    else
        step(exchange);
}

static enum MHD_Result answer(struct exchange *exchange) {
    handle(exchange);
    if (exchange->go_on != NULL)
        return MHD_YES; /* suspended */
    if (exchange->reply.status == 0)
        refuse(exchange, ERR_INTERNAL, "A handler made no reply.");
    return reply_queue(exchange) ? MHD_YES : MHD_NO;
}

static enum MHD_Result on_request(void *context, struct MHD_Connection *mhd, const char *url, const char *method,
                                  const char *version, const char *upload, size_t *upload_size,
                                  void **exchange_pointer) {
    struct exchange *exchange = *exchange_pointer;
    (void)context;
    (void)mhd;

    if (exchange == NULL || exchange->queued)
        return exchange == NULL ? MHD_NO : MHD_YES;
    if (!exchange->begun)
        return begin(exchange, url, method, version);
    if (*upload_size > 0) {
        struct text piece = { upload, *upload_size };
        *upload_size = 0;
        return take_body(exchange, piece);
    }
    return exchange->lingers ? MHD_NO : answer(exchange);
}

/* ---- beginnings and ends ---- */

/* We read the query ourselves (target.c), but libmicrohttpd does too, at some seventy bytes of its pool a parameter, and when
 * the pool is empty it can neither go on nor answer: a few hundred "&" would hold the connection until it times out. So it
 * gets to see one parameter. The text is its own buffer, writable whatever the type says. */
static void hide_parameters(const char *target) {
    char *query = strchr((char *)(uintptr_t)target, '?');

    for (char *c = query; c != NULL && *c != '\0'; c++)
        if (*c == '&')
            *c = '+';
}

static void *on_request_line(void *context, const char *target, struct MHD_Connection *mhd) {
    struct http_server *server = context;
    const union MHD_ConnectionInfo *info = MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    struct connection *connection = info->socket_context;

    struct exchange *exchange = exchange_new(server, mhd, connection, target);
    connection_expect(connection, exchange->started_ns / NS_PER_MS, (int64_t)server->options.request_s * 1000);
    hide_parameters(target); /* exchange_new has copied it */
    return exchange;
}

static struct text loggable_path(const struct exchange *exchange) {
    const struct http_server *server = exchange->server;
    struct text path = { exchange->raw_target.ptr, text_find(exchange->raw_target, '?') };
    const char *pattern = router_secret_pattern(server->routes, server->route_count, &exchange->target, path);
    return pattern != NULL ? text_of(pattern) : text_clip(path, 256);
}

/* Never the query (it can be signed), a header or the body. */
static void write_log(struct exchange *exchange, int status, int64_t elapsed_us) {
    enum log_level level = status >= 500 ? LOG_WARNING : status >= 400 ? LOG_INFO : LOG_DEBUG;

    if (log_enabled(level))
        log_event(level, "request", LOG_S("request", exchange->request_id), LOG_S("method", exchange->method_name),
                  LOG_T("path", loggable_path(exchange)), LOG_I("status", status), LOG_I("us", elapsed_us),
                  LOG_S("peer", exchange_peer(exchange)));
}

/* Where the body of an answer ends early, or ends the connection, libmicrohttpd closes it, but does not look at it again to be
 * done with it: it looks at those that have events, at the oldest one, and at all that have a timeout of their own. Its
 * descriptor and its memory would be kept for as long as an older connection lives. */
static void see_to_its_end(struct MHD_Connection *mhd) {
    MHD_set_connection_option(mhd, MHD_CONNECTION_OPTION_TIMEOUT, 1u);
}

static bool ends_connection(const struct exchange *exchange) {
    return exchange != NULL && exchange->stream != NULL && exchange->http_1_0 && !exchange->head;
}

static void on_completed(void *context, struct MHD_Connection *mhd, void **exchange_pointer,
                         enum MHD_RequestTerminationCode why) {
    struct http_server *server = context;
    struct exchange *exchange = *exchange_pointer;

    if (why != MHD_REQUEST_TERMINATED_COMPLETED_OK || ends_connection(exchange))
        see_to_its_end(mhd);
    if (exchange == NULL)
        return;
    *exchange_pointer = NULL;
    watch_end(exchange);
    stream_end(exchange, why == MHD_REQUEST_TERMINATED_COMPLETED_OK);
    reply_end(exchange);
    const union MHD_ConnectionInfo *info = MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_HTTP_STATUS);
    int status = info != NULL ? (int)info->http_status : exchange->reply.status;
    int64_t now_ns = clock_monotonic_ns(), elapsed_us = (now_ns - exchange->started_ns) / 1000;
    int64_t headed_us = (exchange->headed_ns - exchange->started_ns) / 1000;
    struct tally *tally = worker_tally(exchange->worker);
    tally_count(tally, status, exchange->headed_ns != 0 ? headed_us : elapsed_us);
    write_log(exchange, status, elapsed_us);
    connection_idle(server, exchange->connection, now_ns / NS_PER_MS);
    bool running = exchange->running;
    exchange_unref(exchange);
    if (running && atomic_fetch_sub(&tally->running, 1) == 1 && !atomic_load(&server->accepting)) {
        pthread_mutex_lock(&server->lock);
        pthread_cond_broadcast(&server->changed);
        pthread_mutex_unlock(&server->lock);
    }
}

static void on_connection(void *context, struct MHD_Connection *mhd, void **connection_pointer,
                          enum MHD_ConnectionNotificationCode what) {
    struct http_server *server = context;

    if (what == MHD_CONNECTION_NOTIFY_CLOSED) {
        connection_remove(server, *connection_pointer);
        *connection_pointer = NULL;
        return;
    }
    const union MHD_ConnectionInfo *fd = MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_CONNECTION_FD);
    int number = fd->connect_fd;
    const union MHD_ConnectionInfo *peer = MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
    *connection_pointer = connection_add(server, number, peer->client_addr);
}

/* Percent-encoding is ours to decode (target.c). */
static size_t keep_encoded(void *context, struct MHD_Connection *mhd, char *string) {
    (void)context;
    (void)mhd;
    return strlen(string);
}

/* What libmicrohttpd says can hold pieces of requests. */
static void drop_words(void *context, const char *format, va_list arguments) {
    (void)context;
    (void)format;
    (void)arguments;
}

struct MHD_Daemon *serve_daemon(struct http_server *server) {
    const struct http_options *options = &server->options;
    unsigned flags = MHD_USE_EPOLL | MHD_USE_SUSPEND_RESUME | MHD_USE_NO_LISTEN_SOCKET;

    return MHD_start_daemon(
        flags, 0, NULL, NULL, on_request, server, MHD_OPTION_EXTERNAL_LOGGER, drop_words, NULL,
        /* The listener keeps the exact limit, of all threads; this one must not come first. */
        MHD_OPTION_CONNECTION_LIMIT, options->connections_max + 64,
        MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)MEMORY_PER_CONNECTION,
        MHD_OPTION_NOTIFY_CONNECTION, on_connection, server, MHD_OPTION_NOTIFY_COMPLETED, on_completed, server,
        MHD_OPTION_URI_LOG_CALLBACK, on_request_line, server, MHD_OPTION_UNESCAPE_CALLBACK, keep_encoded, NULL,
        MHD_OPTION_END);
}
