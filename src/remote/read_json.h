/* JSON as services send it: read as strictly as ours first, then with forbearance, since a job that is paid for must
 * not be lost to a number too long. Pure, any thread. */
#pragma once

#include "base/errors.h"
#include "base/text.h"

struct json_t;

/* Integers beyond 64 bits and numbers beyond double become texts of their digits; in strings \u0000, half of a surrogate pair
 * and bytes that are no UTF-8 become U+FFFD; of a key that comes twice the last one counts. Anything else that is no JSON is
 * ERR_INVALID_JSON. *ret is a new reference. */
enum err read_service_json(struct text body, struct json_t **ret, struct fault *fault) must_check;
