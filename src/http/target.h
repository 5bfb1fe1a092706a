/* The target of a request line, taken apart strictly: path segments and query parameters, percent-decoded.
 *
 * Pure, any thread. */
#pragma once

#include "base/arena.h"
#include "base/errors.h"
#include "base/text.h"

#define TARGET_MAX 7168 /* bytes of the raw target; the header section that it is in may have a kilobyte more */
#define TARGET_SEGMENTS_MAX 8
#define TARGET_PARAMETERS_MAX 24

struct target_parameter {
    struct text name, value;
};

struct target {
    struct text authority;                                     /* of the absolute form, as sent; else ptr is NULL */
    struct text path;                                          /* as sent, without the query */
    struct text query;                                         /* as sent, without the question mark */
    struct text segments[TARGET_SEGMENTS_MAX];                 /* decoded; of "/v1/tasks": "v1", "tasks" */
    unsigned segment_count;                                    /* 0: the root */
    struct target_parameter *parameters;                       /* decoded, no name twice; in the arena, NULL: none */
    unsigned parameter_count;
};

/* `raw` lives as long as *ret; what had to be decoded is in the arena. The absolute form (http://host/path) gives
 * an authority, which is not looked at, and its path. ERR_INVALID_REQUEST: not a well-formed target (bad
 * percent-encoding, control characters, not UTF-8, a parameter twice). ERR_ROUTE_NOT_FOUND: well-formed, but no route
 * can be meant (empty or dot segments). ERR_HEADERS_TOO_LARGE: over TARGET_MAX. */
enum err target_parse(struct text raw, struct arena *arena, struct target *ret, struct fault *fault) must_check;

/* False when there is none of that name. */
bool target_parameter(const struct target *target, struct text name, struct text *ret_value);
