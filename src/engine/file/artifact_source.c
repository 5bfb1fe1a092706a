/* Artifacts whose bytes are at hand: files of the attempt, bytes inside the reply, samples; and the end of what was
 * fetched. */
#include <stdlib.h>
#include <unistd.h>

#include <jansson.h>

#include "base/crypto.h"
#include "base/inline_file.h"
#include "base/memory.h"
#include "blob/media_info.h"
#include "engine/file/artifacts_inside.h"
#include "engine/state.h"
#include "net/data_uri.h"
#include "provider/exec/files.h"
#include "provider/sample/sample.h"

#define COPY_SIZE 65536

struct text artifact_member(const json_t *source, const char *key) {
    const json_t *value = json_object_get(source, key);
    struct text t = { json_string_value(value), json_string_length(value) };
    return t.len > 0 ? t : TEXT_NONE;
}

static enum err finish(struct artifact *item, struct blob_writer *writer) {
    return blob_finish_small(writer, item->all->small_max, &item->blob, &item->fault);
}

static enum err take_file(struct artifact *item, struct text name) {
    struct artifact_store *all = item->all;
    struct blob_writer *writer;
    char bytes[COPY_SIZE];
    int fd = -1;
    int64_t size;
    ssize_t count = -1;

    if (all->work_directory == NULL)
        return fault_set(&item->fault, ERR_FETCH, "a file without a work directory");
    enum err err = exec_file_open(all->work_directory, name.ptr, all->size_max, &fd, &size, &item->fault);
    if (err != OK)
        return err;
    err = blob_writer_new(all->engine->blobs, all->size_max, &writer, &item->fault);
    if (err != OK) {
        close(fd);
        return err;
    }
    while (err == OK && (count = read(fd, bytes, sizeof(bytes))) > 0)
        err = blob_write(writer, bytes, (size_t)count);
    close(fd);
    if (err == OK && count == 0)
        return finish(item, writer);
    blob_abort(writer);
    return err != OK ? err : ERR_IO;
}

static enum err store_bytes(struct artifact *item, struct text bytes) {
    const struct artifact_store *all = item->all;
    item->empty = bytes.len == 0;
    return blob_put_small(all->engine->blobs, bytes, all->size_max, all->small_max, &item->blob, &item->fault);
}

static enum err take_sample(struct artifact *item, struct text kind) {
    struct buffer buf;
    (void)kind;
    buffer_init(&buf, (size_t)item->all->size_max);
    enum err err = sample_make(item->source, &buf);
    if (err == OK)
        err = store_bytes(item, buffer_text(&buf));
    buffer_fini(&buf);
    return err;
}

static enum err take_data_uri(struct artifact *item, struct text uri) {
    struct data_uri file;
    enum err err = data_uri_decode(uri, (size_t)item->all->size_max, &file, &item->fault);
    if (err != OK)
        return err == ERR_FILE_TOO_LARGE || err == ERR_NO_MEMORY ? err : ERR_FETCH;
    err = store_bytes(item, (struct text){ file.bytes, file.len });
    data_uri_fini(&file);
    return err;
}

/* Bytes given inside the reply itself, which is bounded already. */
static enum err take_encoded(struct artifact *item, struct text encoded, bool hex) {
    size_t size = hex ? encoded.len / 2 + 1 : base64_decoded_max(encoded.len) + 1;
    scoped(mem_free_pointer) uint8_t *bytes = malloc(size);
    size_t len = encoded.len / 2;
    if (bytes == NULL)
        return ERR_NO_MEMORY;
    bool good = hex ? encoded.len % 2 == 0 && hex_decode(encoded, bytes, len)
                    : base64_decode(encoded, bytes, size, &len);
    if (!good)
        return fault_set(&item->fault, ERR_FETCH, "the artifact's bytes are not valid %s", hex ? "hex" : "base64");
    return store_bytes(item, (struct text){ (const char *)bytes, len });
}

/* Some services put a data URI where others have base64 alone. */
static enum err take_base64(struct artifact *item, struct text encoded) {
    return data_uri_is(encoded) ? take_data_uri(item, encoded) : take_encoded(item, encoded, false);
}

static enum err take_hex(struct artifact *item, struct text encoded) {
    return take_encoded(item, encoded, true);
}

static const struct {
    const char *member;
    enum err (*take)(struct artifact *item, struct text value);
} sources[] = {
    { "url", take_data_uri }, /* every other URL was fetched */
    { "file", take_file },
    { "base64", take_base64 },
    { "hex", take_hex },
    { "generate", take_sample },
};

/* A sample is shorter than what it stands for, and says how long that would be. */
int64_t artifact_seconds(const struct artifact *item) {
    struct media_info info = { 0 };
    int64_t size;
    int fd;

    if (item->url == NULL && artifact_member(item->source, "generate").ptr != NULL) {
        info.seconds = json_number_value(json_object_get(item->source, "seconds"));
    } else if (item->blob.bytes != NULL) {
        info = media_info_of_bytes(blob_bytes(&item->blob));
    } else if (blob_open_fd(item->all->engine->blobs, text_of(item->blob.hash), &fd, &size) == OK) {
        info = media_info_of_file(fd);
        close(fd);
    }
    return media_info_begun_seconds(&info);
}

enum err artifact_take(struct artifact *item) {
    item->empty = false;
    if (item->writer != NULL) {
        struct blob_writer *writer = item->writer;
        item->writer = NULL;
        return finish(item, writer);
    }
    for (size_t i = 0; i < ARRAY_SIZE(sources); i++) {
        struct text value = artifact_member(item->source, sources[i].member);
        if (value.ptr != NULL)
            return sources[i].take(item, value);
    }
    return fault_set(&item->fault, ERR_FETCH, "an artifact's source is of no known kind");
}
