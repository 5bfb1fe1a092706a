/* The quick way through JSON as it is usually written, for base/json.c. */
#pragma once

#include "base/text.h"

struct json_t;

/* The value, a new reference; NULL when the text is wrong, or has what is left to jansson: a backslash, an integer of more
 * than 18 digits, a real of more than 64 characters. What it returns is what jansson would with JSON_REJECT_DUPLICATES and
 * JSON_DECODE_ANY. Recurses as deep as the text is nested, which the caller has bounded. */
struct json_t *json_quick_read(struct text text) must_check;
