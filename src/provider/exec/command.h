/* Where the command of a local model lies. Pure look-up of configuration and files, any thread. */
#pragma once

#include <stdbool.h>

#include "base/buffer.h"
#include "base/compiler.h"

struct config;

/* Finds the executable file `name` (a route's target): an absolute path is taken as it is; a bare name is looked for in
 * config->libexec when that is set, else in ../libexec/fennec and ../libexec beside the running binary. The buffer becomes
 * the absolute path. False when there is no such executable file, or the name could lead elsewhere ("../x", "a/b", ""):
 * the buffer then names the place that was looked at last, for a message. */
bool exec_find_command(const struct config *config, const char *name, struct buffer *path) must_check;

/* Whether there is a file that can be executed. One that cannot be looked at now, for want of memory or by a fault of the disk,
 * counts as there: what the machine lacks is no mistake of a submission, and the start will tell. */
bool exec_is_executable(const char *path) must_check;

/* Appends the path, with the current directory before it when it is relative: a command runs in a directory of its own. */
void exec_put_absolute(struct buffer *buf, const char *path);
