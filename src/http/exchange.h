/* One request and its answer, as handlers see them.
 *
 * A handler runs on an HTTP thread and either makes one reply or suspends. The exchange lives until the answer was sent
 * and, when it was suspended, until http_resume was called; everything in its arena lives as long. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buffer.h"
#include "base/errors.h"
#include "http/header.h"
#include "http/router.h"

struct exchange;

/* ---- the request; texts live as long as the exchange; HTTP thread ---- */

const struct http_route *exchange_route(const struct exchange *exchange);
/* Whether only the head of the answer to a GET is wanted. */
bool exchange_is_head(const struct exchange *exchange);
/* As sent. */
struct text exchange_path(const struct exchange *exchange);
struct text exchange_raw_query(const struct exchange *exchange);
/* The decoded segment at "{name}" in the route's pattern. */
struct text exchange_segment(const struct exchange *exchange, struct text name);
/* A decoded query parameter; false when absent. */
bool exchange_query(const struct exchange *exchange, struct text name, struct text *ret_value);
/* Whether the client says (If-None-Match) that it has what reply_tagged would send with that tag. */
bool exchange_has(const struct exchange *exchange, uint64_t tag);
/* ptr is NULL when absent. */
struct text exchange_header(const struct exchange *exchange, enum http_header header);
/* All headers and all decoded query parameters, in their order. */
void exchange_each_header(struct exchange *exchange, void (*each)(struct text name, struct text value, void *context),
                          void *context);
void exchange_each_parameter(const struct exchange *exchange,
                             void (*each)(struct text name, struct text value, void *context), void *context);
struct text exchange_body(const struct exchange *exchange);
/* From within http_options.admit, for a route with streams_body: each piece of the body goes to `take` and is not kept;
 * once all of it has come the route's handler runs. `take` may write to a file but not wait for anybody: while it runs
 * nothing more is read. Anything but OK refuses the request with the fault, and the handler does not run; neither does it
 * when the client goes. A bound of the body is up to `take`, one of the time is kept: a client may be slow, but not slower
 * than http_options.request_s and what a slow reader is granted. HTTP thread. */
void exchange_stream_body(struct exchange *exchange,
                          enum err (*take)(struct exchange *exchange, struct text piece, struct fault *fault));
/* The client's own X-Request-Id, or one that we made. Any thread. */
const char *exchange_request_id(const struct exchange *exchange);
/* The numeric address of the client, as text in the arena. */
const char *exchange_peer(struct exchange *exchange);
struct arena *exchange_arena(struct exchange *exchange);
/* What http_server_new was given. */
void *exchange_context(const struct exchange *exchange);
/* What its HTTP thread keeps for itself (http_options.desk_new). HTTP thread. */
void *exchange_desk(const struct exchange *exchange);
/* A pointer of the layer above; `release` (may be NULL) is called with it when the exchange ends, on whatever thread.
 */
void exchange_attach(struct exchange *exchange, void *attachment, void (*release)(void *attachment));
void *exchange_attachment(const struct exchange *exchange);

/* ---- the reply: exactly one; a second one replaces the first ---- */

/* A header of the reply; call it before or after the reply itself. The name is a constant, the value is copied. Values
 * with control characters and headers beyond a dozen are dropped. */
void reply_header(struct exchange *exchange, const char *name, const char *value);
/* The same for a value without control characters that lives as long as the exchange. */
void reply_header_kept(struct exchange *exchange, const char *name, const char *value);
/* Takes the bytes out of *body (the buffer is empty afterwards); a failed buffer becomes ERR_NO_MEMORY's reply. */
void reply_take(struct exchange *exchange, int status, const char *content_type, struct buffer *body);
/* 200 with an ETag, or 304 where the client has it: `tag` is uniform, and another one for another body. The buffer is empty
 * afterwards, as above, but keeps its memory where the same answer was given lately, so that it still wants its buffer_fini or
 * its next use; the content type is a constant. */
void reply_tagged(struct exchange *exchange, const char *content_type, uint64_t tag, struct buffer *body);
/* Bytes that live as long as the program. */
void reply_constant(struct exchange *exchange, int status, const char *content_type, struct text body);
/* `length` bytes of the file from `offset` on; the descriptor is closed by us. */
void reply_file(struct exchange *exchange, int status, const char *content_type, int fd, int64_t offset,
                int64_t length);
void reply_empty(struct exchange *exchange, int status);
/* Through the error renderer of the server. */
void reply_fault(struct exchange *exchange, const struct fault *fault);
/* The connection is closed after this answer. */
void reply_close(struct exchange *exchange);

/* ---- an answer that is written while it comes into being ---- */

enum stream_pull {
    STREAM_MORE, /* ask again at once */
    STREAM_WAIT, /* nothing more now: http_stream_wake says when */
    STREAM_END,  /* that was all */
    STREAM_CUT   /* it cannot go on: the connection is closed, so that nobody takes it for the end */
};
struct stream_source {
    /* Appends what is to be sent next, about `room` bytes; more is kept for the next time. What comes with STREAM_END or
     * STREAM_CUT is still sent. HTTP thread or streamer, one at a time; it must not block. */
    enum stream_pull (*pull)(struct exchange *exchange, struct buffer *buf, size_t room);
    /* No pull comes any more, and no wake may come once this has returned: the answer is sent, the client has gone, or the
     * server stops. Exactly once, HTTP thread; `whole`: all of it was handed to the client's connection. */
    void (*ended)(struct exchange *exchange, bool whole);
    /* Sent whenever nothing else was for heartbeat_ms (to a second), where pull said STREAM_WAIT; ptr NULL: none. Lives as
     * long as the program. */
    struct text heartbeat;
    unsigned heartbeat_ms;
};
/* A reply with chunked transfer encoding (HTTP/1.0: until the connection closes); *source is copied. Its Cache-Control is
 * no-cache and its X-Accel-Buffering no, unless reply_header says otherwise. To HEAD only the head is sent. The source may
 * take all the time it wants; a client that does not take what is there is cut off in the end. */
void reply_stream(struct exchange *exchange, int status, const char *content_type, const struct stream_source *source);
/* There is more to pull, or the end is known. From within reply_stream's handler on, until `ended` has returned (no call
 * may be under way by then); any thread, also with locks held that pull and ended take; cheap when nobody waits. */
void http_stream_wake(struct exchange *exchange);

/* ---- waiting without holding a thread ---- */

/* `gone` is called, once at most for each watch, when the client closes its connection, or its half of it, while the
 * exchange is suspended or streams: on the listener's thread, and never once the exchange was resumed for good or
 * `ended` was called (a call under way at that moment returns before the exchange goes on, or ends). Call this before
 * exchange_suspend or reply_stream. It must only pass the word on; a suspended exchange still has to be resumed, a
 * stream is cut by the server, watched or not. */
void exchange_watch(struct exchange *exchange, void (*gone)(struct exchange *exchange));

/* From here on the handler must not reply; `go_on` runs on an HTTP thread after http_resume. Call this before handing
 * the exchange to whoever resumes it: that may happen at once. */
void exchange_suspend(struct exchange *exchange, void (*go_on)(struct exchange *exchange));
/* Exactly once for each suspension. Any thread; the caller may not touch the exchange afterwards. */
void http_resume(struct exchange *exchange);
