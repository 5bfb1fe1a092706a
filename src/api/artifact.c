/* GET /v1/artifacts/{hash}/{name}: a result's bytes, for whoever holds its signed URL. */
#include <unistd.h>

#include "api/internal.h"
#include "base/clock.h"
#include "blob/blob.h"
#include "blob/link.h"
#include "blob/media_type.h"
#include "http/range.h"

#define SNIFF_SIZE 512

struct artifact {
    struct link link;
    int fd;
    int64_t size;
    const char *media_type;
    char etag[SHA256_HEX_SIZE + 2];
};

static enum err check_link(struct exchange *exchange, struct link *ret, struct fault *fault) {
    enum err err = link_check(exchange_path(exchange), exchange_raw_query(exchange),
                              store_secret(api_of(exchange)->store), clock_wall_ms() / 1000, ret);
    if (err == ERR_RESULT_EXPIRED)
        return fault_set(fault, err, "The time of this URL is over, and the file is gone.");
    return err == OK ? OK : fault_set(fault, err, "There is no file at this URL.");
}

static enum err open_artifact(struct exchange *exchange, struct artifact *artifact, struct fault *fault) {
    char start[SNIFF_SIZE];

    enum err err = check_link(exchange, &artifact->link, fault);
    if (err != OK)
        return err;
    err = blob_open_fd(api_of(exchange)->blobs, text_of(artifact->link.hash), &artifact->fd, &artifact->size);
    if (err == ERR_NOT_FOUND)
        return fault_set(fault, ERR_FILE_NOT_FOUND, "The file is no longer here.");
    if (err != OK)
        return fault_set(fault, err, "The file %s cannot be opened.", artifact->link.hash);
    ssize_t count = pread(artifact->fd, start, sizeof start, 0);
    artifact->media_type = media_type_sniff((struct text){ start, count > 0 ? (size_t)count : 0 });
    snprintf(artifact->etag, sizeof artifact->etag, "\"%s\"", artifact->link.hash);
    return OK;
}

/* The bytes come from outside, so nothing that a browser could run is allowed to run; the content never changes. */
static void put_headers(struct exchange *exchange, const struct artifact *artifact) {
    int64_t left_s = artifact->link.expires_s - clock_wall_ms() / 1000;
    char value[192];

    reply_header(exchange, "ETag", artifact->etag);
    reply_header(exchange, "Accept-Ranges", "bytes");
    snprintf(value, sizeof value, "private, max-age=%lld, immutable", (long long)(left_s > 0 ? left_s : 0));
    reply_header(exchange, "Cache-Control", value);
    snprintf(value, sizeof value, "inline; filename=\"%s\"", artifact->link.name);
    reply_header(exchange, "Content-Disposition", value);
    reply_header(exchange, "X-Content-Type-Options", "nosniff");
    reply_header(exchange, "Content-Security-Policy", "sandbox; default-src 'none'");
    reply_header(exchange, "Cross-Origin-Resource-Policy", "cross-origin");
}

/* A range means something to GET alone (RFC 9110 section 14.2). */
static enum range_answer wanted_range(struct exchange *exchange, const struct artifact *artifact, int64_t *ret_first,
                                      int64_t *ret_last) {
    struct text condition = exchange_header(exchange, HEADER_IF_RANGE);
    if (exchange_is_head(exchange))
        return RANGE_WHOLE;
    if (condition.ptr != NULL && !text_equal(text_trim(condition), text_of(artifact->etag)))
        return RANGE_WHOLE;
    return range_parse(exchange_header(exchange, HEADER_RANGE), artifact->size, ret_first, ret_last);
}

/* None of the artifact's headers: what they say of caches and file names is not meant for an error. */
static void refuse_range(struct exchange *exchange, const struct artifact *artifact) {
    struct fault fault;
    char value[96];

    close(artifact->fd);
    snprintf(value, sizeof value, "bytes */%lld", (long long)artifact->size);
    reply_header(exchange, "Content-Range", value);
    fault_set(&fault, ERR_RANGE, "The range begins behind the end of the file, which has %lld bytes.",
              (long long)artifact->size);
    refuse(exchange, &fault);
}

static void send_artifact(struct exchange *exchange, const struct artifact *artifact) {
    int64_t first = 0, last = artifact->size - 1;
    char value[96];

    switch (wanted_range(exchange, artifact, &first, &last)) {
    case RANGE_UNSATISFIABLE:
        refuse_range(exchange, artifact);
        return;
    case RANGE_PART:
        put_headers(exchange, artifact);
        snprintf(value, sizeof value, "bytes %lld-%lld/%lld", (long long)first, (long long)last,
                 (long long)artifact->size);
        reply_header(exchange, "Content-Range", value);
        reply_file(exchange, 206, artifact->media_type, artifact->fd, first, last - first + 1);
        return;
    case RANGE_WHOLE:
        put_headers(exchange, artifact);
        reply_file(exchange, 200, artifact->media_type, artifact->fd, 0, artifact->size);
        return;
    }
}

void handle_artifact(struct exchange *exchange) {
    struct artifact artifact = { .fd = -1 };
    struct fault fault = { .err = OK };

    if (open_artifact(exchange, &artifact, &fault) != OK) {
        refuse(exchange, &fault);
        return;
    }
    if (!etag_matches(exchange_header(exchange, HEADER_IF_NONE_MATCH), text_of(artifact.etag))) {
        send_artifact(exchange, &artifact);
        return;
    }
    /* The file goes along for its length, which is all that a 304 may say of it (RFC 9110 section 8.6). */
    put_headers(exchange, &artifact);
    reply_file(exchange, 304, artifact.media_type, artifact.fd, 0, artifact.size);
}
