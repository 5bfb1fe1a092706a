/* Reads files of ours for a language model. */
#include "api/chat/files.h"

#include <jansson.h>
#include <stdlib.h>
#include <unistd.h>

#include "api/file/own_file.h"
#include "base/inline_file.h"
#include "base/json.h"
#include "base/memory.h"
#include "blob/media_type.h"

#define DATA_URI_HEAD_MAX 160

static const char *const kinds[] = { "image_url", "video_url", "audio_url", "file_url" };

struct taking {
    struct api *api;
    const struct config *config;
    struct fault *fault;
    int64_t left; /* bytes that may still come inside */
    char param[128];
};

static bool read_all(int fd, uint8_t *ret, int64_t size) {
    for (int64_t got = 0; got < size;) {
        ssize_t count = pread(fd, ret + got, (size_t)(size - got), (off_t)got);
        if (count <= 0)
            return false;
        got += count;
    }
    return true;
}

static void close_fd(int *fd) {
    if (*fd >= 0)
        close(*fd);
}

/* NULL: it cannot be read, or there is no memory. */
static json_t *make_data_uri(struct taking *taking, const struct own_file *own) {
    int fd scoped(close_fd) = -1;
    int64_t size = 0;
    if (blob_open_fd(taking->api->blobs, text_of(own->blob.hash), &fd, &size) != OK || size != own->blob.size)
        return NULL;
    uint8_t *bytes scoped(mem_free_pointer) = malloc((size_t)size);
    size_t room = base64_encoded_size((size_t)size) + DATA_URI_HEAD_MAX;
    char *uri scoped(mem_free_pointer) = malloc(room);
    if (bytes == NULL || uri == NULL || !read_all(fd, bytes, size))
        return NULL;
    int head = snprintf(uri, DATA_URI_HEAD_MAX, "data:%s;base64,",
                        media_type_named(own->blob.media_type, text_of(own->name)));
    base64_encode(bytes, (size_t)size, uri + head);
    return json_string_nocheck(uri);
}

/* The value to put in the URL's place; NULL with OK: it stays. */
static enum err take(struct taking *taking, struct text url, json_t **ret) {
    struct own_file own;

    enum err err = own_file_find(taking->api, url, taking->param, &own, taking->fault);
    if (err != OK)
        return err == ERR_NOT_FOUND ? OK : err;
    if (own.blob.size <= taking->left) {
        taking->left -= own.blob.size;
        *ret = make_data_uri(taking, &own);
        if (*ret == NULL)
            err = fault_set(taking->fault, ERR_IO, "A file cannot be read.");
    } else if (taking->config->public_url == NULL) {
        err = fault_set_param(taking->fault, ERR_FILE_TOO_LARGE, taking->param,
                              "The request's files are larger than the %lld bytes that fit into a request.",
                              (long long)INLINE_FILES_MAX);
    }
    blob_unpin(taking->api->blobs, &own.blob);
    return err;
}

static enum err take_member(struct taking *taking, json_t *holder, const char *member) {
    struct text url = json_text_of(json_object_get(holder, member));
    json_t *value = NULL;

    if (url.ptr == NULL)
        return OK;
    enum err err = take(taking, url, &value);
    if (value != NULL && json_object_set_new(holder, member, value) != 0)
        err = fault_set(taking->fault, ERR_NO_MEMORY, "No memory for a file.");
    return err;
}

/* A URL is the kind's own value, or the member `url` of it. */
static enum err take_part(struct taking *taking, json_t *part, size_t message, size_t number) {
    enum err err = OK;

    for (size_t i = 0; i < ARRAY_SIZE(kinds) && err == OK; i++) {
        json_t *value = json_object_get(part, kinds[i]);
        if (value == NULL)
            continue;
        bool within = json_is_object(value);
        snprintf(taking->param, sizeof taking->param, "messages[%zu].content[%zu].%s%s", message, number, kinds[i],
                 within ? ".url" : "");
        err = within ? take_member(taking, value, "url") : take_member(taking, part, kinds[i]);
    }
    return err;
}

enum err chat_take_files(struct api *api, const struct config *config, struct json_t *request, struct fault *fault) {
    struct taking taking = { .api = api, .config = config, .fault = fault, .left = INLINE_FILES_MAX };
    size_t i, k;
    json_t *message, *part;

    json_array_foreach(json_object_get(request, "messages"), i, message)
        json_array_foreach(json_object_get(message, "content"), k, part) {
            enum err err = take_part(&taking, part, i, k);
            if (err != OK)
                return err;
        }
    return OK;
}
