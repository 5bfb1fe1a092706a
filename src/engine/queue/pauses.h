/* What operators have paused, as the store has it: providers get no new attempts, models no new tasks.
 *
 * Read anew when the store's generation moves on, which it also does when the command line changes something. */
#pragma once

#include <stdbool.h>

#include "base/errors.h"
#include "store/rows.h"

struct engine;
struct pauses;
struct store;

#define PAUSED_WAIT_MS 60000 /* what is said of something that waits for a person */

struct pauses *pauses_new(void) must_check;
void pauses_free(struct pauses *pauses); /* NULL is fine */
/* Takes over what the store says; *ret_changed: it was something else before. On failure all stays as it was. Engine's
 * thread, or before it runs. */
enum err pauses_load(struct pauses *pauses, struct store *store, bool *ret_changed) must_check;
/* Whether any of the kind is paused, and whether that one is. Any thread; costs next to nothing where nothing is. */
bool pauses_any(struct pauses *pauses, enum pause_kind kind);
bool pauses_have(struct pauses *pauses, enum pause_kind kind, const char *name);

/* Looks whether the store has moved on, and carries out what changed. Engine's thread. */
void pauses_look(struct engine *engine);
