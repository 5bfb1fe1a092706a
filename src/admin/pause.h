/* Providers and models that get no new work until an operator says so. Each verb is one store job with its line in the
 * record, and waits for it: any thread but the writer's. A running server takes it over by itself. */
#pragma once

#include "base/errors.h"
#include "store/rows.h"

struct store;

/* What is so already is no change, and is not recorded: *ret_changed tells. `actor` as in record.h; `reason` is in words
 * for people and may be empty. */
enum err admin_pause(struct store *store, struct text actor, enum pause_kind kind, struct text name,
                     struct text reason, bool *ret_changed, struct fault *fault) must_check;
enum err admin_resume(struct store *store, struct text actor, enum pause_kind kind, struct text name,
                      struct text reason, bool *ret_changed, struct fault *fault) must_check;
