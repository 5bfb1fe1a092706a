/* The files that a local command's result refers to: opened so that a name can lead nowhere else.
 *
 * Blocking calls, but only a handful of them per name; any thread. */
#pragma once

#include <stdint.h>

#include "base/errors.h"

struct json_t;

/* Opens `name` below `work_directory` for reading: a relative path without "." and "..", no symbolic link anywhere in it,
 * a regular file of 1 to `max` bytes. Otherwise ERR_FETCH, and the fault's words are fit for the task's owner; ERR_IO when
 * the machine has no descriptor or no memory for it, or cannot read its disk. The caller closes *ret_fd. */
enum err exec_file_open(const char *work_directory, const char *name, int64_t max, int *ret_fd, int64_t *ret_size,
                        struct fault *fault) must_check;

/* Checks every {"file": name} in `result`, at any depth, in the same way. */
enum err exec_files_check(const char *work_directory, const struct json_t *result, int64_t max, struct fault *fault)
    must_check;

/* Whether the directory holds at most `max_bytes` and `max_entries`, everything below it counted, links not followed.
 * *ret_bytes becomes what was counted; the count stops once a limit is passed. A directory that cannot be read passes
 * no limit. */
bool exec_files_within(const char *directory, int64_t max_bytes, unsigned max_entries, int64_t *ret_bytes);
