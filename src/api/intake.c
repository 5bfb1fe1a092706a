/* Takes inline files out of a submission. What they are is told from their bytes, not from what the data URI claims. */
#include "api/intake.h"

#include <jansson.h>

#include "blob/media_info.h"
#include "blob/media_type.h"
#include "catalog/catalog.h"
#include "catalog/param.h"
#include "engine/engine.h"
#include "engine/inputs.h"
#include "net/data_uri.h"

#define SNIFF_SIZE 512

struct taking {
    struct blob_store *blobs;
    int64_t input_max;
    bool takes_files;
    struct submission *submission;
    struct fault *fault;
    enum err err;
    unsigned count; /* of files so far */
};

/* "image" wants image/…; sound may come in a container that is named after video; "file" takes all. */
static bool accepts(struct text accept, struct text media_type) {
    if (!text_equal(accept, TEXT("image")) && !text_equal(accept, TEXT("video")) && !text_equal(accept, TEXT("audio")))
        return true;
    if (text_starts(media_type, accept) && media_type.len > accept.len && media_type.ptr[accept.len] == '/')
        return true;
    return text_equal(accept, TEXT("audio")) && text_starts(media_type, TEXT("video/"));
}

static enum err decode(struct taking *taking, const char *path, struct text value, struct data_uri *ret) {
    struct fault reason = { .err = OK };
    enum err err = data_uri_is(value) ? data_uri_decode(value, (size_t)taking->input_max, ret, &reason)
                                      : base64_decode_bare(value, (size_t)taking->input_max, ret, &reason);
    return err == OK ? OK : fault_set_param(taking->fault, err, path, "%s", reason.message);
}

/* audio_url.wav, image_urls_2_.png */
static void make_name(const char *path, const char *media_type, char *ret, size_t size) {
    int length = snprintf(ret, size - 8, "%s", path);
    if (length < 0 || (size_t)length >= size - 8)
        length = (int)size - 9;
    for (char *c = ret; *c != '\0'; c++)
        if (!((*c >= 'a' && *c <= 'z') || (*c >= 'A' && *c <= 'Z') || (*c >= '0' && *c <= '9') || *c == '_' ||
              *c == '.'))
            *c = '_';
    snprintf(ret + length, size - (size_t)length, ".%s", media_type_extension(media_type));
}

static enum err store(struct taking *taking, const char *path, const struct param *param, const struct data_uri *file) {
    struct submission *submission = taking->submission;
    struct text bytes = { file->bytes, file->len };
    const char *media_type =
        media_type_sniff((struct text){ bytes.ptr, bytes.len < SNIFF_SIZE ? bytes.len : SNIFF_SIZE });
    struct submission_input input;
    struct fault reason = { .err = OK };

    if (file->len == 0)
        return fault_set_param(taking->fault, ERR_INVALID_URL, path, "The file is empty.");
    if (!accepts(text_of(param->accept), text_of(media_type)))
        return fault_set_param(taking->fault, ERR_INVALID_URL, path, "The file must be %s; its bytes are %s.",
                               media_noun(param->accept), media_type);
    struct media_info info = media_info_of_bytes(bytes);
    enum err err = media_info_check(&info, &param->limits, path, taking->fault);
    if (err != OK)
        return err;
    if (taking->count++ == SUBMISSION_INPUTS_MAX)
        return fault_set_param(taking->fault, ERR_OUT_OF_RANGE, path, "More than %d files inside one request.",
                               SUBMISSION_INPUTS_MAX);
    if (taking->blobs == NULL)
        return OK;
    err = blob_put_bytes(taking->blobs, bytes, taking->input_max, &input.blob, &reason);
    if (err != OK)
        return fault_set_param(taking->fault, err, path, "%s", reason.message);
    make_name(path, media_type, input.name, sizeof input.name);
    submission->inputs[submission->input_count++] = input;
    return OK;
}

static json_t *take_one(const char *path, const struct param *param, const char *value, void *context) {
    struct taking *taking = context;
    struct text text = text_of(value);
    struct data_uri file;

    if (taking->err != OK || !(data_uri_is(text) || base64_is_bare(text)))
        return NULL;
    if (!taking->takes_files) {
        taking->err = fault_set_param(taking->fault, ERR_INVALID_URL, path,
                                      "Files inside a request can be handed on to this model's service only when the "
                                      "server's setting public_url is there; give a URL instead.");
        return NULL;
    }
    taking->err = decode(taking, path, text, &file);
    if (taking->err != OK)
        return NULL;
    taking->err = store(taking, path, param, &file);
    data_uri_fini(&file);
    if (taking->err != OK || taking->blobs == NULL)
        return NULL;
    const struct submission_input *input = &taking->submission->inputs[taking->submission->input_count - 1];
    json_t *reference = json_sprintf(INPUT_BLOB_PREFIX "%s/%s", input->blob.hash, input->name);
    if (reference == NULL)
        taking->err = fault_set(taking->fault, ERR_NO_MEMORY, "No memory for a reference to an input file.");
    return reference;
}

enum err intake(struct blob_store *blobs, int64_t input_max, bool takes_files, struct submission *submission,
                struct fault *fault) {
    struct taking taking = { blobs, input_max, takes_files, submission, fault, OK, 0 };
    model_each_media(submission->model, submission->input, take_one, &taking);
    return taking.err;
}
