/* The answer to whoever may have a file. */
#include "api/file/download.h"

#include <unistd.h>

#include "base/clock.h"
#include "blob/blob.h"
#include "blob/media_type.h"
#include "http/range.h"

#define DISPOSITION_MAX 2048

enum err download_open(struct exchange *exchange, const char *hash, struct download *ret, struct fault *fault) {
    struct download download = { .fd = -1, .hash = hash };
    enum err err = blob_open_fd(api_of(exchange)->blobs, text_of(hash), &download.fd, &download.size);
    if (err == ERR_NOT_FOUND)
        return fault_set(fault, ERR_FILE_NOT_FOUND, "The file is no longer here.");
    if (err != OK)
        return fault_set(fault, err, "The file %s cannot be opened.", hash);
    *ret = download;
    return OK;
}

const char *download_sniff(const struct download *download) {
    char start[MEDIA_SNIFF_SIZE];
    ssize_t count = pread(download->fd, start, sizeof start, 0);
    return media_type_sniff((struct text){ start, count > 0 ? (size_t)count : 0 });
}

/* A name beyond ASCII as RFC 6266 says. */
static void put_disposition(struct exchange *exchange, const struct download *download) {
    struct buffer value;

    buffer_init(&value, DISPOSITION_MAX);
    buffer_printf(&value, "%s; filename=\"%s\"", download->attached ? "attachment" : "inline", download->ascii_name);
    if (download->name.len > 0 && !text_equal(download->name, text_of(download->ascii_name))) {
        buffer_put(&value, TEXT("; filename*=UTF-8''"));
        for (size_t i = 0; i < download->name.len; i++) {
            char c = download->name.ptr[i];
            bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
                         c == '_' || c == '-';
            buffer_printf(&value, plain ? "%c" : "%%%02X", (unsigned char)c);
        }
    }
    if (buffer_ok(&value))
        reply_header(exchange, "Content-Disposition", value.data);
    buffer_fini(&value);
}

/* The bytes come from outside, so nothing that a browser could run is allowed to run; the content never changes. */
static void put_headers(struct exchange *exchange, const struct download *download, const char *etag) {
    int64_t left_s = download->expires_s - clock_wall_ms() / 1000;
    char value[96];

    reply_header(exchange, "ETag", etag);
    reply_header(exchange, "Accept-Ranges", "bytes");
    snprintf(value, sizeof value, "private, max-age=%lld, immutable", (long long)(left_s > 0 ? left_s : 0));
    reply_header(exchange, "Cache-Control", value);
    put_disposition(exchange, download);
    reply_header(exchange, "X-Content-Type-Options", "nosniff");
    reply_header(exchange, "Content-Security-Policy", "sandbox; default-src 'none'");
    reply_header(exchange, "Cross-Origin-Resource-Policy", "cross-origin");
}

/* A range means something to GET alone (RFC 9110 section 14.2). */
static enum range_answer wanted_range(struct exchange *exchange, const struct download *download, const char *etag,
                                      int64_t *ret_first, int64_t *ret_last) {
    struct text condition = exchange_header(exchange, HEADER_IF_RANGE);
    if (exchange_is_head(exchange))
        return RANGE_WHOLE;
    if (condition.ptr != NULL && !text_equal(text_trim(condition), text_of(etag)))
        return RANGE_WHOLE;
    return range_parse(exchange_header(exchange, HEADER_RANGE), download->size, ret_first, ret_last);
}

/* None of the file's headers: what they say of caches and file names is not meant for an error. */
static void refuse_range(struct exchange *exchange, const struct download *download) {
    struct fault fault;
    char value[96];

    close(download->fd);
    snprintf(value, sizeof value, "bytes */%lld", (long long)download->size);
    reply_header(exchange, "Content-Range", value);
    fault_set(&fault, ERR_RANGE, "The range begins behind the end of the file, which has %lld bytes.",
              (long long)download->size);
    refuse(exchange, &fault);
}

static void send_bytes(struct exchange *exchange, const struct download *download, const char *etag) {
    int64_t first = 0, last = download->size - 1;
    char value[96];

    switch (wanted_range(exchange, download, etag, &first, &last)) {
    case RANGE_UNSATISFIABLE:
        refuse_range(exchange, download);
        return;
    case RANGE_PART:
        put_headers(exchange, download, etag);
        snprintf(value, sizeof value, "bytes %lld-%lld/%lld", (long long)first, (long long)last,
                 (long long)download->size);
        reply_header(exchange, "Content-Range", value);
        reply_file(exchange, 206, download->media_type, download->fd, first, last - first + 1);
        return;
    case RANGE_WHOLE:
        put_headers(exchange, download, etag);
        reply_file(exchange, 200, download->media_type, download->fd, 0, download->size);
        return;
    }
}

void download_send(struct exchange *exchange, const struct download *download) {
    char etag[SHA256_HEX_SIZE + 2];

    snprintf(etag, sizeof etag, "\"%s\"", download->hash);
    if (!etag_matches(exchange_header(exchange, HEADER_IF_NONE_MATCH), text_of(etag))) {
        send_bytes(exchange, download, etag);
        return;
    }
    /* The file goes along for its length, which is all that a 304 may say of it (RFC 9110 section 8.6). */
    put_headers(exchange, download, etag);
    reply_file(exchange, 304, download->media_type, download->fd, 0, download->size);
}
