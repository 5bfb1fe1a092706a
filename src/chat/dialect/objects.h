/* A reader of JSON objects that come one after another with anything of [ ] , and white space between them: a JSON
 * array of objects, as it arrives. One thread at a time. */
#pragma once

#include "base/buffer.h"
#include "base/errors.h"

struct object_reader {
    struct buffer object; /* what has come of the object at hand */
    unsigned depth;       /* of brackets that are open in it; 0: none has begun */
    bool in_string, escaped;
    /* Anything but OK stops the reading with that error. */
    enum err (*read)(void *context, struct text object);
    void *context;
};
void object_reader_init(struct object_reader *reader, enum err (*read)(void *context, struct text object),
                        void *context);
void object_reader_fini(struct object_reader *reader);
/* ERR_TOO_LONG: an object larger than CHAT_CHUNK_MAX. ERR_INVALID_JSON: something else stands between objects. Or what
 * `read` returned. */
enum err object_reader_feed(struct object_reader *reader, struct text bytes) must_check;
