/* A state for each part of a reply; the ones that are lines (all but the body's bytes) are collected first. */
#include "chat_reply.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

void chat_reply_begin(struct chat_reply *reply) {
    memset(reply, 0, offsetof(struct chat_reply, head));
    reply->head.size = reply->body.size = 0;
    reply->head.bytes[0] = reply->body.bytes[0] = '\0';
}

/* Takes bytes up to a line's end, which the line then has not. Returns how many were taken; *ret_whole: it is complete.
 */
static size_t take_line(struct reply_line *line, const char *bytes, size_t size, bool *ret_whole) {
    const char *end = memchr(bytes, '\n', size);
    size_t taken = end != NULL ? (size_t)(end - bytes) + 1 : size;
    size_t kept = end != NULL ? taken - 1 : size, room = sizeof(line->bytes) - 1 - line->size;
    kept = kept < room ? kept : room; /* what is too long shows by its size */
    memcpy(line->bytes + line->size, bytes, kept);
    line->size += kept;
    *ret_whole = end != NULL;
    if (*ret_whole && line->size > 0 && line->bytes[line->size - 1] == '\r') {
        line->size--;
    }
    line->bytes[line->size] = '\0';
    return taken;
}

static bool begin_body(struct chat_reply *reply) {
    if (reply->status >= 100 && reply->status < 200) {
        reply->state = REPLY_STATUS;
        return true;
    }
    reply->closes = reply->closes || (!reply->is_chunked && !reply->has_length);
    reply->state = reply->is_chunked                       ? REPLY_CHUNK_SIZE
                   : reply->has_length && reply->left == 0 ? REPLY_DONE
                                                           : REPLY_BODY;
    return true;
}

static bool read_header(struct chat_reply *reply, const char *line) {
    if (*line == '\0') {
        return begin_body(reply);
    }
    if (strncasecmp(line, "Content-Length:", 15) == 0) {
        reply->has_length = true;
        reply->left = strtoull(line + 15, NULL, 10);
    } else if (strncasecmp(line, "Transfer-Encoding:", 18) == 0) {
        reply->is_chunked = strcasestr(line, "chunked") != NULL;
    } else if (strncasecmp(line, "Connection:", 11) == 0) {
        reply->closes = strcasestr(line, "close") != NULL;
    }
    return true;
}

static bool read_head_line(struct chat_reply *reply) {
    const char *line = reply->head.bytes;
    char *end;
    switch (reply->state) {
    case REPLY_STATUS:
        if (strncmp(line, "HTTP/1.1 ", 9) != 0) {
            return false;
        }
        reply->status = (int)strtol(line + 9, NULL, 10);
        reply->state = REPLY_HEADERS;
        return true;
    case REPLY_HEADERS:
        return read_header(reply, line);
    case REPLY_CHUNK_SIZE:
        reply->left = strtoull(line, &end, 16);
        reply->state = reply->left > 0 ? REPLY_CHUNK : REPLY_TRAILER;
        return end != line;
    case REPLY_CHUNK_END:
        reply->state = REPLY_CHUNK_SIZE;
        return *line == '\0';
    default: /* REPLY_TRAILER */
        reply->state = *line == '\0' ? REPLY_DONE : REPLY_TRAILER;
        return true;
    }
}

static void read_body(struct chat_reply *reply, const char *bytes, size_t size,
                      void (*line)(void *context, const char *bytes, size_t size), void *context) {
    reply->body_size += size;
    while (size > 0) {
        bool is_whole;
        size_t taken = take_line(&reply->body, bytes, size, &is_whole);
        if (is_whole) {
            line(context, reply->body.bytes, reply->body.size);
            reply->body.size = 0;
        }
        bytes += taken;
        size -= taken;
    }
}

bool chat_reply_feed(struct chat_reply *reply, const char *bytes, size_t size,
                     void (*line)(void *context, const char *bytes, size_t size), void *context) {
    while (size > 0) {
        size_t taken;
        if (reply->state == REPLY_DONE) {
            return false;
        }
        if (reply->state == REPLY_BODY || reply->state == REPLY_CHUNK) {
            bool is_endless = reply->state == REPLY_BODY && !reply->has_length;
            taken = is_endless || size < reply->left ? size : (size_t)reply->left;
            read_body(reply, bytes, taken, line, context);
            reply->left -= is_endless ? 0 : taken;
            if (!is_endless && reply->left == 0) {
                reply->state = reply->state == REPLY_BODY ? REPLY_DONE : REPLY_CHUNK_END;
            }
        } else {
            bool is_whole;
            taken = take_line(&reply->head, bytes, size, &is_whole);
            if (reply->head.size >= REPLY_LINE_MAX - 1 || (is_whole && !read_head_line(reply))) {
                return false;
            }
            reply->head.size = is_whole ? 0 : reply->head.size;
        }
        bytes += taken;
        size -= taken;
    }
    return true;
}

bool chat_reply_is_whole_at_end(const struct chat_reply *reply) {
    return reply->state == REPLY_DONE || (reply->state == REPLY_BODY && !reply->has_length);
}
