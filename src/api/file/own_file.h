/* URLs that we have given away ourselves, on whatever host: uploaded files and results of tasks. They are recognised by
 * their signature, and whoever has one may use it, as with any download link. */
#pragma once

#include "api/internal.h"
#include "blob/blob.h"
#include "blob/file_name.h"

struct own_file {
    struct blob blob; /* pinned; the caller unpins it */
    char name[FILE_NAME_SIZE];
};

/* ERR_NOT_FOUND, without words: it is none of ours. ERR_INVALID_URL, the fault naming `param`: its time is over, or the file
 * was deleted. HTTP thread. */
enum err own_file_find(struct api *api, struct text url, const char *param, struct own_file *ret,
                       struct fault *fault) must_check;
/* Appends a URL of ours for a blob that a task claims, good for as long as a task may wait and run: below the setting
 * public_url, or where there is none on a host that nobody has, since we do not ask it. */
#define OWN_FILE_HOST "http://fennec.invalid"
void own_file_put_url(struct buffer *buf, struct api *api, const struct config *config, const char *hash,
                      struct text name);
