/* What failures of requests mean for an attempt. The engine's thread. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/buffer.h"
#include "core/failure.h"
#include "provider/adapter.h"

struct attempt;
struct exchange_reply;
struct outcome;
struct service;

/* A failure with its texts, which point into `value`. */
struct reply_failure {
    struct adapter_failure said;
    struct json_t *value; /* NULL: the status alone spoke */
};

/* What a reply with another status than 2xx says: by the adapter's failure, else by its status. `job` is what adapters
 * see of the job; NULL for a submission. Freed by failure_fini. */
void failure_read(const struct service *service, const struct exchange_reply *reply, const struct json_t *job,
                  struct reply_failure *ret);
/* Zero is fine. */
void failure_fini(struct reply_failure *failure);
/* Whether the question failed and not the job. `patience`: how often a refusal that may pass (401, 403, 404) has been
 * met in a row with this one; the second counts. */
bool failure_asks_again(const struct adapter_failure *failure, int http_status, unsigned patience);
/* Milliseconds that the failure or the reply asks to wait; 0: neither does. */
int64_t failure_delay_ms(const struct adapter_failure *failure, const struct exchange_reply *reply);

/* `words` without the attempt's secrets, for logs and timeline: adapters' complaints quote what services said. Never NULL;
 * freed by the caller. */
char *failure_hide(const struct service *service, const struct attempt *attempt, const char *words) must_check;

/* An outcome and the texts in it. */
struct failure_outcome {
    struct buffer message, detail;
};
/* Makes *ret of a failure with this fate; `reply` may be NULL. Its texts live in *texts until failure_outcome_fini. */
void failure_outcome_make(const struct service *service, const struct attempt *attempt,
                          const struct adapter_failure *failure, const struct exchange_reply *reply, enum job_fate fate,
                          struct failure_outcome *texts, struct outcome *ret);
void failure_outcome_fini(struct failure_outcome *texts);
