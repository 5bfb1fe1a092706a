/* What the endpoints that take submissions have in common. All on the HTTP thread. */
#pragma once

#include "api/internal.h"

struct json_t;

/* Answers why the engine did not accept it. */
void refuse_submission(struct exchange *exchange, const struct submission *submission, enum err err);
/* What it would cost; nothing was made of it. */
void reply_estimate(struct exchange *exchange, const struct submission *submission);
/* It was accepted. What was asked for is logged only where the operator wants it. */
void log_submission(struct exchange *exchange, const struct submission *submission);
