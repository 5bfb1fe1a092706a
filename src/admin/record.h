/* What every operator's change has in common: who makes it, and its line in the record.
 *
 * The operations of this folder are what the command line and the operators' API are both made of. Each is one store job
 * that makes the change and records it, so that there is neither without the other. */
#pragma once

#include <stdint.h>

#include "base/text.h"

struct json_t;
struct store_tx;

/* Adds the line. `actor` is "cli:" and the system's user, or "admin:" and the prefix of the admin key; `account` 0: it
 * concerns none; `object` is a name, a key's prefix or a task's id; `detail` a JSON object without secrets (empty: {}).
 * Writer thread, in the job that makes the change; its failure is the transaction's. */
void admin_record(struct store_tx *tx, struct text actor, const char *action, int64_t account, struct text object,
                  struct text detail);
/* The same with a JSON value, whose reference is taken over. */
void admin_record_json(struct store_tx *tx, struct text actor, const char *action, int64_t account, struct text object,
                       struct json_t *detail);
