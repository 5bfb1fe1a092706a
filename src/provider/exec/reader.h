/* What a local command says on its standard output, line by line: progress, result, error.
 *
 *   progress N          0 to 100
 *   result {…}          one JSON object, once, at most EXEC_LINE_MAX bytes
 *   error CODE message  a task error code of the contract and words for the task's owner
 *
 * Other lines are kept as a tail for operators. Pure; one thread at a time. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/buffer.h"
#include "core/task.h"

#define EXEC_LINE_MAX ((size_t)4 << 20)
#define EXEC_TAIL_SIZE 4096
#define EXEC_MESSAGE_SIZE 600

struct json_t;

/* The last bytes of a stream. */
struct exec_tail {
    size_t len;
    char bytes[EXEC_TAIL_SIZE];
};
void exec_tail_add(struct exec_tail *tail, const char *bytes, size_t count);

struct exec_reader {
    struct buffer line;   /* what came since the last end of line */
    bool line_too_long;   /* the rest of this line is dropped */
    int progress;         /* never goes down; -1: none yet */
    unsigned results;     /* result lines, well formed or not */
    struct json_t *result; /* of the first one, when it is well formed */
    char result_fault[EXEC_MESSAGE_SIZE]; /* why a result line cannot be taken; "": nothing wrong */
    enum task_error error; /* of the first error line; TASK_ERROR_NONE: none */
    char message[EXEC_MESSAGE_SIZE]; /* its words; "": none */
    struct exec_tail tail;
};

void exec_reader_init(struct exec_reader *reader);
void exec_reader_fini(struct exec_reader *reader);
/* True when the progress has grown. */
bool exec_reader_feed(struct exec_reader *reader, const char *bytes, size_t count);
/* The stream has ended: a last line without its end counts too. */
void exec_reader_end(struct exec_reader *reader);
