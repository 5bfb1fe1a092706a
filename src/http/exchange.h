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
/* ptr is NULL when absent. */
struct text exchange_header(const struct exchange *exchange, enum http_header header);
/* All headers and all decoded query parameters, in their order. */
void exchange_each_header(struct exchange *exchange, void (*each)(struct text name, struct text value, void *context),
                          void *context);
void exchange_each_parameter(const struct exchange *exchange,
                             void (*each)(struct text name, struct text value, void *context), void *context);
struct text exchange_body(const struct exchange *exchange);
/* The client's own X-Request-Id, or one that we made. Any thread. */
const char *exchange_request_id(const struct exchange *exchange);
/* The numeric address of the client, as text in the arena. */
const char *exchange_peer(struct exchange *exchange);
struct arena *exchange_arena(struct exchange *exchange);
/* What http_server_new was given. */
void *exchange_context(const struct exchange *exchange);
/* A pointer of the layer above; `release` (may be NULL) is called with it when the exchange ends, on whatever thread.
 */
void exchange_attach(struct exchange *exchange, void *attachment, void (*release)(void *attachment));
void *exchange_attachment(const struct exchange *exchange);

/* ---- the reply: exactly one; a second one replaces the first ---- */

/* A header of the reply; call it before or after the reply itself. The name is a constant, the value is copied. Values
 * with control characters and headers beyond a dozen are dropped. */
void reply_header(struct exchange *exchange, const char *name, const char *value);
/* Takes the bytes out of *body (the buffer is empty afterwards); a failed buffer becomes ERR_NO_MEMORY's reply. */
void reply_take(struct exchange *exchange, int status, const char *content_type, struct buffer *body);
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

/* ---- waiting without holding a thread ---- */

/* From here on the handler must not reply; `go_on` runs on an HTTP thread after http_resume. Call this before handing
 * the exchange to whoever resumes it: that may happen at once. */
void exchange_suspend(struct exchange *exchange, void (*go_on)(struct exchange *exchange));
/* Exactly once for each suspension. Any thread; the caller may not touch the exchange afterwards. */
void http_resume(struct exchange *exchange);
