/* What the endpoints that take submissions have in common. All on the HTTP thread. */
#pragma once

#include "api/internal.h"

/* Answers why the engine did not accept it. */
void refuse_submission(struct exchange *exchange, const struct submission *submission, enum err err);
/* What it would cost, or that its model is paused; nothing was made of it. */
void reply_estimate(struct exchange *exchange, const struct submission *submission);
/* Submits it as a task: the exchange waits until that is durable, and is answered with the task, or with why there is none. The submission
 * lives until the exchange ends; `done` and `context` are set here. */
void submit_task(struct exchange *exchange, struct submission *submission);
