/* What operators do to accounts. Each is one store job with its line in the record, and waits for it: any thread but the
 * writer's. `actor` as in record.h. */
#pragma once

#include "base/errors.h"
#include "store/rows.h"

struct store;

/* *ret is the account. ERR_ACCOUNT_EXISTS; the names are valid ones (name.h); an empty group is "default". */
enum err admin_account_create(struct store *store, struct text actor, struct text name, struct text group,
                              struct account_row *ret, struct fault *fault) must_check;

/* What is to be changed. A suspended account's keys are refused; its tasks go on. */
struct admin_account_change {
    struct text group; /* ptr NULL: as it is */
    bool has_suspended, suspended;
    struct text reason; /* for the record; may be empty */
};
/* *ret is the account afterwards. What is so already is no change, and is not recorded. ERR_ACCOUNT_NOT_FOUND. */
enum err admin_account_change(struct store *store, struct text actor, int64_t account,
                              const struct admin_account_change *change, struct account_row *ret,
                              struct fault *fault) must_check;
