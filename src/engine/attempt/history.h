/* What the store knows of a task's attempts. */
#pragma once

#include <stdint.h>

#include "base/errors.h"
#include "store/rows.h"

struct engine;
struct live_task;

/* Of the last attempt, but for the counts; texts are on the heap, NULL for none. */
struct history {
    enum attempt_state last; /* ATTEMPT_STATE_COUNT: there was none */
    int number;
    unsigned failures; /* attempts that count against the retry policy: a job was made, or may have been */
    int64_t started_ms;
    char provider[NAME_SIZE];
    char credential[NAME_SIZE];
    char *target, *remote, *kept;
    char *made_at; /* target of the last attempt that made a job and failed, or was given up: no other route may be taken (T4) */
    char made_by[NAME_SIZE];
};

/* *ret is freed by history_fini, also after an error. Engine's thread. */
enum err history_read(struct engine *engine, const struct live_task *task, struct history *ret) must_check;
void history_fini(struct history *history);
