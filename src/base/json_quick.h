/* The inside of JSON reading: the way of those texts that are as they should be. */
#pragma once

#include "base/compiler.h"
#include "base/text.h"

struct json_t;

/* The value of a JSON text, a new reference; just what jansson makes of it with JSON_DECODE_ANY and
 * JSON_REJECT_DUPLICATES. NULL: it is not valid, or unusual (an integer of more than 18 digits, nested deeper than
 * `depth_max`), or memory is out: jansson tells. Any thread. */
struct json_t *json_quick_read(struct text body, unsigned depth_max) must_check;
