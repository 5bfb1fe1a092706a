/* Forms: what is told of a body is the same wherever it is cut; names are UTF-8 and within their bounds.
 *
 *   where to cut it (fuzz.h)
 *   the Content-Type
 *   the body, lines ending with CR LF */
#include "http/multipart.h"

#include <stdlib.h>

#include "base/buffer.h"
#include "fuzz.h"

#define PARTS_MAX 8

/* What was told, and in which order it has to come. */
struct heard {
    struct buffer words;
    bool in_part;
    unsigned parts;
    size_t bytes;
};

void fuzz_begin(void) {
}

void fuzz_seeds(void) {
#define TYPE "multipart/form-data; boundary="
#define HEAD "Content-Disposition: form-data; name=\"file\"; filename=\"a.txt\"\r\n"
    static const char *const seeds[] = {
        "\n" TYPE "--x\n----x\r\n" HEAD "\r\nhello\r\n----x--\r\n",
        "AB\n" TYPE "x\n--x\r\n" HEAD "\r\n\r\n--\r\n--y\r\n--x\r\n" HEAD "\r\n\r\n--x--",
        "@\n" TYPE "\"a b\"\n--a b\r\ncontent-disposition:form-data;name=a\r\nContent-Type: text/plain\r\n"
        "Content-Transfer-Encoding: binary\r\n\r\n1\r\n--a b--\r\n",
        "C\n" TYPE "x; charset=utf-8\n--x\r\nContent-Disposition: form-data; name=\"f\"; "
        "filename*=UTF-8''%e2%82%ac.txt\r\n\r\nx\r\n--x--\r\n",
        "\n" TYPE "x\n--x\r\nContent-Disposition: form-data; name=\"a\\\"b%22\"\r\n\r\nx\r\n--x--\r\n",
        "\n" TYPE "x\n--x--\r\n",
        "\nmultipart/mixed; boundary=x\n--x--",
        NULL,
    };
    fuzz_seed_list("form", seeds);
#undef HEAD
#undef TYPE
}

static enum err begin(void *context, const struct multipart_part *part, struct fault *fault) {
    struct heard *heard = context;
    (void)fault;
    fuzz_hold(!heard->in_part);
    fuzz_hold(++heard->parts <= PARTS_MAX);
    fuzz_hold(text_is_utf8(part->name));
    fuzz_hold(part->file_name.ptr == NULL ||
              (text_is_utf8(part->file_name) && part->file_name.len <= MULTIPART_FILE_NAME_MAX));
    heard->in_part = true;
    buffer_put(&heard->words, part->name);
    buffer_put_char(&heard->words, part->file_name.ptr != NULL ? '\1' : '\2');
    buffer_put(&heard->words, part->file_name);
    buffer_put_char(&heard->words, '\3');
    return OK;
}

static enum err bytes(void *context, struct text piece, struct fault *fault) {
    struct heard *heard = context;
    (void)fault;
    fuzz_hold(heard->in_part && piece.len > 0);
    heard->bytes += piece.len;
    buffer_put(&heard->words, piece);
    return OK;
}

static enum err end(void *context, struct fault *fault) {
    struct heard *heard = context;
    (void)fault;
    fuzz_hold(heard->in_part);
    heard->in_part = false;
    buffer_put_char(&heard->words, '\4');
    return OK;
}

static const struct multipart_taker taker = { begin, bytes, end };

/* OK, or the error; *heard is then what came before it. */
static enum err take(struct text content_type, struct text body, struct fuzz_cuts cuts, struct heard *heard,
                     struct fault *fault) {
    struct multipart *multipart = NULL;
    size_t size = body.len;
    *heard = (struct heard){ .parts = 0 };
    buffer_init(&heard->words, 1 << 24);
    enum err err = multipart_new(content_type, PARTS_MAX, &taker, heard, &multipart, fault);
    while (err == OK && body.len > 0) {
        struct text piece = fuzz_cut(&cuts, &body);
        char *copy = fuzz_copy(piece);
        err = multipart_take(multipart, (struct text){ copy, piece.len }, fault);
        free(copy);
    }
    if (err == OK) {
        err = multipart_finish(multipart, fault);
    }
    if (err != OK) {
        fuzz_hold_fault(err, fault);
    }
    fuzz_hold(err != OK || !heard->in_part);
    fuzz_hold(heard->bytes <= size);
    fuzz_hold(buffer_ok(&heard->words));
    multipart_free(multipart);
    return err;
}

void fuzz_one(struct text input) {
    struct text sizes = fuzz_line(&input), content_type = fuzz_line(&input);
    struct heard whole, cut, single;
    struct fault whole_fault = { .err = OK }, cut_fault = { .err = OK }, single_fault = { .err = OK };

    enum err err = take(content_type, input, (struct fuzz_cuts){ TEXT_NONE, 0 }, &whole, &whole_fault);
    enum err cut_err = take(content_type, input, (struct fuzz_cuts){ sizes, 0 }, &cut, &cut_fault);
    enum err single_err = take(content_type, input, (struct fuzz_cuts){ TEXT("?"), 0 }, &single, &single_fault);
    fuzz_hold(err == cut_err && err == single_err, "%s, %s, %s", err_info(err)->name, err_info(cut_err)->name,
              err_info(single_err)->name);
    fuzz_hold(strcmp(whole_fault.message, cut_fault.message) == 0, "%s / %s", whole_fault.message, cut_fault.message);
    fuzz_hold(strcmp(whole_fault.message, single_fault.message) == 0);
    fuzz_hold(text_equal(buffer_text(&whole.words), buffer_text(&cut.words)) || err != OK);
    fuzz_hold(text_equal(buffer_text(&whole.words), buffer_text(&single.words)) || err != OK);
    buffer_fini(&single.words);
    buffer_fini(&cut.words);
    buffer_fini(&whole.words);
}
