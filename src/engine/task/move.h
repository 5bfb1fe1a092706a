/* The one way a task changes its state.
 *
 *   T1  the state follows from task_step(), and the store refuses a move from a final state
 *   L2  state, settlement, event, attempt and artifacts are one store job
 *   L3  the settlement gives back exactly what the charge leaves of the reservation, once
 *
 * A move is made, told what happened, and posted; while it is on its way nothing else may begin with the task (phase
 * MOVING). After the commit the board shows the new state; a final task is forgotten and those who asked for its cancel
 * are answered. Engine's thread only. */
#pragma once

#include <stdint.h>

#include "base/arena.h"
#include "core/tokens.h"
#include "engine/commit.h"
#include "engine/task/live.h"

struct engine;
struct json_t;

struct move {
    struct commit commit;
    struct live_task *task;
    enum task_event event;
    enum task_state from;
    unsigned effects;
    struct task_row row;
    bool begins_attempt, ends_attempt;
    bool has_change;
    struct change_row change; /* an operator's order, for the record of changes */
    struct attempt_row attempt;
    struct ledger_row ledger;
    struct event_row record; /* for the timeline */
    struct artifact_row *artifacts;
    unsigned artifact_count;
    struct text completion; /* of a call: what its client gets */
    bool cut; /* it is only a part of the answer: nobody may take it for the whole */
    struct token_usage tokens;
    struct buffer chunks; /* of a task with a stream: what is kept of it, for a while */
    int64_t chunks_expire_ms;
    struct arena arena; /* everything the rows' texts point to */
    /* The state is durable. `task` is NULL when it was final, or lost because the store knows better (err). Then and
     * at a stop in the middle of it (err) nothing more is to be done with the task. */
    void (*then)(struct engine *engine, struct live_task *task, enum err err, void *context);
    void *context;
};

/* Begins a move; the event must be one that the task's state knows. */
struct move *move_new(struct live_task *task, enum task_event event) must_check;
/* A new attempt starts with it (T3), or the attempt `number` ends with it. */
void move_begin_attempt(struct move *move, const char *provider, const char *target, const char *credential);
void move_end_attempt(struct move *move, enum attempt_state state, const char *detail);
/* Why the task failed. NULL: the default words. */
void move_error(struct move *move, enum task_error error, const char *message);
/* What a cancelled task costs all the same: what was written of an answer could be read. */
void move_charge(struct move *move, int64_t cost);
/* What a completed task has and costs; the artifacts' account and task are filled in here. */
void move_results(struct move *move, struct text results, int64_t cost, const struct artifact_row *artifacts,
                  unsigned count);
/* The line of the timeline; `data` is a JSON object. Without it the kind is the new state's name, the data {}. */
void move_record(struct move *move, const char *kind, const char *data);
/* The same with a value, whose reference is taken over. */
void move_record_json(struct move *move, const char *kind, struct json_t *data);
/* An operator has ordered it: the move's line in the record of changes, with the data of its line in the timeline, which
 * was given before. */
void move_change(struct move *move, struct text actor, const char *action);
/* Sends it off; `then` may be NULL. At a call's end it comes from within, without the task: neither its client nor the next
 * attempt waits for the record. */
void move_post(struct engine *engine, struct move *move,
               void (*then)(struct engine *engine, struct live_task *task, enum err err, void *context), void *context);

/* How long after the store's last sync a record of the task may wait for others to share the next one with; 0: not at all,
 * since somebody is known to wait for what it says, or there are hardly any others. A call's is never 0: its client hears of
 * the end before the record. */
unsigned move_patience_ms(struct engine *engine, const struct live_task *task) must_check;

/* Ends a task that has no attempt running: the usual chain of the above. */
void move_fail(struct engine *engine, struct live_task *task, enum task_error error, const char *message);
