/* Takes inline files out of a submission. What they are is told from their bytes, not from what the data URI claims. */
#include "api/task/intake.h"

#include <jansson.h>
#include <unistd.h>

#include "api/file/own_file.h"
#include "base/memory.h"
#include "blob/media_info.h"
#include "blob/media_type.h"
#include "catalog/catalog.h"
#include "catalog/param.h"
#include "config/config.h"
#include "engine/engine.h"
#include "engine/file/inputs.h"
#include "net/data_uri.h"

#define LINK_MAX 8192

struct taking {
    struct api *api;
    const struct config *config;
    bool stores; /* else all is only checked */
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
    enum err err = data_uri_is(value) ? data_uri_decode(value, (size_t)taking->config->input_max, ret, &reason)
                                      : base64_decode_bare(value, (size_t)taking->config->input_max, ret, &reason);
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

static enum err check_kind(struct taking *taking, const char *path, const struct param *param, const char *media_type) {
    if (accepts(text_of(param->accept), text_of(media_type)))
        return OK;
    return fault_set_param(taking->fault, ERR_INVALID_URL, path, "The file must be %s; its bytes are %s.",
                           media_noun(param->accept), media_type);
}

static enum err check_count(struct taking *taking, const char *path) {
    if (taking->count++ < SUBMISSION_INPUTS_MAX)
        return OK;
    return fault_set_param(taking->fault, ERR_OUT_OF_RANGE, path, "More than %d files inside one request.",
                           SUBMISSION_INPUTS_MAX);
}

/* Room for all at the first one: most submissions have none. */
static struct submission_input *add_input(struct submission *submission) {
    if (submission->inputs == NULL)
        submission->inputs = mem_new_array(SUBMISSION_INPUTS_MAX, sizeof *submission->inputs);
    return &submission->inputs[submission->input_count++];
}

static enum err store(struct taking *taking, const char *path, const struct param *param, const struct data_uri *file) {
    struct submission *submission = taking->submission;
    struct text bytes = { file->bytes, file->len };
    const char *media_type = media_type_sniff(bytes);
    struct submission_input input;
    struct fault reason = { .err = OK };

    if (file->len == 0)
        return fault_set_param(taking->fault, ERR_INVALID_URL, path, "The file is empty.");
    enum err err = check_kind(taking, path, param, media_type);
    struct media_info info = media_info_of_bytes(bytes);
    if (err == OK)
        err = media_info_check(&info, &param->limits, path, taking->fault);
    if (err == OK)
        err = check_count(taking, path);
    if (err != OK || !taking->stores)
        return err;
    err = blob_put_bytes(taking->api->blobs, bytes, taking->config->input_max, &input.blob, &reason);
    if (err != OK)
        return fault_set_param(taking->fault, err, path, "%s", reason.message);
    make_name(path, media_type, input.name, sizeof input.name);
    *add_input(submission) = input;
    return OK;
}

/* ---- files that lie here already ---- */

static enum err check_own(struct taking *taking, const char *path, const struct param *param, const struct blob *blob) {
    int64_t size = 0;
    int fd = -1;

    enum err err = check_kind(taking, path, param, blob->media_type);
    if (err == OK && blob->size > taking->config->input_max)
        err = fault_set_param(taking->fault, ERR_FILE_TOO_LARGE, path, "The file is larger than %lld bytes.",
                              (long long)taking->config->input_max);
    if (err == OK)
        err = check_count(taking, path);
    if (err != OK)
        return err;
    err = blob_open_fd(taking->api->blobs, text_of(blob->hash), &fd, &size);
    if (err != OK)
        return fault_set(taking->fault, err, "The file cannot be read.");
    struct media_info info = media_info_of_file(fd);
    close(fd);
    return media_info_check(&info, &param->limits, path, taking->fault);
}

/* NULL: the value stays, or taking->err says why it cannot. */
static json_t *take_own(struct taking *taking, const char *path, const struct param *param, struct text url) {
    struct submission *submission = taking->submission;
    struct submission_input input;
    struct own_file own;
    struct buffer link;

    enum err err = own_file_find(taking->api, url, path, &own, taking->fault);
    if (err == ERR_NOT_FOUND)
        return NULL;
    if (err == OK) {
        err = check_own(taking, path, param, &own.blob);
        if (err != OK || !taking->stores)
            blob_unpin(taking->api->blobs, &own.blob);
    }
    taking->err = err;
    if (err != OK || !taking->stores)
        return NULL;
    input.blob = own.blob;
    make_name(path, own.blob.media_type, input.name, sizeof input.name);
    *add_input(submission) = input;
    buffer_init(&link, LINK_MAX);
    own_file_put_url(&link, taking->api, taking->config, own.blob.hash, text_of(input.name));
    json_t *value = buffer_ok(&link) ? json_stringn(link.data, link.len) : NULL;
    buffer_fini(&link);
    if (value == NULL)
        taking->err = fault_set(taking->fault, ERR_NO_MEMORY, "No memory for a link to an input file.");
    return value;
}

static json_t *take_one(const char *path, const struct param *param, const char *value, void *context) {
    struct taking *taking = context;
    struct text text = text_of(value);
    struct data_uri file;

    if (taking->err != OK)
        return NULL;
    if (!data_uri_is(text) && !base64_is_bare(text))
        return take_own(taking, path, param, text);
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
    if (taking->err != OK || !taking->stores)
        return NULL;
    const struct submission_input *input = &taking->submission->inputs[taking->submission->input_count - 1];
    json_t *reference = json_sprintf(INPUT_BLOB_PREFIX "%s/%s", input->blob.hash, input->name);
    if (reference == NULL)
        taking->err = fault_set(taking->fault, ERR_NO_MEMORY, "No memory for a reference to an input file.");
    return reference;
}

enum err intake(struct api *api, const struct config *config, bool stores, bool takes_files,
                struct submission *submission, struct fault *fault) {
    struct taking taking = { api, config, stores, takes_files, submission, fault, OK, 0 };
    model_each_media(submission->model, submission->input, take_one, &taking);
    return taking.err;
}
