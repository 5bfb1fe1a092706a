/* From one of our URLs to the blob behind it. */
#include "api/file/own_file.h"

#include "base/clock.h"
#include "blob/link.h"
#include "engine/file/inputs.h"

#define ARENA_MAX 4096

static enum err gone(const char *param, struct fault *fault) {
    return fault_set_param(fault, ERR_INVALID_URL, param, "The file behind this URL is no longer here.");
}

/* A file can be deleted before its link's time is over. */
static enum err find_row(struct api *api, const struct file_link *link, const char *param, struct own_file *own,
                         struct fault *fault) {
    struct file_row row;
    struct arena arena;

    arena_init(&arena, ARENA_MAX);
    enum err err = store_find_file(api->store, link->account, &link->id, &arena, &row);
    if (err == OK) {
        memcpy(own->blob.hash, row.hash, sizeof own->blob.hash);
        snprintf(own->name, sizeof own->name, "%.*s", TEXT_ARG(row.name));
    }
    arena_fini(&arena);
    if (err == ERR_NOT_FOUND)
        return gone(param, fault);
    return err == OK ? OK : fault_set(fault, err, "The file cannot be read.");
}

enum err own_file_find(struct api *api, struct text url, const char *param, struct own_file *ret, struct fault *fault) {
    const uint8_t *secret = store_secret(api->store);
    int64_t now_s = clock_wall_ms() / 1000;
    struct own_file own = { .name = "" };
    struct file_link file;
    struct link result;

    enum err err = link_check_url(url, secret, now_s, &result);
    if (err == OK) {
        memcpy(own.blob.hash, result.hash, sizeof own.blob.hash);
        snprintf(own.name, sizeof own.name, "%s", result.name);
    } else if (err == ERR_FILE_NOT_FOUND) {
        err = file_link_check_url(url, secret, now_s, &file);
        if (err == OK)
            err = find_row(api, &file, param, &own, fault);
        if (err == ERR_FILE_NOT_FOUND)
            return ERR_NOT_FOUND;
    }
    if (err == ERR_RESULT_EXPIRED)
        return gone(param, fault);
    if (err != OK)
        return err;
    struct text hash = text_of(own.blob.hash);
    err = blob_pin(api->blobs, hash, &own.blob);
    if (err == ERR_NOT_FOUND)
        return gone(param, fault);
    if (err != OK)
        return fault_set(fault, err, "The file cannot be read.");
    *ret = own;
    return OK;
}

void own_file_put_url(struct buffer *buf, struct api *api, const struct config *config, const char *hash,
                      struct text name) {
    buffer_put(buf, text_of(config->public_url != NULL ? config->public_url : OWN_FILE_HOST));
    link_put(buf, store_secret(api->store), hash, name, (clock_wall_ms() + INPUT_LIFE_MS) / 1000);
}
