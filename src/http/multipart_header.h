/* The header lines of a multipart/form-data body and of its parts. Pure, any thread. */
#pragma once

#include "base/buffer.h"
#include "http/multipart.h"

/* Appends the boundary of a Content-Type header. ERR_INVALID_CONTENT_TYPE. */
enum err multipart_read_boundary(struct text content_type, struct buffer *boundary, struct fault *fault) must_check;

struct multipart_header {
    struct buffer name, file_name;
    bool named, is_file;
};
void multipart_header_init(struct multipart_header *header);
void multipart_header_fini(struct multipart_header *header);
/* One line without its end. ERR_INVALID_REQUEST. */
enum err multipart_read_line(struct multipart_header *header, struct text line, struct fault *fault) must_check;
