/* The words that operators give: names and times. Pure; any thread. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/text.h"

/* Whether the text can name an account, a group or a key: 1 to 64 bytes of UTF-8 without spaces and control characters. */
bool admin_name_valid(struct text name) must_check;
/* "90s", "15m", "12h", "30d" as milliseconds; false, *ret_ms untouched, when it is none of these. */
bool admin_parse_duration(struct text word, int64_t *ret_ms) must_check;
