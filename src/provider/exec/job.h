/* What a local command gets: its job on standard input, the guard's arguments, an environment. Engine's thread only. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/errors.h"
#include "provider/exec/guard.h"

#define EXEC_JOB_MAX ((size_t)64 << 20)

struct attempt;
struct bridge;

/* Appends {"task", "model", "input", "files": {parameter: absolute path}} and an end of line. The input is the route's. */
enum err exec_put_job(struct bridge *bridge, const struct attempt *attempt, struct buffer *job, struct fault *fault) must_check;

/* The guard's command line and environment, which the command inherits: nothing of the server's own, which holds its secrets. */
struct exec_arguments {
    char numbers[4][24];
    struct buffer directory, home, temporary;
    char *list[2 + EXEC_GUARD_ARGUMENT_COUNT + 1]; /* ends with NULL, as does the next */
    char *environment[5];
};
/* `command` must live as long. False: a path is too long; exec_arguments_fini is called in either case. */
bool exec_arguments_init(struct exec_arguments *arguments, const struct attempt *attempt, const char *command,
                         int64_t grace_ms, int64_t file_max) must_check;
void exec_arguments_fini(struct exec_arguments *arguments);
