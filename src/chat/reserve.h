/* What a call to a language model may cost at most. */
#pragma once

#include <stdint.h>

#include "base/errors.h"

struct json_t;
struct model;

/* The price of the request as if the model wrote as much as it may: what is reserved for it. `ratio_ppm` is the group's.
 * ERR_OUT_OF_RANGE; *ret untouched then. Pure, any thread. */
enum err chat_price_most(const struct model *model, const struct json_t *request, int64_t ratio_ppm, int64_t *ret) must_check;
