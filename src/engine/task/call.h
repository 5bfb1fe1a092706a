/* Calls: language models' tasks whose clients wait for the answer themselves.
 *
 *  engine_call ── at once ──> queue, attempts, the answer to the client      as any task, but nothing is written
 *                               └──> one transaction: task, reservation, settlement, attempts, timeline (L2, L3)
 *
 * A task that was accepted survives a crash (T2), and its attempt is durable before the request leaves (T3), because
 * somebody was told its id, and because the next start goes on with it. Neither is so with a call: its client hears
 * of it together with the answer, its connection dies with the server, and nothing is ever sent again for it. So
 * what it costs is only held in memory while it runs (engine/task/holds.h), and a crash forgets it: nothing is charged. */
#pragma once

#include <stdint.h>

#include "engine/engine.h"

struct call_record;
struct commit;
struct json_t;
struct live_task;
struct move;
struct store_tx;

void call_free(struct call_record *call); /* NULL is fine */
/* The request; borrowed. */
struct json_t *call_input(const struct call_record *call);
bool call_reasons(const struct call_record *call);
/* Keeps a line of its timeline. */
void call_note(struct live_task *task, int64_t at_ms, const char *kind, const char *data);
/* Whether all that is to be said of the move is in the row of its attempt: it is a call's first dispatch. Its timeline gets no
 * line of its own, which would be a ninth of what the call costs the writer. */
bool call_attempt_tells(const struct move *move);
/* Keeps what a move says of attempt and timeline, until all is written. */
void call_keep(struct live_task *task, const struct move *move);
/* What the final move of a call writes. Writer's thread. */
void call_write(struct store_tx *tx, struct move *move);
/* Its end, with what it costs, is about to be told: its client may call again at once, with the place and the
 * credits that this one does not need any more. */
void call_end(struct engine *engine, struct live_task *task, int64_t charged);
/* It is written: who comes with the same idempotency key gets the same answer, if it is a whole one. */
void call_written(struct move *move);
/* It will not be written: its idempotency key is free. Nothing for other tasks. */
void call_leave_key(struct live_task *task);
/* It is written, or lost: what it held still is free. */
void call_release(struct engine *engine, struct live_task *task);
