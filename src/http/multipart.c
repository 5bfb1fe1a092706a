/* The delimiters between parts, found wherever pieces are split.
 *
 *   START ─ delimiter ─> AFTER ─ CR LF ─> HEADERS ─ empty line ─> CONTENT ─ CR LF delimiter ─> AFTER ─ "--" ─> END
 *
 * A delimiter is CR LF "--" boundary, and no CR can be in a boundary: so a beginning that does not go on as a delimiter is
 * content up to the byte that did not fit, which alone may begin another one. The first delimiter lacks its CR LF. */
#include "http/multipart.h"

#include <stdlib.h>

#include "base/memory.h"
#include "http/multipart_header.h"

#define DELIMITER_MAX (4 + MULTIPART_BOUNDARY_MAX)

enum state { START, AFTER, HEADERS, CONTENT, END };

struct multipart {
    const struct multipart_taker *taker;
    void *context;
    unsigned parts_left;
    enum state state;
    struct buffer delimiter; /* CR LF "--" boundary */
    size_t matched;          /* of the delimiter; in AFTER and END: of the two bytes there */
    char first;              /* of those in AFTER */
    struct buffer line;      /* of a part's header */
    size_t header_bytes;
    struct multipart_header header;
};

static enum err malformed(struct fault *fault, const char *words) {
    return fault_set(fault, ERR_INVALID_REQUEST, "The form is malformed: %s.", words);
}

enum err multipart_new(struct text content_type, unsigned parts_max, const struct multipart_taker *taker, void *context,
                       struct multipart **ret, struct fault *fault) {
    struct multipart *multipart = mem_new(sizeof *multipart);

    multipart->taker = taker;
    multipart->context = context;
    multipart->parts_left = parts_max;
    multipart->matched = 2; /* as if a line had ended */
    buffer_init(&multipart->delimiter, DELIMITER_MAX);
    buffer_init(&multipart->line, MULTIPART_HEADERS_MAX);
    multipart_header_init(&multipart->header);
    buffer_put(&multipart->delimiter, TEXT("\r\n--"));
    enum err err = multipart_read_boundary(content_type, &multipart->delimiter, fault);
    if (err != OK) {
        multipart_free(multipart);
        return err;
    }
    *ret = multipart;
    return OK;
}

void multipart_free(struct multipart *multipart) {
    if (multipart == NULL)
        return;
    buffer_fini(&multipart->delimiter);
    buffer_fini(&multipart->line);
    multipart_header_fini(&multipart->header);
    free(multipart);
}

/* ---- a part's header ---- */

static enum err begin_part(struct multipart *multipart, struct fault *fault) {
    const struct multipart_header *header = &multipart->header;
    struct multipart_part part = { .name = buffer_text(&header->name) };

    if (!header->named)
        return malformed(fault, "a part has no Content-Disposition");
    if (multipart->parts_left == 0)
        return fault_set(fault, ERR_INVALID_REQUEST, "The form has too many parts.");
    multipart->parts_left--;
    if (header->is_file)
        part.file_name = header->file_name.len > 0 ? buffer_text(&header->file_name) : TEXT("");
    multipart->state = CONTENT;
    multipart->matched = 0;
    return multipart->taker->begin(multipart->context, &part, fault);
}

/* A line with its end. */
static enum err end_line(struct multipart *multipart, struct fault *fault) {
    struct text line = buffer_text(&multipart->line);

    if (line.len < 2 || line.ptr[line.len - 2] != '\r')
        return malformed(fault, "a part's header line does not end with CR LF");
    if (line.len == 2)
        return begin_part(multipart, fault);
    enum err err = multipart_read_line(&multipart->header, (struct text){ line.ptr, line.len - 2 }, fault);
    buffer_clear(&multipart->line);
    return err;
}

/* Takes its bytes off the start of *piece, as do all below. */
static enum err take_header(struct multipart *multipart, struct text *piece, struct fault *fault) {
    const char *end = memchr(piece->ptr, '\n', piece->len);
    size_t count = end != NULL ? (size_t)(end - piece->ptr) + 1 : piece->len;

    multipart->header_bytes += count;
    if (multipart->header_bytes > MULTIPART_HEADERS_MAX)
        return malformed(fault, "a part's header is too long");
    buffer_put(&multipart->line, (struct text){ piece->ptr, count });
    if (!buffer_ok(&multipart->line))
        return fault_set(fault, ERR_NO_MEMORY, "No memory for a part's header.");
    *piece = (struct text){ piece->ptr + count, piece->len - count };
    return end != NULL ? end_line(multipart, fault) : OK;
}

/* ---- delimiters ---- */

static void begin_header(struct multipart *multipart) {
    multipart->state = HEADERS;
    multipart->header_bytes = 0;
    buffer_clear(&multipart->line);
    multipart_header_fini(&multipart->header);
    multipart_header_init(&multipart->header);
}

/* CR LF: a part follows; "--": none does. */
static enum err take_after(struct multipart *multipart, struct text *piece, struct fault *fault) {
    char c = piece->ptr[0];

    *piece = (struct text){ piece->ptr + 1, piece->len - 1 };
    if (multipart->matched++ == 0) {
        multipart->first = c;
        return c == '\r' || c == '-' ? OK : malformed(fault, "a delimiter is followed by something else");
    }
    if (multipart->first == '\r' && c == '\n') {
        begin_header(multipart);
        return OK;
    }
    if (multipart->first != '-' || c != '-')
        return malformed(fault, "a delimiter is followed by something else");
    multipart->state = END;
    multipart->matched = 0;
    return OK;
}

/* One end of line, if anything. */
static enum err take_end(struct multipart *multipart, struct text *piece, struct fault *fault) {
    static const char line_end[] = { '\r', '\n' };

    for (; piece->len > 0; *piece = (struct text){ piece->ptr + 1, piece->len - 1 })
        if (multipart->matched == 2 || piece->ptr[0] != line_end[multipart->matched++])
            return malformed(fault, "something follows the last delimiter");
    return OK;
}

static enum err give(struct multipart *multipart, struct text bytes, struct fault *fault) {
    return bytes.len > 0 ? multipart->taker->bytes(multipart->context, bytes, fault) : OK;
}

static enum err end_content(struct multipart *multipart, struct fault *fault) {
    bool part = multipart->state == CONTENT;
    multipart->state = AFTER;
    multipart->matched = 0;
    return part ? multipart->taker->end(multipart->context, fault) : OK;
}

/* How far the piece goes on as the delimiter has begun; *ret_fits is false when its next byte does not. */
static size_t match(struct multipart *multipart, struct text piece, bool *ret_fits) {
    struct text delimiter = buffer_text(&multipart->delimiter);
    size_t count = 0;

    while (count < piece.len && multipart->matched < delimiter.len &&
           piece.ptr[count] == delimiter.ptr[multipart->matched]) {
        count++;
        multipart->matched++;
    }
    *ret_fits = count == piece.len || multipart->matched == delimiter.len;
    return count;
}

static enum err take_content(struct multipart *multipart, struct text *piece, struct fault *fault) {
    struct text delimiter = buffer_text(&multipart->delimiter);
    bool fits = true;

    if (multipart->matched == 0) {
        const char *start = memchr(piece->ptr, '\r', piece->len);
        size_t count = start != NULL ? (size_t)(start - piece->ptr) : piece->len;
        struct text content = { piece->ptr, count };
        *piece = (struct text){ piece->ptr + count, piece->len - count };
        enum err err = give(multipart, content, fault);
        if (err != OK || piece->len == 0)
            return err;
    }
    size_t count = match(multipart, *piece, &fits);
    *piece = (struct text){ piece->ptr + count, piece->len - count };
    if (multipart->matched == delimiter.len)
        return end_content(multipart, fault);
    if (fits)
        return OK;
    if (multipart->state == START)
        return malformed(fault, "it does not begin with its boundary");
    struct text kept = { delimiter.ptr, multipart->matched };
    multipart->matched = 0;
    return give(multipart, kept, fault);
}

enum err multipart_take(struct multipart *multipart, struct text piece, struct fault *fault) {
    static enum err (*const takers[])(struct multipart *, struct text *, struct fault *) = {
        [START] = take_content, [AFTER] = take_after, [HEADERS] = take_header, [CONTENT] = take_content, [END] = take_end,
    };
    enum err err = OK;

    while (err == OK && piece.len > 0)
        err = takers[multipart->state](multipart, &piece, fault);
    return err;
}

enum err multipart_finish(const struct multipart *multipart, struct fault *fault) {
    return multipart->state == END ? OK : malformed(fault, "it ends before its last delimiter");
}
