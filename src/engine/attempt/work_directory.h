/* DATA/work/{account}-{task}-{attempt}: the place where an attempt's files lie, made before it and removed after it. */
#pragma once

#include <stdint.h>

#include "base/errors.h"

struct engine;

/* Removes what an earlier life left, makes DATA/work anew. At the start, before the thread runs. */
enum err work_directory_clear(const char *work, struct fault *fault) must_check;
/* The new directory's path, freed by the caller; NULL with words on failure. `work` is DATA/work; the account is part of
 * a task's key (S2), so two accounts may have the same id. Engine's thread. */
char *work_directory_make(const char *work, int64_t account, const char *task, int attempt, struct fault *fault)
    must_check;
/* Removes it with all that is in it, on the pool; the path is copied. What cannot be removed now, for want of
 * descriptors for example, is kept in mind. Engine's thread. */
void work_directory_remove(struct engine *engine, const char *path);
/* Tries those again that could not be removed. Engine's thread. */
void work_directory_remove_leftovers(struct engine *engine);
/* Gives up on them, when the thread has ended; the next start clears them. */
void work_directory_forget_leftovers(struct engine *engine);
