/* What the endpoints that take submissions have in common. All on the HTTP thread. */
#pragma once

#include "api/internal.h"

struct json_t;

/* The body as a JSON object, nested no deeper than `max_depth`; *ret is a new reference. ERR_INVALID_CONTENT_TYPE,
 * ERR_INVALID_JSON. */
enum err read_json_body(struct exchange *exchange, unsigned max_depth, struct json_t **ret,
                        struct fault *fault) must_check;
/* Answers why the engine did not accept it. */
void refuse_submission(struct exchange *exchange, const struct submission *submission, enum err err);
/* What it would cost; nothing was made of it. */
void reply_estimate(struct exchange *exchange, const struct submission *submission);
/* It was accepted. What was asked for is logged only where the operator wants it. */
void log_submission(struct exchange *exchange, const struct submission *submission);
