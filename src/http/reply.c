/* Replies: what handlers say is kept in the exchange, and becomes libmicrohttpd's response when it may be sent. */
#include "http/internal.h"

#include <microhttpd.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"

/* Slower readers than this, on average over a whole answer, are cut off. */
#define SLOWEST_BYTES_PER_MS 4

void reply_forget(struct exchange *exchange) {
    struct reply *reply = &exchange->reply;

    if (reply->kind == REPLY_HEAP)
        free((char *)reply->bytes);
    if (reply->kind == REPLY_FILE && reply->fd >= 0)
        close(reply->fd);
    if (reply->kind == REPLY_STREAM)
        stream_end(exchange, false);
    if (reply->kind == REPLY_KEPT)
        kept_give_back(reply->kept);
    reply->kind = REPLY_NONE;
    reply->status = 0;
    reply->fd = -1;
    reply->bytes = NULL;
    reply->length = 0;
}

static void begin(struct exchange *exchange, int kind, int status, const char *content_type) {
    reply_forget(exchange);
    exchange->reply.kind = kind;
    exchange->reply.status = status;
    exchange->reply.content_type = content_type;
}

void reply_header(struct exchange *exchange, const char *name, const char *value) {
    for (const char *c = value; *c != '\0'; c++)
        if ((unsigned char)*c < ' ' || *c == 0x7f)
            return;
    const char *copy = arena_string(&exchange->arena, text_of(value));
    if (copy != NULL)
        reply_header_kept(exchange, name, copy);
}

void reply_header_kept(struct exchange *exchange, const char *name, const char *value) {
    struct reply *reply = &exchange->reply;

    if (reply->header_count == REPLY_HEADERS_MAX)
        return;
    reply->headers[reply->header_count].name = name;
    reply->headers[reply->header_count++].value = value;
}

void reply_take(struct exchange *exchange, int status, const char *content_type, struct buffer *body) {
    size_t length = body->len;

    if (!buffer_ok(body)) {
        struct fault fault;
        fault_set(&fault, ERR_NO_MEMORY, "An answer did not fit into its buffer.");
        buffer_fini(body);
        reply_fault(exchange, &fault);
        return;
    }
    if (length == 0) {
        buffer_fini(body);
        reply_constant(exchange, status, content_type, TEXT(""));
        return;
    }
    begin(exchange, REPLY_HEAP, status, content_type);
    exchange->reply.bytes = buffer_take(body);
    exchange->reply.length = (int64_t)length;
}

bool exchange_has(const struct exchange *exchange, uint64_t tag) {
    char etag[ETAG_SIZE];
    struct text wanted = exchange->headers[HEADER_IF_NONE_MATCH];

    if (wanted.ptr == NULL)
        return false;
    etag_put(etag, tag);
    return etag_matches(wanted, text_of(etag));
}

static void put_etag(struct exchange *exchange, uint64_t tag) {
    char etag[ETAG_SIZE];

    etag_put(etag, tag);
    reply_header(exchange, "ETag", etag);
}

void reply_tagged(struct exchange *exchange, const char *content_type, uint64_t tag, struct buffer *body) {
    if (!buffer_ok(body)) {
        reply_take(exchange, MHD_HTTP_OK, content_type, body);
        return;
    }
    if (exchange_has(exchange, tag)) {
        buffer_fini(body);
        put_etag(exchange, tag);
        reply_empty(exchange, MHD_HTTP_NOT_MODIFIED);
        return;
    }
    struct text bytes = buffer_text(body);
    struct kept *kept = kept_take(worker_kept(exchange->worker), content_type, tag, bytes);
    if (kept == NULL) {
        put_etag(exchange, tag);
        reply_take(exchange, MHD_HTTP_OK, content_type, body);
        return;
    }
    begin(exchange, REPLY_KEPT, MHD_HTTP_OK, content_type);
    exchange->reply.kept = kept;
    exchange->reply.length = (int64_t)bytes.len;
    buffer_clear(body);
}

void reply_constant(struct exchange *exchange, int status, const char *content_type, struct text body) {
    begin(exchange, REPLY_CONSTANT, status, content_type);
    exchange->reply.bytes = body.ptr;
    exchange->reply.length = (int64_t)body.len;
}

void reply_file(struct exchange *exchange, int status, const char *content_type, int fd, int64_t offset,
                int64_t length) {
    begin(exchange, REPLY_FILE, status, content_type);
    exchange->reply.fd = fd;
    exchange->reply.offset = offset;
    exchange->reply.length = length;
}

void reply_stream(struct exchange *exchange, int status, const char *content_type,
                  const struct stream_source *source) {
    begin(exchange, REPLY_STREAM, status, content_type);
    exchange->stream = stream_new(exchange, source);
}

void reply_empty(struct exchange *exchange, int status) {
    begin(exchange, REPLY_EMPTY, status, NULL);
}

void reply_fault(struct exchange *exchange, const struct fault *fault) {
    exchange->server->options.refuse(exchange, fault);
}

void reply_close(struct exchange *exchange) {
    exchange->reply.close = true;
}

static struct MHD_Response *make_response(struct exchange *exchange) {
    static char nothing[1];
    const struct reply *reply = &exchange->reply;

    switch (reply->kind) {
    case REPLY_HEAP:
        return MHD_create_response_from_buffer((size_t)reply->length, (char *)reply->bytes, MHD_RESPMEM_MUST_FREE);
    case REPLY_KEPT:
        return kept_response(reply->kept);
    case REPLY_CONSTANT:
        return MHD_create_response_from_buffer((size_t)reply->length, (char *)reply->bytes, MHD_RESPMEM_PERSISTENT);
    case REPLY_FILE:
        return MHD_create_response_from_fd_at_offset64((uint64_t)reply->length, reply->fd, (uint64_t)reply->offset);
    case REPLY_STREAM:
        return stream_response(exchange->stream);
    case REPLY_EMPTY:
    case REPLY_NONE:
        break;
    }
    return MHD_create_response_from_buffer(0, nothing, MHD_RESPMEM_PERSISTENT);
}

static bool has_header(const struct reply *reply, const char *name) {
    for (unsigned i = 0; i < reply->header_count; i++)
        if (text_equal_nocase(text_of(reply->headers[i].name), text_of(name)))
            return true;
    return false;
}

static void add_stream_headers(const struct reply *reply, struct MHD_Response *response) {
    if (!has_header(reply, "Cache-Control"))
        MHD_add_response_header(response, "Cache-Control", "no-cache");
    if (!has_header(reply, "X-Accel-Buffering"))
        MHD_add_response_header(response, "X-Accel-Buffering", "no");
}

static void add_headers(struct exchange *exchange, struct MHD_Response *response) {
    const struct reply *reply = &exchange->reply;

    if (reply->content_type != NULL && reply->kind != REPLY_KEPT)
        MHD_add_response_header(response, "Content-Type", reply->content_type);
    MHD_add_response_header(response, "X-Request-Id", exchange->request_id);
    if (exchange->stream != NULL)
        add_stream_headers(reply, response);
    for (unsigned i = 0; i < reply->header_count; i++)
        MHD_add_response_header(response, reply->headers[i].name, reply->headers[i].value);
    if (reply->close)
        MHD_add_response_header(response, "Connection", "close");
}

/* What add_headers has added to a kept one. */
static void remove_headers(struct exchange *exchange, struct MHD_Response *response) {
    const struct reply *reply = &exchange->reply;

    MHD_del_response_header(response, "X-Request-Id", exchange->request_id);
    for (unsigned i = 0; i < reply->header_count; i++)
        MHD_del_response_header(response, reply->headers[i].name, reply->headers[i].value);
    if (reply->close)
        MHD_del_response_header(response, "Connection", "close");
}

int64_t reply_limit_ms(const struct exchange *exchange, int64_t count) {
    return (int64_t)exchange->server->options.request_s * 1000 + count / SLOWEST_BYTES_PER_MS;
}

bool reply_queue(struct exchange *exchange) {
    struct reply *reply = &exchange->reply;
    struct MHD_Response *response = make_response(exchange);

    if (response == NULL)
        return false;
    bool is_kept = reply->kind == REPLY_KEPT;
    if (!is_kept)
        reply->kind = REPLY_NONE; /* bytes and descriptor are the response's now */
    if (atomic_load_explicit(&exchange->server->draining, memory_order_relaxed))
        reply->close = true;
    if (exchange->stream != NULL)
        exchange->headed_ns = clock_monotonic_ns();
    add_headers(exchange, response);
    connection_allow(exchange->connection, reply_limit_ms(exchange, exchange->head ? 0 : reply->length));
    exchange->queued = true;
    enum MHD_Result queued = MHD_queue_response(exchange->mhd, (unsigned)reply->status, response);
    if (!is_kept)
        MHD_destroy_response(response);
    return queued == MHD_YES;
}

void reply_end(struct exchange *exchange) {
    struct reply *reply = &exchange->reply;

    if (reply->kind != REPLY_KEPT)
        return;
    remove_headers(exchange, kept_response(reply->kept));
    kept_give_back(reply->kept);
    reply->kind = REPLY_NONE;
}
