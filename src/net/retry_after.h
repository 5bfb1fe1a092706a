/* When a server wants to be asked again. Pure, any thread. */
#pragma once

#include <stdint.h>

#include "base/text.h"

/* What Retry-After says (RFC 9110, seconds or a date) as milliseconds from `now_ms`, at most a day; 0 when it is
 * neither. */
int64_t retry_after_read_ms(struct text value, int64_t now_ms);
/* The same of a header that counts milliseconds. */
int64_t retry_after_read_ms_header(struct text value);
