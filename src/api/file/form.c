/* POST /v1/files/upload/stream: a file in a form. Its bytes go to disk as they come, and are nowhere in memory as a whole;
 * the other fields may stand before it or after. */
#include <stdlib.h>

#include "api/file/file.h"
#include "base/memory.h"
#include "http/multipart.h"

#define VALUE_MAX 1024  /* bytes of a field that is no file */
#define AROUND_MAX 65536 /* bytes of a form beside its file */

enum field { FIELD_FILE, FIELD_NAME, FIELD_CLEANUP, FIELD_COUNT };

static const struct text field_names[FIELD_COUNT] = {
    [FIELD_FILE] = TEXT("file"), [FIELD_NAME] = TEXT("file_name"), [FIELD_CLEANUP] = TEXT("auto_cleanup")
};

struct form {
    struct file_work *work;
    struct multipart *multipart;
    enum field current;
    bool given[FIELD_COUNT];
    int64_t size; /* of the file */
    char client_name[FILE_NAME_SIZE];
    struct buffer values[FIELD_COUNT]; /* but the file's */
};

static void free_form(void *pointer) {
    struct form *form = pointer;
    multipart_free(form->multipart);
    for (unsigned i = 0; i < FIELD_COUNT; i++)
        buffer_fini(&form->values[i]);
    free(form);
}

/* ---- the parts ---- */

static enum err begin_file(struct form *form, const struct multipart_part *part, struct fault *fault) {
    struct file_work *work = form->work;
    file_name_clean(part->file_name, form->client_name);
    return blob_writer_new(api_of(work->exchange)->blobs, work->upload.size_max, &work->upload.writer, fault);
}

static enum err begin(void *context, const struct multipart_part *part, struct fault *fault) {
    struct form *form = context;
    char name[64];
    unsigned i = 0;

    snprintf(name, sizeof name, "%.*s", TEXT_ARG(text_clip(part->name, sizeof name - 1)));
    while (i < FIELD_COUNT && !text_equal(part->name, field_names[i]))
        i++;
    if (i == FIELD_COUNT)
        return fault_set_param(fault, ERR_UNKNOWN_FIELD, name, "There is no field %s; the form has file, file_name and "
                               "auto_cleanup.", name);
    if (form->given[i])
        return fault_set_param(fault, ERR_NOT_ALLOWED_VALUE, name, "The field %s is given more than once.", name);
    form->current = (enum field)i;
    form->given[i] = true;
    return i == FIELD_FILE ? begin_file(form, part, fault) : OK;
}

static enum err bytes(void *context, struct text piece, struct fault *fault) {
    struct form *form = context;
    const char *name = field_names[form->current].ptr;

    if (form->current != FIELD_FILE) {
        buffer_put(&form->values[form->current], piece);
        if (buffer_ok(&form->values[form->current]))
            return OK;
        return fault_set_param(fault, ERR_TOO_LONG, name, "The field %s has more than %d bytes.", name, VALUE_MAX);
    }
    form->size += (int64_t)piece.len;
    enum err err = blob_write(form->work->upload.writer, piece.ptr, piece.len);
    if (err == ERR_FILE_TOO_LARGE)
        return fault_set_param(fault, err, name, "The file is larger than %lld bytes.",
                               (long long)form->work->upload.size_max);
    return err == OK ? OK : fault_set(fault, err, "The file could not be stored; try again.");
}

static enum err end(void *context, struct fault *fault) {
    (void)context;
    (void)fault;
    return OK;
}

static enum err take(struct exchange *exchange, struct text piece, struct fault *fault) {
    const struct file_work *work = call_of(exchange)->work;
    return multipart_take(((struct form *)work->form)->multipart, piece, fault);
}

/* A length that is told beforehand is judged beforehand. */
static enum err check_length(struct exchange *exchange, int64_t size_max, struct fault *fault) {
    struct text header = exchange_header(exchange, HEADER_CONTENT_LENGTH);
    int64_t length = 0;
    if (header.ptr == NULL || (text_to_i64(header, &length) && length <= size_max + AROUND_MAX))
        return OK;
    return fault_set_param(fault, ERR_FILE_TOO_LARGE, "file", "The file is larger than %lld bytes.",
                           (long long)size_max);
}

enum err admit_form(struct exchange *exchange, struct fault *fault) {
    static const struct multipart_taker taker = { begin, bytes, end };
    struct file_work *work;

    enum err err = file_begin(exchange, &work, fault);
    if (err != OK)
        return err;
    struct form *form = mem_new(sizeof *form);
    form->work = work;
    work->form = form;
    work->free_form = free_form;
    for (unsigned i = 0; i < FIELD_COUNT; i++)
        buffer_init(&form->values[i], VALUE_MAX);
    err = multipart_new(exchange_header(exchange, HEADER_CONTENT_TYPE), FIELD_COUNT + 1, &taker, form, &form->multipart,
                        fault);
    if (err == OK)
        err = check_length(exchange, work->upload.size_max, fault);
    if (err == OK)
        exchange_stream_body(exchange, take);
    return err;
}

/* ---- all has come ---- */

static enum err read_cleanup(struct text value, bool *ret, struct fault *fault) {
    if (text_equal(value, TEXT("true")) || text_equal(value, TEXT("1")))
        *ret = true;
    else if (text_equal(value, TEXT("false")) || text_equal(value, TEXT("0")))
        *ret = false;
    else
        return fault_set_param(fault, ERR_NOT_ALLOWED_VALUE, "auto_cleanup",
                               "The field auto_cleanup must be true or false.");
    return OK;
}

static enum err read_fields(struct form *form, struct fault *fault) {
    struct file_work *work = form->work;
    enum err err = multipart_finish(form->multipart, fault);
    if (err != OK)
        return err;
    if (!form->given[FIELD_FILE])
        return fault_set_param(fault, ERR_MISSING_FIELD, "file", "The field file is missing.");
    if (form->size == 0)
        return fault_set_param(fault, ERR_OUT_OF_RANGE, "file", "The file is empty.");
    if (form->given[FIELD_CLEANUP])
        err = read_cleanup(buffer_text(&form->values[FIELD_CLEANUP]), &work->upload.evicts, fault);
    if (err == OK && form->given[FIELD_NAME])
        err = file_take_name(work, buffer_text(&form->values[FIELD_NAME]), fault);
    if (err == OK && work->upload.name[0] == '\0')
        memcpy(work->upload.name, form->client_name, sizeof work->upload.name);
    return err;
}

void handle_file_form(struct exchange *exchange) {
    struct file_work *work = call_of(exchange)->work;
    struct fault fault = { .err = OK };

    if (read_fields(work->form, &fault) == OK)
        file_store(work);
    else
        refuse(exchange, &fault);
}
