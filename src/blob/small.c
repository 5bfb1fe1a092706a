/* Small files, asked of whoever keeps the rows: a copy, or a file in memory that reads like any other. */
#include "blob/small.h"

#include <errno.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/buffer.h"
#include "blob/directory.h"
#include "blob/media_type.h"

void blob_set_small(struct blob_store *store,
    enum err (*find)(void *context, struct text hash, struct buffer *ret), void *context) {
    store->find_small = find;
    store->small_context = context;
}

/* The buffer is the caller's to end, whatever is returned. */
static enum err find(struct blob_store *store, struct text hash, struct buffer *ret) {
    buffer_init(ret, BLOB_SMALL_MAX);
    return store->find_small != NULL ? store->find_small(store->small_context, hash, ret) : ERR_NOT_FOUND;
}

enum err small_copy(struct blob_store *store, struct text hash, struct blob *ret) {
    struct buffer bytes scoped(buffer_fini);
    enum err err = find(store, hash, &bytes);
    if (err == OK) {
        ret->size = (int64_t)bytes.len;
        ret->media_type = media_type_sniff(buffer_text(&bytes));
        ret->bytes = buffer_take(&bytes);
    }
    return err;
}

enum err small_open(struct blob_store *store, struct text hash, int *ret_fd, int64_t *ret_size) {
    struct buffer bytes scoped(buffer_fini);
    enum err err = find(store, hash, &bytes);
    if (err != OK) {
        return err;
    }
    int fd = memfd_create("blob", MFD_CLOEXEC);
    if (fd < 0 || pwrite(fd, bytes.data, bytes.len, 0) != (ssize_t)bytes.len) {
        err = blob_system_error(errno);
        blob_close_fd(&fd);
        return err;
    }
    *ret_fd = fd;
    *ret_size = (int64_t)bytes.len;
    return OK;
}
