/* What a route can be asked, before anything is made of it. */
#pragma once

#include <stdbool.h>

#include "base/errors.h"

struct bridge;
struct json_t;
struct model;
struct route;

/* Whether the dialect of the route's service can say the request (chat/dialect/dialect.h): else one of the contract's 422 codes,
 * with the path in the request as param. OK as well for a service that nothing is known of. Any thread. */
enum err chat_sayable(const struct bridge *bridge, const struct model *model, const struct route *route,
                      const struct json_t *request, bool reasoning, struct fault *fault) must_check;
