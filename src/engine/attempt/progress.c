/* Writing progress, one value at a time a task. */
#include "engine/attempt/progress.h"

#include <stdlib.h>

#include "base/memory.h"
#include "engine/attempt/refresh.h"
#include "engine/attempt/run.h"
#include "engine/state.h"
#include "engine/task/move.h"
#include "store/tx.h"

#define PROGRESS_MAX 99 /* 100 belongs to the completed task */

struct progress {
    struct commit commit;
    struct task_key key;
    struct task_id id;
    int percent;
};

static void write_progress(struct store_tx *tx, struct commit *commit) {
    struct progress *progress = container_of(commit, struct progress, commit);
    store_tx_raise_progress(tx, progress->key.account, &progress->id, progress->percent);
}

static void post_progress(struct run *run);

/* The task may have ended meanwhile; its attempt may be another one. */
static void progress_written(struct engine *engine, struct commit *commit, enum err err) {
    struct progress *progress = container_of(commit, struct progress, commit);
    struct live_task *task = live_find(&engine->live, &progress->key);
    if (err == OK)
        board_raise_progress(engine->board, &progress->key, progress->percent);
    if (task != NULL && task->run != NULL) {
        task->run->progress_busy = false;
        post_progress(task->run);
        refresh_shown(task->run);
    }
    free(progress);
}

static void post_progress(struct run *run) {
    struct live_task *task = run->task;
    if (run->progress_busy || run->stage != RUN_DRIVING || task == NULL || task->call != NULL ||
        run->progress <= task->progress)
        return;
    struct progress *progress = mem_new(sizeof(*progress));
    progress->commit.run = write_progress;
    progress->commit.then = progress_written;
    progress->key = task->key;
    progress->id = task_key_id(&progress->key);
    progress->percent = run->progress;
    task->progress = (uint8_t)run->progress; /* a move that overtakes the answer must not lower it */
    progress->commit.patience_ms = move_patience_ms(run->engine, task);
    run->progress_busy = true;
    commit_post(run->engine, &progress->commit);
}

void progress_report(struct attempt *attempt, int percent) {
    struct run *run = container_of(attempt, struct run, attempt);
    percent = percent < 0 ? 0 : percent > PROGRESS_MAX ? PROGRESS_MAX : percent;
    if (percent <= run->progress)
        return;
    run->progress = percent;
    post_progress(run);
}
