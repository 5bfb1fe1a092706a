/* A file of bytes that came, from its first byte to its place. */
#include "remote/reply_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/memory.h"

#define PATH_SIZE 4096
#define NAMES_MAX 1000

void reply_file_init(struct reply_file *file, const char *place) {
    *file = (struct reply_file){ .place = place, .fd = -1 };
}

static enum err make(struct reply_file *file) {
    char path[PATH_SIZE];
    if (snprintf(path, sizeof(path), "%s/reply-XXXXXX", file->place) >= PATH_SIZE) {
        return ERR_IO;
    }
    file->fd = mkostemp(path, O_CLOEXEC);
    if (file->fd < 0) {
        return errno == ENOSPC || errno == EDQUOT ? ERR_NO_SPACE : ERR_IO;
    }
    file->path = mem_string(path);
    return OK;
}

enum err reply_file_write(struct reply_file *file, const void *bytes, size_t count) {
    const char *at = bytes;
    enum err err = file->fd >= 0 ? OK : make(file);
    while (err == OK && count > 0) {
        ssize_t written = write(file->fd, at, count);
        if (written < 0 && errno != EINTR) {
            err = errno == ENOSPC || errno == EDQUOT ? ERR_NO_SPACE : ERR_IO;
        } else if (written > 0) {
            at += written;
            count -= (size_t)written;
        }
    }
    return err;
}

enum err reply_file_hand_over(struct reply_file *file, const char *directory, char ret_name[REPLY_FILE_NAME_SIZE]) {
    for (unsigned i = 1; i < NAMES_MAX; i++) {
        char path[PATH_SIZE];
        snprintf(ret_name, REPLY_FILE_NAME_SIZE, "reply-%u", i);
        if (snprintf(path, sizeof(path), "%s/%s", directory, ret_name) >= PATH_SIZE) {
            return ERR_IO;
        }
        if (faccessat(AT_FDCWD, path, F_OK, AT_SYMLINK_NOFOLLOW) == 0) {
            continue;
        }
        if (rename(file->path, path) != 0) {
            return ERR_IO;
        }
        free(file->path);
        file->path = NULL;
        return OK;
    }
    return ERR_IO;
}

void reply_file_fini(struct reply_file *file) {
    if (file->path != NULL) {
        unlink(file->path);
        free(file->path);
    }
    if (file->fd >= 0) {
        close(file->fd);
    }
    reply_file_init(file, file->place);
}
