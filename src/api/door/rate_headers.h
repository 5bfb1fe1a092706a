/* How a client is told where it stands with its requests per minute. HTTP thread. */
#pragma once

#include <stdint.h>

struct exchange;
struct rate_standing;

/* RateLimit-Limit, RateLimit-Remaining and RateLimit-Reset; to what OpenAI's clients ask also their own. Nothing
 * without a limit. */
void rate_put_headers(struct exchange *exchange, const struct rate_standing *standing);
/* Retry-After, and its seconds. */
int64_t rate_put_retry_after(struct exchange *exchange, int64_t wait_ms);
