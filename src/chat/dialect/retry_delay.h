/* When to try again, in the headers of a reply. */
#pragma once

#include "chat/dialect/failure.h"

/* Sets delay_ms, when the headers (a line each) say one; x-should-retry counts unless the request, the key or the
 * account is at fault. Pure. */
void retry_delay_read(struct text headers, struct chat_failure *failure);
/* "1s", "6m30s", "1.5s", "250ms", bare seconds; at most a day. 0: it is none of these. */
int64_t chat_duration_ms(struct text duration);
