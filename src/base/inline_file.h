/* How files inside a text are told and taken apart: data URIs (RFC 2397) and bare base64. Nothing is decoded. Pure, any
 * thread. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/compiler.h"
#include "base/text.h"

#define INLINE_FILES_MAX ((int64_t)20 << 20) /* bytes of all files that go to a service inside one request */

/* Whether it begins as a data URI does, in either case. */
bool data_uri_is(struct text t);

struct data_uri_parts {
    struct text media_type; /* as claimed, without parameters; may be empty */
    bool base64;            /* ";base64", in either case, is the last parameter */
    struct text data;
};
/* The parts of "data:[<media type>][;parameter=value…][;base64],<data>"; false when it is none. */
bool data_uri_split(struct text uri, struct data_uri_parts *ret) must_check;

/* Whether a string in a media field is base64 itself: nothing but its alphabet, well padded, and long enough that no
 * word or identifier is taken for a file. */
#define BASE64_BARE_MIN 64
bool base64_is_bare(struct text t);
