/* Reads one HTTP/1.1 reply as it comes, and hands on its body by lines: what a load generator needs to know of it, no
 * more. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/compiler.h"

#define REPLY_LINE_MAX (8u << 10)

enum reply_state {
    REPLY_STATUS,
    REPLY_HEADERS,
    REPLY_BODY,
    REPLY_CHUNK_SIZE,
    REPLY_CHUNK,
    REPLY_CHUNK_END,
    REPLY_TRAILER,
    REPLY_DONE
};

struct reply_line {
    size_t size;
    char bytes[REPLY_LINE_MAX];
};

struct chat_reply {
    enum reply_state state;
    int status; /* 200 */
    bool is_chunked, has_length, closes;
    uint64_t left;                /* bytes of the body or of the chunk that are still to come */
    uint64_t body_size;           /* so far */
    struct reply_line head, body; /* unfinished ones; of a body without a line end, its beginning */
};

void chat_reply_begin(struct chat_reply *reply);
/* More bytes, cut anywhere. `line` gets every whole line of the body, without its end. False: this is no HTTP reply,
 * has a line that is too long, or goes on after its end. */
bool chat_reply_feed(struct chat_reply *reply, const char *bytes, size_t size,
                     void (*line)(void *context, const char *bytes, size_t size), void *context) must_check;
/* The connection has ended: whether the reply is whole with that. */
bool chat_reply_is_whole_at_end(const struct chat_reply *reply);
