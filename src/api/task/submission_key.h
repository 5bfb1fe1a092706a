/* The Idempotency-Key header of a submission: whether it is the first of its kind, or the same again. HTTP thread. */
#pragma once

#include "api/internal.h"

/* One request's; lives with the `work` of its call, from zeros on. */
struct submission_key {
    struct idempotency_visit visit; /* VISIT_FIRST without a holding: there is no key */
    struct idempotency_key key;
    struct exchange *exchange;
    void (*go_on)(struct exchange *exchange);
};

/* Calls `go_on` once it is clear what the request is (key->visit: FIRST, JOINS or REPEATS): at once, or when another with
 * the same key has ended, without holding a thread. Or refuses it, and `go_on` does not come. "The same" is the same
 * endpoint and the same bytes of the body. `ignored`: as if there were no header. */
void submission_key_enter(struct exchange *exchange, bool ignored, struct submission_key *key,
                          void (*go_on)(struct exchange *exchange));
/* Moves the holding, if there is one, into the submission. */
void submission_key_give(struct submission_key *key, struct submission *submission);
/* What a task that came of the key was answered with at first. VISIT_REPEATS. */
void reply_repeated(struct exchange *exchange, const struct submission_key *key);
/* Says in a header of the reply that it was made for an earlier request. */
void reply_is_repeated(struct exchange *exchange);
/* Leaves what was not given on. */
void submission_key_fini(struct submission_key *key);
