/* Input files for drivers that need them at hand: fetched or copied into the work directory, and named by what they are. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/memory.h"
#include "blob/media_type.h"
#include "engine/attempt/run.h"
#include "engine/file/inputs_inside.h"
#include "engine/state.h"

#define PATH_SIZE 4096
#define COPY_SIZE 65536

static unsigned number_of(const struct input_file *file) {
    return (unsigned)(file - file->all->files) + 1;
}

static bool open_file(struct input_file *file) {
    char path[PATH_SIZE];
    snprintf(path, sizeof(path), "%s/input-%u.part", file->all->run->work_directory, number_of(file));
    free(file->path);
    file->path = mem_string(path);
    file->fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (file->fd < 0)
        input_fail(file->all, TASK_ERROR_UNAVAILABLE, true, strerror(errno), "%s: the file could not be stored.",
                   file->param);
    return file->fd >= 0;
}

static enum err write_file(struct input_file *file, const void *bytes, size_t count) {
    for (const char *at = bytes; count > 0;) {
        ssize_t written = write(file->fd, at, count);
        if (written < 0)
            return errno == ENOSPC ? ERR_NO_SPACE : ERR_IO;
        at += written;
        count -= (size_t)written;
    }
    return OK;
}

/* A whole one is still looked at. */
static void close_file(struct input_file *file, bool whole) {
    if (!whole && file->fd >= 0) {
        close(file->fd);
        file->fd = -1;
    }
}

static bool copy_bytes(int from, struct input_file *to) {
    char bytes[COPY_SIZE];
    ssize_t count;
    while ((count = read(from, bytes, sizeof(bytes))) > 0)
        if (write_file(to, bytes, (size_t)count) != OK)
            return false;
    return count == 0;
}

static void copy_blob(struct input_file *file) {
    struct input_files *all = file->all;
    int from = -1;
    int64_t size = 0;
    enum err err = blob_open_fd(all->run->engine->blobs, text_of(file->link.hash), &from, &size);
    if (err != OK) {
        input_fail_open(file, err);
        return;
    }
    if (size > all->size_max)
        input_fail(all, TASK_ERROR_INVALID_PARAMETERS, false, NULL, "%s: the file is larger than %lld bytes.",
                   file->param, (long long)all->size_max);
    else if (open_file(file) && !copy_bytes(from, file))
        input_fail(all, TASK_ERROR_UNAVAILABLE, true, strerror(errno), "%s: the file could not be copied.", file->param);
    close(from);
}

static void name_file(struct input_file *file) {
    char path[PATH_SIZE];
    snprintf(path, sizeof(path), "%s/input-%u.%s", file->all->run->work_directory, number_of(file),
             media_type_extension(file->media_type));
    if (rename(file->path, path) != 0) {
        input_fail(file->all, TASK_ERROR_UNAVAILABLE, true, strerror(errno), "%s: the file could not be stored.",
                   file->param);
        return;
    }
    free(file->path);
    file->path = mem_string(path);
}

static void make_ready(struct input_files *all) {
    for (unsigned i = 0; i < all->count && !input_failed(all); i++) {
        struct input_file *file = &all->files[i];
        if (file->origin != INPUT_OUTSIDE)
            copy_blob(file);
        if (!input_failed(all))
            input_inspect(file, file->fd);
        if (!input_failed(all))
            name_file(file);
        close_file(file, false);
    }
}

static void show_files(struct input_files *all) {
    struct run *run = all->run;
    all->shown = mem_new_array(all->count, sizeof(*all->shown));
    for (unsigned i = 0; i < all->count; i++)
        all->shown[i] = (struct attempt_file){ all->files[i].param, all->files[i].path, all->files[i].media_type };
    run->attempt.files = all->shown;
    run->attempt.file_count = all->count;
    all->ready(run);
}

/* The file itself goes with the work directory. */
static void drop_file(struct input_file *file) {
    close_file(file, false);
    free(file->path);
}

void inputs_start(struct run *run, void (*ready)(struct run *run)) {
    static const struct input_way to_directory = { open_file, write_file, close_file, make_ready, show_files, drop_file };
    struct input_files *all = inputs_list(run, ready, &to_directory);
    if (input_failed(all))
        inputs_give_up(all);
    else if (all->count == 0)
        ready(run);
    else
        inputs_bring(all, NULL);
}
