/* One byte range of a known size, as a Range header asks for it (RFC 9110 section 14). Pure, any thread. */
#pragma once

#include <stdint.h>

#include "base/text.h"

enum range_answer {
    RANGE_WHOLE,         /* no range, or one that may be ignored: another unit, several ranges, malformed */
    RANGE_PART,          /* bytes *ret_first to *ret_last, both inside */
    RANGE_UNSATISFIABLE, /* begins at or after the end */
};
/* The out-parameters are filled in for RANGE_PART only. */
enum range_answer range_parse(struct text header, int64_t size, int64_t *ret_first, int64_t *ret_last) must_check;
