/* Takes a multipart/form-data body (RFC 7578) apart while it arrives, in pieces of any size.
 *
 * Strict: nothing before the first delimiter or after the last, lines end with CR LF, every part is named, no part is
 * encoded. Nothing of a part's content is kept here; what is kept (a delimiter's beginning, a part's header lines) is
 * bounded. Not libmicrohttpd's own parser: that one skips over what is malformed, tells no end of a part, and cannot say
 * of what it could not read. One thread at a time. */
#pragma once

#include "base/errors.h"
#include "base/text.h"

struct multipart;

#define MULTIPART_BOUNDARY_MAX 70    /* characters; RFC 2046 */
#define MULTIPART_HEADERS_MAX 8192   /* bytes of one part's header lines */
#define MULTIPART_FILE_NAME_MAX 1024 /* bytes */

struct multipart_part {
    struct text name;      /* UTF-8; valid during the call, as is the next one */
    struct text file_name; /* as the client calls it, UTF-8, perhaps with a path; ptr NULL: it is no file */
};

/* Anything but OK of these ends it; the fault is passed on. */
struct multipart_taker {
    enum err (*begin)(void *context, const struct multipart_part *part, struct fault *fault);
    enum err (*bytes)(void *context, struct text piece, struct fault *fault); /* never empty */
    enum err (*end)(void *context, struct fault *fault);
};

/* `content_type` is the request's header. ERR_INVALID_CONTENT_TYPE: it is not multipart/form-data, or has no proper
 * boundary. More than `parts_max` parts are refused. *taker is not copied. */
enum err multipart_new(struct text content_type, unsigned parts_max, const struct multipart_taker *taker, void *context,
                       struct multipart **ret, struct fault *fault) must_check;
/* The next piece. ERR_INVALID_REQUEST: malformed. After a failure it may only be freed. */
enum err multipart_take(struct multipart *multipart, struct text piece, struct fault *fault) must_check;
/* The body has ended: ERR_INVALID_REQUEST when the last delimiter has not come. */
enum err multipart_finish(const struct multipart *multipart, struct fault *fault) must_check;
/* NULL is fine. */
void multipart_free(struct multipart *multipart);
