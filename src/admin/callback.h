/* What operators do to callbacks. Each is one store job with its line in the record, and waits for it: any thread but the
 * writer's. `actor` as in record.h. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/errors.h"

struct callback_row;
struct store;

/* Sends that delivery anew, in a new round until `deadline_ms` (wall). `announce`: to a server that another process is;
 * whoever is the server tells its sender itself. ERR_TASK_OPEN: it still waits for its task; ERR_CALLBACK_NOT_FOUND: it
 * is gone meanwhile. */
enum err admin_callback_replay(struct store *store, struct text actor, const struct callback_row *callback,
                               struct text reason, int64_t deadline_ms, bool announce, struct fault *fault) must_check;

/* Makes `secret` the account's; the one before signs on until `until_ms` (wall). */
enum err admin_callback_secret_rotate(struct store *store, struct text actor, int64_t account, struct text secret,
                                      int64_t until_ms, struct fault *fault) must_check;
