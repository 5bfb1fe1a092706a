/* POST /v1/files/upload/base64 and /v1/files/upload/url: a file inside a JSON body, or where one is. */
#include <jansson.h>
#include <stdlib.h>

#include "api/body.h"
#include "api/file/file.h"
#include "api/file/own_file.h"
#include "base/crypto.h"
#include "base/json.h"
#include "base/memory.h"
#include "net/data_uri.h"

#define JSON_DEPTH_MAX 4
#define URL_MAX 8192

/* ---- the body ---- */

static enum err read_options(struct file_work *work, json_t *body, struct fault *fault) {
    const json_t *name = json_object_get(body, "file_name"), *cleanup = json_object_get(body, "auto_cleanup");

    if (name != NULL && !json_is_null(name) && !json_is_string(name))
        return fault_set_param(fault, ERR_INVALID_TYPE, "file_name", "The field file_name must be a string.");
    if (cleanup != NULL && !json_is_null(cleanup) && !json_is_boolean(cleanup))
        return fault_set_param(fault, ERR_INVALID_TYPE, "auto_cleanup", "The field auto_cleanup must be true or false.");
    if (json_is_boolean(cleanup))
        work->upload.evicts = json_is_true(cleanup);
    return json_is_string(name) ? file_take_name(work, json_text_of(name), fault) : OK;
}

/* Everything but what the file is made of; the body is the caller's to release. */
static enum err read_body(struct exchange *exchange, const char *source, struct file_work **ret, json_t **ret_body,
                          struct text *ret_source, struct fault *fault) {
    const char *const known[] = { source, "file_name", "auto_cleanup", NULL };
    enum err err = file_begin(exchange, ret, fault);
    if (err == OK)
        err = read_json_body(exchange, JSON_DEPTH_MAX, ret_body, fault);
    if (err == OK)
        err = check_fields(*ret_body, known, fault);
    if (err == OK)
        err = read_text_field(*ret_body, source, ret_source, fault);
    if (err == OK)
        err = read_options(*ret, *ret_body, fault);
    return err;
}

/* ---- base64 ---- */

static enum err decode_bare(struct text value, struct data_uri *ret, struct fault *fault) {
    size_t size = base64_decoded_max(value.len) + 1;
    ret->bytes = malloc(size);
    if (ret->bytes == NULL)
        return fault_set(fault, ERR_NO_MEMORY, "No memory for %zu bytes.", size);
    if (base64_decode(value, (uint8_t *)ret->bytes, size, &ret->len))
        return OK;
    return fault_set_param(fault, ERR_INVALID_PARAM, "file_data", "The field file_data is neither base64 nor a data URL.");
}

static enum err decode(struct text value, int64_t size_max, struct data_uri *ret, struct fault *fault) {
    struct fault reason = { .err = OK };
    if (!data_uri_is(value))
        return decode_bare(value, ret, fault);
    enum err err = data_uri_decode(value, (size_t)size_max, ret, &reason);
    if (err == ERR_INVALID_URL)
        err = ERR_INVALID_PARAM;
    return err == OK ? OK : fault_set_param(fault, err, "file_data", "%s", reason.message);
}

static enum err write_file(struct file_work *work, struct text value, struct fault *fault) {
    struct data_uri file scoped(data_uri_fini) = { .bytes = NULL };
    struct upload *upload = &work->upload;

    enum err err = decode(value, upload->size_max, &file, fault);
    if (err != OK)
        return err;
    if (file.len == 0)
        return fault_set_param(fault, ERR_OUT_OF_RANGE, "file_data", "The file is empty.");
    err = blob_writer_new(api_of(work->exchange)->blobs, upload->size_max, &upload->writer, fault);
    if (err == OK)
        err = blob_write(upload->writer, file.bytes, file.len);
    if (err == ERR_FILE_TOO_LARGE)
        return fault_set_param(fault, err, "file_data", "The file is larger than %lld bytes.",
                               (long long)upload->size_max);
    return err == OK ? OK : fault_set(fault, err, "The file could not be stored; try again.");
}

void handle_file_base64(struct exchange *exchange) {
    json_t *scoped(json_release) body = NULL;
    struct fault fault = { .err = OK };
    struct file_work *work;
    struct text value;

    enum err err = read_body(exchange, "file_data", &work, &body, &value, &fault);
    if (err == OK)
        err = write_file(work, value, &fault);
    if (err == OK)
        file_store(work);
    else
        refuse(exchange, &fault);
}

/* ---- url ---- */

/* What lies here already is not asked of ourselves. */
static enum err find_source(struct file_work *work, struct text url, struct fault *fault) {
    struct upload *upload = &work->upload;
    struct own_file own;

    enum err err = own_file_find(api_of(work->exchange), url, "url", &own, fault);
    if (err == ERR_NOT_FOUND) {
        work->url = mem_string(url.ptr);
        upload->url = text_of(work->url);
        return OK;
    }
    if (err != OK)
        return err;
    upload->blob = own.blob;
    upload->pinned = true;
    if (upload->name[0] == '\0')
        memcpy(upload->name, own.name, sizeof upload->name);
    return OK;
}

void handle_file_url(struct exchange *exchange) {
    json_t *scoped(json_release) body = NULL;
    struct fault fault = { .err = OK };
    struct file_work *work;
    struct text url;

    enum err err = read_body(exchange, "url", &work, &body, &url, &fault);
    if (err == OK && url.len > URL_MAX)
        err = fault_set_param(&fault, ERR_TOO_LONG, "url", "The field url has more than %d bytes.", URL_MAX);
    if (err == OK)
        err = find_source(work, url, &fault);
    if (err == OK)
        file_store(work);
    else
        refuse(exchange, &fault);
}
