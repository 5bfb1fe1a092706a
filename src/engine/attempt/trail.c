/* Small store jobs beside the moves. What a service says of a job and the moves of its task are written one after the other
 * (commit.h), so an end is never before its beginning; a note goes its own way. */
#include "engine/attempt/trail.h"

#include <stdlib.h>

#include <jansson.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/memory.h"
#include "catalog/catalog.h"
#include "engine/attempt/run.h"
#include "engine/route/health.h"
#include "engine/state.h"
#include "engine/task/call.h"
#include "engine/task/move.h"
#include "store/tx.h"

#define NOTES_MAX 100 /* an attempt */

struct trail {
    struct commit commit;
    struct task_key key;
    struct task_id id;
    int number;
    int64_t at_ms;
    char *remote, *kept; /* remote NULL: only the event */
    char *kind, *data;   /* kind NULL: no event */
};

static struct trail *trail_new(const struct run *run) {
    struct trail *trail = mem_new(sizeof(*trail));
    trail->key = run->task->key;
    trail->id = task_key_id(&trail->key);
    trail->number = run->attempt.number;
    trail->at_ms = clock_wall_ms();
    return trail;
}

static void write_trail(struct store_tx *tx, struct commit *commit) {
    const struct trail *trail = container_of(commit, struct trail, commit);
    if (trail->remote != NULL)
        store_tx_set_attempt_remote(tx, trail->key.account, &trail->id, trail->number, text_of(trail->remote),
                                    text_of(trail->kept));
    if (trail->kind == NULL)
        return;
    const struct event_row event = {
        .account = trail->key.account,
        .task = trail->id,
        .at_ms = trail->at_ms,
        .kind = text_of(trail->kind),
        .data = text_of(trail->data),
    };
    store_tx_add_event(tx, &event);
}

static void written(struct engine *engine, struct commit *commit, enum err err) {
    struct trail *trail = container_of(commit, struct trail, commit);
    struct live_task *task = live_find(&engine->live, &trail->key);
    if (err == OK && trail->remote != NULL && task != NULL && task->run != NULL &&
        task->run->attempt.number == trail->number && task->run->stage == RUN_DRIVING)
        run_put_input_by(task->run);
    if (err == OK && trail->kind != NULL)
        board_note(engine->board, &trail->key);
    free(trail->remote);
    free(trail->kept);
    free(trail->kind);
    free(trail->data);
    free(trail);
}

static void post(struct run *run, struct trail *trail, bool stubborn) {
    trail->commit.run = write_trail;
    trail->commit.then = written;
    trail->commit.stubborn = stubborn;
    trail->commit.task = stubborn ? run->task : NULL;
    trail->commit.patience_ms = move_patience_ms(run->engine, run->task);
    commit_post(run->engine, &trail->commit);
}

static char *taken_data(const struct run *run, const char *remote) {
    json_t *data = json_pack("{s:i, s:s, s:s}", "attempt", run->attempt.number, "provider", run->attempt.provider,
                             "remote", remote);
    char *text = data != NULL ? json_render(data) : NULL;
    json_decref(data);
    return text != NULL ? text : mem_string("{}");
}

void trail_taken(struct attempt *attempt, const char *remote, const char *kept) {
    struct run *run = container_of(attempt, struct run, attempt);
    bool first = !run->taken;
    if (first && run->key != NULL && attempt->route != NULL)
        health_worked(run->engine->health, run->key, attempt->route->target);
    run->taken = true;
    run_land(run);
    if (run->task == NULL)
        return;
    struct trail *trail = trail_new(run);
    trail->remote = mem_string(remote);
    trail->kept = mem_string(kept != NULL ? kept : "");
    if (first) {
        trail->kind = mem_string("submitted");
        trail->data = taken_data(run, remote);
    }
    post(run, trail, true);
}

void trail_note(struct attempt *attempt, const char *kind, const char *data) {
    struct run *run = container_of(attempt, struct run, attempt);
    if (run->task == NULL || run->notes >= NOTES_MAX)
        return;
    run->notes++;
    if (run->task->call != NULL) {
        call_note(run->task, clock_wall_ms(), kind, data);
        return;
    }
    struct trail *trail = trail_new(run);
    trail->kind = mem_string(kind);
    trail->data = mem_string(data);
    post(run, trail, false);
}
