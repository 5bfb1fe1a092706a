/* Members of a JSON object, found by one pass over its bytes, of which nothing is copied: for replies that are handed on as
 * they are, after a look at a few of their members. */
#pragma once

#include "base/text.h"

#define JSON_PICK_DEPTH_MAX 64
#define JSON_PICK_NAMES_MAX 16

/* True: the text is a JSON object, nested JSON_PICK_DEPTH_MAX deep at most and of JSON_VALUES_MAX values, and each ret[i] is
 * the value of the member names[i], as it is written, or TEXT_NONE where it has none. False, with ret untouched: it is none,
 * or there is a doubt that a reader of values has to settle: a number that may not fit, one of the names twice, a name of the
 * outermost object with a backslash. Names that occur twice elsewhere are no doubt, unlike to json_read_any. At most
 * JSON_PICK_NAMES_MAX names. Any thread. */
bool json_pick(struct text text, const struct text *names, unsigned count, struct text *ret) must_check;
