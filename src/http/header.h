/* The request headers that mean something here, and how their values are read. Pure, any thread. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/text.h"

/*    name                   header               may come more than once (the first counts) */
#define HTTP_HEADER_TABLE(X)                                                                                           \
    X(HEADER_AUTHORIZATION, "authorization", false)                                                                    \
    X(HEADER_CONTENT_LENGTH, "content-length", false)                                                                  \
    X(HEADER_CONTENT_TYPE, "content-type", false)                                                                      \
    X(HEADER_EXPECT, "expect", true)                                                                                   \
    X(HEADER_HOST, "host", false)                                                                                      \
    X(HEADER_IDEMPOTENCY_KEY, "idempotency-key", false)                                                                \
    X(HEADER_IF_NONE_MATCH, "if-none-match", true)                                                                     \
    X(HEADER_IF_RANGE, "if-range", true)                                                                               \
    X(HEADER_LAST_EVENT_ID, "last-event-id", true)                                                                     \
    X(HEADER_PREFER, "prefer", true)                                                                                   \
    X(HEADER_RANGE, "range", true)                                                                                     \
    X(HEADER_REQUEST_ID, "x-request-id", true)                                                                         \
    X(HEADER_TRANSFER_ENCODING, "transfer-encoding", false)

enum http_header {
#define X(name, header, repeated) name,
    HTTP_HEADER_TABLE(X)
#undef X
    HEADER_COUNT
};

/* HEADER_COUNT when the header means nothing to us. */
enum http_header header_find(struct text name);
bool header_may_repeat(enum http_header header);

/* Whether a Content-Type is `type` ("application/json"), with or without parameters; a charset must be UTF-8. */
bool content_type_is(struct text header, struct text type);
/* Sixteen hexadecimal digits in quotes, terminated. */
#define ETAG_SIZE (2 + 2 * sizeof(uint64_t) + 1)
/* The entity tag that tells those 64 bits. */
void etag_put(char ret[ETAG_SIZE], uint64_t tag);
/* Whether an If-None-Match matches our entity tag (with its quotes): a list, weak ones, or "*". */
bool etag_matches(struct text header, struct text etag);
/* The value of a preference in a Prefer header (RFC 7240), without its quotes; the first one of that name counts. False:
 * it is not there. */
bool prefer_value(struct text header, struct text name, struct text *ret_value);
/* Whether a text is a host as Host headers and URLs name it: a name of labels (with '_', as containers have it), an IPv4
 * address or an IPv6 address in brackets, then perhaps ':' and a port from 1 to 65535. */
bool host_is_valid(struct text host);
