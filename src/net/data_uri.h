/* Decodes files that come inside a request: data URIs (RFC 2397) and bare base64. Pure, any thread. */
#pragma once

#include "base/errors.h"
#include "base/inline_file.h"
#include "base/text.h"

struct data_uri {
    struct text media_type; /* as claimed, without parameters, into the input; "text/plain" when left out */
    char *bytes;            /* on the heap, terminated, freed by data_uri_fini */
    size_t len;
};
/* Decodes "data:[<media type>][;parameter=value…][;base64],<data>". ERR_INVALID_URL when it is malformed,
 * ERR_FILE_TOO_LARGE when it has more than max_bytes; *ret untouched on failure. */
enum err data_uri_decode(struct text uri, size_t max_bytes, struct data_uri *ret, struct fault *fault) must_check;
void data_uri_fini(struct data_uri *uri);

/* Decodes bare base64 (base64_is_bare) on the same terms as data_uri_decode; the media type is left empty. */
enum err base64_decode_bare(struct text t, size_t max_bytes, struct data_uri *ret, struct fault *fault) must_check;
