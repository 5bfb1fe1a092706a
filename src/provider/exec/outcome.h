/* What the end of a local command means for its task: the rules, with no process in sight. */
#pragma once

#include <stdint.h>

#include "base/buffer.h"
#include "provider/driver.h"
#include "provider/exec/guard.h"
#include "provider/exec/reader.h"

/* How a command ended, and everything it left. */
struct exec_ending {
    enum exec_end end;
    int number; /* of guard.h */
    const struct exec_reader *reader; /* at its end */
    const struct exec_tail *errors;   /* standard error */
    const char *work_directory;
    int64_t file_max;
};

/* Judges the ending; looks at the files the result refers to. The outcome's texts lie in `message` and `detail`, which the
 * caller has initialised and keeps as long; its output is the reader's. */
void exec_outcome_judge(const struct exec_ending *ending, struct buffer *message, struct buffer *detail,
                        struct outcome *ret);
