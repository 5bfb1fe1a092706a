/* Serving bytes that came from outside: whole or a range, to GET and HEAD, with what keeps them from being run. */
#pragma once

#include "api/internal.h"

struct download {
    int fd; /* download_send closes it */
    int64_t size;
    const char *hash;       /* its entity tag */
    const char *media_type; /* a constant, or in the exchange's arena */
    const char *ascii_name; /* letters, digits, '.', '_', '-' */
    struct text name;       /* what it is called where that is more; else empty */
    int64_t expires_s;
    bool attached;          /* for saving; else a browser may show it */
};

/* Opens the blob; ERR_FILE_NOT_FOUND when it is gone. The caller fills in the rest. */
enum err download_open(struct exchange *exchange, const char *hash, struct download *ret, struct fault *fault) must_check;
/* What the bytes are, from the bytes. */
const char *download_sniff(const struct download *download);
/* Answers with 200, 206, 304 or 416. */
void download_send(struct exchange *exchange, const struct download *download);
