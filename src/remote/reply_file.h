/* A binary reply: a file without an owner while it comes, and the attempt's once it is whole. */
#pragma once

#include <stddef.h>

#include "base/errors.h"

#define REPLY_FILE_NAME_SIZE 32

/* One thread at a time. */
struct reply_file {
    const char *place; /* the directory where it is until then; on the same file system as the attempts' */
    char *path;        /* NULL: there is none, or it was handed over */
    int fd;            /* open for reading as well; -1: no byte came */
};

void reply_file_init(struct reply_file *file, const char *place);
/* Appends; the file is made with the first byte. ERR_NO_SPACE, ERR_IO. Any thread. */
enum err reply_file_write(struct reply_file *file, const void *bytes, size_t count) must_check;
/* Moves it into the directory, which is the caller's alone, under a name that is none there yet ("reply-1", …). ERR_IO. */
enum err reply_file_hand_over(struct reply_file *file, const char *directory, char ret_name[REPLY_FILE_NAME_SIZE])
    must_check;
/* Closes it; it is removed unless it was handed over. */
void reply_file_fini(struct reply_file *file);
