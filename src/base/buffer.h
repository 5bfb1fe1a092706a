/* A growable run of bytes, born with its maximum (S3).
 *
 * Failure is sticky: a put that would pass the maximum, or finds no memory for a large buffer, sets `failed`
 * and changes nothing, and so do all later ones; check buffer_ok() once at the end. Without memory for a small
 * one (MEM_SMALL_MAX) the process aborts. One thread at a time. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/errors.h"
#include "base/text.h"

struct buffer {
    char *data; /* always terminated by a NUL that len does not count, once anything was put */
    size_t len;
    size_t capacity;
    size_t max;
    bool failed;
    bool lacked; /* memory, when it failed */
};

/* An empty buffer; no memory is taken yet. */
void buffer_init(struct buffer *buf, size_t max);
void buffer_fini(struct buffer *buf);
/* Empties it and forgets a failure; keeps the memory. */
void buffer_clear(struct buffer *buf);
bool buffer_ok(const struct buffer *buf) must_check;
/* What a failed one's owner has to say: ERR_NO_MEMORY where there was none, else `full`. */
enum err buffer_error(const struct buffer *buf, enum err full) must_check;
struct text buffer_text(const struct buffer *buf);

void buffer_put(struct buffer *buf, struct text t);
void buffer_put_char(struct buffer *buf, char c);
void buffer_put_i64(struct buffer *buf, int64_t number);
void buffer_printf(struct buffer *buf, const char *format, ...) printf_like(2, 3);
/* Drops the first `count` bytes (count <= len). */
void buffer_consume(struct buffer *buf, size_t count);
/* Room for `count` more bytes at buf->data + buf->len, for a reader that fills in place;
 * false (and failed) when that passes the maximum. */
bool buffer_reserve(struct buffer *buf, size_t count) must_check;
/* Hands the terminated bytes to the caller, who frees them; the buffer is empty afterwards. NULL if failed. */
char *buffer_take(struct buffer *buf) must_check;
