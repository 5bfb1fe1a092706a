/* What reports are asked for in common: days and a format. HTTP thread. */
#pragma once

#include "http/exchange.h"

/* The query parameters `from` and `to`, dates in UTC and both included, as days since 1970-01-01; where one is absent *ret
 * stays as it is. ERR_NOT_ALLOWED_VALUE, or ERR_OUT_OF_RANGE when the end comes before the beginning. */
enum err read_days(struct exchange *exchange, int64_t *ret_from, int64_t *ret_to, struct fault *fault) must_check;
/* `format`: json or csv; false when absent. ERR_NOT_ALLOWED_VALUE. */
enum err read_wants_csv(struct exchange *exchange, bool *ret, struct fault *fault) must_check;
