/* Two JSON values compared for people: what differs, where. Pure. */
#pragma once

#include <stdbool.h>

#include "base/buffer.h"

struct json_t;

/* Whether the two are equal, numbers by value. If not, appends one line a difference to `buf`, five at most:
 * "    results[0].seed: expected 42, got 43". `name` is what the whole is called. */
bool json_diff(const char *name, const struct json_t *expected, const struct json_t *got, struct buffer *buf);
